/* SPDX-License-Identifier: MIT */
#include "restore/place.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/proc.h"
#include "base/uapi.h"

#define ROOM_FROM        0x100000000000u /* 16 TiB: above what non-PIE programs, compressed heaps and Go arenas use */
#define ROOM_TO          0x7ff000000000u
#define ROOM_ALIGN       (2u << 20)
#define ROOM_APART       (UINT64_C(4) << 30) /* nothing that this process still maps comes as near as that */
#define SA_RESTORER_FLAG 0x04000000

struct range {
	uint64_t start, end;
	bool image;   /* of the image, */
	bool settled; /* and does not grow */
};

/* ---- room ------------------------------------------------------------------------------------------------------- */

static Warm__Image__VmaKind vdso_kind(const char *name)
{
	return strcmp(name, "[vdso]") == 0          ? WARM__IMAGE__VMA_KIND__VDSO
	       : strcmp(name, "[vvar]") == 0        ? WARM__IMAGE__VMA_KIND__VVAR
	       : strcmp(name, "[vvar_vclock]") == 0 ? WARM__IMAGE__VMA_KIND__VVAR_VCLOCK
	                                            : WARM__IMAGE__VMA_KIND__ANON;
}

static int own_areas(struct place *place, struct range *range, size_t room, size_t *n)
{
	CLEAN(free) char *maps = NULL;
	char *save = NULL;
	int r = fd_read_file_at(AT_FDCWD, "/proc/self/maps", 16u << 20, &maps, NULL);

	if (r < 0)
		return r;
	for (char *line = strtok_r(maps, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned long start, end;
		char name[64] = "";

		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %63s", &start, &end, name) < 2 || *n == room)
			return -EPROTO;
		range[(*n)++] = (struct range){start, end, false, false};
		if (vdso_kind(name) != WARM__IMAGE__VMA_KIND__ANON && place->n_vdso < 4)
			place->vdso[place->n_vdso++] = (struct vdso_area){start, end, vdso_kind(name)};
	}
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static uint64_t align_to(uint64_t n, uint64_t align)
{
	return (n + align - 1) & ~(align - 1);
}

static uint64_t align_up(uint64_t n)
{
	return align_to(n, ROOM_ALIGN);
}

static uint64_t shared_room(const Warm__Image__Image *image)
{
	uint64_t room = 0;

	for (size_t i = 0; i < image->n_shared_memory; i++)
		if (image->shared_memory[i]->size > room)
			room = image->shared_memory[i]->size;
	return align_up(room);
}

/* Of the page tables behind an arena above an area of the image all but the last are that area's, too: unmapping it,
 * which a launch waits for, takes half the time then. 0: there is no such place. */
static uint64_t find_room_beside(const struct range *range, size_t n, uint64_t need)
{
	const unsigned table_shift = 30; /* what one table of the second level maps */
	uint64_t last = 0, found = 0;    /* end of the areas so far */

	for (size_t i = 0; i < n; i++) {
		uint64_t at, until = i + 1 < n ? range[i + 1].start : ROOM_TO;

		last = range[i].end > last ? range[i].end : last;
		at = align_up(last + ROOM_ALIGN);
		if (range[i].settled && range[i].end == last && at >> table_shift == (last - 1) >> table_shift &&
		    at + need + ROOM_APART <= until && at + need <= ROOM_TO)
			found = at;
	}
	return found;
}

static uint64_t find_room_apart(const struct range *range, size_t n, uint64_t need)
{
	uint64_t at = ROOM_FROM;

	for (size_t i = 0; i < n; i++) {
		if (range[i].end <= at)
			continue;
		if (range[i].start >= at + need)
			break;
		at = align_up(range[i].end + ROOM_ALIGN);
	}
	return at;
}

/* Is nothing but what was made there ahead in the way, neither of the image nor of this process? */
static bool is_ready(const struct place *place, const struct range *range, size_t n, uint64_t need)
{
	uint64_t end = place->ready + need, own_end = place->ready + ARENA_ROOM + PACK_BLOCK_BYTES;

	if (!place->ready || !place->lazy)
		return false;
	for (size_t i = 0; i < n; i++)
		if (range[i].start < end && range[i].end > place->ready &&
		    (range[i].image || range[i].start < place->ready || range[i].end > own_end))
			return false;
	return true;
}

static int find_room(struct place *place, const Warm__Image__Image *image, uint64_t staging_len, struct err *err)
{
	size_t room = image->n_vma + 4096, n = 0;
	CLEAN(free) struct range *range = calloc(room, sizeof(*range));
	uint64_t need = ARENA_ROOM + align_up(staging_len) + shared_room(image) + ROOM_ALIGN, at;
	int r = range ? own_areas(place, range, room - image->n_vma, &n) : -ENOMEM;

	if (r < 0)
		return err_sys(err, -r, "own memory areas");
	for (size_t i = 0; i < image->n_vma; i++)
		range[n++] = (struct range){image->vma[i]->start, image->vma[i]->end, true,
		                            !image->mm || image->vma[i]->end != align_to(image->mm->brk, 4096)};
	qsort(range, n, sizeof(*range), by_start);
	at = is_ready(place, range, n, need) ? place->ready : find_room_beside(range, n, need);
	if (!at)
		at = find_room_apart(range, n, need);
	if (at + need > ROOM_TO)
		return err_set(err, ENOMEM, "no room between the image's memory areas for %lu MiB",
		               (unsigned long)(need >> 20));
	place->arena = at;
	place->staging = at + ARENA_ROOM;
	place->staging_len = staging_len;
	place->shared = place->staging + align_up(staging_len);
	return 0;
}

/* ---- what the kernel has ---------------------------------------------------------------------------------------- */

static int ask_xstate(struct place *place, struct err *err)
{
	int r = xstate_ask(&place->xstate);

	if (r == -ENOTSUP)
		return err_set(err, ENOTSUP, "this CPU's signal frames (%u bytes) are not known", place->xstate.size);
	return r < 0 ? err_sys(err, -r, "ask for the size of a signal frame") : 0;
}

static int ask_credentials(struct place *place, struct err *err)
{
	CLEAN(fd) int self = proc_open(getpid());
	CLEAN(free) char *filter = NULL;
	struct proc_status status = {0};
	int r = self < 0 ? self : proc_status_read(self, &status);

	if (r < 0)
		return err_sys(err, -r, "own credentials");
	place->uid = status.uid[0];
	place->gid = status.gid[0];
	place->cap_bounding = status.cap_bounding;
	place->cap_permitted = status.cap_permitted;
	place->cap_effective = status.cap_effective;
	place->cap_inheritable = status.cap_inheritable;
	place->cap_ambient = status.cap_ambient;
	place->securebits = (uint32_t)prctl(PR_GET_SECUREBITS);
	if (fd_read_file_at(self, "coredump_filter", 64, &filter, NULL) == 0)
		place->coredump_filter = (uint32_t)strtoul(filter, NULL, 16);
	place->no_new_privs = status.no_new_privs;
	place->group = status.groups;
	place->n_groups = status.n_groups;
	status.groups = NULL;
	if (status.seccomp)
		r = err_set(err, EPERM,
		            "the daemon was started with a seccomp filter, and what it starts cannot shed that");
	place->personality = (uint32_t)personality(0xffffffff);
	place->has_keys = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 0) >= 0 || errno != ENOSYS;
	place->has_ipv6 = access("/proc/sys/net/ipv6/ip_nonlocal_bind", F_OK) == 0;
	proc_status_fini(&status);
	return r;
}

int place_ask(struct place *place, struct err *err)
{
	int r;

	*place = (struct place){.sock_fd = -1, .init_fd = -1, .uffd = -1, .exe_fd = -1, .image_fd = -1, .mem_fd = -1};
	r = ask_xstate(place, err);
	return r < 0 ? r : ask_credentials(place, err);
}

static int compare_credentials(struct place *place, const Warm__Image__Process *process, struct err *err)
{
	const Warm__Image__Credentials *cred = process->cred;

	place->other_groups = place->n_groups != cred->n_group ||
	                      (cred->n_group &&
	                       memcmp(place->group, cred->group, cred->n_group * sizeof(uint32_t)) != 0);
	if (place->no_new_privs && !process->no_new_privs)
		return err_set(err, EPERM,
		               "the daemon was started with no_new_privs, and what it starts cannot shed that");
	return 0;
}

static int open_userfaultfd(void)
{
	struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_MOVE_BIT};
	CLEAN(fd) int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0)
		return -1; /* an older kernel: pages are copied */
	return take_fd(&fd);
}

