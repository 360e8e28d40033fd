/* SPDX-License-Identifier: MIT */
/* Planners: what an image becomes, op by op. No process is made and no right is needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <time.h>

#include "base/err.h"
#include "base/uapi.h"
#include "restore/plan.h"

#define ARENA   0x100000000000u
#define STAGING (ARENA + ARENA_ROOM)

struct fixture {
	Warm__Image__Image image;
	Warm__Image__Mm mm;
	Warm__Image__Process process;
	Warm__Image__Credentials cred;
	Warm__Image__Thread thread[3], *thread_list[3];
	Warm__Image__Vma vma[4], *vma_list[4];
	Warm__Image__MappedFile file, *file_list[1];
	Warm__Image__Description desc[4], *desc_list[4];
	Warm__Image__Descriptor fd[6], *fd_list[6];
	uint64_t run_addr[4];
	uint32_t run_pages[4];
	uint32_t id[4];
	uint8_t xstate[1024];
	struct user_regs_struct regs;
	struct place place;
	int file_fd[1];
	struct plan plan;
	struct err err;
};

static void add_thread(struct fixture *f, int32_t tid)
{
	Warm__Image__Thread *t = &f->thread[f->image.n_thread];

	warm__image__thread__init(t);
	t->tid = tid;
	t->name = (char *)"main";
	t->regs = (ProtobufCBinaryData){sizeof(f->regs), (uint8_t *)&f->regs};
	t->xstate = (ProtobufCBinaryData){sizeof(f->xstate), f->xstate};
	t->altstack_flags = SS_DISABLE;
	f->thread_list[f->image.n_thread++] = t;
}

static Warm__Image__Vma *add_vma(struct fixture *f, Warm__Image__VmaKind kind, uint64_t start, uint64_t end,
                                 uint32_t prot)
{
	Warm__Image__Vma *v = &f->vma[f->image.n_vma];

	warm__image__vma__init(v);
	v->kind = kind;
	v->start = start;
	v->end = end;
	v->prot = prot;
	f->vma_list[f->image.n_vma++] = v;
	return v;
}

static Warm__Image__Description *add_fd(struct fixture *f, int number, Warm__Image__DescriptionKind kind)
{
	Warm__Image__Description *d = &f->desc[f->image.n_description];
	Warm__Image__Descriptor *fd = &f->fd[f->image.n_descriptor];

	warm__image__description__init(d);
	warm__image__descriptor__init(fd);
	d->kind = kind;
	fd->fd = number;
	fd->description = (uint32_t)f->image.n_description;
	f->desc_list[f->image.n_description++] = d;
	f->fd_list[f->image.n_descriptor++] = fd;
	return d;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	warm__image__image__init(&f->image);
	warm__image__mm__init(&f->mm);
	warm__image__process__init(&f->process);
	warm__image__credentials__init(&f->cred);
	f->mm.exe = (char *)"/bin/app";
	f->process.pid = 77;
	f->process.cwd = f->process.root = (char *)"/";
	f->process.cred = &f->cred;
	f->process.dumpable = 1;
	f->cred.uid = f->cred.gid = f->id;
	f->cred.n_uid = f->cred.n_gid = 4;
	f->image.mm = &f->mm;
	f->image.process = &f->process;
	f->image.thread = f->thread_list;
	f->image.vma = f->vma_list;
	f->image.file = f->file_list;
	f->image.description = f->desc_list;
	f->image.descriptor = f->fd_list;
	f->image.run_addr = f->run_addr;
	f->image.run_pages = f->run_pages;
	f->image.hook_fd = -1;
	warm__image__mapped_file__init(&f->file);
	f->file.path = (char *)"/lib/x.so";
	f->file_list[0] = &f->file;
	f->image.n_file = 1;
	f->place = (struct place){.arena = ARENA,
	                          .staging = STAGING,
	                          .staging_len = 4096 * 16,
	                          .fd_base = 900,
	                          .sock_fd = 900,
	                          .init_fd = 901,
	                          .uffd = 5,
	                          .file_fd = f->file_fd,
	                          .exe_fd = 6,
	                          .xstate = {.size = 832, .features = 7}};
	f->file_fd[0] = 9;
	add_thread(f, 77);
	assert_int_equal(plan_init(&f->plan, &f->image, &f->place), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	plan_fini(&f->plan);
	free(f);
	return 0;
}

/* The next op from `from` on that is this system call; fails the test where there is none. */
static size_t find_call(const struct fixture *f, size_t from, uint16_t nr)
{
	for (size_t i = from; i < f->plan.n_ops; i++)
		if (f->plan.op[i].kind == ROP_SYSCALL && f->plan.op[i].nr == nr)
			return i;
	fail_msg("no system call %u from op %zu on", nr, from);
	return 0;
}

