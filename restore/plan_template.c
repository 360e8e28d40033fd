/* SPDX-License-Identifier: MIT */
/*
 * Park as template, or go straight on. For each standby that is asked for: the supervisor is made in a new pid
 * namespace, sharing the template's memory (so no second copy of page tables) while the template waits as after vfork;
 * it makes the application and then execs warm-init.
 */
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <fcntl.h>

#include "base/err.h"
#include "restore/plan.h"

#define SUP_FD    3 /* warm-init's descriptors: its socket */
#define NOTIFY_FD 4 /* and the NOTIFY_SOCKET of the clone, where it has one */
#define LIFE_FD   5 /* and, where a pager serves the clone, the socket to it; behind it the userfaultfd */

static uint64_t clone_args(struct plan *p, uint64_t flags, uint64_t exit_signal, uint64_t stack, const pid_t *tid)
{
	struct clone_args args = {.flags = flags, .exit_signal = exit_signal};

	if (stack) {
		args.stack = stack;
		args.stack_size = PLAN_STACK;
	}
	if (tid) {
		args.set_tid = plan_data(p, tid, sizeof(*tid), 8);
		args.set_tid_size = 1;
	}
	return plan_data(p, &args, sizeof(args), 8);
}

/* Its own descriptors: what is still to be done when the application is there must not fail, nor use a slot, for the
 * two may share the arena. */
static void plan_supervisor_fds(struct plan *p)
{
	const struct place *at = p->place;

	if (*p->image->process->notify)
		plan_notify(p, NOTIFY_FD);
	plan_op(p,
	        (struct rop){
	                .kind = ROP_SYSCALL, .nr = SYS_dup3, .flags = ROP_SLOT(0), .args = {SLOT_MAKE_SUP, SUP_FD, 0}},
	        "hand the supervisor its socket");
	if (at->paged) {
		PLAN_SYS(p, SYS_dup3, "hand the supervisor the pager's socket", (uint64_t)LIFE_FROM_FD(at), LIFE_FD, 0);
		PLAN_SYS(p, SYS_dup3, "hand the supervisor the userfaultfd", (uint64_t)UFFD_FD(at), LIFE_FD + 1, 0);
	}
}

static void plan_exec_init(struct plan *p)
{
	char sup[16], pid[16], notify[16], life[16];
	uint64_t argv[6] = {0}, envp[1] = {0};
	uint64_t argv_at, envp_at;

	snprintf(sup, sizeof(sup), "%d", SUP_FD);
	snprintf(pid, sizeof(pid), "%d", p->image->process->pid);
	snprintf(notify, sizeof(notify), "%d", *p->image->process->notify ? NOTIFY_FD : -1);
	snprintf(life, sizeof(life), "%d", p->place->paged ? LIFE_FD : -1);
	argv[0] = plan_string(p, "warm-init");
	argv[1] = plan_string(p, sup);
	argv[2] = plan_string(p, pid);
	argv[3] = plan_string(p, notify);
	argv[4] = plan_string(p, life);
	argv_at = plan_data(p, argv, sizeof(argv), 8);
	envp_at = plan_data(p, envp, sizeof(envp), 8);
	PLAN_SYS(p, SYS_execveat, "become the supervisor", (uint64_t)p->place->init_fd, plan_string(p, ""), argv_at,
	         envp_at, AT_EMPTY_PATH);
}

