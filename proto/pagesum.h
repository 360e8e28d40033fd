/* SPDX-License-Identifier: MIT */
/*
 * The checksum of pages that are placed without being looked at otherwise: a CRC-32C of each page, and one of all these
 * numbers. Four pages at a time, because the instruction has to wait for its own last result: four times as quick as
 * one CRC of all. Needs SSE 4.2, and nothing of libc: cache/ makes it, the restorer compares it.
 */
#ifndef WARM_PROTO_PAGESUM_H
#define WARM_PROTO_PAGESUM_H

#include <stdint.h>

#define PAGESUM_PAGE  4096u
#define PAGESUM_LANES 4u

static inline uint64_t pagesum_step(uint64_t crc, uint64_t word)
{
	__asm__("crc32q %1, %0" : "+r"(crc) : "rm"(word));
	return crc;
}

static inline uint32_t pagesum_add(uint32_t crc, uint32_t page)
{
	__asm__("crc32l %1, %0" : "+r"(crc) : "rm"(page));
	return crc;
}

static inline uint32_t pagesum(const void *pages, uint64_t n_pages)
{
	const uint64_t *word = pages;
	const uint64_t words = PAGESUM_PAGE / sizeof(*word);
	uint32_t sum = ~0u;

	for (; n_pages >= PAGESUM_LANES; n_pages -= PAGESUM_LANES, word += PAGESUM_LANES * words) {
		uint64_t a = ~0u, b = ~0u, c = ~0u, d = ~0u;

		for (uint64_t i = 0; i < words; i++) {
			a = pagesum_step(a, word[i]);
			b = pagesum_step(b, word[words + i]);
			c = pagesum_step(c, word[2 * words + i]);
			d = pagesum_step(d, word[3 * words + i]);
		}
		sum = pagesum_add(pagesum_add(sum, ~(uint32_t)a), ~(uint32_t)b);
		sum = pagesum_add(pagesum_add(sum, ~(uint32_t)c), ~(uint32_t)d);
	}
	for (; n_pages > 0; n_pages--, word += words) {
		uint64_t a = ~0u;

		for (uint64_t i = 0; i < words; i++)
			a = pagesum_step(a, word[i]);
		sum = pagesum_add(sum, ~(uint32_t)a);
	}
	return ~sum;
}

#endif
