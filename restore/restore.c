/* SPDX-License-Identifier: MIT */
#include "restore/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/kernel.h"
#include "cache/pack.h"
#include "restore/check.h"
#include "restore/lazy.h"
#include "restore/place.h"
#include "restore/plan.h"
#include "restore/ready.h"

#define UNPACK_THREADS 2

extern const uint8_t _binary_restorer_bin_start[], _binary_restorer_bin_end[];

struct opened {
	struct pack *pack;
	Warm__Image__Image *image;
	struct plugins *plugins; /* those that it needs */
};

static void opened_fini(struct opened *o)
{
	plugins_free(o->plugins);
	if (o->image)
		warm__image__image__free_unpacked(o->image, NULL);
	if (o->pack)
		pack_close(o->pack);
}

/* ---- open ------------------------------------------------------------------------------------------------------- */

static int open_plugins(const struct restore_request *req, struct opened *o, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < o->image->n_plugin_object; i++)
		r = plugins_need(&o->plugins, &req->plugins, o->image->plugin_object[i]->plugin, err);
	return r < 0 ? err_step(err, "image %s", req->label) : 0;
}

static int open_image(const struct restore_request *req, struct opened *o, struct err *err)
{
	CLEAN(free) uint8_t *meta = NULL;
	size_t len = 0;
	int r;

	lazy_read_ahead(req->image_fd, NULL);
	r = pack_open(req->image_fd, req->label, &o->pack, err);
	if (r == 0)
		lazy_read_ahead(req->image_fd, o->pack);
	if (r == 0)
		r = pack_section(o->pack, PACK_META, &meta, &len, err);
	if (r < 0)
		return r;
	o->image = warm__image__image__unpack(NULL, len, meta);
	if (!o->image)
		return err_set(err, EBADMSG, "image %s: its metadata cannot be decoded", req->label);
	r = check_image(o->image, pack_n_pages(o->pack), req->label, err);
	return r < 0 ? r : open_plugins(req, o, err);
}

/* ---- place ------------------------------------------------------------------------------------------------------ */

