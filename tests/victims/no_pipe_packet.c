/* SPDX-License-Identifier: MIT */
/* A pipe in packet mode, with two packets in it.
 * victim: refused "fd %d: a pipe in packet mode (O_DIRECT)" */

#include "victim.h"

int main(void)
{
	char text[16];
	int ends[2];

	CHECK_EQ(pipe2(ends, O_DIRECT | O_CLOEXEC), 0);
	CHECK(write(ends[1], "one", 3) == 3 && write(ends[1], "three", 5) == 5);
	hook();
	CHECK_EQ(read(ends[0], text, sizeof text), 3);
	CHECK_EQ(read(ends[0], text, sizeof text), 5);
	return pass();
}
