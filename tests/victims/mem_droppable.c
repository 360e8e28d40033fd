/* SPDX-License-Identifier: MIT */
/* Memory that the kernel may drop at any time (MAP_DROPPABLE), as getrandom's state: a clone finds zeroes, and only it.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include "victim.h"

#define SIZE  (1u << 20)
#define USED  65536
#define DATUM 0x77

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif

/* Each page is as it was, unless the kernel has dropped it. */
static int filled_or_dropped(const char *area)
{
	for (size_t at = 0; at < USED; at += 4096)
		if (!filled(area + at, 4096, 5 + at / 8) && !is_zero(area + at, 4096))
			return 0;
	return 1;
}

static int is_zero_in_a_child(const char *area)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(is_zero(area, SIZE) ? 0 : 1);
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

int main(void)
{
	char before[600], after[600];
	char *area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0);
	int outcome;

	if (area == MAP_FAILED && (errno == EINVAL || errno == EOPNOTSUPP))
		SKIP("this kernel has no MAP_DROPPABLE");
	CHECK(area != MAP_FAILED);
	fill(area, USED, 5);
	CHECK(!is_zero(area, USED));
	CHECK(area_line(area, "VmFlags:", before, sizeof before));
	CHECK(strstr(before, " dp"));
	outcome = hook();

	CHECK(area_line(area, "VmFlags:", after, sizeof after));
	CHECK(strstr(after, " dp") && strstr(after, " wf"));
	CHECK(outcome == WARM_RESTORED ? is_zero(area, SIZE) : filled_or_dropped(area));
	memset(area, DATUM, USED);
	CHECK(area[0] == DATUM || area[0] == 0);
	CHECK(is_zero_in_a_child(area));
	return pass();
}
