/* SPDX-License-Identifier: MIT */
#include "cache/pack_internal.h"

#include <errno.h>
#include <lz4.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/clean.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/fd.h"

#define THREADS_MAX 16
#define DAMAGED     "the file was altered or is damaged; `warm rm` it"

struct pack {
	int fd;
	char name[96];
	struct pack_header header;
	struct pack_entry *toc;
	uint64_t *offset; /* of each block: the sum of what is stored before it */
	uint64_t n_blocks;
};

static uint64_t n_blocks_of(uint64_t n_pages)
{
	return n_pages / PACK_BLOCK_PAGES + (n_pages % PACK_BLOCK_PAGES != 0);
}

/* Bytes of a block when it is not compressed: only the last one may be short. */
static size_t block_len(uint64_t n_pages, uint64_t block)
{
	uint64_t pages = n_pages - block * PACK_BLOCK_PAGES;

	return (size_t)(pages < PACK_BLOCK_PAGES ? pages : PACK_BLOCK_PAGES) * PACK_PAGE;
}

static uint32_t header_crc(const struct pack_header *header)
{
	uint8_t page[PACK_HEADER_SIZE] = {0};

	memcpy(page, header, sizeof(*header));
	memset(page + offsetof(struct pack_header, crc), 0, sizeof(header->crc));
	return digest_crc32c(0, page, sizeof(page));
}

/* ---- several threads on one range of blocks -------------------------------------------------------------------- */

/* Each worker takes the next block from the counter; the first error stops all. */
struct crew {
	int (*work)(struct crew *crew, void *scratch, uint64_t block, struct err *err);
	size_t scratch_len; /* each worker has a buffer of its own */
	uint64_t n_blocks;
	atomic_uint_fast64_t next;
	atomic_bool stop;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t turn;
	struct err err;

	const struct pack *pack; /* reading */
	uint8_t *dst;

	int out_fd, pages_fd; /* writing */
	uint64_t n_pages, out_offset, out_turn;
	struct pack_entry *toc;
};

static void crew_fail(struct crew *crew, const struct err *err)
{
	pthread_mutex_lock(&crew->lock);
	if (!crew->err.code)
		crew->err = *err;
	atomic_store(&crew->stop, true);
	pthread_cond_broadcast(&crew->turn);
	pthread_mutex_unlock(&crew->lock);
}

static void *crew_member(void *arg)
{
	struct crew *crew = arg;
	void *scratch = malloc(crew->scratch_len);
	struct err err = {0};

	if (!scratch) {
		err_sys(&err, ENOMEM, "buffer of %zu bytes", crew->scratch_len);
		crew_fail(crew, &err);
		return NULL;
	}
	while (!atomic_load(&crew->stop)) {
		uint64_t block = atomic_fetch_add(&crew->next, 1);

		if (block >= crew->n_blocks)
			break;
		if (crew->work(crew, scratch, block, &err) < 0) {
			crew_fail(crew, &err);
			break;
		}
	}
	free(scratch);
	return NULL;
}

/* The caller's thread is one of the crew; where no other can be had it does all the work. */
static int crew_run(struct crew *crew, unsigned n_threads, struct err *err)
{
	pthread_t thread[THREADS_MAX];
	unsigned n_started = 0;

	if (n_threads > THREADS_MAX)
		n_threads = THREADS_MAX;
	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->turn, NULL);
	while (n_started + 1 < n_threads && n_started + 1 < crew->n_blocks) {
		if (pthread_create(&thread[n_started], NULL, crew_member, crew) != 0)
			break;
		n_started++;
	}
	crew_member(crew);
	for (unsigned i = 0; i < n_started; i++)
		pthread_join(thread[i], NULL);
	pthread_cond_destroy(&crew->turn);
	pthread_mutex_destroy(&crew->lock);

	if (crew->err.code && err)
		*err = crew->err;
	return -crew->err.code;
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

static int wait_for_turn(struct crew *crew, uint64_t block, size_t len, uint64_t *ret_offset)
{
	int ret = 0;

	pthread_mutex_lock(&crew->lock);
	while (crew->out_turn != block && !atomic_load(&crew->stop))
		pthread_cond_wait(&crew->turn, &crew->lock);
	if (crew->out_turn == block) {
		*ret_offset = crew->out_offset;
		crew->out_offset += len;
		crew->out_turn++;
		pthread_cond_broadcast(&crew->turn);
	} else {
		ret = -ECANCELED;
	}
	pthread_mutex_unlock(&crew->lock);
	return ret;
}

