/* SPDX-License-Identifier: MIT */
/* What cannot be served, and who dies first: nobody ever sees a zero where the image has something else. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/proc.h"
#include "cache/pack.h"
#include "proto/launch.h"
#include "proto/pager.h"

#include "cases.h"

static void pause_us(long us)
{
	struct timespec t = {us / 1000000, us % 1000000 * 1000};

	nanosleep(&t, NULL);
}

static void look_at_all(struct stage *stage)
{
	for (unsigned i = 0; i < STAGE_SPAN; i++)
		stage_has(stage, stage_at(i), stage->page_at[i]);
}

/* ---- images that are no good ------------------------------------------------------------------------------------ */

/* The pager's words on a clone that it gave up. */
static void given_up(struct stage *stage, inside_fn *inside, const char *words)
{
	char text[240];

	stage_start_pager(stage);
	CHECK(stage_wait(stage_clone(stage, inside)) == ENDED_BY_PAGER);
	CHECK(stage_report(stage, text) == REPORT_PROGRESS);
	if (!strstr(text, words) || strncmp(text, "cafe: ", 6) != 0)
		stage_die(__FILE__, __LINE__, text);
	CHECK(stage->shared->wrong == 0);
	stage_end_pager(stage);
}

/* One bit in one block: until it is asked for nothing is wrong. */
int case_damaged(void)
{
	struct stage stage;
	off_t size;

	stage_init(&stage);
	size = lseek(stage.image_fd, 0, SEEK_END);
	for (unsigned n = 0; n < 10; n++) {
		off_t at = PACK_PAGE + size / 12 * n;
		uint8_t byte, other;

		CHECK(pread(stage.image_fd, &byte, 1, at) == 1);
		other = (uint8_t)(byte ^ 1u << n % 8);
		CHECK(pwrite(stage.image_fd, &other, 1, at) == 1);
		given_up(&stage, look_at_all, "checksum differs");
		CHECK(pwrite(stage.image_fd, &byte, 1, at) == 1);
	}
	stage_start_pager(&stage);
	CHECK(stage_wait(stage_clone(&stage, look_at_all)) == 0);
	stage_end_pager(&stage);
	return stage.shared->wrong != 0;
}

int case_unreadable(void)
{
	struct stage stage;

	stage_init(&stage);
	close(stage.image_fd);
	stage.image_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	given_up(&stage, look_at_all, "image cafe: header is cut short");
	close(stage.image_fd);
	stage.image_fd = open("/", O_PATH | O_CLOEXEC);
	given_up(&stage, look_at_all, "image cafe: ");
	return 0;
}

/* Words that nobody of ours says: the others are served on. */
int case_not_understood(void)
{
	struct pager_request request = {.magic = PAGER_MAGIC, .kind = 7};
	struct stage stage;
	char text[240];
	int life[2], fds[3];

	stage_init(&stage);
	stage_start_pager(&stage);
	CHECK(fd_send(stage.requests[0], "?", 1, NULL, 0) == 0);
	CHECK(stage_report(&stage, text) == REPORT_PROGRESS && strstr(text, "not understood"));
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, life) == 0);
	fds[0] = fds[1] = stage.image_fd;
	fds[2] = life[1];
	CHECK(fd_send(stage.requests[0], &request, sizeof(request), fds, 3) == 0);
	CHECK(stage_report(&stage, text) == REPORT_PROGRESS && strstr(text, "not understood"));
	close(life[1]);
	CHECK(read(life[0], text, 1) == 0);
	close(life[0]);
	CHECK(stage_wait(stage_clone(&stage, look_at_all)) == 0);
	stage_end_pager(&stage);
	return stage.shared->wrong != 0;
}

static void fork_and_wait(struct stage *stage)
{
	for (unsigned n = 0; n < 60; n++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0) {
			stage_has(stage, stage_at(n * 50), stage->page_at[n * 50]);
			pause();
		}
	}
	stage->shared->signal = 9;
	pause();
}

/* More children than descriptors: that clone ends, by name, and the others do not. */
int case_too_many(void)
{
	struct stage stage;
	pid_t holder;
	char text[240];

	stage_init(&stage);
	stage.max_fds = 50;
	stage_start_pager(&stage);
	holder = stage_clone(&stage, stage_hold);
	CHECK(stage_wait(stage_clone(&stage, fork_and_wait)) == ENDED_BY_PAGER);
	CHECK(stage_report(&stage, text) == REPORT_PROGRESS && strstr(text, "cafe: ") == text &&
	      strstr(text, "raise its limit of open files"));
	stage.shared->signal = 1;
	CHECK(stage_wait(holder) == 0);
	stage_end_pager(&stage);
	return stage.shared->wrong != 0;
}

