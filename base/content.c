/* SPDX-License-Identifier: MIT */
#include "base/content.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clean.h"
#include "base/fd.h"

#define CHUNK 65536u /* a multiple of a word: where it is cut does not show */

int content_digest(const char *path, uint64_t dev, uint64_t ino, uint64_t offset, uint64_t len,
                   uint8_t ret[DIGEST_SIZE])
{
	CLEAN(fd) int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct digest digest;
	char buf[CHUNK];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_dev != dev || st.st_ino != ino)
		return -ESTALE;
	digest_init(&digest);
	while (len) {
		size_t want = len < sizeof(buf) ? (size_t)len : sizeof(buf);
		ssize_t got = fd_pread_full(fd, buf, want, offset);

		if (got < 0)
			return (int)got;
		digest_add_words(&digest, buf, (size_t)got);
		if ((size_t)got < want)
			break;
		offset += want;
		len -= want;
	}
	digest_bytes(&digest, ret);
	return 0;
}
