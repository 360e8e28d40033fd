/* SPDX-License-Identifier: MIT */
/* Threads that spin with everything in registers: general, x87, SSE/AVX/AVX-512, rounding modes. */
#include <fenv.h>

#include "victim.h"

#define N 2

static atomic_int spinning;
static int volatile go;
static int has_avx, has_avx512;

struct registers {
	uint64_t vector[16][4];
	uint64_t general[8];
	uint64_t mask;
	uint64_t high[4][8]; /* zmm16-19 */
};

/* One asm statement from load to store: the compiler has no say in between. */
__attribute__((noinline)) static void spin_avx(struct registers *r, struct registers *out)
{
	__asm__ volatile("vmovdqu 0(%0), %%ymm0\n\tvmovdqu 32(%0), %%ymm1\n\tvmovdqu 64(%0), %%ymm2\n\t"
	                 "vmovdqu 96(%0), %%ymm3\n\tvmovdqu 224(%0), %%ymm7\n\tvmovdqu 256(%0), %%ymm8\n\t"
	                 "vmovdqu 480(%0), %%ymm15\n\t"
	                 "mov 512(%0), %%r8\n\tmov 520(%0), %%r9\n\tmov 528(%0), %%r10\n\tmov 536(%0), %%r11\n\t"
	                 "mov 544(%0), %%r12\n\tmov 552(%0), %%r13\n\tmov 560(%0), %%r14\n\tmov 568(%0), %%r15\n\t"
	                 "fld1\n\tfldpi\n\t"
	                 "lock incl (%3)\n"
	                 "1: pause\n\tcmpl $0, (%2)\n\tje 1b\n\t"
	                 "vmovdqu %%ymm0, 0(%1)\n\tvmovdqu %%ymm1, 32(%1)\n\tvmovdqu %%ymm2, 64(%1)\n\t"
	                 "vmovdqu %%ymm3, 96(%1)\n\tvmovdqu %%ymm7, 224(%1)\n\tvmovdqu %%ymm8, 256(%1)\n\t"
	                 "vmovdqu %%ymm15, 480(%1)\n\t"
	                 "mov %%r8, 512(%1)\n\tmov %%r9, 520(%1)\n\tmov %%r10, 528(%1)\n\tmov %%r11, 536(%1)\n\t"
	                 "mov %%r12, 544(%1)\n\tmov %%r13, 552(%1)\n\tmov %%r14, 560(%1)\n\tmov %%r15, 568(%1)\n\t"
	                 "fstpl 576(%1)\n\tfstpl 584(%1)\n\tvzeroupper"
	                 :
	                 : "r"(r), "r"(out), "r"(&go), "r"(&spinning)
	                 : "memory", "cc", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1", "xmm2",
	                   "xmm3", "xmm7", "xmm8", "xmm15");
}

__attribute__((noinline)) static void spin_avx512(struct registers *r, struct registers *out)
{
	__asm__ volatile("vmovdqu64 584(%0), %%zmm16\n\tvmovdqu64 648(%0), %%zmm17\n\tvmovdqu64 776(%0), %%zmm31\n\t"
	                 "kmovw 576(%0), %%k3\n\t"
	                 "lock incl (%3)\n"
	                 "1: pause\n\tcmpl $0, (%2)\n\tje 1b\n\t"
	                 "vmovdqu64 %%zmm16, 584(%1)\n\tvmovdqu64 %%zmm17, 648(%1)\n\tvmovdqu64 %%zmm31, 776(%1)\n\t"
	                 "kmovw %%k3, 576(%1)\n\tvzeroupper"
	                 :
	                 : "r"(r), "r"(out), "r"(&go), "r"(&spinning)
	                 : "memory", "cc");
}

static void *spinner(void *arg)
{
	int me = *(int *)arg;
	static struct registers in[N + 1], out[N + 1];
	static const int loaded[] = {0, 1, 2, 3, 7, 8, 15};
	double pi, one;

	fill(&in[me], sizeof in[me], me * 100 + 1);
	CHECK_EQ(fesetround(me % 2 ? FE_UPWARD : FE_TOWARDZERO), 0);
	if (me == N) {
		spin_avx512(&in[me], &out[me]);
		CHECK(memcmp(in[me].high[0], out[me].high[0], 128) == 0);
		CHECK(memcmp(in[me].high[3], out[me].high[3], 64) == 0);
		CHECK((uint16_t)in[me].mask == (uint16_t)out[me].mask);
	} else {
		spin_avx(&in[me], &out[me]);
		memcpy(&pi, &out[me].mask, 8);
		memcpy(&one, &out[me].high[0][0], 8);
		CHECK(pi > 3.14159265 && pi < 3.1415927 && one == 1.0);
		for (unsigned i = 0; i < sizeof loaded / sizeof loaded[0]; i++)
			if (memcmp(in[me].vector[loaded[i]], out[me].vector[loaded[i]], 32) != 0)
				FAIL("ymm%d of thread %d", loaded[i], me);
		CHECK(memcmp(in[me].general, out[me].general, sizeof in[me].general) == 0);
	}
	CHECK_EQ(fegetround(), me % 2 ? FE_UPWARD : FE_TOWARDZERO);
	return NULL;
}

int main(void)
{
	pthread_t thread[N + 1];
	static int number[N + 1];
	int n;

	has_avx = __builtin_cpu_supports("avx") != 0;
	has_avx512 = __builtin_cpu_supports("avx512f") != 0;
	if (!has_avx)
		SKIP("this CPU has no AVX");
	n = N + has_avx512;
	for (int i = 0; i < n; i++) {
		number[i] = i;
		CHECK_EQ(pthread_create(&thread[i], NULL, spinner, &number[i]), 0);
	}
	CHECK(reached(&spinning, n));
	CHECK_EQ(fesetround(FE_DOWNWARD), 0);
	hook();
	CHECK_EQ(fegetround(), FE_DOWNWARD);
	sleep_ms(10);
	go = 1;
	for (int i = 0; i < n; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	return pass();
}
