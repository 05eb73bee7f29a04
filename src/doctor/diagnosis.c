#include "doctor/diagnosis.h"

#include <stdarg.h>

#include "util/text.h"

static const char *const names[DIAGNOSIS_ID_COUNT] = {
	[DIAGNOSIS_CONFIG] = "config",
	[DIAGNOSIS_KERNEL] = "kernel",
	[DIAGNOSIS_STEERING] = "steering",
	[DIAGNOSIS_USER] = "user",
	[DIAGNOSIS_CAPABILITIES] = "capabilities",
	[DIAGNOSIS_SECCOMP] = "seccomp",
	[DIAGNOSIS_APPARMOR] = "apparmor",
	[DIAGNOSIS_FILES] = "files",
	[DIAGNOSIS_STOP_GRACE] = "stop-grace",
	[DIAGNOSIS_TWINIT] = "twinit",
	[DIAGNOSIS_RELEASE] = "release",
	[DIAGNOSIS_DOCROOT] = "docroot",
	[DIAGNOSIS_ISOLATION] = "isolation",
	[DIAGNOSIS_FPM] = "fpm",
	[DIAGNOSIS_PHP] = "php",
	[DIAGNOSIS_CONTROL_TIMEOUT] = "control-timeout",
	[DIAGNOSIS_OPCACHE] = "opcache",
	[DIAGNOSIS_TIMESTAMPS] = "timestamps",
	[DIAGNOSIS_FILE_CACHE] = "file-cache",
	[DIAGNOSIS_OPCACHE_RESET] = "opcache-reset",
	[DIAGNOSIS_APCU] = "apcu",
	[DIAGNOSIS_MEMORY] = "memory",
	[DIAGNOSIS_PIDS] = "pids",
	[DIAGNOSIS_PM] = "pm",
	[DIAGNOSIS_WORKERS] = "workers",
	[DIAGNOSIS_BACKLOG] = "backlog",
	[DIAGNOSIS_CLEAR_ENV] = "clear-env",
	[DIAGNOSIS_KEEP_CONN] = "keep-conn",
	[DIAGNOSIS_SESSIONS] = "sessions",
};

static const char *const results[DIAGNOSIS_RESULT_COUNT] = {
	[DIAGNOSIS_OK] = "ok",
	[DIAGNOSIS_WARNING] = "warning",
	[DIAGNOSIS_PROBLEM] = "problem",
};

const char *diagnosis_name(enum diagnosis_id id)
{
	return names[id];
}

const char *diagnosis_result_name(enum diagnosis_result result)
{
	return results[result];
}

void diagnoses_note(struct diagnoses *diagnoses, enum diagnosis_id id, enum diagnosis_result result,
                    const char *subject, const char *fix, const char *format, ...)
{
	va_list args;

	diagnoses->results[result]++;
	if (diagnoses->count == DIAGNOSES_MAX) {
		diagnoses->left_off++;
		return;
	}
	struct diagnosis *d = &diagnoses->list[diagnoses->count++];
	struct text seen = TEXT(d->seen);

	d->id = id;
	d->result = result;
	text_copy_cut(d->subject, sizeof(d->subject), subject);
	text_copy_cut(d->fix, sizeof(d->fix), fix ? fix : "");
	va_start(args, format);
	text_vadd(&seen, format, args);
	va_end(args);
	/* Much of it came from other programs, and goes to a terminal. */
	text_tame(d->seen, sizeof(d->seen));
	text_tame(d->fix, sizeof(d->fix));
	text_tame(d->subject, sizeof(d->subject));
}
