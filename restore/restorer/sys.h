/* SPDX-License-Identifier: MIT */
/* Raw system calls, x86-64. */
#ifndef WARM_RESTORER_SYS_H
#define WARM_RESTORER_SYS_H

static inline long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
	                 : "=a"(ret)
	                 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	                 : "rcx", "r11", "memory");
	return ret;
}

static inline long sys3(long nr, long a, long b, long c)
{
	return sys6(nr, a, b, c, 0, 0, 0);
}

static inline int sys_failed(long ret)
{
	return (unsigned long)ret >= (unsigned long)-4095;
}

#endif
