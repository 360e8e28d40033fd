/* SPDX-License-Identifier: MIT */
/* Files of /proc that were bound to something when they were opened, from their beginning: this memory, these mounts.
 * victim: refused "fd %d: /proc/%s, which is about one process" */

#include "victim.h"

int main(void)
{
	int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	char text[64] = "";

	CHECK(maps >= 0);
	hook();
	CHECK(read(maps, text, 20) == 20 && strchr(text, '-'));
	return pass();
}
