/*
 * Linked into the twinit that is built with sanitizers.  What they find goes into files in the
 * folder REPORTS, whichever process and user it was: stderr is the log of the test, or nobody's.
 */
#define TEXT(folder)        #folder
#define OPTIONS_FOR(folder) "log_path=" TEXT(folder) "/report:exitcode=86"
#define OPTIONS             OPTIONS_FOR(REPORTS)

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

/* PID 1 cannot be traced, so its leaks cannot be looked for; unit tests and valgrind do. */
const char *__asan_default_options(void)
{
	return OPTIONS ":detect_leaks=0";
}

const char *__ubsan_default_options(void)
{
	return OPTIONS ":print_stacktrace=1";
}
