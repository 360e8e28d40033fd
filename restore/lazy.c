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
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "proto/first.h"
#include "proto/pager.h"
#include "restore/restore.h"

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

void lazy_choose(struct place *place, const Warm__Image__Image *image, bool has_pager)
{
	struct walk w;
	size_t n_paged = 0;
	bool fits = image->n_shared_memory == 0 && image->n_guard_addr == 0; /* userfaultfd(2) tells of no guard */

	w = walk_start(image, place->first, place->n_first);
	for (size_t i = 0; i < image->n_vma; i++) {
		bool whole = all_first(&w, image->vma[i]);

		fits = fits && (whole || area_can_wait(image->vma[i]));
		n_paged += !whole;
	}
	place->lazy = fits && n_paged <= (has_pager ? PAGER_AREAS_MAX : 0);
	place->paged = place->lazy && n_paged > 0;
}

int lazy_stage(struct place *place, int image_fd, const struct pack *pack, struct err *err)
{
	void *at;

	if (place->staging_len == 0)
		return 0;
	at = mmap((void *)place->staging, place->staging_len, PROT_READ,
	          MAP_PRIVATE | MAP_FIXED_NOREPLACE | MAP_POPULATE, image_fd, (off_t)pack_first_offset(pack));
	if (at != (void *)place->staging)
		return err_sys(err, errno, "map %lu KiB of first pages", (unsigned long)(place->staging_len >> 10));
	return pack_first_check(pack, at, err);
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
