#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../util/forked.h"
#include "../util/scratch.h"
#include "confine/namespace.h"
#include "release/pin.h"
#include "util/fs.h"

enum { NOBODY = 65534 };

/*
 * site/            what holds the symlink
 *   current -> releases/1
 *   releases/1, releases/2, each with a file "index" and a link out of the release
 *   shared/        with a file
 *   and odd entries
 * outside/         beside it, with a file
 */
static char dir[SCRATCH_PATH_SIZE];

static void say(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static bool says(const char *path, const char *text)
{
	char is[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	ssize_t n = read(fd, is, sizeof(is) - 1);
	close(fd);
	return n == (ssize_t)strlen(text) && strcmp(is, text) == 0;
}

static bool leads_to(const char *path, const char *target)
{
	char is[PATH_MAX] = "";

	return readlink(path, is, sizeof(is) - 1) > 0 && strcmp(is, target) == 0;
}

static mode_t kind_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 ? st.st_mode & S_IFMT : 0;
}

static void make_release(const char *name, const char *index)
{
	assert_int_equal(mkdir(at("%s/site/releases/%s", dir, name), 0755), 0);
	say(at("%s/site/releases/%s/index", dir, name), index);
	assert_int_equal(symlink("../../shared", at("%s/site/releases/%s/up", dir, name)), 0);
}

static void make_socket(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(un.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	close(fd);
}

static void make_site(void)
{
	scratch_dir(dir);
	assert_int_equal(mkdir(at("%s/outside", dir), 0755), 0);
	say(at("%s/outside/file", dir), "outside");
	assert_int_equal(mkdir(at("%s/site", dir), 0755), 0);
	assert_int_equal(mkdir(at("%s/site/releases", dir), 0755), 0);
	assert_int_equal(mkdir(at("%s/site/shared", dir), 0755), 0);
	say(at("%s/site/shared/file", dir), "shared");
	make_release("1", "one");
	make_release("2", "two");
	assert_int_equal(symlink("releases/1", at("%s/site/current", dir)), 0);

	assert_int_equal(mkdir(at("%s/site/with blank", dir), 0755), 0);
	say(at("%s/site/with blank/file", dir), "blank");
	say(at("%s/site/new\nline\\ \"'", dir), "newline");
	say(at("%s/site/.hidden", dir), "hidden");
	assert_int_equal(mkfifo(at("%s/site/fifo", dir), 0644), 0);
	assert_int_equal(symlink("nowhere", at("%s/site/dangling", dir)), 0);
	assert_int_equal(symlink("../outside", at("%s/site/beside", dir)), 0);
	make_socket(at("%s/site/socket", dir));
}

static void make_run_dir(void)
{
	assert_int_equal(mkdir(at("%s/run", dir), 0711), 0);
	assert_int_equal(mkdir(at("%s/run/private", dir), 0700), 0);
	assert_int_equal(mkdir(at("%s/run/shown", dir), 0755), 0);
	assert_int_equal(mkdir(at("%s/run/open", dir), 0), 0);
	assert_int_equal(chmod(at("%s/run/open", dir), 01777), 0);
	say(at("%s/run/shown/script", dir), "script");
	make_socket(at("%s/run/control", dir));
}

static int pin(bool read_only)
{
	return pin_tree(at("%s/site/current", dir), at("%s/site/releases/1", dir), read_only);
}

/* As a deployer does it, in the real directory, where @outer is open. */
static void move_link(int outer)
{
	CHECK(symlinkat("releases/2", outer, "current.new") == 0);
	CHECK(renameat(outer, "current.new", outer, "current") == 0);
}

/* --- how to get there: root in a mount namespace, or nobody in a user namespace --- */

static void enter_as_root(void)
{
	CHECK(namespace_enter() == 0);
}

static void enter_as_nobody(void)
{
	CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(namespace_enter_as_user() == 0);
}

static void try_as_nobody(void *context)
{
	(void)context;
	enter_as_nobody();
}

static struct way {
	const char *says;
	void (*enter)(void);
} ways[] = {
	{ "a mount namespace", enter_as_root },
	{ "a user namespace", enter_as_nobody },
};

/* Run @check with each way in; a fresh site for each. */
static void each_way(void (*check)(void *way))
{
	only_as_root();
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		if (ways[i].enter == enter_as_nobody && forked_status(try_as_nobody, NULL) != 0)
			continue;
		make_site();
		make_run_dir();
		in_child_row(ways[i].says, check, &ways[i]);
	}
}

/* --- what is inside --- */

static void look_around(void *context)
{
	((struct way *)context)->enter();
	CHECK(pin(false) == 0);
	CHECK(leads_to(at("%s/site/current", dir), "releases/1"));
	CHECK(says(at("%s/site/current/index", dir), "one"));
	CHECK(says(at("%s/site/releases/2/index", dir), "two"));
	CHECK(says(at("%s/site/shared/file", dir), "shared"));
	CHECK(says(at("%s/site/current/up/file", dir), "shared"));
	CHECK(says(at("%s/site/with blank/file", dir), "blank"));
	CHECK(says(at("%s/site/new\nline\\ \"'", dir), "newline"));
	CHECK(says(at("%s/site/.hidden", dir), "hidden"));
	CHECK(says(at("%s/site/beside/file", dir), "outside"));
	CHECK(leads_to(at("%s/site/beside", dir), "../outside"));
	CHECK(leads_to(at("%s/site/dangling", dir), "nowhere"));
	CHECK(kind_of(at("%s/site/fifo", dir)) == S_IFIFO);
	CHECK(kind_of(at("%s/site/socket", dir)) == S_IFSOCK);
	CHECK(scratch_count(at("%s/site", dir)) == 10);
}

static void test_everything_is_there_whatever_it_is_called(void **state)
{
	(void)state;
	each_way(look_around);
}

static void move_and_look(void *context)
{
	int outer = open(at("%s/site", dir), O_PATH | O_DIRECTORY | O_CLOEXEC);
	char outside[64] = "";

	/* In a user namespace we are nobody outside. */
	CHECK(chown(at("%s/site", dir), NOBODY, NOBODY) == 0);
	CHECK(chown(at("%s/site/releases", dir), NOBODY, NOBODY) == 0);
	((struct way *)context)->enter();
	CHECK(pin(false) == 0);
	move_link(outer);
	CHECK(readlinkat(outer, "current", outside, sizeof(outside) - 1) > 0);
	CHECK(strcmp(outside, "releases/2") == 0);
	CHECK(leads_to(at("%s/site/current", dir), "releases/1"));
	CHECK(says(at("%s/site/current/index", dir), "one"));
	/* What a deployer adds to releases/ is seen at once. */
	CHECK(mkdirat(outer, "releases/3", 0755) == 0);
	CHECK(kind_of(at("%s/site/releases/3", dir)) == S_IFDIR);
}

static void test_a_moved_link_changes_nothing_inside(void **state)
{
	(void)state;
	each_way(move_and_look);
}

static void stand_in(void *context)
{
	const char *place = *(const char *const *)context;
	char now[PATH_MAX];

	CHECK(chdir(at("%s/%s", dir, place)) == 0);
	int outer = open(at("%s/site", dir), O_PATH | O_DIRECTORY | O_CLOEXEC);
	enter_as_root();
	CHECK(pin(false) == 0);
	CHECK(getcwd(now, sizeof(now)) && strcmp(now, at("%s/%s", dir, place)) == 0);
	move_link(outer);
	/* The private tree is what it stands in, not the real one below. */
	if (strcmp(place, "site") == 0)
		CHECK(leads_to("current", "releases/1"));
	CHECK(says(at("%s/site/current/index", dir), "one"));
}

static void test_the_working_directory_is_kept_by_its_path(void **state)
{
	static const char *const places[] = { "site/releases/1", "site", "site/shared", "outside" };

	(void)state;
	only_as_root();
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		make_site();
		in_child_row(places[i], stand_in, (void *)&places[i]);
	}
}

