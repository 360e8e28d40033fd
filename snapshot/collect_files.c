/* SPDX-License-Identifier: MIT */
/* Descriptors: which descriptions they share (kcmp), what each is, and who collects it. */
#include "snapshot/files_internal.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "plugins/plugins.h"
#include "snapshot/remedies.h"

#define MQUEUE_MAGIC 0x19800202 /* statfs(2) */

typedef int collector(struct subject *s, struct open_file *f, struct err *err);

static const struct {
	const char *link;
	Warm__Image__DescriptionKind kind;
	collector *collect;
	const char *words;
} anonymous[] = {
        {"pipe:", WARM__IMAGE__DESCRIPTION_KIND__PIPE, collect_pipe, "pipe"},
        {"socket:", WARM__IMAGE__DESCRIPTION_KIND__SOCKET, collect_socket, "socket"},
        {"anon_inode:[eventfd]", WARM__IMAGE__DESCRIPTION_KIND__EVENTFD, collect_eventfd, "eventfd"},
        {"anon_inode:[eventpoll]", WARM__IMAGE__DESCRIPTION_KIND__EPOLL, collect_epoll, "epoll"},
        {"anon_inode:[timerfd]", WARM__IMAGE__DESCRIPTION_KIND__TIMERFD, collect_timerfd, "timerfd"},
        {"anon_inode:[signalfd]", WARM__IMAGE__DESCRIPTION_KIND__SIGNALFD, collect_signalfd, "signalfd"},
};

bool info_number(const struct open_file *f, const char *name, int base, uint64_t *ret)
{
	const char *at = f->info;
	size_t len = strlen(name);

	for (; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL)
		if (strncmp(at, name, len) == 0 && at[len] == ':') {
			*ret = strtoull(at + len + 1, NULL, base);
			return true;
		}
	return false;
}

int descriptor_of(const struct subject *s, size_t description)
{
	for (size_t i = 0; i < s->image->n_descriptor; i++)
		if (s->image->descriptor[i]->description == description)
			return s->image->descriptor[i]->fd;
	return -1;
}

/* ---- files with a path ------------------------------------------------------------------------------------------ */

static bool memory_device(dev_t rdev)
{
	unsigned m = minor(rdev);

	return major(rdev) == 1 && (m == 3 || m == 5 || m == 7 || m == 8 || m == 9); /* null zero full random urandom */
}

/* /dev/ptmx, /dev/pts/N */
static bool is_pty(dev_t rdev)
{
	return rdev == makedev(5, 2) || (major(rdev) >= 136 && major(rdev) < 144);
}

/* MQUEUE_MAGIC: its name is not one of a path. */
static bool is_on(const struct subject *s, const struct open_file *f, long magic)
{
	char path[48];
	struct statfs fs;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", s->pid, f->fd); /* of O_PATH, too */
	return statfs(path, &fs) == 0 && fs.f_type == magic;
}

/* /proc/PID/...: what it says is about one process. In a /proc that is mounted elsewhere, which a clone does not have
 * for itself, anything may be that. */
static bool is_of_a_process(const struct subject *s, const struct open_file *f)
{
	if (strncmp(f->link, "/proc/", 6) == 0)
		return f->link[6] >= '1' && f->link[6] <= '9';
	return is_on(s, f, PROC_SUPER_MAGIC);
}

/*
 * About the program itself, written by the kernel anew whenever it is read from its beginning, bound to nothing that
 * was there when it was opened, and for everybody to read: in a clone the same file of its own /proc, where it has the
 * same number. Behind the beginning the rest of another text would follow what was read.
 */
