/* gather.h - the facts of `twinit check`, each asked with a deadline. */
#pragma once

#include "config/config.h"
#include "doctor/facts.h"

enum { GATHER_MASTERS_MAX = 256 };

/* The twinit that runs here, and its masters; nothing of it has to be there. */
struct gathered {
	struct twinit_facts twinit;
	uid_t uid; /* as whom it runs; only if there is one */
	bool found;
	char run_dir[CONFIG_PATH_SIZE];
	/* Its command line: words that each end with a NUL; 0 bytes: not known. */
	char command[2 * CONFIG_PATH_SIZE];
	size_t command_size;
	unsigned master_count;
	struct gathered_master {
		char app[NAME_SIZE];
		pid_t pid;
	} masters[GATHER_MASTERS_MAX];
};

/*
 * Ask the twinit that runs, if there is one; @config says where, NULL when it cannot be read. Waits
 * some seconds at most.
 */
void gather_twinit(const struct config *config, struct gathered *gathered);

/* Look at app @index of @config; waits half a minute at most. */
void gather_app(const struct config *config, size_t index, const struct gathered *gathered,
                struct app_facts *facts);
