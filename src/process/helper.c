#include "process/helper.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine/caps.h"
#include "confine/filter.h"
#include "confine/rlimits.h"
#include "loop/signals.h"
#include "util/cleanup.h"
#include "util/fs.h"
#include "util/log.h"
#include "util/passing.h"

enum {
	NOBODY = 65534,
	ANSWER_SIZE = 64 * 1024,
	ANSWERS_A_TURN = 16,
	MEMORY = 256 * 1024 * 1024,
	DYING_MS = 500, /* what SIGKILL is given */
#ifdef ADDRESSES_UNLIMITED
	MEMORY_LIMITED = 0, /* AddressSanitizer and valgrind keep many addresses for themselves */
#else
	MEMORY_LIMITED = 1,
#endif
};

/*
 * The private directory belongs to our group.  Where we cannot become somebody else (no CAP_SETUID,
 * a user namespace with one id) the helper stays what we are, without capabilities.
 */
static int become_nobody(gid_t gid)
{
	if (geteuid() != 0 || (setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0 &&
	                       setresuid(NOBODY, NOBODY, NOBODY) == 0))
		return 0;
	return errno == EPERM || errno == EINVAL ? 0 : -errno;
}

/* In use within one turn of the loop only. */
static _Alignas(4096) struct {
	_Alignas(max_align_t) unsigned char query[HELPER_QUERY_MAX];
	_Alignas(max_align_t) unsigned char answer[ANSWER_SIZE];
} scratch;

/* Whole pages of it, and none where it does not begin one (on machines with larger ones). */
static void give_scratch_back(void)
{
	(void)madvise(&scratch, sizeof(scratch) & ~((size_t)getpagesize() - 1), MADV_DONTNEED);
}

void *helper_query(size_t size)
{
	assert(size <= sizeof(scratch.query));
	return memset(scratch.query, 0, size);
}

enum who { OURS, NOBODY_OF_OUR_GROUP, NOBODY_AT_ALL, GIVEN };

static const struct kind {
	bool powerful; /* keeps what capabilities we have */
	bool unlimited;
	enum who who;
	uint32_t filters;
} kinds[] = {
	[POWER_TRIAL] = { true, true, OURS, FILTER_BIT(FILTER_HELPER_TRIAL) },
	[POWER_LINKS] = { true, true, OURS, FILTER_BIT(FILTER_HELPER_LINKS) },
	/* php-fpm maps what it likes. */
	[POWER_CONFIG] = { false, true, OURS, FILTER_BIT(FILTER_ALLOW) | FILTER_BIT(FILTER_DENY) },
	[POWER_PRIVATE] = { false, false, NOBODY_OF_OUR_GROUP, FILTER_BIT(FILTER_HELPER_PRIVATE) },
	[POWER_CHAIN] = { false, false, NOBODY_OF_OUR_GROUP, FILTER_BIT(FILTER_HELPER_NETWORK) },
	[POWER_NETWORK] = { false, false, NOBODY_AT_ALL, FILTER_BIT(FILTER_HELPER_NETWORK) },
	[POWER_COPY] = { false, false, NOBODY_AT_ALL, FILTER_BIT(FILTER_HELPER_COPY) },
	[POWER_YIELD] = { false, false, GIVEN, FILTER_BIT(FILTER_HELPER_YIELD) },
	[POWER_PROGRAM] = { false, true, GIVEN,
	                    FILTER_BIT(FILTER_ALLOW) | FILTER_BIT(FILTER_NEWER) |
	                            FILTER_BIT(FILTER_DENY) | FILTER_BIT(FILTER_DENY_LEAVING) },
};

static int become(const struct kind *kind, const struct identity *given)
{
	int r;

	switch (kind->who) {
	case NOBODY_OF_OUR_GROUP:
		return become_nobody(getegid());
	case NOBODY_AT_ALL:
		return become_nobody(NOBODY);
	case GIVEN:
		r = identity_take_groups(given);
		return r < 0 ? r : identity_take_user(given);
	case OURS:
		break;
	}
	return 0;
}

static int drop_capabilities(const struct kind *kind, const struct identity *given)
{
	const struct rlimit memory = { MEMORY, MEMORY }, none = { 0, 0 };
	int r;

	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return -errno;
	r = caps_bound(0);
	if (r < 0)
		return r;
	r = become(kind, given);
	if (r < 0)
		return r;
	if (MEMORY_LIMITED && !kind->unlimited && setrlimit(RLIMIT_AS, &memory) < 0)
		return -errno;
	return caps_keep(0);
}

