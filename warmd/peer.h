/* SPDX-License-Identifier: MIT */
/*
 * Who is calling, and under which conditions: what the kernel says of the process at the other end of a connection.
 */
#ifndef WARM_WARMD_PEER_H
#define WARM_WARMD_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/proc.h"
#include "policy/launch.h"
#include "proto/rpc.pb-c.h"
#include "warmd/cgroup.h"

struct machine;
struct request;

struct peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	int pidfd; /* -1: the kernel does not give one (before 6.5) */
};

/* 0 or -errno. */
int peer_init(struct peer *peer, int sock);
void peer_fini(struct peer *peer);
bool peer_alive(const struct peer *peer);

#define CALLER_NS 8
#define LABEL_MAX 128 /* of a security module (AppArmor, SELinux) */

/* That of /proc/PID; "" without one. */
void peer_label(int dir_fd, char label[LABEL_MAX]);

/* The conditions of a launch (without files), in one place: msg points into the rest and into the request. */
struct caller {
	Warm__Rpc__Conditions msg;
	struct proc_status status;
	struct launch_traits traits;
	Warm__Rpc__Namespace ns[CALLER_NS], *ns_list[CALLER_NS];
	ProtobufCBinaryData *argv, *env;
	uint32_t stdio[3];
	char cmd[4096];
	char label[LABEL_MAX];
	char cgroup[CGROUP_TEXT_MAX];
	uint64_t mnt_ns;
};

/* What the kernel says: namespaces, credentials, signals, limits. It takes longer than the rest of a launch, so it is
 * asked as soon as the caller has connected, while that still writes its request. 0 or -errno (-ESRCH: the caller is
 * gone). caller_fini() in either case. */
int caller_look(struct caller *caller, const struct peer *peer, const struct machine *machine);

/* Is the caller still who it was when it connected? Its connection may be in other hands by now, and it itself may have
 * executed a set-uid program, whose rights those shall not have. Nor has it two users or groups at a time. */
bool caller_is_itself(const struct caller *caller, const struct peer *peer, int sock);

/* Why no copy can be what the caller would start, whatever the snapshot; NULL: nothing stands against it. */
const char *caller_stands_apart(const struct caller *caller, const struct machine *machine);

/* What the request says, which must outlive the caller. 0 or -errno. */
int caller_ask(struct caller *caller, const struct request *request);
void caller_fini(struct caller *caller);

/* A deep copy, to be freed with warm__rpc__conditions__free_unpacked(). NULL: out of memory. */
Warm__Rpc__Conditions *conditions_copy(const Warm__Rpc__Conditions *conditions);

#endif
