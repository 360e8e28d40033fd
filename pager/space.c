/* SPDX-License-Identifier: MIT */
#include "pager/space.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "pager/log.h"

#define PAGE           ((uint64_t)PACK_PAGE)
#define MESSAGES       16
#define ZERO_PAGES_MIN 8u
#define ZERO_PAGES_MAX 32u /* at once, for who goes on and on */

/* What a write to where there is nothing gets: UFFDIO_ZEROPAGE would cost it a second fault. */
static const uint8_t zeroes[ZERO_PAGES_MAX * PACK_PAGE] __attribute__((aligned(4096)));

struct space *space_new(int uffd, struct owed *owed)
{
	struct space *space = calloc(1, sizeof(*space));

	if (!space)
		return NULL;
	space->uffd = uffd;
	space->owed = *owed;
	*owed = (struct owed){0};
	return space;
}

void space_free(struct space *space)
{
	close(space->uffd);
	owed_fini(&space->owed);
	free(space->fault);
	free(space);
}

/* Nothing is write-protected by us, so this finds nothing to do anywhere; but it has to look for the address space. */
int space_probe(int uffd)
{
	struct uffdio_writeprotect nothing = {.range = {1u << 20, PAGE}};

	if (ioctl(uffd, UFFDIO_WRITEPROTECT, &nothing) == 0 || errno == ENOENT || errno == EAGAIN)
		return 0;
	return -errno;
}

/* ---- into memory ------------------------------------------------------------------------------------------------ */

static void wake(const struct space *space, uint64_t addr)
{
	struct uffdio_range range = {addr, PAGE};

	ioctl(space->uffd, UFFDIO_WAKE, &range);
}

/* One call. Returns 0 or -errno; *ret_done: pages that are there now. src NULL: the page of zeroes that all share. */
static int fill_call(const struct space *space, uint64_t addr, const uint8_t *src, uint64_t pages, uint64_t *ret_done)
{
	struct uffdio_copy copy = {.dst = addr, .src = (uintptr_t)src, .len = pages * PAGE};
	struct uffdio_zeropage zero = {.range = {addr, pages * PAGE}};
	int r = src ? ioctl(space->uffd, UFFDIO_COPY, &copy) : ioctl(space->uffd, UFFDIO_ZEROPAGE, &zero);
	int64_t done = src ? copy.copy : zero.zeropage;

	*ret_done = r < 0 ? 0 : pages;
	if (r == 0)
		return 0;
	if (errno == EAGAIN && done > 0) { /* a part of it */
		*ret_done = (uint64_t)done / PAGE;
		return 0;
	}
	return errno == ENOMEM ? -EAGAIN
	                       : -errno; /* its memory, not ours: somebody is killed for it, or gives some back */
}

static int placed(struct space *space, uint64_t addr, uint64_t pages)
{
	return owed_drop(&space->owed, addr, addr + pages * PAGE) ? -ENOMEM : 0;
}

/* The page that somebody waits for, who is woken whatever comes of it: where nothing of ours is mapped any more
 * (ENOENT), it finds out by itself. */
static int fill_one(struct space *space, uint64_t addr, const uint8_t *src)
{
	uint64_t done;
	int r = fill_call(space, addr, src, 1, &done);

	if (r == -EEXIST || r == -ENOENT)
		wake(space, addr);
	return r == -ENOENT ? 0 : r == 0 || r == -EEXIST ? placed(space, addr, 1) : r;
}

/* Pages that nobody waits for, as far as it is known. One call serves one area: where a call finds the end of an area
 * (ENOENT) half of the pages are tried, and of a single one no more. */
