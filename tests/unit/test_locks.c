/* SPDX-License-Identifier: MIT */
/* snapshot/collect_lock.c: a lock that the image lacks is found in the kernel's list of all locks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/fd.h"
#include "snapshot/files_internal.h"

#define PID 4711
static const char table[] = "1: FLOCK  ADVISORY  WRITE 4711 fe:01:77 0 EOF\n"
                            "2: POSIX  ADVISORY  READ 4711 fe:01:78 10 19\n"
                            "2: -> POSIX  ADVISORY  WRITE 4711 fe:01:79 10 19\n"
                            "3: OFDLCK ADVISORY  WRITE -1 fe:01:78 100 199\n"
                            "4: POSIX  ADVISORY  WRITE 12 fe:01:78 30 39\n"
                            "5: FLOCK  ADVISORY  WRITE 4711 fe:01:80 0 EOF\n";

struct files {
	Warm__Image__Image image;
	Warm__Image__Description desc[3], *descs[3];
	Warm__Image__FileLock lock[2], *locks[2];
};

/* Inodes 77, 78 and 79 are open; of the first two a lock is known. */
static void make(struct files *f)
{
	warm__image__image__init(&f->image);
	for (uint64_t i = 0; i < 3; i++) {
		warm__image__description__init(&f->desc[i]);
		f->desc[i].dev = makedev(0xfe, 1);
		f->desc[i].ino = 77 + i;
		f->descs[i] = &f->desc[i];
	}
	for (int i = 0; i < 2; i++) {
		warm__image__file_lock__init(&f->lock[i]);
		f->locks[i] = &f->lock[i];
		f->desc[i].lock = &f->locks[i];
		f->desc[i].n_lock = 1;
	}
	f->lock[0].exclusive = true;
	f->lock[1].kind = WARM__IMAGE__LOCK_KIND__POSIX;
	f->lock[1].start = f->lock[1].length = 10;
	f->image.description = f->descs;
	f->image.n_description = 3;
}

static void test_known_ones_and_those_of_others_are_fine(void **state)
{
	struct files f;

	(void)state;
	make(&f);
	assert_null(lock_lost(table, PID, &f.image));
	f.image.n_description = 0;
	assert_null(lock_lost(table, PID, &f.image)); /* whoever has these files open now */
}

static void test_a_lost_one_is_found(void **state)
{
	struct files f;

	(void)state;
#define LOST(line, change)                                                                                             \
	do {                                                                                                           \
		make(&f);                                                                                              \
		change;                                                                                                \
		assert_ptr_equal(lock_lost(table, PID, &f.image), strstr(table, line));                                \
	} while (0)
	LOST("1: FLOCK", f.desc[0].n_lock = 0);
	LOST("1: FLOCK", f.lock[0].exclusive = false);
	LOST("2: POSIX", f.desc[1].n_lock = 0);
	LOST("2: POSIX", f.lock[1].exclusive = true);
	LOST("2: POSIX", f.lock[1].kind = WARM__IMAGE__LOCK_KIND__OFD);
	LOST("2: POSIX", f.lock[1].start = 11);
	LOST("2: POSIX", f.lock[1].length = 0);
#undef LOST
}

static void test_this_kernels_own_list(void **state)
{
	CLEAN(fd) int fd = memfd_create("locked", MFD_CLOEXEC);
	CLEAN(free) char *now = NULL;
	struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 7};
	struct files f;
	struct stat st = {0};

	(void)state;
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(fcntl(fd, F_SETLK, &range), 0);
	assert_int_equal(fd_read_file_at(AT_FDCWD, "/proc/locks", 16u << 20, &now, NULL), 0);
	make(&f);
	f.desc[0].dev = st.st_dev;
	f.desc[0].ino = st.st_ino;
	f.desc[0].n_lock = 2;
	f.lock[1].exclusive = true;
	f.lock[1].start = 5;
	f.lock[1].length = 7;
	f.desc[0].lock = f.locks;
	assert_null(lock_lost(now, getpid(), &f.image));
	f.desc[0].n_lock = 1;
	assert_non_null(lock_lost(now, getpid(), &f.image));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_known_ones_and_those_of_others_are_fine),
	        cmocka_unit_test(test_a_lost_one_is_found),
	        cmocka_unit_test(test_this_kernels_own_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