static size_t find_kind(const struct fixture *f, size_t from, uint8_t kind)
{
	for (size_t i = from; i < f->plan.n_ops; i++)
		if (f->plan.op[i].kind == kind)
			return i;
	fail_msg("no op of kind %u from op %zu on", kind, from);
	return 0;
}

static bool has_call(const struct fixture *f, uint16_t nr)
{
	for (size_t i = 0; i < f->plan.n_ops; i++)
		if (f->plan.op[i].kind == ROP_SYSCALL && f->plan.op[i].nr == nr)
			return true;
	return false;
}

static void test_phases_come_in_order(void **state)
{
	struct fixture *f = *state;
	size_t park, birth, born, standby, go, token, become;

	assert_int_equal(plan_compile(&f->plan, &f->err), 0);
	park = find_kind(f, 0, ROP_TEMPLATE);
	birth = find_kind(f, park, ROP_CLONE);
	born = find_kind(f, birth + 1, ROP_CLONE);
	standby = find_kind(f, born, ROP_STANDBY);
	go = find_kind(f, standby, ROP_GO);
	token = find_kind(f, go, ROP_TOKEN);
	become = find_kind(f, token, ROP_SIGRETURN);
	assert_int_equal(become, f->plan.n_ops - 1);
	assert_int_equal(f->plan.op[find_kind(f, park, ROP_JUMP)].args[0], park);
	/* the application is born with its pid in a new pid namespace */
	struct clone_args *birth_args = plan_at(&f->plan, f->plan.op[birth].args[0]);
	struct clone_args *born_args = plan_at(&f->plan, f->plan.op[born].args[0]);
	assert_true(birth_args->flags & CLONE_NEWPID);
	assert_true(birth_args->flags & CLONE_VFORK);
	assert_int_equal(*(int32_t *)plan_at(&f->plan, born_args->set_tid), 77);
}

static void test_nothing_fails_behind_the_token(void **state)
{
	struct fixture *f = *state;
	size_t token;

	assert_int_equal(plan_compile(&f->plan, &f->err), 0);
	token = find_kind(f, 0, ROP_TOKEN);
	for (size_t i = token + 1; i < f->plan.n_ops; i++)
		assert_true(f->plan.op[i].kind != ROP_SYSCALL || f->plan.op[i].nr == SYS_close_range);
}

static void test_anonymous_pages_are_moved_and_protected_last(void **state)
{
	struct fixture *f = *state;
	size_t map, move, protect;
	struct uffdio_move *args;

	add_vma(f, WARM__IMAGE__VMA_KIND__ANON, 0x10000, 0x20000, PROT_READ);
	f->run_addr[0] = 0x12000;
	f->run_pages[0] = 3;
	f->image.n_run_addr = f->image.n_run_pages = 1;
	assert_int_equal(plan_compile(&f->plan, &f->err), 0);
	map = find_call(f, 0, SYS_mmap);
	assert_int_equal(f->plan.op[map].args[2], PROT_READ | PROT_WRITE);
	assert_int_equal(f->plan.op[map].want, WANT_EXACT);
	move = find_call(f, map, SYS_ioctl);
	while (f->plan.op[move].args[1] != UFFDIO_MOVE)
		move = find_call(f, move + 1, SYS_ioctl);
	args = plan_at(&f->plan, f->plan.op[move].args[2]);
	assert_int_equal(args->dst, 0x12000);
	assert_int_equal(args->src, STAGING);
	assert_int_equal(args->len, 3 * 4096);
	protect = find_call(f, move, SYS_mprotect);
	assert_int_equal(f->plan.op[protect].args[2], PROT_READ);
}

