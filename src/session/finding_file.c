#include "session/finding_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "util/text.h"

enum { MAGIC = 0x66696e64 /* "find" */ };

struct header {
	uint32_t magic;
	uint32_t count, left_off, member_count;
};

static int write_all(int fd, const void *bytes, size_t size)
{
	ssize_t n = write(fd, bytes, size);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -ENOSPC;
}

int finding_file_write(int fd, const struct findings *findings)
{
	const struct header header = {
		.magic = MAGIC,
		.count = findings->count,
		.left_off = findings->left_off,
		.member_count = findings->member_count,
	};
	int r = write_all(fd, &header, sizeof(header));

	if (r == 0)
		r = write_all(fd, findings->list, findings->count * sizeof(findings->list[0]));
	if (r == 0)
		r = write_all(fd, findings->members,
		              findings->member_count * sizeof(findings->members[0]));
	return r;
}

static int read_all(int fd, void *bytes, size_t size, off_t *at)
{
	ssize_t n = pread(fd, bytes, size, *at);

	if (n < 0)
		return -errno;
	*at += (off_t)size;
	return (size_t)n == size ? 0 : -EPROTO;
}

/* Whatever a server said: nothing that a terminal would obey. */
static void tame_texts(struct findings *findings)
{
	for (uint32_t i = 0; i < findings->count; i++) {
		struct finding *f = &findings->list[i];

		text_tame(f->subject, sizeof(f->subject));
		text_tame(f->seen, sizeof(f->seen));
		text_tame(f->fix, sizeof(f->fix));
	}
	for (uint32_t i = 0; i < findings->member_count; i++) {
		struct member *m = &findings->members[i];

		text_tame(m->id, sizeof(m->id));
		text_tame(m->hostname, sizeof(m->hostname));
		text_tame(m->service, sizeof(m->service));
		text_tame(m->addresses, sizeof(m->addresses));
	}
}

int finding_file_read(int fd, struct findings *findings)
{
	struct header header;
	off_t at = 0;
	int r = read_all(fd, &header, sizeof(header), &at);

	if (r < 0)
		return r;
	if (header.magic != MAGIC || header.count > FINDINGS_MAX ||
	    header.member_count > MEMBERS_MAX)
		return -EPROTO;
	memset(findings, 0, sizeof(*findings));
	r = read_all(fd, findings->list, header.count * sizeof(findings->list[0]), &at);
	if (r == 0)
		r = read_all(fd, findings->members,
		             header.member_count * sizeof(findings->members[0]), &at);
	if (r < 0)
		return r;
	findings->count = header.count;
	findings->left_off = header.left_off;
	findings->member_count = header.member_count;
	tame_texts(findings);
	return 0;
}
