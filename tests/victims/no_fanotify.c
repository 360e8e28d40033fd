/* SPDX-License-Identifier: MIT */
/* An fanotify group.
 * victim: refused "fd %d: anon_inode:[fanotify] is not supported" */
#include <sys/fanotify.h>

#include "victim.h"

int main(void)
{
	int fd = fanotify_init(FAN_CLOEXEC | FAN_CLASS_NOTIF, O_RDONLY);

	if (fd < 0)
		SKIP("fanotify: %s", strerror(errno));
	CHECK_EQ(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "."), 0);
	hook();
	return pass();
}
