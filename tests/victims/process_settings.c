/* SPDX-License-Identifier: MIT */
/* More of what prctl(2) sets: machine checks, huge pages only where advised, speculation; the core dump filter. */
#include <sys/mman.h>
#include <sys/prctl.h>

#include "victim.h"

#define THP_EXCEPT_ADVISED 2

struct settings {
	int mce, thp, timing, store_bypass;
	char coredump[32], fresh[600];
};

static void ask(struct settings *s)
{
	char *area = mmap(NULL, 3 << 12, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(s, 0, sizeof *s);
	s->mce = prctl(PR_MCE_KILL_GET, 0, 0, 0, 0);
	s->thp = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);
	s->timing = prctl(PR_GET_TIMING, 0, 0, 0, 0);
	s->store_bypass = prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0);
	slurp("/proc/self/coredump_filter", s->coredump, sizeof s->coredump);
	CHECK(area != MAP_FAILED && mprotect(area + 4096, 4096, PROT_READ | PROT_WRITE) == 0);
	CHECK(area_line(area + 4096, "VmFlags:", s->fresh, sizeof s->fresh)); /* what new memory is like */
	munmap(area, 3 << 12);
}

int main(void)
{
	struct settings before, after;
	int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0 && write(fd, "0x7b", 4) == 4);
	close(fd);
	prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
	prctl(PR_SET_THP_DISABLE, 1, THP_EXCEPT_ADVISED, 0, 0);
	ask(&before);
	hook();
	ask(&after);
	CHECK_EQ(after.mce, before.mce);
	CHECK_EQ(after.thp, before.thp);
	CHECK_EQ(after.timing, before.timing);
	CHECK_EQ(after.store_bypass, before.store_bypass);
	CHECK_STR(after.coredump, before.coredump);
	CHECK_STR(after.fresh, before.fresh);
	return pass();
}
