#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/time.h>

#include "../util/leaks.h"
#include "loop/loop.h"
#include "util/cleanup.h"
#include "util/clock.h"

enum { HOUR_MS = 3600 * 1000, MANY = 70 };

/* --- a diary of the calls, and owners who write into it --- */

static char diary[64];

static void note(char letter)
{
	size_t length = strlen(diary);

	assert_true(length + 1 < sizeof(diary));
	diary[length] = letter;
	diary[length + 1] = '\0';
}

static struct loop loop;

struct pipe {
	struct event_source source; /* the end that is read */
	int to;
	char letter;
	unsigned calls;
	struct pipe *other; /* for callbacks that meddle */
};

struct alarm {
	struct deadline deadline;
	char letter;
	struct alarm *other;
	unsigned again; /* how often it arms itself once more */
	uint64_t again_ms;
};

static void on_ready(struct event_source *source)
{
	struct pipe *pipe = container_of(source, struct pipe, source);

	pipe->calls++;
	if (pipe->letter)
		note(pipe->letter);
}

static void on_due(struct deadline *deadline)
{
	note(container_of(deadline, struct alarm, deadline)->letter);
}

static void pipe_open(struct pipe *p, char letter)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	*p = (struct pipe){ .source = { .fd = ends[0], .on_ready = on_ready },
		            .to = ends[1],
		            .letter = letter };
	assert_int_equal(loop_watch(&loop, &p->source), 0);
}

static void pipe_fill(struct pipe *p)
{
	assert_int_equal(write(p->to, "x", 1), 1);
}

static void pipe_empty(struct pipe *p)
{
	char byte;

	while (read(p->source.fd, &byte, 1) > 0)
		continue;
}

static void pipe_close(struct pipe *p)
{
	loop_forget(&loop, &p->source);
	fd_close(&p->source.fd);
	fd_close(&p->to);
}

static void begin(void)
{
	diary[0] = '\0';
	assert_int_equal(loop_init(&loop), 0);
}

/* One turn that does not wait. */
static void turn_now(void)
{
	struct alarm now = { .deadline = { .on_due = on_due }, .letter = '.' };

	deadline_arm(&loop, &now.deadline, 0);
	assert_int_equal(loop_turn(&loop), 0);
	deadline_disarm(&loop, &now.deadline);
}

/* --- descriptors --- */

static void test_what_is_readable_is_called_until_it_is_empty(void **state)
{
	struct pipe a, b;

	(void)state;
	begin();
	pipe_open(&a, 0);
	pipe_open(&b, 0);
	pipe_fill(&a);
	for (unsigned turn = 1; turn <= 3; turn++) {
		turn_now();
		assert_int_equal(a.calls, turn);
	}
	pipe_empty(&a);
	turn_now();
	assert_int_equal(a.calls, 3);
	assert_int_equal(b.calls, 0);
	pipe_close(&a);
	pipe_close(&b);
	loop_done(&loop);
}

static void test_a_hang_up_is_something_to_read(void **state)
{
	struct pipe a;

	(void)state;
	begin();
	pipe_open(&a, 0);
	turn_now();
	assert_int_equal(a.calls, 0);
	fd_close(&a.to);
	assert_int_equal(loop_turn(&loop), 0);
	assert_int_equal(a.calls, 1);
	pipe_close(&a);
	loop_done(&loop);
}

static void test_what_is_forgotten_is_not_called(void **state)
{
	struct pipe a;

	(void)state;
	begin();
	pipe_open(&a, 0);
	pipe_fill(&a);
	loop_forget(&loop, &a.source);
	loop_forget(&loop, &a.source);
	turn_now();
	assert_int_equal(a.calls, 0);
	assert_int_equal(loop_watch(&loop, &a.source), 0);
	turn_now();
	assert_int_equal(a.calls, 1);
	pipe_close(&a);
	loop_done(&loop);
}

static void test_what_was_never_watched_can_be_forgotten(void **state)
{
	struct event_source closed = { .fd = FD_NONE }, open = { .fd = STDIN_FILENO };

	(void)state;
	begin();
	loop_forget(&loop, &closed);
	loop_forget(&loop, &open);
	loop_done(&loop);
}

static void test_what_cannot_be_watched_is_told(void **state)
{
	struct event_source none = { .fd = FD_NONE, .on_ready = on_ready };
	struct event_source file = { .fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
		                     .on_ready = on_ready };
	struct pipe twice;

	(void)state;
	begin();
	assert_int_equal(loop_watch(&loop, &none), -EBADF);
	assert_int_equal(loop_watch(&loop, &file), -EPERM);
	pipe_open(&twice, 0);
	assert_int_equal(loop_watch(&loop, &twice.source), -EEXIST);
	pipe_close(&twice);
	fd_close(&file.fd);
	loop_done(&loop);
}

