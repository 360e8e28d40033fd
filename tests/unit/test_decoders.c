/* SPDX-License-Identifier: MIT */
/*
 * What others may have altered is decoded to the end or refused by name, never read or written beyond: an image's
 * metadata behind a checksum that fits, and a launch request. Dice with a fixed seed; most is worth under
 * `make SAN=address,undefined test-unit`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "cache/pack.h"
#include "proto/image.pb-c.h"
#include "restore/restore.h"
#include "warmd/request.h"
#include "proto/image_version.h"

#define N_PAGES      4
#define HEAP         0x10000u
#define CODE         0x400000u
#define ROUNDS       3000
#define ROUNDS_CHILD 100 /* a process prints so many plans: what it leaves behind goes with it */

static uint64_t dice_state;

static uint32_t dice(uint32_t sides)
{
	dice_state ^= dice_state << 13;
	dice_state ^= dice_state >> 7;
	dice_state ^= dice_state << 17;
	return (uint32_t)(dice_state >> 11) % sides;
}

/* Bytes replaced, a tail cut off, or a stretch repeated. Returns the new length; room for twice the old one. */
static size_t alter(uint8_t *data, size_t len)
{
	static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
	uint32_t n = 1 + dice(4);
	size_t at;

	switch (dice(8)) {
	case 0:
		return dice((uint32_t)len);
	case 1:
		at = dice((uint32_t)len);
		memcpy(data + len, data + at, len - at);
		return len + (len - at);
	default:
		while (n--)
			data[dice((uint32_t)len)] = dice(2) ? edges[dice(sizeof(edges))] : (uint8_t)dice(256);
		return len;
	}
}

/* ---- an image with one of everything ------------------------------------------------------------------------------
 */

struct whole {
	Warm__Image__Image image;
	Warm__Image__Mm mm;
	Warm__Image__Process process;
	Warm__Image__Credentials cred;
	Warm__Image__Thread thread[2], *threads[2];
	Warm__Image__Vma vma[8], *vmas[8];
	Warm__Image__MappedFile file, *files[1];
	Warm__Image__Description desc[13], *descs[13];
	Warm__Image__Descriptor fd[13], *fds[13];
	Warm__Image__Pipe pipe[2];
	Warm__Image__Timerfd timerfd;
	Warm__Image__Interest interest, *interests[1];
	Warm__Image__Socket socket[3];
	Warm__Image__SocketOption option, *options[1];
	Warm__Image__Itimer itimer[3], *itimers[3];
	Warm__Image__PosixTimer timer, *timers[1];
	ProtobufCBinaryData action[2], pending[1], queue[1];
	uint64_t run_addr[2], guard_addr[1], guard_len[1], action_word[4];
	uint32_t run_pages[2], id[4], group[2];
	uint8_t xstate[1024];
	siginfo_t info;
	struct user_regs_struct regs;
	char *flag[3];
};

