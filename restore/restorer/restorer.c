/* SPDX-License-Identifier: MIT */
/*
 * The restorer: runs a plan (proto/rop.h) inside the process that it is about. No libc, no data of its own, no
 * system call that is not in the plan but for parking, reporting and the token. Whoever wants a new kernel feature
 * restored writes a planner, not a line here.
 */
#include <linux/futex.h>
#include <linux/sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <asm/errno.h>
#include <linux/fcntl.h>

#include "proto/arena.h"
#include "proto/pagesum.h"
#include "restore/restorer/sys.h"

#define NS INT64_C(1000000000)

__attribute__((noreturn)) void restorer_run(struct arena *a, uint32_t op);

/* The blob's first byte: the hosted part, and every new thread, come in here with rdi = arena, esi = op. */
__asm__(".pushsection .text.entry,\"ax\"\n"
        ".globl restorer_entry\n"
        "restorer_entry:\n"
        "	xor %ebp, %ebp\n"
        "	and $-16, %rsp\n"
        "	call restorer_run\n"
        "	ud2\n"
        ".popsection\n");
extern void restorer_entry(void);

static void copy(unsigned char *to, const unsigned char *from, uint64_t n)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static void report(struct arena *a, uint32_t kind, int32_t op, int32_t err, int64_t value)
{
	struct report r;
	unsigned char *p = (unsigned char *)&r;

	for (unsigned i = 0; i < sizeof(r); i++)
		((volatile unsigned char *)p)[i] = 0;
	r.magic = REPORT_MAGIC;
	r.kind = kind;
	r.op = op;
	r.err = err;
	r.value = value;
	sys6(SYS_sendto, a->report_fd, (long)&r, sizeof(r), MSG_NOSIGNAL, 0, 0);
}

static __attribute__((noreturn)) void leave(void)
{
	for (;;)
		sys3(SYS_exit_group, 125, 0, 0);
}

/* What goes wrong in these ops is said to be about the held object. */
static void enter_held(struct arena *a, const struct rop *rop, uint32_t from)
{
	a->held = (uint32_t)rop->args[0];
	a->held_from = from;
	a->held_to = from + (uint32_t)rop->args[1];
}

static __attribute__((noreturn)) void fail(struct arena *a, uint32_t op, long err)
{
	if (op >= a->held_from && op < a->held_to)
		report(a, REPORT_HELD, (int32_t)op, (int32_t)err, a->held);
	else
		report(a, REPORT_FAILED, (int32_t)op, (int32_t)err, 0);
	leave();
}

/* Receives one datagram with descriptors into a->message and slots [first..). Ends the process when the other side is
 * gone. */
static long receive(struct arena *a, int fd, uint32_t first, uint32_t n_slots)
{
	struct iovec_ {
		void *base;
		uint64_t len;
	} iov = {a->message.bytes, sizeof(a->message.bytes)};
	struct msghdr msg;
	const struct cmsghdr *cm = (const struct cmsghdr *)a->control;
	const int32_t *fds = (const int32_t *)(a->control + sizeof(struct cmsghdr));
	uint32_t n = 0;
	long got;

	for (unsigned i = 0; i < sizeof(msg); i++)
		((volatile unsigned char *)&msg)[i] = 0;
	msg.msg_iov = (void *)&iov;
	msg.msg_iovlen = 1;
	msg.msg_control = a->control;
	msg.msg_controllen = sizeof(a->control);
	do {
		got = sys3(SYS_recvmsg, fd, (long)&msg, MSG_CMSG_CLOEXEC);
	} while (got == -EINTR);
	if (got <= 0)
		leave();
	if (msg.msg_controllen >= sizeof(*cm) && cm->cmsg_level == SOL_SOCKET && cm->cmsg_type == SCM_RIGHTS)
		n = (uint32_t)((cm->cmsg_len - sizeof(*cm)) / sizeof(int32_t));
	for (uint32_t i = 0; i < n_slots; i++)
		a->slot[first + i] = -1;
	for (uint32_t i = 0; i < n && i < n_slots; i++) {
		long high = fds[i];

		if (fds[i] < a->fd_base) { /* out of the way of the numbers that the application has */
			high = sys3(SYS_fcntl, fds[i], F_DUPFD_CLOEXEC, a->fd_base);
			if (sys_failed(high))
				leave();
			sys3(SYS_close, fds[i], 0, 0);
		}
		a->slot[first + i] = (int32_t)high;
	}
	return got;
}

/* A template lives here: one round per standby it is asked for. */
static void park_template(struct arena *a, uint32_t op, int fd)
{
	long got = receive(a, fd, SLOT_MAKE_GO, 3);

	if (got < (long)sizeof(struct make_standby) || a->message.make.magic != MAKE_MAGIC ||
	    a->slot[SLOT_MAKE_SUP] < 0 ||
	    a->message.make.n_touch > (got - sizeof(struct make_standby)) / sizeof(struct touch))
		fail(a, op, EPROTO);
}

