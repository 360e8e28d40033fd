/* SPDX-License-Identifier: MIT */
/* Where the kernel starts `warm`. A launch that needs nothing slow is done here; everything else is libc's main(). */
#include <sys/ioctl.h>
#include <termios.h>

#include "sdk/cli/hot/hot.h"
#include "sdk/cli/hot/sys.h"

uint64_t hot_started_ns;
struct launch *hot_undone;

/* The stack that libc finds is the kernel's, untouched; rdx is 0: no function of a dynamic linker to call at exit. */
__attribute__((naked, used, noreturn)) void warm_start(void)
{
	__asm__("xor %ebp, %ebp\n\t"
	        "mov %rsp, %rbx\n\t"
	        "mov %rsp, %rdi\n\t"
	        "and $-16, %rsp\n\t"
	        "call hot_main\n\t"
	        "mov %rbx, %rsp\n\t"
	        "xor %edx, %edx\n\t"
	        "jmp _start");
}

/* Returns when this is not for it, having changed nothing but what hot_undone says. */
int hot_main(long *stack)
{
	static struct exec_options options;
	static char path[PATH_BYTES];
	char **argv = (char **)(stack + 1);
	char **env = argv + stack[0] + 1;
	char termios[64];
	int fd;

	hot_started_ns = sys_now_ns();
	if (options_parse(argv, env, &options) != OPTIONS_EXEC)
		return 0;
	options.started_ns = hot_started_ns;
	if (options.flags & LAUNCH_COLD)
		hot_exec_cold(&options, "--cold");

	for (fd = 0; fd < 3; fd++)
		if (sys_ioctl(fd, TCGETS, (long)termios) == 0)
			return 0;
	if (hot_socket_path(options.socket, env, path) < 0)
		return 0;
	fd = hot_connect(path);
	if (fd < 0)
		return 0;
	hot_undone = hot_exec(&options, fd, NULL);
	return 0;
}
