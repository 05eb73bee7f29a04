#include "util/passing.h"

#include <string.h>
#include <sys/socket.h>

/* Room for one descriptor beside a message (cmsg(3)). */
union ancillary {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

ssize_t passing_send(int socket, const void *bytes, size_t size, int fd, int flags)
{
	union ancillary ancillary = { .header = {
					      .cmsg_level = SOL_SOCKET,
					      .cmsg_type = SCM_RIGHTS,
					      .cmsg_len = CMSG_LEN(sizeof(int)),
				      } };
	struct iovec part = { .iov_base = (void *)bytes, .iov_len = size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd >= 0) {
		memcpy(CMSG_DATA(&ancillary.header), &fd, sizeof(fd));
		message.msg_control = &ancillary;
		message.msg_controllen = sizeof(ancillary);
	}
	return sendmsg(socket, &message, flags);
}

/* The last close of a socket may wait for its peer (SO_LINGER); of what is no socket it does not.
 */
static void do_not_linger(int fd)
{
	const struct linger none = { 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

ssize_t passing_receive(int socket, void *bytes, size_t size, int *fd, int flags)
{
	union ancillary ancillary;
	struct iovec part = { .iov_base = bytes, .iov_len = size };
	/* CMSG_SPACE() is rounded up, to room for a second one that nobody would close. */
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &ancillary,
		.msg_controllen = CMSG_LEN(sizeof(int)),
	};
	ssize_t n = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *header = n < 0 ? NULL : CMSG_FIRSTHDR(&message);

	if (header && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int))) {
		memcpy(fd, CMSG_DATA(header), sizeof(*fd));
		do_not_linger(*fd);
	}
	return n;
}
