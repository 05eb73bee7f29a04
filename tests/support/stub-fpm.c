/*
 * stub-fpm.c - what twinit sees of php-fpm, without PHP; misbehaves on demand.
 *
 *   stub-fpm -i              prints STUB_DIR/info
 *   stub-fpm -tt -y FILE     prints STUB_DIR/dump
 *   stub-fpm -F -y FILE      a master: serves the descriptors in FPM_SOCKETS
 *
 *   stub-fpm orphans N       makes so many and waits until its parent has reaped them all
 *
 * A master answers pings and status pages on its private sockets.  On the lane it answers each
 * request with "RELEASE REPLICA PID", where RELEASE is read from STUB_DIR/app/current/release.txt
 * when it starts; /crash makes it crash.  A request that is begun and not ended counts as a busy
 * worker.  SIGQUIT ends it when no request is left, SIGTERM at once.
 *
 * What it does is sent to the datagram socket STUB_DIR/events.  How it misbehaves is in
 * STUB_DIR/behave: words, read again whenever one could matter.  A word may be meant for one
 * replica ("r2:mute") or release ("g2:mute") only.
 *
 *   i=fail i=hang i=garbage i=huge      tt=fail tt=hang tt=garbage tt=huge tt=crash tt=empty
 *   i=wait                 until it behaves otherwise     tt=wait
 *   die die78 killed       at once      mute mute-first   no answer to pings (the first start)
 *   no-pong crash-on-ready              no-quit no-term   SIGQUIT, SIGTERM mean nothing
 *   status=garbage status=busy status=silent status=huge
 *   workers=N stubborn     children that outlive a crash (and ignore SIGQUIT and SIGTERM)
 *   orphans=N              as many processes that PID 1 has to reap
 *   attack                 signals PID 1 and asks it to stop
 *   noise                  writes to stderr as fast as it can
 *   says                   writes STUB_DIR/words, whatever they are, to stderr
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PLACES = 512, REQUEST_MAX = 16384, PATH_SIZE = 256 };

enum kind {
	NOTHING,
	SIGNALS,
	LANE,
	STATUS,
	PROBE,
	LANE_REQUEST,
	STATUS_REQUEST,
	PROBE_REQUEST,
};

struct place {
	enum kind kind;
	size_t length;
	uint8_t request[REQUEST_MAX];
};

static struct place places[PLACES];
static struct pollfd polls[PLACES];
static const char *directory;
static char replica[64] = "-"; /* "www/1" */
static char release_name[64] = "-";
static bool finishing;
static bool mute;

/* --- the test's side --- */

static void path_of(const char *name, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "%s/%s", directory, name);
}

