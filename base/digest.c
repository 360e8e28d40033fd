/* SPDX-License-Identifier: MIT */
#include "base/digest.h"

#include <nmmintrin.h>
#include <stdio.h>
#include <string.h>

/* SSE 4.2 has an instruction for it; a CPU without it counts bit by bit, slowly and right. */
__attribute__((target("sse4.2"))) static uint32_t crc_fast(uint32_t crc, const uint8_t *data, size_t len)
{
	uint64_t wide = crc;

	for (; len >= 8; len -= 8, data += 8) {
		uint64_t word;

		memcpy(&word, data, sizeof(word));
		wide = _mm_crc32_u64(wide, word);
	}
	crc = (uint32_t)wide;
	for (; len > 0; len--, data++)
		crc = _mm_crc32_u8(crc, *data);
	return crc;
}

static uint32_t crc_slow(uint32_t crc, const uint8_t *data, size_t len)
{
	for (; len > 0; len--, data++) {
		crc ^= *data;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
	}
	return crc;
}

bool digest_is_quick(void)
{
	return __builtin_cpu_supports("sse4.2");
}

uint32_t digest_crc32c(uint32_t crc, const void *data, size_t len)
{
	if (digest_is_quick())
		return ~crc_fast(~crc, data, len);
	return ~crc_slow(~crc, data, len);
}

/* FNV-1a, 128 bits: offset basis and prime of the reference. */
void digest_init(struct digest *digest)
{
	digest->hi = 0x6c62272e07bb0142u;
	digest->lo = 0x62b821756295c58du;
}

void digest_add(struct digest *digest, const void *data, size_t len)
{
	unsigned __int128 prime = ((unsigned __int128)1 << 88) + 0x13b;
	unsigned __int128 state = ((unsigned __int128)digest->hi << 64) | digest->lo;
	const uint8_t *byte = data;

	for (size_t i = 0; i < len; i++)
		state = (state ^ byte[i]) * prime;
	digest->hi = (uint64_t)(state >> 64);
	digest->lo = (uint64_t)state;
}

/* Multiplying by an odd number loses nothing: what differs in one word differs in the end. */
void digest_add_words(struct digest *digest, const void *data, size_t len)
{
	unsigned __int128 prime = ((unsigned __int128)1 << 88) + 0x13b;
	unsigned __int128 state = ((unsigned __int128)digest->hi << 64) | digest->lo;
	const uint8_t *at = data;

	for (; len >= sizeof(uint64_t); len -= sizeof(uint64_t), at += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, at, sizeof(word));
		state = (state ^ word) * prime;
	}
	digest->hi = (uint64_t)(state >> 64);
	digest->lo = (uint64_t)state;
	digest_add(digest, at, len);
}

void digest_add_string(struct digest *digest, const char *text)
{
	digest_add(digest, text, strlen(text) + 1);
}

void digest_bytes(const struct digest *digest, uint8_t bytes[DIGEST_SIZE])
{
	for (int i = 0; i < 8; i++) {
		bytes[i] = (uint8_t)(digest->hi >> (56 - 8 * i));
		bytes[8 + i] = (uint8_t)(digest->lo >> (56 - 8 * i));
	}
}

void digest_hex(const struct digest *digest, char text[DIGEST_HEX_SIZE])
{
	snprintf(text, DIGEST_HEX_SIZE, "%016llx%016llx", (unsigned long long)digest->hi,
	         (unsigned long long)digest->lo);
}
