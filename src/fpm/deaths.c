#include "fpm/deaths.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* SIGKILL is what FPM sends to an idle worker that does not leave within a second. */
static bool is_asked_for(long signal)
{
	return signal == SIGKILL || signal == SIGQUIT || signal == SIGTERM || signal == SIGINT ||
	       signal == SIGHUP || signal == SIGUSR1 || signal == SIGUSR2;
}

/* The number behind @words in @line; 0 without one. */
static long number_after(const char *line, const char *words)
{
	const char *at = strstr(line, words);

	return at ? strtol(at + strlen(words), NULL, 10) : 0;
}

static bool tells_of_death(const char *line)
{
	const char *child = strstr(line, "] child ");

	if (!child)
		return false;
	long signal = number_after(child, " exited on signal ");
	return (signal > 0 && !is_asked_for(signal)) ||
	       number_after(child, " exited with code ") > 0;
}

unsigned deaths_feed(struct deaths *deaths, const char *data, size_t size)
{
	unsigned count = 0;

	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n') {
			deaths->line[deaths->length] = '\0';
			count += tells_of_death(deaths->line);
			deaths->length = 0;
		} else if (deaths->length + 1 < sizeof(deaths->line)) {
			/* a zero would hide the rest of its line */
			deaths->line[deaths->length++] = (char)(data[i] ? data[i] : ' ');
		}
	}
	return count;
}
