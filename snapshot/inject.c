/* SPDX-License-Identifier: MIT */
/*
 * System calls in the name of the frozen threads, such that nobody is harmed if this process dies at any moment of it.
 *
 * Before its registers change, a thread is given a signal frame that holds all of them. The call is made by a `syscall;
 * ret` of the target's own libc with the stack pointer at that frame: left alone, the thread makes the call, returns
 * into libc's rt_sigreturn trampoline and is what it was (base/sigframe.h). An interrupted call is then started again,
 * as in a clone. The scratch memory, if it was borrowed already, stays behind: nobody is left who would know of it.
 *
 *     scratch   | results of calls | room, frame of the main thread | room, frame of another thread | ...
 *
 * The call that borrows scratch memory, and the one that gives it back, need their frame elsewhere: in a page of a
 * thread's stack, below all that it uses, that was never touched. It is zero again afterwards.
 *
 * Where libc's pieces are not found (a static program without signal handlers), or no stack has such a page, the call
 * is made without a frame: then only this process can give the thread its registers back.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/rseq.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "snapshot/maps.h"
#include "snapshot/remedies.h"
#include "snapshot/subject.h"

#define PAGE       4096u
#define MAPS_MAX   (64u << 20)
#define CODE_MAX   (32u << 20) /* a mapping of code with more than that is no libc */
#define ROOM       (64u << 10) /* of a frame: a signal that comes in the worst moment is handled below it */
#define ADDRESSES  (UINT64_C(1) << 47)
#define LOOK_BELOW 2048 /* pages of a stack */
/* pagemap: present, swapped, of a file, a guard. None of them: never touched. */
#define PM_TOUCHED (UINT64_C(1) << 63 | UINT64_C(1) << 62 | UINT64_C(1) << 61 | UINT64_C(1) << 58)

static int read_maps(const struct subject *s, char **ret, struct err *err)
{
	int r = fd_read_file_at(s->proc_fd, "maps", MAPS_MAX, ret, NULL);

	return r < 0 ? err_sys(err, -r, "areas of process %d", s->pid) : 0;
}

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* ---- the way back ------------------------------------------------------------------------------------------------ */

static bool is_libc(const char *name)
{
	const char *slash = NULL;

	for (const char *c = name; *c && *c != '\n'; c++)
		if (*c == '/')
			slash = c;
	return slash && (starts(slash, "/libc.") || starts(slash, "/libc-") || starts(slash, "/ld-musl"));
}

static void look_in(struct subject *s, const struct map *m)
{
	size_t len = m->end - m->start;
	CLEAN(free) void *code = len <= CODE_MAX ? malloc(len) : NULL;
	struct way_back way = {0};

	/* Both pieces from one area: what it is checked by later. */
	if (code && subject_read(s, m->start, code, len, NULL) == 0 && way_back_find(&way, code, len, m->start))
		s->way = way;
}

/* Before anybody is stopped: reading libc's code takes longer than all else together. */
int inject_prepare(struct subject *s, struct err *err)
{
	CLEAN(free) char *maps = NULL;
	struct map m;
	int r = xstate_ask(&s->xstate);

	if (r < 0)
		return err_sys(err, -r, "ask for the size of a signal frame");
	r = read_maps(s, &maps, err);
	for (int libc = 1; r == 0 && libc >= 0; libc--)
		EACH_MAP (maps, m)
			if (!s->way.sigreturn && m.perms[2] == 'x' && m.name[0] == '/' && is_libc(m.name) == libc)
				look_in(s, &m);
	return r;
}

/* Is it still there, now that nothing moves any more? */
static void check_way_back(struct subject *s, const char *maps)
{
	struct way_back seen = {0};
	unsigned char ret[3], tramp[9];
	bool runs = false;
	struct map m;

	EACH_MAP (maps, m) {
		runs |= m.perms[2] == 'x' && m.start <= s->way.sigreturn && s->way.sigreturn < m.end &&
		        m.start <= s->way.syscall_ret && s->way.syscall_ret < m.end;
	}
	if (!runs || subject_read(s, s->way.syscall_ret, ret, sizeof(ret), NULL) < 0 ||
	    subject_read(s, s->way.sigreturn, tramp, sizeof(tramp), NULL) < 0 ||
	    (way_back_find(&seen, ret, sizeof(ret), 1), !way_back_find(&seen, tramp, sizeof(tramp), 1)))
		s->way = (struct way_back){0};
}

