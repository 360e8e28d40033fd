/* SPDX-License-Identifier: MIT */
/* Finding the daemon. */
#include <errno.h>
#include <sys/un.h>

#include "sdk/cli/hot/hot.h"
#include "sdk/cli/hot/sys.h"
#include "sdk/cli/hot/text.h"

int hot_socket_path(const char *socket, char *const *env, char buf[PATH_BYTES])
{
	const char *runtime;
	struct text text;

	text_init(&text, buf, PATH_BYTES);
	if (socket) {
		text_add(&text, socket);
	} else if (sys_geteuid() == 0) {
		text_add(&text, "/run/warm/warmd.sock");
	} else if ((runtime = text_env(env, "XDG_RUNTIME_DIR")) && *runtime) {
		text_add(&text, runtime);
		text_add(&text, "/warm/warmd.sock");
	} else {
		text_add(&text, "/tmp/warm-");
		text_number(&text, sys_geteuid());
		text_add(&text, "/warmd.sock");
	}
	return text.cut ? -ENAMETOOLONG : 0;
}

int hot_connect(const char *path)
{
	struct sockaddr_un addr;
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	size_t n = text_len(path) + 1;
	int fd, ret;

	if (n > sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	addr.sun_family = AF_UNIX;
	text_copy(addr.sun_path, path, n);

	/* without SOCK_NONBLOCK, connect waits for ever for a stopped daemon with a full backlog */
	fd = sys_socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK);
	if (fd < 0)
		return fd;
	ret = sys_connect(fd, &addr, offsetof(struct sockaddr_un, sun_path) + n);
	if (ret == 0)
		ret = sys_getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	if (ret == 0 && peer.uid != 0 && peer.uid != sys_geteuid())
		ret = -EPERM;
	if (ret < 0) {
		sys_close(fd);
		return ret;
	}
	return fd;
}
