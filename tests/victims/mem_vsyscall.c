/* SPDX-License-Identifier: MIT */
/* Ancient programs jump to fixed addresses for the time: vsyscall. */
#include <sys/time.h>

#include "victim.h"

#define VSYSCALL_GETTIMEOFDAY 0xffffffffff600000
#define VSYSCALL_TIME         0xffffffffff600400

static void look(void)
{
	int (*gettimeofday_at)(struct timeval *, void *);
	time_t (*time_at)(time_t *), now = time(NULL), by_time;
	uint64_t at = VSYSCALL_GETTIMEOFDAY;
	struct timeval tv = {0};

	memcpy(&gettimeofday_at, &at, sizeof at);
	at = VSYSCALL_TIME;
	memcpy(&time_at, &at, sizeof at);
	CHECK_EQ(gettimeofday_at(&tv, NULL), 0);
	by_time = time_at(NULL);
	CHECK(tv.tv_sec - now <= 1 && by_time - now <= 1 && tv.tv_sec >= now && by_time >= now - 1);
}

int main(void)
{
	static char maps[1 << 16], line[2][600];

	slurp("/proc/self/maps", maps, sizeof maps);
	if (!strstr(maps, "[vsyscall]"))
		SKIP("this kernel has no vsyscall page");
	CHECK(area_line((void *)VSYSCALL_GETTIMEOFDAY, NULL, line[0], sizeof line[0]));
	look();
	hook();
	CHECK(area_line((void *)VSYSCALL_GETTIMEOFDAY, NULL, line[1], sizeof line[1]));
	CHECK_STR(line[1], line[0]);
	look();
	return pass();
}
