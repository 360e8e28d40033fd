/* SPDX-License-Identifier: MIT */
#include "base/id.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

void id_new(char id[ID_LEN + 1])
{
	uint64_t bits = 0;

	/* 6 bytes come whole or not at all; without getrandom (a seccomp filter) the clock is as unique as it needs to
	 * be. */
	if (getrandom(&bits, 6, 0) != 6) {
		struct timespec now;

		clock_gettime(CLOCK_REALTIME, &now);
		bits = ((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec) & 0xffffffffffffu;
	}
	snprintf(id, ID_LEN + 1, "%012llx", (unsigned long long)bits);
}

bool id_valid(const char *id)
{
	return strlen(id) == ID_LEN && strspn(id, "0123456789abcdef") == ID_LEN;
}
