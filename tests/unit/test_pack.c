/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/fd.h"
#include "cache/pack_internal.h"
#include "proto/pagesum.h"

static const char meta_text[] = "what the engine knows";
static const char record_text[] = "what warmd knows";

/* Pages of three sorts: zeroes, text that compresses, and noise that does not. */
static int make_pages(uint64_t n_pages, uint8_t **ret_copy)
{
	uint8_t *copy = calloc(n_pages ? n_pages : 1, PACK_PAGE);
	int fd = memfd_create("pages", MFD_CLOEXEC);
	uint64_t noise = 88172645463325252u;

	for (uint64_t page = 0; page < n_pages; page++) {
		uint64_t *word = (uint64_t *)(copy + page * PACK_PAGE);

		for (size_t i = 0; i < PACK_PAGE / 8; i++) {
			noise ^= noise << 13;
			noise ^= noise >> 7;
			noise ^= noise << 17;
			word[i] = page / PACK_BLOCK_PAGES % 3 == 0   ? page % 7 + i % 5
			          : page / PACK_BLOCK_PAGES % 3 == 1 ? noise
			                                             : 0;
		}
	}
	assert_int_equal(fd_write_full(fd, copy, n_pages * PACK_PAGE), 0);
	*ret_copy = copy;
	return fd;
}

/* first: ends with a range of no pages */
static int make_image_first(int pages_fd, uint64_t n_pages, const struct pack_range *first, uint64_t *ret_bytes)
{
	struct pack_source source = {.section = {meta_text, record_text},
	                             .section_len = {sizeof(meta_text), sizeof(record_text)},
	                             .pages_fd = pages_fd,
	                             .n_pages = n_pages,
	                             .first = first};
	int fd = memfd_create("image", MFD_CLOEXEC);
	struct err err = {0};

	while (first[source.n_first].pages)
		source.n_first++;
	assert_int_equal(pack_write(fd, &source, ret_bytes, &err), 0);
	return fd;
}

static int make_image(int pages_fd, uint64_t n_pages, uint64_t *ret_bytes)
{
	static const struct pack_range none = {0, 0};

	return make_image_first(pages_fd, n_pages, &none, ret_bytes);
}

static void check_round_trip(uint64_t n_pages, const struct pack_range *first, unsigned n_threads)
{
	CLEAN(free) uint8_t *copy = NULL;
	CLEAN(fd) int pages_fd = make_pages(n_pages, &copy);
	uint64_t bytes = 0;
	CLEAN(fd) int fd = make_image_first(pages_fd, n_pages, first, &bytes);
	struct pack *pack = NULL;
	struct err err = {0};
	uint8_t *dst = mmap(NULL, (n_pages + 1) * PACK_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	                    0);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, bytes);
	assert_int_equal(pack_open(fd, "test", &pack, &err), 0);
	assert_int_equal(pack_n_pages(pack), n_pages);
	assert_int_equal(pack_pages(pack, dst, n_threads, &err), 0);
	assert_memory_equal(dst, copy, n_pages * PACK_PAGE);
	assert_int_equal(dst[n_pages * PACK_PAGE], 0);
	assert_int_equal(pack_verify(pack, &err), 0);

	for (int i = 0; i < PACK_N_SECTIONS; i++) {
		CLEAN(free) uint8_t *data = NULL;
		const char *want = i == PACK_META ? meta_text : record_text;
		size_t len = 0;

		assert_int_equal(pack_section(pack, i, &data, &len, &err), 0);
		assert_int_equal(len, strlen(want) + 1);
		assert_memory_equal(data, want, len);
	}
	pack_close(pack);
	munmap(dst, (n_pages + 1) * PACK_PAGE);
}

static void test_pages_come_back_as_they_were(void **state)
{
	static const uint64_t n_pages[] = {0, 1, 63, 64, 65, 128, 200, 1000};

	static const struct pack_range none = {0, 0};

	(void)state;
	for (size_t i = 0; i < sizeof(n_pages) / sizeof(n_pages[0]); i++) {
		check_round_trip(n_pages[i], &none, 1);
		check_round_trip(n_pages[i], &none, 3);
	}
}

static const struct pack_range some_first[] = {{0, 1}, {3, 2}, {60, 10}, {70, 1}, {100, 130}, {999, 1}, {0, 0}};
static const struct pack_range all_first[] = {{0, 1000}, {0, 0}};

static void test_pages_come_back_whichever_are_first(void **state)
{
	(void)state;
	for (unsigned threads = 1; threads < 4; threads += 2) {
		check_round_trip(1000, some_first, threads);
		check_round_trip(1000, all_first, threads);
	}
}

