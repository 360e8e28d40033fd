/* SPDX-License-Identifier: MIT */
#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "cache/pack.h"
#include "proto/image.pb-c.h"
#include "proto/launch.h"
#include "proto/pager.h"

static uint64_t random_state = 88172645463325252u;

void stage_die(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: failed: %s (errno: %s)\n", file, line, what, strerror(errno));
	_exit(1);
}

void stage_seed(uint64_t seed)
{
	random_state = 88172645463325252u + seed * 2654435761u;
	stage_random(1);
}

uint64_t stage_random(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % below;
}

void *stage_at(unsigned index)
{
	return (void *)(STAGE_BASE + index * PAGE);
}

/* ---- the image -------------------------------------------------------------------------------------------------- */

/* Two thirds of the blocks can be compressed. */
static uint64_t word_of(int page, unsigned i)
{
	uint64_t x = (uint64_t)page * 0x9e3779b97f4a7c15u + (page / 64 % 3 ? i % 4 : i) * 0xbf58476d1ce4e5b9u;

	return (x ^ x >> 31) | 0x0101010101010101u;
}

bool stage_has(const struct stage *stage, const void *at, int page)
{
	const uint64_t *word = at;
	bool right = true;

	for (unsigned i = 0; i < PAGE / 8; i++)
		right = right && word[i] == (page == HOLE ? 0 : word_of(page, i));
	__atomic_add_fetch(&stage->shared->seen, 1, __ATOMIC_RELAXED);
	if (!right)
		__atomic_add_fetch(&stage->shared->wrong, 1, __ATOMIC_RELAXED);
	return right;
}

/* Runs of 1 to 200 pages, holes of 1 to 60. */
static void lay_out(struct stage *stage, Warm__Image__Image *meta)
{
	unsigned at = 5;

	for (unsigned i = 0; i < STAGE_SPAN; i++)
		stage->page_at[i] = HOLE;
	while (at < STAGE_SPAN - 1) {
		uint32_t pages = 1 + (uint32_t)stage_random(stage_random(4) ? 20 : 200);

		if (pages > STAGE_SPAN - 1 - at)
			pages = STAGE_SPAN - 1 - at;
		meta->run_addr[meta->n_run_addr++] = STAGE_BASE + at * PAGE;
		meta->run_pages[meta->n_run_pages++] = pages;
		for (uint32_t i = 0; i < pages; i++)
			stage->page_at[at + i] = stage->n_pages++;
		at += pages + 1 + (unsigned)stage_random(stage_random(3) ? 6 : 60);
	}
}

static int make_image(struct stage *stage)
{
	static uint64_t run_addr[STAGE_SPAN];
	static uint32_t run_pages[STAGE_SPAN];
	static uint64_t word[PAGE / 8];
	Warm__Image__Image meta = WARM__IMAGE__IMAGE__INIT;
	struct pack_range first[] = {{10, 30}, {200, 1}, {500, 90}};
	struct pack_source source = {.section = {NULL, ""}, .first = first, .n_first = 3};
	struct err err = {0};
	uint8_t *data;
	int fd = memfd_create("image", MFD_CLOEXEC);

	meta.run_addr = run_addr;
	meta.run_pages = run_pages;
	lay_out(stage, &meta);
	source.section_len[PACK_META] = warm__image__image__get_packed_size(&meta);
	data = malloc(source.section_len[PACK_META]);
	CHECK(fd >= 0 && data);
	warm__image__image__pack(&meta, data);
	source.section[PACK_META] = data;
	source.n_pages = (uint64_t)stage->n_pages;
	source.pages_fd = memfd_create("pages", MFD_CLOEXEC);
	for (int page = 0; page < stage->n_pages; page++) {
		for (unsigned i = 0; i < PAGE / 8; i++)
			word[i] = word_of(page, i);
		CHECK(fd_pwrite_full(source.pages_fd, word, PAGE, (uint64_t)page * PAGE) == 0);
	}
	if (pack_write(fd, &source, NULL, &err) < 0)
		stage_die(__FILE__, __LINE__, err.msg);
	close(source.pages_fd);
	free(data);
	return fd;
}

void stage_init(struct stage *stage)
{
	*stage = (struct stage){.pager = -1, .log_fd = -1};
	stage->shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(stage->shared != MAP_FAILED);
	stage->image_fd = make_image(stage);
}

/* ---- the pager -------------------------------------------------------------------------------------------------- */

void stage_start_pager(struct stage *stage)
{
	char path[4096], text[240];

	snprintf(path, sizeof(path), "%s/warm-pager", getenv("WARM_BUILD") ? getenv("WARM_BUILD") : "build");
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, stage->requests) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, stage->report) == 0);
	stage->pager = fork();
	CHECK(stage->pager >= 0);
	if (stage->pager == 0) {
		int requests = fcntl(stage->requests[1], F_DUPFD, 100), report = fcntl(stage->report[1], F_DUPFD, 100);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(requests, 3);
		dup2(report, 4);
		syscall(SYS_close_range, 5, ~0u, 0);
		if (stage->max_fds)
			setrlimit(RLIMIT_NOFILE, &(struct rlimit){stage->max_fds, stage->max_fds});
		execl(path, "warm-pager", "--requests", "3", "--report", "4",
		      stage->cache_bytes ? "--cache-bytes" : NULL, stage->cache_bytes, NULL);
		stage_die(__FILE__, __LINE__, path);
	}
	close(stage->requests[1]);
	close(stage->report[1]);
	CHECK(stage_report(stage, text) == REPORT_PROGRESS && strcmp(text, "ready") == 0);
}

