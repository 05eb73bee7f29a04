/*
 * wrap.c - calls that fail when a test wants it; linked into the tortured twinit with --wrap.
 *
 * The test and all processes of twinit share a file, named by $TORTURE.  With it the test records
 * which calls are made where, and makes one of them fail, once: the `at`-th of that function, by
 * that kind of process, from that place in the program.  Or everything that needs processes, memory
 * or descriptors fails, until the test lets go.  Without $TORTURE nothing fails.  With
 * $TORTURE_COMMAND it is no PID 1 but a command that is tortured.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "process/helper.h"
#include "process/spawn.h"
#include "question/chain.h"
#include "question/drain.h"
#include "question/isolation.h"
#include "question/notify.h"
#include "question/prime.h"
#include "question/program.h"
#include "question/settings.h"
#include "question/stores.h"
#include "question/trial.h"
#include "question/vigil.h"
#include "question/yield.h"

enum { RECORDS_MAX = 1 << 16 };

enum need {
	NOTHING = 0,
	PROCESSES = 1,
	MEMORY = 2,
	DESCRIPTORS = 4,
};

enum who {
#define WHO(name) WHO_##name,
#define CALL(name, how, need, errors)
#include "calls.def"
#undef WHO
#undef CALL
};

enum call {
#define WHO(name)
#define CALL(name, how, need, errors) CALL_##name,
#include "calls.def"
#undef WHO
#undef CALL
};

struct record {
	uint16_t who;
	uint16_t call;
	uint32_t place; /* from the beginning of the program */
};

/* tests/torture/faults.py knows this layout. */
struct shared {
	atomic_uint recording;
	atomic_uint armed;
	uint32_t who;
	uint32_t call;
	uint32_t place;
	uint32_t at;
	int32_t error;
	atomic_uint seen;
	atomic_uint fired;
	atomic_uint exhausted; /* enum need: what has run out */
	atomic_uint spared;    /* 1: not in PID 1; 2: not in its children */
	atomic_uint refused;   /* how many calls failed for that */
	atomic_uint record_count;
	uint32_t unused;
	struct record records[RECORDS_MAX];
};

extern const char __executable_start[];

static struct shared *shared;
static enum who who = WHO_pid1, next = WHO_other;

__attribute__((__constructor__)) static void share(void)
{
	const char *path = getenv("TORTURE");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *there =
		fd < 0 ? MAP_FAILED
		       : mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (path && there == MAP_FAILED)
		abort();
	if (fd >= 0)
		(void)close(fd);
	if (path)
		shared = there;
	/* Commands run on their own; those whom they fork are "other". */
	if (getenv("TORTURE_COMMAND"))
		who = WHO_command;
}

static void keep_record(enum call call, uint32_t place)
{
	unsigned i = atomic_fetch_add(&shared->record_count, 1);

	if (i < RECORDS_MAX)
		shared->records[i] = (struct record){ .who = (uint16_t)who,
			                              .call = (uint16_t)call,
			                              .place = place };
}

static int exhaustion(enum need need)
{
	if (!(atomic_load(&shared->exhausted) & need) ||
	    (atomic_load(&shared->spared) & (who == WHO_pid1 ? 1 : 2)))
		return 0;
	atomic_fetch_add(&shared->refused, 1);
	return need == PROCESSES ? EAGAIN : need == MEMORY ? ENOMEM : EMFILE;
}

/* The error that this call is to fail with, or 0. */
static int due(enum call call, enum need need, const void *from)
{
	uint32_t place = (uint32_t)((const char *)from - __executable_start);

	if (!shared)
		return 0;
	if (atomic_load(&shared->recording))
		keep_record(call, place);
	if (need != NOTHING && atomic_load(&shared->exhausted))
		return exhaustion(need);
	if (!atomic_load(&shared->armed) || shared->who != who || shared->call != call ||
	    shared->place != place || atomic_fetch_add(&shared->seen, 1) + 1 != shared->at)
		return 0;
	atomic_store(&shared->fired, 1);
	return shared->error;
}

