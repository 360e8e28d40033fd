/* SPDX-License-Identifier: MIT */
#include "warmd/words.h"

#include "base/clean.h"
#include "base/err.h"
#include "cache/catalog.h"
#include "cache/store.h"
#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/log.h"
#include "warmd/spawner.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAN_LINE_MAX 4096
#define N_PLAN_ARGS   6 /* before --straight, --paged and those about plugins */

struct plan_reader {
	struct daemon *daemon;
	plan_line_cb *cb;
	void *arg;
	int fd;
	ev_io io;
	unsigned n_lines;
	size_t len;
	char buf[PLAN_LINE_MAX];
};

/* Hands out the whole lines of the buffer; a line that is too long is cut. */
static void hand_out(struct plan_reader *reader)
{
	char *nl;

	while ((nl = memchr(reader->buf, '\n', reader->len)) || reader->len == sizeof(reader->buf)) {
		size_t used = nl ? (size_t)(nl - reader->buf) + 1 : reader->len;

		reader->buf[used - 1] = '\0';
		reader->cb(reader->arg, reader->buf, ++reader->n_lines);
		memmove(reader->buf, reader->buf + used, reader->len - used);
		reader->len -= used;
	}
}

static void plan_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	struct plan_reader *reader = io->data;
	ssize_t n = read(reader->fd, reader->buf + reader->len, sizeof(reader->buf) - reader->len);

	(void)loop;
	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		reader->len += (size_t)n;
		hand_out(reader);
		return;
	}
	reader->cb(reader->arg, NULL, reader->n_lines);
	plan_reader_free(reader);
}

static void plan_started(void *arg, pid_t pid, int pidfd)
{
	(void)arg;
	(void)pid; /* of one that did not start the pipe's end says enough */
	clean_fd(&pidfd);
}

struct plan_reader *plan_read(struct daemon *daemon, const char *id, enum plan_kind plan, plan_line_cb *cb, void *arg,
                              struct err *err)
{
	struct plan_reader *reader = calloc(1, sizeof(*reader));
	const char *argv[N_PLAN_ARGS + 2 + CONFIG_PLUGIN_ARGS + 1] = {"warm-restore", "--plan", "--image", "3",
	                                                              "--label",      id};
	size_t n_args = N_PLAN_ARGS;
	CLEAN(fd) int image_fd = -1;
	int fds[2] = {-1, -1}, pipe_fd[2] = {-1, -1}, r;

	r = store_open_image(daemon->store, id, &image_fd, err);
	if (r == STORE_GONE)
		r = err_set(err, ENOENT, "image %s is gone", id);
	if (!r && (!reader || pipe2(pipe_fd, O_CLOEXEC)))
		r = err_sys(err, errno, "read the plan of %s", id);
	if (!r) {
		fds[0] = image_fd;
		fds[1] = pipe_fd[1];
		if (plan != PLAN_TEMPLATE)
			argv[n_args++] = "--straight";
		if (plan == PLAN_PAGED)
			argv[n_args++] = "--paged";
		config_plugin_args(&daemon->config, argv + n_args);
		r = spawner_start(daemon->spawner, SPAWN_RESTORE, argv, fds, 2, 1, plan_started, reader, err);
	}
	clean_fd(&pipe_fd[1]);
	if (r) {
		clean_fd(&pipe_fd[0]);
		free(reader);
		return NULL;
	}
	reader->daemon = daemon;
	reader->cb = cb;
	reader->arg = arg;
	reader->fd = pipe_fd[0];
	fcntl(reader->fd, F_SETFL, O_NONBLOCK);
	ev_io_init(&reader->io, plan_readable, reader->fd, EV_READ);
	reader->io.data = reader;
	ev_io_start(daemon->loop, &reader->io);
	return reader;
}

void plan_reader_free(struct plan_reader *reader)
{
	if (!reader)
		return;
	spawner_forget(reader->daemon->spawner, reader);
	ev_io_stop(reader->daemon->loop, &reader->io);
	close(reader->fd);
	free(reader);
}

/* ---- the words of one operation ---------------------------------------------------------------------------------- */

struct words {
	struct daemon *daemon;
	char id[ID_LEN + 1];
	int op, code;
	words_cb *cb;
	void *arg;
	char text[ERR_MSG_MAX];
};

/* A line begins with the number of its operation; where it does not, lines are counted. */
static bool line_is(const char *line, unsigned n_lines, int op)
{
	const char *at = line + strspn(line, " ");

	return isdigit((unsigned char)*at) ? atoi(at) == op : n_lines == (unsigned)op + 1;
}

/* "   17  syscall   bind the socket to its address  [49(...)]": number, kind, words, what they mean. */
static void line_words(const char *line, int code, char *text, size_t size)
{
	const char *end;

	line += strspn(line, " ");
	line += strspn(line, "0123456789");
	line += strspn(line, " ");
	line += strcspn(line, " ");
	line += strspn(line, " ");
	end = strstr(line, "  [");
	snprintf(text, size, "%.*s: %s", end && end - line < 160 ? (int)(end - line) : 160, line, strerror(code));
}

static void keep_reason(struct words *words)
{
	struct entry *entry;
	struct err err;

	LIST_FOREACH(entry, &words->daemon->entries, link)
	{
		if (strcmp(entry->id, words->id))
			continue;
		snprintf(entry->reason, sizeof(entry->reason), "%s", words->text);
		if (entry->state == ENTRY_QUARANTINED)
			catalog_update_state(words->daemon->catalog, entry->id, CATALOG_QUARANTINED, entry->reason,
			                     &err);
	}
}

static void words_line(void *arg, const char *line, unsigned n_lines)
{
	struct words *words = arg;

	if (line && !words->text[0] && line_is(line, n_lines, words->op))
		line_words(line, words->code, words->text, sizeof(words->text));
	if (line)
		return;
	if (words->text[0]) {
		log_line("snapshot %s: failed at %s", words->id, words->text);
		keep_reason(words);
	}
	if (words->cb)
		words->cb(words->arg, words->text[0] ? words->text : NULL);
	free(words);
}

struct words *words_fetch(struct daemon *daemon, const char *id, enum plan_kind plan, int op, int code, words_cb *cb,
                          void *arg)
{
	struct words *words = calloc(1, sizeof(*words));
	struct err err;

	if (!words)
		return NULL;
	words->daemon = daemon;
	words->cb = cb;
	words->arg = arg;
	words->op = op;
	words->code = code;
	snprintf(words->id, sizeof(words->id), "%s", id);
	if (!plan_read(daemon, id, plan, words_line, words, &err)) {
		log_line("%s", err.msg);
		free(words);
		return NULL;
	}
	return words;
}

void words_forget(struct words *words)
{
	if (words)
		words->cb = NULL;
}
