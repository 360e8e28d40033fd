/* SPDX-License-Identifier: MIT */
#include "warmd/process.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/program.h"
#include "policy/key.h"
#include "warmd/client.h"
#include "warmd/daemon.h"
#include "warmd/first_run.h"
#include "warmd/peer.h"
#include "warmd/privileged.h"
#include "warmd/request.h"
#include "warmd/snap_job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

struct process {
	struct peer peer;
	int proc_fd;
	char exe[PATH_MAX], cmd[PATH_MAX], cwd[PATH_MAX];
	struct program program;
	struct request request;
	struct caller caller;
};

static void process_fini(struct process *process)
{
	caller_fini(&process->caller);
	peer_fini(&process->peer);
	clean_fd(&process->proc_fd);
	program_fini(&process->program);
	free(process->request.argv);
	free(process->request.env);
}

/* ---- who may ask ------------------------------------------------------------------------------------------------- */

/* As ptrace(2) has it: all its ids are the caller's, it may be dumped, and it can do nothing that the caller cannot. */
static bool is_owner(const struct client *client, int proc_fd, const struct proc_status *status)
{
	struct stat st;

	for (int i = 0; i < 4; i++) {
		if (status->uid[i] != client->peer.uid || status->gid[i] != client->peer.gid)
			return false;
	}
	/* The directory itself is always its user's; what is in it is root's where it may not be dumped. */
	return !fstatat(proc_fd, "environ", &st, 0) && st.st_uid == client->peer.uid &&
	       !(status->cap_permitted & ~client->caller.status.cap_permitted);
}

static bool may_ask(const struct client *client, int proc_fd, const struct proc_status *status)
{
	return client->itself && (!client->peer.uid || is_owner(client, proc_fd, status));
}

static int not_yours(pid_t pid, struct err *err)
{
	return err_refuse(err, "only root may copy it", "process %d is not yours", pid);
}

/* The number must mean the same to both. */
static int same_numbers(const struct client *client, struct err *err)
{
	CLEAN(fd) int theirs = proc_open(client->peer.pid);
	CLEAN(fd) int ours = proc_open(getpid());
	uint64_t their_ns = 0, our_ns = 0;

	if (client->looked || theirs < 0 || ours < 0 || proc_ns(theirs, "pid", &their_ns) ||
	    proc_ns(ours, "pid", &our_ns))
		return err_set(err, ESRCH, "cannot see who is calling");
	return their_ns == our_ns
	               ? 0
	               : err_refuse(err, "ask from outside", "the caller has another pid namespace than warmd");
}

static int part_of_warm(pid_t pid, struct err *err)
{
	return err_set(err, EINVAL, "process %d is a part of Warm: ask for the program itself", pid);
}

/* Whether it can be a process to be copied, and the client's to ask for. */
static int check_status(const struct process *process, const struct client *client, const struct proc_status *status,
                        struct err *err)
{
	pid_t pid = process->peer.pid;

	if (!may_ask(client, process->proc_fd, status))
		return not_yours(pid, err);
	if (status->tgid != pid)
		return err_set(err, EINVAL, "process %d: that is a thread of process %d: ask for that one", pid,
		               status->tgid);
	if (status->state == 'Z' || status->state == 'X')
		return err_set(err, ESRCH, "process %d has ended", pid);
	/* Workers, templates, supervisors: children of the daemon's parent, whatever they have become. */
	return status->ppid == getppid() ? part_of_warm(pid, err) : 0;
}

static int process_open(struct process *process, const struct client *client, pid_t pid, struct err *err)
{
	struct proc_status status = {0};
	int r = same_numbers(client, err);

	if (r)
		return r;
	if (pid <= 0)
		return err_set(err, EINVAL, "process %d: no such number", pid);
	if (pid == getpid() || pid == getppid())
		return err_refuse(err, "name another process", "process %d is Warm's own daemon", pid);
	process->peer.pid = pid;
	process->peer.pidfd = (int)syscall(SYS_pidfd_open, pid, 0); /* of a thread's number there is none */
	process->proc_fd = proc_open(pid);
	r = process->proc_fd < 0 ? process->proc_fd : proc_status_read(process->proc_fd, &status);
	if (r)
		return err_sys(err, -r, "process %d", pid);
	r = check_status(process, client, &status, err);
	proc_status_fini(&status);
	if (!r && process->peer.pidfd < 0)
		r = err_set(err, ESRCH, "process %d has ended", pid);
	return r;
}

/* ---- what it was launched with ----------------------------------------------------------------------------------- */

