#include "listen/steer.h"

#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <sys/socket.h>

int steer_to(int fd, unsigned index)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, index) };
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) < 0
	               ? -errno
	               : 0;
}

int steer_by_source(int fd, unsigned index, uint32_t source, unsigned other)
{
	const uint32_t version_at = (uint32_t)SKF_NET_OFF, source_at = version_at + 12;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, version_at),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x40, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, source_at),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, source, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, other),
		BPF_STMT(BPF_RET | BPF_K, index),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) < 0
	               ? -errno
	               : 0;
}

int steer_drop_syn(int fd)
{
	enum { TCP_FLAGS = 13, SYN = 0x02, ACK = 0x10, ALL = 0xffff };
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN | ACK),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, ALL),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
	                                                                                   : 0;
}

int steer_hide(int fd)
{
	int no_interface = INT_MAX;

	return setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &no_interface, sizeof(no_interface)) < 0
	               ? -errno
	               : 0;
}
