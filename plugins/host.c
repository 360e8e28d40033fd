/* SPDX-License-Identifier: MIT */
/* Loads one plugin, and answers what its worker asks by calling it. The only door to dlopen(3). */
#include "plugins/host.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/fd.h"
#include "plugins/plugins.h"
#include "plugins/wire.h"

struct buffer {
	uint8_t *bytes;
	size_t len, room;
};

/* What a plugin holds of us is the first member: the rest is found behind it. */
struct snapshot_side {
	struct warm_snapshot api;
	const struct host *host;
	pid_t pid;
	struct buffer saved, told;
	char words[WORDS_MAX];
};

struct plan_side {
	struct warm_plan api;
	uint64_t base;
	struct buffer data, calls;
	bool wrong; /* a call that cannot be, or no memory: said in words */
	char words[WORDS_MAX];
};

struct host {
	int sock, memory;
	const struct warm_plugin *plugin;
	struct snapshot_side snapshot;
	struct plan_side plan;
};

/* ---- answers ---------------------------------------------------------------------------------------------------- */

static int append(struct buffer *b, const void *bytes, size_t len)
{
	if (len > BYTES_MAX - b->len)
		return -ENOMEM;
	if (b->len + len > b->room) {
		size_t room = (b->len + len) * 2;
		uint8_t *more = realloc(b->bytes, room);

		if (!more)
			return -ENOMEM;
		b->bytes = more;
		b->room = room;
	}
	if (bytes)
		memcpy(b->bytes + b->len, bytes, len);
	else
		memset(b->bytes + b->len, 0, len);
	b->len += len;
	return 0;
}

static void say(const struct host *host, struct answer *answer, const struct buffer *first, const struct buffer *second)
{
	int r = first ? fd_pwrite_full(host->memory, first->bytes, first->len, 0) : 0;

	if (r == 0 && second)
		r = fd_pwrite_full(host->memory, second->bytes, second->len, first->len);
	if (r < 0) {
		answer->kind = ANSWER_FAILED;
		snprintf(answer->words, sizeof(answer->words), "cannot hand over what it has: %s", strerror(-r));
	}
	answer->len = first ? first->len : 0;
	fd_send(host->sock, answer, sizeof(*answer), NULL, 0);
}

__attribute__((noreturn, format(printf, 2, 3))) static void fail(const struct host *host, const char *fmt, ...)
{
	struct answer answer = {.kind = ANSWER_FAILED};
	va_list args;

	va_start(args, fmt);
	vsnprintf(answer.words, sizeof(answer.words), fmt, args);
	va_end(args);
	say(host, &answer, NULL, NULL);
	_exit(1);
}

/* ---- what a plugin may call: snapshot --------------------------------------------------------------------------- */

static int api_read(struct warm_snapshot *api, uint64_t address, void *to, size_t len)
{
	const struct snapshot_side *s = (const struct snapshot_side *)api;
	struct iovec local = {to, len}, remote = {(void *)address, len};
	ssize_t n = process_vm_readv(s->pid, &local, 1, &remote, 1, 0);

	return n < 0 ? -errno : (size_t)n < len ? -EFAULT : 0;
}

static int api_save(struct warm_snapshot *api, const void *bytes, size_t len)
{
	return append(&((struct snapshot_side *)api)->saved, bytes, len);
}

__attribute__((format(printf, 2, 3))) static int api_refuse(struct warm_snapshot *api, const char *fmt, ...)
{
	struct snapshot_side *s = (struct snapshot_side *)api;
	va_list args;

	va_start(args, fmt);
	vsnprintf(s->words, sizeof(s->words), fmt, args);
	va_end(args);
	return WARM_REFUSE;
}

static int api_more_time(struct warm_snapshot *api, uint32_t ms)
{
	const struct snapshot_side *s = (const struct snapshot_side *)api;
	struct answer answer = {.kind = ANSWER_LATER, .more_ms = ms};

	return fd_send(s->host->sock, &answer, sizeof(answer), NULL, 0);
}

static int api_unused(struct warm_snapshot *api, uint64_t start, uint64_t end)
{
	const struct told told = {start, end, TOLD_UNUSED};

	return append(&((struct snapshot_side *)api)->told, &told, sizeof(told));
}

static int api_random(struct warm_snapshot *api, uint64_t start, uint64_t end)
{
	const struct told told = {start, end, TOLD_RANDOM};

	return append(&((struct snapshot_side *)api)->told, &told, sizeof(told));
}

