/* SPDX-License-Identifier: MIT */
#include "cache/pack_internal.h"

#include <errno.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/clean.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/fd.h"
#include "cache/pack_crew.h"
#include "proto/pagesum.h"

#define DAMAGED "the file was altered or is damaged; `warm rm` it"

struct pack {
	int fd;
	char name[96];
	struct pack_header header;
	struct pack_order order;
	struct pack_range *first;
	size_t n_first;
	struct pack_entry *toc;
	uint64_t *offset; /* of each block: the sum of what is stored before it */
	uint64_t n_blocks, n_first_blocks;
};

uint32_t pack_header_crc(const struct pack_header *header)
{
	uint8_t page[PACK_HEADER_SIZE] = {0};

	memcpy(page, header, sizeof(*header));
	memset(page + offsetof(struct pack_header, crc), 0, sizeof(header->crc));
	return digest_crc32c(0, page, sizeof(page));
}

uint32_t pack_block_crc(bool first, const void *stored, size_t len)
{
	const uint8_t *page = stored;
	uint32_t sum = 0;

	if (!first)
		return digest_crc32c(0, stored, len);
	if (digest_is_quick())
		return pagesum(stored, len / PACK_PAGE);
	for (size_t at = 0; at < len; at += PACK_PAGE) {
		uint32_t crc = digest_crc32c(0, page + at, PACK_PAGE);

		sum = digest_crc32c(sum, &crc, sizeof(crc));
	}
	return sum;
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static int damaged(const struct pack *pack, struct err *err, const char *what)
{
	return err_set(err, EBADMSG, "image %s: %s: " DAMAGED, pack->name, what);
}

static int read_part(const struct pack *pack, void *dst, size_t len, uint64_t offset, const char *what, struct err *err)
{
	ssize_t n = fd_pread_full(pack->fd, dst, len, offset);

	if (n < 0)
		return err_sys(err, (int)-n, "image %s: read %s", pack->name, what);
	if ((size_t)n != len)
		return err_set(err, EBADMSG, "image %s: %s is cut short: " DAMAGED, pack->name, what);
	return 0;
}

/* After this every length in the header is true of the file: nothing else looks at its size again. */
static int check_header(const struct pack *pack, const uint8_t page[PACK_HEADER_SIZE], struct err *err)
{
	const struct pack_header *header = &pack->header;
	uint64_t left = header->file_size;
	struct stat st;

	if (header->magic != PACK_MAGIC)
		return err_set(err, EBADMSG, "image %s: not an image of warm; `warm rm` it", pack->name);
	for (size_t i = sizeof(*header); i < PACK_HEADER_SIZE; i++) {
		if (page[i])
			return damaged(pack, err, "header");
	}
	if (header->crc != pack_header_crc(header))
		return damaged(pack, err, "header");
	if (header->version != PACK_VERSION || header->page_size != PACK_PAGE ||
	    header->block_pages != PACK_BLOCK_PAGES)
		return err_set(err, EPROTO, "image %s: format %u, this warm reads format %u; `warm rm` it", pack->name,
		               header->version, PACK_VERSION);
	if (fstat(pack->fd, &st) < 0)
		return err_sys(err, errno, "image %s", pack->name);
	if (header->file_size != (uint64_t)st.st_size)
		return damaged(pack, err, "its length differs from what was written");

	/* Lengths that add up to the file's: taken off one by one, so that no sum can wrap. */
	const uint64_t len[] = {
	        PACK_HEADER_SIZE,  header->blocks_len, header->section[PACK_META].len, header->section[PACK_RECORD].len,
	        header->first.len, header->toc.len};

	for (size_t i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		if (len[i] > left)
			return damaged(pack, err, "header");
		left -= len[i];
	}
	if (left != 0 || header->toc.len % sizeof(struct pack_entry) != 0 ||
	    header->first.len % sizeof(struct pack_range) != 0)
		return damaged(pack, err, "header");
	return 0;
}

static int read_checked(const struct pack *pack, const struct pack_part *part, uint64_t offset, const char *what,
                        void *ret_data, struct err *err)
{
	CLEAN(free) uint8_t *data = malloc(part->len ? part->len : 1);
	int ret;

	if (!data)
		return err_sys(err, ENOMEM, "image %s: %s", pack->name, what);
	ret = read_part(pack, data, part->len, offset, what, err);
	if (ret < 0)
		return ret;
	if (digest_crc32c(0, data, part->len) != part->crc)
		return err_set(err, EBADMSG, "image %s: %s: checksum differs: " DAMAGED, pack->name, what);
	*(void **)ret_data = take_ptr(data);
	return 0;
}

static uint64_t blocks_end(const struct pack *pack)
{
	return PACK_HEADER_SIZE + pack->header.blocks_len;
}

static uint64_t first_offset(const struct pack *pack)
{
	return blocks_end(pack) + pack->header.section[PACK_META].len + pack->header.section[PACK_RECORD].len;
}

static int read_order(struct pack *pack, struct err *err)
{
	int ret = read_checked(pack, &pack->header.first, first_offset(pack), "list of first pages", &pack->first, err);

	if (ret < 0)
		return ret;
	pack->n_first = pack->header.first.len / sizeof(*pack->first);
	ret = pack_order_init(&pack->order, pack->header.n_pages, pack->first, pack->n_first);
	if (ret == -EINVAL)
		return damaged(pack, err, "list of first pages");
	return ret < 0 ? err_sys(err, -ret, "image %s: list of first pages", pack->name) : 0;
}

/* Bytes of a block when it is not compressed. */
static size_t block_len(const struct pack *pack, uint64_t block)
{
	unsigned pages;

	pack_order_block(&pack->order, block, &pages);
	return (size_t)pages * PACK_PAGE;
}

static int read_toc(struct pack *pack, struct err *err)
{
	uint64_t offset = PACK_HEADER_SIZE, end = blocks_end(pack);
	int ret = read_checked(pack, &pack->header.toc, first_offset(pack) + pack->header.first.len,
	                       "table of contents", &pack->toc, err);

	if (ret < 0)
		return ret;
	pack->n_blocks = pack->header.toc.len / sizeof(struct pack_entry);
	pack->n_first_blocks = pack_order_first_blocks(&pack->order);
	if (pack->n_blocks != pack_order_blocks(&pack->order))
		return damaged(pack, err, "table of contents");
	pack->offset = calloc(pack->n_blocks + 1, sizeof(*pack->offset));
	if (!pack->offset)
		return err_sys(err, ENOMEM, "image %s: table of %llu blocks", pack->name,
		               (unsigned long long)pack->n_blocks);
	for (uint64_t i = 0; i < pack->n_blocks; i++) {
		size_t len = block_len(pack, i);

		if (pack->toc[i].stored == 0 || pack->toc[i].stored > len || pack->toc[i].stored > end - offset ||
		    (i < pack->n_first_blocks && pack->toc[i].stored != len))
			return damaged(pack, err, "table of contents");
		pack->offset[i] = offset;
		offset += pack->toc[i].stored;
	}
	if (offset != end)
		return damaged(pack, err, "table of contents");
	return 0;
}

int pack_open(int fd, const char *name, struct pack **ret_pack, struct err *err)
{
	uint8_t page[PACK_HEADER_SIZE];
	struct pack *pack = calloc(1, sizeof(*pack));
	int ret;

	if (!pack)
		return err_sys(err, ENOMEM, "image %s", name);
	pack->fd = fd;
	for (size_t i = 0; name[i] && i + 1 < sizeof(pack->name); i++)
		pack->name[i] = name[i];
	ret = read_part(pack, page, sizeof(page), 0, "header", err);
	if (ret == 0) {
		memcpy(&pack->header, page, sizeof(pack->header));
		ret = check_header(pack, page, err);
	}
	if (ret == 0)
		ret = read_order(pack, err);
	if (ret == 0)
		ret = read_toc(pack, err);
	if (ret < 0) {
		pack_close(pack);
		return ret;
	}
	*ret_pack = pack;
	return 0;
}

void pack_close(struct pack *pack)
{
	if (!pack)
		return;
	pack_order_fini(&pack->order);
	free(pack->first);
	free(pack->toc);
	free(pack->offset);
	free(pack);
}

uint64_t pack_n_pages(const struct pack *pack)
{
	return pack->header.n_pages;
}

int pack_section(struct pack *pack, enum pack_section which, uint8_t **ret_data, size_t *ret_len, struct err *err)
{
	static const char *const section_name[PACK_N_SECTIONS] = {"description", "record"};
	const struct pack_part *part = &pack->header.section[which];
	uint64_t offset = blocks_end(pack) + (which == PACK_RECORD ? pack->header.section[PACK_META].len : 0);
	int ret = read_checked(pack, part, offset, section_name[which], ret_data, err);

	if (ret == 0)
		*ret_len = part->len;
	return ret;
}

/* ---- blocks ----------------------------------------------------------------------------------------------------- */

static int check_block(const struct pack *pack, uint64_t block, const void *stored, struct err *err)
{
	const struct pack_entry *entry = &pack->toc[block];

	if (pack_block_crc(block < pack->n_first_blocks, stored, entry->stored) != entry->crc)
		return err_set(err, EBADMSG, "image %s: block %llu: checksum differs: " DAMAGED, pack->name,
		               (unsigned long long)block);
	return 0;
}

/* Reads what is stored of a block into buf and verifies it. */
static int load_block(const struct pack *pack, uint64_t block, uint8_t *buf, struct err *err)
{
	int ret = read_part(pack, buf, pack->toc[block].stored, pack->offset[block], "a block", err);

	return ret < 0 ? ret : check_block(pack, block, buf, err);
}

static int unpack_block(const struct pack *pack, uint64_t block, uint8_t *dst, uint8_t *scratch, struct err *err)
{
	uint32_t stored = pack->toc[block].stored;
	size_t len = block_len(pack, block);
	int ret;

	if (stored == len)
		return load_block(pack, block, dst, err);
	ret = load_block(pack, block, scratch, err);
	if (ret < 0)
		return ret;
	if (LZ4_decompress_safe((const char *)scratch, (char *)dst, (int)stored, (int)len) != (int)len)
		return err_set(err, EBADMSG, "image %s: block %llu cannot be decompressed: " DAMAGED, pack->name,
		               (unsigned long long)block);
	return 0;
}

bool pack_find(const struct pack *pack, uint64_t page, struct pack_spot *ret)
{
	if (page >= pack->header.n_pages)
		return false;
	ret->block = pack_order_find(&pack->order, page, &ret->index);
	ret->first = ret->block < pack->n_first_blocks;
	ret->offset = ret->first ? pack->offset[ret->block] + (uint64_t)ret->index * PACK_PAGE : 0;
	return true;
}

unsigned pack_block_pages(const struct pack *pack, uint64_t block)
{
	unsigned pages;

	pack_order_block(&pack->order, block, &pages);
	return pages;
}

uint64_t pack_block_page(const struct pack *pack, uint64_t block, unsigned index)
{
	unsigned pages;

	return pack_order_page(&pack->order, pack_order_block(&pack->order, block, &pages) + index, 1, &pages);
}

int pack_block(const struct pack *pack, uint64_t block, void *dst, struct err *err)
{
	uint8_t scratch[PACK_BLOCK_BYTES];

	return unpack_block(pack, block, dst, scratch, err);
}

/* ---- first pages ------------------------------------------------------------------------------------------------ */

size_t pack_first(const struct pack *pack, const struct pack_range **ret_ranges)
{
	*ret_ranges = pack->first;
	return pack->n_first;
}

uint64_t pack_first_offset(const struct pack *pack)
{
	(void)pack;
	return PACK_HEADER_SIZE;
}

uint64_t pack_first_pages(const struct pack *pack)
{
	return pack->order.n_first;
}

uint32_t pack_first_sum(const struct pack *pack, uint64_t block)
{
	return pack->toc[block].crc;
}

/* ---- all of them ------------------------------------------------------------------------------------------------ */

struct filling {
	const struct pack *pack;
	uint8_t *dst;
};

/* Where the pages of a block do not follow each other they go by way of scratch. */
static int fill_block(struct pack_crew *crew, void *scratch, uint64_t block, struct err *err)
{
	const struct filling *f = crew->arg;
	uint8_t *raw = (uint8_t *)scratch + PACK_BLOCK_BYTES;
	unsigned n_pages, n;
	uint64_t position = pack_order_block(&f->pack->order, block, &n_pages);
	int ret = 0;

	pack_order_page(&f->pack->order, position, n_pages, &n);
	if (n < n_pages)
		ret = unpack_block(f->pack, block, raw, scratch, err);
	for (unsigned at = 0; ret == 0 && at < n_pages; at += n) {
		uint64_t page = pack_order_page(&f->pack->order, position + at, n_pages - at, &n);
		uint8_t *to = f->dst + page * PACK_PAGE;

		/* One call makes the pages cheaper than a fault for each; where it is refused the faults do it. */
		madvise(to, (size_t)n * PACK_PAGE, MADV_POPULATE_WRITE);
		if (n == n_pages)
			return unpack_block(f->pack, block, to, scratch, err);
		memcpy(to, raw + (size_t)at * PACK_PAGE, (size_t)n * PACK_PAGE);
	}
	return ret;
}

static int verify_block(struct pack_crew *crew, void *scratch, uint64_t block, struct err *err)
{
	uint8_t *raw = scratch;

	return unpack_block(crew->arg, block, raw, raw + PACK_BLOCK_BYTES, err);
}

int pack_pages(struct pack *pack, void *dst, unsigned n_threads, struct err *err)
{
	struct filling filling = {pack, dst};
	struct pack_crew crew = {
	        .work = fill_block, .arg = &filling, .scratch_len = 2 * PACK_BLOCK_BYTES, .n_blocks = pack->n_blocks};

	return pack_crew_run(&crew, n_threads, err);
}

int pack_verify(struct pack *pack, struct err *err)
{
	struct pack_crew crew = {
	        .work = verify_block, .arg = pack, .scratch_len = 2 * PACK_BLOCK_BYTES, .n_blocks = pack->n_blocks};

	for (int i = 0; i < PACK_N_SECTIONS; i++) {
		CLEAN(free) uint8_t *data = NULL;
		size_t len;
		int ret = pack_section(pack, i, &data, &len, err);

		if (ret < 0)
			return ret;
	}
	return pack_crew_run(&crew, 1, err);
}
