/* SPDX-License-Identifier: MIT */
/* An epoll set that watches a file which has no number any more.
 * victim: refused "fd %d: an epoll set that watches a file whose number, %d, has another file now" */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "victim.h"

int main(void)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 7};
	int set = epoll_create1(EPOLL_CLOEXEC), number = eventfd(1, EFD_CLOEXEC), same = dup(number);

	CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, number, &event), 0);
	close(number);
	hook();
	CHECK(epoll_wait(set, &event, 1, 0) == 1 && event.data.u64 == 7);
	close(same);
	return pass();
}
