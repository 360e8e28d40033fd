/* SPDX-License-Identifier: MIT */
#include "plugins/guest.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "plugins/host.h"
#include "plugins/place.h"
#include "plugins/plugins.h"
#include "plugins/wire.h"

#define LAST_WORDS_MS 100 /* from the end of its socket until it can be asked how it ended */
#define DOING_MAX     140
#define DO_WITHOUT    "[plugins] disable= does without it"

struct guest {
	char *name;
	char *text; /* each with its NUL: words, paths, an empty one, places */
	size_t text_len;
	uint32_t version, oldest;
	int sock, memory, pidfd;
	pid_t pid;
	int64_t frozen_left_ms, more_left_ms;
	bool gone;    /* it failed: nothing is asked any more */
	bool stopped; /* the process is: nothing can wait */
	bool taken;   /* something of this process is its */
	bool watches; /* it wants to know when the process is stopped */
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- what it is ------------------------------------------------------------------------------------------------- */

const char *guest_name(const struct guest *guest)
{
	return guest->name;
}

const char *guest_words(const struct guest *guest)
{
	return guest->text;
}

uint32_t guest_version(const struct guest *guest)
{
	return guest->version;
}

const char *guest_next(const struct guest *guest, const char *pattern)
{
	const char *next = pattern + strlen(pattern) + 1;

	return next < guest->text + guest->text_len && *next ? next : NULL;
}

const char *guest_first_path(const struct guest *guest)
{
	return guest_next(guest, guest->text);
}

const char *guest_first_place(const struct guest *guest)
{
	const char *at = guest->text;

	while (at && *at)
		at = at + strlen(at) + 1 < guest->text + guest->text_len ? at + strlen(at) + 1 : NULL;
	return at ? guest_next(guest, at) : NULL;
}

/* ---- question and answer ---------------------------------------------------------------------------------------- */

static int wait_for(int fd, int64_t limit_ms)
{
	int64_t end = now_ms() + limit_ms;
	struct pollfd poller = {.fd = fd, .events = POLLIN};
	int r;

	do {
		int64_t left = end - now_ms();

		r = poll(&poller, 1, left > 0 ? (int)left : 0);
	} while (r < 0 && errno == EINTR);
	return r;
}

static int ended(struct guest *guest, const char *doing, struct err *err)
{
	siginfo_t info = {0};

	guest->gone = true;
	if (wait_for(guest->pidfd, LAST_WORDS_MS) == 1)
		waitid(P_PIDFD, (id_t)guest->pidfd, &info, WEXITED | WNOHANG | WNOWAIT);
	if (info.si_pid && info.si_code != CLD_EXITED)
		return err_refuse(err, DO_WITHOUT, "plugin %s crashed (%s) %s", guest->name, strsignal(info.si_status),
		                  doing);
	return err_refuse(err, DO_WITHOUT, "plugin %s ended (exit status %d) %s", guest->name, info.si_status, doing);
}

/* What it asks for, as long as there is any. */
static int64_t more_time(struct guest *guest, uint32_t ms)
{
	int64_t more = ms < guest->more_left_ms ? ms : guest->more_left_ms;

	guest->more_left_ms -= more;
	return more;
}

/* limit_ms: what it has. */
static int receive(struct guest *guest, uint32_t kind, int64_t limit_ms, const char *doing, struct answer *answer,
                   struct err *err)
{
	ssize_t len;

