/* SPDX-License-Identifier: MIT */
#include "warmd/watch.h"

#include "base/err.h"
#include "warmd/above.h"
#include "warmd/daemon.h"
#include "warmd/files.h"
#include "warmd/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define WATCH_EVENTS                                                                                                   \
	(IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
#define ABOVE_EVENTS (IN_DELETE_SELF | IN_MOVE_SELF)
#define ABOVE_GONE   (ABOVE_EVENTS | IN_UNMOUNT | IN_IGNORED)
#define ABOVE        UINT32_MAX

enum trust { TRUSTED, SUSPECT, BLIND }; /* BLIND: looked at in each launch, for ever */

/* One file of one set, or a directory above its files, on the list of everybody who watches the same inode. */
struct watch_ref {
	LIST_ENTRY(watch_ref) link;
	struct watch_set *set;
	uint32_t index; /* ABOVE: the directory */
	int wd;
};
LIST_HEAD(watch_refs, watch_ref);

struct watch_set {
	LIST_ENTRY(watch_set) link;
	struct watch *watch;
	Warm__Rpc__File *const *file;
	size_t n_file, n_refs, next;
	uint8_t *trust; /* enum trust, by file */
	uint32_t *look; /* files that are not trusted */
	size_t n_look;
	struct watch_ref *ref; /* two for what is reached by a symbolic link */
};

struct watch {
	struct daemon *daemon;
	int fd, mounts_fd;
	ev_io io;
	struct watch_refs **by_wd; /* watch descriptors are small numbers */
	size_t n_wd;
	LIST_HEAD(, watch_set) sets;
	bool told; /* that there are not enough watches */
};

static void suspect(struct watch_set *set, uint32_t index)
{
	if (set->trust[index] != TRUSTED)
		return;
	set->trust[index] = SUSPECT;
	set->look[set->n_look++] = index;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void suspect_all(struct watch *watch)
{
	struct watch_set *set;

	LIST_FOREACH(set, &watch->sets, link)
	{
		watch_set_suspect(set);
	}
}

/* Paths lead elsewhere now: what is watched is no longer what a launch would open. */
static void distrust(struct watch_set *set)
{
	watch_set_suspect(set);
	for (uint32_t i = 0; i < set->n_file; i++)
		set->trust[i] = BLIND;
}

static void event(struct watch *watch, const struct inotify_event *event)
{
	struct watch_refs *refs;
	struct watch_ref *ref;

	if (event->mask & IN_Q_OVERFLOW) {
		suspect_all(watch);
		return;
	}
	if (event->wd < 0 || (size_t)event->wd >= watch->n_wd || !watch->by_wd[event->wd])
		return;
	refs = watch->by_wd[event->wd];
	LIST_FOREACH(ref, refs, link)
	{
		if (ref->index == ABOVE) {
			if (event->mask & ABOVE_GONE)
				distrust(ref->set);
			continue;
		}
		suspect(ref->set, ref->index);
		if (event->mask & IN_IGNORED)
			ref->set->trust[ref->index] = BLIND; /* already on the list to be looked at */
	}
}

/* A mount hides files from whom they hear of nothing, and shows others. */
static bool mounts_changed(const struct watch *watch)
{
	struct pollfd mounts = {.fd = watch->mounts_fd, .events = POLLPRI};

	return poll(&mounts, 1, 0) > 0 && mounts.revents & POLLPRI;
}

void watch_drain(struct watch *watch)
{
	char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t len;

	if (mounts_changed(watch))
		suspect_all(watch);
	while ((len = read(watch->fd, buf, sizeof(buf))) > 0) {
		for (char *at = buf; at < buf + len;) {
			const struct inotify_event *one = (const struct inotify_event *)at;

			event(watch, one);
			at += sizeof(*one) + one->len;
		}
	}
}

static void watch_readable(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	(void)revents;
	watch_drain(io->data);
}

int watch_new(struct daemon *daemon, struct watch **ret, struct err *err)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return err_set(err, ENOMEM, "out of memory");
	watch->daemon = daemon;
	watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch->fd < 0) {
		free(watch);
		return err_sys(err, errno, "inotify: see /proc/sys/fs/inotify/max_user_instances");
	}
	watch->mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (watch->mounts_fd < 0) {
		int code = errno;

		close(watch->fd);
		free(watch);
		return err_sys(err, code, "open /proc/self/mountinfo");
	}
	ev_io_init(&watch->io, watch_readable, watch->fd, EV_READ);
	watch->io.data = watch;
	ev_set_priority(&watch->io, EV_MINPRI);
	ev_io_start(daemon->loop, &watch->io);
	*ret = watch;
	return 0;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	ev_io_stop(watch->daemon->loop, &watch->io);
	close(watch->mounts_fd);
	close(watch->fd);
	for (size_t i = 0; i < watch->n_wd; i++)
		free(watch->by_wd[i]);
	free(watch->by_wd);
	free(watch);
}

/* ---- sets -------------------------------------------------------------------------------------------------------- */

static struct watch_refs *refs_of(struct watch *watch, int wd)
{
	if ((size_t)wd >= watch->n_wd) {
		size_t n = (size_t)wd + 1024;
		struct watch_refs **more = realloc(watch->by_wd, n * sizeof(*more));

		if (!more)
			return NULL;
		memset(more + watch->n_wd, 0, (n - watch->n_wd) * sizeof(*more));
		watch->by_wd = more;
		watch->n_wd = n;
	}
	if (!watch->by_wd[wd])
		watch->by_wd[wd] = calloc(1, sizeof(struct watch_refs));
	return watch->by_wd[wd];
}