/* The vdso's own `syscall` instruction, 0f 05: for calls without a frame. */
static int find_syscall_insn(struct subject *s, const char *maps, struct err *err)
{
	struct map m, vdso = {0};
	CLEAN(free) unsigned char *code = NULL;
	size_t len;
	int r;

	EACH_MAP (maps, m) {
		if (starts(m.name, "[vdso]"))
			vdso = m;
	}
	len = vdso.end - vdso.start;
	if (!len || len > 65536)
		return err_refuse(err, STARTS_COLD, "process %d has no vdso", s->pid);
	code = malloc(len);
	if (!code)
		return err_sys(err, ENOMEM, "vdso");
	r = subject_read(s, vdso.start, code, len, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i + 1 < len; i++)
		if (code[i] == 0x0f && code[i + 1] == 0x05) {
			s->syscall_insn = vdso.start + i;
			return 0;
		}
	return err_refuse(err, STARTS_COLD, "process %d: no system call instruction in its vdso", s->pid);
}

/* ---- frames ------------------------------------------------------------------------------------------------------ */

/*
 * A thread that was stopped inside a critical section leaves it by its abort handler, as the kernel makes it do after
 * any preemption: in the image, and in the original, which a call takes out of the section.
 */
static int leave_critical_section(struct subject *s, struct tracee *t, uint64_t rseq, struct err *err)
{
	struct rseq_cs cs;
	uint64_t at = 0;
	int r;

	if (!rseq)
		return 0;
	r = subject_read(s, rseq + offsetof(struct rseq, rseq_cs), &at, sizeof(at), err);
	if (r < 0 || !at)
		return r;
	r = subject_read(s, at, &cs, sizeof(cs), err);
	if (r == 0 && t->raw.rip - cs.start_ip < cs.post_commit_offset)
		t->raw.rip = t->regs.rip = cs.abort_ip; /* the kernel forgets the section as the call begins */
	return r;
}

/* What the frame needs: from the image, once the collector has been there and has refused nothing of that thread. */
struct state {
	const uint8_t *xstate;
	size_t xstate_len;
	uint64_t rseq;
	uint8_t *own; /* malloc'ed */
};

static int look_up(const struct subject *s, size_t i, struct state *ret, struct err *err)
{
	const Warm__Image__Thread *known = i < s->image->n_thread ? s->image->thread[i] : NULL;
	uint32_t len, signature;
	int r;

	if (known && known->xstate.len) {
		*ret = (struct state){known->xstate.data, known->xstate.len, known->rseq_addr, NULL};
		return 0;
	}
	if ((r = tracee_rseq(&s->thread[i], &ret->rseq, &len, &signature, err)) < 0 ||
	    (r = tracee_xstate(&s->thread[i], &ret->own, &ret->xstate_len, err)) < 0)
		return r;
	ret->xstate = ret->own;
	return 0;
}

/* A frame by which the main thread, or who comes to it, has these registers. *ret: its place. */
static int build_frame(struct subject *s, const struct tracee *t, const struct user_regs_struct *regs, uint64_t sigmask,
                       const struct state *state, uint64_t below, uint64_t *ret, struct err *err)
{
	size_t len = sigframe_len(&s->xstate);
	CLEAN(free) void *frame = malloc(len);
	const struct sigframe what = {.tid = t->tid,
	                              .regs = regs,
	                              .sigmask = sigmask,
	                              .altstack_flags = SIGFRAME_SAME_STACK,
	                              .xstate = state->xstate,
	                              .xstate_len = state->xstate_len};
	uint64_t at = sigframe_place(&s->xstate, below);
	int r;

	if (!frame)
		return err_sys(err, ENOMEM, "frame of thread %d", t->tid);
	if ((r = sigframe_build(frame, at, &what, &s->xstate, s->way.sigreturn, err)) < 0 ||
	    (r = subject_write(s, at, frame, len, err)) < 0)
		return r;
	*ret = at;
	return 0;
}

/* Gives the thread a frame below that address, 0: none, and whatever else must be before its registers change. */
static int arm(struct subject *s, size_t i, uint64_t below, struct err *err)
{
	struct tracee *t = &s->thread[i];
	struct state state = {0};
	int r = look_up(s, i, &state, err);

	t->frame = 0;
	if (r == 0)
		r = leave_critical_section(s, t, state.rseq, err);
	if (r == 0 && below && s->way.sigreturn)
		r = build_frame(s, t, &t->regs, t->sigmask, &state, below, &t->frame, err);
	free(state.own);
	return r;
}