static int stage_pages(struct opened *o, const struct place *place, struct err *err)
{
	void *at;

	if (place->staging_len == 0)
		return 0;
	at = mmap((void *)place->staging, place->staging_len, PROT_READ | PROT_WRITE,
	          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (at != (void *)place->staging)
		return err_sys(err, errno, "memory for %lu MiB of pages", (unsigned long)(place->staging_len >> 20));
	return pack_pages(o->pack, at, UNPACK_THREADS, err);
}

/* More pages than these the kernel drops from the TLB at once, fewer one by one; and where the hypervisor shadows page
 * tables, each is an exit to it. */
#define FLUSH_MAX (33 * 4096ul)

/* Pages of zeroes stay untouched: what there is, each standby has to unmap. */
static void copy_pages(uint8_t *to, const uint8_t *from, size_t len)
{
	static const uint8_t zeroes[4096];

	for (size_t at = 0; at < len; at += sizeof(zeroes)) {
		size_t n = len - at < sizeof(zeroes) ? len - at : sizeof(zeroes);

		if (memcmp(from + at, zeroes, n) != 0)
			memcpy(to + at, from + at, n);
	}
}

static int build_arena(struct plan *p, struct arena **ret_arena, uint64_t *ret_code, uint64_t *ret_stack,
                       struct err *err)
{
	size_t code_len = (size_t)(_binary_restorer_bin_end - _binary_restorer_bin_start);
	uint64_t code = plan_data(p, _binary_restorer_bin_start, code_len, 4096);
	uint64_t ops = plan_data(p, p->op, p->n_ops * sizeof(*p->op), 64);
	size_t used = (p->n_data + 4095) & ~(size_t)4095, len = (used > FLUSH_MAX ? used : FLUSH_MAX) + PLAN_STACK;
	struct arena *arena = (struct arena *)p->base;
	size_t there = p->base == p->place->ready ? READY_ARENA : 0;

	if (p->failed)
		return err_sys(err, ENOMEM, "plan");
	if (len < there)
		len = there;
	/* Above the plan the vdso waits for its turn; the room below belongs to the arena, touched or not. */
	if (len > there && mmap((uint8_t *)arena + there, len - there, PROT_READ | PROT_WRITE | PROT_EXEC,
	                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (uint8_t *)arena + there)
		return err_sys(err, errno, "memory for the plan");
	copy_pages((uint8_t *)arena, p->data, p->n_data);
	arena->ops = (struct rop *)ops;
	arena->n_ops = (uint32_t)p->n_ops;
	arena->report_fd = p->place->sock_fd;
	arena->fd_base = p->place->fd_base;
	arena->gadget = p->place->way.syscall_ret;
	for (int i = 0; i < SLOT_END; i++)
		arena->slot[i] = -1;
	*ret_arena = arena;
	*ret_code = code;
	*ret_stack = p->base + len;
	return 0;
}

static void say(int sock_fd, enum report_kind kind, uint64_t bytes)
{
	struct report report = {.magic = REPORT_MAGIC, .kind = kind, .op = -1, .value = (int64_t)bytes};

	send(sock_fd, &report, sizeof(report), MSG_NOSIGNAL);
}

/* What libc registered for this thread must not be written to any more: its memory goes. */
static int shed_libc(struct err *err)
{
	struct rseq *rseq = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
	static const uint64_t default_action[4];
	const uint64_t all = ~UINT64_C(0);

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
	if (__rseq_size && syscall(SYS_rseq, rseq, sizeof(*rseq), RSEQ_FLAG_UNREGISTER, RSEQ_SIG) < 0)
		return err_sys(err, errno, "unregister rseq");
	/* libc's thread functions have installed handlers of signals that its sigaction() does not admit to. */
	for (int sig = 1; sig <= 64; sig++)
		syscall(SYS_rt_sigaction, sig, default_action, NULL, 8);
	syscall(SYS_set_robust_list, NULL, 24);
	syscall(SYS_set_tid_address, NULL);
	return 0;
}

/* In place of what a make_standby would have brought; from here on the launch hears of what fails on its own socket. */
static int take_sockets(struct arena *arena, const struct restore_request *req, struct err *err)
{
	const struct {
		int from;
		enum arena_slot slot;
	} move[] = {{req->go_fd, SLOT_MAKE_GO}, {req->sup_fd, SLOT_MAKE_SUP}, {req->tty_fd, SLOT_MAKE_TTY}};

	for (size_t i = 0; i < sizeof(move) / sizeof(move[0]); i++) {
		int fd = move[i].from >= 0 ? fcntl(move[i].from, F_DUPFD_CLOEXEC, arena->fd_base + 4) : -1;

		if (move[i].from >= 0 && fd < 0)
			return err_sys(err, errno, "descriptors of the launch");
		arena->slot[move[i].slot] = fd;
	}
	arena->report_fd = arena->slot[SLOT_MAKE_GO];
	arena->message.make.skip = 1u << MAKE_NO_TRIAL;
	return 0;
}

/* ---- jump ------------------------------------------------------------------------------------------------------- */

static __attribute__((noreturn)) void jump(uint64_t code, uint64_t stack, uint64_t arena)
{
	__asm__ volatile("mov %0, %%rsp\n\txor %%esi, %%esi\n\tjmp *%1"
	                 :
	                 : "r"(stack), "r"(code), "D"(arena)
	                 : "memory", "rsi");
	__builtin_unreachable();
}

/* Pages and files are where the plan will look for them. */
static int prepare(const struct restore_request *req, struct opened *o, struct place *place, struct err *err)
{
	uint64_t n_staged;
	int r;

	place->n_first = pack_first(o->pack, &place->first);
	place->huge = req->huge;
	if (req->straight) {
		place->straight = true;
		r = lazy_choose(place, o->image, o->pack, req->paged, err);
		if (r < 0)
			return r;
	}
	n_staged = !place->lazy ? pack_n_pages(o->pack) : place->n_first_pages > 0 ? PACK_BLOCK_PAGES : 0;
	if ((r = place_find(place, o->image, n_staged, err)) < 0)
		return r;
	r = place->lazy ? lazy_stage(place, req->image_fd, err) : stage_pages(o, place, err);
	return r < 0 ? r : place_open_files(place, o->image, req->sock_fd, req->init_fd, err);
}

static int compile(struct plan *plan, const struct opened *o, const struct place *place, bool silent, struct err *err)
{
	if (plan_init(plan, o->image, place) < 0)
		return err_sys(err, ENOMEM, "plan");
	plan->silent = silent;
	plan->plugins = o->plugins;
	return plan_compile(plan, err);
}

int restore_run(const struct restore_request *req, struct place *place, struct err *err)
{
	struct opened opened = {0};
	struct arena *arena = NULL;
	struct plan plan;
	uint64_t code = 0, stack = 0;
	int r;

	if ((r = open_image(req, &opened, err)) < 0 || (r = prepare(req, &opened, place, err)) < 0)
		return r;
	if (place->lazy)
		r = lazy_register(place, opened.image, req, err);
	if (r == 0)
		r = compile(&plan, &opened, place, true, err);
	plugins_free(opened.plugins); /* a template has no children but its clones */
	if (r < 0 || (r = build_arena(&plan, &arena, &code, &stack, err)) < 0 || (r = shed_libc(err)) < 0)
		return r;
	if (chdir("/") < 0)
		return err_sys(err, errno, "stand in /");
	if (req->straight && (r = take_sockets(arena, req, err)) < 0)
		return r;
	say(place->sock_fd, req->straight ? REPORT_DONE : REPORT_TEMPLATE_READY,
	    place->lazy ? place->n_first_pages * PACK_PAGE : place->staging_len);
	jump(code, stack, place->arena);
}

/* ---- the plan for people ---------------------------------------------------------------------------------------- */

static void print_op(const struct plan *p, size_t i)
{
	static const char *const kinds[] = {"end",    "call",  "copy",  "clone",  "template", "standby",
	                                    "wait",   "wake",  "token", "become", "jump",     "go",
	                                    "gather", "leave", "touch", "skip",   "deadline", "check"};
	const struct rop *op = &p->op[i];

	printf("%5zu  %-8s  %s", i, op->kind < sizeof(kinds) / sizeof(kinds[0]) ? kinds[op->kind] : "?", p->words[i]);
	if (op->kind == ROP_SYSCALL)
		printf("  [%u(%#lx, %#lx, %#lx, %#lx, %#lx)]", op->nr, (unsigned long)op->args[0],
		       (unsigned long)op->args[1], (unsigned long)op->args[2], (unsigned long)op->args[3],
		       (unsigned long)op->args[4]);
	if (op->kind == ROP_SKIP)
		printf("  [bit %lu: %lu operations]", (unsigned long)op->args[0], (unsigned long)op->args[1]);
	putchar('\n');
}

int restore_print_plan(const struct restore_request *req, struct err *err)
{
	struct opened opened = {0};
	struct place place = {0};
	struct plan plan = {0};
	int r = open_image(req, &opened, err);

	if (r == 0)
		r = place_ask(&place, err);
	if (r == 0)
		r = prepare(req, &opened, &place, err); /* planners look at pages: the plan must be the one that runs */
	if (r == 0)
		r = compile(&plan, &opened, &place, false, err);
	for (size_t i = 0; r == 0 && i < plan.n_ops; i++)
		print_op(&plan, i);
	plan_fini(&plan);
	place_fini(&place);
	opened_fini(&opened);
	return r;
}
