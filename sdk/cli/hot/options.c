/* SPDX-License-Identifier: MIT */
/* The command line of `warm exec`. */
#include "sdk/cli/hot/hot.h"
#include "sdk/cli/hot/text.h"

static const char *value_of(char ***at, const char *option);
static int ready_is_valid(const char *how);
static int is_port(const char *s);
static int is_seconds(const char *s);

/* `--option VALUE` and `--option=VALUE` */
#define OPTION(place, text)                                                                                            \
	if ((value = value_of(&at, text))) {                                                                           \
		(place) = value;                                                                                       \
		continue;                                                                                              \
	}

static const char missing[] = "";

enum options_kind options_parse(char **argv, char **env, struct exec_options *o)
{
	char **at = argv;
	const char *value, *socket = NULL, *net = NULL;

	o->name = o->ready = "";
	o->env = env;

	while (*at && *++at && (*at)[0] == '-') {
		if (text_equal(*at, "--json"))
			continue;
		OPTION(socket, "--socket");
		return OPTIONS_OTHER;
	}
	if (!*at || !text_equal(*at, "exec"))
		return OPTIONS_OTHER;

	while (*++at && (*at)[0] == '-') {
		if (text_equal(*at, "--")) {
			at++;
			break;
		}
		if (text_equal(*at, "--help") || text_equal(*at, "-h"))
			return OPTIONS_OTHER;
		if (text_equal(*at, "--explain")) {
			o->explain = 1;
			o->flags |= LAUNCH_EXPLAIN;
			continue;
		}
		if (text_equal(*at, "--require")) {
			o->flags |= LAUNCH_REQUIRE;
			continue;
		}
		if (text_equal(*at, "--cold")) {
			o->flags |= LAUNCH_COLD;
			continue;
		}
		OPTION(o->name, "--name");
		OPTION(o->ready, "--ready");
		OPTION(socket, "--socket");
		OPTION(net, "--net");
		o->problem = "unknown option ";
		o->problem_with = *at;
		return OPTIONS_WRONG;
	}

	o->argv = at;
	if (socket == missing || net == missing || o->name == missing || o->ready == missing)
		o->problem = "an option lacks its value";
	else if (!*at)
		o->problem = "exec needs a command to run";
	else if (net && !text_equal(net, "host") && !text_equal(net, "private"))
		o->problem = "--net takes host or private, not ", o->problem_with = net;
	else if (!ready_is_valid(o->ready))
		o->problem = "--ready takes sdk, listen:PORT, stdout:TEXT or after:SECONDS, not ",
		o->problem_with = o->ready;
	else if (o->flags & LAUNCH_COLD && o->flags & LAUNCH_REQUIRE)
		o->problem = "--cold and --require exclude each other";
	if (o->problem)
		return OPTIONS_WRONG;

	if (net && text_equal(net, "private"))
		o->flags |= LAUNCH_NET_PRIVATE;
	if (text_equal(o->ready, "sdk")) {
		o->ready = "";
		o->flags |= LAUNCH_OFFER;
	}
	o->socket_given = socket != NULL;
	o->socket = socket ? socket : text_env(env, "WARM_SOCKET");
	if (o->socket && !*o->socket)
		o->socket = NULL;
	return OPTIONS_EXEC;
}

/* The value when **at is that option (*at then stands on its last word), NULL when it is another one. */
static const char *value_of(char ***at, const char *option)
{
	size_t n = text_len(option);

	if (!text_starts(**at, option))
		return NULL;
	if ((**at)[n] == '=')
		return **at + n + 1;
	if ((**at)[n])
		return NULL;
	if (!(*at)[1])
		return missing;
	return *++*at;
}

static int ready_is_valid(const char *how)
{
	if (!*how || text_equal(how, "sdk"))
		return 1;
	if (text_starts(how, "listen:"))
		return is_port(how + 7);
	if (text_starts(how, "stdout:"))
		return how[7] != '\0';
	return text_starts(how, "after:") && is_seconds(how + 6);
}

static int is_port(const char *s)
{
	unsigned port = 0;

	for (; *s >= '0' && *s <= '9' && port <= 65535; s++)
		port = port * 10 + (unsigned)(*s - '0');
	return !*s && port && port <= 65535;
}

/* At most nine digits before the point. */
static int is_seconds(const char *s)
{
	int whole = 0, part = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		whole++;
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9'; s++)
			part++;
	return !*s && whole <= 9 && whole + part;
}