int place_find(struct place *place, const Warm__Image__Image *image, uint64_t n_pages, struct err *err)
{
	int max_fd = 2;
	int r;

	for (size_t i = 0; i < image->n_descriptor; i++)
		if (image->descriptor[i]->fd > max_fd)
			max_fd = image->descriptor[i]->fd;
	place->fd_base = max_fd + 1 > LAUNCH_FD_END ? max_fd + 1 : LAUNCH_FD_END;
	r = find_room(place, image, n_pages * 4096, err);
	if (r == 0)
		r = compare_credentials(place, image->process, err);
	place->file_fd = calloc(image->n_file + 1, sizeof(int));
	if (r == 0 && !place->file_fd)
		r = err_sys(err, ENOMEM, "mapped files");
	return r;
}

/* ---- the way out ------------------------------------------------------------------------------------------------ */

/* Where one of the image's signal handlers returns to: libc's rt_sigreturn trampoline. */
static uint64_t trampoline(const Warm__Image__Image *image)
{
	for (size_t i = 0; i < image->process->n_sigaction; i++)
		if (image->process->sigaction[i].len == 32) {
			uint64_t word[4]; /* handler, flags, restorer, mask */

			memcpy(word, image->process->sigaction[i].data, sizeof(word));
			if (word[1] & SA_RESTORER_FLAG)
				return word[2];
		}
	return 0;
}

