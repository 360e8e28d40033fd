/* SPDX-License-Identifier: MIT */
#include "restore/lazy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/fd.h"
#include "proto/first.h"
#include "proto/pager.h"
#include "restore/restore.h"

#define AHEAD_BYTES (512u << 10) /* at the end lie description and lists */

/* Runs, first ranges and areas ascend, and no run reaches beyond its area: a walk through all three. */
struct walk {
	const Warm__Image__Image *image;
	const struct pack_range *first;
	size_t n_first;
	size_t run, range;
	uint64_t page; /* number of the run's first one */
};

/* Are all pages of this area, the next one, among the first? */
static bool all_first(struct walk *w, const Warm__Image__Vma *vma)
{
	bool all = true;

	for (; w->run < w->image->n_run_addr && w->image->run_addr[w->run] < vma->end; w->run++) {
		uint64_t end = w->page + w->image->run_pages[w->run];

		while (w->range < w->n_first && w->first[w->range].page + w->first[w->range].pages <= w->page)
			w->range++;
		all = all && w->range < w->n_first && w->first[w->range].page <= w->page &&
		      w->first[w->range].page + w->first[w->range].pages >= end;
		w->page = end;
	}
	return all;
}

static struct walk walk_start(const Warm__Image__Image *image, const struct pack_range *first, size_t n_first)
{
	return (struct walk){.image = image, .first = first, .n_first = n_first};
}

static int list_first(struct place *place, const struct pack *pack, struct err *err)
{
	uint64_t n = pack_first_pages(pack), n_blocks = n / PACK_BLOCK_PAGES + (n % PACK_BLOCK_PAGES != 0);

	place->n_first_pages = n;
	place->first_offset = pack_first_offset(pack);
	place->first_sum = calloc(n_blocks + 1, sizeof(*place->first_sum));
	if (!place->first_sum)
		return err_sys(err, ENOMEM, "a list of first pages");
	for (uint64_t i = 0; i < n_blocks; i++)
		place->first_sum[i] = pack_first_sum(pack, i);
	return 0;
}

int lazy_choose(struct place *place, const Warm__Image__Image *image, const struct pack *pack, bool has_pager,
                struct err *err)
{
	struct walk w;
	size_t n_paged = 0;
	/* userfaultfd(2) tells of no guard; the restorer verifies by an instruction */
	bool fits = image->n_shared_memory == 0 && image->n_guard_addr == 0 && digest_is_quick();
	int r = list_first(place, pack, err);

	if (r < 0)
		return r;
	w = walk_start(image, place->first, place->n_first);
	for (size_t i = 0; i < image->n_vma; i++) {
		bool whole = all_first(&w, image->vma[i]);

		fits = fits && (whole || area_can_wait(image->vma[i]));
		n_paged += !whole;
	}
	place->lazy = fits && n_paged <= (has_pager ? PAGER_AREAS_MAX : 0);
	place->paged = place->lazy && n_paged > 0;
	return 0;
}

/* Asking for what is there already would cost a look at each page of it. */
static void read_ahead(int fd, uint64_t from, uint64_t len)
{
	char byte;
	struct iovec one = {&byte, 1};

	if (len > 0 && (preadv2(fd, &one, 1, (off_t)from, RWF_NOWAIT) < 0 ||
	                preadv2(fd, &one, 1, (off_t)(from + len - 1), RWF_NOWAIT) < 0))
		posix_fadvise(fd, (off_t)from, (off_t)len, POSIX_FADV_WILLNEED);
}

void lazy_read_ahead(int image_fd, const struct pack *pack)
{
	uint64_t size;
	struct stat st;

	if (pack) {
		read_ahead(image_fd, pack_first_offset(pack), pack_first_pages(pack) * PACK_PAGE);
		return;
	}
	if (fstat(image_fd, &st) < 0 || st.st_size <= 0)
		return;
	size = (uint64_t)st.st_size;
	read_ahead(image_fd, size > AHEAD_BYTES ? size - AHEAD_BYTES : 0, size > AHEAD_BYTES ? AHEAD_BYTES : size);
	read_ahead(image_fd, 0, size > AHEAD_BYTES ? AHEAD_BYTES : size);
}

