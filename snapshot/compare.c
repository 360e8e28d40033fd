/* SPDX-License-Identifier: MIT */
/* The process, its threads and the list of its areas. */
#include "snapshot/compare.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/user.h>
#include <time.h>

#include "base/clean.h"
#include "base/err.h"

#define XSTATE_SW     464 /* software-reserved bytes of the legacy area: the kernel's, and signal frames' */
#define XSTATE_SW_LEN 48
#define XSTATE_BV     512 /* which components are in use: one in its initial state may be said to be, or not */
#define XSTATE_BV_LEN 64
#define STACK_GROWTH  (64u << 10) /* by frames below the red zone */

typedef Warm__Image__Image image_t;
typedef Warm__Image__Vma vma_t;
typedef Warm__Image__Thread thread_t;
typedef Warm__Image__Process process_t;

/* ---- the table of contents --------------------------------------------------------------------------------------- */

static int compare_process(const process_t *was, const process_t *is, struct err *err);
static int compare_mm(const Warm__Image__Mm *was, const Warm__Image__Mm *is, struct err *err);
static int compare_threads(const image_t *want, const image_t *got, struct err *err);
static int compare_areas(const image_t *want, const struct compared *clone, struct err *err);

int compare_state(const image_t *want, const struct compared *clone, struct err *err)
{
	const image_t *got = clone->image;
	int r;

	if ((r = compare_process(want->process, got->process, err)) < 0 ||
	    (r = compare_mm(want->mm, got->mm, err)) < 0 || (r = compare_threads(want, got, err)) < 0 ||
	    (r = compare_areas(want, clone, err)) < 0 || (r = compare_timers(want, clone, err)) < 0)
		return r;
	return compare_files(want, clone, err);
}

/* ---- one thing --------------------------------------------------------------------------------------------------- */

static void put_words(char words[160], const char *fmt, va_list args)
{
	vsnprintf(words, 160, fmt, args);
}

int64_t compared_way_ns(const struct compared *clone)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec - clone->go_ns;
}

#define WORDS(fmt)                                                                                                     \
	char words[160];                                                                                               \
	va_list args;                                                                                                  \
	va_start(args, fmt);                                                                                           \
	put_words(words, fmt, args);                                                                                   \
	va_end(args)

int same_number(uint64_t was, uint64_t is, struct err *err, const char *fmt, ...)
{
	if (was == is)
		return 0;
	WORDS(fmt);
	return err_set(err, EUCLEAN, "%s is %#lx, was %#lx", words, (unsigned long)is, (unsigned long)was);
}

int same_text(const char *was, const char *is, struct err *err, const char *fmt, ...)
{
	if (strcmp(was ? was : "", is ? is : "") == 0)
		return 0;
	WORDS(fmt);
	return err_set(err, EUCLEAN, "%s is \"%.60s\", was \"%.60s\"", words, is ? is : "", was ? was : "");
}

int same_bytes(ProtobufCBinaryData was, ProtobufCBinaryData is, struct err *err, const char *fmt, ...)
{
	size_t at = 0, len = was.len < is.len ? was.len : is.len;

	while (at < len && was.data[at] == is.data[at])
		at++;
	if (at == len && was.len == is.len)
		return 0;
	WORDS(fmt);
	if (at == len)
		return err_set(err, EUCLEAN, "%s is %zu bytes long, was %zu", words, is.len, was.len);
	return err_set(err, EUCLEAN, "%s: byte %zu of %zu is %#x, was %#x", words, at, was.len, is.data[at],
	               was.data[at]);
}

/* ---- process ----------------------------------------------------------------------------------------------------- */

static int compare_credentials(const Warm__Image__Credentials *was, const Warm__Image__Credentials *is, struct err *err)
{
	const struct {
		const char *words;
		uint64_t was, is;
	} field[] = {
	        {"inheritable capabilities", was->inheritable, is->inheritable},
	        {"permitted capabilities", was->permitted, is->permitted},
	        {"effective capabilities", was->effective, is->effective},
	        {"bounding capabilities", was->bounding, is->bounding},
	        {"ambient capabilities", was->ambient, is->ambient},
	        {"securebits", was->securebits, is->securebits},
	        {"number of supplementary groups", was->n_group, is->n_group},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(field) / sizeof(field[0]); i++)
		r = same_number(field[i].was, field[i].is, err, "%s", field[i].words);
	for (size_t i = 0; r == 0 && i < 4; i++) {
		r = same_number(was->uid[i], is->uid[i], err, "user id %zu", i);
		if (r == 0)
			r = same_number(was->gid[i], is->gid[i], err, "group id %zu", i);
	}
	for (size_t i = 0; r == 0 && i < was->n_group; i++)
		r = same_number(was->group[i], is->group[i], err, "supplementary group %zu", i);
	return r;
}