static bool is_own_facts(const struct subject *s, const struct open_file *f)
{
	static const char *const names[] = {"cmdline",   "comm", "limits", "oom_score",
	                                    "schedstat", "stat", "statm",  "status"};
	char own[32];
	const char *name = strrchr(f->link, '/') + 1;
	uint64_t pos = 0;
	struct stat st;
	int len = snprintf(own, sizeof(own), "/proc/%d/", s->own_pid);

	if (strncmp(f->link, own, (size_t)len) != 0 || f->local < 0 || (f->desc->flags & O_ACCMODE) != O_RDONLY ||
	    !info_number(f, "pos", 10, &pos) || pos != 0)
		return false;
	if (!s->original && /* that one's clone lives elsewhere, and has opened it by its name */
	    (fstatat(s->proc_fd, f->link + len, &st, 0) < 0 || st.st_ino != f->st.st_ino || st.st_dev != f->st.st_dev))
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Each read asks the kernel, and times and sizes say nothing. */
static bool is_of_the_machine(const struct subject *s, const struct open_file *f)
{
	return is_on(s, f, PROC_SUPER_MAGIC) || is_on(s, f, SYSFS_MAGIC);
}

static const char *kind_words(mode_t mode)
{
	return S_ISREG(mode) ? "file" : S_ISDIR(mode) ? "directory" : S_ISCHR(mode) ? "device" : "special file";
}

/* What is only added to is not what the program's state came from. */
static enum file_use use_of(const struct open_file *f)
{
	uint32_t access = f->desc->flags & O_ACCMODE;

	if (!S_ISREG(f->st.st_mode))
		return FILE_PLACE;
	if (access == O_RDONLY || f->desc->flags & O_PATH)
		return FILE_READ;
	if (!(f->desc->flags & O_APPEND))
		return FILE_POSITION;
	return access == O_WRONLY ? FILE_APPENDED : FILE_WRITTEN;
}

int collect_regular(struct subject *s, struct open_file *f, struct err *err)
{
	uint64_t pos = 0;

	if (is_deleted(f->link))
		return S_ISREG(f->st.st_mode) ? collect_nameless(s, f, err)
		                              : err_refuse(err, CLOSE_IT, "fd %d: a %s without a name, %s", f->fd,
		                                           kind_words(f->st.st_mode), f->link);
	if (S_ISCHR(f->st.st_mode) && is_pty(f->st.st_rdev))
		return err_refuse(err, CLOSE_IT, "fd %d: pseudo-terminal %s", f->fd, f->link);
	if (S_ISCHR(f->st.st_mode) && !memory_device(f->st.st_rdev))
		return err_refuse(err, CLOSE_IT, "fd %d: device %s", f->fd, f->link);
	if (!S_ISREG(f->st.st_mode) && !S_ISDIR(f->st.st_mode) && !S_ISCHR(f->st.st_mode))
		return err_refuse(err, CLOSE_IT, "fd %d: special file %s", f->fd, f->link);
	if (f->desc->flags & O_PATH)
		f->desc->kind = WARM__IMAGE__DESCRIPTION_KIND__PATH;
	else if (S_ISDIR(f->st.st_mode))
		f->desc->kind = WARM__IMAGE__DESCRIPTION_KIND__DIRECTORY;
	else if (S_ISCHR(f->st.st_mode))
		f->desc->kind = WARM__IMAGE__DESCRIPTION_KIND__DEVICE;
	else
		f->desc->kind = WARM__IMAGE__DESCRIPTION_KIND__REGULAR;
	if (is_of_a_process(s, f) && !is_own_facts(s, f))
		return err_refuse(err, CLOSE_IT, "fd %d: %s, which is about one process", f->fd, f->link);
	if (is_on(s, f, MQUEUE_MAGIC))
		return err_refuse(err, CLOSE_IT, "fd %d: POSIX message queue %s", f->fd, f->link);
	info_number(f, "pos", 10, &pos);
	f->desc->position = pos;
	f->desc->path = strdup(f->link);
	if (!f->desc->path)
		return err_sys(err, ENOMEM, "descriptors");
	f->desc->dev = f->st.st_dev;
	f->desc->ino = f->st.st_ino;
	if (summary_descriptor(s, "%d: %s %s", f->fd, kind_words(f->st.st_mode), f->link) < 0)
		return err_sys(err, ENOMEM, "descriptors");
	if (!is_of_the_machine(s, f) && summary_file(s, f->link, f->st.st_dev, f->st.st_ino, use_of(f), err) < 0)
		return err_step(err, "fd %d", f->fd);
	return 0;
}

/* ---- which kind? ------------------------------------------------------------------------------------------------ */

static int collect_by_kind(struct subject *s, struct open_file *f, struct err *err)
{
	if (f->fd == s->hook_fd) {
		f->desc->kind = WARM__IMAGE__DESCRIPTION_KIND__HOOK;
		return 0;
	}
	for (size_t i = 0; i < sizeof(anonymous) / sizeof(anonymous[0]); i++) {
		if (strncmp(f->link, anonymous[i].link, strlen(anonymous[i].link)) != 0)
			continue;
		f->desc->kind = anonymous[i].kind;
		return anonymous[i].collect(s, f, err);
	}
	if (f->link[0] != '/' && strstr(f->link, ":[") && strncmp(f->link, "anon_inode:", 11) != 0)
		return err_refuse(err, CLOSE_IT, "fd %d: a namespace, %s", f->fd, f->link);
	if (f->link[0] != '/')
		return err_refuse(err, CLOSE_IT, "fd %d: %s is not supported", f->fd, f->link);
	if (strncmp(f->link, "/memfd:", 7) == 0)
		return err_refuse(err, CLOSE_IT, "fd %d: memory file %s", f->fd, f->link);
	if (S_ISFIFO(f->st.st_mode)) {
		f->desc->kind = WARM__IMAGE__DESCRIPTION_KIND__PIPE;
		return collect_pipe(s, f, err);
	}
	return collect_regular(s, f, err);
}

/* Does the launch still stand behind this number? A program that redirected its own 0, 1 or 2 would surprise its
 * clones. */
static bool from_launch(const struct subject *s, const struct open_file *f)
{
	for (size_t i = 0; i < s->n_launch_fds; i++)
		if (s->launch_fd[i].fd == f->fd)
			return s->launch_fd[i].dev == f->st.st_dev && s->launch_fd[i].ino == f->st.st_ino;
	return s->n_launch_fds == 0 && f->fd <= 2; /* nobody told us: by hand, in tests */
}

/* A line editor or a full-screen program has modes of its own; a launch's terminal has them at GO, too (termios(3)). */
static int take_terminal(struct open_file *f, struct err *err)
{
	struct termios modes;

	if (f->local < 0 || ioctl(f->local, TCGETS, &modes) < 0 || modes.c_lflag & ICANON)
		return 0;
	f->desc->terminal = bytes_copy(&modes, sizeof(modes));
	return f->desc->terminal.data ? 0 : err_sys(err, ENOMEM, "descriptors");
}

/* The launch's: whatever shares its description with 0, 1 or 2 follows them. */
static int collect_stdio(struct subject *s, struct open_file *f, struct err *err)
{
	f->desc->kind = WARM__IMAGE__DESCRIPTION_KIND__STDIO;
	f->desc->stdio = (uint32_t)f->fd;
	if (summary_descriptor(s, "%d: the launch's", f->fd) < 0)
		return err_sys(err, ENOMEM, "descriptors");
	return take_terminal(f, err);
}

/* A dup() of a descriptor that the launch brought (>= 3) would have to follow the clone's launch. */
static int shares_with_launch(const struct subject *s, const struct open_file *f)
{
	for (size_t i = 0; i < s->n_launch_fds; i++)
		if (s->launch_fd[i].fd > 2 && s->launch_fd[i].fd != f->fd && s->launch_fd[i].dev == f->st.st_dev &&
		    s->launch_fd[i].ino == f->st.st_ino &&
		    syscall(SYS_kcmp, s->pid, s->pid, KCMP_FILE, (long)s->launch_fd[i].fd, (long)f->fd) == 0)
			return s->launch_fd[i].fd;
	return -1;
}

/* The hook's and the launch's are nobody else's. */
static int offer(struct subject *s, struct open_file *f, uint32_t index, struct err *err)
{
	struct warm_object object = {.path = f->link,
	                             .dev = f->st.st_dev,
	                             .ino = f->st.st_ino,
	                             .rdev = f->st.st_rdev,
	                             .fd = f->fd,
	                             .local = f->local,
	                             .flags = f->desc->flags};

	if (f->fd <= 2 || f->fd == s->hook_fd)
		return 0;
	object.kind = S_ISCHR(f->st.st_mode) || S_ISBLK(f->st.st_mode) ? WARM_DEVICE : WARM_DESCRIPTOR;
	return offer_description(s, f->desc, index, &object, err);
}

/* Who is told of its events, and how: fcntl(2). A directory's owner is made by F_NOTIFY. */
static int take_owner(struct subject *s, struct open_file *f, struct err *err)
{
	struct f_owner_ex owner = {0};
	bool known = false;
	int sig;

	if (f->fd <= 2 && f->desc->flags & O_ASYNC)
		return err_refuse(err, SWITCH_IT_OFF, "fd %d: signal-driven I/O (O_ASYNC) on what the launch brings",
		                  f->fd);
	if (f->fd <= 2 || f->fd == s->hook_fd || f->local < 0)
		return 0;
	sig = fcntl(f->local, F_GETSIG);
	if (sig < 0 || fcntl(f->local, F_GETOWN_EX, &owner) < 0)
		return err_sys(err, errno, "fd %d: who is told of its events", f->fd);
	f->desc->owner_signal = sig;
	if (owner.pid == 0)
		return 0;
	if (S_ISDIR(f->st.st_mode))
		return err_refuse(err, CLOSE_IT, "fd %d: notification of changes in %s (F_NOTIFY)", f->fd, f->link);
	for (size_t i = 0; owner.type != F_OWNER_PGRP && i < s->n_threads; i++)
		if (s->thread[i].tid == owner.pid) {
			f->desc->owner_id = s->image->thread[i]->tid;
			known = true;
		}
	if (!known)
		return err_refuse(err, "name this process (F_SETOWN), or close it, before the snapshot",
		                  "fd %d: another process is told of its events (F_SETOWN)", f->fd);
	f->desc->owner_type = owner.type;
	return 0;
}

static int take_outline(struct open_file *f, struct err *err)
{
	Warm__Image__Taken *taken = malloc(sizeof(*taken));
	int seals = f->local < 0 ? -1 : fcntl(f->local, F_GET_SEALS);

	if (!taken)
		return err_sys(err, ENOMEM, "descriptors");
	warm__image__taken__init(taken);
	f->desc->taken = taken;
	taken->mode = f->st.st_mode;
	taken->size = (uint64_t)f->st.st_size;
	taken->rdev = f->st.st_rdev;
	taken->seals = seals < 0 ? 0 : (uint32_t)seals;
	info_number(f, "pos", 10, &f->desc->position);
	return 0;
}

static int new_description(struct subject *s, struct open_file *f, uint32_t *ret_index, struct err *err)
{
	uint64_t flags = 0;
	int r;

	f->desc = malloc(sizeof(*f->desc));
	if (!f->desc)
		return err_sys(err, ENOMEM, "descriptors");
	warm__image__description__init(f->desc);
	*ret_index = (uint32_t)s->image->n_description;
	if (GROW(s->image, description, f->desc) < 0)
		return err_sys(err, ENOMEM, "descriptors");
	info_number(f, "flags", 8, &flags);
	f->desc->flags = (uint32_t)flags & ~(uint32_t)O_CLOEXEC;
	f->desc->dev = f->st.st_dev;
	f->desc->ino = f->st.st_ino;
	r = offer(s, f, *ret_index, err);
	if (r)
		return r < 0 ? r : take_outline(f, err);
	if ((r = collect_lock(f, err)) < 0)
		return r;
	if ((r = take_owner(s, f, err)) < 0)
		return r;
	if (shares_with_launch(s, f) >= 0)
		return err_refuse(err, CLOSE_IT, "fd %d: a duplicate of fd %d, which the program was started with",
		                  f->fd, shares_with_launch(s, f));
	if (f->fd <= 2 && !from_launch(s, f))
		return err_refuse(err, "redirect it at the launch, or after the snapshot",
		                  "fd %d: the program has redirected it to %s", f->fd, f->link);
	r = f->fd <= 2 ? collect_stdio(s, f, err) : collect_by_kind(s, f, err);
	return r < 0 ? r : hold_locks(s, f, err);
}

/*
 * The descriptions so far, one descriptor of each, in an order that kcmp(2) knows (KCMP_FILE is less, greater or
 * equal): a program with thousands of sockets is compared some ten times for each, not thousands of times.
 */
struct known {
	struct {
		int fd;
		uint32_t description;
	} * of;
	size_t n;
};

/* Where it stands, or has to be put in. Within one inode kcmp decides; no description has two. */
static bool find_shared(struct subject *s, const struct known *known, const struct open_file *f, size_t *ret_at)
{
	size_t lo = 0, hi = known->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const Warm__Image__Description *d = s->image->description[known->of[mid].description];
		long order;

		if (d->ino != f->st.st_ino)
			order = d->ino < f->st.st_ino ? 1 : 2;
		else if (d->dev != f->st.st_dev)
			order = d->dev < f->st.st_dev ? 1 : 2;
		else
			order = syscall(SYS_kcmp, s->pid, s->pid, KCMP_FILE, (long)known->of[mid].fd, (long)f->fd);
		if (order == 0) {
			*ret_at = mid;
			return true;
		}
		if (order == 1)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret_at = lo;
	return false;
}

static int remember_description(struct known *known, size_t at, int fd, uint32_t description)
{
	__typeof__(*known->of) one = {fd, description};

	if (grow(&known->of, &known->n, sizeof(one), &one) < 0)
		return -ENOMEM;
	memmove(&known->of[at + 1], &known->of[at], (known->n - 1 - at) * sizeof(one));
	known->of[at] = one;
	return 0;
}

/* The description behind it: one that is known, or a new one. 0, 1 and 2 share none: a launch may bring three. */
static int take_description(struct subject *s, struct known *known, struct open_file *f, uint32_t *ret_index,
                            struct err *err)
{
	size_t at = 0;
	int r;

	if (f->fd > 2 && known->of && find_shared(s, known, f, &at)) {
		*ret_index = known->of[at].description;
		return 0;
	}
	r = new_description(s, f, ret_index, err);
	if (r < 0)
		return r;
	if (f->fd <= 2 && find_shared(s, known, f, &at))
		return 0; /* what comes later follows the first of them */
	return remember_description(known, at, f->fd, *ret_index) < 0 ? err_sys(err, ENOMEM, "descriptors") : 0;
}

static void note_refused(struct subject *s, const struct open_file *f)
{
	s->refused_fd = f->fd;
	s->refused_dev = f->st.st_dev;
	s->refused_ino = f->st.st_ino;
}

static int collect_descriptor(struct subject *s, struct known *known, int fd, struct err *err)
{
	struct open_file f = {.fd = fd, .local = -1};
	CLEAN(fd) int local = -1;
	CLEAN(free) char *info = NULL;
	Warm__Image__Descriptor *d = malloc(sizeof(*d));
	uint32_t index = 0;
	uint64_t flags = 0;
	char name[32];
	int launched, r;

	if (!d)
		return err_sys(err, ENOMEM, "descriptors");
	warm__image__descriptor__init(d);
	snprintf(name, sizeof(name), "fd/%d", fd);
	if ((r = proc_link(s->proc_fd, name, f.link, sizeof(f.link))) == 0 && fstatat(s->proc_fd, name, &f.st, 0) < 0)
		r = -errno;
	snprintf(name, sizeof(name), "fdinfo/%d", fd);
	if (r == 0)
		r = fd_read_file_at(s->proc_fd, name, 16u << 20, &info, NULL);
	if (r) {
		free(d);
		return err_sys(err, -r, "fd %d", fd);
	}
	f.info = info;
	if (fd > 2 && !S_ISSOCK(f.st.st_mode) && from_launch(s, &f)) {
		free(d);
		return launch_lock(&f, err); /* a clone has it where its own launch brings it */
	}
	info_number(&f, "flags", 8, &flags);
	if (!(flags & O_PATH))
		local = (int)syscall(SYS_pidfd_getfd, s->pidfd, fd, 0);
	f.local = local;
	launched = handed_number(s, &f);
	if (launched > 2) {
		free(d);
		return collect_handed(s, &f, launched, flags & O_CLOEXEC, err);
	}
	r = take_description(s, known, &f, &index, err);
	if (r == -ENOTSUP)
		note_refused(s, &f);
	d->fd = fd;
	d->cloexec = (flags & O_CLOEXEC) != 0;
	d->description = index;
	if (GROW(s->image, descriptor, d) < 0 || (fd > 2 && GROW(s->summary, fds, fd) < 0))
		return err_sys(err, ENOMEM, "descriptors");
	return r;
}

struct walk {
	int *fd;
	size_t n;
};

static int remember(void *arg, int fd)
{
	struct walk *walk = arg;

	return grow(&walk->fd, &walk->n, sizeof(fd), &fd);
}

static int ascending(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int collect_files(struct subject *s, struct err *err)
{
	struct walk walk = {0};
	struct known known = {0};
	int r = proc_each_fd(s->proc_fd, remember, &walk);

	if (r < 0)
		err_sys(err, -r, "descriptors of process %d", s->pid);
	qsort(walk.fd, walk.n, sizeof(*walk.fd), ascending);
	for (size_t i = 0; r == 0 && i < walk.n; i++)
		r = collect_descriptor(s, &known, walk.fd[i], err);
	free(known.of);
	free(walk.fd);
	if (r == 0)
		r = held_places(s, err);
	if (r == 0 && !s->original) /* a trial's clone has none, and the image is what is to be checked */
		r = check_locks(s, err);
	if (r == 0)
		r = check_pipes(s, err);
	return r < 0 ? r : check_sockets(s, err);
}