/* As proto/pagesum.h says it, in plain words; and it is what that makes of it. */
static uint32_t sum_of(const uint8_t *pages, uint64_t n)
{
	uint32_t sum = 0;

	for (uint64_t i = 0; i < n; i++) {
		uint32_t crc = digest_crc32c(0, pages + i * PACK_PAGE, PACK_PAGE);

		sum = digest_crc32c(sum, &crc, sizeof(crc));
	}
	if (digest_is_quick())
		assert_int_equal(sum, pagesum(pages, n));
	return sum;
}

/* One by one: as a pager reads them, and those that lie first as who maps them. */
static void test_single_pages(void **state)
{
	const uint64_t n_pages = 1000;
	CLEAN(free) uint8_t *copy = NULL;
	CLEAN(fd) int pages_fd = make_pages(n_pages, &copy);
	uint64_t bytes = 0;
	CLEAN(fd) int fd = make_image_first(pages_fd, n_pages, some_first, &bytes);
	CLEAN(free) uint8_t *block = malloc(PACK_BLOCK_BYTES);
	const struct pack_range *first;
	struct pack *pack = NULL;
	struct pack_spot spot;
	struct err err = {0};
	uint64_t n_first = 0;
	uint8_t *map;

	(void)state;
	assert_int_equal(pack_open(fd, "test", &pack, &err), 0);
	for (uint64_t page = 0; page < n_pages; page++) {
		bool wanted = false;

		for (const struct pack_range *r = some_first; r->pages; r++)
			wanted |= page >= r->page && page < r->page + r->pages;
		assert_true(pack_find(pack, page, &spot));
		assert_int_equal(spot.first, wanted);
		assert_true(spot.index < pack_block_pages(pack, spot.block));
		assert_int_equal(pack_block_page(pack, spot.block, spot.index), page);
		assert_int_equal(pack_block(pack, spot.block, block, &err), 0);
		assert_memory_equal(block + (size_t)spot.index * PACK_PAGE, copy + page * PACK_PAGE, PACK_PAGE);
		n_first += wanted;
	}
	assert_false(pack_find(pack, n_pages, &spot));
	assert_int_equal(pack_first_pages(pack), n_first);
	assert_int_equal(pack_first(pack, &first), 6);
	map = mmap(NULL, n_first * PACK_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, (off_t)pack_first_offset(pack));
	assert_ptr_not_equal(map, MAP_FAILED);
	for (uint64_t at = 0; at < n_first; at += PACK_BLOCK_PAGES)
		assert_int_equal(pack_first_sum(pack, at / PACK_BLOCK_PAGES),
		                 sum_of(map + at * PACK_PAGE,
		                        n_first - at < PACK_BLOCK_PAGES ? n_first - at : PACK_BLOCK_PAGES));
	for (uint64_t i = 0, at = 0; i < 6; at += first[i++].pages)
		assert_memory_equal(map + at * PACK_PAGE, copy + first[i].page * PACK_PAGE, first[i].pages * PACK_PAGE);
	munmap(map, n_first * PACK_PAGE);
	pack_close(pack);
}

/* The same pages in another order, taken from an image; a damaged page is not carried on. */
static void test_image_is_made_of_an_image(void **state)
{
	static const struct pack_range other_first[] = {{0, 5}, {60, 11}, {100, 300}, {800, 1}, {998, 2}};
	const uint64_t n_pages = 1000;
	CLEAN(free) uint8_t *copy = NULL;
	CLEAN(fd) int pages_fd = make_pages(n_pages, &copy);
	CLEAN(fd) int old_fd = make_image_first(pages_fd, n_pages, some_first, NULL);
	CLEAN(free) uint8_t *dst = malloc(n_pages * PACK_PAGE);
	struct pack_source source = {.section = {meta_text, record_text},
	                             .section_len = {sizeof(meta_text), sizeof(record_text)},
	                             .pages_fd = -1,
	                             .n_pages = n_pages,
	                             .first = other_first,
	                             .n_first = 5};
	const struct pack_range *first;
	struct pack *old = NULL, *pack = NULL;
	struct err err = {0};
	uint8_t byte;

	(void)state;
	assert_int_equal(pack_open(old_fd, "old", &old, &err), 0);
	source.from = old;
	for (source.n_threads = 1; source.n_threads < 4; source.n_threads += 2) {
		CLEAN(fd) int fd = memfd_create("new", MFD_CLOEXEC);

		assert_int_equal(pack_write(fd, &source, NULL, &err), 0);
		assert_int_equal(pack_open(fd, "new", &pack, &err), 0);
		assert_int_equal(pack_first(pack, &first), 5);
		assert_int_equal(pack_first_pages(pack), 5 + 11 + 300 + 1 + 2);
		assert_int_equal(pack_pages(pack, dst, 1, &err), 0);
		assert_memory_equal(dst, copy, n_pages * PACK_PAGE);
		pack_close(pack);
	}
	assert_int_equal(pread(old_fd, &byte, 1, 4096 + 77), 1);
	byte ^= 1;
	assert_int_equal(pwrite(old_fd, &byte, 1, 4096 + 77), 1);
	{
		CLEAN(fd) int fd = memfd_create("new", MFD_CLOEXEC);

		assert_int_equal(pack_write(fd, &source, NULL, &err), -EBADMSG);
		assert_non_null(strstr(err.msg, "image old: block 0: checksum differs"));
	}
	pack_close(old);
}

