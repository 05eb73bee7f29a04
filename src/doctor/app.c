#include <stdio.h>

#include "doctor/doctor.h"

static void judge_docroot(const struct app_facts *app, struct diagnoses *d)
{
	const struct app_config *c = &app->config;
	const struct fpm_scripts *scripts = &app->traffic.scripts;
	char root[2 * CONFIG_PATH_SIZE];
	char fix[DIAGNOSIS_TEXT_SIZE];

	config_site_root(c, root, sizeof(root));
	if (!app->release.docroot) {
		diagnoses_note(
			d, DIAGNOSIS_DOCROOT, DIAGNOSIS_PROBLEM, c->name,
			"set docroot to the directory with index.php, relative to the release",
			"%s is no directory in the release", root);
		return;
	}
	snprintf(fix, sizeof(fix),
	         "the web server has to say so: fastcgi_param SCRIPT_FILENAME "
	         "%.400s$fastcgi_script_name (never $realpath_root)",
	         root);
	if (scripts->through < scripts->seen)
		diagnoses_note(d, DIAGNOSIS_DOCROOT, DIAGNOSIS_WARNING, c->name, fix,
		               "%u of the last %u scripts were not asked for through the link, so "
		               "that nothing pins them: '%s'",
		               scripts->seen - scripts->through, scripts->seen, scripts->example);
	else if (scripts->seen > 0)
		diagnoses_note(d, DIAGNOSIS_DOCROOT, DIAGNOSIS_OK, c->name, NULL,
		               "the last %u scripts were asked for through the link",
		               scripts->seen);
	else
		diagnoses_note(d, DIAGNOSIS_DOCROOT, DIAGNOSIS_OK, c->name, fix,
		               "scripts are to be asked for through the link, below %s", root);
}

static void judge_release(const struct app_facts *app, struct diagnoses *d)
{
	const struct app_config *c = &app->config;
	const struct release_facts *r = &app->release;

	if (c->release[0] == '\0') {
		diagnoses_note(d, DIAGNOSIS_RELEASE, DIAGNOSIS_OK, c->name, NULL,
		               "release is not set: the code is in the image, or is not pinned");
		return;
	}
	if (!r->known || !r->ok) {
		diagnoses_note(d, DIAGNOSIS_RELEASE, DIAGNOSIS_PROBLEM, c->name,
		               "let release name a symlink that leads to a directory, as deployers "
		               "make it, on a file system that answers",
		               "%s", r->known ? r->why : "the release could not be read in time");
		return;
	}
	if (r->empty)
		diagnoses_note(d, DIAGNOSIS_RELEASE, DIAGNOSIS_PROBLEM, c->name,
		               "deploy into it before the symlink leads there",
		               "the release %s is empty", r->path);
	else
		diagnoses_note(d, DIAGNOSIS_RELEASE, DIAGNOSIS_OK, c->name, NULL,
		               "the symlink %s leads to %s", c->release, r->path);
	judge_docroot(app, d);
}

static void judge_isolation(const struct app_facts *app, struct diagnoses *d)
{
	const struct isolation_facts *i = &app->isolation;
	const char *name = app->config.name;
	const bool release = app->config.release[0] != '\0';

	if (!i->known || !i->ok)
		diagnoses_note(
			d, DIAGNOSIS_ISOLATION, DIAGNOSIS_PROBLEM, name,
			i->known ? NULL : "look whether the release's file system answers", "%s",
			i->known ? i->why : "whether releases can be pinned could not be tried");
	else if (i->pin == PIN_MOUNT || i->pin == PIN_USERNS)
		diagnoses_note(d, DIAGNOSIS_ISOLATION, DIAGNOSIS_OK, name, NULL,
		               "tried: replicas can have a mount namespace%s",
		               i->pin == PIN_USERNS ? " in a user namespace" : "");
	else if (i->pin == PIN_PATH)
		diagnoses_note(d, DIAGNOSIS_ISOLATION, DIAGNOSIS_OK, name, NULL,
		               "releases are pinned by path%s%s", i->why[0] ? ": " : "", i->why);
	else
		diagnoses_note(d, DIAGNOSIS_ISOLATION, release ? DIAGNOSIS_WARNING : DIAGNOSIS_OK,
		               name, release ? "set isolation = auto" : NULL, "%s",
		               release ? "isolation = none: while the symlink moves, one request "
		                         "may run two releases"
		                       : "no mount namespace, and no release to pin");
}

