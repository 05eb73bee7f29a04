#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/fcgi_replica.h"
#include "config/parse.h"
#include "fcgi/address.h"
#include "fcgi/exchange.h"
#include "fcgi/fail.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/text.h"

enum { TIMEOUT_MS = 60 * 1000, TIMEOUT_MAX_MS = 24 * 60 * 60 * 1000 };

struct order {
	bool headers, timing;
	uint32_t timeout_ms;
	bool alone;        /* a replica is asked, not an address */
	const char *where; /* either as it was written */
	struct fcgi_replica replica;
	struct fcgi_address address;
	const char *script;
	char **pairs;
	size_t pair_count;
	bool sized; /* CONTENT_LENGTH is among the pairs */
};

static int usage(const char *problem, const char *what)
{
	return command_usage(&fcgi_command, problem, what);
}

/* "5", "0.5", or as in the configuration: "250ms". */
static bool parse_timeout(const char *text, uint32_t *ms)
{
	char *end;

	if (parse_duration(text, ms) < 0) {
		double seconds = strtod(text, &end);

		if (text[strspn(text, "0123456789.")] != '\0' || *end != '\0' ||
		    seconds * 1000 > TIMEOUT_MAX_MS)
			return false;
		*ms = (uint32_t)(seconds * 1000);
	}
	return *ms > 0 && *ms <= TIMEOUT_MAX_MS;
}

/* Those that have a value.  Returns how many words it takes, 0 when it is none of them. */
static int take_value(const char *option, const char *value, struct order *order)
{
	bool replica = strcmp(option, "--replica") == 0;

	if (!replica && strcmp(option, "--timeout") != 0)
		return 0;
	if (!value)
		return -usage("a value is missing after", option);
	if (!replica && !parse_timeout(value, &order->timeout_ms))
		return -usage("--timeout wants seconds from 0.001 to 86400, not", value);
	if (replica && !fcgi_replica_parse(value, &order->replica))
		return -usage("--replica wants APP/N, like www/1, not", value);
	if (replica)
		order->where = value;
	return 2;
}

/* Returns how many words were options, or -EXIT_STATUS. */
static int take_options(int argc, char *argv[], struct order *order)
{
	int at = 1, words;

	for (; at < argc && argv[at][0] == '-'; at += words) {
		words = 1;
		if (strcmp(argv[at], "-i") == 0)
			order->headers = true;
		else if (strcmp(argv[at], "-w") == 0)
			order->timing = true;
		else
			words = take_value(argv[at], argv[at + 1], order);
		if (words <= 0)
			return words < 0 ? words : -usage("unknown option", argv[at]);
	}
	return at;
}

static int take_address(const char *text, struct order *order)
{
	const char *wrong = fcgi_address_parse(text, &order->address);

	return wrong ? usage(wrong, text) : 0;
}

static int take_words(char *argv[], struct order *order)
{
	order->alone = order->where != NULL;
	if (!order->alone) {
		order->where = *argv++;
		if (!order->where)
			return usage("ADDRESS and SCRIPT are missing", "");
		int r = take_address(order->where, order);
		if (r != 0)
			return r;
	}
	order->script = *argv++;
	if (!order->script)
		return usage("SCRIPT is missing", "");
	if (order->script[0] != '/')
		return usage("SCRIPT is an absolute path as PHP-FPM sees it, not", order->script);
	for (order->pairs = argv; *argv; argv++, order->pair_count++) {
		if (!strchr(*argv, '=') || **argv == '=')
			return usage("this is no KEY=VALUE:", *argv);
		order->sized = order->sized || fcgi_params_value(*argv, "CONTENT_LENGTH");
	}
	return 0;
}

static void show_timing(uint64_t begin_us, uint64_t connected_us, uint64_t first_us)
{
	char first[32] = "never";

	if (first_us > 0)
		snprintf(first, sizeof(first), "%.1f ms", (double)(first_us - begin_us) / 1000);
	fprintf(stderr, "connect %.1f ms, first byte %s, total %.1f ms\n",
	        (double)(connected_us - begin_us) / 1000, first,
	        (double)(clock_us() - begin_us) / 1000);
}

static int ask(const struct order *order, struct fcgi_exchange *x)
{
	uint64_t begin_us = clock_us();
	int r = order->alone
	                ? fcgi_replica_connect(&order->replica, order->where, x->until_ms, &x->fd)
	                : fcgi_address_connect(&order->address, order->where, x->until_ms, &x->fd);

	if (r != FCGI_WELL)
		return r;
	uint64_t connected_us = clock_us();
	r = fcgi_exchange_run(x);
	fd_close(&x->fd);
	if (order->timing)
		show_timing(begin_us, connected_us, x->first_us);
	return r;
}

static int ask_with_body(const struct order *order, struct fcgi_exchange *x)
{
	static struct fcgi_params params;
	int r = fcgi_params_make(order->script, &x->body, order->pairs, order->pair_count, &params);

	if (r < 0)
		return fcgi_fail(FCGI_USAGE, "cannot make the request: %s", strerror(-r));
	x->params = &params;
	r = ask(order, x);
	fcgi_params_done(&params);
	return r;
}

/* Who closed stdin or stdout must not find our connection there; stdout still takes nothing. */
static void hold_standard(void)
{
	int fd;

	while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0 && fd <= STDERR_FILENO)
		;
	fd_close(&fd);
}

static int run(int argc, char *argv[])
{
	struct order order = { .timeout_ms = TIMEOUT_MS };
	int words = take_options(argc, argv, &order);
	int r = words < 0 ? -words : take_words(argv + words, &order);

	if (r != 0)
		return r;
	hold_standard();
	(void)signal(SIGPIPE, SIG_IGN);
	struct fcgi_exchange x = {
		.fd = FD_NONE,
		.where = order.where,
		.headers = order.headers,
		.until_ms = clock_ms() + order.timeout_ms,
	};
	r = fcgi_body_open(order.sized, x.until_ms, &x.body);
	if (r == FCGI_WELL)
		r = ask_with_body(&order, &x);
	fcgi_body_done(&x.body);
	return r;
}

const struct command fcgi_command = {
	.name = "fcgi",
	.arguments = "[OPTIONS] ADDRESS SCRIPT [KEY=VALUE...]",
	.summary = "one FastCGI request, like curl",
	.help = "ADDRESS is HOST:PORT, [IPv6]:PORT, PORT or the path of a socket.  SCRIPT is a\n"
		"path as PHP-FPM sees it, with a query if you like: /status?json.  KEY=VALUE sets\n"
		"a FastCGI parameter: REQUEST_METHOD=PUT, HTTP_COOKIE=..., DOCUMENT_ROOT=...\n"
		"What is on stdin, unless it is a terminal or empty, is the body of a POST.\n"
		"\n"
		"  -i                show the headers, too\n"
		"  -w                say on stderr how long it took\n"
		"  --timeout S       give up after S seconds (60)\n"
		"  --replica APP/N   in the place of ADDRESS: ask that replica of the running\n"
		"                    twinit alone, even while all its visitors' workers are busy\n"
		"\n"
		"Exit status: 0 for an HTTP status below 400, 22 from there on; the body is shown\n"
		"either way.  Otherwise as curl: 6 no address for the name, 7 no connection, 8 no\n"
		"FastCGI, 18 cut off, 23 stdout cannot be written, 26 stdin cannot be read,\n"
		"28 time is up, 52 no answer; 1 no such replica or no twinit, 64 usage.\n"
		"\n"
		"Example: twinit fcgi -i 9000 /srv/app/current/public/index.php REQUEST_URI=/\n",
	.run = run,
};
