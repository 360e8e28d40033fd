/* SPDX-License-Identifier: MIT */
/*
 * One image file: three metadata sections and the pages of a snapshot in independent blocks, raw or LZ4-compressed.
 * The only door to lz4. Used by cache/ (which files images), restore/ and pager/ (which read them).
 *
 *     0        header: magic, version, lengths and checksums of all that follows      (4096 bytes)
 *     4096     first   blocks of the pages that a launch needs first, raw: one sequential read, or a mapping
 *              blocks  all other pages, compressed, or raw where that is no gain
 *              META    struct image as protobuf (proto/image.proto): the engine's
 *              RECORD  rpc.proto Record: warmd's
 *              FIRST   which pages are the first ones: struct pack_range each
 *              TOC     one entry a block: stored bytes, checksum
 *
 * Pages are numbered in the order of their addresses (Image.run_addr); cache/pack_order.h says in which order they are
 * stored. There are no gaps and no offsets: each part begins where the one before it ends, so that a file is of one
 * piece or is refused. Every byte is under a CRC-32C (first ones: proto/pagesum.h) that is verified before it is used.
 * Integers are little-endian. All errors name the file: "image 3f2a…: block 17: checksum differs: the file was altered
 * or is damaged; `warm rm` it".
 */
#ifndef WARM_CACHE_PACK_H
#define WARM_CACHE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct pack;

#define PACK_PAGE        4096u
#define PACK_BLOCK_PAGES 64u
#define PACK_BLOCK_BYTES ((size_t)PACK_BLOCK_PAGES * PACK_PAGE)

enum pack_section { PACK_META = 0, PACK_RECORD = 1, PACK_N_SECTIONS = 2 };

struct pack_range {
	uint64_t page, pages; /* numbers, not addresses */
};

/* What is to be written; all of it stays the caller's. */
struct pack_source {
	const void *section[PACK_N_SECTIONS];
	size_t section_len[PACK_N_SECTIONS];
	int pages_fd;            /* n_pages, back to back from offset 0 */
	const struct pack *from; /* or NULL: the pages come from this image, and pages_fd is not looked at */
	uint64_t n_pages;
	const struct pack_range *first; /* not empty, ascending, apart from each other */
	size_t n_first;
	unsigned n_threads; /* 0: one for each CPU */
};

/* Writes a whole image to out_fd (empty, writable). Does not fsync. ret_bytes: the size of the file. */
int pack_write(int out_fd, const struct pack_source *source, uint64_t *ret_bytes, struct err *err);

/* Opens an image: header, FIRST, TOC and nothing else is read and verified. Does not take ownership of fd, which must
 * stay open. */
int pack_open(int fd, const char *name, struct pack **ret_pack, struct err *err);
void pack_close(struct pack *pack);

uint64_t pack_n_pages(const struct pack *pack);

/* Reads and verifies one metadata section. *ret_data is malloc'ed and the caller's. */
int pack_section(struct pack *pack, enum pack_section which, uint8_t **ret_data, size_t *ret_len, struct err *err);

/* Decompresses all pages to dst (n_pages * PACK_PAGE bytes, in the order of their numbers), with up to n_threads
 * threads. */
int pack_pages(struct pack *pack, void *dst, unsigned n_threads, struct err *err);

/* Reads everything and checks it, keeping nothing. */
int pack_verify(struct pack *pack, struct err *err);

/* ---- first pages --------------------------------------------------------------------------------------------------
 */

/* Their ranges, ascending, the pack's own; returns how many ranges. */
size_t pack_first(const struct pack *pack, const struct pack_range **ret_ranges);
/* They lie raw in the file from this offset on (a multiple of the page size), back to back in the order of the ranges;
 * in all so many pages. */
uint64_t pack_first_offset(const struct pack *pack);
uint64_t pack_first_pages(const struct pack *pack);
/* The pagesum (proto/pagesum.h) of the block-th PACK_BLOCK_PAGES of them, of which the last ones may be fewer: who
 * reads them verifies that. */
uint32_t pack_first_sum(const struct pack *pack, uint64_t block);

/* ---- single blocks ------------------------------------------------------------------------------------------------
 */

struct pack_spot {
	bool first;      /* one of the first pages: */
	uint64_t offset; /*   in the file */
	uint64_t block;
	unsigned index; /* in the block */
};

/* Where a page is stored. False: there is no such page. */
bool pack_find(const struct pack *pack, uint64_t page, struct pack_spot *ret);

/* Pages of a block (PACK_BLOCK_PAGES or less), and the number of the index-th of them. */
unsigned pack_block_pages(const struct pack *pack, uint64_t block);
uint64_t pack_block_page(const struct pack *pack, uint64_t block, unsigned index);

/* Reads, verifies and decompresses one block to dst (PACK_BLOCK_BYTES). */
int pack_block(const struct pack *pack, uint64_t block, void *dst, struct err *err);

#endif