/* This kernel's own vdso: an image without it is refused before most planners see it. */
static void add_vdso(struct whole *w)
{
	CLEAN(free) char *maps = NULL;
	char *save = NULL;

	assert_int_equal(fd_read_file_at(AT_FDCWD, "/proc/self/maps", 16u << 20, &maps, NULL), 0);
	for (char *line = strtok_r(maps, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		Warm__Image__Vma *vma = &w->vma[w->image.n_vma];
		unsigned long start, end;
		char name[64] = "";

		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %63s", &start, &end, name) < 3 || strncmp(name, "[v", 2) ||
		    strcmp(name, "[vsyscall]") == 0 || w->image.n_vma == 8)
			continue;
		warm__image__vma__init(vma);
		vma->kind = strcmp(name, "[vdso]") == 0   ? WARM__IMAGE__VMA_KIND__VDSO
		            : strcmp(name, "[vvar]") == 0 ? WARM__IMAGE__VMA_KIND__VVAR
		                                          : WARM__IMAGE__VMA_KIND__VVAR_VCLOCK;
		vma->start = start;
		vma->end = end;
		w->vmas[w->image.n_vma++] = vma;
	}
}

static void fill_memory(struct whole *w)
{
	struct stat st;

	warm__image__mm__init(&w->mm);
	w->mm.exe = (char *)"/proc/self/exe";
	w->mm.auxv = (ProtobufCBinaryData){sizeof(w->id), (uint8_t *)w->id};
	warm__image__mapped_file__init(&w->file);
	assert_int_equal(stat("/proc/self/exe", &st), 0);
	w->file.path = w->mm.exe;
	w->file.dev = st.st_dev;
	w->file.ino = st.st_ino;
	w->files[0] = &w->file;
	for (int i = 0; i < 3; i++) {
		warm__image__vma__init(&w->vma[i]);
		w->vmas[i] = &w->vma[i];
		w->vma[i].prot = PROT_READ | PROT_WRITE;
		w->vma[i].name = (char *)(i ? "" : "heap");
	}
	w->vma[0].start = HEAP;
	w->vma[0].end = HEAP + 0x100000;
	w->flag[0] = (char *)"lo";
	w->flag[1] = (char *)"gd";
	w->flag[2] = (char *)"hg";
	w->vma[0].flag = w->flag;
	w->vma[0].n_flag = 3;
	w->vma[1].kind = WARM__IMAGE__VMA_KIND__FILE;
	w->vma[1].start = CODE;
	w->vma[1].end = CODE + 0x2000;
	w->vma[1].prot = PROT_READ | PROT_EXEC;
	w->vma[2].kind = WARM__IMAGE__VMA_KIND__FILE;
	w->vma[2].start = CODE + 0x2000;
	w->vma[2].end = CODE + 0x4000;
	w->run_addr[0] = HEAP + 0x3000;
	w->run_pages[0] = N_PAGES - 1;
	w->run_addr[1] = CODE + 0x2000;
	w->run_pages[1] = 1;
	w->guard_addr[0] = HEAP;
	w->guard_len[0] = 4096;
	w->image.n_vma = 3;
	add_vdso(w);
}

static void fill_process(struct whole *w)
{
	warm__image__process__init(&w->process);
	warm__image__credentials__init(&w->cred);
	w->process.pid = 77;
	w->process.cwd = w->process.root = (char *)"/";
	w->process.cred = &w->cred;
	w->cred.uid = w->cred.gid = w->id;
	w->cred.n_uid = w->cred.n_gid = 4;
	w->cred.group = w->group;
	w->cred.n_group = 2;
	w->action_word[1] = 0x04000000; /* SA_RESTORER: the way out is looked for where this points */
	w->action_word[2] = CODE + 0x100;
	w->action[1] = (ProtobufCBinaryData){sizeof(w->action_word), (uint8_t *)w->action_word};
	w->process.sigaction = w->action;
	w->process.n_sigaction = 2;
	w->info.si_signo = SIGUSR1;
	w->pending[0] = (ProtobufCBinaryData){sizeof(w->info), (uint8_t *)&w->info};
	w->process.pending = w->pending;
	w->process.n_pending = 1;
	for (int i = 0; i < 3; i++) {
		warm__image__itimer__init(&w->itimer[i]);
		w->itimer[i].value_us = 1000 * i;
		w->itimers[i] = &w->itimer[i];
	}
	w->process.itimer = w->itimers;
	w->process.n_itimer = 3;
	warm__image__posix_timer__init(&w->timer);
	w->timer.remaining_ns = 1500000000;
	w->timers[0] = &w->timer;
	w->process.timer = w->timers;
	w->process.n_timer = 1;
	w->regs.rsp = HEAP + 0x80000;
	for (int i = 0; i < 2; i++) {
		warm__image__thread__init(&w->thread[i]);
		w->thread[i].tid = 77 + i;
		w->thread[i].name = (char *)"thread";
		w->thread[i].regs = (ProtobufCBinaryData){sizeof(w->regs), (uint8_t *)&w->regs};
		w->thread[i].xstate = (ProtobufCBinaryData){sizeof(w->xstate), w->xstate};
		w->thread[i].pending = w->pending;
		w->thread[i].n_pending = (size_t)i;
		w->threads[i] = &w->thread[i];
	}
}

static void fill_descriptors(struct whole *w)
{
	static const Warm__Image__DescriptionKind kinds[13] = {
	        WARM__IMAGE__DESCRIPTION_KIND__STDIO,    WARM__IMAGE__DESCRIPTION_KIND__REGULAR,
	        WARM__IMAGE__DESCRIPTION_KIND__PIPE,     WARM__IMAGE__DESCRIPTION_KIND__PIPE,
	        WARM__IMAGE__DESCRIPTION_KIND__EVENTFD,  WARM__IMAGE__DESCRIPTION_KIND__EPOLL,
	        WARM__IMAGE__DESCRIPTION_KIND__TIMERFD,  WARM__IMAGE__DESCRIPTION_KIND__SIGNALFD,
	        WARM__IMAGE__DESCRIPTION_KIND__SOCKET,   WARM__IMAGE__DESCRIPTION_KIND__SOCKET,
	        WARM__IMAGE__DESCRIPTION_KIND__SOCKET,   WARM__IMAGE__DESCRIPTION_KIND__HOOK,
	        WARM__IMAGE__DESCRIPTION_KIND__DIRECTORY};

	for (uint32_t i = 0; i < 13; i++) {
		warm__image__description__init(&w->desc[i]);
		warm__image__descriptor__init(&w->fd[i]);
		w->desc[i].kind = kinds[i];
		w->desc[i].path = (char *)(i == 1 || i == 12 ? "/" : "");
		w->fd[i].fd = (int32_t)i;
		w->fd[i].description = i;
		w->descs[i] = &w->desc[i];
		w->fds[i] = &w->fd[i];
	}
	for (int i = 0; i < 2; i++) {
		warm__image__pipe__init(&w->pipe[i]);
		w->pipe[i].id = 5;
		w->pipe[i].write_end = i;
		w->pipe[i].capacity = 65536;
		w->desc[2 + i].pipe = &w->pipe[i];
	}
	w->pipe[0].data = w->pending[0];
	warm__image__timerfd__init(&w->timerfd);
	w->timerfd.value_ns = 7000000000;
	w->desc[6].timerfd = &w->timerfd;
	warm__image__interest__init(&w->interest);
	w->interest.fd = 4;
	w->interests[0] = &w->interest;
	w->desc[5].interest = w->interests;
	w->desc[5].n_interest = 1;
	warm__image__socket_option__init(&w->option);
	w->option.value = (ProtobufCBinaryData){4, (uint8_t *)w->id};
	w->options[0] = &w->option;
	w->queue[0] = w->pending[0];
	for (int i = 0; i < 3; i++) {
		warm__image__socket__init(&w->socket[i]);
		w->socket[i].family = i < 2 ? AF_UNIX : AF_INET;
		w->socket[i].type = SOCK_STREAM;
		w->socket[i].id = (uint64_t)i + 1;
		w->socket[i].peer = i < 2 ? (uint64_t)2 - (uint64_t)i : 0;
		w->socket[i].option = w->options;
		w->socket[i].n_option = 1;
		w->desc[8 + i].socket = &w->socket[i];
	}
	w->socket[0].queue = w->queue;
	w->socket[0].n_queue = 1;
	w->socket[2].address = (ProtobufCBinaryData){sizeof(w->id), (uint8_t *)w->id};
	w->socket[2].listening = true;
}

static uint8_t *whole_meta(size_t *ret_len)
{
	CLEAN(free) struct whole *w = calloc(1, sizeof(*w));
	uint8_t *meta;

	warm__image__image__init(&w->image);
	fill_memory(w);
	fill_process(w);
	fill_descriptors(w);
	w->image.version = IMAGE_VERSION;
	w->image.mm = &w->mm;
	w->image.process = &w->process;
	w->image.file = w->files;
	w->image.n_file = 1;
	w->image.vma = w->vmas;
	w->image.run_addr = w->run_addr;
	w->image.run_pages = w->run_pages;
	w->image.n_run_addr = w->image.n_run_pages = 2;
	w->image.guard_addr = w->guard_addr;
	w->image.guard_len = w->guard_len;
	w->image.n_guard_addr = w->image.n_guard_len = 1;
	w->image.thread = w->threads;
	w->image.n_thread = 2;
	w->image.description = w->descs;
	w->image.n_description = 13;
	w->image.descriptor = w->fds;
	w->image.n_descriptor = 13;
	*ret_len = warm__image__image__get_packed_size(&w->image);
	meta = malloc(*ret_len);
	assert_non_null(meta);
	warm__image__image__pack(&w->image, meta);
	return meta;
}

static int pack_image(const uint8_t *meta, size_t len)
{
	static const uint8_t pages[N_PAGES * PACK_PAGE];
	CLEAN(fd) int pages_fd = memfd_create("pages", MFD_CLOEXEC);
	const struct pack_source source = {
	        .section = {meta, ""}, .section_len = {len, 0}, .pages_fd = pages_fd, .n_pages = N_PAGES};
	int fd = memfd_create("image", MFD_CLOEXEC);
	struct err err = {0};
	uint64_t bytes;

	assert_int_equal(fd_write_full(pages_fd, pages, sizeof(pages)), 0);
	assert_int_equal(pack_write(fd, &source, &bytes, &err), 0);
	return fd;
}

/* 0: a plan was printed. A failure must say of what. */
static int plan_of(const uint8_t *meta, size_t len, struct err *err)
{
	CLEAN(fd) int fd = pack_image(meta, len);
	const struct restore_request req = {.image_fd = fd, .sock_fd = -1, .init_fd = -1, .label = "altered"};

	return restore_print_plan(&req, err);
}

/* In a child: exits 0, or with the number of what went wrong. */
static void print_altered_plans(const uint8_t *meta, size_t len)
{
	CLEAN(free) uint8_t *copy = malloc(2 * len);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (!copy || dup2(null, STDOUT_FILENO) < 0)
		_exit(2);
	for (int i = 0; i < ROUNDS_CHILD; i++) {
		struct err err = {0};
		size_t altered_len;

		memcpy(copy, meta, len);
		altered_len = alter(copy, len);
		if (plan_of(copy, altered_len, &err) < 0 && !err.msg[0])
			_exit(3);
	}
	fflush(stdout);
	_exit(0);
}

static void test_whole_image_has_a_plan(void **state)
{
	size_t len = 0;
	CLEAN(free) uint8_t *meta = whole_meta(&len);
	struct err err = {0};
	int saved = dup(STDOUT_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC), r;

	(void)state;
	fflush(stdout);
	dup2(null, STDOUT_FILENO);
	r = plan_of(meta, len, &err);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(null);
	if (r < 0)
		fail_msg("%s", err.msg);
}

static void test_altered_images_are_planned_or_refused(void **state)
{
	size_t len = 0;
	CLEAN(free) uint8_t *meta = whole_meta(&len);

	(void)state;
	for (int round = 0; round < ROUNDS; round += ROUNDS_CHILD) {
		int status = 0;
		pid_t pid;

		dice_state = 88172645463325252u + (uint64_t)round;
		fflush(stdout);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			print_altered_plans(meta, len);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (status)
			fail_msg("rounds %d-%d: status %#x", round, round + ROUNDS_CHILD, (unsigned)status);
	}
}

/* ---- launches ------------------------------------------------------------------------------------------------------
 */

static void test_altered_launches_are_parsed_or_refused(void **state)
{
	static const char text[] = "/bin/cat\0/srv\0\0\0cat\0-n\0A=1";
	const size_t len = sizeof(struct launch_request) + sizeof(text);
	uint8_t whole[sizeof(struct launch_request) + sizeof(text)] = {0};
	struct launch_request *head = (struct launch_request *)whole;

	(void)state;
	head->magic = LAUNCH_MAGIC;
	head->version = LAUNCH_VERSION;
	head->size = (uint32_t)len;
	head->n_argv = 2;
	head->n_env = 1;
	memcpy(whole + sizeof(*head), text, sizeof(text));
	dice_state = 1;
	for (int i = 0; i < 100000; i++) {
		CLEAN(free) uint8_t *copy = malloc(2 * len), *exact = NULL;
		const int fds[REQUEST_FIRST] = {-1, -1, -1}; /* what passes ends at a carrier that is none */
		struct request request;
		struct err err = {0};
		size_t altered_len;

		memcpy(copy, whole, len);
		altered_len = alter(copy, len);
		exact = malloc(altered_len ? altered_len : 1); /* so that one byte too far is noticed */
		memcpy(exact, copy, altered_len);
		assert_int_equal(request_parse(&request, exact, altered_len, fds, REQUEST_FIRST, &err), -EINVAL);
		assert_true(err.msg[0] != '\0');
		request_fini(&request);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_whole_image_has_a_plan),
	        cmocka_unit_test(test_altered_images_are_planned_or_refused),
	        cmocka_unit_test(test_altered_launches_are_parsed_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
