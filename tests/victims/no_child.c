/* SPDX-License-Identifier: MIT */
/* A child process that is alive.
 * victim: refused "process %d has a child process (%d)" */
#include <sys/wait.h>

#include "victim.h"

int main(void)
{
	int to_child[2], status = -1;
	pid_t child;
	char c;

	CHECK_EQ(pipe2(to_child, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		close(to_child[1]);
		_exit(read(to_child[0], &c, 1) == 1 ? 7 : 8);
	}
	hook();
	CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
	CHECK_EQ(write(to_child[1], "x", 1), 1);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	return pass();
}
