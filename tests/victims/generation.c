/* SPDX-License-Identifier: MIT */
/* The number of a clone can be read where every system call but four means death. */
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "victim.h"

static uint64_t read_in_strict_mode(void)
{
	uint64_t number = 0;
	int status, end[2];
	pid_t child;

	CHECK(pipe(end) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
			_exit(9);
		for (int i = 0; i < 1000; i++)
			number |= warm_generation();
		if (write(end[1], &number, sizeof number) != sizeof number)
			syscall(SYS_exit, 8);
		syscall(SYS_exit, 7); /* _exit(2) is another call */
	}
	CHECK(waitpid(child, &status, 0) == child);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 7)
		FAIL("reading the number ended with wait status %#x", status);
	CHECK(read(end[0], &number, sizeof number) == sizeof number);
	close(end[0]);
	close(end[1]);
	return number;
}

int main(void)
{
	uint64_t before = read_in_strict_mode();
	int outcome = hook();

	CHECK_EQ(before, 0);
	CHECK_EQ(read_in_strict_mode() != 0, outcome == WARM_RESTORED);
	CHECK_EQ(read_in_strict_mode(), warm_generation());
	return pass();
}
