/* SPDX-License-Identifier: MIT */
#include "warmd/first_run.h"

#include "base/clean.h"
#include "base/err.h"
#include "policy/key.h"
#include "warmd/client.h"
#include "warmd/daemon.h"
#include "warmd/entry.h"
#include "warmd/recording.h"
#include "warmd/prewarm.h"
#include "warmd/relayed.h"
#include "warmd/request.h"
#include "warmd/retired.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_RUNS_MAX 1024 /* those of programs that never call the hook last as long as these */
#define LONG_S         2    /* so long most programs need to be ready */

void first_run_forget(struct first_run *run)
{
	first_run_take(run);
	first_run_free(run);
}

/* As long as it is on the list it has not been found ready. */
static void note_silence(const struct first_run *run)
{
	char reason[ERR_MSG_MAX];
	size_t len;

	key_none_yet(run->conditions, reason, sizeof(reason));
	len = strlen(reason);
	if (run->ready_when.kind == READY_SDK)
		snprintf(reason + len, sizeof(reason) - len,
		         ": its last run has not said that it was ready; call the hook, or use --ready");
	else
		snprintf(reason + len, sizeof(reason) - len, ": its last run ended before it was ready (--ready %.60s)",
		         run->ready);
	retired_note_silent(run->daemon, run->conditions, reason);
}

void first_run_gone(struct first_run *run)
{
	note_silence(run);
	first_run_forget(run);
}

static void first_run_ended(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	(void)revents;
	first_run_gone(io->data);
}

static int64_t realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int is_under_way(const struct first_run *run, struct err *err)
{
	int64_t seconds = (realtime_ns() - run->started_ns) / 1000000000;

	if (run->ready_when.kind != READY_SDK || seconds < LONG_S)
		return err_set(err, EBUSY, "another first launch of it is under way");
	return err_set(err, EBUSY,
	               "another first launch of it has run for %lld s and has not said that it is ready: "
	               "call the hook, or use --ready",
	               (long long)seconds);
}

/* A new connection is served before the end of a process is: that of the last run may be still to come. */
static bool has_ended(const struct first_run *run)
{
	struct peer peer = {.pidfd = run->pidfd};

	return !peer_alive(&peer);
}

static int check_others(struct daemon *daemon, pid_t pid, const Warm__Rpc__Conditions *conditions, struct err *err)
{
	struct first_run *run, *next;
	unsigned n = 0;

	for (run = LIST_FIRST(&daemon->first_runs); run; run = next) {
		next = LIST_NEXT(run, link);
		if (run->pid == pid) { /* `warm exec warm exec app`: the inner one is what it becomes */
			first_run_forget(run);
			continue;
		}
		n++;
		if (!conditions_same(daemon, run->conditions, conditions))
			continue;
		if (!has_ended(run))
			return is_under_way(run, err);
		first_run_gone(run);
	}
	return n < FIRST_RUNS_MAX ? 0 : err_set(err, EBUSY, "too many first launches are under way");
}

/* What the cold start will have: the command's own descriptors. Of these it sent us all but its terminal, in whose
 * place it sent the pty that a clone would have got. */
static void note_descriptors(struct first_run *run, const struct request *request)
{
	for (unsigned i = 0; i < request->head.n_numbers; i++) {
		int fd = request->fds[REQUEST_FIRST + i];
		struct stat st;
		char path[48];

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", run->pid, request->head.fd_number[i]);
		if (request->head.flags & LAUNCH_TTY && isatty(fd) ? !stat(path, &st) : !fstat(fd, &st))
			run->fd[run->n_fds++] = (struct first_run_fd){request->head.fd_number[i], st.st_dev, st.st_ino};
	}
}

/* The same of a child, which has none but these. */
static int note_descriptors_of_child(struct first_run *run, struct err *err)
{
	for (unsigned i = 0; i < run->n_fds; i++) {
		struct stat st;
		char path[48];

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", run->pid, run->fd[i].number);
		if (stat(path, &st))
			return err_sys(err, errno, "descriptor %d of process %d", run->fd[i].number, run->pid);
		run->fd[i].dev = st.st_dev;
		run->fd[i].ino = st.st_ino;
	}
	return 0;
}

