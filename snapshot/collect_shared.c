/* SPDX-License-Identifier: MIT */
/*
 * Shared anonymous memory: an object of the kernel without a name, mapped in one or several areas. Its bytes are the
 * object's, whether or not a page of it is in the page tables; what of it no area shows is refused. So is one that
 * another process has, too: a copy of half of a conversation.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "snapshot/pages_internal.h"
#include "snapshot/remedies.h"
#include "snapshot/shared_internal.h"

#define MAPS_MAX (64u << 20)
#define PAGE     UINT64_C(4096)

bool is_shared_anonymous(const char *path)
{
	return strncmp(path, "/dev/zero (deleted)", 19) == 0 || strncmp(path, "[anon_shmem:", 12) == 0;
}

/* ---- before the freeze: has anybody else got it? ---------------------------------------------------------------- */

/* Calls fn with the inode of each such area in a /proc/PID/maps. What fn returns but 0 ends the walk. */
static int each_shared(char *maps, int (*fn)(struct subject *s, uint64_t ino, uint64_t at), struct subject *s)
{
	char *save = NULL;
	int r = 0;

	for (char *line = strtok_r(maps, "\n", &save); r == 0 && line; line = strtok_r(NULL, "\n", &save)) {
		unsigned long start, ino;
		int path = 0;

		if (sscanf(line, "%lx-%*x %*s %*x %*x:%*x %lu %n", &start, &ino, &path) == 2 && path &&
		    is_shared_anonymous(line + path))
			r = fn(s, ino, start);
	}
	return r;
}

static bool is_noted(const struct subject *s, uint64_t ino)
{
	for (size_t i = 0; i < s->n_shared; i++)
		if (s->shared_ino[i] == ino)
			return true;
	return false;
}

static int note(struct subject *s, uint64_t ino, uint64_t at)
{
	(void)at;
	return is_noted(s, ino) ? 0 : grow(&s->shared_ino, &s->n_shared, sizeof(ino), &ino);
}

static int find_noted(struct subject *s, uint64_t ino, uint64_t at)
{
	(void)at;
	return is_noted(s, ino);
}

int shared_prepare(struct subject *s, struct err *err)
{
	CLEAN(free) char *own = NULL;
	struct dirent *entry;
	DIR *all;
	int r = fd_read_file_at(s->proc_fd, "maps", MAPS_MAX, &own, NULL);

	if (r == 0)
		r = each_shared(own, note, s);
	if (r < 0)
		return err_sys(err, -r, "areas of process %d", s->pid);
	if (s->n_shared == 0)
		return 0;
	all = opendir("/proc");
	if (!all)
		return err_sys(err, errno, "list of processes");
	while (r == 0 && (entry = readdir(all))) {
		CLEAN(free) char *maps = NULL;
		char path[300];

		if (!isdigit((unsigned char)entry->d_name[0]) || atoi(entry->d_name) == s->pid)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/maps", entry->d_name);
		if (fd_read_file_at(AT_FDCWD, path, MAPS_MAX, &maps, NULL) < 0)
			continue; /* it has ended */
		if (each_shared(maps, find_noted, s))
			r = err_refuse(err, "end that one, or unmap it, before the snapshot",
			               "process %d shares anonymous memory with process %s", s->pid, entry->d_name);
	}
	closedir(all);
	return r;
}

/* ---- an area ---------------------------------------------------------------------------------------------------- */

static int open_object(const struct subject *s, const Warm__Image__Vma *vma)
{
	char path[64];

	snprintf(path, sizeof(path), "map_files/%lx-%lx", (unsigned long)vma->start, (unsigned long)vma->end);
	return openat(s->proc_fd, path, O_RDONLY | O_CLOEXEC);
}

static int new_object(struct subject *s, const Warm__Image__Vma *vma, uint64_t ino, struct err *err)
{
	CLEAN(fd) int fd = open_object(s, vma);
	Warm__Image__SharedMemory *object;
	struct stat st;

	if (!s->original && !is_noted(s, ino))
		return err_refuse(err, TRY_AGAIN, "memory at %#lx was mapped while the program was being frozen",
		                  (unsigned long)vma->start);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "shared memory at %#lx", (unsigned long)vma->start);
	object = malloc(sizeof(*object));
	if (!object)
		return err_sys(err, ENOMEM, "areas");
	warm__image__shared_memory__init(object);
	object->ino = ino;
	object->size = (uint64_t)st.st_size;
	if ((s->image->n_shared_memory == 0 && GROW(s->image, feature, strdup("shared")) < 0) ||
	    GROW(s->image, shared_memory, object) < 0)
		return err_sys(err, ENOMEM, "areas");
	return 0;
}

