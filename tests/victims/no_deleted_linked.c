/* SPDX-License-Identifier: MIT */
/* A deleted file that has another name.
 * victim: refused "fd %d: deleted file %s, which has another name" */

#include "victim.h"

int main(void)
{
	int fd = open("first.dat", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	unlink("second.dat");
	CHECK(fd >= 0 && link("first.dat", "second.dat") == 0 && unlink("first.dat") == 0);
	hook();
	CHECK_EQ(unlink("second.dat"), 0);
	return pass();
}
