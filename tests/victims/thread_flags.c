/* SPDX-License-Identifier: MIT */
/* Threads that spin with unusual flags set: direction, alignment check, carry; rounding of SSE and x87; one that steps
 * itself through its code (trap flag). */
#include <ucontext.h>

#include "victim.h"

static int volatile go;
static atomic_int spinning, steps;

static void on_trap(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)info;
	atomic_fetch_add(&steps, 1);
	if (go)
		((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~0x100ll;
}

/* One asm statement: the compiler knows nothing of the flags. */
static void *spin_flags(void *arg)
{
	uint64_t flags;
	uint32_t mxcsr_in = 0xdfc0, mxcsr, csr_back = 0x1f80; /* toward zero, flush to zero, denormals are zero */
	uint16_t x87_in = 0x0c7f, x87;                        /* single precision, toward zero */

	__asm__ volatile("ldmxcsr %4\n\tfldcw %5\n\t"
	                 "std\n\tstc\n\t"
	                 "lock incl (%7)\n"
	                 "1: pause\n\tmovl (%6), %%eax\n\ttestl %%eax, %%eax\n\tje 1b\n\t"
	                 "pushfq\n\tcld\n\tpopq %0\n\tstmxcsr %1\n\tfnstcw %2\n\tldmxcsr %3\n\tfninit"
	                 : "=&r"(flags), "=m"(mxcsr), "=m"(x87)
	                 : "m"(csr_back), "m"(mxcsr_in), "m"(x87_in), "r"(&go), "r"(&spinning)
	                 : "memory", "cc", "rax");
	CHECK(flags & 0x400); /* the direction flag; testl has cleared the carry */
	CHECK_EQ(mxcsr, mxcsr_in);
	CHECK_EQ(x87, x87_in);
	return arg;
}

/* The alignment check would fault in code that the compiler made. */
static void *spin_alignment(void *arg)
{
	uint64_t flags;

	__asm__ volatile("pushfq\n\torq $0x40000, (%%rsp)\n\tpopfq\n\tlock incl (%2)\n"
	                 "1: pause\n\tcmpl $0, (%1)\n\tje 1b\n\t"
	                 "pushfq\n\tmovq (%%rsp), %0\n\tandq $~0x40000, (%%rsp)\n\tpopfq"
	                 : "=&r"(flags)
	                 : "r"(&go), "r"(&spinning)
	                 : "memory", "cc");
	CHECK(flags & 0x40000);
	return arg;
}

static void *spin_stepping(void *arg)
{
	int before;

	__asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tlock incl (%1)\n"
	                 "1: pause\n\tcmpl $0, (%0)\n\tje 1b\n\t"
	                 "nop\n\tnop"
	                 :
	                 : "r"(&go), "r"(&spinning)
	                 : "memory", "cc");
	before = atomic_load(&steps);
	CHECK(before > 0);
	sleep_ms(1);
	CHECK_EQ(atomic_load(&steps), before); /* it has stopped by itself */
	return arg;
}

int main(void)
{
	static void *(*const spin[])(void *) = {spin_flags, spin_alignment, spin_stepping};
	struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
	pthread_t thread[3];
	int before;

	CHECK_EQ(sigaction(SIGTRAP, &action, NULL), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, spin[i], NULL), 0);
	CHECK(reached(&spinning, 3) && reached(&steps, 100));
	hook();
	before = atomic_load(&steps);
	CHECK(reached(&steps, before + 100)); /* it steps on */
	go = 1;
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	return pass();
}
