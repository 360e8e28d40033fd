/* SPDX-License-Identifier: MIT */
/* Several at once: threads, the kernel on their behalf, children and theirs. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

#define THREADS 8

static int with_one_clone(inside_fn *inside)
{
	struct stage stage;
	int r;

	stage_init(&stage);
	stage_start_pager(&stage);
	r = stage_wait(stage_clone(&stage, inside));
	stage_end_pager(&stage);
	return r ? r : stage.shared->wrong != 0;
}

static void look(const struct stage *stage, unsigned from, unsigned step)
{
	for (unsigned i = from; i < STAGE_SPAN; i += step)
		CHECK(stage_has(stage, stage_at(i), stage->page_at[i]));
}

static void wait_for(pid_t pid)
{
	CHECK(stage_wait(pid) == 0);
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

static void *look_at_all(void *arg)
{
	look(arg, 0, 1);
	return NULL;
}

static void start_threads(struct stage *stage, pthread_t thread[THREADS])
{
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_create(&thread[i], NULL, look_at_all, stage) == 0);
}

static void join_threads(pthread_t thread[THREADS])
{
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

static void threads(struct stage *stage)
{
	pthread_t thread[THREADS];

	start_threads(stage, thread);
	join_threads(thread);
}

int case_threads(void)
{
	return with_one_clone(threads);
}

/* ---- system calls ----------------------------------------------------------------------------------------------- */

static int find_page(const struct stage *stage, unsigned from)
{
	while (stage->page_at[from] == HOLE)
		from++;
	return (int)from;
}

/* Each finds a page missing in the middle of a call. */
static void calls(struct stage *stage)
{
	static uint8_t here[4 * PAGE];
	unsigned i = (unsigned)find_page(stage, 100), k;
	struct iovec local = {here, PAGE}, remote;
	int pipes[2];

	CHECK(pipe(pipes) == 0);
	for (k = 0; k < 60; k++, i += 3) {
		i = (unsigned)find_page(stage, i);
		CHECK(write(pipes[1], stage_at(i), PAGE) == (ssize_t)PAGE);
		CHECK(read(pipes[0], here, PAGE) == (ssize_t)PAGE);
		CHECK(stage_has(stage, here, stage->page_at[i]));
	}
	for (k = 0; k < 60; k++, i += 3) { /* a part of a page: the rest of it is the image's */
		i = (unsigned)find_page(stage, i);
		CHECK(write(pipes[1], "abcd", 4) == 4);
		memcpy(here, "abcd", 4);
		CHECK(read(pipes[0], (uint8_t *)stage_at(i) + 100, 4) == 4);
		CHECK(memcmp((uint8_t *)stage_at(i) + 100, here, 4) == 0);
		CHECK(!stage_has(stage, stage_at(i), HOLE));
		stage->shared->wrong--;
	}
	for (k = 0; k < 60; k++, i += 3) {
		uint32_t *word = stage_at(i = (unsigned)find_page(stage, i));

		CHECK(syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0) < 0 && errno == EAGAIN);
		CHECK(stage_has(stage, word, stage->page_at[i]));
	}
	for (k = 0; k < 60; k++, i += 3) {
		i = (unsigned)find_page(stage, i);
		remote = (struct iovec){stage_at(i), PAGE};
		CHECK(process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)PAGE);
		CHECK(stage_has(stage, here, stage->page_at[i]));
	}
	for (k = 0; k < 20; k++, i += 9) {
		CHECK(madvise(stage_at(i), 5 * PAGE, MADV_POPULATE_READ) == 0);
		CHECK(stage_has(stage, stage_at(i), stage->page_at[i]));
		CHECK(mlock(stage_at(i + 5), PAGE) == 0);
		CHECK(stage_has(stage, stage_at(i + 5), stage->page_at[i + 5]));
	}
}

int case_calls(void)
{
	return with_one_clone(calls);
}

/* ---- children --------------------------------------------------------------------------------------------------- */

static void forks(struct stage *stage)
{
	pid_t pid[100];

	for (unsigned n = 0; n < 100; n++) {
		pid[n] = fork();
		CHECK(pid[n] >= 0);
		if (pid[n] == 0) {
			stage_seed(n);
			look(stage, n, 23);
			_exit(0);
		}
		look(stage, n * 7, 997);
	}
	for (unsigned n = 0; n < 100; n++)
		wait_for(pid[n]);
	look(stage, 0, 1);
}