static void test_pages_of_private_files_are_copied(void **state)
{
	struct fixture *f = *state;
	size_t map, copy;

	add_vma(f, WARM__IMAGE__VMA_KIND__FILE, 0x10000, 0x20000, PROT_READ)->offset = 0x3000;
	f->run_addr[0] = 0x10000;
	f->run_pages[0] = 1;
	f->image.n_run_addr = f->image.n_run_pages = 1;
	assert_int_equal(plan_compile(&f->plan, &f->err), 0);
	map = find_call(f, 0, SYS_mmap);
	assert_int_equal(f->plan.op[map].args[4], 9);
	assert_int_equal(f->plan.op[map].args[5], 0x3000);
	copy = find_kind(f, map, ROP_COPY);
	assert_int_equal(f->plan.op[copy].args[0], 0x10000);
	assert_int_equal(f->plan.op[copy].args[1], STAGING);
}

static void test_pages_outside_every_area_are_refused(void **state)
{
	struct fixture *f = *state;

	add_vma(f, WARM__IMAGE__VMA_KIND__ANON, 0x10000, 0x20000, PROT_READ);
	f->run_addr[0] = 0x90000;
	f->run_pages[0] = 1;
	f->image.n_run_addr = f->image.n_run_pages = 1;
	assert_int_equal(plan_compile(&f->plan, &f->err), -EBADMSG);
	assert_non_null(strstr(f->err.msg, "0x90000"));
}

static void test_another_kernels_vdso_is_refused(void **state)
{
	struct fixture *f = *state;

	f->place.vdso[0] = (struct vdso_area){0x7000, 0x9000, WARM__IMAGE__VMA_KIND__VDSO};
	f->place.n_vdso = 1;
	add_vma(f, WARM__IMAGE__VMA_KIND__VDSO, 0x50000, 0x51000, PROT_READ | PROT_EXEC);
	assert_int_equal(plan_compile(&f->plan, &f->err), -ESTALE);
}

static void test_cpu_state_that_cannot_be_restored_is_refused(void **state)
{
	struct fixture *f = *state;

	f->xstate[512] = 1 << 5;
	assert_int_equal(plan_compile(&f->plan, &f->err), -ENOTSUP);
}

static void test_stdio_follows_the_launch(void **state)
{
	struct fixture *f = *state;
	size_t standby, put;

	add_fd(f, 1, WARM__IMAGE__DESCRIPTION_KIND__STDIO)->stdio = 1;
	warm__image__descriptor__init(&f->fd[1]);
	f->fd[1].fd = 7; /* dup(1) */
	f->fd[1].cloexec = true;
	f->fd_list[1] = &f->fd[1];
	f->image.n_descriptor = 2;
	assert_int_equal(plan_compile(&f->plan, &f->err), 0);
	standby = find_kind(f, 0, ROP_STANDBY);
	put = find_call(f, standby, SYS_dup3);
	assert_true(f->plan.op[put].flags & ROP_SLOT(0));
	assert_int_equal(f->plan.op[put].args[0], SLOT_STDOUT);
	assert_int_equal(f->plan.op[put].args[1], 1);
	put = find_call(f, put + 1, SYS_dup3);
	assert_int_equal(f->plan.op[put].args[1], 7);
	assert_int_equal(f->plan.op[put].args[2], O_CLOEXEC);
}

static void test_paths_are_opened_at_go_only(void **state)
{
	struct fixture *f = *state;
	size_t standby, open;
	Warm__Image__Description *d = add_fd(f, 4, WARM__IMAGE__DESCRIPTION_KIND__REGULAR);

	d->path = (char *)"/data/log";
	d->flags = O_RDWR | O_CREAT | O_TRUNC | O_APPEND;
	d->position = 123;
	assert_int_equal(plan_compile(&f->plan, &f->err), 0);
	standby = find_kind(f, 0, ROP_STANDBY);
	for (size_t i = 0; i < standby; i++)
		if (f->plan.op[i].kind == ROP_SYSCALL && f->plan.op[i].nr == SYS_openat)
			assert_string_not_equal(plan_at(&f->plan, f->plan.op[i].args[1]), "/data/log");
	open = find_call(f, standby, SYS_openat);
	assert_string_equal(plan_at(&f->plan, f->plan.op[open].args[1]), "/data/log");
	assert_false(f->plan.op[open].args[2] & (O_TRUNC | O_CREAT)); /* never empties a file again */
	assert_true(f->plan.op[open].args[2] & O_APPEND);
	assert_int_equal(f->plan.op[find_call(f, open, SYS_lseek)].expect, 123);
}

