#include "init/plain.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/server.h"
#include "init/run_dir.h"
#include "loop/loop.h"
#include "loop/reap.h"
#include "loop/signals.h"
#include "process/child.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/proc.h"

enum {
	NOT_FOUND = 127,
	NOT_EXECUTABLE = 126,
	TERM_MS = 2000, /* what the command has left running gets after SIGTERM */
	LOOK_MS = 20,   /* between looks whether it is gone */
};

struct plain {
	struct loop loop;
	struct event_source signals;
	struct deadline reap_again;
	struct deadline look_again; /* for descendants */
	uint64_t kill_at_ms;
	struct inheritance inheritance;
	sigset_t ignored; /* by whoever started us: nohup's word counts for the command too */
	struct run_dir run;
	struct server server;
	uint64_t started_ms;
	const char *name;
	pid_t pid;
	bool has_terminal; /* the command: we gave it */
	bool look_for_dead;
	bool ended; /* the command; its descendants may be left */
	bool done;
	int exit_status;
};

/* --- the terminal --- */

/* Ours to give only when we are in its foreground: a job in the background stays there. */
static bool own_terminal(void)
{
	return isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/* SIGTTOU, which stops who does this from the background, is blocked in us (tcsetpgrp(3)). */
static void give_terminal(pid_t group)
{
	(void)tcsetpgrp(STDIN_FILENO, group);
}

/* A shell above us says by its foreground whether we may: `bg` is no invitation. */
static bool lend_terminal(struct plain *p)
{
	if (!own_terminal())
		return false;
	p->has_terminal = true;
	give_terminal(p->pid);
	return true;
}

static void stop_with_command(struct plain *p)
{
	if (p->has_terminal)
		give_terminal(getpgrp());
	p->has_terminal = false;
	(void)raise(SIGSTOP);
	(void)lend_terminal(p);
}

/*
 * The command was stopped (Ctrl-Z).  A shell above us must see us stop too, and when it continues
 * us the command goes on.  As PID 1 there is nobody above who could, and we cannot be stopped.
 * What began in the background may have come to the foreground unseen, and stops only now, because
 * it uses the terminal.
 */
static void on_stop(struct plain *p, int number)
{
	bool uses_terminal = number == SIGTTIN || number == SIGTTOU;

	if (getpid() != 1 && !(uses_terminal && lend_terminal(p)))
		stop_with_command(p);
	(void)kill(-p->pid, SIGCONT);
}

/* waitid() for the dead is reap_all()'s; this looks for the stopped only. */
static void look_for_stopped(struct plain *p)
{
	siginfo_t info = { .si_pid = 0 };

	if (!p->ended && waitid(P_PID, (id_t)p->pid, &info, WSTOPPED | WNOHANG) == 0 &&
	    info.si_pid == p->pid && info.si_code == CLD_STOPPED)
		on_stop(p, info.si_status);
}

/* --- the command --- */

NORETURN static void run_child(const struct plain *p, char *const argv[])
{
	(void)setpgid(0, 0);
	if (p->has_terminal)
		give_terminal(getpid());
	signals_restore(&p->inheritance.mask);
	signals_ignore(&p->ignored);
	execvp(argv[0], argv);
	int error = errno;
	log_errno(-error, NOTICE_COMMAND_FAILED, "",
	          "cannot run '%s' (see twinit help for twinit's own commands)", argv[0]);
	_exit(error == ENOENT ? NOT_FOUND : NOT_EXECUTABLE);
}

static void on_exit_of(const siginfo_t *info, void *context)
{
	struct plain *p = context;

	if (info->si_pid != p->pid)
		return;
	p->exit_status = exit_code_of(info);
	p->ended = true;
	p->kill_at_ms = clock_ms() + TERM_MS;
	if (proc_signal_descendants(SIGTERM) <= 0)
		p->done = true;
	else
		deadline_arm(&p->loop, &p->look_again, LOOK_MS);
}

/* Whoever is told to end may start somebody else first, so look again and again. */
static void on_look_again(struct deadline *deadline)
{
	struct plain *p = container_of(deadline, struct plain, look_again);
	bool late = clock_ms() >= p->kill_at_ms;

	if (proc_signal_descendants(late ? SIGKILL : 0) <= 0)
		p->done = true;
	else
		deadline_arm(&p->loop, deadline, LOOK_MS);
}

static void on_reap_again(struct deadline *deadline)
{
	container_of(deadline, struct plain, reap_again)->look_for_dead = true;
}

/* --- signals --- */

/* A terminal's own signals reach the command's group by themselves, as it is in the foreground. */
static void take_signal(struct plain *p, const struct signalfd_siginfo *info)
{
	if (info->ssi_signo == SIGCHLD)
		p->look_for_dead = true;
	else if (!p->ended)
		(void)kill(p->pid, (int)info->ssi_signo);
}

static void on_signals(struct event_source *source)
{
	struct plain *p = container_of(source, struct plain, signals);
	struct signalfd_siginfo info;

	while (read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		take_signal(p, &info);
}

/* --- clients --- */

static bool is_below_master(struct server *server, pid_t pid)
{
	(void)server;
	(void)pid;
	return false; /* there are no masters, and who is below the command may ask */
}

static void answer_status(struct plain *p, struct client *client)
{
	struct wire_reply reply = {
		.kind = WIRE_CONTAINER,
		.container = {
			.version = TWINIT_VERSION,
			.pid = (uint32_t)getpid(),
			.phase = p->ended ? CONTAINER_STOPPING : CONTAINER_RUNNING,
			.healthy = !p->ended,
			.uptime_ms = clock_ms() - p->started_ms,
		},
	};
	struct text why = TEXT(reply.container.why);

	text_add(&why, "runs ");
	text_add_quoted(&why, p->name);
	server_send(client, &reply);
	server_end(client, EXIT_SUCCESS, "%s", "");
}

static void on_request(struct server *server, struct client *client)
{
	struct plain *p = container_of(server, struct plain, server);

	if (client->request.command == COMMAND_STATUS) {
		answer_status(p, client);
	} else if (client->request.command == COMMAND_STOP) {
		server_end(client, EXIT_SUCCESS, "stopping");
		(void)kill(p->pid, SIGTERM);
	} else {
		server_end(client, EXIT_FAILURE, "this twinit runs '%s', no PHP-FPM", p->name);
	}
}

/* A container's main twinit may be there already: `docker exec web twinit -- CMD`. */
static void answer_clients(struct plain *p, const struct config *config)
{
	p->server.source.fd = FD_NONE;
	if (!config || run_dir_open(config, &p->run) < 0)
		return;
	p->server.is_below_master = is_below_master;
	p->server.on_request = on_request;
	int r = server_open(&p->server, &p->loop, p->run.fd);
	if (r < 0)
		log_errno(r, NOTICE_CONTROL_FAILED, "", "cannot answer commands in %s, ignoring",
		          p->run.path);
}

/* --- all of it --- */

static int prepare(struct plain *p)
{
	int r = loop_init(&p->loop);

	if (r < 0)
		return r;
	p->ignored = signals_ignored();
	p->signals.fd = signals_open(&p->inheritance.mask);
	p->signals.on_ready = on_signals;
	p->reap_again.on_due = on_reap_again;
	p->look_again.on_due = on_look_again;
	p->started_ms = clock_ms();
	if (p->signals.fd < 0)
		return p->signals.fd;
	if (getpid() != 1 && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return -errno;
	return loop_watch(&p->loop, &p->signals);
}

static void advance(struct plain *p)
{
	if (!p->look_for_dead)
		return;
	p->look_for_dead = false;
	look_for_stopped(p);
	if (reap_all(on_exit_of, p))
		deadline_arm(&p->loop, &p->reap_again, 0);
}

static void clean_up(struct plain *p)
{
	if (p->has_terminal)
		give_terminal(getpgrp());
	if (p->server.source.fd < 0)
		return;
	server_close(&p->server);
	(void)unlinkat(p->run.fd, WIRE_SOCKET, 0);
}

int plain_run(const struct config *config, char *const argv[])
{
	static struct plain p;
	int r = prepare(&p);

	p.name = argv[0];
	p.has_terminal = own_terminal();
	if (r >= 0)
		p.pid = fork();
	if (r < 0 || p.pid < 0) {
		log_errno(r < 0 ? r : -errno, NOTICE_COMMAND_FAILED, "", "cannot start '%s'",
		          argv[0]);
		return NOT_EXECUTABLE;
	}
	if (p.pid == 0)
		run_child(&p, argv);
	/* In both processes, so that it is done whoever runs first. */
	(void)setpgid(p.pid, p.pid);
	answer_clients(&p, config);
	while (!p.done) {
		r = loop_turn(&p.loop);
		if (r < 0)
			log_errno(r, NOTICE_WAIT_FAILED, "",
			          "cannot wait for events, trying again");
		advance(&p);
	}
	clean_up(&p);
	return p.exit_status;
}
