#include "session/url.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	PORT_DIGITS = 5,
};

/* The path and what follows it.  A fragment ends the query, although phpredis joins them again. */
static void split_path(struct url *url, const char *start, const char *end)
{
	const char *fragment = slice_find(start, end, "#");
	const char *query = slice_find(start, fragment, "?");

	if (fragment < end)
		url->fragment = slice_between(fragment + 1, end);
	if (query < fragment)
		url->query = slice_between(query + 1, fragment);
	if (query > start || start == end)
		url->path = slice_between(start, query);
}

bool url_port(const char *start, const char *end, int *port)
{
	char digits[PORT_DIGITS + 1] = "";
	char *rest;

	if (end - start > PORT_DIGITS)
		return false;
	memcpy(digits, start, (size_t)(end - start));
	long value = strtol(digits, &rest, 10);
	if (rest == digits || value < 0 || value > UINT16_MAX)
		return false;
	*port = (int)value;
	return true;
}

static bool split_host(struct url *url, const char *start, const char *end)
{
	const char *stop = slice_find(start, end, "/?#");
	const char *login = memrchr(start, '@', (size_t)(stop - start));

	if (login) {
		url->login = slice_between(start, login);
		start = login + 1;
	}
	const char *colon = memrchr(start, ':', (size_t)(stop - start));
	if (start < stop && *start == '[' && stop[-1] == ']')
		colon = NULL;
	if (colon && url->port == 0 && colon + 1 < stop && !url_port(colon + 1, stop, &url->port))
		return false;

	url->host = slice_between(start, colon ? colon : stop);
	if (url->host.length == 0)
		return false;
	if (stop < end)
		split_path(url, stop, end);
	return true;
}

static bool begins_with_slashes(const char *start, const char *end)
{
	return end - start > 1 && start[0] == '/' && start[1] == '/';
}

/* host:port without scheme: only when the digits are the last thing, or a slash follows them. */
static bool split_colon(struct url *url, const char *start, const char *colon, const char *end)
{
	const char *stop = slice_skip_digits(colon + 1, end);
	size_t digits = (size_t)(stop - colon - 1);
	bool has_port = digits > 0 && digits <= PORT_DIGITS && (stop == end || *stop == '/');

	if (has_port && !url_port(colon + 1, stop, &url->port))
		return false;
	if (digits == 0 && stop == end)
		return false;
	if (begins_with_slashes(start, end))
		return split_host(url, start + 2, end);
	if (has_port)
		return split_host(url, start, end);
	split_path(url, start, end);
	return true;
}

static bool split_no_scheme(struct url *url, const char *start, const char *end)
{
	if (begins_with_slashes(start, end))
		return split_host(url, start + 2, end);
	split_path(url, start, end);
	return true;
}

bool url_is_socket(struct slice scheme)
{
	return slice_is(scheme, "unix") ||
	       (scheme.length == 4 && strncasecmp(scheme.start, "file", 4) == 0);
}

/* What follows "scheme:". */
static bool split_after_scheme(struct url *url, const char *start, const char *end)
{
	if (start == end)
		return true;
	if (!begins_with_slashes(start, end)) {
		split_path(url, start, end);
		return true;
	}
	start += 2;
	if (url_is_socket(url->scheme) && start < end && *start == '/') {
		if (end - start > 2 && start[2] == ':') /* file:///c:/ */
			start++;
		split_path(url, start, end);
		return true;
	}
	return split_host(url, start, end);
}

static bool is_port_and_rest(const char *start, const char *end)
{
	const char *stop = slice_skip_digits(start, end);

	return stop > start && stop - start <= PORT_DIGITS && (stop == end || *stop == '/');
}

bool url_split(const char *start, const char *end, struct url *url)
{
	const char *colon = memchr(start, ':', (size_t)(end - start));

	*url = (struct url){ 0 };
	if (!colon)
		return split_no_scheme(url, start, end);
	if (colon == start)
		return split_colon(url, start, colon, end);
	if (!slice_consists_of(slice_between(start, colon), "+-.")) {
		if (colon + 1 < end && colon < slice_find(start, end, "?#"))
			return split_colon(url, start, colon, end);
		return split_no_scheme(url, start, end);
	}
	if (is_port_and_rest(colon + 1, end))
		return split_colon(url, start, colon, end);
	url->scheme = slice_between(start, colon);
	return split_after_scheme(url, colon + 1, end);
}

bool url_is_tls(struct slice scheme)
{
	static const char *const names[] = { "tls",     "ssl",     "tlsv1.0",
		                             "tlsv1.1", "tlsv1.2", "tlsv1.3" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (slice_is(scheme, names[i]))
			return true;
	return false;
}
