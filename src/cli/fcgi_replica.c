#include "cli/fcgi_replica.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cli/talk.h"
#include "fcgi/fail.h"
#include "question/private.h"
#include "util/cleanup.h"
#include "util/text.h"

/* Which one is looked for, and what twinit says of it. */
struct search {
	unsigned number;
	bool found;
	struct wire_replica replica;
};

static void on_reply(const struct wire_reply *reply, void *context)
{
	struct search *search = context;

	if (reply->kind != WIRE_REPLICA || reply->replica.number != search->number ||
	    reply->replica.group != GROUP_ACTIVE || reply->replica.rescue)
		return;
	search->found = true;
	search->replica = reply->replica;
}

bool fcgi_replica_parse(const char *text, struct fcgi_replica *replica)
{
	const char *slash = strrchr(text, '/');
	struct text app = TEXT(replica->app);

	if (!slash || slash == text || slash[1] < '1' || slash[1] > '0' + REPLICAS_MAX ||
	    slash[2] != '\0')
		return false;
	text_add(&app, "%.*s", (int)(slash - text), text);
	replica->number = (unsigned)(slash[1] - '0');
	return !app.cut;
}

static int connect_to(const struct wire_replica *replica, uint64_t until_ms, int *fd)
{
	char path[CONFIG_PATH_SIZE + 16], name[PRIVATE_NAME_SIZE];
	struct text text = TEXT(path);

	text_add(&text, "%s/private", talk_run_dir());
	_cleanup_close_ int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	private_name(replica->app_index, replica->serial, 0, PRIVATE_HAND, name);
	return fcgi_connect_private(dir, name, until_ms, fd);
}

static int explain(const char *text, const struct wire_replica *replica, int error)
{
	if (error == -ENOENT || error == -ECONNREFUSED)
		return fcgi_fail(FCGI_NO_CONNECTION,
		                 "replica %s does not run (it is in state %s); see twinit status",
		                 text, master_state_name(replica->state));
	if (error == -ETIMEDOUT)
		return fcgi_fail(FCGI_TIMEOUT, "replica %s takes no connection: its queue is full",
		                 text);
	return fcgi_fail(FCGI_NO_CONNECTION, "cannot connect to replica %s: %s", text,
	                 strerror(-error));
}

/* Returns an exit status. */
static int look_up(const struct fcgi_replica *wanted, const char *text, struct search *search)
{
	struct wire_request request = { .command = COMMAND_STATUS };

	memcpy(request.app, wanted->app, sizeof(request.app));
	search->number = wanted->number;
	search->found = false;
	_cleanup_close_ int control = talk_open(&request);
	if (control < 0 || talk_listen(control, TALK_PATIENCE_MS, on_reply, search) != 0)
		return FCGI_NO_REPLICA;
	if (!search->found)
		return fcgi_fail(FCGI_NO_REPLICA,
		                 "there is no replica %s that serves; see twinit status", text);
	return FCGI_WELL;
}

int fcgi_replica_connect(const struct fcgi_replica *wanted, const char *text, uint64_t until_ms,
                         int *fd)
{
	struct search search = { 0 };
	uint32_t before;
	int r;

	do {
		before = search.replica.serial;
		int status = look_up(wanted, text, &search);
		if (status != FCGI_WELL)
			return status;
		r = connect_to(&search.replica, until_ms, fd);
	} while ((r == -ENOENT || r == -ECONNREFUSED) && search.replica.serial != before);
	return r < 0 ? explain(text, &search.replica, r) : FCGI_WELL;
}
