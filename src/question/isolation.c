#include "question/isolation.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine/caps.h"
#include "confine/identity.h"
#include "confine/namespace.h"
#include "process/helper.h"
#include "release/release.h"
#include "util/fs.h"
#include "util/text.h"

/*
 * Root without CAP_SYS_ADMIN makes the namespace as the pool's user, whom we do not know yet.  The
 * owner of the release will do to try, or anybody where that is root.
 */
static struct identity somebody(const char *release)
{
	struct stat st;

	if (release[0] == '\0' || stat(release, &st) < 0 || st.st_uid == 0)
		return (struct identity){ .uid = 65534, .gid = 65534 };
	return (struct identity){ .uid = st.st_uid, .gid = st.st_gid };
}

static int enter(const char *release, enum pin pin)
{
	const struct identity as = somebody(release);
	int r = 0;

	if (pin == PIN_MOUNT)
		return caps_have(CAP_SYS_ADMIN) ? namespace_enter() : -EPERM;
	if (geteuid() == 0) {
		r = identity_take_groups(&as);
		if (r >= 0)
			r = identity_take_user(&as);
	}
	return r < 0 ? r : namespace_enter_as_user();
}

/* The exit status carries the errno, which is below 256. */
NORETURN static void try_here(const struct isolation_query *query, const char *release,
                              enum pin pin)
{
	int r = enter(release, pin);

	if (r >= 0)
		r = pin_cover(&query->cover);
	if (r >= 0 && query->link[0] != '\0')
		r = pin_tree(query->link, release, false);
	_exit(-r);
}

static int try_pin(const struct isolation_query *query, const char *release, enum pin pin)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		try_here(query, release, pin);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

/* What confines us, for the sentence: who says no decides what the operator has to change. */
static const char *who_refuses(int error)
{
	static char apparmor[128];

	if (error == -EACCES &&
	    read_file("/proc/self/attr/current", apparmor, sizeof(apparmor)) > 0)
		return "AppArmor denies mounts";
	if (error == -EPERM)
		return "no CAP_SYS_ADMIN, and the seccomp profile or the kernel allows no user "
		       "namespace";
	return strerror(-error);
}

/* Who has the right to the better kind and does not get it is told why. */
static bool namespaces_work(const struct isolation_query *query, const char *release,
                            struct isolation_answer *answer, struct text *why)
{
	int r = try_pin(query, release, PIN_MOUNT);

	answer->pin = PIN_MOUNT;
	if (r >= 0)
		return true;
	if (caps_have(CAP_SYS_ADMIN))
		text_add(why, "without a user namespace it failed: %s", strerror(-r));
	answer->pin = PIN_USERNS;
	r = try_pin(query, release, PIN_USERNS);
	if (r >= 0)
		return true;
	*why = text_init(why->buffer, why->size);
	text_add(why, "no mount namespace: %s", who_refuses(r));
	return false;
}

static void decide(const struct isolation_query *query, const char *release,
                   struct isolation_answer *answer)
{
	static const char grant[] = "give the container the capability SYS_ADMIN";
	struct text why = TEXT(answer->why);

	switch (query->wanted) {
	case ISOLATION_NAMESPACE:
		answer->ok = namespaces_work(query, release, answer, &why);
		if (!answer->ok)
			text_add(&why, "; %s, or set isolation = path and docroot", grant);
		return;
	case ISOLATION_AUTO:
		if (namespaces_work(query, release, answer, &why))
			return;
		answer->pin = query->link[0] == '\0' ? PIN_NONE : PIN_PATH;
		answer->ok = query->link[0] == '\0' || query->path_possible;
		if (!answer->ok)
			text_add(&why,
			         "; set docroot (TWINIT_APP_DOCROOT=public, say) to pin the "
			         "release by "
			         "path, or %s",
			         grant);
		return;
	case ISOLATION_PATH:
		answer->pin = query->link[0] == '\0' ? PIN_NONE : PIN_PATH;
		return;
	case ISOLATION_NONE:
		answer->pin = PIN_NONE;
		return;
	}
}

void isolation_run(const void *query, int answer_fd)
{
	const struct isolation_query *q = query;
	struct isolation_answer answer = { .ok = true };
	struct release release;

	if (release_resolve(q->link, &release, answer.why, sizeof(answer.why)) < 0)
		answer.ok = false;
	else
		decide(q, release.path, &answer);
	helper_answer(answer_fd, &answer, sizeof(answer));
}
