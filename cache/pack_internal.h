/* SPDX-License-Identifier: MIT */
/*
 * The layout of an image file on disk (drawing in pack.h).
 */
#ifndef WARM_CACHE_PACK_INTERNAL_H
#define WARM_CACHE_PACK_INTERNAL_H

#include <stdint.h>
#include "cache/pack.h"
#include "cache/pack_order.h"
#include "proto/image_version.h"

#define PACK_MAGIC       0x31474d494d524157u /* "WARMIMG1" */
#define PACK_VERSION     IMAGE_VERSION
#define PACK_HEADER_SIZE 4096u

struct pack_part {
	uint64_t len;
	uint32_t crc;
	uint32_t pad;
};

struct pack_header {
	uint64_t magic;
	uint32_t version;
	uint32_t crc; /* of the header's 4096 bytes, this field being 0 */
	uint32_t page_size, block_pages;
	uint64_t file_size;
	uint64_t n_pages;
	uint64_t blocks_len; /* first ones and others */
	struct pack_part section[PACK_N_SECTIONS];
	struct pack_part first;
	struct pack_part toc;
};

/* A block is raw where stored is its full length: compressed ones are shorter. crc: pack_block_crc(). */
struct pack_entry {
	uint32_t stored;
	uint32_t crc;
};

uint32_t pack_header_crc(const struct pack_header *header);

/* Of what is stored of a block: a pagesum (proto/pagesum.h) where it is one of first pages, else a CRC-32C. */
uint32_t pack_block_crc(bool first, const void *stored, size_t len);

_Static_assert(sizeof(struct pack_header) <= PACK_HEADER_SIZE, "the header has one page");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the layout is written as it lies in memory");

#endif
