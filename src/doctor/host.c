#include <errno.h>
#include <string.h>

#include "confine/caps.h"
#include "doctor/doctor.h"

enum { FILES_LEAST = 4096, GRACE_MS = 5000 };

/* close_range(2), and Seccomp_filters in /proc. */
enum { KERNEL_MAJOR = 5, KERNEL_MINOR = 9 };

void doctor_judge_config(const char *file, struct diagnoses *diagnoses)
{
	diagnoses_note(diagnoses, DIAGNOSIS_CONFIG, DIAGNOSIS_OK, "", NULL,
	               "defaults, %s%sand the TWINIT_* variables of this environment", file,
	               file[0] ? " " : "");
}

void doctor_note_ignored(const char *sentence, struct diagnoses *diagnoses)
{
	diagnoses_note(diagnoses, DIAGNOSIS_CONFIG, DIAGNOSIS_WARNING, "",
	               "correct its name or value, or remove it", "%s", sentence);
}

static void judge_kernel(const struct host_facts *host, struct diagnoses *d)
{
	bool old = host->kernel_major < KERNEL_MAJOR ||
	           (host->kernel_major == KERNEL_MAJOR && host->kernel_minor < KERNEL_MINOR);

	if (old)
		diagnoses_note(d, DIAGNOSIS_KERNEL, DIAGNOSIS_WARNING, "",
		               "run on Linux 5.9 or newer", "Linux %s is older than 5.9",
		               host->kernel);
	else
		diagnoses_note(d, DIAGNOSIS_KERNEL, DIAGNOSIS_OK, "", NULL, "Linux %s",
		               host->kernel);
}

static void judge_steering(const struct host_facts *host, struct diagnoses *d)
{
	if (host->steering == 0)
		diagnoses_note(d, DIAGNOSIS_STEERING, DIAGNOSIS_OK, "", NULL,
		               "tried on the loopback: the kernel steers new TCP connections");
	else if (host->steering == -ENOSYS)
		diagnoses_note(d, DIAGNOSIS_STEERING, DIAGNOSIS_WARNING, "",
		               "let FPM listen on a unix socket, or find out what forbids "
		               "SO_ATTACH_REUSEPORT_CBPF (gVisor and some sandboxes)",
		               "tried on the loopback: the kernel does not steer TCP "
		               "connections, so old and new masters share them during a roll");
	else
		diagnoses_note(d, DIAGNOSIS_STEERING, DIAGNOSIS_WARNING, "",
		               "give the container a loopback interface", "cannot be tried: %s",
		               strerror(-host->steering));
}

static void judge_user(const struct host_facts *host, struct diagnoses *d)
{
	if (host->twinit_known && host->twinit_uid != host->uid)
		diagnoses_note(d, DIAGNOSIS_USER, DIAGNOSIS_WARNING, "",
		               "run `twinit check` as the user of twinit (docker exec -u UID)",
		               "this check runs as user %u, twinit as user %u: what it says of "
		               "capabilities, limits and files is about user %u",
		               (unsigned)host->uid, (unsigned)host->twinit_uid,
		               (unsigned)host->uid);
	else
		diagnoses_note(d, DIAGNOSIS_USER, DIAGNOSIS_OK, "", NULL, "user %u%s",
		               (unsigned)host->uid,
		               host->uid == 0 ? ", PHP runs as the pools' users"
		                              : ", as whom PHP runs, too");
}

static void judge_capabilities(const struct host_facts *host, struct diagnoses *d)
{
	const uint64_t least = CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_KILL);
	const char *admin = host->caps & CAP_BIT(CAP_SYS_ADMIN) ? "with" : "without";

	if (host->uid == 0 && (host->caps & least) != least)
		diagnoses_note(d, DIAGNOSIS_CAPABILITIES, DIAGNOSIS_PROBLEM, "",
		               "cap_add: [SETUID, SETGID, KILL], or start the container as the "
		               "pools' user",
		               "root without%s%s%s cannot run PHP as the pools' users and end it",
		               host->caps & CAP_BIT(CAP_SETUID) ? "" : " SETUID",
		               host->caps & CAP_BIT(CAP_SETGID) ? "" : " SETGID",
		               host->caps & CAP_BIT(CAP_KILL) ? "" : " KILL");
	else if (host->uid == 0)
		diagnoses_note(d, DIAGNOSIS_CAPABILITIES, DIAGNOSIS_OK, "", NULL,
		               "SETUID, SETGID and KILL, which root needs, %s SYS_ADMIN", admin);
	else
		diagnoses_note(d, DIAGNOSIS_CAPABILITIES, DIAGNOSIS_OK, "", NULL,
		               "none is needed; %s SYS_ADMIN", admin);
}

