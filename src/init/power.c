#include "init/power.h"

#include <unistd.h>

#include "confine/filter.h"
#include "util/log.h"

/* The container's own filter, where it has one, is its list of what is allowed. */
uint32_t power_filters(const struct generation *generation)
{
	const uint32_t denied = filter_deny(&generation->fpm.needs);

	switch (generation->fpm.app.confine) {
	case CONFINE_STANDARD:
		return filter_is_present() ? denied : denied | FILTER_BIT(FILTER_ALLOW);
	case CONFINE_STRICT:
		return denied | FILTER_BIT(FILTER_ALLOW_STRICT);
	case CONFINE_OFF:
		break;
	}
	return 0;
}

static void say_privileges(const struct app *app)
{
	const struct settings_answer *now = &app->candidate->fpm;
	const struct settings_answer *before = app->active ? &app->active->fpm : NULL;

	if (now->identity.uid == 0 && geteuid() == 0 && !(before && before->caps == now->caps))
		log_write(LOG_INFO,
		          "%s: pools have several users or chroot, so masters stay root, with "
		          "SETUID, SETGID, KILL%s%s%s only",
		          app->config.name,
		          now->caps & CAP_BIT(CAP_SYS_CHROOT) ? ", SYS_CHROOT" : "",
		          now->caps & CAP_BIT(CAP_SYS_PTRACE) ? ", SYS_PTRACE" : "",
		          now->caps & CAP_BIT(CAP_SYS_NICE) ? ", SYS_NICE" : "");
}

static void say_confinement(const struct app *app)
{
	const struct settings_answer *now = &app->candidate->fpm;
	const struct settings_answer *before = app->active ? &app->active->fpm : NULL;
	const bool first = !before || before->app.confine != now->app.confine;

	if (now->app.confine == CONFINE_OFF && first)
		log_write(LOG_WARNING,
		          "%s: confine = off, so PHP has no syscall filter but the container's",
		          app->config.name);
	if (now->app.confine == CONFINE_OFF)
		return;
	if (now->app.confine == CONFINE_STANDARD && first && !filter_is_present())
		log_write(LOG_INFO,
		          "%s: the container has no syscall filter, so PHP gets a list of what is "
		          "allowed, too",
		          app->config.name);
	if (now->needs.ptrace && !(before && before->needs.ptrace))
		log_write(LOG_INFO,
		          "%s: request_slowlog_timeout is set, so the syscall filter allows ptrace",
		          app->config.name);
	if (now->needs.chroot && !(before && before->needs.chroot))
		log_write(LOG_INFO, "%s: a pool has chroot, so the syscall filter allows it",
		          app->config.name);
}

void power_say(const struct app *app)
{
	say_privileges(app);
	say_confinement(app);
}