static bool has_signal(const ProtobufCBinaryData *pending, size_t n, int signo)
{
	for (size_t i = 0; i < n; i++)
		if (((const siginfo_t *)pending[i].data)->si_signo == signo)
			return true;
	return false;
}

static const siginfo_t *info_of(const ProtobufCBinaryData *pending)
{
	return (const siginfo_t *)pending->data;
}

/* A timer may have expired on the way: that signal is one more. So is one that plan_signals_redraw() sends. */
static bool comes_by_itself(const siginfo_t *info)
{
	return info->si_code == SI_TIMER || info->si_code == SI_KERNEL || info->si_signo == SIGWINCH;
}

static size_t next_sent(const ProtobufCBinaryData *pending, size_t n, size_t i)
{
	while (i < n && comes_by_itself(info_of(&pending[i])))
		i++;
	return i;
}

/* What somebody has sent: the same, in the same order. */
static int compare_pending(const ProtobufCBinaryData *was, size_t n_was, const ProtobufCBinaryData *is, size_t n_is,
                           const char *whose, struct err *err)
{
	size_t i = next_sent(was, n_was, 0), j = next_sent(is, n_is, 0);
	int r;

	for (; i < n_was && j < n_is; i = next_sent(was, n_was, i + 1), j = next_sent(is, n_is, j + 1))
		if ((r = same_bytes(was[i], is[j], err, "pending signal %d of %s", info_of(&was[i])->si_signo, whose)) <
		    0)
			return r;
	if (i < n_was)
		return err_set(err, EUCLEAN, "pending signal %d of %s is gone", info_of(&was[i])->si_signo, whose);
	if (j < n_is)
		return err_set(err, EUCLEAN, "signal %d of %s is pending, was not", info_of(&is[j])->si_signo, whose);
	for (i = 0; i < n_was; i++)
		if (!has_signal(is, n_is, info_of(&was[i])->si_signo))
			return err_set(err, EUCLEAN, "pending signal %d of %s is gone", info_of(&was[i])->si_signo,
			               whose);
	return 0;
}

static int compare_process(const process_t *was, const process_t *is, struct err *err)
{
	const struct {
		const char *words;
		uint64_t was, is;
	} field[] = {
	        {"process id", (uint64_t)was->pid, (uint64_t)is->pid},
	        {"umask", was->umask, is->umask},
	        {"personality", was->personality, is->personality},
	        {"dumpable flag", was->dumpable, is->dumpable},
	        {"no_new_privs", was->no_new_privs, is->no_new_privs},
	        {"child subreaper flag", was->child_subreaper, is->child_subreaper},
	        {"membarrier registrations", was->membarrier, is->membarrier},
	        {"parent death signal", was->parent_death_signal, is->parent_death_signal},
	        {"memory-deny-write-execute", was->mdwe, is->mdwe},
	        {"core dump filter", was->coredump_filter, is->coredump_filter},
	        {"number of signal actions", was->n_sigaction, is->n_sigaction},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(field) / sizeof(field[0]); i++)
		r = same_number(field[i].was, field[i].is, err, "%s", field[i].words);
	for (size_t i = 0; r == 0 && i < was->n_sigaction; i++)
		r = same_bytes(was->sigaction[i], is->sigaction[i], err, "action of signal %zu", i + 1);
	if (r == 0)
		r = same_text(was->cwd, is->cwd, err, "working directory");
	if (r == 0)
		r = same_text(was->root, is->root, err, "root directory");
	if (r == 0)
		r = compare_credentials(was->cred, is->cred, err);
	return r < 0 ? r
	             : compare_pending(was->pending, was->n_pending, is->pending, is->n_pending, "the process", err);
}

