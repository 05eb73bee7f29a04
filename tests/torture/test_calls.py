"""calls.def is complete: a call that is new in src is either there, or is known to need no torture."""

import re
import subprocess
from pathlib import Path

from container import BUILT
from faults import CALLS

# Cannot fail, or only with wrong arguments; or are for commands, `twinit -- CMD` and addresses that are names.
NO_TORTURE = """
_GLOBAL_OFFSET_TABLE_
_exit assert_fail cap_free cap_get_flag cap_set_flag clock_gettime closedir ctype_b_loc environ errno_location
execvp explicit_bzero fclose feof fprintf fputc fputs free freeReplyObject freeaddrinfo freeifaddrs fwrite
gai_strerror getaddrinfo getdelim getline getegid getenv geteuid gethostname getnameinfo getpagesize getpgrp getpid getrlimit
inet_ntop inet_pton ini_parse_stream isatty json_array json_array_append_new json_array_get json_array_size
json_delete json_dumpfd json_dumps json_false json_integer json_null json_object json_object_get json_object_set_new
json_set_alloc_funcs
json_string
json_true libc_current_sigrtmin lseek madvise memchr memcmp memcpy memmem memrchr memset nss_configure_lookup perror
printf putc putchar puts qsort raise redisFormatCommandArgv redisFreeCommand redisReaderFeed redisReaderFree
redisReaderGetReply sched_cpucount sigaction sigaddset sigdelset sigemptyset sigfillset sigismember signal sigprocmask snprintf
stack_chk_fail stderr stdout strcasecmp strchr strcmp strcspn strerror strlen strncasecmp strncmp strnlen
strpbrk strrchr strsep strsignal strspn strstr strtod strtok_r strtol strtoll strtoul strtoull sysconf tcgetpgrp tcsetpgrp
time umask uname unsetenv vsnprintf waitid
dirfd mkdtemp rmdir
""".split()


def names(option):
    """What the program's own object files define, or need from elsewhere."""
    objects = [str(path) for path in Path(BUILT).resolve().parents[1].glob("src/**/*.o")]
    assert len(objects) > 100, objects
    listed = subprocess.run(["nm", "-P", option, *objects], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {line.split()[0] for line in listed.splitlines() if line and not line.endswith(":")}


def plain(name):
    """What the compiler calls __memcpy_chk or __isoc23_strtol is memcpy or strtol."""
    return re.sub(r"_chk$", "", re.sub(r"^__(isoc23_)?", "", name))


def test_each_call_of_the_program_is_known():
    needed = {plain(name) for name in names("--undefined-only") - names("--defined-only")}
    unknown = needed - {plain(name) for name, _ in CALLS} - set(NO_TORTURE)
    assert not unknown, "neither in calls.def nor in NO_TORTURE: %s" % ", ".join(sorted(unknown))
