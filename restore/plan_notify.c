/* SPDX-License-Identifier: MIT */
/*
 * The NOTIFY_SOCKET of a clone: sd_notify(3). The program knows the path that it had in its first run. In the mount
 * namespace of the clone the directory is an empty one, and in it a socket of that name is the clone's own; warm-init
 * hands it to the launch.
 */
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "restore/plan.h"

static void mount_directory(struct plan *p, const char *path)
{
	const char *slash = strrchr(path, '/');
	uint64_t dir = plan_string(p, path);

	((char *)plan_at(p, dir))[slash - path] = '\0';
	plan_op(p, (struct rop){.kind = ROP_SYSCALL, .want = WANT_ANY, .nr = SYS_mkdir, .args = {dir, 0755}},
	        "supervisor: the directory of %s", path);
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_mount,
	                     .args = {plan_string(p, "warm"), dir, plan_string(p, "tmpfs"),
	                              MS_NOSUID | MS_NODEV | MS_NOEXEC, plan_string(p, "mode=755,size=64k")}},
	        "supervisor: the directory of %s", path);
}

void plan_notify(struct plan *p, int fd)
{
	const char *path = p->image->process->notify;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t len = strlen(path);

	mount_directory(p, path);
	memcpy(addr.sun_path, path, len);
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_socket,
	                     .flags = ROP_TO_SLOT,
	                     .expect = SLOT_TMP2,
	                     .args = {AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0}},
	        "supervisor: the NOTIFY_SOCKET of the clone");
	plan_raise(p, SLOT_TMP);
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_bind,
	                     .flags = ROP_SLOT(0),
	                     .args = {SLOT_TMP, plan_data(p, &addr, sizeof(addr), 8),
	                              offsetof(struct sockaddr_un, sun_path) + len + 1}},
	        "supervisor: bind %s", path);
	plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = SYS_chmod, .args = {plan_string(p, path), 0666}},
	        "supervisor: who may write to %s", path);
	plan_op(p,
	        (struct rop){
	                .kind = ROP_SYSCALL, .nr = SYS_dup3, .flags = ROP_SLOT(0), .args = {SLOT_TMP, (uint64_t)fd, 0}},
	        "supervisor: keep it for the launch");
	plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = SYS_close, .flags = ROP_SLOT(0), .args = {SLOT_TMP}},
	        "supervisor: keep it for the launch");
}