/* Splits NUL-terminated strings; what lacks its NUL at the end has one behind it in the buffer. */
static char **split(char *text, size_t len, uint32_t *ret_n)
{
	size_t n = 0;
	char **list;

	for (size_t at = 0; at < len; at += strlen(text + at) + 1)
		n++;
	list = calloc(n + 1, sizeof(*list));
	*ret_n = 0;
	for (size_t at = 0; list && at < len; at += strlen(text + at) + 1)
		list[(*ret_n)++] = text + at;
	return list;
}

static bool is_executable(const struct process *process, const char *path)
{
	const struct stat *exe = &process->program.exe;
	struct stat st;

	return !stat(path, &st) && st.st_dev == exe->st_dev && st.st_ino == exe->st_ino;
}

/* dir/name, dir being relative to the process's directory. */
static bool try_command(struct process *process, const char *dir, size_t dir_len, const char *name)
{
	bool absolute = dir_len && dir[0] == '/';
	int len;

	while (!strncmp(name, "./", 2)) /* as `warm exec` leaves it out */
		name += 2;
	len = snprintf(process->cmd, sizeof(process->cmd), "%s%s%.*s%s%s", absolute ? "" : process->cwd,
	               absolute || !dir_len ? "" : "/", (int)dir_len, dir, "/", name);
	return len > 0 && (size_t)len < sizeof(process->cmd) && is_executable(process, process->cmd);
}

/* The path that `warm exec` would have made of its argv[0], where that is this executable; else the executable. */
static void find_command(struct process *process)
{
	const char *name = process->request.argv[0], *dirs = "/bin:/usr/bin", *end;

	for (char **env = process->request.env; *env; env++) {
		if (!strncmp(*env, "PATH=", 5))
			dirs = *env + 5;
	}
	if (name[0] == '/' && strlen(name) < sizeof(process->cmd) && is_executable(process, name)) {
		snprintf(process->cmd, sizeof(process->cmd), "%s", name);
		return;
	}
	if (strchr(name, '/') && name[0] != '/' && try_command(process, "", 0, name))
		return;
	for (; name[0] && !strchr(name, '/'); dirs = end + 1) {
		end = strchrnul(dirs, ':');
		if (try_command(process, dirs, (size_t)(end - dirs), name))
			return;
		if (!*end)
			break;
	}
	snprintf(process->cmd, sizeof(process->cmd), "%s", process->exe);
}

