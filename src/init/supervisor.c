#include "init/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine/caps.h"
#include "confine/rlimits.h"
#include "init/answers.h"
#include "init/boot.h"
#include "init/chain.h"
#include "init/deploy.h"
#include "init/generation.h"
#include "init/lane_watch.h"
#include "init/masters.h"
#include "init/output.h"
#include "init/prime.h"
#include "init/publisher.h"
#include "init/replicas.h"
#include "init/roll.h"
#include "init/run_dir.h"
#include "init/sessions.h"
#include "init/shutdown.h"
#include "init/stray.h"
#include "init/watch.h"
#include "loop/reap.h"
#include "loop/signals.h"
#include "util/cgroup.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fs.h"
#include "util/proc.h"

/* --- signals --- */

static bool is_master(void *context, pid_t pid)
{
	return master_is(context, pid);
}

/*
 * Ancestry alone can be shed: an orphan's parent is PID 1.  But every process of an FPM tree lives
 * under one more syscall filter than we do, and that is inherited for good.
 */
static bool is_confined(const struct supervisor *s, pid_t pid, bool if_gone)
{
	struct proc_confinement theirs;

	if (proc_confinement(pid, &theirs) < 0)
		return if_gone;
	return theirs.filters > s->confinement.filters ||
	       (theirs.no_new_privileges && !s->confinement.no_new_privileges);
}

static bool is_below_master(struct supervisor *s, pid_t pid, bool if_gone)
{
	return is_confined(s, pid, if_gone) || proc_descends(pid, is_master, s);
}

/* Who asks must still be there: a descriptor could have been left to somebody else. */
static bool is_peer_below_master(struct server *server, pid_t pid)
{
	return is_below_master(container_of(server, struct supervisor, server), pid, true);
}

static void note_exit_of_helpers(struct supervisor *s, pid_t pid)
{
	helper_note_exit(&s->relay.helper, pid);
	events_note_exit(s, pid);
	for (size_t a = 0; a < s->app_count; a++) {
		struct app *app = &s->apps[a];

		helper_note_exit(&app->preflight, pid);
		helper_note_exit(&app->chain, pid);
		helper_note_exit(&app->chain_look, pid);
		helper_note_exit(&app->prime, pid);
		helper_note_exit(&app->publisher, pid);
		helper_note_exit(&app->watch.vigil, pid);
		helper_note_exit(&app->deploy.helper, pid);
		helper_note_exit(&app->stores, pid);
		for (unsigned lane = 0; lane < LANE_COUNT; lane++) {
			helper_note_exit(&app->watches[lane].drain, pid);
			helper_note_exit(&app->watches[lane].yield, pid);
		}
		for (size_t i = 0; i < MASTERS_MAX; i++)
			helper_note_exit(&app->masters[i].trial, pid);
		for (size_t i = 0; i < GENERATIONS_MAX; i++)
			helper_note_exit(&app->generations[i].relay.helper, pid);
	}
}

static void on_exit_of(const siginfo_t *info, void *context)
{
	struct supervisor *s = context;

	s->reaped++;
	if (!master_reaped(s, info->si_pid, info))
		note_exit_of_helpers(s, info->si_pid);
}

static void roll_all(struct supervisor *s)
{
	if (s->stop != STOP_NONE) {
		log_write(NOTICE_ROLL_IGNORED, "", "asked to roll while stopping, ignoring");
		return;
	}
	for (size_t i = 0; i < s->app_count; i++)
		roll_request(&s->apps[i]);
}

static bool is_roll_signal(int number)
{
	return number == SIGHUP || number == SIGUSR1 || number == SIGUSR2;
}

/*
 * Of these alone the kernel vouches for the sender.  With sigqueue(3) he writes what he likes into
 * the other fields, and with fcntl(2)'s F_SETSIG the kernel signals for him and names nobody.
 */
static bool has_sender(const struct signalfd_siginfo *info)
{
	return info->ssi_code == SI_USER || info->ssi_code == SI_TKILL;
}

/* A worker may be able to signal us, where it runs as our user; it has nothing to say. */
static bool from_below(struct supervisor *s, const struct signalfd_siginfo *info)
{
	/* One that runs as our user and is gone already may have been a worker's.  A roll does no
	 * harm, so only what stops is refused. */
	bool if_gone = info->ssi_uid == geteuid() && info->ssi_uid != 0 &&
	               !is_roll_signal((int)info->ssi_signo);

	if (info->ssi_pid == 0 || !is_below_master(s, (pid_t)info->ssi_pid, if_gone))
		return false;
	log_write(NOTICE_SIGNAL_IGNORED, "",
	          "ignoring '%s' from process %u, which is PHP's, or is gone already and may have "
	          "been",
	          strsignal((int)info->ssi_signo), info->ssi_pid);
	return true;
}

