/* SPDX-License-Identifier: MIT */
/* Performance data of a JVM that is larger than the plugin jvm copies.
 * victim: refused "plugin jvm: 17 MiB of performance data" */
#include <sys/mman.h>
#include <sys/stat.h>

#include "victim.h"

#define SIZE (17u << 20)

static char folder[64], path[128];

int main(void)
{
	uint64_t *data;
	int fd;

	snprintf(folder, sizeof folder, "/tmp/hsperfdata_warm-test-%d", (int)getpid());
	snprintf(path, sizeof path, "%s/1", folder);
	CHECK_EQ(mkdir(folder, 0755), 0);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && ftruncate(fd, SIZE) == 0);
	data = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(data != MAP_FAILED);
	close(fd);
	hook();
	data[0] = 7;
	CHECK_EQ(data[0], 7);
	unlink(path);
	rmdir(folder);
	return pass();
}
