/* launch.h - make the process of a master: its sockets, environment and command line. */
#pragma once

#include "init/state.h"
#include "question/private.h"

/*
 * Fork the master with everything it needs: private sockets that listen already, the lane's public
 * sockets, its configuration.  Our own copies of the private sockets are closed afterwards.
 *
 * Returns 0 and fills master->child, or -errno and there is no process.
 */
MUST_CHECK int launch_master(struct master *master);

/* The master has read its configuration: empty its copy, which its workers have open too. */
void launch_forget_config(struct master *master);

/* The name of a private socket of @pool. */
void launch_private_name(const struct master *master, unsigned pool, enum private_kind kind,
                         char name[PRIVATE_NAME_SIZE]);

/* Remove the names of its private sockets. */
void launch_remove_private(const struct master *master);