/* The supervisor's last acts as part of this program. */
static void plan_supervisor(struct plan *p)
{
	PLAN_SYS(p, SYS_setsid, "supervisor: a session of its own", 0);
	/* A controlling terminal is inherited at birth or never: only a session leader can take one, and that is the
	 * supervisor. */
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .want = WANT_ANY,
	                     .nr = SYS_ioctl,
	                     .flags = ROP_SLOT(0),
	                     .args = {SLOT_MAKE_TTY, TIOCSCTTY, 0}},
	        "supervisor: take the terminal, if there is one");
	PLAN_SYS(p, SYS_mount, "supervisor: mounts follow the host's", 0, plan_string(p, "/"), 0, MS_REC | MS_SLAVE, 0);
	PLAN_SYS(p, SYS_mount, "supervisor: its own /proc", plan_string(p, "proc"), plan_string(p, "/proc"),
	         plan_string(p, "proc"), MS_NOSUID | MS_NODEV | MS_NOEXEC, 0);
	if (p->image->process->net_private)
		plan_network_own(p);
	uint32_t trial = plan_held_begin(p, 1 + MAKE_NO_TRIAL);
	if (!p->image->process->net_private)
		plan_network_own(p);
	plan_network_any_address(p);
	plan_held_end(p, trial);
	plan_supervisor_fds(p);
}

static void plan_application(struct plan *p)
{
	const struct place *at = p->place;
	int32_t go_fd = GO_FD(at);

	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_dup3,
	                     .flags = ROP_SLOT(0),
	                     .args = {SLOT_MAKE_GO, (uint64_t)GO_FD(at), O_CLOEXEC}},
	        "take the GO socket");
	plan_op(p,
	        (struct rop){.kind = ROP_COPY,
	                     .args = {at->arena + offsetof(struct arena, report_fd),
	                              plan_data(p, &go_fd, sizeof(go_fd), 4), sizeof(go_fd)}},
	        "report to the GO socket");
	PLAN_SYS(p, SYS_close_range, "close what is the template's", 0, (uint64_t)GO_FD(at) - 1, 0);
	PLAN_SYS(p, SYS_close_range, "close what is the template's", (uint64_t)GO_FD(at) + 1, ~0u, 0);
	PLAN_SYS(p, SYS_setpgid, "a process group of its own", 0, 0);
	plan_keys_own(p);
}

/* A standby of a template is a copy of it. Where there is no template to be, the application keeps the address space
 * itself, and the process that made it ends. */
int plan_template(struct plan *p, struct err *err)
{
	const struct place *at = p->place;
	uint64_t stack = plan_data(p, NULL, PLAN_STACK, 64);
	uint64_t own_stack = at->straight ? plan_data(p, NULL, PLAN_STACK, 64) : 0;
	uint32_t park = 0, birth, born;

	(void)err;
	plan_huge(p);
	if (!at->straight)
		park = plan_op(p, (struct rop){.kind = ROP_TEMPLATE, .args = {(uint64_t)at->sock_fd}},
		               "park as template");
	birth = plan_op(p, (struct rop){.kind = ROP_CLONE}, "make the supervisor in a new pid namespace");
	if (at->straight) {
		PLAN_SYS(p, SYS_exit_group, "end: the application has the address space", 0);
	} else {
		PLAN_SYS(p, SYS_close_range, "let go of the standby's sockets", (uint64_t)at->fd_base + 2, ~0u, 0);
		plan_op(p, (struct rop){.kind = ROP_JUMP, .args = {park}}, "park again");
	}
	p->op[birth].args[0] = clone_args(p, CLONE_VM | CLONE_VFORK | CLONE_NEWPID | CLONE_NEWNS | CLONE_PARENT, 0,
	                                  stack, NULL);
	p->op[birth].args[1] = sizeof(struct clone_args);
	p->op[birth].args[2] = p->n_ops;
	p->op[birth].args[3] = stack + PLAN_STACK;

	plan_supervisor(p);
	born = plan_op(p, (struct rop){.kind = ROP_CLONE}, "make process %d", p->image->process->pid);
	p->op[born].args[0] = clone_args(p, at->straight ? CLONE_VM : 0, SIGCHLD, own_stack, &p->image->process->pid);
	p->op[born].args[1] = sizeof(struct clone_args);
	plan_exec_init(p);
	p->op[born].args[2] = p->n_ops;
	p->op[born].args[3] = own_stack ? own_stack + PLAN_STACK : 0;

	plan_application(p);
	return 0;
}
