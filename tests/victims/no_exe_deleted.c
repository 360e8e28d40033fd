/* SPDX-License-Identifier: MIT */
/* A program whose file was deleted while it runs.
 * victim: refused "memory at %#lx maps a deleted file: %s" */
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "victim.h"

int main(int argc, char **argv)
{
	char *const arguments[] = {argv[0], (char *)"again", NULL};
	int exe, fd;
	struct stat st;

	if (argc == 1) {
		exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
		unlink("copy");
		fd = open("copy", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
		CHECK(exe >= 0 && fd >= 0 && fstat(exe, &st) == 0);
		while (sendfile(fd, exe, NULL, (size_t)st.st_size) > 0)
			;
		close(fd);
		execv("./copy", arguments);
		FAIL("execv: %s", strerror(errno));
	}
	CHECK_EQ(unlink("copy"), 0);
	hook();
	return pass();
}