static void test_of_many_none_is_left_out(void **state)
{
	static struct pipe many[MANY];

	(void)state;
	begin();
	for (int i = 0; i < MANY; i++) {
		pipe_open(&many[i], 0);
		pipe_fill(&many[i]);
	}
	/* A turn takes some; those that were called go to the end of the kernel's line. */
	for (int turn = 0; turn < 4; turn++)
		turn_now();
	for (int i = 0; i < MANY; i++) {
		assert_true(many[i].calls > 0);
		pipe_close(&many[i]);
	}
	loop_done(&loop);
}

/* --- callbacks that meddle --- */

static void close_the_other(struct event_source *source)
{
	struct pipe *pipe = container_of(source, struct pipe, source);

	pipe->calls++;
	pipe_close(pipe->other);
}

static void forget_the_other(struct event_source *source)
{
	struct pipe *pipe = container_of(source, struct pipe, source);

	pipe->calls++;
	loop_forget(&loop, &pipe->other->source);
}

static void close_itself(struct event_source *source)
{
	struct pipe *pipe = container_of(source, struct pipe, source);

	pipe->calls++;
	pipe_close(pipe);
}

/* Both are ready in one turn; returns the calls that were made. */
static unsigned calls_of_a_turn(void (*callback)(struct event_source *source))
{
	struct pipe a, b;

	begin();
	pipe_open(&a, 0);
	pipe_open(&b, 0);
	a.other = &b;
	b.other = &a;
	a.source.on_ready = b.source.on_ready = callback;
	pipe_fill(&a);
	pipe_fill(&b);
	turn_now();
	pipe_close(&a);
	pipe_close(&b);
	loop_done(&loop);
	return a.calls + b.calls;
}

static void test_a_callback_may_close_itself(void **state)
{
	(void)state;
	assert_int_equal(calls_of_a_turn(close_itself), 2);
}

static void test_who_is_closed_within_a_turn_is_not_called_in_it(void **state)
{
	(void)state;
	assert_int_equal(calls_of_a_turn(close_the_other), 1);
}

static void test_who_is_forgotten_within_a_turn_is_not_called_in_it(void **state)
{
	(void)state;
	assert_int_equal(calls_of_a_turn(forget_the_other), 1);
}

/* --- deadlines --- */

static void alarm_in(struct alarm *alarm, char letter, uint64_t in_ms)
{
	*alarm = (struct alarm){ .deadline = { .on_due = on_due }, .letter = letter };
	deadline_arm(&loop, &alarm->deadline, in_ms);
}

static void test_descriptors_come_before_deadlines(void **state)
{
	struct alarm late;
	struct pipe a;

	(void)state;
	begin();
	alarm_in(&late, 'd', 0);
	pipe_open(&a, 'p');
	pipe_fill(&a);
	assert_int_equal(loop_turn(&loop), 0);
	assert_string_equal(diary, "pd");
	pipe_close(&a);
	loop_done(&loop);
}

static struct alarm spared;

static void disarm_spared(struct event_source *source)
{
	pipe_empty(container_of(source, struct pipe, source));
	deadline_disarm(&loop, &spared.deadline);
}

/* A process that left in time is not killed for being late. */
static void test_a_descriptor_can_disarm_a_deadline_that_is_due(void **state)
{
	struct pipe a;

	(void)state;
	begin();
	alarm_in(&spared, 's', 0);
	pipe_open(&a, 0);
	a.source.on_ready = disarm_spared;
	pipe_fill(&a);
	assert_int_equal(loop_turn(&loop), 0);
	turn_now();
	assert_string_equal(diary, ".");
	pipe_close(&a);
	loop_done(&loop);
}

static void test_only_what_is_due_is_called_and_once(void **state)
{
	struct alarm far, near, farther;

	(void)state;
	begin();
	alarm_in(&far, 'f', HOUR_MS);
	alarm_in(&near, 'n', 0);
	alarm_in(&farther, 'F', UINT32_MAX);
	turn_now();
	turn_now();
	assert_non_null(strchr(diary, 'n'));
	assert_int_equal(strlen(diary), 3);
	assert_true(near.deadline.at_ms == 0);
	assert_true(far.deadline.at_ms > clock_ms());
	deadline_disarm(&loop, &far.deadline);
	deadline_disarm(&loop, &farther.deadline);
	assert_null(loop.deadlines);
	loop_done(&loop);
}

static void test_the_nearest_deadline_ends_the_wait_and_not_too_early(void **state)
{
	struct alarm far, near;
	uint64_t before = clock_ms();

	(void)state;
	begin();
	alarm_in(&near, 'n', 8);
	alarm_in(&far, 'f', HOUR_MS);
	while (diary[0] == '\0')
		assert_int_equal(loop_turn(&loop), 0);
	assert_string_equal(diary, "n");
	assert_true(clock_ms() - before >= 8);
	deadline_disarm(&loop, &far.deadline);
	loop_done(&loop);
}

static void test_an_armed_deadline_is_moved(void **state)
{
	struct alarm later, sooner;

	(void)state;
	begin();
	alarm_in(&later, 'l', 0);
	deadline_arm(&loop, &later.deadline, HOUR_MS);
	alarm_in(&sooner, 's', HOUR_MS);
	deadline_arm(&loop, &sooner.deadline, 0);
	assert_int_equal(loop_turn(&loop), 0);
	assert_string_equal(diary, "s");
	deadline_disarm(&loop, &later.deadline);
	assert_null(loop.deadlines);
	loop_done(&loop);
}

