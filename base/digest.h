/* SPDX-License-Identifier: MIT */
/*
 * Checksums: CRC-32C finds damage in what was stored; the 128-bit FNV-1a digest names things (sets of names, feature
 * bits). Neither withstands somebody who wants a collision: images are protected by who may write them.
 */
#ifndef WARM_BASE_DIGEST_H
#define WARM_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_SIZE     16
#define DIGEST_HEX_SIZE (2 * DIGEST_SIZE + 1)

struct digest {
	uint64_t hi, lo;
};

/* CRC-32C (RFC 3720) of data; crc: 0, or the result for what comes before it. */
uint32_t digest_crc32c(uint32_t crc, const void *data, size_t len);
/* Whether this CPU has the instruction for it. */
bool digest_is_quick(void);

void digest_init(struct digest *digest);
void digest_add(struct digest *digest, const void *data, size_t len);
/* The same for much data, eight bytes at a time; what is left over is added as above. Other values than digest_add().
 */
void digest_add_words(struct digest *digest, const void *data, size_t len);
void digest_add_string(struct digest *digest, const char *text); /* with its NUL: "ab","c" is not "a","bc" */
void digest_bytes(const struct digest *digest, uint8_t bytes[DIGEST_SIZE]);
void digest_hex(const struct digest *digest, char text[DIGEST_HEX_SIZE]);

#endif