static int give_up_power(const struct kind *kind, const struct identity *given)
{
	int r = kind->powerful ? 0 : drop_capabilities(kind, given);

	if (r >= 0)
		r = caps_no_new_privileges();
	/* After the change of user id, which clears it (prctl(2)). */
	if (r >= 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		r = -errno;
	return r < 0 ? r : filter_load(kind->filters);
}

NORETURN static void run_child(const struct question *question,
                               const struct inheritance *inheritance, int answer_fd)
{
	int keep[HELPER_KEEP_MAX + 1];

	signals_restore(&inheritance->mask);
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < question->keep_count; i++)
		keep[i] = question->keep[i];
	keep[question->keep_count] = answer_fd;
	close_all_but(keep, question->keep_count + 1);
	rlimits_give_back(inheritance->open_files);
	int r = setpgid(0, 0) < 0 ? -errno
	                          : give_up_power(&kinds[question->power], &question->identity);
	if (r < 0) {
		log_errno(r, NOTICE_HELPER_UNCONFINED, "", "cannot confine a helper");
		_exit(EXIT_FAILURE);
	}
	question->run(question->query, answer_fd);
	_exit(EXIT_SUCCESS);
}

static void finish(struct helper *helper)
{
	loop_forget(helper->loop, &helper->source);
	fd_close(&helper->source.fd);
	fd_close(&helper->passed_fd);
	deadline_disarm(helper->loop, &helper->deadline);
	helper->pid = 0;
}

static void receive(struct helper *helper)
{
	for (int i = 0; i < ANSWERS_A_TURN; i++) {
		ssize_t n =
			passing_receive(helper->source.fd, scratch.answer, sizeof(scratch.answer),
		                        &helper->passed_fd, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			finish(helper);
			helper->on_end(helper);
			return;
		}
		helper->on_answer(helper, scratch.answer, (size_t)n);
		fd_close(&helper->passed_fd);
		if (!helper_running(helper))
			return; /* the answer made the owner stop it */
	}
}

static void on_ready(struct event_source *source)
{
	receive(container_of(source, struct helper, source));
	give_scratch_back();
}

/* Before it has made its group there is only the process itself. */
static void kill_all(const struct helper *helper)
{
	if (helper->reaped)
		return; /* the number may be somebody else's by now */
	(void)kill(-helper->pid, SIGKILL);
	(void)kill(helper->pid, SIGKILL);
}

/*
 * Its end of the socket closes when it dies, so on_end follows.  But somebody else may hold that
 * end, too, and what waits for a file system in the kernel does not die before that answers
 * (fuse's request_wait_answer(), for one): then we go on without it.
 */
static void on_late(struct deadline *deadline)
{
	struct helper *helper = container_of(deadline, struct helper, deadline);

	if (helper->late || helper->reaped) {
		helper->late = true;
		finish(helper);
		helper->on_end(helper);
		return;
	}
	helper->late = true;
	kill_all(helper);
	deadline_arm(helper->loop, deadline, DYING_MS);
}

int helper_start(struct helper *helper, struct loop *loop, const struct inheritance *inheritance,
                 const struct question *question)
{
	int pair[2];
	int r;

	if (question->keep_count > HELPER_KEEP_MAX)
		return -E2BIG;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	helper->source = (struct event_source){ .fd = pair[0], .on_ready = on_ready };
	helper->deadline = (struct deadline){ .on_due = on_late };
	helper->loop = loop;
	helper->passed_fd = FD_NONE;
	helper->late = false;
	helper->reaped = false;
	r = loop_watch(loop, &helper->source);
	pid_t pid = r < 0 ? -1 : fork();
	if (pid == 0)
		run_child(question, inheritance, pair[1]);
	if (pid < 0) {
		r = r < 0 ? r : -errno;
		fd_close(&pair[1]);
		finish(helper);
		return r;
	}
	fd_close(&pair[1]);
	helper->pid = pid;
	if (question->timeout_ms > 0)
		deadline_arm(loop, &helper->deadline, question->timeout_ms);
	return 0;
}

void helper_stop(struct helper *helper)
{
	if (!helper_running(helper))
		return;
	kill_all(helper);
	finish(helper);
}

void helper_note_exit(struct helper *helper, pid_t pid)
{
	if (helper_running(helper) && helper->pid == pid)
		helper->reaped = true;
}

bool helper_running(const struct helper *helper)
{
	return helper->pid != 0;
}

void helper_answer_with_fd(int answer_fd, const void *answer, size_t size, int fd)
{
	if (passing_send(answer_fd, answer, size, fd, MSG_NOSIGNAL) != (ssize_t)size)
		_exit(EXIT_FAILURE);
}

void helper_answer(int answer_fd, const void *answer, size_t size)
{
	helper_answer_with_fd(answer_fd, answer, size, FD_NONE);
}