static void look_a_little(struct stage *stage)
{
	for (unsigned i = 0; i < STAGE_SPAN; i += 100)
		stage_has(stage, stage_at(i), stage->page_at[i]);
	while (stage->shared->signal == 0)
		pause_us(1000);
}

/* More clones than it can have at a time: the last ones wait until others have ended. */
int case_queue(void)
{
	pid_t pid[40];
	struct stage stage;

	stage_init(&stage);
	stage.max_fds = 50;
	stage_start_pager(&stage);
	for (unsigned n = 0; n < 40; n++)
		pid[n] = stage_clone(&stage, look_a_little);
	while (stage.shared->seen < 41 * 10)
		pause_us(1000);
	stage.shared->signal = 1;
	for (unsigned n = 0; n < 40; n++)
		CHECK(stage_wait(pid[n]) == 0);
	stage_end_pager(&stage);
	return stage.shared->wrong != 0;
}

/* ---- the pager's own end ---------------------------------------------------------------------------------------- */

static void look_here_and_there(struct stage *stage, unsigned times)
{
	while (times-- > 0) {
		unsigned i = (unsigned)stage_random(STAGE_SPAN);

		if (stage->page_at[i] == HOLE) /* discarded, so that there is something to be asked for without end */
			madvise(stage_at(i), PAGE, MADV_DONTNEED);
		stage_has(stage, stage_at(i), stage->page_at[i]);
	}
}

static void *look_on(void *stage)
{
	for (;;)
		look_here_and_there(stage, 1000);
	return NULL;
}

/* Threads that fault, in the clone and in children, and new children all the time. */
static void fault_for_ever(struct stage *stage)
{
	pthread_t thread;

	stage_seed(stage->shared->signal);
	for (unsigned n = 0;; n++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0) {
			stage_seed(n);
			if (n == 1)
				CHECK(pthread_create(&thread, NULL, look_on, stage) == 0);
			look_here_and_there(stage, n < 2 ? UINT32_MAX : 30);
			_exit(0);
		}
		if (n < 2)
			CHECK(pthread_create(&thread, NULL, look_on, stage) == 0);
		else
			CHECK(stage_wait(pid) == 0);
	}
}

static void kill_pager(struct stage *stage)
{
	int status;

	CHECK(kill(-stage->pager, SIGKILL) == 0 || kill(stage->pager, SIGKILL) == 0);
	CHECK(waitpid(stage->pager, &status, 0) == stage->pager);
}

/* Behind the end of the process itself: what its guardian does. */
static void check_guarded(struct stage *stage, pid_t supervisor)
{
	char text[240];

	CHECK(stage_wait(supervisor) == ENDED_BY_PAGER);
	CHECK(stage_report(stage, text) == REPORT_FAILED && strstr(text, "the pager has ended"));
	CHECK(stage_report(stage, text) == 0); /* the guardian has ended, too */
	CHECK(fd_send(stage->requests[0], "?", 1, NULL, 0) == -EPIPE);
	CHECK(stage->shared->wrong == 0);
	close(stage->requests[0]);
	close(stage->report[0]);
}

int case_killed(void)
{
	static unsigned seed;
	struct stage stage;

	stage_init(&stage);
	for (unsigned n = 0; n < 25; n++) {
		uint64_t before = stage.shared->seen;
		pid_t supervisor;

		stage.shared->signal = seed++;
		stage_start_pager(&stage);
		supervisor = stage_clone(&stage, fault_for_ever);
		while (stage.shared->seen < before + 1 + n * 10)
			pause_us(100);
		pause_us((long)stage_random(3000));
		kill_pager(&stage);
		check_guarded(&stage, supervisor);
	}
	return 0;
}

static void say_and_look(struct stage *stage)
{
	stage->shared->signal = 1;
	look_at_all(stage);
}

/* The request lies in the socket and nobody has read it. */
int case_killed_unread(void)
{
	struct stage stage;

	stage_init(&stage);
	for (unsigned n = 0; n < 10; n++) {
		pid_t supervisor;
		int status;

		stage_start_pager(&stage);
		CHECK(kill(stage.pager, SIGSTOP) == 0 && waitpid(stage.pager, &status, WUNTRACED) == stage.pager);
		stage.shared->signal = 0;
		supervisor = stage_clone(&stage, say_and_look);
		while (stage.shared->signal != 1)
			pause_us(500);
		CHECK(stage.shared->seen == 0);
		kill_pager(&stage);
		check_guarded(&stage, supervisor);
	}
	return 0;
}