static void park_standby(struct arena *a, uint32_t op, int fd)
{
	long got;

	*(volatile unsigned char *)a->control = 0; /* a page of its own now, not when it counts */
	report(a, REPORT_STANDBY_PARKED, (int32_t)op, 0, 0);
	got = receive(a, fd, SLOT_TOKEN, GO_FDS_MAX);
	if (got < (long)sizeof(struct go_header) || a->message.go.magic != GO_MAGIC ||
	    a->message.go.n_ops > (got - sizeof(struct go_header)) / sizeof(struct rop))
		fail(a, op, EPROTO);
}

static void wait_word(uint32_t *word, uint32_t until)
{
	for (;;) {
		uint32_t now = __atomic_load_n(word, __ATOMIC_ACQUIRE);

		if (now >= until)
			return;
		sys6(SYS_futex, (long)word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, now, 0, 0, 0);
	}
}

static void park_thread(struct arena *a)
{
	__atomic_add_fetch(&a->n_parked, 1, __ATOMIC_RELEASE);
	sys3(SYS_futex, (long)&a->n_parked, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
	wait_word(&a->go_word, 1);
}

/* The exactly-once token: from here on, this process is the launch - or it is nobody. */
static void take_token(struct arena *a, uint32_t op)
{
	uint64_t value = 0;
	long got = sys3(SYS_read, a->slot[SLOT_TOKEN], (long)&value, sizeof(value));

	if (got != (long)sizeof(value)) {
		report(a, REPORT_TOKEN_GONE, (int32_t)op, (int32_t)-got, 0);
		leave();
	}
	report(a, REPORT_RUNNING, (int32_t)op, 0, 0);
}

static __attribute__((noreturn)) void become(uint64_t frame)
{
	/* rt_sigreturn reads the frame at rsp - 8, where a handler's return address would have been popped from. */
	__asm__ volatile("lea 8(%0), %%rsp\n\tmov %1, %%eax\n\tsyscall\n\tud2" : : "r"(frame), "i"(SYS_rt_sigreturn));
	__builtin_unreachable();
}

/*
 * As become(), but the last system call is made by a `syscall; ret` of the application's own: when it returns, or while
 * it runs, nobody is in the arena any more. `ret` takes the frame's first word, the application's rt_sigreturn
 * trampoline.
 */
static __attribute__((noreturn)) void leave_arena(const struct arena *a, const struct rop *rop)
{
	register uint64_t d __asm__("r10") = rop->args[3];
	register uint64_t e __asm__("r8") = rop->args[4];
	register uint64_t f __asm__("r9") = rop->args[5];

	__asm__ volatile("mov %0, %%rsp\n\tjmp *%1"
	                 :
	                 : "b"(rop->expect), "c"(a->gadget), "a"((uint64_t)rop->nr), "D"(rop->args[0]),
	                   "S"(rop->args[1]), "d"(rop->args[2]), "r"(d), "r"(e), "r"(f)
	                 : "memory");
	__builtin_unreachable();
}

/* clone3(): a child with a stack of its own comes in at restorer_entry; one without returns here, as from fork. */
static long clone_child(struct arena *a, uint64_t args, uint64_t size, uint64_t op, int own_stack)
{
	register struct arena *arena __asm__("r12") = a;
	register uint64_t first __asm__("r13") = op;
	long ret;

	if (!own_stack)
		return sys3(SYS_clone3, (long)args, (long)size, 0);
	__asm__ volatile("syscall\n\t"
	                 "test %%rax, %%rax\n\t"
	                 "jnz 1f\n\t"
	                 "mov %%r12, %%rdi\n\t"
	                 "mov %%r13, %%rsi\n\t"
	                 "jmp restorer_entry\n"
	                 "1:"
	                 : "=a"(ret)
	                 : "a"((long)SYS_clone3), "D"(args), "S"(size), "r"(arena), "r"(first)
	                 : "rcx", "r11", "memory");
	return ret;
}

static long system_call(struct arena *a, const struct rop *rop)
{
	long arg[6];

	for (int i = 0; i < 6; i++) {
		uint64_t v = rop->args[i];

		if (rop->flags & ROP_SLOT(i))
			v = (uint64_t)(int64_t)a->slot[v < SLOT_END ? v : 0];
		else if (rop->flags & ROP_OFFSET(i))
			v = (uint64_t)(a->message.bytes + (v < sizeof(a->message) ? v : 0));
		arg[i] = (long)v;
	}
	return sys6(rop->nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

static void judge(struct arena *a, const struct rop *rop, uint32_t op, long ret)
{
	if (rop->want == WANT_ANY)
		return;
	if (rop->want == WANT_NOBODY) {
		if (ret != -ECONNREFUSED && ret != -ENOENT && ret != -ENXIO)
			fail(a, op, sys_failed(ret) ? -ret : EADDRINUSE);
		return;
	}
	if (sys_failed(ret))
		fail(a, op, -ret);
	if ((rop->flags & ROP_TO_SLOT) && rop->expect < SLOT_END)
		a->slot[rop->expect] = (int32_t)ret;
	else if (rop->want == WANT_EXACT && (uint64_t)ret != rop->expect)
		fail(a, op, EBADMSG);
}

static void run_go_ops(struct arena *a, uint32_t op)
{
	const struct rop *rops = (const struct rop *)(a->message.bytes + sizeof(struct go_header));

	for (uint32_t i = 0; i < a->message.go.n_ops; i++) {
		long ret;

		if (rops[i].kind != ROP_SYSCALL)
			fail(a, op, EPROTO);
		ret = system_call(a, &rops[i]);
		if (sys_failed(ret)) {
			report(a, REPORT_BROUGHT, (int32_t)op, (int32_t)-ret, rops[i].nr);
			leave();
		}
		judge(a, &rops[i], op, ret);
	}
}

/*
 * What cannot be touched now, the application touches itself. Populating fills the page tables of this kernel; under a
 * hypervisor that shadows them, only a real access fills those, too (a third of Django's first answer).
 */
static void touch(const struct touch *t, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		unsigned char *page = (unsigned char *)t[i].addr;

		if (sys3(SYS_madvise, (long)t[i].addr, (long)t[i].pages * 4096, t[i].advice) != 0)
			continue;
		for (uint32_t p = 0; p < t[i].pages; p++, page += 4096)
			if (t[i].advice == MADV_POPULATE_WRITE)
				__atomic_fetch_or(page, 0, __ATOMIC_RELAXED);
			else
				(void)*(volatile unsigned char *)page;
	}
}

/* One that nobody will live to see stays where it is. */
static void shift_deadline(struct arena *a, const struct rop *rop, uint32_t op)
{
	struct {
		int64_t s, ns;
	} now, *at = (void *)rop->args[0];
	long ret = sys3(SYS_clock_gettime, (long)rop->args[1], (long)&now, 0);
	int64_t ns;

	if (ret < 0)
		fail(a, op, -ret);
	ns = now.s * NS + now.ns - (int64_t)rop->args[2];
	if (ns < 0 || at->s < 0 || at->s > DEADLINE_FAR_S || at->ns < 0 || at->ns >= NS)
		return;
	ns += at->ns;
	at->s += ns / NS;
	at->ns = ns % NS;
}

__attribute__((noreturn)) void restorer_run(struct arena *a, uint32_t op)
{
	for (;; op++) {
		const struct rop *rop = &a->ops[op];
		long ret;

		switch (rop->kind) {
		case ROP_SYSCALL:
			judge(a, rop, op, system_call(a, rop));
			break;
		case ROP_COPY:
			copy((unsigned char *)rop->args[0], (const unsigned char *)rop->args[1], rop->args[2]);
			break;
		case ROP_CLONE:
			ret = clone_child(a, rop->args[0], rop->args[1], rop->args[2], rop->args[3] != 0);
			if (ret == 0)
				op = (uint32_t)rop->args[2] - 1;
			else
				judge(a, rop, op, ret);
			break;
		case ROP_CHECK:
			if (pagesum((const void *)rop->args[0], rop->args[1]) != (uint32_t)rop->args[2])
				fail(a, op, EBADMSG);
			break;
		case ROP_TEMPLATE:
			park_template(a, op, (int)rop->args[0]);
			break;
		case ROP_STANDBY:
			park_standby(a, op, (int)rop->args[0]);
			break;
		case ROP_GO:
			run_go_ops(a, op);
			break;
		case ROP_TOUCH:
			if (a->message.make.hurry)
				break;
			touch((const struct touch *)(a->message.bytes + sizeof(struct make_standby)),
			      a->message.make.n_touch);
			touch((const struct touch *)rop->args[0], rop->args[1]);
			break;
		case ROP_DEADLINE:
			shift_deadline(a, rop, op);
			break;
		case ROP_GATHER:
			wait_word((uint32_t *)rop->args[1], (uint32_t)rop->args[0]);
			break;
		case ROP_WAIT:
			park_thread(a);
			break;
		case ROP_WAKE:
			__atomic_store_n(&a->go_word, 1, __ATOMIC_RELEASE);
			sys3(SYS_futex, (long)&a->go_word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 0x7fffffff);
			break;
		case ROP_TOKEN:
			take_token(a, op);
			break;
		case ROP_SKIP:
			if (a->message.go.skip >> (rop->args[0] & (HELD_MAX - 1)) & 1)
				op += (uint32_t)rop->args[1];
			else
				enter_held(a, rop, op + 1);
			break;
		case ROP_JUMP:
			op = (uint32_t)rop->args[0] - 1;
			break;
		case ROP_SIGRETURN:
			become(rop->args[0]);
		case ROP_LEAVE:
			leave_arena(a, rop);
		default:
			fail(a, op, ENOSYS);
		}
	}
}