/* The last room is for a copy (subject_fork()). */
static size_t scratch_len(const struct subject *s)
{
	return SCRATCH_SIZE + (1 + s->n_rooms + 1) * ROOM;
}

/* The main thread has a room of its own; the others take turns, as many at a time as there are rooms. */
static int arm_in_scratch(struct subject *s, size_t i, struct err *err)
{
	size_t room = i ? 1 + (i - 1) % s->n_rooms : 0;

	return arm(s, i, s->scratch + SCRATCH_SIZE + (room + 1) * ROOM, err);
}

static uint64_t insn_of(const struct subject *s, const struct tracee *t)
{
	return t->frame ? s->way.syscall_ret : s->syscall_insn;
}

int subject_syscall(struct subject *s, long *ret, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                    struct err *err)
{
	struct tracee *t = &s->thread[0];
	const uint64_t args[6] = {a, b, c, d};
	int r = t->injected ? 0 : arm_in_scratch(s, 0, err);

	return r < 0 ? r : tracee_syscall(t, insn_of(s, t), ret, nr, args, err);
}

/* All of them run at the same time: a stop of one is waited for while others are on their way to theirs. */
int subject_ask_threads(struct subject *s, size_t first, size_t n, long *ret, long nr, uint64_t a, struct err *err)
{
	struct tracee *t = &s->thread[first];
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		const uint64_t args[6] = {a, s->scratch + i * ANSWER_SIZE};

		if (!t[i].injected)
			r = arm_in_scratch(s, first + i, err);
		if (r == 0)
			r = tracee_call_begin(&t[i], insn_of(s, &t[i]), nr, args, err);
	}
	for (size_t i = 0; i < n && r == 0; i++)
		r = tracee_call_enter(&t[i], err);
	for (size_t i = 0; i < n && r == 0; i++)
		r = tracee_call_end(&t[i], &ret[i], err);
	return r;
}

void subject_threads_asked(struct subject *s, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++)
		tracee_settle(&s->thread[i]);
}

/* ---- calls that it makes in any case ----------------------------------------------------------------------------- */

/* A frame by which a thread makes that call by itself, and goes on by the frame `next` behind it. *ret: its place. */
static int build_call(struct subject *s, const struct call *call, uint64_t next, uint64_t below, uint64_t *ret,
                      struct err *err)
{
	struct tracee *t = &s->thread[0];
	struct user_regs_struct regs = t->regs;
	struct state state = {0};
	int r = look_up(s, 0, &state, err);

	regs.rip = s->way.syscall_ret;
	regs.rsp = next;
	regs.rax = (unsigned long long)call->nr;
	regs.orig_rax = (unsigned long long)-1;
	regs.rdi = call->a;
	regs.rsi = call->b;
	regs.rdx = call->c;
	regs.r10 = call->d;
	if (r == 0)
		r = build_frame(s, t, &regs, ~UINT64_C(0), &state, below, ret, err);
	free(state.own);
	return r;
}

int subject_way(struct subject *s, const struct call *call, size_t n, uint64_t *way, struct err *err)
{
	int r = 0;

	way[n] = s->thread[0].frame;
	for (size_t i = n; r == 0 && i-- > 0;)
		r = build_call(s, &call[i], way[i + 1], way[i + 1], &way[i], err);
	return r;
}

void subject_go_by(struct subject *s, uint64_t frame)
{
	s->thread[0].frame = frame;
}

int subject_fork(struct subject *s, uint64_t flags, long *ret, pid_t *ret_child, struct err *err)
{
	static const struct call exits = {.nr = SYS_exit_group};
	struct tracee *t = &s->thread[0];
	uint64_t args[6] = {flags};
	int r = build_call(s, &exits, s->scratch, s->scratch + scratch_len(s), &args[1], err);

	*ret_child = 0;
	return r < 0 ? r : tracee_fork(t, insn_of(s, t), ret, ret_child, args, err);
}

/* ---- scratch memory ---------------------------------------------------------------------------------------------- */

static size_t shelf_len(const struct subject *s)
{
	return (sigframe_len(&s->xstate) + 256 + PAGE - 1) / PAGE * PAGE; /* red zone, alignment */
}

