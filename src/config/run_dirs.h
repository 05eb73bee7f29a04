/* run_dirs.h - where a twinit that was told nothing else keeps its run directory. */
#pragma once

/* In the order in which they are tried; NULL ends them. */
extern const char *const run_dirs[];