unsigned stage_report(struct stage *stage, char *text)
{
	struct report report;
	ssize_t len = fd_recv(stage->report[0], &report, sizeof(report), NULL, NULL, 0);

	if (len == 0)
		return 0;
	CHECK(len == (ssize_t)sizeof(report) && report.magic == REPORT_MAGIC);
	memcpy(text, report.text, sizeof(report.text));
	return report.kind;
}

void stage_end_pager(struct stage *stage)
{
	char text[240];
	int status;

	close(stage->requests[0]);
	CHECK(stage_report(stage, text) == REPORT_DONE);
	CHECK(stage_report(stage, text) == 0);
	close(stage->report[0]);
	CHECK(waitpid(stage->pager, &status, 0) == stage->pager);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

pid_t stage_guardian(const struct stage *stage)
{
	char path[64], name[32] = "", *data = NULL;
	pid_t pid = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", stage->pager, stage->pager);
	if (fd_read_file_at(AT_FDCWD, path, 4096, &data, NULL) == 0)
		pid = (pid_t)strtol(data, NULL, 10);
	free(data);
	data = NULL;
	if (pid <= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	if (fd_read_file_at(AT_FDCWD, path, sizeof(name) - 1, &data, NULL) == 0)
		snprintf(name, sizeof(name), "%.31s", data);
	free(data);
	return strcmp(name, "warm-guardian\n") == 0 ? pid : 0;
}

/* ---- the clone -------------------------------------------------------------------------------------------------- */

void stage_hold(struct stage *stage)
{
	while (stage->shared->signal != 1)
		poll(NULL, 0, 1);
}

/* A page of the image where it belongs, as a working set is placed: the pager does not know of it. */
static void place(const struct stage *stage, int uffd)
{
	static uint64_t word[PAGE / 8];

	for (unsigned at = 0; at < STAGE_SPAN; at++) {
		struct uffdio_copy copy = {.dst = (uintptr_t)stage_at(at), .src = (uintptr_t)word, .len = PAGE};

		if (!PLACED(at) || stage->page_at[at] == HOLE)
			continue;
		for (unsigned i = 0; i < PAGE / 8; i++)
			word[i] = word_of(stage->page_at[at], i);
		CHECK(ioctl(uffd, UFFDIO_COPY, &copy) == 0);
		*(uint64_t *)stage_at(at) = at; /* it would be seen if that page were put there once more */
	}
}

/* As a loader does it. */
static void hand_over(const struct stage *stage, int life_fd)
{
	struct {
		struct pager_request request;
		struct pager_area area[1];
	} msg = {.request = {.magic = PAGER_MAGIC, .kind = PAGER_SERVE, .label = "cafe", .n_areas = 1}};
	struct uffdio_api api = {.api = UFFD_API, .features = PAGER_FEATURES};
	int fds[PAGER_FDS_MAX] = {[PAGER_IMAGE] = stage->image_fd, [PAGER_LIFE] = life_fd, [PAGER_LOG] = stage->log_fd};
	size_t len = STAGE_SPAN * PAGE / STAGE_AREAS & ~(PAGE - 1);

	fds[PAGER_UFFD] = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	CHECK(fds[PAGER_UFFD] >= 0 && ioctl(fds[PAGER_UFFD], UFFDIO_API, &api) == 0);
	for (unsigned i = 0; i < STAGE_AREAS; i++) {
		uint8_t *at = (uint8_t *)STAGE_BASE + i * len;
		struct uffdio_register reg = {.mode = UFFDIO_REGISTER_MODE_MISSING};

		if (i == STAGE_AREAS - 1)
			len = STAGE_SPAN * PAGE - i * len;
		reg.range = (struct uffdio_range){(uintptr_t)at, len};
		CHECK(mmap(at, len, PROT_READ | PROT_WRITE | (i == 1 ? PROT_EXEC : 0),
		           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == at);
		CHECK(ioctl(fds[PAGER_UFFD], UFFDIO_REGISTER, &reg) == 0);
	}
	if (stage->place)
		place(stage, fds[PAGER_UFFD]);
	msg.area[0] = (struct pager_area){STAGE_BASE, STAGE_BASE + STAGE_SPAN * PAGE};
	msg.request.flags = stage->log_fd < 0 ? 0 : PAGER_RECORD;
	CHECK(fd_send(stage->requests[0], &msg, sizeof(msg), fds, stage->log_fd < 0 ? PAGER_N_FDS : PAGER_FDS_MAX) ==
	      0);
	close(fds[PAGER_UFFD]);
	close(life_fd);
	close(stage->image_fd);
	close(stage->requests[0]);
	close(stage->report[0]);
}

/* Pid 1: what is left of the clone ends with it. */
static void supervise(struct stage *stage, inside_fn *inside)
{
	int life[2], status;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, life) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		close(life[0]);
		hand_over(stage, life[1]);
		inside(stage);
		_exit(0);
	}
	close(life[1]);
	close(stage->requests[0]);
	close(stage->image_fd);
	for (;;) {
		struct pollfd fds[] = {{.fd = life[0], .events = POLLIN},
		                       {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN}};

		CHECK(poll(fds, 2, -1) > 0);
		close(fds[1].fd);
		if (fds[0].revents)
			_exit(ENDED_BY_PAGER);
		if (waitpid(pid, &status, WNOHANG) == pid)
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	}
}

pid_t stage_clone(struct stage *stage, inside_fn *inside)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, 0);

	CHECK(pid >= 0);
	if (pid == 0)
		supervise(stage, inside);
	return pid;
}

int stage_wait(pid_t supervisor)
{
	int status;

	CHECK(waitpid(supervisor, &status, 0) == supervisor);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
