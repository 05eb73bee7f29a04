#include "util/notice.h"

#include <assert.h>

#include "util/macros.h"

static const struct {
	const char *name;
	enum log_level level;
} notices[] = {
	[NOTICE_STARTED] = { "started", LOG_INFO },
	[NOTICE_STOPPED] = { "stopped", LOG_INFO },
	[NOTICE_CONFIG_REFUSED] = { "config-refused", LOG_ERROR },
	[NOTICE_VARIABLE_IGNORED] = { "variable-ignored", LOG_WARNING },
	[NOTICE_RUN_DIR_FALLBACK] = { "run-dir-fallback", LOG_INFO },
	[NOTICE_RUN_DIR_TAKEN] = { "run-dir-taken", LOG_ERROR },
	[NOTICE_RUN_DIR_UNUSABLE] = { "run-dir-unusable", LOG_ERROR },
	[NOTICE_BOOT_FAILED] = { "boot-failed", LOG_ERROR },
	[NOTICE_STOP_TIMEOUT] = { "stop-timeout", LOG_WARNING },
	[NOTICE_SIGNAL_IGNORED] = { "signal-ignored", LOG_WARNING },
	[NOTICE_ROLL_IGNORED] = { "roll-ignored", LOG_WARNING },
	[NOTICE_CONTROL_REFUSED] = { "control-refused", LOG_WARNING },
	[NOTICE_LOG_DROPPED] = { "log-dropped", LOG_WARNING },
	[NOTICE_ISOLATION] = { "isolation", LOG_INFO },
	[NOTICE_ISOLATION_NONE] = { "isolation-none", LOG_WARNING },
	[NOTICE_NOT_STEERED] = { "not-steered", LOG_WARNING },
	[NOTICE_MASTERS_ROOT] = { "masters-root", LOG_INFO },
	[NOTICE_CONFINE_OFF] = { "confine-off", LOG_WARNING },
	[NOTICE_CONFINE_ALLOW_LIST] = { "confine-allow-list", LOG_INFO },
	[NOTICE_CONFINE_OPENED] = { "confine-opened", LOG_INFO },
	[NOTICE_DEPLOY_REFUSED] = { "deploy-refused", LOG_ERROR },
	[NOTICE_DEPLOY_UNCLEAR] = { "deploy-unclear", LOG_ERROR },
	[NOTICE_LINK_MOVED] = { "link-moved", LOG_WARNING },
	[NOTICE_LINK_STUCK] = { "link-stuck", LOG_ERROR },
	[NOTICE_SURGE_LOWERED] = { "surge-lowered", LOG_WARNING },
	[NOTICE_WARM_UP_SKIPPED] = { "warm-up-skipped", LOG_WARNING },
	[NOTICE_LINGER_SKIPPED] = { "linger-skipped", LOG_WARNING },
	[NOTICE_DEATHS_UNSEEN] = { "deaths-unseen", LOG_ERROR },
	[NOTICE_CUTOVER_FAILED] = { "cutover-failed", LOG_ERROR },
	[NOTICE_BACK_FAILED] = { "back-failed", LOG_ERROR },
	[NOTICE_PUBLISH_FAILED] = { "publish-failed", LOG_ERROR },
	[NOTICE_RELEASE_REMOVED] = { "release-removed", LOG_WARNING },
	[NOTICE_LOCKS_RELEASED] = { "locks-released", LOG_INFO },
	[NOTICE_SESSION_UNPROVED] = { "session-unproved", LOG_WARNING },
	[NOTICE_MEMBER_KEY_LEFT] = { "member-key-left", LOG_ERROR },
	[NOTICE_ON_EVENT_OUTPUT] = { "on-event-output", LOG_INFO },
	[NOTICE_ON_EVENT_CUT] = { "on-event-cut", LOG_WARNING },
	[NOTICE_ON_EVENT_DROPPED] = { "on-event-dropped", LOG_WARNING },
	[NOTICE_ON_EVENT_FAILED] = { "on-event-failed", LOG_WARNING },
	[NOTICE_HELPER_DIED] = { "helper-died", LOG_WARNING },
	[NOTICE_HELPER_FAILED] = { "helper-failed", LOG_ERROR },
	[NOTICE_HELPER_UNCONFINED] = { "helper-unconfined", LOG_ERROR },
	[NOTICE_LANE_FAILED] = { "lane-failed", LOG_ERROR },
	[NOTICE_LANE_UNWATCHED] = { "lane-unwatched", LOG_ERROR },
	[NOTICE_LANES_STAY_OPEN] = { "lanes-stay-open", LOG_ERROR },
	[NOTICE_NO_PLACE] = { "no-place", LOG_ERROR },
	[NOTICE_SIGNAL_FAILED] = { "signal-failed", LOG_ERROR },
	[NOTICE_WAIT_FAILED] = { "wait-failed", LOG_ERROR },
	[NOTICE_COMMAND_FAILED] = { "command-failed", LOG_ERROR },
	[NOTICE_CONTROL_FAILED] = { "control-failed", LOG_ERROR },
};
_Static_assert(ARRAY_SIZE(notices) == NOTICE_COUNT, "a notice has no row");

const char *notice_name(enum notice notice)
{
	assert(notice < NOTICE_COUNT);
	return notices[notice].name;
}

enum log_level notice_level(enum notice notice)
{
	assert(notice < NOTICE_COUNT);
	return notices[notice].level;
}