static void test_a_held_address_is_taken_at_go_and_can_be_passed_over(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(80)};
	Warm__Image__Description *d = add_fd(f, 4, WARM__IMAGE__DESCRIPTION_KIND__SOCKET);
	Warm__Image__Socket sock;
	size_t skip, bind_op, listen_op;

	warm__image__socket__init(&sock);
	sock.family = AF_INET;
	sock.type = SOCK_STREAM;
	sock.listening = true;
	sock.address = (ProtobufCBinaryData){sizeof(local), (uint8_t *)&local};
	d->socket = &sock;
	d->held = 3;
	assert_int_equal(plan_compile(&f->plan, &f->err), 0);
	skip = find_kind(f, find_kind(f, 0, ROP_STANDBY), ROP_SKIP);
	bind_op = find_call(f, 0, SYS_bind);
	listen_op = find_call(f, 0, SYS_listen);
	assert_int_equal(f->plan.op[skip].args[0], 2);
	assert_true(skip < bind_op && bind_op < listen_op);
	assert_int_equal(skip + f->plan.op[skip].args[1], listen_op);
	assert_string_equal(f->plan.words[bind_op], "bind 0.0.0.0:80");
}

/* Two clones must not get one port: SO_REUSEPORT is off until it is this clone's. */
static void test_a_port_is_bound_alone_but_for_sockets_of_one_image(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(80)};
	Warm__Image__SocketOption reuse, *list[1] = {&reuse};
	Warm__Image__Socket sock;
	size_t off, on, bind_op, second;
	int one = 1;

	warm__image__socket_option__init(&reuse);
	reuse.level = SOL_SOCKET;
	reuse.name = SO_REUSEPORT;
	reuse.value = (ProtobufCBinaryData){sizeof(one), (uint8_t *)&one};
	warm__image__socket__init(&sock);
	sock.family = AF_INET;
	sock.type = SOCK_STREAM;
	sock.listening = true;
	sock.option = list;
	sock.n_option = 1;
	sock.address = (ProtobufCBinaryData){sizeof(local), (uint8_t *)&local};
	add_fd(f, 4, WARM__IMAGE__DESCRIPTION_KIND__SOCKET)->socket = &sock;
	add_fd(f, 5, WARM__IMAGE__DESCRIPTION_KIND__SOCKET)->socket = &sock;
	assert_int_equal(plan_compile(&f->plan, &f->err), 0);
	off = find_call(f, find_kind(f, 0, ROP_STANDBY), SYS_setsockopt);
	bind_op = find_call(f, off, SYS_bind);
	on = find_call(f, bind_op, SYS_setsockopt);
	second = find_call(f, bind_op + 1, SYS_bind);
	assert_int_equal(f->plan.op[off].args[2], SO_REUSEPORT);
	assert_int_equal(*(int *)plan_at(&f->plan, f->plan.op[off].args[3]), 0);
	assert_true(bind_op < find_call(f, bind_op, SYS_listen) && find_call(f, bind_op, SYS_listen) < on);
	assert_int_equal(*(int *)plan_at(&f->plan, f->plan.op[on].args[3]), 1);
	assert_int_equal(second, on + 1); /* as it was: with the option on */
}

