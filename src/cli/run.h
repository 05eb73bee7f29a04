/* run.h - start PID 1, in one of its three shapes. */
#pragma once

#include <stdbool.h>

#include "util/macros.h"

/* True when @argv is an inherited CMD like `php-fpm -F`, which means: run the masters. */
bool run_is_fpm(int argc, char *argv[]);

/* Run the masters with what `php-fpm ARG...` asks for.  Returns the exit status. */
int run_fpm(int argc, char *argv[]);

/* Run another command as a plain init.  Returns its exit status. */
int run_plain(char *argv[]);

/* Let the environment say what the arguments of such an FPM do.  False when memory is short. */
MUST_CHECK bool run_take_fpm(int argc, char *argv[]);
