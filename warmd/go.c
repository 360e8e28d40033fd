/* SPDX-License-Identifier: MIT */
#include "warmd/go.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "policy/key.h"
#include "policy/launch.h"
#include "proto/launch.h"
#include "proto/rpc.pb-c.h"
#include "warmd/cgroup.h"
#include "warmd/entry.h"
#include "warmd/handover.h"
#include "warmd/prewarm.h"
#include "warmd/request.h"
#include "warmd/standby.h"
#include "warmd/traits.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static bool in_use(const Warm__Rpc__Summary *summary, int number)
{
	for (size_t i = 0; i < summary->n_fds; i++) {
		if (summary->fds[i] == number)
			return true;
	}
	return false;
}

int go_check(const struct entry *entry, const struct request *request, const struct handover *handover, struct err *err)
{
	const Warm__Rpc__Summary *summary = entry->record->summary;
	bool announced = request->head.flags & LAUNCH_TTY;

	if (announced != (request_terminal(request) >= 0))
		return err_set(err, EINVAL, "malformed launch: a terminal %s",
		               announced ? "was announced, none came" : "came without a word");

	for (unsigned i = 0; i < request->head.n_numbers; i++) {
		int number = request->head.fd_number[i];

		if (number > 2 && in_use(summary, number) && !(handover->matched >> i & 1))
			return err_set(err, EBUSY, "descriptor %d of the launch is in use in the snapshot", number);
	}
	return 0;
}

int go_supervisor(const struct standby *standby, const struct entry *entry, const struct request *request, int claim,
                  const struct cgroups *groups, struct err *err)
{
	struct sup_go go = {.magic = SUP_MAGIC,
	                    .flags = request->head.flags &
	                             (LAUNCH_TTY | LAUNCH_BACKGROUND | LAUNCH_NOTIFY | LAUNCH_NET_PRIVATE)};
	int fds[3 + SUP_GROUPS_MAX] = {request->fds[REQUEST_CONTROL]};
	size_t n_fds = 1;
	int r;

	if (entry->record->said_ready)
		go.flags |= SUP_SAID_READY;
	if (go.flags & LAUNCH_TTY)
		fds[n_fds++] = request_terminal(request);
	if (claim >= 0)
		fds[n_fds++] = claim;
	for (size_t i = 0; i < groups->n; i++)
		fds[n_fds++] = groups->fd[i];
	go.flags |= SUP_GROUPS_FLAGS(groups->n);
	r = fd_send(standby->sup_fd, &go, sizeof(go), fds, n_fds);
	return r ? err_sys(err, -r, "send GO to the supervisor") : 0;
}

/* ---- the hook's answer ------------------------------------------------------------------------------------------- */

/* What the launcher was told about itself, and a clone is to be told about the clone. */
struct own_variables {
	char launcher[32], listen_pid[32];
	char notify[sizeof("NOTIFY_SOCKET=") + NOTIFY_PATH_MAX];
};

static void own_variables(const Warm__Rpc__Record *record, const struct go_launch *launch, struct own_variables *ret)
{
	snprintf(ret->launcher, sizeof(ret->launcher), "LISTEN_PID=%d", launch->launcher);
	snprintf(ret->listen_pid, sizeof(ret->listen_pid), "LISTEN_PID=%d", record->summary->pid);
	ret->notify[0] = '\0';
	if (record->notify[0])
		snprintf(ret->notify, sizeof(ret->notify), "NOTIFY_SOCKET=%.*s", NOTIFY_PATH_MAX, record->notify);
}

static const char *own_variable(const char *assignment, const struct own_variables *own)
{
	if (!strcmp(assignment, own->launcher))
		return own->listen_pid;
	return own->notify[0] && !strncmp(assignment, "NOTIFY_SOCKET=", 14) ? own->notify : assignment;
}

static int hook_answer(const Warm__Rpc__Record *record, const struct go_launch *launch, uint8_t **ret, size_t *ret_len,
                       struct err *err)
{
	const Warm__Rpc__Conditions *conditions = record->conditions;
	const struct request *request = launch->request;
	struct own_variables own;
	Warm__Rpc__Reply reply = WARM__RPC__REPLY__INIT;
	Warm__Rpc__Hook hook = WARM__RPC__HOOK__INIT;
	bool interpreter = conditions->interpreter[0];
	const char *const *argv = interpreter ? launch->prewarm->argv : (const char *const *)request->argv;
	size_t n_argv = interpreter ? launch->prewarm->n_argv : request->head.n_argv, n_env = request->head.n_env;
	CLEAN(free) ProtobufCBinaryData *bytes = calloc(n_argv + 2 * n_env + conditions->n_env + 1, sizeof(*bytes));
	CLEAN(free) uint8_t *buf = NULL;
	uint32_t magic = RPC_MAGIC;

	if (!bytes)
		return err_set(err, ENOMEM, "out of memory");
	own_variables(record, launch, &own);
	if (!conditions->argv_from_launch && !interpreter)
		n_argv = 0; /* the application's own, it keeps them */
	for (size_t i = 0; i < n_argv; i++)
		bytes[i] = (ProtobufCBinaryData){strlen(argv[i]), (uint8_t *)argv[i]};
	for (size_t i = 0; i < n_env; i++) {
		const char *var = own_variable(request->env[i], &own);

		bytes[n_argv + i] = (ProtobufCBinaryData){strlen(var), (uint8_t *)var};
	}

