#include "init/launch.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fpm/overlay.h"
#include "init/output.h"
#include "init/power.h"
#include "init/run_dir.h"
#include "util/cleanup.h"
#include "util/fs.h"
#include "util/log.h"

enum {
	PRIVATE_BACKLOG = 128,
	FDS_PER_POOL = 3, /* lane, status, probe */
	FDS_OF_APP = 2,   /* pages, hand */
	SOCKETS_PER_VARIABLE = 128,
};
_Static_assert(1 + POOLS_MAX * FDS_PER_POOL + FDS_OF_APP <= SPAWN_FDS_MAX, "too many descriptors");
_Static_assert(POOLS_MAX *FDS_PER_POOL + FDS_OF_APP <= SOCKETS_PER_VARIABLE,
               "one FPM_SOCKETS is not enough");

void launch_private_name(const struct master *master, unsigned pool, enum private_kind kind,
                         char name[PRIVATE_NAME_SIZE])
{
	private_name(master->app->index, master->serial, pool, kind, name);
}

static int listen_private(const struct master *master, unsigned pool, enum private_kind kind,
                          int *fd)
{
	int dir_fd = master->app->supervisor->run.private_fd;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char name[PRIVATE_NAME_SIZE], path[FD_PATH_SIZE];
	_cleanup_close_ int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (s < 0)
		return -errno;
	launch_private_name(master, pool, kind, name);
	path_in_fd(dir_fd, name, path);
	memcpy(un.sun_path, path, strlen(path) + 1);
	/* A twinit that was killed may have left one of this name. */
	(void)unlinkat(dir_fd, name, 0);
	/* The directory keeps others out; helpers get in by its group. */
	if (bind(s, (struct sockaddr *)&un, sizeof(un)) < 0 || chmod(path, 0660) < 0 ||
	    listen(s, PRIVATE_BACKLOG) < 0)
		return -errno;
	*fd = TAKE_FD(s);
	return 0;
}

void launch_remove_private(const struct master *master)
{
	static const enum private_kind kinds[] = { PRIVATE_STATUS, PRIVATE_PROBE, PRIVATE_PAGES,
		                                   PRIVATE_HAND };
	char name[PRIVATE_NAME_SIZE];

	for (unsigned pool = 0; pool < master->generation->fpm.settings.pool_count; pool++)
		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
			launch_private_name(master, pool, kinds[i], name);
			(void)unlinkat(master->app->supervisor->run.private_fd, name, 0);
		}
}

/* FPM finds the descriptors by the addresses it is configured with (fpm_sockets.c). */
static void add_key(struct text *sockets, const char *key, size_t index)
{
	text_add(sockets, "%s%s=%zu", sockets->buffer[sockets->length - 1] == '=' ? "" : ",", key,
	         index + SPAWN_FIRST_FD);
}

static void add_lane(const struct master *master, unsigned pool, struct spawn *spawn,
                     struct text *sockets)
{
	const struct generation *generation = master->generation;
	const struct lanes *lanes = &master->app->lanes[generation->lanes_of[pool]];
	char key[ADDRESS_TEXT_SIZE];

	if (address_is_unix(&lanes->address))
		overlay_decoy_listen(generation->fpm.settings.pools[pool].name, key);
	else
		address_key(&lanes->address, key);
	add_key(sockets, key, spawn->fd_count);
	spawn->fds[spawn->fd_count++] = lanes->fds[master->lane];
}

static void put_decoy(enum private_kind kind, const char *pool, char *to)
{
	switch (kind) {
	case PRIVATE_STATUS:
		overlay_decoy_status(pool, to);
		break;
	case PRIVATE_PROBE:
		overlay_decoy_probe(pool, to);
		break;
	case PRIVATE_PAGES:
		overlay_decoy_pages(pool, to);
		break;
	case PRIVATE_HAND:
		overlay_decoy_hand(pool, to);
		break;
	}
}

static int add_private(const struct master *master, unsigned pool, enum private_kind kind,
                       struct spawn *spawn, struct text *sockets)
{
	char key[LISTEN_SIZE];
	int r = listen_private(master, pool, kind, &spawn->fds[spawn->fd_count]);

	if (r < 0)
		return r;
	put_decoy(kind, master->generation->fpm.settings.pools[pool].name, key);
	add_key(sockets, key, spawn->fd_count++);
	return 0;
}

static int add_sockets(const struct master *master, struct spawn *spawn, struct text *sockets)
{
	int r = 0;

	for (unsigned pool = 0; pool < master->generation->fpm.settings.pool_count; pool++)
		add_lane(master, pool, spawn, sockets);
	for (unsigned pool = 0; r >= 0 && pool < master->generation->fpm.settings.pool_count;
	     pool++) {
		r = add_private(master, pool, PRIVATE_STATUS, spawn, sockets);
		if (r >= 0)
			r = add_private(master, pool, PRIVATE_PROBE, spawn, sockets);
	}
	if (r >= 0 && config_has_pages(&master->generation->fpm.app))
		r = add_private(master, 0, PRIVATE_PAGES, spawn, sockets);
	if (r >= 0)
		r = add_private(master, 0, PRIVATE_HAND, spawn, sockets);
	return sockets->cut ? -E2BIG : r;
}

