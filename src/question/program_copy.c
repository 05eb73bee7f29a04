#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/spawn.h"
#include "question/reading.h"
#include "util/cleanup.h"
#include "util/fs.h"

enum { PROGRAM_MAX = 64 * 1024 * 1024 };

void settings_program_link(const char *php_fpm, char *to, size_t size)
{
	const char *slash = strrchr(php_fpm, '/');
	struct text text = text_init(to, size);

	/* The kernel names the process after it, so it has to be what ps shows elsewhere. */
	text_add(&text, PROGRAM_DIR "/%s", slash ? slash + 1 : php_fpm);
}

/* A script is read by its interpreter, which could not. */
static bool is_binary(int fd)
{
	char magic[SELFMAG];

	return pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	       memcmp(magic, ELFMAG, SELFMAG) == 0;
}

static bool copy(int from, off_t size, int to)
{
	for (off_t at = 0; at < size;)
		if (sendfile(to, from, &at, (size_t)(size - at)) <= 0)
			return false;
	/* Sealed by us: a descriptor for writing is not left behind. */
	return fchmod(to, 0111) == 0 &&
	       fcntl(to, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) ==
	               0;
}

static bool make_link(int pin_fd, const char *name)
{
	char target[FD_PATH_SIZE];
	struct text text = TEXT(target);

	text_add(&text, "/proc/self/fd/%d", SPAWN_PROGRAM_FD);
	_cleanup_close_ int bin_fd = make_dir_at(pin_fd, PROGRAM_DIR, 0755);
	if (bin_fd < 0)
		return false;
	return symlinkat(target, pin_fd, name) == 0 || errno == EEXIST;
}

/*
 * Not for FPM's slow log, which reads workers' memory.  Where it cannot be had masters run the
 * program itself, and processes of one user see into each other as they do everywhere.
 */
int program_copy(struct reading *r)
{
	_cleanup_close_ int from = open(r->answer->php_fpm, O_RDONLY | O_CLOEXEC);
	char name[CONFIG_PATH_SIZE];
	struct stat st;

	settings_program_link(r->answer->php_fpm, name, sizeof(name));
	if (r->answer->needs.ptrace || from < 0 || fstat(from, &st) < 0 ||
	    st.st_size > PROGRAM_MAX || !is_binary(from) || !make_link(r->query->pin_fd, name))
		return 0;
	r->answer->program = file_stamp_of(&st);
	r->answer->copied_earlier =
		r->query->active_copied &&
		file_stamp_same(&r->answer->program, &r->query->active->program);
	r->answer->copied = !r->answer->copied_earlier && copy(from, st.st_size, r->query->program);
	return 0;
}
