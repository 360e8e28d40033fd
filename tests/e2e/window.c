/* SPDX-License-Identifier: MIT */
/* window: waits for a key without a limit of time, and says "drawn" where a change of the window's size interrupts
 * that - as editors do, which do not look again before they wait. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/select.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t resized;

static void hear(int sig)
{
	(void)sig;
	resized = 1;
}

int main(void)
{
	struct sigaction action = {.sa_handler = hear};
	struct termios modes, before;
	char key;

	tcgetattr(0, &before);
	modes = before;
	modes.c_lflag &= ~(tcflag_t)ICANON;
	tcsetattr(0, TCSANOW, &modes);
	sigaction(SIGWINCH, &action, NULL);
	puts("up");
	fflush(stdout);
	for (;;) {
		fd_set fds;

		FD_ZERO(&fds);
		FD_SET(0, &fds);
		if (select(1, &fds, NULL, NULL, NULL) == 1)
			break;
		if (errno == EINTR && resized) {
			puts("drawn");
			fflush(stdout);
		}
		resized = 0;
	}
	tcsetattr(0, TCSANOW, &before);
	return read(0, &key, 1) == 1 ? 0 : 1;
}
