/* SPDX-License-Identifier: MIT */
/* Protections: each kind, what lies below PROT_NONE, and code in memory that was made executable. */
#include <sys/mman.h>

#include "victim.h"

#define PAGE 4096

static const int prot[] = {PROT_NONE,
                           PROT_READ,
                           PROT_READ | PROT_WRITE,
                           PROT_READ | PROT_EXEC,
                           PROT_READ | PROT_WRITE | PROT_EXEC,
                           PROT_EXEC,
                           PROT_WRITE,
                           PROT_NONE};
#define N ((int)(sizeof prot / sizeof prot[0]))

int main(void)
{
	static const unsigned char answer[] = {0xb8, 0x2a, 0, 0, 0, 0xc3}; /* mov $42, %eax; ret */
	static char before[N][600], after[600], flags_before[N][600];
	char *area = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int (*code[2])(void);

	CHECK(area != MAP_FAILED);
	for (int i = 0; i < N; i++)
		fill(area + i * PAGE, PAGE, i * 1000);
	memcpy(area + 3 * PAGE, answer, sizeof answer);
	memcpy(area + 4 * PAGE, answer, sizeof answer);
	for (int i = 0; i < N; i++)
		CHECK_EQ(mprotect(area + i * PAGE, PAGE, prot[i]), 0);
	for (int i = 0; i < N; i++) {
		CHECK(area_line(area + i * PAGE, NULL, before[i], sizeof before[i]));
		CHECK(area_line(area + i * PAGE, "VmFlags:", flags_before[i], sizeof flags_before[i]));
	}
	hook();

	for (int i = 0; i < N; i++) {
		CHECK(area_line(area + i * PAGE, NULL, after, sizeof after));
		CHECK_STR(after, before[i]);
		CHECK(area_line(area + i * PAGE, "VmFlags:", after, sizeof after));
		CHECK_STR(after, flags_before[i]);
	}
	for (int i = 0; i < 2; i++) {
		memcpy(&code[i], &(char *){area + (3 + i) * PAGE}, sizeof code[i]);
		CHECK_EQ(code[i](), 42);
	}
	area[4 * PAGE + 1] = 43;
	CHECK_EQ(code[1](), 43);
	CHECK_EQ(mprotect(area, N * PAGE, PROT_READ | PROT_WRITE), 0);
	for (int i = 0; i < N; i++)
		if (i != 3 && i != 4)
			CHECK(filled(area + i * PAGE, PAGE, i * 1000)); /* PROT_NONE had kept it */
	return pass();
}
