/* SPDX-License-Identifier: MIT */
#include "warmd/relayed.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/proc.h"
#include "proto/launch.h"
#include "warmd/client.h"
#include "warmd/daemon.h"
#include "warmd/first_run.h"
#include "warmd/log.h"
#include "warmd/notify.h"
#include "warmd/request.h"
#include "warmd/retired.h"
#include "warmd/snap_job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FDINFO_MAX 4096

int relayed_begin(struct client *client, struct first_run *run, const struct request *request, struct err *err)
{
	bool notify = request->head.flags & (LAUNCH_NOTIFY | LAUNCH_OFFER);
	int r;

	if (run->ready_when.kind != READY_STDOUT && !notify)
		return 0;
	run->client = client;
	client->first_run = run;
	if (!notify)
		return 0;
	r = notify_new(client->daemon, &client->notify_sock, &client->notify_path, err);
	if (r)
		return r;
	run->conditions->notify = true;
	run->notify = strdup(client->notify_path);
	return run->notify ? 0 : err_set(err, ENOMEM, "out of memory");
}

void relayed_answer(struct client *client, struct launch_reply *reply)
{
	int fds[2] = {client->daemon->init_fd, client->notify_sock};

	if (client->notify_path)
		snprintf(reply->notify, sizeof(reply->notify), "%s", client->notify_path);
	fd_send(client->sock, reply, sizeof(*reply), fds, client->notify_sock >= 0 ? 2 : 1);
	clean_fd(&client->notify_sock);
	client->notify_sock = -1;
}

void relayed_client_gone(struct client *client)
{
	first_run_gone(client->first_run);
}

/* ---- RELAY_STARTED ----------------------------------------------------------------------------------------------- */

/* The number of a pidfd's process, as it is here. */
static int pid_of(int pidfd, pid_t *ret)
{
	CLEAN(free) char *info = NULL;
	const char *at;
	char path[48];
	int r;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	r = fd_read_file_at(AT_FDCWD, path, FDINFO_MAX, &info, NULL);
	if (r)
		return r;
	at = strstr(info, "\nPid:");
	return at && sscanf(at, "\nPid: %d", ret) == 1 && *ret > 0 ? 0 : -ESRCH;
}

static int parent_of(pid_t pid, pid_t *ret)
{
	CLEAN(fd) int dir = proc_open(pid);
	struct proc_stat stat;
	int r = dir < 0 ? dir : proc_stat_read(dir, &stat);

	if (!r)
		*ret = stat.ppid;
	return r;
}

static bool has_ids_of(const struct client *client, pid_t pid)
{
	CLEAN(fd) int dir = proc_open(pid);
	struct proc_status status = {0};
	bool same = dir >= 0 && !proc_status_read(dir, &status);

	for (int i = 0; same && i < 4; i++)
		same = status.uid[i] == client->peer.uid && status.gid[i] == client->peer.gid;
	proc_status_fini(&status);
	return same;
}

/* Nobody gets a snapshot of somebody else's process by calling it a child of theirs. */
static int is_its_program(const struct client *client, pid_t pid, struct err *err)
{
	pid_t supervisor = 0, launcher = 0;
	int r = parent_of(pid, &supervisor);

	if (!r)
		r = parent_of(supervisor, &launcher);
	if (r)
		return err_sys(err, -r, "the program of a first run");
	if (launcher != client->peer.pid || !has_ids_of(client, pid))
		return err_set(err, EPERM, "process %d is no program of `warm exec`, process %d", pid,
		               client->peer.pid);
	return 0;
}

static int started(struct client *client, int pidfd, struct err *err)
{
	const struct relay_word go = {.magic = RELAY_MAGIC, .kind = RELAY_GO};
	struct peer program = {.pidfd = pidfd};
	int r = pid_of(pidfd, &program.pid);

	if (r)
		return err_sys(err, -r, "the program of a first run");
	r = is_its_program(client, program.pid, err);
	if (!r && !peer_alive(&program)) /* the numbers that were read meant it */
		r = err_set(err, ESRCH, "the program of a first run has ended");
	if (!r)
		r = first_run_becomes(client->first_run, &program, err);
	if (!r)
		client_send(client, &go, sizeof(go));
	return r;
}

/* ---- what it says ------------------------------------------------------------------------------------------------ */

/* Of the ways to be ready it is one only where no other was named; its copies have said it in any case. */
static int notified(struct first_run *run, struct err *err)
{
	char *ready;

	run->said_ready = true;
	if (run->ready_when.kind != READY_SDK)
		return 0;
	ready = strdup("notify");
	if (!ready)
		return err_set(err, ENOMEM, "out of memory");
	free(run->ready);
	run->ready = ready;
	snap_job_found_ready(run);
	return 0;
}

static int hear(struct client *client, const struct relay_word *word, const int *fds, size_t n_fds, struct err *err)
{
	struct first_run *run = client->first_run;

	if (word->kind == RELAY_STARTED && n_fds == 1 && run->pid == client->peer.pid)
		return started(client, fds[0], err);
	if (n_fds || run->pid == client->peer.pid)
		return err_set(err, EINVAL, "`warm exec` makes no sense");
	if (word->kind == RELAY_NOTIFIED)
		return notified(run, err);
	if (word->kind == RELAY_READY && run->ready_when.kind == READY_STDOUT) {
		snap_job_found_ready(run);
		return 0;
	}
	return err_set(err, EINVAL, "`warm exec` makes no sense");
}

void relayed_heard(struct client *client, const void *msg, size_t len, const int *fds, size_t n_fds)
{
	struct relay_word word = {0};
	struct err err;

	if (len == sizeof(word))
		memcpy(&word, msg, sizeof(word));
	if (client->first_run && hear(client, &word, fds, n_fds, &err)) {
		log_line("no snapshot of process %d: %s", client->first_run->pid, err.msg);
		retired_note(client->daemon, client->first_run->conditions, err.msg);
		first_run_forget(client->first_run);
		client_free(client);
	}
	fd_close_all(fds, n_fds);
}