static int fill_ahead(struct space *space, uint64_t addr, const uint8_t *src, uint64_t pages)
{
	uint64_t most = pages;

	while (pages > 0) {
		uint64_t n = pages < most ? pages : most, done;
		int r = fill_call(space, addr, src, n, &done);

		if (r == -ENOENT && n == 1)
			return 0;
		if (r == -ENOENT) {
			most = n / 2;
			continue;
		}
		if (r < 0 && r != -EEXIST)
			return r;
		done = r == -EEXIST ? 1 : done;
		r = placed(space, addr, done);
		if (r < 0)
			return r;
		addr += done * PAGE;
		src = src ? src + done * PAGE : NULL;
		pages -= done;
	}
	return 0;
}

/* ---- faults ----------------------------------------------------------------------------------------------------- */

/* The block is there, and its other pages are wanted soon, where they lie near to this one. */
static int fill_around(struct space *space, const struct block *block, uint64_t addr)
{
	uint64_t reach = PACK_BLOCK_PAGES * PAGE, end = addr + reach;
	struct owed_piece piece;
	unsigned i = 0;
	int r = 0;

	for (uint64_t at = addr > reach ? addr - reach : 0;
	     r == 0 && owed_find(&space->owed, at, &piece) && piece.addr < end; at = piece.addr + piece.pages * PAGE) {
		uint64_t skip = piece.addr < at ? (at - piece.addr) / PAGE : 0;
		uint64_t from = piece.page + skip, to = piece.page + piece.pages;

		if (i == block->n_pages || block->page[i] > from)
			i = 0; /* pages that were moved about do not ascend */
		while (i < block->n_pages && block->page[i] < from)
			i++;
		while (r == 0 && i < block->n_pages && block->page[i] < to) {
			uint64_t where = piece.addr + (block->page[i] - piece.page) * PAGE;
			unsigned n = 1;

			while (i + n < block->n_pages && block->page[i + n] == block->page[i] + n &&
			       block->page[i + n] < to)
				n++;
			if (where >= end)
				return 0;
			r = fill_ahead(space, where, block->data + (size_t)i * PACK_PAGE, n);
			i += n;
		}
	}
	return r;
}

static int serve_page(struct space *space, struct images *images, struct image *image, uint64_t addr, uint64_t page,
                      struct err *err)
{
	const struct block *block;
	unsigned index;
	int r = image_block(images, image, page, &block, &index, err);

	if (r < 0)
		return r;
	r = fill_one(space, addr, block->data + (size_t)index * PACK_PAGE);
	if (r < 0 || log_page(space->log, addr))
		return r;
	r = fill_around(space, block, addr);
	return r == -EAGAIN ? 0 : r;
}

/* So many pages at once: more and more for who asks for one after the other. True: that is the case. */
static bool stream_pages(struct space *space, uint64_t addr, uint64_t most, unsigned *ret_pages)
{
	unsigned i = 0, pages = ZERO_PAGES_MIN;
	bool known;

	while (i < SPACE_STREAMS && space->stream[i].next != addr)
		i++;
	known = i < SPACE_STREAMS;
	if (known)
		pages = space->stream[i].pages * 2;
	else
		i = space->turn++ % SPACE_STREAMS;
	if (pages > ZERO_PAGES_MAX)
		pages = ZERO_PAGES_MAX;
	space->stream[i].pages = pages;
	*ret_pages = pages < most ? pages : (unsigned)most;
	space->stream[i].next = addr + *ret_pages * PAGE;
	return known;
}

/* hole_end: of what is owed the next one lies there. Ahead of who has only begun lies the page of zeroes that all
 * share: it takes no memory, and to write to it costs a fault, but none of ours. */
static int serve_zeroes(struct space *space, const struct fault *fault, uint64_t hole_end)
{
	const uint8_t *src = fault->write ? zeroes : NULL;
	unsigned pages;
	bool goes_on = stream_pages(space, fault->addr, (hole_end - fault->addr) / PAGE, &pages);
	int r = fill_one(space, fault->addr, src);

	if (r < 0 || pages == 1)
		return r;
	r = fill_ahead(space, fault->addr + PAGE, goes_on ? src : NULL, pages - 1);
	return r == -EAGAIN ? 0 : r;
}