static void test_wrong_first_pages_are_refused(void **state)
{
	static const struct pack_range wrong[][2] = {
	        {{5, 0}, {7, 1}}, {{5, 3}, {7, 1}}, {{7, 1}, {5, 1}}, {{99, 2}, {200, 1}}, {{1, 1}, {98, UINT64_MAX}},
	};
	struct pack_order order;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(pack_order_init(&order, 100, wrong[i], 2), -EINVAL);
}

static void test_text_is_stored_smaller_and_noise_not_larger(void **state)
{
	CLEAN(free) uint8_t *copy = NULL;
	CLEAN(fd) int pages_fd = make_pages(3 * (uint64_t)PACK_BLOCK_PAGES, &copy);
	uint64_t bytes = 0;
	CLEAN(fd) int fd = make_image(pages_fd, 3 * (uint64_t)PACK_BLOCK_PAGES, &bytes);

	(void)state;
	assert_true(bytes > PACK_BLOCK_BYTES && bytes < PACK_BLOCK_BYTES + PACK_BLOCK_BYTES / 8);
}

static void test_missing_pages_are_an_error(void **state)
{
	CLEAN(free) uint8_t *copy = NULL;
	CLEAN(fd) int pages_fd = make_pages(100, &copy);
	const struct pack_source source = {.section = {"", ""}, .pages_fd = pages_fd, .n_pages = 1000};
	CLEAN(fd) int fd = memfd_create("image", MFD_CLOEXEC);
	struct err err = {0};

	(void)state;
	assert_int_equal(pack_write(fd, &source, NULL, &err), -EIO);
	assert_non_null(strstr(err.msg, "captured pages end early"));
}

static void test_full_disk_is_reported(void **state)
{
	CLEAN(free) uint8_t *copy = NULL;
	CLEAN(fd) int pages_fd = make_pages(300, &copy);
	const struct pack_source source = {.section = {"", ""}, .pages_fd = pages_fd, .n_pages = 300};
	CLEAN(fd) int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	struct err err = {0};

	(void)state;
	assert_int_equal(pack_write(fd, &source, NULL, &err), -ENOSPC);
	assert_non_null(strstr(err.msg, "No space left on device"));
}

/* Reads all that a reader can. 0: everything was there and verified. */
static int read_all(int fd, uint64_t n_pages, const uint8_t *copy, struct err *err)
{
	struct pack *pack = NULL;
	uint8_t *dst;
	int ret = pack_open(fd, "mutant", &pack, err);

	if (ret < 0)
		return ret;
	assert_int_equal(pack_n_pages(pack), n_pages); /* else the destination would be too small: open must refuse */
	ret = pack_verify(pack, err);
	dst = calloc(n_pages, PACK_PAGE);
	if (ret == 0)
		ret = pack_pages(pack, dst, 1, err);
	if (ret == 0)
		assert_memory_equal(dst, copy, n_pages * PACK_PAGE);
	free(dst);
	pack_close(pack);
	return ret;
}

static void test_every_altered_byte_is_noticed(void **state)
{
	static const struct pack_range first[] = {{0, 1}, {2, 1}, {0, 0}};
	const uint64_t n_pages = 3;
	CLEAN(free) uint8_t *copy = NULL;
	CLEAN(fd) int pages_fd = make_pages(n_pages, &copy);
	uint64_t bytes = 0;
	CLEAN(fd) int fd = make_image_first(pages_fd, n_pages, first, &bytes);

	(void)state;
	for (uint64_t at = 0; at < bytes; at++) {
		struct err err = {0};
		uint8_t byte, altered;

		assert_int_equal(fd_pread_full(fd, &byte, 1, at), 1);
		altered = (uint8_t)(byte ^ (1u << (at % 8)));
		assert_int_equal(fd_pwrite_full(fd, &altered, 1, at), 0);
		assert_true(read_all(fd, n_pages, copy, &err) < 0);
		assert_non_null(strstr(err.msg, "mutant"));
		assert_non_null(strstr(err.msg, "`warm rm` it"));
		assert_int_equal(fd_pwrite_full(fd, &byte, 1, at), 0);
	}
	assert_int_equal(read_all(fd, n_pages, copy, NULL), 0);
}