static void judge_confinement(const struct host_facts *host, struct diagnoses *d)
{
	diagnoses_note(d, DIAGNOSIS_SECCOMP, DIAGNOSIS_OK, "", NULL, "%s",
	               host->seccomp ? "the container has a syscall filter; unless confine = off, "
	                               "PHP gets twinit's list of denied calls on top"
	                             : "the container has no syscall filter; unless confine = off, "
	                               "PHP gets twinit's lists of denied and of allowed calls");
	diagnoses_note(d, DIAGNOSIS_APPARMOR, DIAGNOSIS_OK, "", NULL, "%s%s",
	               host->apparmor[0] ? "profile " : "no profile", host->apparmor);
}

static void judge_files(const struct host_facts *host, struct diagnoses *d)
{
	if (host->open_files < FILES_LEAST)
		diagnoses_note(d, DIAGNOSIS_FILES, DIAGNOSIS_WARNING, "",
		               "raise it: docker run --ulimit nofile=65536 (compose: ulimits)",
		               "the hard limit of open files is %llu; many pools and connections "
		               "need more",
		               (unsigned long long)host->open_files);
	else
		diagnoses_note(d, DIAGNOSIS_FILES, DIAGNOSIS_OK, "", NULL,
		               "up to %llu open files in a process",
		               (unsigned long long)host->open_files);
}

static void judge_stop_grace(uint32_t stop_ms, struct diagnoses *d)
{
	diagnoses_note(d, DIAGNOSIS_STOP_GRACE, DIAGNOSIS_OK, "", NULL,
	               "a container cannot see its grace period: stop_grace_period (docker run "
	               "--stop-timeout, terminationGracePeriodSeconds) has to be %u s or more, "
	               "because stop_timeout is %u s",
	               (stop_ms + GRACE_MS + 999) / 1000, (stop_ms + 999) / 1000);
}

static void judge_twinit_elsewhere(const struct twinit_facts *twinit, struct diagnoses *d)
{
	const char *state = !twinit->healthy   ? "not healthy"
	                    : twinit->degraded ? "degraded"
	                                       : "healthy";

	diagnoses_note(d, DIAGNOSIS_TWINIT, twinit->healthy ? DIAGNOSIS_WARNING : DIAGNOSIS_PROBLEM,
	               "", "run `twinit check` in its container, for example with docker exec",
	               "%s is %s, and runs in another PID namespace: its configuration, its PHP "
	               "and its limits may be others than those that are seen here",
	               twinit->version, state);
}

static void judge_twinit(const struct twinit_facts *twinit, struct diagnoses *d)
{
	if (!twinit->running)
		diagnoses_note(d, DIAGNOSIS_TWINIT, DIAGNOSIS_OK, "", NULL, "%s",
		               twinit->why[0] ? twinit->why : "none runs here");
	else if (twinit->elsewhere)
		judge_twinit_elsewhere(twinit, d);
	else if (!twinit->healthy)
		diagnoses_note(d, DIAGNOSIS_TWINIT, DIAGNOSIS_PROBLEM, "", "see `twinit status`",
		               "%s runs as pid %u and is not healthy: %s", twinit->version,
		               twinit->pid, twinit->why);
	else if (twinit->degraded)
		diagnoses_note(d, DIAGNOSIS_TWINIT, DIAGNOSIS_WARNING, "", "see `twinit status`",
		               "%s runs as pid %u and is degraded: %s", twinit->version,
		               twinit->pid, twinit->why);
	else
		diagnoses_note(d, DIAGNOSIS_TWINIT, DIAGNOSIS_OK, "", NULL,
		               "%s runs as pid %u and is healthy", twinit->version, twinit->pid);
}

void doctor_judge_host(const struct host_facts *host, const struct twinit_facts *twinit,
                       uint32_t stop_ms, struct diagnoses *diagnoses)
{
	judge_kernel(host, diagnoses);
	judge_steering(host, diagnoses);
	judge_user(host, diagnoses);
	judge_capabilities(host, diagnoses);
	judge_confinement(host, diagnoses);
	judge_files(host, diagnoses);
	judge_stop_grace(stop_ms, diagnoses);
	judge_twinit(twinit, diagnoses);
}