/* --- what may be written --- */

static bool can_make(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static void open_to_nobody(void)
{
	CHECK(chown(at("%s/site/releases/1", dir), NOBODY, NOBODY) == 0);
	CHECK(chown(at("%s/site/releases/2", dir), NOBODY, NOBODY) == 0);
	CHECK(chown(at("%s/site/shared", dir), NOBODY, NOBODY) == 0);
}

static void write_live(void *context)
{
	open_to_nobody();
	((struct way *)context)->enter();
	CHECK(pin(false) == 0);
	CHECK(!can_make(at("%s/site/new", dir)) && errno == EROFS);
	CHECK(unlink(at("%s/site/current", dir)) < 0 && errno == EROFS);
	CHECK(symlink("x", at("%s/site/x", dir)) < 0 && errno == EROFS);
	CHECK(can_make(at("%s/site/releases/1/cache", dir)));
	CHECK(can_make(at("%s/site/shared/upload", dir)));
}

static void write_read_only(void *context)
{
	open_to_nobody();
	((struct way *)context)->enter();
	CHECK(pin(true) == 0);
	CHECK(!can_make(at("%s/site/new", dir)) && errno == EROFS);
	CHECK(!can_make(at("%s/site/releases/1/cache", dir)) && errno == EROFS);
	CHECK(!can_make(at("%s/site/current/cache", dir)) && errno == EROFS);
	CHECK(can_make(at("%s/site/current/up/upload", dir)));
	CHECK(can_make(at("%s/site/releases/2/cache", dir)));
	CHECK(says(at("%s/site/current/index", dir), "one"));
}

static void test_the_tree_is_read_only_and_the_rest_is_live(void **state)
{
	(void)state;
	each_way(write_live);
	assert_int_equal(access(at("%s/site/releases/1/cache", dir), F_OK), 0);
	assert_int_equal(access(at("%s/site/shared/upload", dir), F_OK), 0);
}

static void test_a_release_can_be_read_only_too(void **state)
{
	(void)state;
	each_way(write_read_only);
	/* For others it is not. */
	assert_true(can_make(at("%s/site/releases/1/cache", dir)));
}

/* --- who may enter --- */

static const struct access_row {
	const char *says;
	uid_t uid;
	gid_t gid;
	mode_t mode;
} accesses[] = {
	{ "open to all", 0, 0, 0755 },
	{ "to be passed through only", 0, 0, 0711 },
	{ "of the pool's user alone", NOBODY, 0, 0700 },
	{ "of the pool's group", 0, NOBODY, 0750 },
};

/* The order of process/spawn.c: groups, tree, user. */
static void enter_as_pool(void *context)
{
	const struct access_row *row = context;

	CHECK(chown(at("%s/site", dir), row->uid, row->gid) == 0);
	CHECK(chmod(at("%s/site", dir), row->mode) == 0);
	CHECK(setresgid(NOBODY, NOBODY, NOBODY) == 0);
	enter_as_root();
	CHECK(pin(false) == 0);
	CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(says(at("%s/site/current/index", dir), "one"));
}

static void test_who_may_enter_the_real_directory_may_enter_the_private_one(void **state)
{
	(void)state;
	only_as_root();
	for (size_t i = 0; i < ARRAY_SIZE(accesses); i++) {
		make_site();
		in_child_row(accesses[i].says, enter_as_pool, (void *)&accesses[i]);
	}
}

/* --- the others --- */

static void look_from_outside(void *context)
{
	char path[64], line[1024];
	bool seen = false;

	(void)context;
	CHECK(unshare(CLONE_NEWNS) == 0);
	CHECK(pin(true) == 0);
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", getppid());
	FILE *mounts = fopen(path, "re");
	CHECK(mounts);
	while (fgets(line, sizeof(line), mounts))
		seen = seen || strstr(line, dir);
	fclose(mounts);
	CHECK(!seen);
}

static void test_nothing_gets_out(void **state)
{
	(void)state;
	only_as_root();
	make_site();
	in_child(look_from_outside, NULL);
}

/* --- what cannot be --- */

/* clang-format off */
static const struct refusal {
	const char *says, *link, *release;
	int error;
} refusals[] = {
	{ "a link in the root",          "/current",          "/",         EINVAL },
	{ "no path at all",              "current",           "/",         EINVAL },
	{ "nothing",                     "",                  "/",         EINVAL },
	{ "no such directory",           "/nowhere/current",  "/nowhere",  ENOENT },
	{ "a file instead of one",       "/proc/self/status/current", "/", ENOTDIR },
};
/* clang-format on */

static void be_refused(void *context)
{
	const struct refusal *row = context;

	enter_as_root();
	CHECK(pin_tree(row->link, row->release, false) == -row->error);
}

static void test_what_cannot_be_pinned_is_told(void **state)
{
	(void)state;
	only_as_root();
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		in_child_row(refusals[i].says, be_refused, (void *)&refusals[i]);
}

static void pin_without_power(void *context)
{
	(void)context;
	CHECK(geteuid() != 0 || setresuid(NOBODY, NOBODY, NOBODY) == 0);
	CHECK(pin(false) == -EPERM);
}

static void test_it_needs_power(void **state)
{
	(void)state;
	make_site();
	in_child(pin_without_power, NULL);
}

static void lose_the_release(void *context)
{
	(void)context;
	enter_as_root();
	CHECK(pin_tree(at("%s/site/current", dir), at("%s/site/releases/9", dir), true) == -ENOENT);
}

static void test_a_release_that_is_gone_is_told(void **state)
{
	(void)state;
	only_as_root();
	make_site();
	in_child(lose_the_release, NULL);
}

/* --- the cover --- */

static struct pin_cover run_dir_of_ours(void)
{
	return (struct pin_cover){ .path = at("%s/run", dir),
		                   .read_only = "shown",
		                   .writable = "open" };
}

static void live_under_the_cover(void *context)
{
	const struct way *way = context;
	struct pin_cover cover;
	char text[16];

	way->enter();
	cover = run_dir_of_ours();
	CHECK(pin_cover(&cover) == 0);
	CHECK(access(at("%s/run/control", dir), F_OK) < 0 && errno == ENOENT);
	CHECK(access(at("%s/run/private", dir), F_OK) < 0 && errno == ENOENT);
	CHECK(read_file(at("%s/run/shown/script", dir), text, sizeof(text)) == 6);
	CHECK(open(at("%s/run/shown/other", dir), O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS);
	CHECK(mkdir(at("%s/run/other", dir), 0700) < 0 && errno == EROFS);
	CHECK(open(at("%s/run/open/pid", dir), O_CREAT | O_WRONLY, 0666) >= 0);
	CHECK(pin(false) == 0);
	CHECK(access(at("%s/run/control", dir), F_OK) < 0 && errno == ENOENT);
}

static void test_a_covered_directory_shows_two_others_only(void **state)
{
	(void)state;
	only_as_root();
	each_way(live_under_the_cover);
	assert_int_equal(access(at("%s/run/control", dir), F_OK), 0);
	assert_int_equal(access(at("%s/run/open/pid", dir), F_OK), 0);
}

static void cover_nothing(void *context)
{
	const struct pin_cover nowhere = { "/nowhere", "shown", "open" };
	struct pin_cover cover = run_dir_of_ours();

	(void)context;
	enter_as_root();
	CHECK(pin_cover(&nowhere) == -ENOENT);
	cover.writable = "lost";
	CHECK(pin_cover(&cover) == -ENOENT);
}

static void test_what_cannot_be_covered_is_told(void **state)
{
	(void)state;
	only_as_root();
	make_site();
	make_run_dir();
	in_child(cover_nothing, NULL);
}

/* --- by path --- */

#define BODY                                                                                       \
	"    $docroot = $docroot === '' ? '' : '/' . $docroot;\n"                                  \
	"    $root = $release . $docroot;\n"                                                       \
	"    $asked = rtrim($_SERVER['DOCUMENT_ROOT'] ?? '', '/');\n"                              \
	"    if ($asked !== '' && $asked !== $link . $docroot && $asked !== $root) {\n"            \
	"        error_log(\"twinit: request for document root '$asked', but this pool is \"\n"    \
	"            . \"pinned to '$link$docroot'; give each site a pool of its own\");\n"        \
	"        http_response_code(500);\n"                                                       \
	"        exit;\n"                                                                          \
	"    }\n"                                                                                  \
	"    $_SERVER['DOCUMENT_ROOT'] = $root;\n"                                                 \
	"    $_SERVER['SCRIPT_FILENAME'] = $root . $_SERVER['SCRIPT_NAME'];\n"                     \
	"    if (isset($_SERVER['PATH_TRANSLATED'])) {\n"                                          \
	"        $_SERVER['PATH_TRANSLATED'] = $root . ($_SERVER['PATH_INFO'] ?? '');\n"           \
	"    }\n"                                                                                  \
	"})();\n"
#define HEAD "<?php /* Made by twinit: the release of this replica. */\n(static function () {\n"

/* clang-format off */
static const struct {
	const char *says, *link, *release, *docroot, *own, *written;
} prepends[] = {
	{ "plain names", "/srv/current", "/srv/releases/1", "public", "/etc/own.php",
	  HEAD "    $link = '/srv/current';\n    $release = '/srv/releases/1';\n    $docroot = 'public';\n"
	  BODY "require '/etc/own.php';\n" },
	{ "neither document root nor file of its own", "/srv/current", "/srv/releases/1", "", "",
	  HEAD "    $link = '/srv/current';\n    $release = '/srv/releases/1';\n    $docroot = '';\n"
	  BODY },
	{ "quotes and backslashes", "/s'rv/cur\\rent", "/s'/\\'1\\\\", "pub'lic\\", "/o'w\\n.php",
	  HEAD "    $link = '/s\\'rv/cur\\\\rent';\n    $release = '/s\\'/\\\\\\'1\\\\\\\\';\n"
	  "    $docroot = 'pub\\'lic\\\\';\n"
	  BODY "require '/o\\'w\\\\n.php';\n" },
	{ "what means something elsewhere", "/$x/{$y}", "/?>\n<b>", "\"%s\"", "",
	  HEAD "    $link = '/$x/{$y}';\n    $release = '/?>\n<b>';\n    $docroot = '\"%s\"';\n"
	  BODY },
};
/* clang-format on */

static void test_the_prepended_file_is_byte_exact(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(prepends); i++) {
		char *text = NULL;
		size_t size = 0;
		FILE *out = open_memstream(&text, &size);

		assert_int_equal(pin_write_prepend(out, prepends[i].link, prepends[i].release,
		                                   prepends[i].docroot, prepends[i].own),
		                 0);
		fclose(out);
		if (strcmp(text, prepends[i].written) != 0)
			fail_msg("%s: got\n%s", prepends[i].says, text);
		free(text);
	}
}

static void test_what_cannot_be_written_is_told(void **state)
{
	FILE *full = fopen("/dev/full", "we");

	(void)state;
	assert_non_null(full);
	assert_int_equal(pin_write_prepend(full, "/a", "/b", "", ""), -ENOSPC);
	fclose(full);
}

static void test_each_kind_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(pin_name(PIN_NONE), "none");
	assert_string_equal(pin_name(PIN_MOUNT), "namespace");
	assert_string_equal(pin_name(PIN_USERNS), "namespace (user namespace)");
	assert_string_equal(pin_name(PIN_PATH), "path");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_everything_is_there_whatever_it_is_called),
		TEST(test_a_moved_link_changes_nothing_inside),
		TEST(test_the_working_directory_is_kept_by_its_path),
		TEST(test_the_tree_is_read_only_and_the_rest_is_live),
		TEST(test_a_release_can_be_read_only_too),
		TEST(test_who_may_enter_the_real_directory_may_enter_the_private_one),
		TEST(test_nothing_gets_out),
		TEST(test_what_cannot_be_pinned_is_told),
		TEST(test_it_needs_power),
		TEST(test_a_release_that_is_gone_is_told),
		TEST(test_a_covered_directory_shows_two_others_only),
		TEST(test_what_cannot_be_covered_is_told),
		TEST(test_the_prepended_file_is_byte_exact),
		TEST(test_what_cannot_be_written_is_told),
		TEST(test_each_kind_has_a_name),
	};

	return cmocka_run_group_tests_name("release/pin", tests, scratch_begin, scratch_end);
}