/*
 * One wrapper for functions of any signature: six words in registers are what each of them looks
 * for its arguments in, on all machines that we build for, and an int is the lower half of a word.
 */
typedef long real_call(long a, long b, long c, long d, long e, long f);

static long fail_minus_one(int error)
{
	errno = error;
	return -1;
}

static long fail_no_pointer(int error)
{
	errno = error;
	return 0;
}

/* What is removed needs neither memory nor room. */
static bool cannot_fail(enum call call, long second)
{
	return call == CALL_epoll_ctl && (int)second == EPOLL_CTL_DEL;
}

#define FAIL_MINUS_ONE(name)  fail_minus_one(error)
#define FAIL_NO_POINTER(name) fail_no_pointer(error)
#define FAIL_ONE(name)        1
/* The descriptor is gone whatever close() says (close(2)). */
#define FAIL_CLOSES(name) ((void)__real_##name(a, b, c, d, e, f), fail_minus_one(error))

#define WHO(name)
#define CALL(name, how, need, errors)                                                              \
	extern real_call __real_##name, __wrap_##name;                                             \
	long __wrap_##name(long a, long b, long c, long d, long e, long f)                         \
	{                                                                                          \
		int error = cannot_fail(CALL_##name, b)                                            \
		                    ? 0                                                            \
		                    : due(CALL_##name, need, __builtin_return_address(0));         \
                                                                                                   \
		if (error != 0)                                                                    \
			return FAIL_##how(name);                                                   \
		long result = __real_##name(a, b, c, d, e, f);                                     \
		if (CALL_##name == CALL_fork && result == 0)                                       \
			who = next;                                                                \
		return result;                                                                     \
	}
#include "calls.def"
#undef WHO
#undef CALL

/* --- whose child it will be --- */

static enum who who_runs(void (*run)(const void *, int))
{
	static const struct {
		void (*run)(const void *, int);
		enum who who;
	} known[] = {
		{ isolation_run, WHO_isolation_run }, { settings_run, WHO_settings_run },
		{ stores_run, WHO_stores_run },       { trial_run, WHO_trial_run },
		{ drain_run, WHO_drain_run },         { chain_run, WHO_chain_run },
		{ prime_run, WHO_prime_run },         { vigil_run, WHO_vigil_run },
		{ notify_run, WHO_notify_run },       { yield_run, WHO_yield_run },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].run == run)
			return known[i].who;
	return WHO_other;
}

int __real_helper_start(struct helper *helper, struct loop *loop,
                        const struct inheritance *inheritance, const struct question *question);
int __wrap_helper_start(struct helper *helper, struct loop *loop,
                        const struct inheritance *inheritance, const struct question *question);
int __wrap_helper_start(struct helper *helper, struct loop *loop,
                        const struct inheritance *inheritance, const struct question *question)
{
	next = who_runs(question->run);
	return __real_helper_start(helper, loop, inheritance, question);
}

int __real_spawn_start(const struct spawn *spawn, struct child *child);
int __wrap_spawn_start(const struct spawn *spawn, struct child *child);
int __wrap_spawn_start(const struct spawn *spawn, struct child *child)
{
	next = WHO_master;
	return __real_spawn_start(spawn, child);
}

int __real_program_begin(struct program *program, const char *const argv[], int config_fd);
int __wrap_program_begin(struct program *program, const char *const argv[], int config_fd);
int __wrap_program_begin(struct program *program, const char *const argv[], int config_fd)
{
	next = WHO_program;
	return __real_program_begin(program, argv, config_fd);
}

int __real_program_run(const char *const argv[], int config_fd, char **output);
int __wrap_program_run(const char *const argv[], int config_fd, char **output);
int __wrap_program_run(const char *const argv[], int config_fd, char **output)
{
	next = WHO_program;
	return __real_program_run(argv, config_fd, output);
}
