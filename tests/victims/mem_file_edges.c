/* SPDX-License-Identifier: MIT */
/* Mappings of files at their edges: beyond the end (SIGBUS at the same place), the same file several times, protected
 * in pieces with written pages in each, far behind the start of a sparse file, /dev/zero. victim: alone */
#include <setjmp.h>
#include <sys/mman.h>

#include "victim.h"

#define PAGE 4096ul
#define FAR  (5ul << 30)

static sigjmp_buf back;
static char *volatile fault_at;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	fault_at = info->si_addr;
	siglongjmp(back, 1);
}

static int is_beyond(char *at)
{
	fault_at = NULL;
	if (sigsetjmp(back, 1) == 0) {
		char value = *(volatile char *)at;

		(void)value;
		return 0;
	}
	return fault_at == at;
}

static char *map(int fd, size_t pages, int prot, int flags, off_t offset)
{
	char *area = mmap(NULL, pages * PAGE, prot, flags, fd, offset);

	CHECK(area != MAP_FAILED);
	return area;
}

static void expect_line(const char *at, const char *was, const char *which)
{
	char is[600];

	CHECK(area_line(at, which, is, sizeof is));
	CHECK_STR(is, was);
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
	int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
	    fd = open("edge.dat", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char *private, *shared, *pieces, *again, *distant, *zero, lines[6][600];
	static char bytes[8 * PAGE];
	int zero_fd = open("/dev/zero", O_RDWR | O_CLOEXEC);

	CHECK(exe >= 0 && fd >= 0 && zero_fd >= 0 && ftruncate(fd, 0) == 0 && ftruncate(fd, 3 * PAGE / 2) == 0);
	CHECK(pwrite(fd, "first", 5, 0) == 5 && pwrite(fd, "second", 6, PAGE) == 6 && pwrite(fd, "far", 3, FAR) == 3);
	CHECK_EQ(ftruncate(fd, FAR + 100), 0);
	distant = map(fd, 1, PROT_READ, MAP_SHARED, FAR);
	close(fd);
	fd = open("short.dat", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && pwrite(fd, "first", 5, 0) == 5 && pwrite(fd, "second", 6, PAGE) == 6);
	private = map(fd, 4, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	shared = map(fd, 4, PROT_READ, MAP_SHARED, 0);
	close(fd);
	private[PAGE + 100] = 'p'; /* in the rest of the last page */
	CHECK_EQ(pread(exe, bytes, sizeof bytes, 0), sizeof bytes);
	pieces = map(exe, 8, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	again = map(exe, 8, PROT_READ, MAP_PRIVATE, 0);
	for (size_t i = 0; i < 8; i += 2)
		memset(pieces + i * PAGE, (int)i + 1, 64);
	CHECK(mprotect(pieces + PAGE, PAGE, PROT_NONE) == 0 && mprotect(pieces + 2 * PAGE, PAGE, PROT_NONE) == 0 &&
	      mprotect(pieces + 4 * PAGE, 2 * PAGE, PROT_READ) == 0 && munmap(pieces + 6 * PAGE, PAGE) == 0);
	zero = map(zero_fd, 4, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	memset(zero + PAGE, 7, 10);
	CHECK_EQ(sigaction(SIGBUS, &action, NULL), 0);
	char *const at[6] = {private, shared, pieces + 3 * PAGE, again, distant, zero};

	for (int i = 0; i < 6; i++)
		CHECK(area_line(at[i], NULL, lines[i], sizeof lines[i]));
	hook();

	for (int i = 0; i < 6; i++)
		expect_line(at[i], lines[i], NULL);
	CHECK(memcmp(private, "first", 5) == 0 && memcmp(private + PAGE, "second", 6) == 0 &&
	      private[PAGE + 100] == 'p');
	CHECK(memcmp(shared + PAGE, "second", 6) == 0 && shared[PAGE + 100] == 0 && memcmp(distant, "far", 3) == 0);
	CHECK(is_zero(distant + 100, PAGE - 100)); /* behind the end, in its last page */
	for (size_t i = 2; i < 4; i++)
		CHECK(is_beyond(private + i * PAGE) && is_beyond(shared + i * PAGE + 9));
	CHECK(zero[PAGE] == 7 && is_zero(zero, PAGE) && is_zero(zero + 2 * PAGE, 2 * PAGE));
	CHECK_EQ(mprotect(pieces, 6 * PAGE, PROT_READ | PROT_WRITE), 0);
	for (size_t i = 0; i < 8; i++) {
		if (i == 6)
			continue;
		CHECK(i % 2 ? memcmp(pieces + i * PAGE, bytes + i * PAGE, 64) == 0 : pieces[i * PAGE] == (char)i + 1);
		CHECK(memcmp(pieces + i * PAGE + 64, bytes + i * PAGE + 64, PAGE - 64) == 0);
	}
	CHECK(memcmp(again, bytes, sizeof bytes) == 0);
	return pass();
}