static int compare_mm(const Warm__Image__Mm *was, const Warm__Image__Mm *is, struct err *err)
{
	const struct {
		const char *words;
		uint64_t was, is;
	} field[] = {
	        {"start of code", was->start_code, is->start_code},
	        {"end of code", was->end_code, is->end_code},
	        {"start of data", was->start_data, is->start_data},
	        {"end of data", was->end_data, is->end_data},
	        {"start of the heap", was->start_brk, is->start_brk},
	        {"end of the heap", was->brk, is->brk},
	        {"start of the stack", was->start_stack, is->start_stack},
	        {"start of the arguments", was->arg_start, is->arg_start},
	        {"end of the arguments", was->arg_end, is->arg_end},
	        {"start of the environment", was->env_start, is->env_start},
	        {"end of the environment", was->env_end, is->env_end},
	        {"huge page switch", was->thp_disabled, is->thp_disabled},
	        {"locking of memory to come", was->lock_future, is->lock_future},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(field) / sizeof(field[0]); i++)
		r = same_number(field[i].was, field[i].is, err, "%s", field[i].words);
	if (r == 0)
		r = same_bytes(was->auxv, is->auxv, err, "auxiliary vector");
	return r < 0 ? r : same_text(was->exe, is->exe, err, "executable");
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

static int compare_registers(const thread_t *was, const thread_t *is, struct err *err)
{
	struct user_regs_struct w, i;

	if (was->regs.len != sizeof(w) || is->regs.len != sizeof(i))
		return err_set(err, EBADMSG, "registers of thread %d have a size that is not known", was->tid);
	memcpy(&w, was->regs.data, sizeof(w));
	memcpy(&i, is->regs.data, sizeof(i));
	const struct {
		const char *words;
		uint64_t was, is;
	} reg[] = {{"rip", w.rip, i.rip},
	           {"rsp", w.rsp, i.rsp},
	           {"rax", w.rax, i.rax},
	           {"rbx", w.rbx, i.rbx},
	           {"rcx", w.rcx, i.rcx},
	           {"rdx", w.rdx, i.rdx},
	           {"rsi", w.rsi, i.rsi},
	           {"rdi", w.rdi, i.rdi},
	           {"rbp", w.rbp, i.rbp},
	           {"r8", w.r8, i.r8},
	           {"r9", w.r9, i.r9},
	           {"r10", w.r10, i.r10},
	           {"r11", w.r11, i.r11},
	           {"r12", w.r12, i.r12},
	           {"r13", w.r13, i.r13},
	           {"r14", w.r14, i.r14},
	           {"r15", w.r15, i.r15},
	           {"flags", w.eflags, i.eflags},
	           {"cs", w.cs, i.cs},
	           {"ss", w.ss, i.ss},
	           {"fs base", w.fs_base, i.fs_base},
	           {"gs base", w.gs_base, i.gs_base}};

	for (size_t n = 0; n < sizeof(reg) / sizeof(reg[0]); n++) {
		int r = same_number(reg[n].was, reg[n].is, err, "%s of thread %d", reg[n].words, was->tid);

		if (r < 0)
			return r;
	}
	return 0;
}

static void hide(ProtobufCBinaryData *xstate, size_t at, size_t len)
{
	if (at + len <= xstate->len)
		memset(xstate->data + at, 0, len);
}

static int compare_xstate(const thread_t *was, const thread_t *is, struct err *err)
{
	CLEAN(free) uint8_t *w = malloc(was->xstate.len + 1), *i = malloc(is->xstate.len + 1);
	ProtobufCBinaryData one = {was->xstate.len, w}, other = {is->xstate.len, i};

	if (!w || !i)
		return err_sys(err, ENOMEM, "floating-point state");
	memcpy(w, was->xstate.data, was->xstate.len);
	memcpy(i, is->xstate.data, is->xstate.len);
	hide(&one, XSTATE_SW, XSTATE_SW_LEN);
	hide(&other, XSTATE_SW, XSTATE_SW_LEN);
	hide(&one, XSTATE_BV, XSTATE_BV_LEN);
	hide(&other, XSTATE_BV, XSTATE_BV_LEN);
	return same_bytes(one, other, err, "floating-point state of thread %d", was->tid);
}

static int compare_thread(const thread_t *was, const thread_t *is, struct err *err)
{
	const struct {
		const char *words;
		uint64_t was, is;
	} field[] = {
	        {"id", (uint64_t)was->tid, (uint64_t)is->tid},
	        {"signal mask", was->sigmask, is->sigmask},
	        {"address of the alternate stack", was->altstack_sp, is->altstack_sp},
	        {"size of the alternate stack", was->altstack_size, is->altstack_size},
	        {"flags of the alternate stack", was->altstack_flags, is->altstack_flags},
	        {"robust list", was->robust_list, is->robust_list},
	        {"robust list's length", was->robust_len, is->robust_len},
	        {"rseq address", was->rseq_addr, is->rseq_addr},
	        {"rseq length", was->rseq_len, is->rseq_len},
	        {"rseq signature", was->rseq_signature, is->rseq_signature},
	        {"tid address", was->tid_address, is->tid_address},
	        {"scheduling policy", was->sched_policy, is->sched_policy},
	        {"scheduling priority", was->sched_priority, is->sched_priority},
	        {"reset-on-fork flag", was->reset_on_fork, is->reset_on_fork},
	        {"timer slack", was->timer_slack_ns, is->timer_slack_ns},
	        {"I/O priority", was->io_priority, is->io_priority},
	        {"machine check policy", was->mce_kill, is->mce_kill},
	        {"speculation of store bypass", was->store_bypass, is->store_bypass},
	        {"speculation of indirect branches", was->indirect_branch, is->indirect_branch},
	};
	char whose[32];
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(field) / sizeof(field[0]); i++)
		r = same_number(field[i].was, field[i].is, err, "%s of thread %d", field[i].words, was->tid);
	if (r == 0)
		r = same_text(was->name, is->name, err, "name of thread %d", was->tid);
	if (r == 0)
		r = compare_registers(was, is, err);
	if (r == 0)
		r = compare_xstate(was, is, err);
	snprintf(whose, sizeof(whose), "thread %d", was->tid);
	return r < 0 ? r : compare_pending(was->pending, was->n_pending, is->pending, is->n_pending, whose, err);
}

