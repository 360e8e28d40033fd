/* SPDX-License-Identifier: MIT */
/* Duplicates of stdin, stdout and stderr follow the launch's; PASS is printed through one of them. */
#include <linux/kcmp.h>

#include "victim.h"

static int same(int a, int b)
{
	return syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, a, b) == 0;
}

int main(void)
{
	int in = dup(0), out = dup(1), err = fcntl(2, F_DUPFD_CLOEXEC, 90);
	int differ = !same(1, 2);

	CHECK(in >= 0 && out >= 0 && err == 90);
	hook();
	CHECK(same(0, in) && same(1, out) && same(2, err) && !same(0, out));
	CHECK_EQ(!same(1, 2), differ);
	CHECK_EQ(fcntl(err, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(out, F_GETFD), 0);
	CHECK_EQ(fcntl(1, F_GETFD), 0);
	close(1);
	CHECK_EQ(dup2(out, 1), 1);
	return pass();
}
