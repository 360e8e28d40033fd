/* SPDX-License-Identifier: MIT */
#include "cache/pack_internal.h"

#include <errno.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/fd.h"
#include "cache/pack_crew.h"

struct writing {
	const struct pack_source *source;
	int out_fd;
	struct pack_order order;
	uint64_t first_blocks;
	uint64_t offset; /* where the next block goes: under the crew's lock */
	struct pack_entry *toc;
};

/* One thread's own. Blocks of the image that pages come from are asked for in ascending order, several times each. */
struct scratch {
	uint8_t raw[PACK_BLOCK_BYTES], out[PACK_BLOCK_BYTES], from[PACK_BLOCK_BYTES];
	uint64_t known; /* 1 + the number of the block in `from`, 0 at first */
};

static int read_captured(const struct writing *w, uint64_t page, unsigned n, uint8_t *raw, struct err *err)
{
	size_t len = (size_t)n * PACK_PAGE;
	ssize_t got = fd_pread_full(w->source->pages_fd, raw, len, page * PACK_PAGE);

	if (got < 0)
		return err_sys(err, (int)-got, "read captured pages");
	if ((size_t)got != len)
		return err_set(err, EIO, "captured pages end early, at page %llu", (unsigned long long)page);
	return 0;
}

static int read_image(const struct writing *w, uint64_t page, unsigned n, uint8_t *raw, struct scratch *scratch,
                      struct err *err)
{
	for (unsigned i = 0; i < n; i++) {
		struct pack_spot spot;
		int ret = 0;

		if (!pack_find(w->source->from, page + i, &spot))
			return err_set(err, EINVAL, "page %llu is none of the image", (unsigned long long)page + i);
		if (scratch->known != spot.block + 1) {
			scratch->known = 0;
			ret = pack_block(w->source->from, spot.block, scratch->from, err);
		}
		if (ret < 0)
			return ret;
		scratch->known = spot.block + 1;
		memcpy(raw + (size_t)i * PACK_PAGE, scratch->from + (size_t)spot.index * PACK_PAGE, PACK_PAGE);
	}
	return 0;
}

/* The block's pages, as they are in the source; they may come from several places. */
static int read_block(const struct writing *w, uint64_t block, struct scratch *scratch, unsigned *ret_pages,
                      struct err *err)
{
	uint64_t position = pack_order_block(&w->order, block, ret_pages);
	unsigned n;
	int ret = 0;

	for (unsigned at = 0; ret == 0 && at < *ret_pages; at += n) {
		uint64_t page = pack_order_page(&w->order, position + at, *ret_pages - at, &n);
		uint8_t *raw = scratch->raw + (size_t)at * PACK_PAGE;

		ret = w->source->from ? read_image(w, page, n, raw, scratch, err) : read_captured(w, page, n, raw, err);
	}
	return ret;
}

static int write_block(struct pack_crew *crew, void *scratch, uint64_t block, struct err *err)
{
	struct writing *w = crew->arg;
	struct scratch *own = scratch;
	uint8_t *raw = own->raw, *out = own->out;
	unsigned pages;
	uint64_t offset;
	size_t len;
	int stored = 0, ret = read_block(w, block, own, &pages, err);

	if (ret < 0)
		return ret;
	len = (size_t)pages * PACK_PAGE;
	if (block >= w->first_blocks)
		stored = LZ4_compress_fast((const char *)raw, (char *)out, (int)len, (int)(len - len / 4), 1);
	if (stored <= 0) { /* of the first ones, or less than a quarter saved is not worth the decompression */
		out = raw;
		stored = (int)len;
	}
	w->toc[block].stored = (uint32_t)stored;
	w->toc[block].crc = pack_block_crc(block < w->first_blocks, out, (size_t)stored);

	ret = pack_crew_wait(crew, block);
	if (ret < 0)
		return err_sys(err, -ret,
		               "write image"); /* another one failed first, and its error is the one that is told */
	offset = w->offset;
	w->offset += (uint64_t)stored;
	pack_crew_next(crew);
	ret = fd_pwrite_full(w->out_fd, out, (size_t)stored, offset);
	return ret < 0 ? err_sys(err, -ret, "write image") : 0;
}

/* What follows the blocks, and last the header: before it is there the file is no image. */
static int write_rest(struct writing *w, struct pack_header *header, struct err *err)
{
	const struct pack_source *source = w->source;
	const struct {
		const void *data;
		size_t len;
		struct pack_part *part;
	} rest[] = {
	        {source->section[PACK_META], source->section_len[PACK_META], &header->section[PACK_META]},
	        {source->section[PACK_RECORD], source->section_len[PACK_RECORD], &header->section[PACK_RECORD]},
	        {source->first, source->n_first * sizeof(*source->first), &header->first},
	        {w->toc, pack_order_blocks(&w->order) * sizeof(*w->toc), &header->toc},
	};
	uint8_t page[PACK_HEADER_SIZE] = {0};
	int ret = 0;

	header->blocks_len = w->offset - PACK_HEADER_SIZE;
	for (size_t i = 0; ret == 0 && i < sizeof(rest) / sizeof(rest[0]); i++) {
		ret = fd_pwrite_full(w->out_fd, rest[i].data, rest[i].len, w->offset);
		rest[i].part->len = rest[i].len;
		rest[i].part->crc = digest_crc32c(0, rest[i].data, rest[i].len);
		w->offset += rest[i].len;
	}
	header->file_size = w->offset;
	header->crc = pack_header_crc(header);
	memcpy(page, header, sizeof(*header));
	if (ret == 0)
		ret = fd_pwrite_full(w->out_fd, page, sizeof(page), 0);
	return ret < 0 ? err_sys(err, -ret, "write image") : 0;
}

int pack_write(int out_fd, const struct pack_source *source, uint64_t *ret_bytes, struct err *err)
{
	struct pack_header header = {.magic = PACK_MAGIC,
	                             .version = PACK_VERSION,
	                             .page_size = PACK_PAGE,
	                             .block_pages = PACK_BLOCK_PAGES,
	                             .n_pages = source->n_pages};
	struct writing w = {.source = source, .out_fd = out_fd, .offset = PACK_HEADER_SIZE};
	struct pack_crew crew = {.work = write_block, .arg = &w, .scratch_len = sizeof(struct scratch)};
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int ret = pack_order_init(&w.order, source->n_pages, source->first, source->n_first);

	if (ret < 0)
		return err_sys(err, -ret, "the order of %llu pages", (unsigned long long)source->n_pages);
	w.first_blocks = pack_order_first_blocks(&w.order);
	crew.n_blocks = pack_order_blocks(&w.order);
	w.toc = calloc(crew.n_blocks ? crew.n_blocks : 1, sizeof(*w.toc));
	if (w.toc)
		ret = pack_crew_run(&crew, source->n_threads ? source->n_threads : cpus > 0 ? (unsigned)cpus : 1, err);
	else
		ret = err_sys(err, ENOMEM, "table of %llu blocks", (unsigned long long)crew.n_blocks);
	if (ret == 0)
		ret = write_rest(&w, &header, err);
	if (ret == 0 && ret_bytes)
		*ret_bytes = header.file_size;
	pack_order_fini(&w.order);
	free(w.toc);
	return ret;
}