/* ---- what a plugin may call: plan ------------------------------------------------------------------------------- */

static uint64_t api_data(struct warm_plan *api, const void *bytes, size_t len)
{
	struct plan_side *p = (struct plan_side *)api;
	uint64_t at = p->base + p->data.len;

	if (append(&p->data, bytes, len) == 0 && append(&p->data, NULL, -len % DATA_ALIGN) == 0)
		return at;
	p->wrong = true;
	return 0;
}

static int add_call(struct plan_side *p, const struct warm_call *call, bool copy, const char *words)
{
	struct planned_call planned = {.call = *call, .copy = copy};

	snprintf(planned.words, sizeof(planned.words), "%s", words ? words : "?");
	planned.call.words = NULL;
	if (call->phase > WARM_GO || call->want > WARM_WANT_ANY || call->kept >> 6 ||
	    p->calls.len / sizeof(planned) == CALLS_MAX || append(&p->calls, &planned, sizeof(planned)) < 0) {
		p->wrong = true;
		return -EINVAL;
	}
	return 0;
}

static int api_call(struct warm_plan *api, const struct warm_call *call)
{
	return add_call((struct plan_side *)api, call, false, call->words);
}

static int api_copy(struct warm_plan *api, enum warm_phase phase, uint64_t to, uint64_t from, size_t len)
{
	struct plan_side *p = (struct plan_side *)api;
	const struct warm_call call = {.phase = (uint8_t)phase, .args = {to, from, len}};

	if (from < p->base || from - p->base > p->data.len || len > p->data.len - (from - p->base)) {
		p->wrong = true;
		return -EINVAL;
	}
	return add_call(p, &call, true, "fill in what was saved");
}

__attribute__((format(printf, 2, 3))) static int api_refuse_plan(struct warm_plan *api, const char *fmt, ...)
{
	struct plan_side *p = (struct plan_side *)api;
	va_list args;

	va_start(args, fmt);
	vsnprintf(p->words, sizeof(p->words), fmt, args);
	va_end(args);
	return WARM_REFUSE;
}

/* ---- questions -------------------------------------------------------------------------------------------------- */

static void answer_offer(struct host *host, const struct ask *ask, const struct warm_object *object)
{
	struct snapshot_side *s = &host->snapshot;
	struct answer answer = {.kind = ANSWER_OFFER};

	s->pid = ask->object.pid;
	s->saved.len = 0;
	s->words[0] = '\0';
	answer.result = host->plugin->offer(&s->api, object);
	memcpy(answer.words, s->words, sizeof(answer.words));
	say(host, &answer, &s->saved, NULL);
}

static bool has_stopped(const struct warm_plugin *plugin)
{
	return plugin->size >= offsetof(struct warm_plugin, stopped) + sizeof(plugin->stopped) && plugin->stopped;
}

static void answer_stopped(struct host *host)
{
	struct snapshot_side *s = &host->snapshot;
	struct answer answer = {.kind = ANSWER_STOPPED};

	s->told.len = 0;
	s->words[0] = '\0';
	if (has_stopped(host->plugin))
		answer.result = host->plugin->stopped(&s->api);
	memcpy(answer.words, s->words, sizeof(answer.words));
	say(host, &answer, &s->told, NULL);
}

static void answer_resumed(struct host *host, const struct ask *ask)
{
	struct answer answer = {.kind = ANSWER_RESUMED};

	if (host->plugin->resumed)
		host->plugin->resumed(&host->snapshot.api, (int)ask->captured);
	say(host, &answer, NULL, NULL);
}

static void answer_plan(struct host *host, const struct ask *ask, const struct warm_object *object)
{
	struct plan_side *p = &host->plan;
	struct answer answer = {.kind = ANSWER_PLAN};
	CLEAN(free) void *saved = malloc(ask->len ? ask->len : 1);
	ssize_t n = saved ? fd_pread_full(host->memory, saved, ask->len, 0) : -ENOMEM;

	if (n != (ssize_t)ask->len)
		fail(host, "cannot have what it had saved: %s", strerror(n < 0 ? (int)-n : EIO));
	p->api.version = ask->version;
	p->api.saved = saved;
	p->api.saved_len = ask->len;
	p->base = ask->base;
	p->data.len = p->calls.len = 0;
	p->wrong = false;
	p->words[0] = '\0';
	answer.result = host->plugin->plan(&p->api, object);
	if (p->wrong) {
		answer.result = WARM_REFUSE;
		snprintf(p->words, sizeof(p->words), "its part of the plan makes no sense, or is too large");
	}
	memcpy(answer.words, p->words, sizeof(answer.words));
	answer.n_calls = (uint32_t)(p->calls.len / sizeof(struct planned_call));
	say(host, &answer, &p->data, &p->calls);
}