/* The guardian is killed: there is another one, and nothing else is to be seen of it. */
int case_guardian_killed(void)
{
	struct stage stage;
	pid_t supervisor, guardian, other;

	stage_init(&stage);
	stage_start_pager(&stage);
	supervisor = stage_clone(&stage, fault_for_ever);
	for (unsigned n = 0; n < 5; n++) {
		while (!(guardian = stage_guardian(&stage)))
			pause_us(500);
		CHECK(getpgid(guardian) == guardian && getsid(guardian) == guardian);
		CHECK(kill(guardian, SIGKILL) == 0);
		while (!(other = stage_guardian(&stage)) || other == guardian)
			pause_us(500);
	}
	kill_pager(&stage);
	check_guarded(&stage, supervisor);
	return 0;
}

static void look_and_say(struct stage *stage)
{
	look_at_all(stage);
	stage->shared->signal = 2;
}

/* Whoever stops it only makes it late. SIGTERM is nothing to it. */
int case_stopped(void)
{
	struct stage stage;
	pid_t supervisor;
	int status;

	stage_init(&stage);
	stage_start_pager(&stage);
	CHECK(kill(stage.pager, SIGSTOP) == 0 && waitpid(stage.pager, &status, WUNTRACED) == stage.pager);
	supervisor = stage_clone(&stage, look_and_say);
	pause_us(50000);
	CHECK(stage.shared->signal == 0 && stage.shared->seen == 0);
	CHECK(kill(stage.pager, SIGTERM) == 0 && kill(stage.pager, SIGINT) == 0 && kill(stage.pager, SIGHUP) == 0);
	CHECK(kill(stage.pager, SIGCONT) == 0);
	CHECK(stage_wait(supervisor) == 0 && stage.shared->signal == 2);
	stage_end_pager(&stage);
	return stage.shared->wrong != 0;
}

static void check_confined(pid_t pid)
{
	struct proc_status status;
	int dir_fd = proc_open(pid);

	CHECK(dir_fd >= 0 && proc_status_read(dir_fd, &status) == 0);
	CHECK(status.seccomp == 2 && status.no_new_privs);
	CHECK(status.cap_permitted == 0 && status.cap_effective == 0 && status.cap_inheritable == 0);
	proc_status_fini(&status);
	close(dir_fd);
}

int case_confined(void)
{
	struct stage stage;

	stage_init(&stage);
	stage_start_pager(&stage);
	check_confined(stage.pager);
	while (!stage_guardian(&stage)) /* has yet to give itself a name */
		pause_us(500);
	check_confined(stage_guardian(&stage));
	stage_end_pager(&stage);
	return 0;
}

/* ---- nothing is kept -------------------------------------------------------------------------------------------- */

static int count_fd(void *arg, int fd)
{
	(void)fd;
	++*(unsigned *)arg;
	return 0;
}

static void measure(pid_t pid, unsigned *ret_fds, uint64_t *ret_rss)
{
	struct proc_status status;
	int dir_fd = proc_open(pid);

	*ret_fds = 0;
	CHECK(dir_fd >= 0 && proc_status_read(dir_fd, &status) == 0);
	CHECK(proc_each_fd(dir_fd, count_fd, ret_fds) == 0);
	*ret_rss = status.rss_bytes;
	proc_status_fini(&status);
	close(dir_fd);
}

static void look_and_fork(struct stage *stage)
{
	for (unsigned i = 0; i < STAGE_SPAN; i += 50)
		stage_has(stage, stage_at(i), stage->page_at[i]);
	for (unsigned n = 0; n < 3; n++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		CHECK(stage_wait(pid) == 0);
	}
}

/* As a server that forks for each request: the dead ones are forgotten while it runs. */
static void fork_often(struct stage *stage)
{
	for (unsigned n = 0; n < 300; n++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0)
			_exit(0);
		CHECK(stage_wait(pid) == 0);
	}
	stage->shared->signal = 3;
	pause();
}

int case_nothing_kept(void)
{
	unsigned fds_before, fds;
	uint64_t rss_before, rss;
	struct stage stage;
	pid_t supervisor;

	stage_init(&stage);
	stage_start_pager(&stage);
	for (unsigned n = 0; n < 10; n++) /* its cache and malloc's heap are as large as they get */
		CHECK(stage_wait(stage_clone(&stage, look_and_fork)) == 0);
	pause_us(300000);
	measure(stage.pager, &fds_before, &rss_before);
	for (unsigned n = 0; n < 30; n++)
		CHECK(stage_wait(stage_clone(&stage, look_and_fork)) == 0);
	supervisor = stage_clone(&stage, fork_often);
	while (stage.shared->signal != 3)
		pause_us(1000);
	measure(stage.pager, &fds, &rss);
	CHECK(fds < fds_before + 20);
	CHECK(kill(supervisor, SIGKILL) == 0 && stage_wait(supervisor) == 128 + SIGKILL);
	pause_us(300000);
	measure(stage.pager, &fds, &rss);
	CHECK(fds == fds_before);
	CHECK(rss < rss_before + (1u << 20));
	stage_end_pager(&stage);
	return stage.shared->wrong != 0;
}