int case_forks(void)
{
	return with_one_clone(forks);
}

static void fork_on(struct stage *stage, unsigned depth)
{
	for (unsigned n = 0; depth > 0 && n < 3; n++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0) {
			fork_on(stage, depth - 1);
			look(stage, depth * 100 + n, 13);
			_exit(0);
		}
		look(stage, depth * 31 + n * 17, 501);
		wait_for(pid);
	}
}

static void nested_forks(struct stage *stage)
{
	fork_on(stage, 3);
}

int case_nested_forks(void)
{
	return with_one_clone(nested_forks);
}

/* The first by vfork(2), in effect. */
static pid_t start_true(bool shared)
{
	static char name[] = "true";
	static char *const argv[] = {name, NULL};
	pid_t pid;

	if (shared)
		return posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) ? -1 : pid;
	pid = fork();
	if (pid == 0) {
		execv("/bin/true", argv);
		_exit(1);
	}
	return pid;
}

static void executing_children(struct stage *stage)
{
	for (unsigned n = 0; n < 30; n++) {
		pid_t pid = start_true(n % 2 == 0);

		CHECK(pid > 0);
		look(stage, n, 211);
		wait_for(pid);
	}
}

int case_executing_children(void)
{
	return with_one_clone(executing_children);
}

/* Children of a process whose other threads are in the middle of faults. */
static void forks_and_faults(struct stage *stage)
{
	pthread_t thread[THREADS];
	pid_t pid[20];

	start_threads(stage, thread);
	for (unsigned n = 0; n < 20; n++) {
		pid[n] = fork();
		CHECK(pid[n] >= 0);
		if (pid[n] == 0) {
			look(stage, n, 5);
			_exit(0);
		}
	}
	join_threads(thread);
	for (unsigned n = 0; n < 20; n++)
		wait_for(pid[n]);
}

int case_forks_and_faults(void)
{
	for (unsigned n = 0; n < 2; n++)
		if (with_one_clone(forks_and_faults))
			return 1;
	return 0;
}

#define AT_ONCE 3u /* pages */

static void *unmap_all(void *arg)
{
	struct stage *stage = arg;

	for (unsigned i = 0; i + AT_ONCE <= STAGE_SPAN; i += AT_ONCE)
		CHECK(munmap(stage_at(i), AT_ONCE * PAGE) == 0);
	stage->shared->signal = 1;
	return NULL;
}

/* Children of a process another thread of which is giving back its memory: what a child has it has in full. */
static void forks_and_unmaps(struct stage *stage)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, unmap_all, stage) == 0);
	while (stage->shared->signal == 0) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0) {
			unsigned n = 0;

			for (unsigned i = 0; n < 12 && i < STAGE_SPAN; i++) {
				if (msync(stage_at(i), PAGE, MS_ASYNC) < 0)
					continue;
				CHECK(stage_has(stage, stage_at(i), stage->page_at[i]));
				n++;
			}
			_exit(0);
		}
		wait_for(pid);
	}
	pthread_join(thread, NULL);
}

int case_forks_and_unmaps(void)
{
	return with_one_clone(forks_and_unmaps);
}

/* The clone itself becomes another program, as a shell does; a child of before is served on. That program ends when the
 * child has. */
static void executed(struct stage *stage)
{
	int go[2], done[2];

	look(stage, 0, 101);
	CHECK(pipe2(go, O_CLOEXEC) == 0 && pipe(done) == 0);
	if (fork() == 0) {
		char byte;

		close(go[1]);
		close(done[0]);
		CHECK(read(go[0], &byte, 1) == 0); /* it is another program now */
		look(stage, 1, 3);
		stage->shared->signal = 1;
		_exit(0);
	}
	close(done[1]);
	CHECK(dup2(done[0], STDIN_FILENO) == STDIN_FILENO);
	execl("/bin/cat", "cat", NULL);
	_exit(1);
}

int case_executed(void)
{
	struct stage stage;
	int r;

	stage_init(&stage);
	stage_start_pager(&stage);
	r = stage_wait(stage_clone(&stage, executed));
	stage_end_pager(&stage);
	return r ? r : stage.shared->wrong != 0 || stage.shared->signal != 1;
}
