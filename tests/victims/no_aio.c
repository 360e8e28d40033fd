/* SPDX-License-Identifier: MIT */
/* A context of asynchronous I/O (io_setup).
 * victim: refused "memory at %#lx: asynchronous I/O (io_setup)" */
#include <linux/aio_abi.h>

#include "victim.h"

int main(void)
{
	aio_context_t context = 0;

	CHECK_EQ(syscall(SYS_io_setup, 8, &context), 0);
	hook();
	CHECK_EQ(syscall(SYS_io_destroy, context), 0);
	return pass();
}