static void test_every_truncation_is_noticed(void **state)
{
	const uint64_t n_pages = 2;
	CLEAN(free) uint8_t *copy = NULL;
	CLEAN(fd) int pages_fd = make_pages(n_pages, &copy);
	uint64_t bytes = 0;
	CLEAN(fd) int fd = make_image(pages_fd, n_pages, &bytes);
	struct err err = {0};

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)bytes + 1), 0);
	assert_true(read_all(fd, n_pages, copy, &err) < 0);
	for (uint64_t len = bytes; len-- > 0;) {
		assert_int_equal(ftruncate(fd, (off_t)len), 0);
		assert_true(read_all(fd, n_pages, copy, &err) < 0);
	}
}

/* Somebody who also makes the checksum of the header right: lengths and counts must be judged by the file alone. */
static void test_lying_header_is_refused(void **state)
{
	CLEAN(free) uint8_t *copy = NULL;
	CLEAN(fd) int pages_fd = make_pages(100, &copy);
	uint64_t bytes = 0;
	CLEAN(fd) int fd = make_image(pages_fd, 100, &bytes);
	static const uint64_t lies[] = {0,         1, 7, 4096, 1u << 20, UINT32_MAX, UINT64_MAX / 2, UINT64_MAX - 4095,
	                                UINT64_MAX};
	uint8_t good[PACK_HEADER_SIZE], page[PACK_HEADER_SIZE];

	(void)state;
	assert_int_equal(fd_pread_full(fd, good, sizeof(good), 0), sizeof(good));
	for (size_t at = 0; at + 8 <= sizeof(struct pack_header); at += 8) {
		if (at == offsetof(struct pack_header, version)) /* and crc, which is made right */
			continue;
		for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
			struct pack_header *header = (struct pack_header *)page;
			struct pack *pack = NULL;
			struct err err = {0};

			memcpy(page, good, sizeof(page));
			memcpy(page + at, &lies[i], 8);
			header->crc = 0;
			header->crc = digest_crc32c(0, page, sizeof(page));
			if (memcmp(page, good, sizeof(page)) == 0)
				continue;
			assert_int_equal(fd_pwrite_full(fd, page, sizeof(page), 0), 0);
			if (pack_open(fd, "liar", &pack, &err) == 0) {
				/* a count of pages that fits the same blocks, a section's checksum */
				assert_in_range(pack_n_pages(pack), 65, 128);
				assert_true(pack_verify(pack, &err) < 0);
				pack_close(pack);
			}
		}
	}
}

static void test_newer_format_is_named(void **state)
{
	CLEAN(free) uint8_t *copy = NULL;
	CLEAN(fd) int pages_fd = make_pages(1, &copy);
	uint64_t bytes = 0;
	CLEAN(fd) int fd = make_image(pages_fd, 1, &bytes);
	uint8_t page[PACK_HEADER_SIZE];
	struct pack_header *header = (struct pack_header *)page;
	struct pack *pack = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(fd_pread_full(fd, page, sizeof(page), 0), sizeof(page));
	header->version = 9;
	header->crc = 0;
	header->crc = digest_crc32c(0, page, sizeof(page));
	assert_int_equal(fd_pwrite_full(fd, page, sizeof(page), 0), 0);
	assert_int_equal(pack_open(fd, "later", &pack, &err), -EPROTO);
	assert_string_equal(err.msg, "image later: format 9, this warm reads format 6; `warm rm` it");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_pages_come_back_as_they_were),
	        cmocka_unit_test(test_pages_come_back_whichever_are_first),
	        cmocka_unit_test(test_single_pages),
	        cmocka_unit_test(test_image_is_made_of_an_image),
	        cmocka_unit_test(test_wrong_first_pages_are_refused),
	        cmocka_unit_test(test_text_is_stored_smaller_and_noise_not_larger),
	        cmocka_unit_test(test_missing_pages_are_an_error),
	        cmocka_unit_test(test_full_disk_is_reported),
	        cmocka_unit_test(test_every_altered_byte_is_noticed),
	        cmocka_unit_test(test_every_truncation_is_noticed),
	        cmocka_unit_test(test_lying_header_is_refused),
	        cmocka_unit_test(test_newer_format_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