	hook.outcome = WARM__RPC__OUTCOME__RESTORED;
	hook.argv = bytes;
	hook.n_argv = n_argv;
	hook.env = bytes + n_argv;
	hook.n_env = n_env;
	hook.env_change = hook.env + n_env;
	if (!interpreter)
		hook.n_env_change = key_ignored_changes(conditions, hook.env, n_env, launch->ignored_env,
		                                        hook.env_change);
	hook.cwd = (ProtobufCBinaryData){strlen(request->cwd), (uint8_t *)request->cwd};
	hook.generation = launch->generation;
	hook.fixed_args = n_argv ? conditions->fixed_args : 0;
	reply.last = true;
	reply.hook = &hook;

	*ret_len = warm__rpc__reply__get_packed_size(&reply) + sizeof(magic);
	if (*ret_len > MESSAGE_MAX)
		return err_set(err, E2BIG, "arguments and environment do not fit into one message");
	buf = malloc(*ret_len);
	if (!buf)
		return err_set(err, ENOMEM, "out of memory");
	memcpy(buf, &magic, sizeof(magic));
	warm__rpc__reply__pack(&reply, buf + sizeof(magic));
	*ret = take_ptr(buf);
	return 0;
}

/* ---- GO ---------------------------------------------------------------------------------------------------------- */

/* Descriptors by slot: the token, 0 1 2 (the token for a closed one), the others. Returns how many. */
static size_t go_fds(const struct request *request, int fds[GO_FDS_MAX], int32_t *extra)
{
	size_t n = 0;

	fds[SLOT_TOKEN] = request->fds[REQUEST_TOKEN];
	for (int i = 0; i < 3; i++) {
		int fd = request_fd(request, i);

		fds[SLOT_STDIN + i] = fd >= 0 ? fd : fds[SLOT_TOKEN];
	}
	for (unsigned i = 0; i < request->head.n_numbers; i++) {
		if (request->head.fd_number[i] < 3)
			continue;
		extra[n] = request->head.fd_number[i];
		fds[SLOT_EXTRA + n++] = request->fds[REQUEST_FIRST + i];
	}
	return n;
}

/* One system call: a warmd that is killed or stopped has sent both or none. With GO alone the clone would take the
 * token and its hook would hear the end of the connection, which means cold: it would go on with the original's
 * arguments. The second cannot fail for want of room, both fit into an empty socket's buffer. */
static int send_both(int sock, struct iovec go, const int *fds, size_t n_fds, struct iovec answer)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * GO_FDS_MAX)] = {0};
	struct mmsghdr msg[2] = {
	        {.msg_hdr = {.msg_iov = &go,
	                     .msg_iovlen = 1,
	                     .msg_control = control,
	                     .msg_controllen = CMSG_SPACE(sizeof(int) * n_fds)}},
	        {.msg_hdr = {.msg_iov = &answer, .msg_iovlen = 1}},
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg[0].msg_hdr);
	int sent;

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
	memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * n_fds);
	sent = sendmmsg(sock, msg, 2, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent == 2)
		return 0;
	return sent < 0 ? -errno : -EAGAIN;
}

/* Numbers of the launch whose place the snapshot needs for something else. */
static uint64_t without_place(const struct entry *entry, const struct request *request, uint64_t matched)
{
	uint64_t ret = 0;
	size_t n = 0;

	for (unsigned i = 0; i < request->head.n_numbers; i++) {
		int number = request->head.fd_number[i];

		if (number < 3)
			continue;
		if (matched >> i & 1 && in_use(entry->record->summary, number))
			ret |= UINT64_C(1) << n;
		n++;
	}
	return ret;
}

/* What the program had set itself. */
static void keep_own(const Warm__Rpc__Record *record, struct launch_traits *launch)
{
	struct launch_traits first, own;

	if (record->launched && record->own && traits_of_message(record->launched, &first) &&
	    traits_of_message(record->own, &own))
		launch_traits_settle(&first, &own, launch);
}

int go_application(const struct standby *standby, const struct entry *entry, const struct go_launch *launch,
                   struct err *err)
{
	const struct request *request = launch->request;
	const struct handover *handover = launch->handover;
	int32_t extra[LAUNCH_FDS_MAX];
	int fds[GO_FDS_MAX], size, r;
	size_t n_extra = go_fds(request, fds, extra), answer_len = 0;
	struct launch_traits traits = *launch->traits;
	const struct launch_brings brings = {
	        .launch = &traits,
	        .standby = &standby->traits,
	        .caps = entry->record->conditions->cap_effective,
	        .cwd = entry->record->conditions->cwd_from_launch ? request->cwd : NULL,
	        .umask = -1, /* equal, or it was no hit */
	        .comm = entry->record->conditions->interpreter[0] ? launch->prewarm->comm : NULL,
	        .extra = extra,
	        .n_extra = n_extra,
	        .no_place = without_place(entry, request, handover->matched),
	        .place = handover->place,
	        .n_places = handover->n_places,
	        .skip = handover->skip,
	        .tids = entry->record->summary->tid,
	        .n_tids = entry->record->summary->n_tid,
	};
	CLEAN(free) uint8_t *answer = NULL;
	uint8_t go[GO_SIZE_MAX];

	keep_own(entry->record, &traits);
	size = launch_build_go(&brings, go, err);
	if (size < 0)
		return size;
	if (entry->record->ready[0]) { /* no hook waits for an answer */
		r = fd_send(standby->go_fd, go, (size_t)size, fds, SLOT_EXTRA + n_extra);
		return r ? err_sys(err, -r, "send GO") : 0;
	}
	r = hook_answer(entry->record, launch, &answer, &answer_len, err);
	if (r)
		return r;
	r = send_both(standby->go_fd, (struct iovec){go, (size_t)size}, fds, SLOT_EXTRA + n_extra,
	              (struct iovec){answer, answer_len});
	return r ? err_sys(err, -r, "send GO") : 0;
}
