/* SPDX-License-Identifier: MIT */
/*
 * One image file: three metadata sections and the pages of a snapshot, LZ4-compressed in independent blocks.
 * The only door to lz4. Used by cache/ (which files images), restore/ (which reads them).
 *
 *     0        header: magic, version, lengths and checksums of all that follows      (4096 bytes)
 *     4096     META    struct image as protobuf (proto/image.proto): the engine's
 *              RECORD  rpc.proto Record: warmd's
 *              blocks  PACK_BLOCK_PAGES pages each, compressed, or raw where that is no gain
 *              TOC     one entry a block: stored bytes, checksum
 *
 * There are no gaps and no offsets: each part begins where the one before it ends, so that a file is of one piece or is
 * refused. Every byte is under a CRC-32C that is verified before it is used. Integers are little-endian.
 * All errors name the file: "image 3f2a…: block 17: checksum differs: the file was altered or is damaged; `warm rm`
 * it".
 */
#ifndef WARM_CACHE_PACK_H
#define WARM_CACHE_PACK_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct pack;

#define PACK_PAGE        4096u
#define PACK_BLOCK_PAGES 64u

enum pack_section { PACK_META = 0, PACK_RECORD = 1, PACK_N_SECTIONS = 2 };

/* Writes a whole image to out_fd (empty, writable). The pages are read from pages_fd: n_pages, back to back from
 * offset 0. Does not fsync. ret_bytes: the size of the file. */
int pack_write(int out_fd, const void *const section[PACK_N_SECTIONS], const size_t section_len[PACK_N_SECTIONS],
               int pages_fd, uint64_t n_pages, uint64_t *ret_bytes, struct err *err);

/* Opens an image: header, TOC and nothing else is read and verified. Does not take ownership of fd, which must stay
 * open. */
int pack_open(int fd, const char *name, struct pack **ret_pack, struct err *err);
void pack_close(struct pack *pack);

uint64_t pack_n_pages(const struct pack *pack);

/* Reads and verifies one metadata section. *ret_data is malloc'ed and the caller's. */
int pack_section(struct pack *pack, enum pack_section which, uint8_t **ret_data, size_t *ret_len, struct err *err);

/* Decompresses all pages to dst (n_pages * PACK_PAGE bytes), with up to n_threads threads. */
int pack_pages(struct pack *pack, void *dst, unsigned n_threads, struct err *err);

/* Reads everything and checks it, keeping nothing. */
int pack_verify(struct pack *pack, struct err *err);

#endif