/* On the list, and watched for its end. */
static struct first_run *first_run_new(struct daemon *daemon, const struct peer *peer, const char *name,
                                       const char *ready, const Warm__Rpc__Conditions *conditions, struct err *err)
{
	struct first_run *run = calloc(1, sizeof(*run));

	if (!run) {
		err_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	run->daemon = daemon;
	run->pid = peer->pid;
	run->pidfd = fcntl(peer->pidfd, F_DUPFD_CLOEXEC, 3);
	run->name = strdup(name);
	run->ready = strdup(ready);
	run->conditions = conditions_copy(conditions);
	LIST_INSERT_HEAD(&daemon->first_runs, run, link);
	ev_io_init(&run->io, first_run_ended, run->pidfd, EV_READ);
	run->io.data = run;
	if (run->pidfd < 0 || !run->name || !run->ready || !run->conditions) {
		first_run_forget(run);
		err_set(err, ENOMEM, "out of memory or descriptors");
		return NULL;
	}
	ev_io_start(daemon->loop, &run->io);
	return run;
}

int first_run_register(struct client *client, const struct request *request, const Warm__Rpc__Conditions *conditions,
                       struct first_run **ret, struct err *err)
{
	struct daemon *daemon = client->daemon;
	struct first_run *run;
	struct ready ready;
	int r = ready_parse(request->ready, &ready, err);

	if (!r)
		r = check_others(daemon, client->peer.pid, conditions, err);
	if (r)
		return r;
	run = first_run_new(daemon, &client->peer, request->name, ready.kind == READY_SDK ? "" : request->ready,
	                    conditions, err);
	if (!run)
		return -err->code;
	run->started_ns = realtime_ns();
	run->launched = run->own = client->caller.traits;
	run->traits_known = true;
	note_descriptors(run, request);
	run->ready_when = ready;
	ready_watch(run);
	run->recording = recording_start(daemon, run->pid);
	r = relayed_begin(client, run, request, err);
	if (r) {
		first_run_forget(run);
		return r;
	}
	*ret = run;
	return 0;
}

int first_run_becomes(struct first_run *run, const struct peer *peer, struct err *err)
{
	int pidfd = fcntl(peer->pidfd, F_DUPFD_CLOEXEC, 3);

	if (pidfd < 0)
		return err_sys(err, errno, "process %d", peer->pid);
	ev_io_stop(run->daemon->loop, &run->io);
	close(run->pidfd);
	run->pid = peer->pid;
	run->pidfd = pidfd;
	ev_io_set(&run->io, pidfd, EV_READ);
	ev_io_start(run->daemon->loop, &run->io);
	return note_descriptors_of_child(run, err);
}

bool first_run_prewarms(struct first_run *run, const struct prewarm *prewarm)
{
	run->interpreter = conditions_copy(&prewarm->conditions);
	return run->interpreter;
}

struct first_run *first_run_split(struct first_run *run)
{
	struct first_run *split = calloc(1, sizeof(*split));

	if (!split)
		return NULL;
	split->daemon = run->daemon;
	split->pid = run->pid;
	split->pidfd = fcntl(run->pidfd, F_DUPFD_CLOEXEC, 3);
	split->started_ns = run->started_ns;
	split->name = strdup("pre-warmed");
	split->ready = strdup("");
	memcpy(split->fd, run->fd, sizeof(run->fd));
	split->n_fds = run->n_fds;
	split->launched = split->own = run->launched;
	split->traits_known = run->traits_known;
	split->conditions = take_ptr(run->interpreter);
	if (split->pidfd >= 0 && split->name && split->ready)
		return split;
	first_run_free(split);
	return NULL;
}

int first_run_adopt(struct daemon *daemon, const struct peer *peer, const Warm__Rpc__Conditions *conditions,
                    int64_t started_ns, struct first_run **ret, struct err *err)
{
	struct first_run *run = first_run_new(daemon, peer, "", "", conditions, err);

	if (!run)
		return -err->code;
	run->started_ns = started_ns;
	run->adopted = true;
	*ret = run;
	return 0;
}

struct first_run *first_run_of_pid(struct daemon *daemon, pid_t pid)
{
	struct first_run *run;

	/* As long as a run is on the list its process lives, so the number means it and nobody else. */
	LIST_FOREACH(run, &daemon->first_runs, link)
	{
		struct peer peer = {.pidfd = run->pidfd};

		if (run->pid == pid && peer_alive(&peer))
			return run;
	}
	return NULL;
}

struct first_run *first_run_of(const struct client *client)
{
	struct first_run *run = first_run_of_pid(client->daemon, client->peer.pid);

	return run && run->ready_when.kind == READY_SDK ? run : NULL;
}

void first_run_take(struct first_run *run)
{
	ev_io_stop(run->daemon->loop, &run->io);
	ready_unwatch(run);
	if (run->client)
		run->client->first_run = NULL;
	run->client = NULL;
	LIST_REMOVE(run, link);
}

void first_run_free(struct first_run *run)
{
	if (!run)
		return;
	recording_free(run->recording);
	clean_fd(&run->pidfd);
	free(run->name);
	free(run->ready);
	if (run->interpreter)
		warm__rpc__conditions__free_unpacked(run->interpreter, NULL);
	free(run->notify);
	if (run->conditions)
		warm__rpc__conditions__free_unpacked(run->conditions, NULL);
	free(run);
}