int lazy_stage(struct place *place, int image_fd, struct err *err)
{
	CLEAN(fd) int mem_fd = open("/proc/self/mem", O_WRONLY | O_CLOEXEC);
	void *at;

	if (place->staging_len == 0)
		return 0;
	at = place->arena == place->ready
	             ? (void *)place->staging
	             : mmap((void *)place->staging, place->staging_len, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE, -1, 0);
	if (at != (void *)place->staging)
		return err_sys(err, errno, "memory for %lu KiB of first pages",
		               (unsigned long)(place->staging_len >> 10));
	place->image_fd = dup3(image_fd, IMAGE_FD(place), O_CLOEXEC);
	if (place->image_fd < 0)
		return err_sys(err, errno, "descriptor %d (the limit of open files is too low)", IMAGE_FD(place));
	if (mem_fd >= 0)
		place->mem_fd = dup3(mem_fd, MEM_FD(place), O_CLOEXEC);
	return 0;
}

static int ask_pager(const struct place *place, const Warm__Image__Image *image, const struct restore_request *req,
                     int life_fd, struct err *err)
{
	CLEAN(free) struct pager_request *request = calloc(1, PAGER_SIZE_MAX);
	struct walk w = walk_start(image, place->first, place->n_first);
	const int fds[PAGER_FDS_MAX] = {[PAGER_UFFD] = place->uffd,
	                                [PAGER_IMAGE] = req->image_fd,
	                                [PAGER_LIFE] = life_fd,
	                                [PAGER_LOG] = req->log_fd};
	size_t n_fds = req->log_fd < 0 ? PAGER_N_FDS : PAGER_FDS_MAX;
	struct pager_area *area;
	int r;

	if (!request)
		return err_sys(err, ENOMEM, "a request to the pager");
	area = (struct pager_area *)(request + 1);
	request->magic = PAGER_MAGIC;
	request->kind = PAGER_SERVE;
	request->flags = req->log_fd < 0 ? 0 : PAGER_RECORD;
	snprintf(request->label, sizeof(request->label), "%s", req->label);
	for (size_t i = 0; i < image->n_vma; i++)
		if (!all_first(&w, image->vma[i]))
			area[request->n_areas++] = (struct pager_area){image->vma[i]->start, image->vma[i]->end};
	r = fd_send(req->pager_fd, request, sizeof(*request) + request->n_areas * sizeof(*area), fds, n_fds);
	return r < 0 ? err_sys(err, -r, "ask the pager to serve image %s", req->label) : 0;
}

int lazy_register(struct place *place, const Warm__Image__Image *image, const struct restore_request *req,
                  struct err *err)
{
	struct uffdio_api api = {.api = UFFD_API};
	CLEAN(fd) int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	CLEAN(fd) int pagers = -1;
	int life[2];

	if (place->paged)
		api.features = PAGER_FEATURES;
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0)
		return err_sys(err, errno, "userfaultfd(2)");
	if (dup3(fd, UFFD_FD(place), O_CLOEXEC) < 0)
		return err_sys(err, errno, "descriptor %d", UFFD_FD(place));
	place->uffd = UFFD_FD(place);
	if (!place->paged)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, life) < 0)
		return err_sys(err, errno, "a socket for the supervisor");
	pagers = life[1];
	if (dup3(life[0], LIFE_FROM_FD(place), O_CLOEXEC) < 0) {
		close(life[0]);
		return err_sys(err, errno, "descriptor %d", LIFE_FROM_FD(place));
	}
	close(life[0]);
	return ask_pager(place, image, req, pagers, err);
}
