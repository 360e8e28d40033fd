/* SPDX-License-Identifier: MIT */
/* Limits are the launch's: the same launch, the same limits, all sixteen; and they still bite. */
#include <sys/resource.h>

#include "victim.h"

int main(void)
{
	static char before[8192], after[8192];
	struct rlimit limit, low;

	slurp("/proc/self/limits", before, sizeof before);
	hook();
	slurp("/proc/self/limits", after, sizeof after);
	CHECK_STR(after, before);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = (struct rlimit){.rlim_cur = 3, .rlim_max = limit.rlim_max};
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
	CHECK(open("/dev/null", O_RDONLY | O_CLOEXEC) < 0 && errno == EMFILE);
	return pass();
}
