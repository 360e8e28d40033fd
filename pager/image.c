/* SPDX-License-Identifier: MIT */
#include "pager/image.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/clean.h"
#include "base/err.h"
#include "proto/image.pb-c.h"

#define ADDRESS_END (UINT64_C(1) << 47)
#define HUGE        ((size_t)2 << 20)

struct image {
	LIST_ENTRY(image) entry;
	unsigned refs;
	struct stat st; /* which file it is */
	int fd;
	struct pack *pack;
	struct owed pages;
};

int images_init(struct images *images, uint64_t cache_bytes)
{
	size_t n = cache_bytes / PACK_BLOCK_BYTES ? cache_bytes / PACK_BLOCK_BYTES : 1;
	size_t bytes = n * PACK_BLOCK_BYTES + HUGE;

	*images = (struct images){.most_blocks = n};
	LIST_INIT(&images->list);
	TAILQ_INIT(&images->used);
	TAILQ_INIT(&images->unused);
	images->block = calloc(n, sizeof(*images->block));
	images->bucket = calloc(n, sizeof(*images->bucket));
	images->area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!images->block || !images->bucket || images->area == MAP_FAILED)
		return -ENOMEM;
	/* One fault instead of 512. */
	images->area += -(uintptr_t)images->area % HUGE;
	madvise(images->area, bytes - HUGE, MADV_HUGEPAGE);
	return 0;
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

static void image_free(struct image *image)
{
	owed_fini(&image->pages);
	pack_close(image->pack);
	if (image->fd >= 0)
		close(image->fd);
	free(image);
}

/* The file is one of ours and its checksums were right; what follows from its numbers is looked at nevertheless. */
static int read_runs(struct image *image, const Warm__Image__Image *meta, const char *label, struct err *err)
{
	uint64_t page = 0, end = 0;

	if (meta->n_run_addr != meta->n_run_pages)
		return err_set(err, EBADMSG, "image %s: pages without addresses; `warm rm` it", label);
	for (size_t i = 0; i < meta->n_run_addr; i++) {
		struct owed_piece piece = {meta->run_addr[i], page, meta->run_pages[i]};

		if (piece.addr % PACK_PAGE || piece.pages == 0 || piece.addr < end || piece.addr >= ADDRESS_END ||
		    piece.pages > (ADDRESS_END - piece.addr) / PACK_PAGE)
			return err_set(err, EBADMSG, "image %s: pages at addresses that do not ascend; `warm rm` it",
			               label);
		if (owed_add(&image->pages, &piece))
			return err_sys(err, ENOMEM, "image %s: addresses of its pages", label);
		page += piece.pages;
		end = piece.addr + piece.pages * PACK_PAGE;
	}
	if (page != pack_n_pages(image->pack))
		return err_set(err, EBADMSG, "image %s: it describes %llu pages and has %llu; `warm rm` it", label,
		               (unsigned long long)page, (unsigned long long)pack_n_pages(image->pack));
	return 0;
}

static int read_image(struct image *image, const char *label, struct err *err)
{
	CLEAN(free) uint8_t *data = NULL;
	Warm__Image__Image *meta;
	size_t len = 0;
	int r = pack_open(image->fd, label, &image->pack, err);

	if (r == 0)
		r = pack_section(image->pack, PACK_META, &data, &len, err);
	if (r < 0)
		return r;
	meta = warm__image__image__unpack(NULL, len, data);
	if (!meta)
		return err_set(err, EBADMSG, "image %s: its description cannot be decoded; `warm rm` it", label);
	r = read_runs(image, meta, label, err);
	warm__image__image__free_unpacked(meta, NULL);
	return r;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

int image_get(struct images *images, int fd, const char *label, struct image **ret, struct err *err)
{
	CLEAN(fd) int own_fd = fd;
	struct image *image;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "image %s", label);
	LIST_FOREACH(image, &images->list, entry)
	{
		if (same_file(&image->st, &st)) {
			image->refs++;
			*ret = image;
			return 0;
		}
	}
	image = calloc(1, sizeof(*image));
	if (!image)
		return err_sys(err, ENOMEM, "image %s", label);
	image->refs = 1;
	image->st = st;
	image->fd = take_fd(&own_fd);
	r = read_image(image, label, err);
	if (r < 0) {
		image_free(image);
		return r;
	}
	LIST_INSERT_HEAD(&images->list, image, entry);
	images->n++;
	*ret = image;
	return 0;
}

static void block_forget(struct images *images, struct block *block)
{
	LIST_REMOVE(block, same);
	TAILQ_REMOVE(&images->used, block, by_use);
	TAILQ_INSERT_HEAD(&images->unused, block, by_use);
}

void image_put(struct images *images, struct image *image)
{
	struct block *block, *next;

	if (!image || --image->refs > 0)
		return;
	for (block = TAILQ_FIRST(&images->used); block; block = next) {
		next = TAILQ_NEXT(block, by_use);
		if (block->image == image)
			block_forget(images, block);
	}
	LIST_REMOVE(image, entry);
	images->n--;
	image_free(image);
}

const struct owed *image_pages(const struct image *image)
{
	return &image->pages;
}

/* ---- blocks ----------------------------------------------------------------------------------------------------- */

static struct block_bucket *bucket_of(struct images *images, const struct image *image, uint64_t number)
{
	return &images->bucket[(number * 31 + (uintptr_t)image / sizeof(*image)) % images->most_blocks];
}

/* One that was used before, a new one, or the one that was not asked for for the longest time. */
static struct block *block_take(struct images *images)
{
	struct block *block;

	if (TAILQ_EMPTY(&images->unused) && images->n_blocks < images->most_blocks) {
		block = &images->block[images->n_blocks];
		block->data = images->area + images->n_blocks * PACK_BLOCK_BYTES;
		images->n_blocks++;
		TAILQ_INSERT_HEAD(&images->unused, block, by_use);
	}
	if (TAILQ_EMPTY(&images->unused))
		block_forget(images, TAILQ_LAST(&images->used, block_list));
	return TAILQ_FIRST(&images->unused);
}

static int block_load(struct images *images, const struct image *image, uint64_t number, struct block **ret,
                      struct err *err)
{
	struct block *block = block_take(images);
	int r = pack_block(image->pack, number, block->data, err);

	if (r < 0)
		return r;
	block->image = image;
	block->number = number;
	block->n_pages = pack_block_pages(image->pack, number);
	for (unsigned i = 0; i < block->n_pages; i++)
		block->page[i] = pack_block_page(image->pack, number, i);
	TAILQ_REMOVE(&images->unused, block, by_use);
	TAILQ_INSERT_HEAD(&images->used, block, by_use);
	LIST_INSERT_HEAD(bucket_of(images, image, number), block, same);
	*ret = block;
	return 0;
}

int image_block(struct images *images, struct image *image, uint64_t page, const struct block **ret,
                unsigned *ret_index, struct err *err)
{
	struct pack_spot spot;
	struct block *block;

	if (!pack_find(image->pack, page, &spot))
		return err_set(err, EINVAL, "page %llu is none of its image", (unsigned long long)page);
	LIST_FOREACH(block, bucket_of(images, image, spot.block), same)
	{
		if (block->image == image && block->number == spot.block)
			break;
	}
	if (block) {
		TAILQ_REMOVE(&images->used, block, by_use);
		TAILQ_INSERT_HEAD(&images->used, block, by_use);
	} else {
		int r = block_load(images, image, spot.block, &block, err);

		if (r < 0)
			return r;
	}
	*ret = block;
	*ret_index = spot.index;
	return 0;
}