	memset(answer, 0, sizeof(*answer));
	for (;;) {
		if (wait_for(guest->sock, limit_ms) != 1) {
			guest->gone = true;
			return err_refuse(err, DO_WITHOUT, "plugin %s did not answer within %lld ms %s", guest->name,
			                  (long long)limit_ms, doing);
		}
		len = fd_recv(guest->sock, answer, sizeof(*answer), NULL, NULL, MSG_DONTWAIT);
		if (len <= 0)
			return ended(guest, doing, err);
		if (len != sizeof(*answer) || answer->kind != ANSWER_LATER || kind != ANSWER_OFFER || guest->stopped)
			break;
		limit_ms = more_time(guest, answer->more_ms);
	}
	answer->words[sizeof(answer->words) - 1] = '\0';
	if (len == sizeof(*answer) && answer->kind == ANSWER_FAILED) {
		guest->gone = true;
		return err_refuse(err, DO_WITHOUT, "plugin %s %s", guest->name, answer->words);
	}
	if (len != sizeof(*answer) || answer->kind != kind || answer->len > BYTES_MAX || answer->n_calls > CALLS_MAX) {
		guest->gone = true;
		return err_refuse(err, DO_WITHOUT, "plugin %s said what nobody understands %s", guest->name, doing);
	}
	return 0;
}

static int ask(struct guest *guest, struct ask *question, int fd, uint32_t kind, int64_t limit_ms, const char *doing,
               struct answer *answer, struct err *err)
{
	if (guest->gone)
		return err_refuse(err, DO_WITHOUT, "plugin %s has failed before", guest->name);
	if (fd_send(guest->sock, question, sizeof(*question), &fd, fd >= 0) < 0)
		return ended(guest, doing, err);
	return receive(guest, kind, limit_ms, doing, answer, err);
}

static int fetch(struct guest *guest, uint64_t from, size_t len, void **ret, struct err *err)
{
	void *bytes = malloc(len ? len : 1);

	if (!bytes || fd_pread_full(guest->memory, bytes, len, from) != (ssize_t)len) {
		free(bytes);
		return err_refuse(err, DO_WITHOUT, "plugin %s: its answer cannot be read", guest->name);
	}
	*ret = bytes;
	return 0;
}

/* ---- offer, resumed, plan --------------------------------------------------------------------------------------- */

static void name_object(const struct warm_object *object, char text[DOING_MAX])
{
	if (object->kind == WARM_MAPPING)
		snprintf(text, DOING_MAX, "memory at %#lx (%.80s)", (unsigned long)object->start, object->path);
	else if (object->kind == WARM_PROCESS)
		snprintf(text, DOING_MAX, "the process (%.80s)", object->path);
	else
		snprintf(text, DOING_MAX, "fd %d (%.80s)", object->fd, object->path);
}

static int decline(const struct guest *guest, const struct answer *answer, const char *what, struct err *err)
{
	if (answer->result == WARM_REFUSE)
		return err_refuse(err, DO_WITHOUT, "%s: plugin %s: %s", what, guest->name,
		                  answer->words[0] ? answer->words : "refused");
	return err_refuse(err, DO_WITHOUT, "%s: plugin %s answered %d, which means nothing", what, guest->name,
	                  answer->result);
}

static void set_object(struct ask *question, const struct warm_object *object)
{
	question->object = *object;
	question->object.path = NULL;
	snprintf(question->path, sizeof(question->path), "%s", object->path);
}

int guest_offer(struct guest *guest, const struct warm_object *object, bool frozen, uint8_t **ret_bytes,
                size_t *ret_len, struct err *err)
{
	struct ask question = {.kind = ASK_OFFER};
	char what[DOING_MAX], doing[DOING_MAX + 32];
	struct answer answer;
	int64_t began = now_ms();
	int r;

	name_object(object, what);
	snprintf(doing, sizeof(doing), "when it was offered %s", what);
	set_object(&question, object);
	r = ask(guest, &question, object->local, ANSWER_OFFER, frozen ? guest->frozen_left_ms : WARM_PLUGIN_ANSWER_MS,
	        doing, &answer, err);
	if (frozen)
		guest->frozen_left_ms -= now_ms() - began;
	if (r < 0 || answer.result == WARM_LEAVE)
		return r;
	if (object->kind == WARM_PROCESS && (answer.result == WARM_WATCH || answer.result == WARM_TAKE))
		guest->watches = true;
	if (object->kind == WARM_PROCESS && answer.result == WARM_WATCH)
		return WARM_LEAVE;
	if (answer.result != WARM_TAKE)
		return decline(guest, &answer, what, err);
	guest->taken = true;
	*ret_len = answer.len;
	r = fetch(guest, 0, answer.len, (void **)ret_bytes, err);
	return r < 0 ? r : WARM_TAKE;
}

int guest_stopped(struct guest *guest, uint8_t **ret_bytes, size_t *ret_len, struct err *err)
{
	struct ask question = {.kind = ASK_STOPPED};
	struct answer answer = {0};
	int64_t began = now_ms();
	int r;

	guest->stopped = true;
	if (!guest->watches)
		return 0;
	r = ask(guest, &question, -1, ANSWER_STOPPED, guest->frozen_left_ms, "when the program was stopped", &answer,
	        err);
	guest->frozen_left_ms -= now_ms() - began;
	if (r == 0 && answer.result)
		r = decline(guest, &answer, "the process", err);
	*ret_len = answer.len;
	return r < 0 ? r : fetch(guest, 0, answer.len, (void **)ret_bytes, err);
}

int guest_resumed(struct guest *guest, bool captured, struct err *err)
{
	struct ask question = {.kind = ASK_RESUMED, .captured = captured};
	struct answer answer;

	if (!guest->taken || guest->gone)
		return 0;
	return ask(guest, &question, -1, ANSWER_RESUMED, WARM_PLUGIN_ANSWER_MS, "when the program ran again", &answer,
	           err);
}

int guest_plan(struct guest *guest, uint32_t version, const struct warm_object *object, const uint8_t *bytes,
               size_t len, uint64_t base, struct plugin_plan *ret, struct err *err)
{
	struct ask question = {.kind = ASK_PLAN, .version = version, .len = len, .base = base};
	char what[DOING_MAX], doing[DOING_MAX + 32];
	struct answer answer;
	int r;

	if (version > guest->version || version < guest->oldest)
		return err_refuse(err, DO_WITHOUT,
		                  "plugin %s: what its version %u saved, version %u does not understand", guest->name,
		                  version, guest->version);
	name_object(object, what);
	snprintf(doing, sizeof(doing), "when it planned %s", what);
	set_object(&question, object);
	r = fd_pwrite_full(guest->memory, bytes, len, 0);
	if (r < 0)
		return err_sys(err, -r, "plugin %s: hand it what it saved", guest->name);
	r = ask(guest, &question, -1, ANSWER_PLAN, WARM_PLUGIN_ANSWER_MS, doing, &answer, err);
	if (r == 0 && answer.result != 0)
		r = decline(guest, &answer, what, err);
	*ret = (struct plugin_plan){.n_calls = answer.n_calls, .n_data = answer.len};
	if (r == 0)
		r = fetch(guest, 0, answer.len, (void **)&ret->data, err);
	if (r == 0)
		r = fetch(guest, answer.len, answer.n_calls * sizeof(*ret->call), (void **)&ret->call, err);
	return r;
}

/* ---- its process ------------------------------------------------------------------------------------------------ */

static int ascending(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Whatever its worker has open is none of its business, and must not stay open because of it. */
static void close_others(int a, int b, int c)
{
	int keep[3] = {a, b, c};
	int from = 3;

	qsort(keep, 3, sizeof(keep[0]), ascending);
	for (int i = 0; i < 3; i++) {
		if (keep[i] > from)
			syscall(SYS_close_range, from, keep[i] - 1, 0);
		from = keep[i] + 1;
	}
	syscall(SYS_close_range, from, ~0u, 0);
}

static int start_process(struct guest *guest, int file, struct err *err)
{
	pid_t parent = getpid();
	int pair[2];

	guest->memory = memfd_create("warm-plugin", MFD_CLOEXEC);
	if (guest->memory < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, errno, "plugin %s: make room for it", guest->name);
	guest->sock = pair[0];
	guest->pid = fork();
	if (guest->pid == 0) {
		close_others(pair[1], guest->memory, file);
		host_run(pair[1], guest->memory, file, parent, guest->name);
	}
	close(pair[1]);
	if (guest->pid < 0)
		return err_sys(err, errno, "plugin %s: make its process", guest->name);
	guest->pidfd = (int)syscall(SYS_pidfd_open, guest->pid, 0);
	return guest->pidfd < 0 ? err_sys(err, errno, "plugin %s", guest->name) : 0;
}

static int load(struct guest *guest, struct err *err)
{
	struct answer answer;
	int r = receive(guest, ANSWER_LOADED, WARM_PLUGIN_ANSWER_MS, "when it was loaded", &answer, err);

	if (r < 0)
		return r;
	guest->version = answer.version;
	guest->oldest = answer.oldest;
	guest->text_len = answer.len;
	r = fetch(guest, 0, answer.len, (void **)&guest->text, err);
	if (r == 0 && (!answer.len || guest->text[answer.len - 1]))
		r = err_refuse(err, DO_WITHOUT, "plugin %s said what nobody understands when it was loaded",
		               guest->name);
	return r;
}

int guest_start(struct guest **ret, int dir_fd, const char *name, struct err *err)
{
	struct guest *guest = calloc(1, sizeof(*guest));
	CLEAN(fd) int file = -1;
	int r;

	if (!guest || !(guest->name = strdup(name))) {
		free(guest);
		return err_sys(err, ENOMEM, "plugins");
	}
	guest->sock = guest->memory = guest->pidfd = -1;
	guest->frozen_left_ms = WARM_PLUGIN_FROZEN_MS;
	guest->more_left_ms = WARM_PLUGIN_MORE_MS;
	if ((r = place_open_plugin(dir_fd, name, &file, err)) < 0 || (r = start_process(guest, file, err)) < 0 ||
	    (r = load(guest, err)) < 0) {
		guest_free(guest);
		return r;
	}
	*ret = guest;
	return 0;
}

void guest_free(struct guest *guest)
{
	if (guest->pid > 0) {
		kill(guest->pid, SIGKILL);
		while (waitpid(guest->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	clean_fd(&guest->sock);
	clean_fd(&guest->memory);
	clean_fd(&guest->pidfd);
	free(guest->text);
	free(guest->name);
	free(guest);
}