/* The kernel itself: the terminal was closed, or somebody typed there. */
static bool is_welcome(struct supervisor *s, const struct signalfd_siginfo *info)
{
	if (info->ssi_code == SI_KERNEL)
		return true;
	if (has_sender(info))
		return !from_below(s, info);
	log_write(NOTICE_SIGNAL_IGNORED, "",
	          "ignoring '%s', which does not say who sent it (code %d); use kill",
	          strsignal((int)info->ssi_signo), info->ssi_code);
	return false;
}

static void take_signal(struct supervisor *s, const struct signalfd_siginfo *info)
{
	int number = (int)info->ssi_signo;

	if (number == SIGCHLD) {
		s->look_for_dead = true;
	} else if (!is_welcome(s, info)) {
		return;
	} else if (number == SIGHUP && info->ssi_code == SI_KERNEL) {
		shutdown_begin(s, EXIT_STOPPED, true); /* the terminal was closed */
	} else if (is_roll_signal(number)) {
		roll_all(s);
	} else if (number == SIGTERM || number == SIGQUIT) {
		shutdown_begin(s, EXIT_STOPPED, true);
	} else if (number == SIGINT || number == SIGPWR || number == SIGRTMIN + 3) {
		shutdown_begin(s, EXIT_STOPPED, false);
	}
}

static void on_signals(struct event_source *source)
{
	struct supervisor *s = container_of(source, struct supervisor, signals);
	struct signalfd_siginfo info;

	while (read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		take_signal(s, &info);
}

/* There may be more dead than were collected at once; others had their turn now. */
static void on_reap_again(struct deadline *deadline)
{
	container_of(deadline, struct supervisor, reap_again)->look_for_dead = true;
}

/* --- the loop --- */

static void advance(struct supervisor *s)
{
	if (s->look_for_dead) {
		s->look_for_dead = false;
		if (reap_all(on_exit_of, s))
			deadline_arm(&s->loop, &s->reap_again, 0);
		strays_look(s);
	}
	boot_advance(s);
	for (size_t i = 0; i < s->app_count; i++) {
		if (s->boot == BOOT_DONE) {
			roll_advance(&s->apps[i]);
			replicas_advance(&s->apps[i]);
		}
		lane_watches_advance(&s->apps[i]);
	}
	shutdown_advance(s);
}

static int loop(struct supervisor *s)
{
	while (!s->done) {
		int r = loop_turn(&s->loop);

		if (r < 0)
			log_errno(r, NOTICE_WAIT_FAILED, "",
			          "cannot wait for events, trying again");
		advance(s);
	}
	return s->exit_status;
}

/* --- from nothing --- */

/*
 * Descriptors 0 to 2 must be taken, or the next one we open would become somebody's stderr.  What
 * else was left open in us is nobody's any more.
 */
static int tidy_descriptors(void)
{
	int none[1], fd;

	do {
		/* NOLINTNEXTLINE(android-cloexec-open): 0 to 2 are for our children too */
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -errno;
	close_all_but(none, 0);
	return 0;
}

/*
 * What we or a master of ours can come to need: to become pools' users and to end them; to mount
 * releases; to bind low ports and own unix sockets; to hide a socket from new connections; to read
 * other users' configuration; to give FPM its limits and priority.
 */
static const uint64_t needed_caps =
	CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_SETPCAP) | CAP_BIT(CAP_KILL) |
	CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_SYS_CHROOT) | CAP_BIT(CAP_NET_BIND_SERVICE) |
	CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_NET_ADMIN) | CAP_BIT(CAP_NET_RAW) |
	CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_DAC_READ_SEARCH) | CAP_BIT(CAP_SYS_PTRACE) |
	CAP_BIT(CAP_SYS_RESOURCE) | CAP_BIT(CAP_SYS_NICE);

static int drop_power(struct supervisor *s)
{
	int r = caps_bound(needed_caps);

	if (r >= 0)
		r = caps_keep(needed_caps);
	s->caps = caps_effective();
	return r;
}

/* Ours without what speaks of sockets and supervisors, and two places that launch fills. */
static int make_environment(struct supervisor *s)
{
	size_t count = 0;

	while (environ[count])
		count++;
	s->environment = calloc(count + 3, sizeof(*s->environment));
	if (!s->environment)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (!text_begins(environ[i], "FPM_SOCKETS") &&
		    !text_begins(environ[i], "NOTIFY_SOCKET=") &&
		    !text_begins(environ[i], "TWINIT_REPLICA="))
			s->environment[s->environment_count++] = environ[i];
	return 0;
}