static void test_what_is_not_armed_can_be_disarmed(void **state)
{
	struct alarm never = { .deadline = { .on_due = on_due } };
	struct alarm first, last;

	(void)state;
	begin();
	alarm_in(&first, 'f', 0);
	alarm_in(&last, 'l', 0);
	deadline_disarm(&loop, &never.deadline);
	deadline_disarm(&loop, &first.deadline);
	deadline_disarm(&loop, &first.deadline);
	turn_now();
	assert_int_equal(strlen(diary), 2);
	assert_non_null(strchr(diary, 'l'));
	loop_done(&loop);
}

static void disarm_the_other(struct deadline *deadline)
{
	struct alarm *alarm = container_of(deadline, struct alarm, deadline);

	note(alarm->letter);
	deadline_disarm(&loop, &alarm->other->deadline);
}

static void test_a_callback_may_disarm_another_that_is_due(void **state)
{
	struct alarm a, b;

	(void)state;
	begin();
	alarm_in(&a, 'x', 0);
	alarm_in(&b, 'x', 0);
	a.other = &b;
	b.other = &a;
	a.deadline.on_due = b.deadline.on_due = disarm_the_other;
	assert_int_equal(loop_turn(&loop), 0);
	assert_string_equal(diary, "x");
	assert_null(loop.deadlines);
	loop_done(&loop);
}

static void arm_again(struct deadline *deadline)
{
	struct alarm *alarm = container_of(deadline, struct alarm, deadline);

	if (alarm->letter)
		note(alarm->letter);
	if (alarm->again-- > 0)
		deadline_arm(&loop, deadline, alarm->again_ms);
}

static void test_a_callback_may_arm_itself_again(void **state)
{
	struct alarm a;

	(void)state;
	begin();
	alarm_in(&a, 'a', 0);
	a.deadline.on_due = arm_again;
	a.again = 3;
	a.again_ms = 1;
	while (loop.deadlines)
		assert_int_equal(loop_turn(&loop), 0);
	assert_string_equal(diary, "aaaa");
	loop_done(&loop);
}

/* Else a helper that fails at once and is asked again would stop the world. */
static void test_who_arms_itself_at_once_does_not_keep_the_others_waiting(void **state)
{
	struct alarm a;
	struct pipe p;

	(void)state;
	begin();
	pipe_open(&p, 'p');
	pipe_fill(&p);
	alarm_in(&a, 0, 0);
	a.deadline.on_due = arm_again;
	a.again = UINT32_MAX;
	for (int turn = 0; turn < 3; turn++)
		assert_int_equal(loop_turn(&loop), 0);
	assert_string_equal(diary, "ppp");
	deadline_disarm(&loop, &a.deadline);
	pipe_close(&p);
	loop_done(&loop);
}

/* --- interruptions --- */

static void on_signal(int number)
{
	(void)number;
}

static void test_a_signal_is_no_error(void **state)
{
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { { 0, 0 }, { 0, 0 } };
	/* It stays: where signals are delivered late, as under valgrind, one may still come. */
	const struct sigaction handler = { .sa_handler = on_signal };

	(void)state;
	begin();
	assert_int_equal(sigaction(SIGALRM, &handler, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	int r = loop_turn(&loop); /* nothing but the signal ends it */
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_int_equal(r, 0);
	loop_done(&loop);
}

static void test_an_empty_loop_can_be_torn_down_twice(void **state)
{
	(void)state;
	begin();
	loop_done(&loop);
	loop_done(&loop);
	assert_int_equal(loop_turn(&loop), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_readable_is_called_until_it_is_empty),
		TEST(test_a_hang_up_is_something_to_read),
		TEST(test_what_is_forgotten_is_not_called),
		TEST(test_what_was_never_watched_can_be_forgotten),
		TEST(test_what_cannot_be_watched_is_told),
		TEST(test_of_many_none_is_left_out),
		TEST(test_a_callback_may_close_itself),
		TEST(test_who_is_closed_within_a_turn_is_not_called_in_it),
		TEST(test_who_is_forgotten_within_a_turn_is_not_called_in_it),
		TEST(test_descriptors_come_before_deadlines),
		TEST(test_a_descriptor_can_disarm_a_deadline_that_is_due),
		TEST(test_only_what_is_due_is_called_and_once),
		TEST(test_the_nearest_deadline_ends_the_wait_and_not_too_early),
		TEST(test_an_armed_deadline_is_moved),
		TEST(test_what_is_not_armed_can_be_disarmed),
		TEST(test_a_callback_may_disarm_another_that_is_due),
		TEST(test_a_callback_may_arm_itself_again),
		TEST(test_who_arms_itself_at_once_does_not_keep_the_others_waiting),
		TEST(test_a_signal_is_no_error),
		TEST(test_an_empty_loop_can_be_torn_down_twice),
	};

	return cmocka_run_group_tests_name("loop/loop", tests, NULL, NULL);
}
