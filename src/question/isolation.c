#include "question/isolation.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "confine/caps.h"
#include "confine/identity.h"
#include "confine/namespace.h"
#include "process/helper.h"
#include "release/release.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/text.h"

enum {
	PATIENCE_MS = 1500, /* for each of two kinds */
	PAUSE_MS = 100,
};

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

	if (pin == PIN_MOUNT) {
		r = caps_look_for(CAP_SYS_ADMIN);
		return r > 0 ? namespace_enter() : r == 0 ? -EPERM : r;
	}
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

static int try_once(const struct isolation_query *query, const char *release, enum pin pin)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		try_here(query, release, pin);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	if (WIFEXITED(status))
		return -WEXITSTATUS(status);
	/* A seccomp profile may kill who asks; anybody else kills for reasons of the moment. */
	return WTERMSIG(status) == SIGSYS ? -EPERM : -EINTR;
}

/* Says nothing about what the kernel and the container allow. */
static bool is_of_the_moment(int r)
{
	return r == -EAGAIN || r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -ENOBUFS ||
	       r == -EINTR || r == -EBUSY;
}

static int try_pin(const struct isolation_query *query, const char *release, enum pin pin)
{
	const uint64_t until_ms = clock_ms() + PATIENCE_MS;
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000 };
	int r;

	while (is_of_the_moment(r = try_once(query, release, pin)) && clock_ms() < until_ms)
		(void)nanosleep(&pause, NULL);
	return r;
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

static int not_known(int error, struct text *why)
{
	*why = text_init(why->buffer, why->size);
	text_add(why, "what isolation can be had cannot be found out: %s", child_trouble(error));
	return error;
}

/*
 * Who has the right to the better kind and does not get it is told why.  0, what refused both, or
 * an error of the moment, which nothing is to be chosen for.
 */
static int try_namespaces(const struct isolation_query *query, const char *release,
                          struct isolation_answer *answer, struct text *why)
{
	int r = try_pin(query, release, PIN_MOUNT);

	answer->pin = PIN_MOUNT;
	if (r >= 0)
		return 0;
	if (is_of_the_moment(r))
		return not_known(r, why);
	if (caps_have(CAP_SYS_ADMIN))
		text_add(why, "without a user namespace it failed: %s", strerror(-r));
	answer->pin = PIN_USERNS;
	r = try_pin(query, release, PIN_USERNS);
	if (r >= 0)
		return 0;
	if (is_of_the_moment(r))
		return not_known(r, why);
	*why = text_init(why->buffer, why->size);
	text_add(why, "no mount namespace: %s", who_refuses(r));
	return r;
}

static void decide(const struct isolation_query *query, const char *release,
                   struct isolation_answer *answer)
{
	static const char grant[] = "give the container the capability SYS_ADMIN";
	struct text why = TEXT(answer->why);
	int r;

	switch (query->wanted) {
	case ISOLATION_NAMESPACE:
		r = try_namespaces(query, release, answer, &why);
		answer->ok = r >= 0;
		if (r < 0 && !is_of_the_moment(r))
			text_add(&why, "; %s, or set isolation = path and docroot", grant);
		return;
	case ISOLATION_AUTO:
		r = try_namespaces(query, release, answer, &why);
		answer->ok = !is_of_the_moment(r);
		if (r >= 0 || !answer->ok)
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