static int serve_fault(struct space *space, struct images *images, struct image *image, const struct fault *fault,
                       struct err *err)
{
	struct owed_piece piece = {.addr = UINT64_MAX};

	if (!owed_find(&space->owed, fault->addr, &piece) || piece.addr > fault->addr)
		return serve_zeroes(space, fault, piece.addr);
	return serve_page(space, images, image, fault->addr, piece.page + (fault->addr - piece.addr) / PAGE, err);
}

static int note_fault(struct space *space, const struct uffd_msg *msg)
{
	struct fault fault = {msg->arg.pagefault.address & ~(PAGE - 1),
	                      (msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WRITE) != 0};

	for (size_t i = 0; i < space->n_faults; i++)
		if (space->fault[i].addr == fault.addr)
			return 0;
	if (space->n_faults == space->room) {
		size_t room = space->room ? space->room * 2 : MESSAGES;
		struct fault *more = reallocarray(space->fault, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		space->fault = more;
		space->room = room;
	}
	space->fault[space->n_faults++] = fault;
	return 0;
}

/* ---- events ----------------------------------------------------------------------------------------------------- */

static int note_fork(struct space *space, int uffd, struct space_list *born)
{
	struct owed owed;
	struct space *child;

	if (owed_copy(&space->owed, &owed))
		return -ENOMEM;
	child = space_new(uffd, &owed);
	if (!child) {
		owed_fini(&owed);
		return -ENOMEM;
	}
	TAILQ_INSERT_TAIL(born, child, of_clone);
	return 0;
}

/* What MREMAP_DONTUNMAP leaves behind is mapped and empty: as anything that is owed no longer. */
static int note(struct space *space, const struct uffd_msg *msg, struct space_list *born)
{
	switch (msg->event) {
	case UFFD_EVENT_PAGEFAULT:
		return note_fault(space, msg);
	case UFFD_EVENT_FORK:
		return note_fork(space, (int)msg->arg.fork.ufd, born);
	case UFFD_EVENT_REMAP:
		return owed_move(&space->owed, msg->arg.remap.from, msg->arg.remap.to, msg->arg.remap.len);
	case UFFD_EVENT_REMOVE:
	case UFFD_EVENT_UNMAP:
		return owed_drop(&space->owed, msg->arg.remove.start, msg->arg.remove.end);
	default:
		return -EPROTO;
	}
}

/* 1: no descriptor is left for a child. */
static int read_messages(struct space *space, struct space_list *born, struct err *err)
{
	struct uffd_msg msg[MESSAGES];
	ssize_t len = read(space->uffd, msg, sizeof(msg));

	if (len < 0 && (errno == EMFILE || errno == ENFILE))
		return 1;
	if (len < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : err_sys(err, errno, "read what its memory asks for");
	for (size_t i = 0; i < (size_t)len / sizeof(msg[0]); i++) {
		int r = note(space, &msg[i], born);

		if (r < 0)
			return err_sys(err, -r, "note what becomes of its memory");
	}
	return 0;
}

int space_serve(struct space *space, struct images *images, struct image *image, struct space_list *born,
                struct err *err)
{
	size_t served = 0;
	int full = read_messages(space, born, err), r = 0;

	if (full < 0)
		return full;
	err->code = 0;
	while (r == 0 && served < space->n_faults) {
		r = serve_fault(space, images, image, &space->fault[served], err);
		served += r == 0;
	}
	space->n_faults -= served;
	if (served > 0 && space->n_faults > 0)
		memmove(space->fault, space->fault + served, space->n_faults * sizeof(space->fault[0]));
	if (r == -ESRCH)
		return SPACE_GONE;
	if (full)
		return SPACE_FULL;
	if (r == -EAGAIN)
		return SPACE_AGAIN;
	return r < 0 && err->code == 0 ? err_sys(err, -r, "put pages into its memory") : r;
}
