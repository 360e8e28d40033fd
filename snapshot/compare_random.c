/* SPDX-License-Identifier: MIT */
/* What each clone draws at random for itself is not what its original had. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "snapshot/compare.h"

#define LOOKED_AT 16 /* bytes of each piece */
#define CHANCE    8  /* less may be the same by chance */

int compare_random(const Warm__Image__Image *want, const char *pages, int mem, struct err *err)
{
	for (size_t i = 0; i < want->n_random; i++) {
		const Warm__Image__RandomBytes *bytes = want->random[i];
		size_t len = bytes->length < LOOKED_AT ? bytes->length : LOOKED_AT;
		char was[LOOKED_AT], is[LOOKED_AT];

		if (len < CHANCE || !image_bytes(want, pages, bytes->address, was, len))
			continue;
		if (pread(mem, is, len, (off_t)bytes->address) != (ssize_t)len)
			return err_sys(err, errno, "read the clone's memory at %#lx", (unsigned long)bytes->address);
		if (memcmp(was, is, len) == 0)
			return err_set(err, EUCLEAN, "random bytes at %#lx are the original's",
			               (unsigned long)bytes->address);
	}
	return 0;
}
