/* SPDX-License-Identifier: MIT */
/* An inotify instance.
 * victim: refused "fd %d: anon_inode:inotify is not supported" */
#include <sys/inotify.h>

#include "victim.h"

int main(void)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), watch = inotify_add_watch(fd, ".", IN_CREATE), file;
	char event[512];

	CHECK(fd >= 0 && watch >= 0);
	hook();
	file = open("noticed", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	CHECK(file >= 0 && read(fd, event, sizeof event) > 0);
	unlink("noticed");
	return pass();
}