/* Everything behind the configuration and the lanes was opened for this master alone. */
static void close_private(const struct master *master, struct spawn *spawn)
{
	for (size_t i = 1 + master->generation->fpm.settings.pool_count; i < spawn->fd_count; i++)
		fd_close(&spawn->fds[i]);
}

/* From memory to memory; the generation's own stays for the next start. */
static int copy_config(int from, int *copy)
{
	_cleanup_close_ int fd = memfd_create("twinit-fpm.conf", MFD_CLOEXEC);
	off_t at = 0;
	struct stat st;

	if (fd < 0 || fstat(from, &st) < 0)
		return -errno;
	while (at < st.st_size) {
		ssize_t n = sendfile(fd, from, &at, (size_t)(st.st_size - at));

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
	}
	*copy = TAKE_FD(fd);
	return 0;
}

void launch_forget_config(struct master *master)
{
	if (master->config_fd >= 0)
		(void)!ftruncate(master->config_fd, 0);
	fd_close(&master->config_fd);
}

static void name_program(const struct master *master, char link[2 * CONFIG_PATH_SIZE])
{
	struct text text = text_init(link, 2 * CONFIG_PATH_SIZE);
	char name[CONFIG_PATH_SIZE];

	settings_program_link(master->generation->fpm.php_fpm, name, sizeof(name));
	text_add(&text, "%s/" RUN_DIR_PIN "/%s", master->app->supervisor->run.path, name);
}

/* Its environment is ours, with two variables that only this child gets. */
static int start(struct master *master, const struct spawn *spawn, char *sockets)
{
	struct supervisor *s = master->app->supervisor;
	char replica[NAME_SIZE + 48];
	struct text text = TEXT(replica);

	text_add(&text, "TWINIT_REPLICA=%s/%u%s", master->app->config.name, master->number,
	         master->rescue ? "r" : "");
	s->environment[s->environment_count] = sockets;
	s->environment[s->environment_count + 1] = replica;
	int r = spawn_start(spawn, &master->child);
	s->environment[s->environment_count] = NULL;
	return r;
}

int launch_master(struct master *master)
{
	static char sockets_buffer[32 * 1024];
	struct supervisor *s = master->app->supervisor;
	struct generation *generation = master->generation;
	unsigned overlay = master->rescue ? OVERLAY_RESCUE : master->number - 1;
	char preload[CONFIG_PATH_SIZE + 32], program_link[2 * CONFIG_PATH_SIZE];
	/* The last two are left out where nothing has to be said about preloading. */
	const char *argv[] = {
		generation->fpm.php_fpm, "-F", "-y", "/proc/self/fd/3", "-d", preload, NULL
	};
	struct text sockets = TEXT(sockets_buffer), preload_text = TEXT(preload);
	struct spawn spawn = {
		.inheritance = &s->inheritance,
		.path = generation->fpm.php_fpm,
		.program_fd = generation->program,
		.program_link = program_link,
		.argv = argv,
		.envp = (const char *const *)s->environment,
		.fd_count = 1,
		.stderr_fd = output_of(s, generation),
		.secrets = s->config->secrets,
		.filters = power_filters(generation),
		.identity = generation->fpm.identity,
		.caps = generation->fpm.caps,
		.rlimits = generation->fpm.rlimits,
		.pin = master->app->pin,
		.link = generation->fpm.app.release,
		.release = generation->release.path,
		.read_only = generation->fpm.app.read_only,
		.cover = run_dir_cover(&s->run),
	};
	int r;

	name_program(master, program_link);
	if (release_refresh(&generation->release) < 0)
		log_write(NOTICE_RELEASE_REMOVED, master->app->config.name,
		          "release '%s' was removed while it is in use", generation->release.path);
	text_add(&preload_text, "opcache.preload=%s", generation->fpm.preload);
	if (generation->fpm.preload[0] == '\0')
		argv[4] = NULL;
	master->serial = ++s->serial;
	text_add(&sockets, "FPM_SOCKETS=");
	launch_forget_config(master);
	r = copy_config(generation->overlays[overlay], &master->config_fd);
	spawn.fds[0] = master->config_fd;
	if (r >= 0)
		r = add_sockets(master, &spawn, &sockets);
	if (r >= 0)
		r = start(master, &spawn, sockets_buffer);
	close_private(master, &spawn);
	if (r < 0) {
		launch_remove_private(master);
		launch_forget_config(master);
	}
	return r;
}
