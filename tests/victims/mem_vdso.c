/* SPDX-License-Identifier: MIT */
/* The vdso: where the program was told it is, still working, and clocks never go backwards. */
#include <dlfcn.h>
#include <sys/auxv.h>
#include <sys/time.h>

#include "victim.h"

int main(void)
{
	unsigned long vdso = getauxval(AT_SYSINFO_EHDR);
	int64_t before[4], last, cpu_before = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	static const clockid_t clock[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_MONOTONIC_COARSE};
	int64_t by_call;
	struct timespec t;
	char line[600];

	CHECK(vdso && area_line((void *)vdso, NULL, line, sizeof line) && strstr(line, "[vdso]"));
	for (int i = 0; i < 4; i++)
		before[i] = now_ns(clock[i]);
	hook();

	CHECK(getauxval(AT_SYSINFO_EHDR) == vdso);
	CHECK(area_line((void *)vdso, NULL, line, sizeof line) && strstr(line, "[vdso]"));
	CHECK(memcmp((void *)vdso, "\177ELF", 4) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(now_ns(clock[i]) >= before[i]);
	CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) > 0 && cpu_before > 0);
	last = now_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < 100000; i++) {
		int64_t next = now_ns(CLOCK_MONOTONIC);

		CHECK(next >= last);
		last = next;
	}
	CHECK_EQ(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t), 0);
	by_call = t.tv_sec * 1000000000LL + t.tv_nsec;
	CHECK(by_call >= last && by_call - last < 1000000000LL); /* vdso and kernel agree */
	CHECK(time(NULL) >= before[1] / 1000000000);
	return pass();
}