static size_t read_text(const char *name, char *to, size_t size)
{
	char path[PATH_SIZE];

	path_of(name, path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, to, size - 1);
	if (fd >= 0)
		close(fd);
	to[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

__attribute__((__format__(__printf__, 1, 2))) static void say(const char *format, ...)
{
	static int fd = -1;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char text[1024];
	va_list args;

	if (!directory)
		return;
	int n = snprintf(text, sizeof(text), "%s %s ", replica, release_name);
	va_start(args, format);
	vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
	va_end(args);
	if (fd < 0)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(un.sun_path, sizeof(un.sun_path), "%.100s/events", directory);
	(void)sendto(fd, text, strlen(text), MSG_DONTWAIT, (struct sockaddr *)&un, sizeof(un));
}

/* Is this word, with its selectors, meant for us?  Returns it without them. */
static const char *for_us(char *word)
{
	for (char *colon; (colon = strchr(word, ':')) && (word[0] == 'r' || word[0] == 'g');) {
		const char *slash = strchr(replica, '/');
		const char *own = word[0] == 'g' ? release_name : slash ? slash + 1 : "";

		*colon = '\0';
		if (strcmp(word + 1, own) != 0)
			return NULL;
		word = colon + 1;
	}
	return word;
}

/* "workers" finds "workers=3", returns "3"; a word without value returns "". */
static const char *behaves(const char *wanted)
{
	static char text[4096];
	char *rest;

	read_text("behave", text, sizeof(text));
	for (char *word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
		const char *mine = for_us(word);
		size_t length = strlen(wanted);

		if (mine && strncmp(mine, wanted, length) == 0 &&
		    (mine[length] == '=' || mine[length] == '\0'))
			return mine + length + (mine[length] == '=');
	}
	return NULL;
}

static bool behaves_as(const char *wanted, const char *value)
{
	const char *found = behaves(wanted);

	return found && strcmp(found, value) == 0;
}

/* --- -i and -tt --- */

static void print_text(const char *name)
{
	static char text[1024 * 1024];

	fwrite(text, 1, read_text(name, text, sizeof(text)), stdout);
}

static int print(const char *what, const char *file)
{
	if (behaves_as(what, "hang")) {
		say("%s hangs", what);
		for (;;)
			pause();
	}
	if (behaves_as(what, "wait"))
		say("%s waits", what);
	while (behaves_as(what, "wait"))
		usleep(1000);
	if (behaves_as(what, "garbage")) {
		for (int i = 0; i < 100000; i++)
			putchar(i * 7919 >> 3);
		return 0;
	}
	if (behaves_as(what, "huge"))
		for (int i = 0; i < 1000000; i++)
			printf("[21-Nov-2026 10:00:00] NOTICE: \tlisten = /a/line/of/many\n");
	if (behaves_as(what, "crash"))
		raise(SIGKILL);
	if (behaves_as(what, "empty"))
		return 0;
	if (behaves_as(what, "fail")) {
		printf("[21-Nov-2026 10:00:00] ERROR: [/etc/stub.conf:12] unknown entry 'lsten'\n"
		       "[21-Nov-2026 10:00:00] ERROR: FPM initialization failed\n");
		return 78;
	}
	print_text(file);
	return 0;
}

/* --- FastCGI --- */

static void put_record(int fd, uint8_t type, const void *data, size_t size)
{
	const uint8_t header[8] = { 1, type, 0, 1, (uint8_t)(size >> 8), (uint8_t)size, 0, 0 };

	(void)!send(fd, header, sizeof(header), MSG_NOSIGNAL);
	(void)!send(fd, data, size, MSG_NOSIGNAL);
}

static void answer(int fd, const char *body)
{
	static const char head[] = "Content-type: text/plain\r\n\r\n";
	const uint8_t end[8] = { 0 };
	size_t left = strlen(body);

	put_record(fd, 6, head, strlen(head));
	while (left > 0) {
		size_t size = left < 60000 ? left : 60000;

		put_record(fd, 6, body, size);
		body += size;
		left -= size;
	}
	put_record(fd, 3, end, sizeof(end));
}

/* The end of the params that @script is looked for in; 0 until the request is whole. */
static bool whole_request(const struct place *place, bool *crash)
{
	const uint8_t *at = place->request;
	const uint8_t *end = at + place->length;

	while (end - at >= 8) {
		size_t size = (size_t)at[4] << 8 | at[5];
		size_t padding = at[6];

		if ((size_t)(end - at) < 8 + size + padding)
			return false;
		if (at[1] == 4 && memmem(at + 8, size, "/crash", 6))
			*crash = true;
		if (at[1] == 5 && size == 0)
			return true;
		at += 8 + size + padding;
	}
	return false;
}

static unsigned busy_workers(void)
{
	unsigned busy = behaves_as("status", "busy");

	/* As in FPM, who accepted a connection and got no byte yet is idle. */
	for (size_t i = 0; i < PLACES; i++)
		busy += places[i].kind == LANE_REQUEST && places[i].length > 0;
	return busy;
}

static void answer_status(int fd)
{
	static char page[6 * 1024 * 1024];
	unsigned busy = busy_workers();
	int n = snprintf(page, sizeof(page), "{\"pool\":\"www\",\"processes\":[");

	for (unsigned i = 0; i < busy; i++)
		n += snprintf(page + n, sizeof(page) - (size_t)n,
		              "{\"pid\":%d,\"state\":\"Running\"},", getpid());
	n += snprintf(page + n, sizeof(page) - (size_t)n, "{\"pid\":%d,\"state\":\"Idle\"}]}",
	              getpid());
	if (behaves_as("status", "garbage"))
		snprintf(page, sizeof(page), "{\"processes\":[{\"state\":\"Idle");
	if (behaves_as("status", "huge")) {
		memset(page, ' ', sizeof(page) - 1);
		memcpy(page, "{\"processes\":[", 14);
		memcpy(page + sizeof(page) - 3, "]}", 3);
	}
	answer(fd, page);
}

static void answer_lane(int fd, bool crash)
{
	char body[256];

	if (crash)
		raise(SIGKILL);
	snprintf(body, sizeof(body), "%s %s %d", release_name, replica, getpid());
	answer(fd, body);
}

/* --- a master --- */

static void add(enum kind kind, int fd)
{
	for (size_t i = 0; i < PLACES; i++)
		if (places[i].kind == NOTHING) {
			places[i].kind = kind;
			places[i].length = 0;
			polls[i] = (struct pollfd){ .fd = fd, .events = POLLIN };
			return;
		}
	close(fd);
}

static void drop(size_t i)
{
	close(polls[i].fd);
	polls[i].fd = -1;
	places[i].kind = NOTHING;
}

static void crash_when_ready(void)
{
	if (behaves("crash-on-ready"))
		raise(SIGKILL);
}

static void on_request(size_t i)
{
	struct place *place = &places[i];
	bool crash = false;
	ssize_t n = recv(polls[i].fd, place->request + place->length, REQUEST_MAX - place->length,
	                 MSG_DONTWAIT);

	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			drop(i);
		return;
	}
	if (place->length == 0 && place->kind == LANE_REQUEST)
		say("request");
	place->length += (size_t)n;
	if (!whole_request(place, &crash))
		return;
	if (place->kind == LANE_REQUEST)
		answer_lane(polls[i].fd, crash);
	else if (place->kind == PROBE_REQUEST)
		answer(polls[i].fd, behaves("no-pong") ? "what?" : "pong");
	else if (behaves_as("status", "silent"))
		return;
	else
		answer_status(polls[i].fd);
	bool ready = place->kind == PROBE_REQUEST;
	drop(i);
	if (ready) {
		say("ready");
		crash_when_ready();
	}
}

static void on_listener(size_t i)
{
	int fd = accept4(polls[i].fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		add(places[i].kind + (LANE_REQUEST - LANE), fd);
}

static void finish(void)
{
	finishing = true;
	for (size_t i = 0; i < PLACES; i++)
		if (places[i].kind == LANE || places[i].kind == STATUS || places[i].kind == PROBE)
			drop(i);
}

static void on_signals(size_t i)
{
	struct signalfd_siginfo info;

	if (read(polls[i].fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGCHLD:
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		break;
	case SIGQUIT:
		say("quit busy=%u", busy_workers());
		if (!behaves("no-quit"))
			finish();
		break;
	case SIGTERM:
		say("term");
		if (!behaves("no-term"))
			exit(0);
		break;
	default:
		say("signal %u", info.ssi_signo);
		break;
	}
}

static bool requests_left(void)
{
	for (size_t i = 0; i < PLACES; i++)
		if (places[i].kind == LANE_REQUEST)
			return true;
	return false;
}

static void turn(void)
{
	/* One more place keeps the probe from being looked at. */
	for (size_t i = 0; i < PLACES; i++)
		if (places[i].kind == PROBE)
			polls[i].events = mute ? 0 : POLLIN;
	if (poll(polls, PLACES, -1) < 0)
		return;
	for (size_t i = 0; i < PLACES; i++) {
		if (polls[i].revents == 0)
			continue;
		switch (places[i].kind) {
		case SIGNALS:
			on_signals(i);
			break;
		case LANE:
		case STATUS:
		case PROBE:
			on_listener(i);
			break;
		case LANE_REQUEST:
		case STATUS_REQUEST:
		case PROBE_REQUEST:
			on_request(i);
			break;
		case NOTHING:
			break;
		}
	}
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), last = strlen(end);

	return length > last && strcmp(text + length - last, end) == 0;
}

static bool open_sockets(void)
{
	char *sockets = getenv("FPM_SOCKETS");
	char *rest;

	if (!sockets)
		return false;
	for (char *one = strtok_r(sockets, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
		char *equals = strrchr(one, '=');

		*equals = '\0';
		enum kind kind = ends_with(one, ".status")                             ? STATUS
		                 : ends_with(one, ".probe") || ends_with(one, ".hand") ? PROBE
		                                                                       : LANE;
		int fd = atoi(equals + 1);

		if (fcntl(fd, F_GETFD) < 0)
			return false;
		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		add(kind, fd);
	}
	return true;
}

static int open_signals(void)
{
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* What we were given, before anything is opened: descriptors, and lines of /proc/self/status. */
static void say_start(void)
{
	char fds[256] = "", status[4096] = "", cap[32] = "?", nnp[8] = "?", mask[32] = "?";
	size_t length = 0;
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(dir))
			length += (size_t)snprintf(fds + length, sizeof(fds) - length, "%s%s",
			                           length ? "," : "", entry->d_name);
	if (dir)
		closedir(dir);
	FILE *file = fopen("/proc/self/status", "re");
	while (file && fgets(status, sizeof(status), file)) {
		(void)sscanf(status, "CapPrm: %31s", cap);
		(void)sscanf(status, "NoNewPrivs: %7s", nnp);
		(void)sscanf(status, "SigBlk: %31s", mask);
	}
	if (file)
		fclose(file);
	mode_t um = umask(0);
	umask(um);
	say("start uid=%d gid=%d fds=%s cap=%s nnp=%s mask=%s umask=%o leader=%d stdin=%d",
	    getuid(), getgid(), fds, cap, nnp, mask, um,
	    getsid(0) == getpid() && getpgrp() == getpid(), (int)read(STDIN_FILENO, status, 1));
}

static void make_workers(int count)
{
	for (int i = 0; i < count; i++)
		if (fork() == 0) {
			sigset_t none;

			sigemptyset(&none);
			if (behaves("stubborn")) {
				signal(SIGQUIT, SIG_IGN);
				signal(SIGTERM, SIG_IGN);
			}
			sigprocmask(SIG_SETMASK, &none, NULL);
			say("worker");
			for (;;)
				pause();
		}
}

static void make_orphans(int count)
{
	if (fork() != 0)
		return;
	for (int i = 0; i < count; i++)
		if (fork() == 0)
			_exit(0);
	say("orphans made");
	_exit(0);
}

static void attack(void)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGPWR };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	int sent = 0;
	char byte;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sent += kill(1, numbers[i]) == 0;
	snprintf(un.sun_path, sizeof(un.sun_path), "%.90s/run/control", directory);
	int connected = connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0;
	say("attacked signals=%d connected=%d answer=%d", sent, connected,
	    connected ? (int)recv(fd, &byte, 1, 0) : -1);
	close(fd);
}

static void say_words(void)
{
	char path[PATH_SIZE], bytes[10000];
	ssize_t n;

	path_of("words", path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		if (write(STDERR_FILENO, bytes, (size_t)n) != n)
			exit(1);
	close(fd);
}

static void misbehave_at_once(void)
{
	char path[PATH_SIZE];

	if (behaves("die"))
		exit(1);
	if (behaves("die78"))
		exit(78);
	if (behaves("killed"))
		raise(SIGKILL);
	mute = behaves("mute");
	path_of("mute-first.done", path);
	if (behaves("mute-first")) {
		int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);

		mute = mute || fd >= 0;
		if (fd >= 0)
			close(fd);
	}
	if (behaves("workers"))
		make_workers(atoi(behaves("workers")));
	if (behaves("orphans"))
		make_orphans(atoi(behaves("orphans")));
	if (behaves("attack"))
		attack();
	if (behaves("says"))
		say_words();
	if (behaves("noise") && fork() == 0)
		for (;;)
			fprintf(stderr, "stub-fpm: a line of noise, and one more, and one more\n");
}

static int run_master(void)
{
	const char *name = getenv("TWINIT_REPLICA");

	snprintf(replica, sizeof(replica), "%s", name ? name : "-");
	if (read_text("app/current/release.txt", release_name, sizeof(release_name)) == 0)
		snprintf(release_name, sizeof(release_name), "-");
	release_name[strcspn(release_name, "\n")] = '\0';
	say_start();
	for (size_t i = 0; i < PLACES; i++)
		polls[i].fd = -1;
	if (!open_sockets()) {
		fprintf(stderr, "stub-fpm: no sockets\n");
		return 78;
	}
	add(SIGNALS, open_signals());
	misbehave_at_once();
	say("up");
	while (!finishing || requests_left())
		turn();
	/* As FPM does with its workers. */
	if (behaves("workers")) {
		signal(SIGTERM, SIG_IGN);
		kill(0, SIGTERM);
	}
	say("done");
	return 0;
}

/* As a command of `twinit -- CMD`; exit status 42 when its parent has no child but us. */
static int run_orphans(int count)
{
	char path[64], children[4096];

	make_orphans(count);
	wait(NULL);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", getppid(), getppid());
	for (;;) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, children, sizeof(children) - 1);

		if (n <= 0)
			return 1;
		close(fd);
		children[n] = '\0';
		if (strchr(children, ' ') == strrchr(children, ' '))
			return 42;
	}
}

int main(int argc, char *argv[])
{
	if (argc == 3 && strcmp(argv[1], "orphans") == 0)
		return run_orphans(atoi(argv[2]));
	directory = getenv("STUB_DIR");
	if (!directory)
		return 64;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-i") == 0)
			return print("i", "info");
		if (strcmp(argv[i], "-tt") == 0)
			return print("tt", "dump");
	}
	return run_master();
}