static int make_apps(struct supervisor *s)
{
	s->apps = calloc(s->config->app_count, sizeof(*s->apps));
	if (!s->apps)
		return -ENOMEM;
	s->app_count = s->config->app_count;
	for (size_t i = 0; i < s->app_count; i++) {
		struct app *app = &s->apps[i];

		app->supervisor = s;
		app->index = i;
		app->config = s->config->apps[i];
		app->preflight.source.fd = FD_NONE;
		for (size_t l = 0; l < POOLS_MAX; l++)
			lanes_init(&app->lanes[l]);
		for (size_t g = 0; g < GENERATIONS_MAX; g++)
			relay_init(&app->generations[g].relay);
		masters_init(app);
		lane_watches_init(app);
		roll_init(app);
		prime_init(app);
		publisher_init(app);
		watch_init(app);
		deploy_init(app);
		sessions_init(app);
		chain_init(app);
	}
	return 0;
}

static int open_signals(struct supervisor *s)
{
	s->signals.fd = signals_open(&s->inheritance.mask);
	s->signals.on_ready = on_signals;
	return s->signals.fd < 0 ? s->signals.fd : loop_watch(&s->loop, &s->signals);
}

static int open_server(struct supervisor *s)
{
	s->server.is_below_master = is_peer_below_master;
	s->server.on_request = answers_request;
	return server_open(&s->server, &s->loop, s->run.fd);
}

/* What cannot fail in a working container; each says what it was about. */
static int prepare(struct supervisor *s)
{
	int r = tidy_descriptors();

	/* Where PHP runs as our user it could otherwise write to our memory by /proc/1/mem. */
	if (r >= 0 && prctl(PR_SET_DUMPABLE, 0) < 0)
		r = -errno;

	log_open();
	s->inheritance.umask = umask(077);
	s->inheritance.open_files = rlimits_open_many();
	(void)!proc_confinement(getpid(), &s->confinement);
	if (r >= 0)
		r = drop_power(s);
	if (r >= 0)
		r = loop_init(&s->loop);
	if (r >= 0)
		r = open_signals(s);
	/* Where we are not PID 1 orphans must still come to us. */
	if (r >= 0 && getpid() != 1 && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		r = -errno;
	if (r >= 0)
		r = make_environment(s);
	if (r >= 0)
		r = make_apps(s);
	if (r < 0)
		return log_errno(r, NOTICE_BOOT_FAILED, "", "cannot start");
	r = run_dir_open(s->config, &s->run);
	if (r < 0) {
		run_dir_complain(s->config, r);
		return r;
	}
	run_dir_say(s->config, &s->run);
	r = chain_prepare(s);
	if (r < 0)
		return log_errno(r, NOTICE_BOOT_FAILED, "", "cannot write into %s/pin",
		                 s->run.path);
	r = open_server(s);
	return r < 0 ? log_errno(r, NOTICE_BOOT_FAILED, "", "cannot listen on %s/" WIRE_SOCKET,
	                         s->run.path)
	             : 0;
}

static void clean_up(struct supervisor *s)
{
	for (size_t i = 0; i < s->app_count; i++) {
		struct app *app = &s->apps[i];

		lane_watches_stop(app);
		sessions_stop(app);
		chain_stop(app);
		prime_stop(app);
		helper_stop(&app->preflight);
		helper_stop(&app->publisher);
		watch_end(app);
		deploy_stop(app);
		app->active = NULL;
		generation_clean_up(app);
		for (unsigned l = 0; l < app->lanes_count; l++)
			lanes_close(&app->lanes[l]);
	}
	events_stop(s);
	output_finish(s);
	chain_clean_up(s);
	server_close(&s->server);
	(void)unlinkat(s->run.fd, WIRE_SOCKET, 0);
}

int supervisor_run(const char *config_file, const struct config *config)
{
	static struct supervisor s;

	s.run.fd = s.run.private_fd = s.run.pin_fd = FD_NONE;
	s.started_ms = clock_ms();
	s.oom_kills = cgroup_oom_kills(CGROUP_ROOT);
	s.config = config;
	s.config_file = config_file;
	relay_init(&s.relay);
	events_init(&s);
	s.reap_again.on_due = on_reap_again;
	if (prepare(&s) < 0)
		return EXIT_CONFIG;
	log_write(NOTICE_STARTED, "", "twinit %s, pid %d, run_dir %s", TWINIT_VERSION, getpid(),
	          s.run.path);
	boot_begin(&s);
	boot_advance(&s);
	shutdown_advance(&s);
	int status = loop(&s);
	clean_up(&s);
	log_write(NOTICE_STOPPED, "", "stopped, exit status %d", status);
	return status;
}