static void test_a_port_that_is_only_bound_is_bound_alone_too(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(80)};
	Warm__Image__SocketOption reuse[2], *list[2] = {&reuse[0], &reuse[1]};
	Warm__Image__Socket sock;
	size_t at;
	int one = 1;

	for (int i = 0; i < 2; i++) {
		warm__image__socket_option__init(&reuse[i]);
		reuse[i].level = SOL_SOCKET;
		reuse[i].name = i ? SO_REUSEADDR : SO_REUSEPORT;
		reuse[i].value = (ProtobufCBinaryData){sizeof(one), (uint8_t *)&one};
	}
	warm__image__socket__init(&sock);
	sock.family = AF_INET;
	sock.type = SOCK_STREAM;
	sock.option = list;
	sock.n_option = 2;
	sock.address = (ProtobufCBinaryData){sizeof(local), (uint8_t *)&local};
	add_fd(f, 4, WARM__IMAGE__DESCRIPTION_KIND__SOCKET)->socket = &sock;
	assert_int_equal(plan_compile(&f->plan, &f->err), 0);
	at = find_call(f, find_kind(f, 0, ROP_STANDBY), SYS_setsockopt);
	for (int i = 0; i < 5; i++) { /* both off, bind, both on */
		const struct rop *op = &f->plan.op[at + (size_t)i];

		assert_int_equal(op->nr, i == 2 ? SYS_bind : SYS_setsockopt);
		if (i != 2)
			assert_int_equal(*(int *)plan_at(&f->plan, op->args[3]), i > 2);
	}
}

static void test_a_network_of_its_own_is_made_before_the_application(void **state)
{
	struct fixture *f = *state;
	size_t birth, born, own;

	f->process.net_private = true;
	assert_int_equal(plan_compile(&f->plan, &f->err), 0);
	birth = find_kind(f, find_kind(f, 0, ROP_TEMPLATE), ROP_CLONE);
	born = find_kind(f, birth + 1, ROP_CLONE);
	own = find_call(f, 0, SYS_unshare);
	assert_int_equal(f->plan.op[own].args[0], CLONE_NEWNET);
	assert_true(birth < own && find_call(f, own, SYS_ioctl) < born);
}

static void test_a_connection_is_made_and_reset_in_the_standby(void **state)
{
	struct fixture *f = *state;
	Warm__Image__Socket sock;
	size_t standby, connect_op, wait, put;

	warm__image__socket__init(&sock);
	sock.family = AF_INET6;
	sock.type = SOCK_STREAM;
	sock.connection = WARM__IMAGE__CONNECTION__RESET;
	add_fd(f, 4, WARM__IMAGE__DESCRIPTION_KIND__SOCKET)->socket = &sock;
	assert_int_equal(plan_compile(&f->plan, &f->err), 0);
	standby = find_kind(f, 0, ROP_STANDBY);
	connect_op = find_call(f, 0, SYS_connect);
	wait = find_call(f, connect_op, SYS_poll);
	put = find_call(f, wait, SYS_dup3);
	assert_true(find_call(f, 0, SYS_bind) < connect_op && wait < put && put < standby);
	assert_int_equal(f->plan.op[put].args[1], 4);
	for (size_t i = standby; i < f->plan.n_ops; i++) /* nothing of it is left for GO */
		assert_true(f->plan.op[i].kind != ROP_SYSCALL || f->plan.op[i].nr != SYS_connect);
}

static void test_threads_park_before_the_standby_reports(void **state)
{
	struct fixture *f = *state;
	size_t gather, standby, wake, token;

	add_thread(f, 78);
	add_thread(f, 79);
	assert_int_equal(plan_compile(&f->plan, &f->err), 0);
	gather = find_kind(f, 0, ROP_GATHER);
	standby = find_kind(f, gather, ROP_STANDBY);
	token = find_kind(f, standby, ROP_TOKEN);
	wake = find_kind(f, token, ROP_WAKE);
	assert_int_equal(f->plan.op[gather].args[0], 2);
	assert_true(wake > token); /* no application code before the token */
}

static void test_same_credentials_cost_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(plan_compile(&f->plan, &f->err), 0);
	assert_false(has_call(f, SYS_setresuid));
	assert_false(has_call(f, SYS_capset));
}

static void test_credentials_are_dropped_before_the_standby_parks(void **state)
{
	struct fixture *f = *state;
	size_t ids, standby;

	f->id[0] = f->id[1] = f->id[2] = f->id[3] = 65534;
	f->place.cap_bounding = f->cred.bounding = 0xff;
	assert_int_equal(plan_compile(&f->plan, &f->err), 0);
	ids = find_call(f, 0, SYS_setresuid);
	standby = find_kind(f, 0, ROP_STANDBY);
	assert_true(ids < standby);
	assert_true(find_call(f, ids, SYS_capset) < standby);
}

