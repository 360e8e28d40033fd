/* SPDX-License-Identifier: MIT */
#include "warmd/peer.h"

#include "base/clean.h"
#include "base/fd.h"
#include "policy/key.h"
#include "warmd/daemon.h"
#include "warmd/request.h"
#include "warmd/traits.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

/* 32 and 33 are glibc's own (cancellation, setxid): no program sees them, some launchers leave them ignored or blocked.
 */
#define LIBC_SIGNALS (UINT64_C(3) << 31)

int peer_init(struct peer *peer, int sock)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int pidfd = -1;

	peer->pidfd = -1;
	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return -errno;
	peer->pid = cred.pid;
	peer->uid = cred.uid;
	peer->gid = cred.gid;

	len = sizeof(pidfd);
	if (!getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len))
		peer->pidfd = pidfd;
	else if (errno == ENOPROTOOPT) /* a window for a reused pid remains there, as narrow as it gets */
		peer->pidfd = (int)syscall(SYS_pidfd_open, cred.pid, 0);
	return peer->pidfd < 0 ? -ESRCH : 0;
}

void peer_fini(struct peer *peer)
{
	clean_fd(&peer->pidfd);
	peer->pidfd = -1;
}

bool peer_alive(const struct peer *peer)
{
	struct pollfd fd = {.fd = peer->pidfd, .events = POLLIN};

	return poll(&fd, 1, 0) == 0;
}

/* ---- conditions ------------------------------------------------------------------------------------------------- */

static void fill_status(struct caller *caller)
{
	Warm__Rpc__Conditions *msg = &caller->msg;
	struct proc_status *status = &caller->status;

	msg->uid = status->uid[1];
	msg->gid = status->gid[1];
	msg->group = status->groups;
	msg->n_group = status->n_groups;
	msg->cap_inheritable = status->cap_inheritable;
	msg->cap_permitted = status->cap_permitted;
	msg->cap_effective = status->cap_effective;
	msg->cap_bounding = status->cap_bounding;
	msg->cap_ambient = status->cap_ambient;
	msg->no_new_privs = status->no_new_privs;
	msg->sig_ignored = status->sig_ignored & ~LIBC_SIGNALS;
	msg->umask = status->umask;
}

void peer_label(int dir_fd, char label[LABEL_MAX])
{
	CLEAN(fd) int fd = openat(dir_fd, "attr/current", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, label, LABEL_MAX - 1);

	label[len > 0 ? len : 0] = '\0';
	label[strcspn(label, "\n")] = '\0';
}

static int fill_places(struct caller *caller, int dir_fd)
{
	static const char *const name[] = {"mnt", "net", "uts", "ipc", "user", "cgroup", "time"};
	Warm__Rpc__Conditions *msg = &caller->msg;
	struct stat root;

	for (size_t i = 0; i < sizeof(name) / sizeof(*name); i++) {
		Warm__Rpc__Namespace *ns = &caller->ns[msg->n_ns];
		int r = proc_ns(dir_fd, name[i], &ns->ino);

		if (r == -ENOENT)
			continue; /* a kernel without this kind */
		if (r)
			return r;
		ns->name = (char *)name[i];
		caller->ns_list[msg->n_ns++] = ns;
		if (i == 0)
			caller->mnt_ns = ns->ino;
	}
	msg->ns = caller->ns_list;

	if (fstatat(dir_fd, "root", &root, 0))
		return -errno;
	msg->root_dev = root.st_dev;
	msg->root_ino = root.st_ino;

	return 0;
}

static ProtobufCBinaryData *bytes_list(char *const *list, size_t n)
{
	ProtobufCBinaryData *bytes = calloc(n + 1, sizeof(*bytes));

	for (size_t i = 0; bytes && i < n; i++)
		bytes[i] = (ProtobufCBinaryData){strlen(list[i]), (uint8_t *)list[i]};
	return bytes;
}

int caller_ask(struct caller *caller, const struct request *request)
{
	Warm__Rpc__Conditions *msg = &caller->msg;
	size_t len = (size_t)snprintf(caller->cmd, sizeof(caller->cmd), "%s%s%s",
	                              request->cmd[0] == '/' ? "" : request->cwd, request->cmd[0] == '/' ? "" : "/",
	                              request->cmd);

	if (len >= sizeof(caller->cmd))
		return -ENAMETOOLONG;
	msg->cmd = caller->cmd;
	msg->cwd = (ProtobufCBinaryData){strlen(request->cwd), (uint8_t *)request->cwd};
	msg->sig_blocked = request->head.sig_blocked & ~LIBC_SIGNALS;
	msg->personality = request->head.personality;
	msg->inherited = request->head.inherited;
	msg->net_private = (request->head.flags & LAUNCH_NET_PRIVATE) != 0;
	msg->notify = (request->head.flags & LAUNCH_NOTIFY) != 0;

	caller->argv = bytes_list(request->argv, request->head.n_argv);
	caller->env = bytes_list(request->env, request->head.n_env);
	if (!caller->argv || !caller->env)
		return -ENOMEM;
	msg->argv = caller->argv;
	msg->n_argv = request->head.n_argv;
	msg->env = caller->env;
	msg->n_env = request->head.n_env;

	for (int i = 0; i < 3; i++) {
		struct stat st;
		int fd = request_fd(request, i);

		caller->stdio[i] = key_stdio_kind(fd >= 0 && !fstat(fd, &st) ? &st : NULL);
	}
	msg->stdio_kind = caller->stdio;
	msg->n_stdio_kind = 3;
	return 0;
}

