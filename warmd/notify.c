/* SPDX-License-Identifier: MIT */
#include "warmd/notify.h"

#include "base/clean.h"
#include "base/err.h"
#include "base/id.h"
#include "proto/launch.h"
#include "warmd/daemon.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int address(const char *dir, const char *name, struct sockaddr_un *ret)
{
	int len;

	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	len = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/%s", dir, name);
	return len >= 0 && (size_t)len < sizeof(ret->sun_path) ? 0 : -ENAMETOOLONG;
}

/* A first run outlives warmd: whoever still listens is left alone. */
static void sweep(const char *dir)
{
	CLEAN(dir) DIR *list = opendir(dir);
	struct dirent *entry;
	struct sockaddr_un addr;

	while (list && (entry = readdir(list))) {
		CLEAN(fd) int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		if (probe >= 0 && !address(dir, entry->d_name, &addr) &&
		    connect(probe, (struct sockaddr *)&addr, sizeof(addr)) && errno == ECONNREFUSED)
			unlink(addr.sun_path);
	}
}

void notify_open(struct daemon *daemon, const char *socket)
{
	struct stat st;
	int len = snprintf(daemon->notify_dir, sizeof(daemon->notify_dir), "%s.notify", socket);

	if (len < 0 || (size_t)len >= sizeof(daemon->notify_dir) ||
	    (mkdir(daemon->notify_dir, 0755) && errno != EEXIST) || lstat(daemon->notify_dir, &st) ||
	    !S_ISDIR(st.st_mode) || st.st_uid != geteuid()) {
		daemon->notify_dir[0] = '\0';
		return;
	}
	chmod(daemon->notify_dir, 0755); /* whatever the umask */
	sweep(daemon->notify_dir);
}

int notify_new(struct daemon *daemon, int *ret_sock, char **ret_path, struct err *err)
{
	CLEAN(fd) int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CLEAN(free) char *path = NULL;
	struct sockaddr_un addr;
	char name[ID_LEN + 1];
	const int on = 1;

	if (!daemon->notify_dir[0])
		return err_set(err, ENOENT, "there is no room for a NOTIFY_SOCKET beside warmd's socket");
	id_new(name);
	if (address(daemon->notify_dir, name, &addr))
		return err_set(err, ENAMETOOLONG, "the path of a NOTIFY_SOCKET would be too long: %.150s/%s",
		               daemon->notify_dir, name);
	if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) ||
	    bind(sock, (struct sockaddr *)&addr, sizeof(addr)))
		return err_sys(err, errno, "make the NOTIFY_SOCKET %s", addr.sun_path);
	path = strdup(addr.sun_path);
	if (!path || chmod(path, 0666)) {
		unlink(addr.sun_path);
		return err_sys(err, errno, "make the NOTIFY_SOCKET %s", addr.sun_path);
	}
	*ret_sock = take_fd(&sock);
	*ret_path = take_ptr(path);
	return 0;
}

void notify_remove(char *path)
{
	if (path)
		unlink(path);
	free(path);
}
