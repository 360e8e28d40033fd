/* SPDX-License-Identifier: MIT */
/* A working directory that was removed.
 * victim: refused "the working directory of process %d, %s, cannot be reached by that name" */
#include <sys/stat.h>

#include "victim.h"

int main(void)
{
	CHECK(mkdir("gone", 0700) == 0 && chdir("gone") == 0 && rmdir("../gone") == 0);
	hook();
	CHECK(open("new", O_CREAT | O_WRONLY | O_CLOEXEC, 0600) == -1 && errno == ENOENT);
	return pass();
}
