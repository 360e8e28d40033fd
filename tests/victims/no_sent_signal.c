/* SPDX-License-Identifier: MIT */
/* A blocked signal that another process has sent: a copy that got it would end when the original was told to.
 * victim: refused "signal 15 (TERM) from another process waits in process %d: it is for this process alone, a copy must
 * not get it" */
#include <signal.h>
#include <sys/wait.h>

#include "victim.h"

int main(void)
{
	sigset_t set;
	siginfo_t info;
	pid_t child;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	child = fork();
	if (child == 0)
		_exit(kill(getppid(), SIGTERM));
	CHECK_EQ(waitpid(child, NULL, 0), child);
	hook();
	CHECK_EQ(sigwaitinfo(&set, &info), SIGTERM);
	CHECK_EQ(info.si_pid, child);
	return pass();
}