static int write_block(struct crew *crew, void *scratch, uint64_t block, struct err *err)
{
	size_t len = block_len(crew->n_pages, block);
	uint8_t *raw = scratch, *out = raw + PACK_BLOCK_BYTES;
	uint64_t offset;
	ssize_t n = fd_pread_full(crew->pages_fd, raw, len, block * PACK_BLOCK_BYTES);
	int stored, ret;

	if (n < 0)
		return err_sys(err, (int)-n, "read captured pages");
	if ((size_t)n != len)
		return err_set(err, EIO, "captured pages end early, in block %llu", (unsigned long long)block);

	stored = LZ4_compress_fast((const char *)raw, (char *)out, (int)len, (int)(len - len / 4), 1);
	if (stored <= 0) { /* less than a quarter saved is not worth the decompression */
		out = raw;
		stored = (int)len;
	}
	crew->toc[block].stored = (uint32_t)stored;
	crew->toc[block].crc = digest_crc32c(0, out, (size_t)stored);

	ret = wait_for_turn(crew, block, (size_t)stored, &offset);
	if (ret < 0)
		return err_sys(err, -ret,
		               "write image"); /* another one failed first, and its error is the one that is told */
	ret = fd_pwrite_full(crew->out_fd, out, (size_t)stored, offset);
	return ret < 0 ? err_sys(err, -ret, "write image") : 0;
}

static int write_sections(int out_fd, const void *const section[PACK_N_SECTIONS],
                          const size_t section_len[PACK_N_SECTIONS], struct pack_header *header, uint64_t *offset,
                          struct err *err)
{
	for (int i = 0; i < PACK_N_SECTIONS; i++) {
		int ret = fd_pwrite_full(out_fd, section[i], section_len[i], *offset);

		if (ret < 0)
			return err_sys(err, -ret, "write image");
		header->section[i].len = section_len[i];
		header->section[i].crc = digest_crc32c(0, section[i], section_len[i]);
		*offset += section_len[i];
	}
	return 0;
}

/* The header goes last: before it is there the file is no image. */
static int write_ends(const struct crew *crew, struct pack_header *header, struct err *err)
{
	uint8_t page[PACK_HEADER_SIZE] = {0};
	int ret;

	header->toc.len = crew->n_blocks * sizeof(*crew->toc);
	header->toc.crc = digest_crc32c(0, crew->toc, header->toc.len);
	header->file_size = crew->out_offset + header->toc.len;
	header->crc = header_crc(header);
	memcpy(page, header, sizeof(*header));
	ret = fd_pwrite_full(crew->out_fd, crew->toc, header->toc.len, crew->out_offset);
	if (ret == 0)
		ret = fd_pwrite_full(crew->out_fd, page, sizeof(page), 0);
	return ret < 0 ? err_sys(err, -ret, "write image") : 0;
}

int pack_write(int out_fd, const void *const section[PACK_N_SECTIONS], const size_t section_len[PACK_N_SECTIONS],
               int pages_fd, uint64_t n_pages, uint64_t *ret_bytes, struct err *err)
{
	struct pack_header header = {.magic = PACK_MAGIC,
	                             .version = PACK_VERSION,
	                             .page_size = PACK_PAGE,
	                             .block_pages = PACK_BLOCK_PAGES,
	                             .n_pages = n_pages};
	struct crew crew = {.work = write_block,
	                    .scratch_len = 2 * PACK_BLOCK_BYTES,
	                    .n_blocks = n_blocks_of(n_pages),
	                    .out_fd = out_fd,
	                    .pages_fd = pages_fd,
	                    .n_pages = n_pages,
	                    .out_offset = PACK_HEADER_SIZE};
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t blocks_start;
	int ret;

	crew.toc = calloc(crew.n_blocks ? crew.n_blocks : 1, sizeof(*crew.toc));
	if (!crew.toc)
		return err_sys(err, ENOMEM, "table of %llu blocks", (unsigned long long)crew.n_blocks);
	ret = write_sections(out_fd, section, section_len, &header, &crew.out_offset, err);
	blocks_start = crew.out_offset;
	if (ret == 0)
		ret = crew_run(&crew, cpus > 0 ? (unsigned)cpus : 1, err);
	header.blocks_len = crew.out_offset - blocks_start;
	if (ret == 0)
		ret = write_ends(&crew, &header, err);
	if (ret == 0 && ret_bytes)
		*ret_bytes = header.file_size;
	free(crew.toc);
	return ret;
}

/* ---- reading --------------------------------------------------------------------------------------------------- */

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
	if (header->crc != header_crc(header))
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
	const uint64_t len[] = {PACK_HEADER_SIZE, header->section[PACK_META].len, header->section[PACK_RECORD].len,
	                        header->blocks_len, header->toc.len};

	for (size_t i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		if (len[i] > left)
			return damaged(pack, err, "header");
		left -= len[i];
	}
	if (left != 0 || header->toc.len % sizeof(struct pack_entry) != 0 ||
	    header->toc.len / sizeof(struct pack_entry) != n_blocks_of(header->n_pages))
		return damaged(pack, err, "header");
	return 0;
}

