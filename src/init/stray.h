/*
 * stray.h - workers whose master died before them.
 *
 * They go on serving the shared socket, and nobody watches their time.  They are told to finish
 * what they have, and killed when they do not.
 */
#pragma once

#include "init/state.h"

/* Take care of whoever is left of the process group @group.  Fine when nobody is. */
void stray_adopt(struct supervisor *supervisor, pid_t group);

/* Somebody was reaped: forget the groups that have become empty. */
void strays_look(struct supervisor *supervisor);

bool strays_left(const struct supervisor *supervisor);

/* SIGKILL all of them. */
void strays_kill(struct supervisor *supervisor);