static enum diagnosis_result result_of(uint32_t finding)
{
	if (finding == FINDING_FAILED)
		return DIAGNOSIS_PROBLEM;
	return finding == FINDING_WARNING ? DIAGNOSIS_WARNING : DIAGNOSIS_OK;
}

static void note_finding(const char *app, const struct finding *f, struct diagnoses *d)
{
	char subject[DIAGNOSIS_SUBJECT_SIZE];

	snprintf(subject, sizeof(subject), "%s: %.300s", app, f->subject);
	diagnoses_note(d, DIAGNOSIS_SESSIONS, result_of(f->result), subject, f->fix, "%s: %s",
	               finding_name(f->id), f->seen);
}

/* What is well is one line, or a good store would fill the screen. */
static void judge_sessions(const struct app_facts *app, struct diagnoses *d)
{
	const struct findings *findings = &app->sessions.findings;
	unsigned well = 0;

	if (!app->sessions.known) {
		if (app->php.ok)
			diagnoses_note(d, DIAGNOSIS_SESSIONS, DIAGNOSIS_PROBLEM, app->config.name,
			               "see `twinit sessions`",
			               "the session stores could not be asked in time");
		return;
	}
	if (app->sessions.required && !app->sessions.uses_redis)
		diagnoses_note(d, DIAGNOSIS_SESSIONS, DIAGNOSIS_PROBLEM, app->config.name,
		               "set session.save_handler = redis, or verify = auto",
		               "verify = required, but no pool keeps its sessions in Redis");
	for (uint32_t i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->list[i];

		if (f->result == FINDING_OK)
			well++;
		else
			note_finding(app->config.name, f, d);
	}
	if (well > 0)
		diagnoses_note(d, DIAGNOSIS_SESSIONS, DIAGNOSIS_OK, app->config.name, NULL,
		               "%u question%s about session stores %s answered well; `twinit "
		               "sessions` shows more",
		               well, well == 1 ? "" : "s", well == 1 ? "was" : "were");
}

static void judge_kept(const struct app_facts *app, struct diagnoses *d)
{
	const struct traffic_facts *k = &app->traffic;

	if (!k->known)
		diagnoses_note(d, DIAGNOSIS_KEEP_CONN, DIAGNOSIS_OK, app->config.name,
		               "keep fastcgi_keep_conn off, which is nginx's default",
		               "whether web servers keep connections is seen while twinit runs");
	else if (k->kept > 0)
		diagnoses_note(d, DIAGNOSIS_KEEP_CONN, DIAGNOSIS_WARNING, app->config.name,
		               "nginx: fastcgi_keep_conn off, no keepalive in the upstream",
		               "%u of %u workers wait for a request on a connection that somebody "
		               "keeps open: a drain waits for them, and ends by cutting them",
		               k->kept, k->workers);
	else
		diagnoses_note(d, DIAGNOSIS_KEEP_CONN, DIAGNOSIS_OK, app->config.name, NULL,
		               "none of %u workers has a connection without a request", k->workers);
}

void doctor_judge_app(const struct app_facts *app, const struct host_facts *host,
                      struct diagnoses *diagnoses)
{
	judge_release(app, diagnoses);
	judge_isolation(app, diagnoses);
	doctor_judge_php(app, host, diagnoses);
	judge_kept(app, diagnoses);
	judge_sessions(app, diagnoses);
}
