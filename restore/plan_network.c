/* SPDX-License-Identifier: MIT */
/* A network namespace of its own, made by a clone's supervisor before the application: network_namespaces(7). */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "restore/plan.h"

static void close_slot(struct plan *p, const char *words)
{
	plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = SYS_close, .flags = ROP_SLOT(0), .args = {SLOT_TMP}}, "%s",
	        words);
}

void plan_network_own(struct plan *p)
{
	struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	PLAN_SYS(p, SYS_unshare, "supervisor: a network namespace of its own", CLONE_NEWNET);
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_socket,
	                     .flags = ROP_TO_SLOT,
	                     .expect = SLOT_TMP,
	                     .args = {AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0}},
	        "supervisor: to bring loopback up");
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_ioctl,
	                     .flags = ROP_SLOT(0),
	                     .args = {SLOT_TMP, SIOCSIFFLAGS, plan_data(p, &loopback, sizeof(loopback), 8)}},
	        "supervisor: loopback is up");
	close_slot(p, "supervisor: loopback is up");
}

static void switch_on(struct plan *p, const char *path)
{
	static const char words[] = "supervisor: addresses of the host can be bound";

	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_openat,
	                     .flags = ROP_TO_SLOT,
	                     .expect = SLOT_TMP,
	                     .args = {(uint64_t)AT_FDCWD, plan_string(p, path), O_WRONLY | O_CLOEXEC}},
	        "%s", words);
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_write,
	                     .flags = ROP_SLOT(0),
	                     .args = {SLOT_TMP, plan_string(p, "1"), 1}},
	        "%s", words);
	close_slot(p, words);
}

/* Behind the supervisor's mount of /proc: its /proc/sys/net is that of the new namespace. */
void plan_network_any_address(struct plan *p)
{
	switch_on(p, "/proc/sys/net/ipv4/ip_nonlocal_bind");
	if (p->place->has_ipv6)
		switch_on(p, "/proc/sys/net/ipv6/ip_nonlocal_bind");
}
