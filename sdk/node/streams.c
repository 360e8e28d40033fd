/* SPDX-License-Identifier: MIT */
#include "sdk/node/streams.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <uv.h>

static unsigned
        made; /* which descriptors we made nonblocking: for the end of the process, where nothing is handed in */

static void look_at(uv_handle_t *handle, void *arg);
static bool set_nonblocking(int fd, bool on);
static void give_back(void);

unsigned streams_open(struct uv_loop_s *loop)
{
	unsigned open = 0;

	uv_walk(loop, look_at, &open);
	return open;
}

static void look_at(uv_handle_t *handle, void *arg)
{
	unsigned *open = arg;
	uv_os_fd_t fd;

	if (uv_fileno(handle, &fd) == 0 && fd >= 0 && fd <= 2) /* handles without a descriptor answer EINVAL */
		*open |= 1u << fd;
}

unsigned streams_nonblocking(void)
{
	unsigned found = 0;

	for (int fd = 0; fd <= 2; fd++) {
		int flags = fcntl(fd, F_GETFL);

		if (flags >= 0 && flags & O_NONBLOCK)
			found |= 1u << fd;
	}
	return found;
}

void streams_take(unsigned nonblocking)
{
	for (int fd = 0; fd <= 2; fd++)
		if (nonblocking & 1u << fd && set_nonblocking(fd, true))
			made |= 1u << fd;
	if (made)
		atexit(give_back);
}

/* Whether that changed anything. */
static bool set_nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);
	int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;

	return flags >= 0 && wanted != flags && fcntl(fd, F_SETFL, wanted) == 0;
}

static void give_back(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (made & 1u << fd)
			set_nonblocking(fd, false);
}