/* Returns whether events will be seen. */
static bool add_watch(struct watch_set *set, uint32_t index, const char *path, uint32_t events)
{
	struct watch *watch = set->watch;
	struct watch_ref *ref = &set->ref[set->n_refs];
	int wd = inotify_add_watch(watch->fd, path, events);
	struct watch_refs *refs;

	if (wd < 0) {
		if (errno == ENOSPC && !watch->told) {
			log_line("not enough inotify watches: raise fs.inotify.max_user_watches (until then more files "
			         "are looked at in each launch)");
			watch->told = true;
		}
		return false;
	}
	refs = refs_of(watch, wd);
	if (!refs)
		return false;
	*ref = (struct watch_ref){.set = set, .index = index, .wd = wd};
	LIST_INSERT_HEAD(refs, ref, link);
	set->n_refs++;
	return true;
}

static bool watch_file(struct watch_set *set, uint32_t index)
{
	const Warm__Rpc__File *file = set->file[index];
	uint32_t events = file->searched && !file->names_digest.len ? ABOVE_EVENTS | IN_ATTRIB | IN_MASK_ADD
	                                                            : WATCH_EVENTS;
	struct stat st;

	if (lstat(file->path, &st) || file_blind(file->path))
		return false;
	/* A symbolic link is replaced without its target hearing of it. */
	if (S_ISLNK(st.st_mode) && !add_watch(set, index, file->path, events | IN_DONT_FOLLOW))
		return false;
	return add_watch(set, index, file->path, events);
}

/* What is not there has no file below it that could be watched. */
static bool watch_directory(struct watch_set *set, const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		return errno == ENOENT || errno == ENOTDIR;
	/* The directory may be a file of the set, too, and keeps what is asked for that. */
	if (S_ISLNK(st.st_mode) && !add_watch(set, ABOVE, path, ABOVE_EVENTS | IN_MASK_ADD | IN_DONT_FOLLOW))
		return false;
	return add_watch(set, ABOVE, path, ABOVE_EVENTS | IN_MASK_ADD);
}

static void watch_files(struct watch_set *set)
{
	for (uint32_t i = 0; i < set->n_file; i++) {
		suspect(set, i);
		/* The command itself is worth a stat each time: somebody may have linked it elsewhere. So is what the
		 * program wrote to when it was snapshotted: inotify sees no store through a mapping. */
		if (!watch_file(set, i) || i == 0 || set->file[i]->position)
			set->trust[i] = BLIND;
	}
}

struct watch_set *watch_set_new(struct watch *watch, Warm__Rpc__File *const *file, size_t n_file)
{
	struct watch_set *set = calloc(1, sizeof(*set));
	struct above above = {0};
	int r = 0;

	if (!set)
		return NULL;
	set->watch = watch;
	set->file = file;
	set->n_file = n_file;
	LIST_INSERT_HEAD(&watch->sets, set, link);
	for (size_t i = 0; i < n_file && !r; i++)
		r = above_add(&above, file[i]->path);
	set->trust = calloc(n_file + 1, sizeof(*set->trust));
	set->look = calloc(n_file + 1, sizeof(*set->look));
	set->ref = calloc(2 * (n_file + above.n) + 1, sizeof(*set->ref));
	if (r || !set->trust || !set->look || !set->ref) {
		above_fini(&above);
		watch_set_free(set);
		return NULL;
	}
	watch_files(set);
	for (size_t i = 0; i < above.n; i++) {
		if (!watch_directory(set, above.path[i]))
			distrust(set);
	}
	above_fini(&above);
	return set;
}

void watch_set_free(struct watch_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n_refs; i++) {
		struct watch_ref *ref = &set->ref[i];
		struct watch_refs *refs = set->watch->by_wd[ref->wd];

		LIST_REMOVE(ref, link);
		if (!LIST_EMPTY(refs))
			continue;
		inotify_rm_watch(set->watch->fd, ref->wd); /* EINVAL where the file is gone */
		free(refs);
		set->watch->by_wd[ref->wd] = NULL;
	}
	LIST_REMOVE(set, link);
	free(set->trust);
	free(set->look);
	free(set->ref);
	free(set);
}

void watch_set_suspect(struct watch_set *set)
{
	for (uint32_t i = 0; i < set->n_file; i++)
		suspect(set, i);
}

int watch_set_check(struct watch_set *set, char *reason, size_t size)
{
	size_t kept = 0;

	for (size_t i = 0; i < set->n_look; i++) {
		uint32_t index = set->look[i];

		if (file_check(set->file[index], reason, size))
			return 1; /* the snapshot goes: what is on the list no longer matters */
		if (set->trust[index] == BLIND)
			set->look[kept++] = index;
		else
			set->trust[index] = TRUSTED;
	}
	set->n_look = kept;
	return 0;
}

int watch_set_sweep(struct watch_set *set, size_t n, char *reason, size_t size)
{
	for (; n && set->n_file; n--) {
		if (set->next >= set->n_file)
			set->next = 0;
		if (file_check(set->file[set->next++], reason, size))
			return 1;
	}
	return 0;
}
