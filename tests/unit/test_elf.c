/* SPDX-License-Identifier: MIT */
/* snapshot/elf: this very test as its file says it is, and files that are none. */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "snapshot/elf.h"

__attribute__((noinline)) static int known_function(void)
{
	return 7;
}

static int self(struct elf *e)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(elf_init(e, fd), 0);
	return fd;
}

static int own_bias(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	*(uint64_t *)arg = info->dlpi_addr;
	return 1; /* the program is the first */
}

static void test_functions_of_others(void **state)
{
	uint64_t slot[4] = {0}, bias = 0;
	struct elf e;
	int fd = self(&e), n;
	pid_t (*getpid_there)(void);

	(void)state;
	assert_true(elf_imports(&e, "getpid"));
	assert_false(elf_imports(&e, "getpi"));
	assert_int_equal(elf_slots(&e, "no_such_function", slot, 4), 0);
	n = elf_slots(&e, "getpid", slot, 4);
	assert_in_range(n, 1, 4);
	dl_iterate_phdr(own_bias, &bias);
	assert_int_equal(getpid(), getpid()); /* by now its address is there */
	memcpy(&getpid_there, (const void *)(bias + slot[0]), sizeof(getpid_there));
	assert_int_equal(getpid_there(), getpid());
	elf_fini(&e);
	close(fd);
}

static void test_functions_of_its_own(void **state)
{
	uint64_t bias = 0, at = 0;
	struct elf e;
	int fd = self(&e);

	(void)state;
	dl_iterate_phdr(own_bias, &bias);
	assert_int_equal(elf_inner_symbol(&e, "known_function", &at), 1);
	assert_int_equal(bias + at, (uint64_t)known_function);
	assert_int_equal(known_function(), 7);
	assert_int_equal(elf_inner_symbol(&e, "no_such_function", &at), 0);
	assert_int_equal(elf_symbol(&e, "getpid"), 0); /* somebody else's */
	elf_fini(&e);
	close(fd);
}

static int find(void *arg, const char *data, size_t len)
{
	return memmem(data, len, arg, strlen(arg)) != NULL;
}

static void test_constants_and_spare_room(void **state)
{
	static const char text[] = "a text that only this test has";
	struct elf e;
	int fd = self(&e);
	uint64_t spare = elf_spare_code(&e, 1);

	(void)state;
	assert_int_equal(elf_each_constant(&e, sizeof(text), find, (void *)text), 1);
	assert_int_equal(elf_spare_code(&e, 4097), 0);
	if (spare)
		assert_true(spare % 4096);
	elf_fini(&e);
	close(fd);
}

/* Whatever the file is: an answer, and nothing read that is not there. */
static void test_broken_files(void **state)
{
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), fd = memfd_create("broken", MFD_CLOEXEC);
	static uint8_t head[65536];
	uint64_t slot[4], at;
	struct elf e;
	ssize_t len;

	(void)state;
	assert_int_equal(elf_init(&e, fd), -ENOEXEC);
	elf_fini(&e);
	len = pread(from, head, sizeof(head), 0);
	assert_true(len > 4096 && pwrite(fd, head, (size_t)len, 0) == len);
	for (size_t i = 16; i < 4096; i++) {
		uint8_t bad[2] = {(uint8_t)(head[i] ^ 0xff), head[i]};

		assert_int_equal(pwrite(fd, bad, 1, (off_t)i), 1);
		if (elf_init(&e, fd) == 0) {
			elf_symbol(&e, "getpid");
			elf_inner_symbol(&e, "getpid", &at);
			elf_slots(&e, "getpid", slot, 4);
			elf_each_constant(&e, 16, find, (void *)"nothing of the kind");
			elf_spare_code(&e, 17);
		}
		elf_fini(&e);
		assert_int_equal(pwrite(fd, bad + 1, 1, (off_t)i), 1);
	}
	close(fd);
	close(from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_functions_of_others),
	        cmocka_unit_test(test_functions_of_its_own),
	        cmocka_unit_test(test_constants_and_spare_room),
	        cmocka_unit_test(test_broken_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