static const thread_t *thread_of(const image_t *image, int32_t tid)
{
	for (size_t i = 0; i < image->n_thread; i++)
		if (image->thread[i]->tid == tid)
			return image->thread[i];
	return NULL;
}

/* Niceness and processors are the launch's, but of a thread that had others than the main thread. */
static int compare_apart(const thread_t *first, const thread_t *was, const thread_t *is, struct err *err)
{
	int r = 0;

	if (was->nice != first->nice)
		r = same_number((uint64_t)was->nice, (uint64_t)is->nice, err, "niceness of thread %d", was->tid);
	if (r == 0 && same_bytes(first->cpus, was->cpus, NULL, "processors") < 0)
		r = same_bytes(was->cpus, is->cpus, err, "processors of thread %d", was->tid);
	return r;
}

static int compare_threads(const image_t *want, const image_t *got, struct err *err)
{
	int r = same_number(want->n_thread, got->n_thread, err, "number of threads");

	for (size_t i = 0; r == 0 && i < want->n_thread; i++) {
		const thread_t *is = thread_of(got, want->thread[i]->tid);

		r = is ? compare_thread(want->thread[i], is, err)
		       : err_set(err, EUCLEAN, "thread %d is not there", want->thread[i]->tid);
		if (r == 0)
			r = compare_apart(want->thread[0], want->thread[i], is, err);
	}
	return r;
}

/* ---- areas ------------------------------------------------------------------------------------------------------- */

static bool grows_down(const vma_t *vma)
{
	for (size_t i = 0; i < vma->n_flag; i++)
		if (strcmp(vma->flag[i], "gd") == 0)
			return true;
	return false;
}

static int compare_attributes(const image_t *want, const vma_t *was, const image_t *got, const vma_t *is,
                              struct err *err)
{
	const unsigned long at = was->start;
	bool file = was->kind == WARM__IMAGE__VMA_KIND__FILE, shared = was->kind == WARM__IMAGE__VMA_KIND__SHARED_ANON;
	const Warm__Image__MappedFile *f, *g;
	int r;