static const Warm__Image__Vma *code_area(const Warm__Image__Image *image, uint64_t addr)
{
	for (size_t i = 0; i < image->n_vma; i++) {
		const Warm__Image__Vma *vma = image->vma[i];
		const char *name;

		if (vma->kind != WARM__IMAGE__VMA_KIND__FILE || !(vma->prot & PROT_EXEC))
			continue;
		name = strrchr(image->file[vma->file]->path, '/');
		if (addr ? addr >= vma->start && addr < vma->end : name && strncmp(name, "/libc.", 6) == 0)
			return vma;
	}
	return NULL;
}

static bool has_own_pages(const Warm__Image__Image *image, const Warm__Image__Vma *vma)
{
	for (size_t i = 0; i < image->n_run_addr; i++)
		if (image->run_addr[i] >= vma->start && image->run_addr[i] < vma->end)
			return true;
	return false;
}

/* Two pieces of the application's libc, by which it leaves the arena. Where they are not found, the arena stays. */
static void find_way_out(struct place *place, const Warm__Image__Image *image)
{
	const Warm__Image__Vma *vma = code_area(image, trampoline(image));
	struct way_back way = {0};
	void *code;
	struct stat st;
	size_t len;

	if (!vma || has_own_pages(image, vma))
		return;
	len = vma->end - vma->start;
	if (fstat(place->file_fd[vma->file], &st) < 0 || vma->offset > (uint64_t)st.st_size ||
	    len > align_to((uint64_t)st.st_size - vma->offset, 4096))
		return; /* reading behind the end of a file that was cut short is SIGBUS */
	code = mmap(NULL, len, PROT_READ, MAP_PRIVATE, place->file_fd[vma->file], (off_t)vma->offset);
	if (code == MAP_FAILED)
		return;
	if (way_back_find(&way, code, len, vma->start))
		place->way = way;
	munmap(code, len);
}

/* ---- descriptors ------------------------------------------------------------------------------------------------ */

static int raise_to(int fd, int number, struct err *err)
{
	if (fd < 0)
		return number; /* a plan that is only printed */
	if (dup3(fd, number, O_CLOEXEC) < 0)
		return err_sys(err, errno, "descriptor %d (the limit of open files is too low)", number);
	close(fd);
	return number;
}

/* What has taken its place is not opened: that may do something by itself (a device), and we have root's rights. */
static int open_file(const Warm__Image__MappedFile *file, struct err *err)
{
	CLEAN(fd) int place = open(file->path, O_PATH | O_CLOEXEC);
	CLEAN(fd) int fd = -1;
	char again[32];
	struct stat st;

	if (place < 0 || fstat(place, &st) < 0)
		return err_sys(err, errno, "%s, which the image maps", file->path);
	if (st.st_ino != file->ino || (file->dev && st.st_dev != file->dev))
		return err_set(err, ESTALE, "%s was replaced since the snapshot", file->path);
	snprintf(again, sizeof(again), "/proc/self/fd/%d", place);
	fd = open(again, (file->writable ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "%s, which the image maps", file->path) : take_fd(&fd);
}

int place_open_files(struct place *place, const Warm__Image__Image *image, int sock_fd, int init_fd, struct err *err)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) { /* a launch brings its own limits */
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	place->sock_fd = raise_to(sock_fd, place->fd_base, err);
	if (place->sock_fd < 0)
		return place->sock_fd;
	place->init_fd = raise_to(init_fd, place->fd_base + 1, err);
	if (place->init_fd < 0)
		return place->init_fd;
	for (size_t i = 0; i < image->n_file; i++) {
		place->file_fd[i] = open_file(image->file[i], err);
		if (place->file_fd[i] < 0)
			return place->file_fd[i];
	}
	place->exe_fd = open(image->mm->exe, O_RDONLY | O_CLOEXEC);
	if (place->exe_fd < 0)
		return err_sys(err, errno, "%s", image->mm->exe);
	if (!place->lazy)
		place->uffd = open_userfaultfd();
	find_way_out(place, image);
	return 0;
}

void place_fini(struct place *place)
{
	free(place->file_fd);
	free(place->group);
	free(place->first_sum);
	place->first_sum = NULL;
	place->file_fd = NULL;
	place->group = NULL;
}