static int read_toc(struct pack *pack, struct err *err)
{
	const struct pack_header *header = &pack->header;
	uint64_t offset = PACK_HEADER_SIZE + header->section[PACK_META].len + header->section[PACK_RECORD].len;
	uint64_t end = offset + header->blocks_len;
	int ret;

	pack->n_blocks = header->toc.len / sizeof(struct pack_entry);
	pack->toc = malloc(header->toc.len ? header->toc.len : 1);
	pack->offset = calloc(pack->n_blocks + 1, sizeof(*pack->offset));
	if (!pack->toc || !pack->offset)
		return err_sys(err, ENOMEM, "image %s: table of %llu blocks", pack->name,
		               (unsigned long long)pack->n_blocks);
	ret = read_part(pack, pack->toc, header->toc.len, end, "table of contents", err);
	if (ret < 0)
		return ret;
	if (digest_crc32c(0, pack->toc, header->toc.len) != header->toc.crc)
		return damaged(pack, err, "table of contents: checksum differs");
	for (uint64_t i = 0; i < pack->n_blocks; i++) {
		if (pack->toc[i].stored == 0 || pack->toc[i].stored > block_len(header->n_pages, i) ||
		    pack->toc[i].stored > end - offset)
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
	uint64_t offset = PACK_HEADER_SIZE + (which == PACK_RECORD ? pack->header.section[PACK_META].len : 0);
	CLEAN(free) uint8_t *data = malloc(part->len ? part->len : 1);
	int ret;

	if (!data)
		return err_sys(err, ENOMEM, "image %s: %s", pack->name, section_name[which]);
	ret = read_part(pack, data, part->len, offset, section_name[which], err);
	if (ret < 0)
		return ret;
	if (digest_crc32c(0, data, part->len) != part->crc)
		return err_set(err, EBADMSG, "image %s: %s: checksum differs: " DAMAGED, pack->name,
		               section_name[which]);
	*ret_data = take_ptr(data);
	*ret_len = part->len;
	return 0;
}

/* Reads what is stored of a block into buf and verifies it. */
static int load_block(const struct pack *pack, uint64_t block, uint8_t *buf, struct err *err)
{
	const struct pack_entry *entry = &pack->toc[block];
	int ret = read_part(pack, buf, entry->stored, pack->offset[block], "a block", err);

	if (ret < 0)
		return ret;
	if (digest_crc32c(0, buf, entry->stored) != entry->crc)
		return err_set(err, EBADMSG, "image %s: block %llu: checksum differs: " DAMAGED, pack->name,
		               (unsigned long long)block);
	return 0;
}

static int unpack_block(const struct pack *pack, uint64_t block, uint8_t *dst, uint8_t *scratch, struct err *err)
{
	uint32_t stored = pack->toc[block].stored;
	size_t len = block_len(pack->header.n_pages, block);
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

static int fill_block(struct crew *crew, void *scratch, uint64_t block, struct err *err)
{
	uint8_t *dst = crew->dst + block * PACK_BLOCK_BYTES;

	/* One call makes the pages cheaper than a fault for each; where it is refused the faults do it. */
	madvise(dst, block_len(crew->pack->header.n_pages, block), MADV_POPULATE_WRITE);
	return unpack_block(crew->pack, block, dst, scratch, err);
}

static int verify_block(struct crew *crew, void *scratch, uint64_t block, struct err *err)
{
	uint8_t *raw = scratch;

	return unpack_block(crew->pack, block, raw, raw + PACK_BLOCK_BYTES, err);
}

int pack_pages(struct pack *pack, void *dst, unsigned n_threads, struct err *err)
{
	struct crew crew = {.work = fill_block,
	                    .scratch_len = PACK_BLOCK_BYTES,
	                    .n_blocks = pack->n_blocks,
	                    .pack = pack,
	                    .dst = dst};

	return crew_run(&crew, n_threads, err);
}

int pack_verify(struct pack *pack, struct err *err)
{
	struct crew crew = {
	        .work = verify_block, .scratch_len = 2 * PACK_BLOCK_BYTES, .n_blocks = pack->n_blocks, .pack = pack};

	for (int i = 0; i < PACK_N_SECTIONS; i++) {
		CLEAN(free) uint8_t *data = NULL;
		size_t len;
		int ret = pack_section(pack, i, &data, &len, err);

		if (ret < 0)
			return ret;
	}
	return crew_run(&crew, 1, err);
}
