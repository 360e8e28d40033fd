/* SPDX-License-Identifier: MIT */
/* A child that has ended, and was not waited for.
 * victim: refused "process %d has a child process (%d)" */
#include <sys/wait.h>

#include "victim.h"

int main(void)
{
	pid_t child = fork();
	siginfo_t info;
	int status;

	if (child == 0)
		_exit(7);
	CHECK(child > 0 && waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
	hook();
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
	return pass();
}
