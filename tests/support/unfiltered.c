/*
 * Linked, with --wrap=prctl, into the twinit that qemu runs: qemu 7 refuses the programs it runs a
 * syscall filter, and twinit starts nobody without one.  Here loading one succeeds and does
 * nothing.
 */
#include <stdarg.h>
#include <sys/prctl.h>

enum { ARGUMENTS = 4 };

int __real_prctl(int option, ...);
int __wrap_prctl(int option, ...);

int __wrap_prctl(int option, ...)
{
	unsigned long words[ARGUMENTS];
	va_list args;

	va_start(args, option);
	for (int i = 0; i < ARGUMENTS; i++)
		words[i] = va_arg(args, unsigned long);
	va_end(args);
	if (option == PR_SET_SECCOMP)
		return 0;
	return __real_prctl(option, words[0], words[1], words[2], words[3]);
}