/* Without an I/O priority of its own a process has one that the kernel derives from the rest, and tells as if it had.
 */
static uint32_t io_priority(pid_t pid, int policy, int nice)
{
	int class = policy == SCHED_IDLE                         ? IOPRIO_CLASS_IDLE
	            : policy == SCHED_FIFO || policy == SCHED_RR ? IOPRIO_CLASS_RT
	                                                         : IOPRIO_CLASS_BE;
	long value = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, pid);

	return value < 0 || value == (long)IOPRIO_PRIO_VALUE(class, (nice + 20) / 5) ? 0 : (uint32_t)value;
}

static int fill_priority(struct caller *caller, pid_t pid)
{
	int policy = sched_getscheduler(pid), bare = policy & ~SCHED_RESET_ON_FORK;
	struct sched_param param = {0};

	if (policy < 0 || sched_getparam(pid, &param) < 0)
		return -errno;
	caller->msg.scheduling = (uint32_t)policy | (uint32_t)param.sched_priority << 8;
	caller->msg.io_priority = io_priority(pid, bare, caller->traits.nice);
	return 0;
}

int caller_look(struct caller *caller, const struct peer *peer, const struct machine *machine)
{
	CLEAN(fd) int dir_fd = proc_open(peer->pid);
	int r;

	memset(caller, 0, offsetof(struct caller, cmd));
	warm__rpc__conditions__init(&caller->msg);
	for (int i = 0; i < CALLER_NS; i++)
		warm__rpc__namespace__init(&caller->ns[i]);
	if (dir_fd < 0)
		return dir_fd;
	r = proc_status_read(dir_fd, &caller->status);
	if (r)
		return r;
	fill_status(caller);
	r = fill_places(caller, dir_fd);
	if (r)
		return r;
	r = traits_read(peer->pid, &caller->traits);
	caller->msg.stack_limit = caller->traits.limit[RLIMIT_STACK].rlim_cur;
	if (r == 0)
		r = fill_priority(caller, peer->pid);
	if (r)
		return r;
	r = cgroups_read(dir_fd, caller->cgroup);
	if (r)
		return r;
	if (machine->labels)
		peer_label(dir_fd, caller->label);
	caller->msg.label = caller->label;
	caller->msg.cpu = (char *)machine->cpu;
	caller->msg.kernel = (char *)machine->kernel;
	/* dir_fd was opened by number: it is the peer's if the peer is alive after all that was read through it. */
	return peer_alive(peer) ? 0 : -ESRCH;
}

/* ---- who it is now, and who it was ------------------------------------------------------------------------------- */

static bool same_groups(const struct proc_status *status, int sock)
{
	socklen_t len = (socklen_t)(status->n_groups * sizeof(*status->groups));
	CLEAN(free) uint32_t *groups = malloc(len + sizeof(*groups));

	/* ERANGE: there are more */
	return groups && !getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, groups, &len) &&
	       len == status->n_groups * sizeof(*groups) && (!len || !memcmp(groups, status->groups, len));
}

/* What has more rights than its user by the file that it executes is not the user's to look into. */
static bool is_its_users(const struct peer *peer)
{
	CLEAN(fd) int dir_fd = proc_open(peer->pid);
	struct stat st;

	return dir_fd >= 0 && !fstatat(dir_fd, "environ", &st, 0) && st.st_uid == peer->uid;
}

bool caller_is_itself(const struct caller *caller, const struct peer *peer, int sock)
{
	const struct proc_status *status = &caller->status;

	for (int i = 0; i < 4; i++) {
		if (status->uid[i] != peer->uid || status->gid[i] != peer->gid)
			return false;
	}
	return same_groups(status, sock) && is_its_users(peer) && peer_alive(peer);
}

/* A copy is born of the daemon: what nobody can put on it, it does not have. */
const char *caller_stands_apart(const struct caller *caller, const struct machine *machine)
{
	if (caller->status.seccomp)
		return "the caller has a seccomp filter, and a copy would have none";
	if (strcmp(caller->label, machine->label) != 0)
		return "the caller has another security label than warmd, and a copy would have warmd's";
	return NULL;
}

void caller_fini(struct caller *caller)
{
	proc_status_fini(&caller->status);
	free(caller->argv);
	free(caller->env);
}

Warm__Rpc__Conditions *conditions_copy(const Warm__Rpc__Conditions *conditions)
{
	size_t len = warm__rpc__conditions__get_packed_size(conditions);
	CLEAN(free) uint8_t *buf = malloc(len + 1);

	if (!buf)
		return NULL;
	warm__rpc__conditions__pack(conditions, buf);
	return warm__rpc__conditions__unpack(NULL, len, buf);
}
