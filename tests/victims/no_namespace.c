/* SPDX-License-Identifier: MIT */
/* A descriptor of a namespace.
 * victim: refused "fd %d: a namespace, %s" */

#include "victim.h"

int main(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	hook();
	return pass();
}
