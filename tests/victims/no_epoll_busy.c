/* SPDX-License-Identifier: MIT */
/* An epoll set that polls the network busily: Linux 6.9.
 * victim: refused "fd %d: an epoll set with busy polling (EPIOCSPARAMS)" */
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "victim.h"

struct params {
	uint32_t usecs;
	uint16_t budget;
	uint8_t prefer, padding;
};
#define SET_PARAMS _IOW(0x8A, 0x01, struct params)
#define GET_PARAMS _IOR(0x8A, 0x02, struct params)

int main(void)
{
	struct params params = {.usecs = 50, .budget = 8, .prefer = 1};
	int set = epoll_create1(EPOLL_CLOEXEC);

	CHECK_EQ(ioctl(set, SET_PARAMS, &params), 0);
	hook();
	memset(&params, 0, sizeof params);
	CHECK_EQ(ioctl(set, GET_PARAMS, &params), 0);
	CHECK(params.usecs == 50 && params.budget == 8 && params.prefer == 1);
	return pass();
}
