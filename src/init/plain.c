#include "init/plain.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "loop/loop.h"
#include "loop/reap.h"
#include "loop/signals.h"
#include "util/cleanup.h"
#include "util/log.h"

struct plain {
	struct loop loop;
	struct event_source signals;
	struct deadline reap_again;
	sigset_t mask;
	pid_t pid;
	bool look_for_dead;
	bool done;
	int exit_status;
};

enum { NOT_FOUND = 127, NOT_EXECUTABLE = 126 };

NORETURN static void run_child(const struct plain *p, char *const argv[])
{
	(void)setpgid(0, 0);
	/* Still in the background here, so SIGTTOU must be blocked, as it is until the mask goes.
	 */
	if (isatty(STDIN_FILENO))
		(void)tcsetpgrp(STDIN_FILENO, getpid());
	signals_restore(&p->mask);
	execvp(argv[0], argv);
	int error = errno;
	log_errno(-error, "cannot run '%s', which is no command of twinit's either", argv[0]);
	_exit(error == ENOENT ? NOT_FOUND : NOT_EXECUTABLE);
}

static void on_exit_of(const siginfo_t *info, void *context)
{
	struct plain *p = context;

	if (info->si_pid != p->pid)
		return;
	p->exit_status = exit_code_of(info);
	p->done = true;
}

static void on_reap_again(struct deadline *deadline)
{
	container_of(deadline, struct plain, reap_again)->look_for_dead = true;
}

/* The command and what it has started in its group; a terminal's own signals reach that by itself.
 */
static void forward(const struct plain *p, int number)
{
	if (kill(-p->pid, number) < 0 && errno == ESRCH)
		(void)kill(p->pid, number);
}

static void on_signals(struct event_source *source)
{
	struct plain *p = container_of(source, struct plain, signals);
	struct signalfd_siginfo info;

	while (read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			p->look_for_dead = true;
		else
			forward(p, (int)info.ssi_signo);
	}
}

static int prepare(struct plain *p)
{
	int r = loop_init(&p->loop);

	if (r < 0)
		return r;
	p->signals.fd = signals_open(&p->mask);
	p->signals.on_ready = on_signals;
	p->reap_again.on_due = on_reap_again;
	if (p->signals.fd < 0)
		return p->signals.fd;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return -errno;
	return loop_watch(&p->loop, &p->signals);
}

int plain_run(char *const argv[])
{
	static struct plain p;
	int r = prepare(&p);

	if (r >= 0)
		p.pid = fork();
	if (r < 0 || p.pid < 0) {
		log_errno(r < 0 ? r : -errno, "cannot start '%s'", argv[0]);
		return NOT_EXECUTABLE;
	}
	if (p.pid == 0)
		run_child(&p, argv);
	/* In both processes, so that it is done whoever runs first. */
	(void)setpgid(p.pid, p.pid);
	while (!p.done) {
		r = loop_turn(&p.loop);
		if (r < 0)
			log_errno(r, "cannot wait for events, trying again");
		if (!p.look_for_dead)
			continue;
		p.look_for_dead = false;
		if (reap_all(on_exit_of, &p))
			deadline_arm(&p.loop, &p.reap_again, 0);
	}
	return p.exit_status;
}
