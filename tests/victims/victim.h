/* SPDX-License-Identifier: MIT */
/*
 * A victim sets up one kind of kernel object, goes through the hook, and then looks meanly at everything that a program
 * could notice about the object. It prints PASS and exits 0, or "FAIL: what" and exits 1, or "SKIP: why" and exits 77:
 * the same program in the original that runs on, in every clone, and in a cold run without a daemon.
 *
 * A comment line "victim: WORD ..." tells the runner more (tests/victims/run.py):
 *     refused "WORDS"  no snapshot may be taken; the reason has these words (tests/refusals.py)
 *     alone          clones share something outside of themselves: one at a time
 *     once           one clone only: the snapshot is of no use any more when it has run
 *     as-nobody      is launched by uid 65534
 */
#ifndef WARM_VICTIM_H
#define WARM_VICTIM_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sdk/c/warm.h"

/* The messages are put together without stdio: a victim may have no usable heap or stdio buffer left. */
__attribute__((noreturn, format(printf, 2, 3))) static inline void give_up(int code, const char *fmt, ...)
{
	char text[512];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(text, sizeof text - 1, fmt, args);
	va_end(args);
	if (len < 0 || len > (int)sizeof text - 2)
		len = sizeof text - 2;
	text[len++] = '\n';
	if (write(1, text, len) != len)
		_exit(3);
	_exit(code);
}

#define FAIL(fmt, ...) give_up(1, "FAIL: " fmt " (%s:%d)", ##__VA_ARGS__, __FILE__, __LINE__)
#define SKIP(fmt, ...) give_up(77, "SKIP: " fmt, ##__VA_ARGS__)

/* The condition itself is the message: it says what should have been as before. */
#define CHECK(cond)                                                                                                    \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			FAIL("%s [errno %s]", #cond, strerror(errno));                                                 \
	} while (0)

#define CHECK_EQ(got, want)                                                                                            \
	do {                                                                                                           \
		long long got_ = (long long)(got), want_ = (long long)(want);                                          \
		if (got_ != want_)                                                                                     \
			FAIL("%s is %lld, should be %lld [errno %s]", #got, got_, want_, strerror(errno));             \
	} while (0)

#define CHECK_STR(got, want)                                                                                           \
	do {                                                                                                           \
		const char *got_ = (got), *want_ = (want);                                                             \
		if (strcmp(got_, want_) != 0)                                                                          \
			FAIL("%s is \"%.150s\", should be \"%.150s\"", #got, got_, want_);                             \
	} while (0)

/* The hook. A refused snapshot may be reported as an error: the victim goes on all the same. */
static inline int hook(void)
{
	int outcome = warm_ready(0);

	if (outcome != WARM_COLD && outcome != WARM_RESUMED && outcome != WARM_RESTORED && outcome >= 0)
		FAIL("warm_ready returned %d", outcome);
	return outcome;
}

static inline int pass(void)
{
	if (write(1, "PASS\n", 5) != 5)
		_exit(3);
	_exit(0);
}

static inline void sleep_ms(long ms)
{
	struct timespec left = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static inline int64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* True as soon as *counter reaches n; false after five seconds. */
static inline int reached(atomic_int *counter, int n)
{
	for (int i = 0; i < 5000; i++) {
		if (atomic_load(counter) >= n)
			return 1;
		sleep_ms(1);
	}
	return 0;
}

/* A pattern that no two places share. */
static inline uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15u;
	return x ^ (x >> 29);
}

static inline void fill(void *to, size_t bytes, uint64_t seed)
{
	uint64_t *p = to;

	for (size_t i = 0; i < bytes / 8; i++)
		p[i] = mix(seed + i);
}

static inline int filled(const void *from, size_t bytes, uint64_t seed)
{
	const uint64_t *p = from;

	for (size_t i = 0; i < bytes / 8; i++)
		if (p[i] != mix(seed + i))
			return 0;
	return 1;
}

static inline int is_zero(const void *from, size_t bytes)
{
	const char *p = from;

	for (size_t i = 0; i < bytes; i++)
		if (p[i])
			return 0;
	return 1;
}

/* A whole (small) file of /proc as a string, in static storage of the caller. */
static inline size_t slurp(const char *path, char *to, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t got;

	if (fd < 0)
		FAIL("open %s: %s", path, strerror(errno));
	while (len < room - 1 && (got = read(fd, to + len, room - 1 - len)) > 0)
		len += got;
	close(fd);
	to[len] = 0;
	return len;
}

/* The lines of /proc/self/smaps or maps that belong to the area containing `at`, with only the lines that start with
 * `want` (NULL: the heading). Returns 0 where no area contains it. */
static inline int area_line(const void *at, const char *want, char *to, size_t room)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	unsigned long start, end, address = (unsigned long)at;
	int inside = 0, found = 0;
	char line[600];

	if (!smaps)
		FAIL("open smaps: %s", strerror(errno));
	while (!found && fgets(line, sizeof line, smaps)) {
		char *colon = strchr(line, ':'), *space = strchr(line, ' ');
		int heading = (!colon || (space && space < colon)) && sscanf(line, "%lx-%lx ", &start, &end) == 2;

		if (heading)
			inside = address >= start && address < end;
		if (inside && (want ? !heading && !strncmp(line, want, strlen(want)) : heading))
			found = 1;
	}
	fclose(smaps);
	if (!found)
		return 0;
	line[strcspn(line, "\n")] = 0;
	snprintf(to, room, "%s", line);
	return 1;
}

/* What the hook itself allocates finds room afterwards and does not move the heap's end. */
static inline void heap_room(void)
{
	void *volatile room = malloc(100 << 10);

	free(room);
}

/* Random and different in every process that asks: clones of one snapshot included. */
static inline uint64_t nonce(void)
{
	uint64_t value = 0;

	if (syscall(SYS_getrandom, &value, sizeof value, 0) != sizeof value)
		FAIL("getrandom: %s", strerror(errno));
	return value;
}

#endif
