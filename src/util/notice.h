/*
 * notice.h - what only the log is told: a name for machines and a level for each such line.
 *
 * What commands and `on_event` hear of, too, is news (control/news.h).  doc/log.md has both, which
 * a test compares.
 */
#pragma once

enum log_level {
	LOG_ERROR,   /* someone must act */
	LOG_WARNING, /* noteworthy; the line says what happens anyway */
	LOG_INFO,    /* a change of state */
};

enum notice {
	/* the container */
	NOTICE_STARTED,
	NOTICE_STOPPED,
	NOTICE_CONFIG_REFUSED,
	NOTICE_VARIABLE_IGNORED,
	NOTICE_RUN_DIR_FALLBACK,
	NOTICE_RUN_DIR_TAKEN,
	NOTICE_RUN_DIR_UNUSABLE,
	NOTICE_BOOT_FAILED,
	NOTICE_STOP_TIMEOUT,
	NOTICE_SIGNAL_IGNORED,
	NOTICE_ROLL_IGNORED,
	NOTICE_CONTROL_REFUSED,
	NOTICE_LOG_DROPPED,
	/* what masters may do, and see */
	NOTICE_ISOLATION,
	NOTICE_ISOLATION_NONE,
	NOTICE_NOT_STEERED,
	NOTICE_MASTERS_ROOT,
	NOTICE_CONFINE_OFF,
	NOTICE_CONFINE_ALLOW_LIST,
	NOTICE_CONFINE_OPENED,
	/* deploys and rolls */
	NOTICE_DEPLOY_REFUSED,
	NOTICE_DEPLOY_UNCLEAR,
	NOTICE_LINK_MOVED,
	NOTICE_LINK_STUCK,
	NOTICE_SURGE_LOWERED,
	NOTICE_WARM_UP_SKIPPED,
	NOTICE_LINGER_SKIPPED,
	NOTICE_DEATHS_UNSEEN,
	NOTICE_CUTOVER_FAILED,
	NOTICE_BACK_FAILED,
	NOTICE_PUBLISH_FAILED,
	NOTICE_RELEASE_REMOVED,
	/* sessions */
	NOTICE_LOCKS_RELEASED,
	NOTICE_SESSION_UNPROVED,
	NOTICE_MEMBER_KEY_LEFT,
	/* on_event */
	NOTICE_ON_EVENT_OUTPUT,
	NOTICE_ON_EVENT_CUT,
	NOTICE_ON_EVENT_DROPPED,
	NOTICE_ON_EVENT_FAILED,
	/* the system refuses what should work */
	NOTICE_HELPER_DIED,
	NOTICE_HELPER_FAILED,
	NOTICE_HELPER_UNCONFINED,
	NOTICE_LANE_FAILED,
	NOTICE_LANE_UNWATCHED,
	NOTICE_LANES_STAY_OPEN,
	NOTICE_NO_PLACE,
	NOTICE_SIGNAL_FAILED,
	NOTICE_WAIT_FAILED,
	/* `twinit -- CMD` */
	NOTICE_COMMAND_FAILED,
	NOTICE_CONTROL_FAILED,
	NOTICE_COUNT,
};

/* Stable: "helper-died".  Never NULL. */
const char *notice_name(enum notice notice);

/* How it is logged. */
enum log_level notice_level(enum notice notice);
