/* SPDX-License-Identifier: MIT */
/* --net private: a network namespace of the program's own, with loopback up. A clone's is made by its supervisor. */
#include <linux/if.h>
#include <linux/sched.h>
#include <linux/sockios.h>

#include "sdk/cli/hot/hot.h"
#include "sdk/cli/hot/sys.h"
#include "sdk/cli/hot/text.h"

static int loopback_up(void)
{
	struct ifreq loopback;
	int fd = sys_socket(AF_INET, SOCK_DGRAM), ret;

	if (fd < 0)
		return fd;
	text_copy(loopback.ifr_name, "lo", sizeof("lo"));
	loopback.ifr_flags = IFF_UP | IFF_RUNNING;
	ret = sys_ioctl(fd, SIOCSIFFLAGS, (long)&loopback);
	sys_close(fd);
	return ret;
}

void network_enter(int fd)
{
	sys_setns(fd, CLONE_NEWNET);
}

void network_private(struct launch *l)
{
	static char words[64];
	struct text text;
	int ret = sys_unshare(CLONE_NEWNET);

	if (ret == 0)
		ret = loopback_up();
	if (ret == 0)
		return;
	text_init(&text, words, sizeof(words));
	text_error(&text, -ret);
	hot_fail(l, EXIT_WARM, "--net private: a network of its own for ", l->options->argv[0], ": ", words,
	         "; run it as root, or with --net host");
}
