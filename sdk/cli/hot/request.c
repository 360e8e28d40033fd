/* SPDX-License-Identifier: MIT */
/* The launch request (proto/launch.h), encoded by hand: what warmd is told of a launch, and the descriptors that go
 * with it. */
#include <linux/prctl.h>

#include "sdk/cli/hot/hot.h"
#include "sdk/cli/hot/sys.h"
#include "sdk/cli/hot/text.h"

#ifndef PR_GET_MDWE
#define PR_GET_MDWE 66 /* Linux 6.3 */
#endif

static union {
	struct launch_request header;
	char bytes[MESSAGE_MAX];
} message;

static uint32_t inherited(void);
static const char *list_descriptors(struct request *request, struct launch *l);
static int add_descriptor(struct request *request, struct launch *l, int number);
static char *put(char *at, const char *s);
static char *put_command(char *at, const struct launch *l);

const char *request_build(struct request *request, struct launch *l)
{
	const struct exec_options *o = l->options;
	const char *why, *name;
	char *at = message.bytes + sizeof(message.header), **s;

	request->message = &message.header;
	why = list_descriptors(request, l);
	if (why)
		return why;

	at = put_command(at, l);
	at = put(at, l->cwd);
	at = put(at, o->name);
	at = put(at, o->ready);
	message.header.n_argv = message.header.n_env = 0;
	for (s = o->argv; *s; s++, message.header.n_argv++)
		at = put(at, *s);
	for (s = l->env; *s; s++, message.header.n_env++)
		at = put(at, *s);
	if (!at)
		return "arguments and environment are too long for one message";

	message.header.magic = LAUNCH_MAGIC;
	message.header.version = LAUNCH_VERSION;
	message.header.size = (uint32_t)(at - message.bytes);
	name = text_env(o->env, "NOTIFY_SOCKET");
	message.header.flags = (name && *name ? LAUNCH_NOTIFY : 0) | o->flags | (l->relay ? l->relay->flags : 0);
	message.header.sig_blocked = l->mask;
	message.header.started_ns = o->started_ns;
	message.header.personality = (uint32_t)sys_personality();
	message.header.inherited = inherited();
	return NULL;
}

/* Each is 0 where the kernel does not know it. */
static uint32_t inherited(void)
{
	int thp = sys_prctl(PR_GET_THP_DISABLE, 0), mdwe = sys_prctl(PR_GET_MDWE, 0), policy = 0;

	if (sys_get_mempolicy(&policy) < 0)
		policy = 0;
	return (thp > 0 ? (uint32_t)thp : 0) | (mdwe > 0 ? (uint32_t)mdwe << 8 : 0) | (uint32_t)policy << 16;
}

/* Everything that the program would inherit, ascending. The kernel lists /proc/self/fd in that order. */
static const char *list_descriptors(struct request *request, struct launch *l)
{
	static char entries[4096] __attribute__((aligned(8)));
	static const char too_many[] = "more descriptors are open than a launch can bring";
	int fd = sys_open("/proc/self/fd", O_RDONLY | O_DIRECTORY), number;
	long n, at;

	if (fd < 0)
		return "/proc/self/fd cannot be read";
	message.header.n_numbers = 0;
	request->n_fds = 0;
	while ((n = sys_getdents(fd, entries, sizeof(entries))) > 0)
		for (at = 0; at < n; at += *(uint16_t *)(entries + at + 16)) {
			const char *name = entries + at + 19; /* struct linux_dirent64: ino, off, reclen, type, name */

			if (*name == '.')
				continue;
			for (number = 0; *name; name++)
				number = number * 10 + *name - '0';
			if (number != fd && add_descriptor(request, l, number) < 0) {
				sys_close(fd);
				return too_many;
			}
		}
	sys_close(fd);
	return NULL;
}

static int add_descriptor(struct request *request, struct launch *l, int number)
{
	int flags = sys_fcntl(number, F_GETFD, 0), send = number;

	if (flags < 0 || flags & FD_CLOEXEC)
		return 0;
	if (message.header.n_numbers == LAUNCH_FDS_MAX)
		return -1;
	if (number < 3 && l->relay && l->relay->slave_for[number] >= 0)
		send = l->relay->slave_for[number];
	message.header.fd_number[message.header.n_numbers++] = number;
	request->fd[request->n_fds++] = send;
	return 0;
}

/* NULL when the message is full, and from then on. */
static char *put(char *at, const char *s)
{
	size_t n = text_len(s) + 1;

	if (!at || n > (size_t)(message.bytes + sizeof(message.bytes) - at))
		return NULL;
	text_copy(at, s, n);
	return at + n;
}

/* Absolute, whatever the caller typed. */
static char *put_command(char *at, const struct launch *l)
{
	const char *path = l->path;

	if (*path == '/')
		return put(at, path);
	while (text_starts(path, "./"))
		path += 2;
	at = put(at, l->cwd);
	if (at && at[-2] != '/')
		at[-1] = '/';
	else if (at)
		at--;
	return put(at, path);
}
