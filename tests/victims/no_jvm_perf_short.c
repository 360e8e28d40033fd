/* SPDX-License-Identifier: MIT */
/* Performance data of a JVM whose file somebody has cut short: the plugin jvm cannot read it all.
 * victim: refused "plugin jvm: the performance data cannot be read" */
#include <sys/mman.h>
#include <sys/stat.h>

#include "victim.h"

#define SIZE 32768u

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
	CHECK_EQ(ftruncate(fd, 4096), 0);
	close(fd);
	hook();
	data[0] = 7;
	CHECK_EQ(data[0], 7);
	unlink(path);
	rmdir(folder);
	return pass();
}
