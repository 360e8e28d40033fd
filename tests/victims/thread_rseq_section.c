/* SPDX-License-Identifier: MIT */
/* Threads inside of a restartable sequence: it never goes on in the middle, elsewhere: it is aborted, and begun anew.
 */
#include <sys/rseq.h>

#include "victim.h"

#define N 2

static int volatile go;
static atomic_int inside;

/* Spins inside of the section until `go` is set, then says whether it was aborted on the way. */
__attribute__((noinline)) static int spin_in_section(struct rseq *rseq)
{
	int aborted = 0;

	__asm__ volatile(".pushsection __rseq_cs, \"aw\"\n\t"
	                 ".balign 32\n"
	                 "9: .long 0, 0\n\t.quad 1f, 2f - 1f, 4f\n\t"
	                 ".popsection\n\t"
	                 ".pushsection __rseq_failure, \"ax\"\n\t"
	                 ".byte 0x0f, 0xb9, 0x3d\n\t.long 0x53053053\n"
	                 "4: incl %0\n\tjmp 3f\n\t"
	                 ".popsection\n"
	                 "3: leaq 9b(%%rip), %%rax\n\tmovq %%rax, %1\n"
	                 "1: lock incl %3\n"
	                 "5: pause\n\tcmpl $0, %2\n\tje 5b\n"
	                 "2: movq $0, %1\n\t"
	                 : "+r"(aborted), "+m"(rseq->rseq_cs)
	                 : "m"(go), "m"(inside)
	                 : "memory", "cc", "rax");
	return aborted;
}

static void *spinner(void *arg)
{
	struct rseq *rseq = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
	int aborted = spin_in_section(rseq);

	CHECK(aborted > 0); /* by being stopped, at least */
	CHECK_EQ(rseq->rseq_cs, 0);
	return arg;
}

int main(void)
{
	pthread_t thread[N];
	int before;

	if (!__rseq_size)
		SKIP("libc does not register rseq");
	for (int i = 0; i < N; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, spinner, NULL), 0);
	CHECK(reached(&inside, N));
	before = atomic_load(&inside);
	hook();
	if (before == N && atomic_load(&inside) == N)
		sleep_ms(20); /* preemption aborts, too */
	go = 1;
	for (int i = 0; i < N; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	return pass();
}
