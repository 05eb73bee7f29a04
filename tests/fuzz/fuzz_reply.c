/*
 * Any messages as what PID 1 answers to a command, which may be somebody else who sits at the
 * usual place: each command ends, and shows nothing that a terminal would obey.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "peer.h"

#include "cli/command.h"
#include "control/wire.h"
#include "session/finding_file.h"
#include "util/cleanup.h"
#include "util/passing.h"

static struct input said;

static const struct news news = {
	.kind = NEWS_ROLL_DONE,
	.app = "www",
	.replica = 1,
	.release = "42",
	.text = "words",
};
static const struct wire_container container = { .version = "1", .why = "www: why" };
static const struct wire_app app = {
	.name = "www",
	.replicas = 2,
	.ready = 2,
	.release = "42",
	.release_path = "/srv/42",
};
static const struct wire_replica replica = { .app = "www", .number = 1, .release = "42" };
static const struct wire_pool pool = { .app = "www", .name = "www", .path = "/status" };
static const struct wire_sessions sessions = { .app = "www", .state = 1, .members = 2 };
static const struct wire_end over = { .exit_status = 0, .text = "" };

/* Change some bytes of what is right: WHERE (in 256ths), HOW MANY, the bytes. */
static void change(struct input *input, void *bytes, size_t size)
{
	size_t at = input_byte(input) * size / 256;

	for (int count = input_byte(input) % 64; count > 0 && at < size; count--)
		((uint8_t *)bytes)[at++] = input_byte(input);
}

static int findings_file(struct input *input)
{
	static struct findings findings;
	static uint8_t bytes[sizeof(findings) + 64];
	int fd = memfd_create("findings", MFD_CLOEXEC);
	uint8_t how = input_byte(input);

	memset(&findings, 0, sizeof(findings));
	findings.count = how % 4;
	findings.member_count = how / 4 % 4;
	for (uint32_t i = 0; i < findings.count; i++)
		findings.list[i] = (struct finding){ i, i, "redis:6379", "seen", "fix" };
	assert(fd >= 0 && finding_file_write(fd, &findings) == 0);
	ssize_t size = pread(fd, bytes, sizeof(bytes), 0);
	assert(size > 0);
	for (int changes = how / 16; changes > 0; changes--)
		change(input, bytes, (size_t)size);
	assert(pwrite(fd, bytes, (size_t)size, 0) == size);
	if (how == 0xff)
		assert(ftruncate(fd, input_byte(input)) == 0);
	return fd;
}

/* What came later, from @old on, has the highest bytes: seeds keep their meaning. */
static unsigned pick(uint8_t byte, unsigned old, unsigned count)
{
	return 0x100u - byte <= count - old ? old + (0xffu - byte) : byte % old;
}

/* One message: its kind, how long it is, what is different in it. */
static bool say_one(int fd, struct input *input)
{
	struct wire_reply reply = { .magic = WIRE_MAGIC };
	_cleanup_close_ int file = FD_NONE;
	uint8_t kind = input_byte(input), how = input_byte(input);

	reply.kind = pick(kind, WIRE_POOL, WIRE_KIND_COUNT);
	switch ((enum wire_kind)reply.kind) {
	case WIRE_NEWS:
		reply.news = news;
		reply.news.kind = input_byte(input) % NEWS_COUNT;
		assert(news_name(reply.news.kind)[0]);
		assert(news_level(reply.news.kind) <= LOG_INFO);
		break;
	case WIRE_CONTAINER:
		reply.container = container;
		break;
	case WIRE_APP:
		reply.app = app;
		break;
	case WIRE_REPLICA:
		reply.replica = replica;
		break;
	case WIRE_POOL:
		reply.pool = pool;
		break;
	case WIRE_SESSIONS:
		reply.sessions = sessions;
		break;
	case WIRE_END:
		reply.end = over;
		break;
	case WIRE_KIND_COUNT:
		break;
	}
	size_t size = wire_reply_size(reply.kind);
	if (how & 0x80)
		file = findings_file(input);
	for (int changes = how & 15; changes > 0; changes--)
		change(input, &reply, size);
	if (how & 0x40)
		size = input_byte(input) * (sizeof(reply) + 1) / 256;
	return passing_send(fd, &reply, size, file, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static int peer_say(int fd, const struct sockaddr *address)
{
	assert(address->sa_family == AF_UNIX);
	while (input_size(&said) > 0 && say_one(fd, &said))
		;
	return 0;
}

static void run(const struct command *command, const char *argument)
{
	char name[] = "twinit", words[32] = "";
	char *argv[5] = { name };
	int argc = 1;

	strncpy(words, argument ? argument : "", sizeof(words) - 1);
	for (char *word = strtok(words, " "); word && argc < 4; word = strtok(NULL, " "))
		argv[argc++] = word;
	(void)command->run(argc, argv);
}

static void run_one(uint8_t which)
{
	enum { FIRST_WAYS = 11 };
	static const struct {
		const struct command *command;
		const char *argument;
	} ways[] = {
		{ &status_command, NULL },       { &status_command, "--json" },
		{ &sessions_command, NULL },     { &sessions_command, "--json" },
		{ &restart_command, "www" },     { &restart_command, "--no-wait" },
		{ &health_command, NULL },       { &health_command, "extra" },
		{ &stop_command, NULL },         { &status_command, "--unknown" },
		{ &sessions_command, "www" },    { &status_command, "-q" },
		{ &list_command, NULL },         { &list_command, "--json" },
		{ &list_command, "-q" },         { &ps_command, NULL },
		{ &metrics_command, NULL },      { &metrics_command, "--openmetrics" },
		{ &status_command, "-q www 1" },
	};

	unsigned way = pick(which, FIRST_WAYS, ARRAY_SIZE(ways));

	run(ways[way].command, ways[way].argument);
}

/* Plain text in lines.  What is above ASCII is some encoding of names, and no order to anybody. */
static void check(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		assert(text[i] == '\n' || ((unsigned char)text[i] >= ' ' && text[i] != 0x7f));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FILE *const out = stdout, *const err = stderr;
	char *shown = NULL;
	size_t shown_size = 0;

	if (size < 1)
		return 0;
	assert(setenv("TWINIT_RUN_DIR", "/", 1) == 0);
	said = input_of(data + 1, size - 1);
	stdout = stderr = open_memstream(&shown, &shown_size);
	assert(stdout);
	run_one(data[0]);
	(void)fclose(stdout);
	stdout = out;
	stderr = err;
	peers_leave();
	check(shown, shown_size);
	free(shown);
	return 0;
}
