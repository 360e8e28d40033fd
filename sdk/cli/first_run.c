/* SPDX-License-Identifier: MIT */
/*
 * The first run of a program that is ready when it prints a text (--ready stdout:TEXT). It runs as a clone will: under
 * a supervisor, in a session of its own, on a pty where there is a terminal. What it prints comes by way of here.
 */
#include "sdk/cli/first_run.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "sdk/cli/child.h"
#include "sdk/cli/hot/hot.h"
#include "sdk/cli/match.h"
#include "sdk/cli/output.h"

#define TEXT "stdout:" /* --ready */

static struct {
	struct match match;
	int daemon_fd;
} waiting;

static const char *prepare(struct launch *l, struct child *child);
static bool printed(const char *bytes, size_t n);
static void notified(struct launch *l);
static void tell(int daemon_fd, enum relay_kind kind);

void first_run(struct launch *l)
{
	struct child child;
	const char *why;

	if (l->notify_fd >= 0) { /* first: an abstract address is one of the network that we leave */
		notify_open(l, l->notify_fd);
		l->notified = notified;
	}
	if (l->options->flags & LAUNCH_NET_PRIVATE)
		network_private(l);
	if (l->reply.env[0])
		command_prepend_env(l, l->reply.env);
	child_init(&child, l);
	why = prepare(l, &child);
	if (!why)
		why = child_make(&child);
	if (!why)
		why = child_announce(&child);
	if (why) {
		child_abandon(&child);
		launch_cold(l, why);
	}
	hot_explain(l, l->reply.reason);
	child_go(&child);
	launch_follow(l);
}

/* Who sees what it prints: the relay of the terminal, where its standard output is that one, else a pipe. */
static const char *prepare(struct launch *l, struct child *child)
{
	int flags = fcntl(STDOUT_FILENO, F_GETFD);
	bool on_pty = l->relay && l->relay->slave_for[1] >= 0;

	if (strncmp(l->options->ready, TEXT, strlen(TEXT)) != 0)
		return NULL;
	if (flags < 0 || flags & FD_CLOEXEC)
		return "--ready stdout: standard output is closed";
	if (!on_pty && isatty(STDOUT_FILENO))
		return "--ready stdout: standard output is another terminal than standard input";
	if (match_init(&waiting.match, l->options->ready + strlen(TEXT), on_pty) < 0)
		return "--ready stdout: out of memory";
	waiting.daemon_fd = l->daemon_fd;
	if (on_pty) {
		l->relay->printed = printed;
		return NULL;
	}
	l->output = output_open(printed, &child->stdout_fd);
	return l->output ? NULL : "--ready stdout: no pipe could be made";
}

static bool printed(const char *bytes, size_t n)
{
	if (!match_feed(&waiting.match, bytes, n))
		return true;
	tell(waiting.daemon_fd, RELAY_READY);
	match_fini(&waiting.match);
	return false;
}

/* Once: what it says later changes nothing. */
static void notified(struct launch *l)
{
	tell(l->daemon_fd, RELAY_NOTIFIED);
	l->notified = NULL;
}

/* The connection stays: with it the name of the NOTIFY_SOCKET would go. A warmd that is gone takes no snapshot. */
static void tell(int daemon_fd, enum relay_kind kind)
{
	const struct relay_word word = {.magic = RELAY_MAGIC, .kind = kind};

	fd_send(daemon_fd, &word, sizeof(word), NULL, 0);
}