/* Beside warmd; installed, the command is elsewhere, and on the never-warm list. */
static bool is_warms_own(const char *exe)
{
	char own[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
	const char *slash;

	own[len > 0 ? len : 0] = '\0';
	slash = strrchr(own, '/');
	return slash && !strncmp(exe, own, (size_t)(slash + 1 - own)) && !strncmp(exe + (slash + 1 - own), "warm", 4);
}

static int read_request(struct process *process, struct err *err)
{
	struct request *request = &process->request;
	struct program *program = &process->program;
	int r = proc_link(process->proc_fd, "exe", process->exe, sizeof(process->exe));

	if (r == -ENOENT)
		return err_refuse(err, "name another process",
		                  "process %d has no executable: it is the kernel's, or has ended", process->peer.pid);
	if (r == -EACCES)
		return err_set(err, EACCES, "process %d has rights that warmd has not: it cannot be looked into",
		               process->peer.pid);
	if (!r && is_warms_own(process->exe))
		return part_of_warm(process->peer.pid, err);
	if (!r)
		r = proc_link(process->proc_fd, "cwd", process->cwd, sizeof(process->cwd));
	if (!r)
		r = program_read(process->proc_fd, program);
	if (r)
		return err_sys(err, -r, "process %d", process->peer.pid);
	request->argv = split(program->cmdline, program->cmdline_len, &request->head.n_argv);
	request->env = split(program->environ, program->environ_len, &request->head.n_env);
	if (!request->argv || !request->env)
		return err_set(err, ENOMEM, "out of memory");
	if (!request->head.n_argv)
		return err_refuse(err, "start it with an argv[0]", "process %d has no arguments to know it by",
		                  process->peer.pid);
	find_command(process);
	request->cmd = process->cmd;
	request->cwd = process->cwd;
	return 0;
}

/*
 * Nobody can tell which signals were ignored when it was launched and which it has ignored since. HUP, INT and QUIT
 * are what nohup and a shell's & set for a program; of the others, those that `warm snapshot` was started with, too.
 */
static void assume_signals(struct process *process, const struct client *client)
{
	const uint64_t launchers = 1u << (SIGHUP - 1) | 1u << (SIGINT - 1) | 1u << (SIGQUIT - 1);
	Warm__Rpc__Conditions *msg = &process->caller.msg;

	msg->sig_ignored &= launchers | client->caller.msg.sig_ignored;
	msg->sig_blocked = process->caller.status.sig_blocked & client->caller.status.sig_blocked;
}

/* A launch is somebody's: no launch begins with the ids of several. */
static int one_user(const struct process *process, struct err *err)
{
	const struct proc_status *status = &process->caller.status;

	for (int i = 1; i < 4; i++) {
		if (status->uid[i] != status->uid[0] || status->gid[i] != status->gid[0])
			return err_refuse(err, "such programs always start cold",
			                  "process %d has the rights of several users or groups (set-uid, set-gid)",
			                  process->peer.pid);
	}
	return 0;
}

/* The rest of what survives execve(2) only the process itself could tell. */
static void read_personality(struct process *process)
{
	CLEAN(free) char *text = NULL;

	if (fd_read_file_at(process->proc_fd, "personality", 64, &text, NULL) == 0)
		process->request.head.personality = (uint32_t)strtoul(text, NULL, 16);
}

static int read_conditions(struct process *process, const struct client *client, struct err *err)
{
	const struct machine *machine = &client->daemon->machine;
	struct caller *caller = &process->caller;
	int r = caller_look(caller, &process->peer, machine);

	read_personality(process);
	if (!r)
		r = caller_ask(caller, &process->request);
	if (r)
		return err_sys(err, -r, "process %d", process->peer.pid);
	if (!may_ask(client, process->proc_fd, &caller->status)) /* it may have executed something since */
		return not_yours(process->peer.pid, err);
	r = one_user(process, err);
	if (r)
		return r;
	if (caller->mnt_ns != machine->mnt_ns || caller->msg.root_dev != machine->root_dev ||
	    caller->msg.root_ino != machine->root_ino)
		return err_refuse(
		        err, "run a daemon there",
		        "process %d has another mount namespace or root directory than warmd: it is a copy, or "
		        "in a container",
		        process->peer.pid);
	for (int i = 0; i < 3; i++) {
		char name[16];
		struct stat st;

		snprintf(name, sizeof(name), "fd/%d", i);
		caller->stdio[i] = key_stdio_kind(fstatat(process->proc_fd, name, &st, 0) ? NULL : &st);
	}
	assume_signals(process, client);
	return 0;
}

/* CLOCK_REALTIME of its start, a clock tick early rather than late. */
static int started_ns(const struct process *process, int64_t *ret, struct err *err)
{
	struct proc_stat stat;
	struct timespec real, boot;
	int64_t tick_ns = 1000000000 / sysconf(_SC_CLK_TCK);
	int r = proc_stat_read(process->proc_fd, &stat);

	if (r)
		return err_sys(err, -r, "process %d", process->peer.pid);
	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	*ret = (int64_t)(real.tv_sec - boot.tv_sec) * 1000000000 + real.tv_nsec - boot.tv_nsec +
	       (int64_t)stat.starttime * tick_ns - tick_ns;
	return 0;
}

/* ---- the snapshot ------------------------------------------------------------------------------------------------ */

static int examine(struct process *process, struct client *client, struct first_run **ret, struct err *err)
{
	struct daemon *daemon = client->daemon;
	int64_t since_ns = 0;
	int r = read_request(process, err);

	if (!r)
		r = read_conditions(process, client, err);
	if (!r && config_never_warm(&daemon->config, process->cmd))
		r = err_refuse(err, "see [exec] never-warm in the configuration",
		               "process %d: %s is on the never-warm list", process->peer.pid, process->cmd);
	if (!r && privileged_file(process->exe, err))
		r = err_step(err, "process %d", process->peer.pid);
	if (!r)
		r = started_ns(process, &since_ns, err);
	if (!r)
		r = first_run_adopt(daemon, &process->peer, &process->caller.msg, since_ns, ret, err);
	if (!r)
		program_digest(&process->program, (*ret)->program);
	return r;
}

void process_snapshot(struct client *client, const Warm__Rpc__Take *take)
{
	struct process process = {.peer = {.pidfd = -1}, .proc_fd = -1};
	struct first_run *run = NULL;
	struct err err;
	int r;

	if (!client->daemon->machine.hot)
		r = err_set(&err, ENOTSUP, "%s", client->daemon->machine.cold_reason);
	else
		r = process_open(&process, client, take->pid, &err);
	if (!r) {
		run = first_run_of_pid(client->daemon, take->pid); /* what its launch was is known exactly */
		if (!run)
			r = examine(&process, client, &run, &err);
	}
	process_fini(&process);
	if (r)
		client_fail(client, err.code, "%s", err.msg);
	else
		snap_job_take_process(client, run, take->name, take->stop);
}
