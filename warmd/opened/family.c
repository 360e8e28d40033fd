/* SPDX-License-Identifier: MIT */
#include "warmd/opened/family.h"

#include "base/clean.h"
#include "base/fd.h"
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEPTH_MAX     64
#define STRANGERS_MAX 512 /* each has a descriptor */
#define STAT_MAX      65536

struct member {
	pid_t pid; /* 0: free */
	int pidfd; /* until it has ended; -1: it had when it was met */
	bool ended;
	uint64_t run;
};

struct family {
	struct member *member; /* open addressing by pid */
	size_t n, room;
	size_t n_strangers, n_ended;
	int epoll_fd; /* of the pidfds */
};

static struct member *find(struct member *member, size_t room, pid_t pid)
{
	size_t at = (uint32_t)pid * 2654435761u & (room - 1);

	while (member[at].pid && member[at].pid != pid)
		at = (at + 1) & (room - 1);
	return &member[at];
}

typedef bool member_fn(const struct member *member, uint64_t run);

static bool is_any(const struct member *member, uint64_t run)
{
	(void)member;
	(void)run;
	return false;
}

static bool is_of(const struct member *member, uint64_t run)
{
	return member->run == run;
}

static bool has_ended(const struct member *member, uint64_t run)
{
	(void)run;
	return member->ended;
}

/* Into a table of that size, without those of which `goes` says so. */
static int rebuild(struct family *family, size_t room, member_fn *goes, uint64_t run)
{
	struct member *member = calloc(room, sizeof(*member));

	if (!member)
		return -ENOMEM;
	family->n = family->n_strangers = family->n_ended = 0;
	for (size_t i = 0; i < family->room; i++) {
		struct member *old = &family->member[i];

		if (old->pid && goes(old, run))
			clean_fd(&old->pidfd); /* and it leaves the epoll set */
		else if (old->pid) {
			*find(member, room, old->pid) = *old;
			family->n++;
			family->n_strangers += !old->run;
			family->n_ended += old->ended;
		}
	}
	free(family->member);
	family->member = member;
	family->room = room;
	return 0;
}

struct family *family_new(void)
{
	struct family *family = calloc(1, sizeof(*family));

	if (!family)
		return NULL;
	family->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (family->epoll_fd >= 0 && !rebuild(family, 256, is_any, 0))
		return family;
	clean_fd(&family->epoll_fd);
	free(family);
	return NULL;
}

void family_free(struct family *family)
{
	for (size_t i = 0; i < family->room; i++) {
		if (family->member[i].pid)
			clean_fd(&family->member[i].pidfd);
	}
	close(family->epoll_fd);
	free(family->member);
	free(family);
}

static int pidfd_of(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

/* Takes the pidfd. */
static int keep(struct family *family, pid_t pid, uint64_t run, int pidfd)
{
	struct epoll_event ended = {.events = EPOLLIN, .data.fd = pid};
	CLEAN(fd) int fd = pidfd;
	struct member *member;
	int r = 0;

	if (family->n_strangers > STRANGERS_MAX) /* strangers are asked anew */
		r = rebuild(family, family->room, is_of, 0);
	if (!r && 2 * family->n >= family->room)
		r = rebuild(family, 2 * family->room, is_any, 0);
	if (!r && fd >= 0 && epoll_ctl(family->epoll_fd, EPOLL_CTL_ADD, fd, &ended))
		r = -errno;
	if (r)
		return r;
	member = find(family->member, family->room, pid);
	if (member->pid) {
		family->n--;
		family->n_strangers -= !member->run;
		family->n_ended -= member->ended;
		clean_fd(&member->pidfd);
	}
	family->n++;
	family->n_strangers += !run;
	*member = (struct member){.pid = pid, .run = run, .pidfd = take_fd(&fd)};
	return 0;
}

int family_add(struct family *family, pid_t pid, uint64_t run)
{
	int pidfd = pidfd_of(pid);

	if (pidfd == -ESRCH) /* its events come all the same */
		return keep(family, pid, run, -1);
	return pidfd < 0 ? pidfd : keep(family, pid, run, pidfd);
}

void family_remove(struct family *family, uint64_t run)
{
	rebuild(family, family->room, is_of,
	        run); /* where memory is short it stays, and does no harm: the run is gone */
}

int family_fd(const struct family *family)
{
	return family->epoll_fd;
}

void family_note_ended(struct family *family)
{
	struct epoll_event event[64];
	int n;

	while ((n = epoll_wait(family->epoll_fd, event, 64, 0)) > 0) {
		for (int i = 0; i < n; i++) {
			struct member *member = find(family->member, family->room, event[i].data.fd);

			if (!member->pid)
				continue;
			clean_fd(&member->pidfd);
			family->n_ended += !member->ended;
			member->ended = true;
		}
	}
}

void family_drop_ended(struct family *family)
{
	if (family->n_ended)
		rebuild(family, family->room, has_ended, 0); /* else the next time */
}

/* -ESRCH: it is gone. */
static pid_t parent_of(pid_t pid)
{
	CLEAN(free) char *text = NULL;
	struct proc_stat stat;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	r = fd_read_file_at(AT_FDCWD, path, STAT_MAX, &text, NULL);
	if (!r)
		r = proc_stat_parse(text, &stat);
	return r ? r : stat.ppid;
}

static uint64_t run_of_ancestors(struct family *family, pid_t pid)
{
	for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
		const struct member *member;

		pid = parent_of(pid);
		if (pid < 0)
			return FAMILY_STRAY;
		if (pid <= 1)
			break;
		member = find(family->member, family->room, pid);
		if (member->pid)
			return member->run;
	}
	return FAMILY_NONE;
}

uint64_t family_of(struct family *family, pid_t pid, bool fresh)
{
	const struct member *member = find(family->member, family->room, pid);
	int pidfd;
	uint64_t run;

	if (member->pid && (member->run || !fresh))
		return member->run;
	pidfd = pidfd_of(pid); /* first: what is read afterwards is of nobody else */
	run = pidfd == -ESRCH ? FAMILY_STRAY : run_of_ancestors(family, pid);
	if (pidfd >= 0 && run != FAMILY_STRAY)
		keep(family, pid, run, pidfd);
	else
		clean_fd(&pidfd); /* and not kept: the number may come again */
	return run;
}