int take_shared_area(struct subject *s, Warm__Image__Vma *vma, uint64_t ino, struct err *err)
{
	Warm__Image__Image *image = s->image;
	uint64_t size;
	size_t i = 0;
	int r = 0;

	vma->kind = WARM__IMAGE__VMA_KIND__SHARED_ANON;
	while (i < image->n_shared_memory && image->shared_memory[i]->ino != ino)
		i++;
	if (i == image->n_shared_memory)
		r = new_object(s, vma, ino, err);
	if (r < 0)
		return r;
	vma->object = (uint32_t)i;
	size = image->shared_memory[i]->size;
	if (vma->offset + (vma->end - vma->start) > (size + PAGE - 1) / PAGE * PAGE)
		return err_refuse(err, UNMAP_IT, "memory at %#lx: shared memory that was made longer than it was",
		                  (unsigned long)vma->start);
	return 0;
}

/* ---- its bytes -------------------------------------------------------------------------------------------------- */

/* Calls fn with each run of pages that the object has from `at` on, before `end`. */
static int each_data(int fd, uint64_t at, uint64_t end, int (*fn)(void *arg, uint64_t from, uint64_t to), void *arg)
{
	int r = 0;

	while (r == 0 && at < end) {
		off_t from = lseek(fd, (off_t)at, SEEK_DATA), to;

		if (from < 0)
			return errno == ENXIO ? 0 : -errno;
		if ((uint64_t)from >= end)
			return 0;
		to = lseek(fd, from, SEEK_HOLE);
		if (to < 0)
			return -errno;
		at = (uint64_t)to < end ? (uint64_t)to : end;
		r = fn(arg, (uint64_t)from / PAGE * PAGE, (at + PAGE - 1) / PAGE * PAGE);
	}
	return r;
}

struct shown { /* an area, and the subject that it is in */
	struct subject *s;
	const Warm__Image__Vma *vma;
};

static int add_shown(void *arg, uint64_t from, uint64_t to)
{
	struct shown *shown = arg;

	return pages_add_run(shown->s, shown->vma->start + (from - shown->vma->offset), (to - from) / PAGE);
}

/* Is there an area that shows this page of the object? Returns where what it shows ends; 0: there is none. */
static uint64_t shown_until(const Warm__Image__Image *image, uint32_t object, uint64_t page)
{
	for (size_t i = 0; i < image->n_vma; i++) {
		const Warm__Image__Vma *vma = image->vma[i];
		uint64_t end = vma->offset + (vma->end - vma->start);

		if (vma->kind == WARM__IMAGE__VMA_KIND__SHARED_ANON && vma->object == object && page >= vma->offset &&
		    page < end)
			return end;
	}
	return 0;
}

static int check_shown(void *arg, uint64_t from, uint64_t to)
{
	struct shown *shown = arg;

	while (from < to) {
		uint64_t end = shown_until(shown->s->image, shown->vma->object, from);

		if (!end)
			return 1;
		from = end;
	}
	return 0;
}

int find_shared_pages(struct subject *s, uint64_t start, struct err *err)
{
	struct shown shown = {.s = s};
	CLEAN(fd) int fd = -1;
	uint64_t len;
	int r;

	for (size_t i = 0; i < s->image->n_vma; i++)
		if (s->image->vma[i]->start == start)
			shown.vma = s->image->vma[i];
	fd = shown.vma ? open_object(s, shown.vma) : -1;
	if (fd < 0)
		return err_sys(err, errno, "shared memory at %#lx", (unsigned long)start);
	len = shown.vma->end - shown.vma->start;
	r = each_data(fd, shown.vma->offset, shown.vma->offset + len, add_shown, &shown);
	if (r == 0)
		r = each_data(fd, 0, s->image->shared_memory[shown.vma->object]->size, check_shown, &shown);
	if (r > 0)
		return err_refuse(err, UNMAP_IT, "memory at %#lx: shared memory of which a part with data is unmapped",
		                  (unsigned long)start);
	return r < 0 ? err_sys(err, -r, "shared memory at %#lx", (unsigned long)start) : 0;
}
