/* SPDX-License-Identifier: MIT */
/* A program that runs from memory: there is no file to start a clone by.
 * victim: refused "memory at %#lx maps a deleted file: /memfd:%s" */
#include <sys/mman.h>
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
		fd = memfd_create("program", MFD_CLOEXEC);
		CHECK(exe >= 0 && fd >= 0 && fstat(exe, &st) == 0);
		while (sendfile(fd, exe, NULL, (size_t)st.st_size) > 0)
			;
		fexecve(fd, arguments, environ);
		FAIL("fexecve: %s", strerror(errno));
	}
	hook();
	return pass();
}