static void serve(struct host *host)
{
	struct ask ask;
	int fd = -1;
	size_t n_fds = 1;
	struct warm_object object;

	while (fd_recv(host->sock, &ask, sizeof(ask), &fd, &n_fds, 0) == sizeof(ask)) {
		object = ask.object;
		object.path = ask.path;
		object.local = n_fds ? fd : -1;
		if (ask.kind == ASK_OFFER)
			answer_offer(host, &ask, &object);
		else if (ask.kind == ASK_STOPPED)
			answer_stopped(host);
		else if (ask.kind == ASK_RESUMED)
			answer_resumed(host, &ask);
		else
			answer_plan(host, &ask, &object);
		if (n_fds)
			close(fd);
		n_fds = 1;
	}
}

/* ---- loading ---------------------------------------------------------------------------------------------------- */

static const char *load_error(void)
{
	const char *text = dlerror(),
	           *colon = text ? strstr(text, ": ") : NULL; /* in front of it our name of the file */

	return colon ? colon + 2 : "no reason given";
}

static void check_table(const struct host *host, const struct warm_plugin *plugin, const char *name)
{
	if (plugin->abi != WARM_PLUGIN_ABI)
		fail(host, "speaks ABI %u, and this Warm speaks %u: install the one that was built for it", plugin->abi,
		     WARM_PLUGIN_ABI);
	if (plugin->size < offsetof(struct warm_plugin, stopped))
		fail(host, "says ABI %u, but its table has %u bytes instead of %zu", plugin->abi, plugin->size,
		     offsetof(struct warm_plugin, stopped));
	if (!plugin->name || !plugin->words || !plugin->paths || !plugin->offer || !plugin->plan ||
	    plugin->oldest > plugin->version)
		fail(host, "says ABI %u, but its table is not complete", plugin->abi);
	if (strcmp(plugin->name, name) != 0)
		fail(host, "calls itself %.40s: its file must have that name", plugin->name);
}

static void say_loaded(const struct host *host)
{
	const struct warm_plugin *plugin = host->plugin;
	struct answer answer = {.kind = ANSWER_LOADED, .version = plugin->version, .oldest = plugin->oldest};
	struct buffer text = {0};
	int r = append(&text, plugin->words, strlen(plugin->words) + 1);

	for (size_t i = 0; r == 0 && plugin->paths[i]; i++)
		r = append(&text, plugin->paths[i], strlen(plugin->paths[i]) + 1);
	if (r == 0)
		r = append(&text, "", 1);
	for (size_t i = 0; r == 0 && plugin->places && plugin->places[i]; i++)
		r = append(&text, plugin->places[i], strlen(plugin->places[i]) + 1);
	if (r < 0)
		fail(host, "is too large");
	say(host, &answer, &text, NULL);
	free(text.bytes);
}

void host_run(int sock, int memory, int file, pid_t parent, const char *name)
{
	const struct rlimit no_core = {0, 0};
	struct host host = {
	        .sock = sock,
	        .memory = memory,
	        .snapshot.api = {.read = api_read,
	                         .save = api_save,
	                         .refuse = api_refuse,
	                         .more_time = api_more_time,
	                         .unused = api_unused,
	                         .random = api_random},
	        .plan.api = {.data = api_data, .call = api_call, .copy = api_copy, .refuse = api_refuse_plan}};
	char path[32];
	void *library;

	host.snapshot.host = &host;
	prctl(PR_SET_NAME, "warm-plugin");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it was too late for that */
		_exit(1);
	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGPIPE, SIG_DFL);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file); /* the very file that was looked at */
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		fail(&host, "cannot be loaded: %s", load_error());
	host.plugin = dlsym(library, "warm_plugin");
	if (!host.plugin)
		fail(&host, "is no plugin: it has no symbol warm_plugin");
	check_table(&host, host.plugin, name);
	say_loaded(&host);
	serve(&host);
	_exit(0);
}
