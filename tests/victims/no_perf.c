/* SPDX-License-Identifier: MIT */
/* A performance counter.
 * victim: refused "fd %d: anon_inode:[perf_event] is not supported" */
#include <linux/perf_event.h>

#include "victim.h"

int main(void)
{
	struct perf_event_attr attr = {
	        .type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_TASK_CLOCK};
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		SKIP("perf_event_open: %s", strerror(errno));
	hook();
	return pass();
}
