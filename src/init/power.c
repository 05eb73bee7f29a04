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
		log_write(NOTICE_MASTERS_ROOT, app->config.name,
		          "pools have several users or chroot, so masters stay root, with "
		          "SETUID, SETGID, KILL%s%s%s only",
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
		log_write(NOTICE_CONFINE_OFF, app->config.name,
		          "confine = off, so PHP has no syscall filter but the container's");
	if (now->app.confine == CONFINE_OFF)
		return;
	if (now->app.confine == CONFINE_STANDARD && first && !filter_is_present())
		log_write(NOTICE_CONFINE_ALLOW_LIST, app->config.name,
		          "the container has no syscall filter, so PHP gets a list of what is "
		          "allowed, too");
	if (now->needs.ptrace && !(before && before->needs.ptrace))
		log_write(NOTICE_CONFINE_OPENED, app->config.name,
		          "request_slowlog_timeout is set, so the syscall filter allows ptrace");
	if (now->needs.chroot && !(before && before->needs.chroot))
		log_write(NOTICE_CONFINE_OPENED, app->config.name,
		          "a pool has chroot, so the syscall filter allows it");
}

void power_say(const struct app *app)
{
	say_privileges(app);
	say_confinement(app);
}