/*
 * The end of a shelf: pages that were never touched, on the stack that the thread is on, below its stack pointer. That
 * is on the process's stack, or on one of libc's, which has the thread's control block at its top. (On an alternate
 * signal stack, too: if that is a piece of such a stack, what is in use below it has been touched.)
 */
static uint64_t shelf_of(const struct subject *s, const struct tracee *t, const char *maps)
{
	CLEAN(fd) int pagemap = openat(s->proc_fd, "pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t top = t->raw.rsp / PAGE * PAGE, entry[LOOK_BELOW];
	size_t wanted = shelf_len(s) / PAGE, n, run = 0;
	struct map m, stack = {0};

	EACH_MAP (maps, m) {
		bool libcs = m.start <= t->raw.fs_base && t->raw.fs_base < m.end && t->raw.rsp < t->raw.fs_base;

		if (m.start <= t->raw.rsp && t->raw.rsp < m.end && strcmp(m.perms, "rw-p") == 0 &&
		    (starts(m.name, "[stack]") || (libcs && m.name[0] != '/')))
			stack = m;
	}
	if (!stack.end || top - stack.start < PAGE)
		return 0;
	n = (top - stack.start) / PAGE - 1; /* the red zone may reach into the first one */
	n = n < LOOK_BELOW ? n : LOOK_BELOW;
	if (pread(pagemap, entry, n * sizeof(entry[0]), (off_t)((top / PAGE - 1 - n) * sizeof(entry[0]))) !=
	    (ssize_t)(n * sizeof(entry[0])))
		return 0;
	for (size_t i = n; i-- > 0;) {
		run = entry[i] & PM_TOUCHED ? 0 : run + 1;
		if (run == wanted)
			return top - PAGE - (n - i - wanted) * PAGE;
	}
	return 0;
}

static void find_shelf(struct subject *s, const char *maps)
{
	s->lender = 0;
	s->shelf = 0;
	for (size_t i = 0; s->way.sigreturn && !s->shelf && i < s->n_threads; i++) {
		s->lender = i;
		s->shelf = shelf_of(s, &s->thread[i], maps);
	}
}

static int call_from_shelf(struct subject *s, long *ret, long nr, const uint64_t args[6], struct err *err)
{
	struct tracee *t = &s->thread[s->lender];
	CLEAN(free) void *zero = calloc(1, shelf_len(s));
	int r = zero ? arm(s, s->lender, s->shelf, err) : err_sys(err, ENOMEM, "frame of thread %d", t->tid);

	if (r < 0)
		return r;
	r = tracee_syscall(t, insn_of(s, t), ret, nr, args, err);
	tracee_settle(t);
	if (r == 0 && s->shelf)
		r = subject_write(s, s->shelf - shelf_len(s), zero, shelf_len(s), err);
	return r;
}

/* The middle of the largest hole: an area there merges with no other, so its going away restores the list exactly. */
static uint64_t lonely_place(const char *maps)
{
	uint64_t end = 0, at = 0, size = 0;
	struct map m;

	EACH_MAP (maps, m) {
		if (m.start > end && m.start - end > size && m.start < ADDRESSES) {
			size = m.start - end;
			at = (end + size / 2) / PAGE * PAGE;
		}
		end = m.end;
	}
	return at;
}

int borrow(struct subject *s, struct err *err)
{
	uint64_t args[6] = {0, 0, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
	                    (uint64_t)-1};
	CLEAN(free) char *maps = NULL;
	long ret;
	int r = read_maps(s, &maps, err);

	if (r == 0)
		r = find_syscall_insn(s, maps, err);
	if (r < 0)
		return r;
	check_way_back(s, maps);
	find_shelf(s, maps);
	s->n_rooms = s->n_threads - 1 < THREADS_ASKED ? s->n_threads - 1 : THREADS_ASKED;
	args[0] = lonely_place(maps);
	args[1] = scratch_len(s);
	r = call_from_shelf(s, &ret, SYS_mmap, args, err);
	if (r < 0)
		return r;
	if (ret < 0 && ret > -4096)
		return err_sys(err, (int)-ret, "borrow memory of process %d", s->pid);
	s->scratch = (uint64_t)ret;
	return 0;
}

void give_back(struct subject *s)
{
	const uint64_t args[6] = {s->scratch, scratch_len(s)};
	long ret;

	for (size_t i = 0; i < s->n_threads; i++)
		tracee_settle(&s->thread[i]);
	if (s->scratch)
		call_from_shelf(s, &ret, SYS_munmap, args, NULL);
	s->scratch = 0;
}