static void test_random_bytes_are_drawn_by_each_standby(void **state)
{
	struct fixture *f = *state;
	Warm__Image__RandomBytes bytes = WARM__IMAGE__RANDOM_BYTES__INIT, *list[1] = {&bytes};
	size_t first, second, standby;

	bytes.address = 0x10008;
	bytes.length = 264;
	f->image.random = list;
	f->image.n_random = 1;
	assert_int_equal(plan_compile(&f->plan, &f->err), 0);
	standby = find_kind(f, 0, ROP_STANDBY);
	first = find_call(f, find_kind(f, 0, ROP_TEMPLATE), SYS_getrandom);
	second = find_call(f, first + 1, SYS_getrandom);
	assert_true(second < standby);
	assert_int_equal(f->plan.op[first].args[0], 0x10008);
	assert_int_equal(f->plan.op[first].expect, 256);
	assert_int_equal(f->plan.op[second].args[0], 0x10108);
	assert_int_equal(f->plan.op[second].args[1], 8);
	assert_int_equal(f->plan.op[second].want, WANT_EXACT);
}

static void test_timers_are_armed_at_go(void **state)
{
	struct fixture *f = *state;
	Warm__Image__PosixTimer timer, *timers[1] = {&timer};
	size_t make, arm, standby;

	warm__image__posix_timer__init(&timer);
	timer.id = 5;
	timer.signal = SIGALRM;
	timer.remaining_ns = 1500000000;
	f->process.timer = timers;
	f->process.n_timer = 1;
	assert_int_equal(plan_compile(&f->plan, &f->err), 0);
	make = find_call(f, 0, SYS_timer_create);
	standby = find_kind(f, 0, ROP_STANDBY);
	arm = find_call(f, standby, SYS_timer_settime);
	assert_true(make < standby);
	struct itimerspec *value = plan_at(&f->plan, f->plan.op[arm].args[2]);
	assert_int_equal(value->it_value.tv_sec, 1);
	assert_int_equal(value->it_value.tv_nsec, 500000000);
}

static void test_registers_are_not_taken_for_a_system_call(void **state)
{
	struct fixture *f = *state;
	uint64_t frame = 0;

	f->regs.rax = 219; /* a number like another: the thread was computing */
	f->regs.orig_rax = (unsigned long long)-1;
	f->regs.rip = 0x400000;
	assert_int_equal(plan_sigframe(&f->plan, &f->thread[0], false, &frame, &f->err), 0);
	/* rip and rax lie behind pretcode, uc_flags, uc_link, uc_stack and the first registers of sigcontext */
	const uint64_t *words = plan_at(&f->plan, frame);
	assert_int_equal(words[6 + 16], 0x400000);
	assert_int_equal(words[6 + 13], 219);
	f->regs.rax = SYS_futex;
	assert_false(plan_waits_untimed(&f->plan, &f->thread[0]));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(test_phases_come_in_order),
	        T(test_nothing_fails_behind_the_token),
	        T(test_anonymous_pages_are_moved_and_protected_last),
	        T(test_pages_of_private_files_are_copied),
	        T(test_pages_outside_every_area_are_refused),
	        T(test_another_kernels_vdso_is_refused),
	        T(test_cpu_state_that_cannot_be_restored_is_refused),
	        T(test_stdio_follows_the_launch),
	        T(test_paths_are_opened_at_go_only),
	        T(test_a_held_address_is_taken_at_go_and_can_be_passed_over),
	        T(test_a_port_is_bound_alone_but_for_sockets_of_one_image),
	        T(test_a_port_that_is_only_bound_is_bound_alone_too),
	        T(test_a_connection_is_made_and_reset_in_the_standby),
	        T(test_a_network_of_its_own_is_made_before_the_application),
	        T(test_threads_park_before_the_standby_reports),
	        T(test_same_credentials_cost_nothing),
	        T(test_credentials_are_dropped_before_the_standby_parks),
	        T(test_random_bytes_are_drawn_by_each_standby),
	        T(test_timers_are_armed_at_go),
	        T(test_registers_are_not_taken_for_a_system_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