	if ((r = same_number(was->kind, is->kind, err, "kind of memory at %#lx", at)) < 0 ||
	    (r = same_number(was->prot, is->prot, err, "protection of %#lx", at)) < 0 ||
	    (r = same_number(was->shared, is->shared, err, "sharing of %#lx", at)) < 0 ||
	    (r = same_number(file || shared ? was->offset : 0, file || shared ? is->offset : 0, err, "offset of %#lx",
	                     at)) < 0 ||
	    (r = same_number(was->object, is->object, err, "shared memory behind %#lx", at)) < 0 ||
	    (r = same_text(was->name, is->name, err, "name of %#lx", at)) < 0 ||
	    (r = same_number(was->n_flag, is->n_flag, err, "number of flags of %#lx", at)) < 0)
		return r;
	for (size_t i = 0; i < was->n_flag; i++)
		if ((r = same_text(was->flag[i], is->flag[i], err, "flag of %#lx", at)) < 0)
			return r;
	if (!file)
		return 0;
	f = want->file[was->file];
	g = got->file[is->file];
	if ((r = same_text(f->path, g->path, err, "file behind %#lx", at)) < 0 ||
	    (r = same_number(f->dev, g->dev, err, "device of the file behind %#lx", at)) < 0 ||
	    (r = same_number(f->ino, g->ino, err, "inode behind %#lx", at)) < 0)
		return r;
	return same_number(f->writable, g->writable, err, "whether the file behind %#lx can be written", at);
}

/* Whether two neighbours of one image could be one area: the kernel merges when it can, not always when it could. */
static bool one_area(const image_t *image, const vma_t *a, const vma_t *b)
{
	vma_t shifted = *b;

	if (a->end != b->start || (a->kind != WARM__IMAGE__VMA_KIND__ANON && a->kind != WARM__IMAGE__VMA_KIND__FILE &&
	                           a->kind != WARM__IMAGE__VMA_KIND__SHARED_ANON))
		return false;
	shifted.offset = b->offset - (a->end - a->start);
	return compare_attributes(image, a, image, &shifted, NULL) == 0;
}

/* The next area from *i on, with neighbours like it; the arena is passed over. NULL: there is none. */
static const vma_t *next_area(const image_t *image, size_t *i, uint64_t *ret_end, const struct compared *without_arena)
{
	const vma_t *first;

	while (*i < image->n_vma && without_arena && image->vma[*i]->start >= without_arena->arena &&
	       image->vma[*i]->end <= without_arena->arena_end)
		(*i)++;
	if (*i == image->n_vma)
		return NULL;
	first = image->vma[(*i)++];
	*ret_end = first->end;
	while (*i < image->n_vma && one_area(image, image->vma[*i - 1], image->vma[*i]))
		*ret_end = image->vma[(*i)++]->end;
	return first;
}

static int compare_guards(const image_t *want, const image_t *got, struct err *err)
{
	int r = same_number(want->n_guard_addr, got->n_guard_addr, err, "number of guard regions");

	for (size_t i = 0; r == 0 && i < want->n_guard_addr; i++) {
		r = same_number(want->guard_addr[i], got->guard_addr[i], err, "guard region %zu", i);
		if (r == 0)
			r = same_number(want->guard_len[i], got->guard_len[i], err, "length of guard region %zu", i);
	}
	return r;
}

static int compare_shared(const image_t *want, const image_t *got, struct err *err)
{
	int r = same_number(want->n_shared_memory, got->n_shared_memory, err, "number of shared memories");

	for (size_t i = 0; r == 0 && i < want->n_shared_memory; i++)
		r = same_number(want->shared_memory[i]->size, got->shared_memory[i]->size, err,
		                "size of shared memory %zu", i);
	return r;
}

static int compare_areas(const image_t *want, const struct compared *clone, struct err *err)
{
	const image_t *got = clone->image;
	size_t i = 0, j = 0;
	int r = compare_shared(want, got, err);

	if (r < 0)
		return r;
	for (;;) {
		uint64_t was_end = 0, is_end = 0;
		const vma_t *was = next_area(want, &i, &was_end, NULL), *is = next_area(got, &j, &is_end, clone);

		if (!was && !is)
			return compare_guards(want, got, err);
		if (!was ||
		    (is && is->start < was->start && !(grows_down(is) && was->start - is->start <= STACK_GROWTH)))
			return err_set(err, EUCLEAN, "memory at %#lx is there, was not", (unsigned long)is->start);
		if (!is || is->start > was->start)
			return err_set(err, EUCLEAN, "memory at %#lx is not there", (unsigned long)was->start);
		if ((r = same_number(was_end, is_end, err, "end of the memory at %#lx", (unsigned long)was->start)) <
		            0 ||
		    (r = compare_attributes(want, was, got, is, err)) < 0)
			return r;
	}
}
