/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "proto/launch.h"
#include "sdk/cli/hot/hot.h"
#include "sdk/cli/rpc.h"

#define PROGRESS_AFTER_MS 500
#define SILENCE_MS        120000 /* packing or verifying a large image takes its time; nothing takes this long */

static int connect_daemon(const char *socket, struct err *err);
static int send_request(int fd, const Warm__Rpc__Request *request, struct err *err);
static Warm__Rpc__Reply *receive_reply(int fd, struct err *err);
static int wait_readable(int fd, struct err *err);

int rpc_call(const char *socket, const Warm__Rpc__Request *request, struct answer *answer, struct err *err)
{
	CLEAN(fd) int fd = connect_daemon(socket, err);
	Warm__Rpc__Reply *reply, **more;
	int ret;

	if (fd < 0)
		return fd;
	ret = send_request(fd, request, err);
	if (ret < 0)
		return ret;

	do {
		reply = receive_reply(fd, err);
		if (!reply)
			return -err->code;
		more = realloc(answer->reply, (answer->n + 1) * sizeof(*more));
		if (!more) {
			warm__rpc__reply__free_unpacked(reply, NULL);
			return err_sys(err, ENOMEM, "keep the answer");
		}
		answer->reply = more;
		answer->reply[answer->n++] = reply;
	} while (!reply->last);

	if (reply->failure)
		return err_set(err, reply->failure->code > 0 ? reply->failure->code : EIO, "%s", reply->failure->text);
	return 0;
}

static int connect_daemon(const char *socket, struct err *err)
{
	char path[PATH_BYTES];
	int fd;

	if (hot_socket_path(socket, environ, path) < 0)
		return err_set(err, ENAMETOOLONG, "the socket's path is too long: use a shorter --socket");
	fd = hot_connect(path);
	if (fd == -ENOENT || fd == -ECONNREFUSED || fd == -ENOTDIR)
		return err_set(err, -fd, "no daemon answers at %s: start one with `warmd`", path);
	if (fd == -EPERM)
		return err_set(err, -fd, "the daemon at %s belongs to another user", path);
	if (fd < 0)
		return err_sys(err, -fd, "connect to %s", path);
	return fd;
}

static int send_request(int fd, const Warm__Rpc__Request *request, struct err *err)
{
	static uint8_t buf[MESSAGE_MAX];
	size_t n = 4 + warm__rpc__request__get_packed_size(request);
	uint32_t magic = RPC_MAGIC;

	if (n > sizeof(buf))
		return err_set(err, EMSGSIZE, "too much for one request: name fewer snapshots at a time");
	memcpy(buf, &magic, 4);
	warm__rpc__request__pack(request, buf + 4);
	if (send(fd, buf, n, MSG_NOSIGNAL) < 0)
		return err_sys(err, errno, "send the request to the daemon");
	return 0;
}

/* NULL: *err says why. */
static Warm__Rpc__Reply *receive_reply(int fd, struct err *err)
{
	static uint8_t buf[MESSAGE_MAX];
	Warm__Rpc__Reply *reply = NULL;
	uint32_t magic = 0;
	ssize_t n;

	do {
		if (wait_readable(fd, err) < 0)
			return NULL;
		n = recv(fd, buf, sizeof(buf), 0);
	} while (n < 0 && (errno == EAGAIN || errno == EINTR));

	if (n == 0 || (n < 0 && errno == ECONNRESET)) {
		err_set(err, ECONNRESET, "the daemon ended before it answered: see its log, then try again");
		return NULL;
	}
	if (n < 0) {
		err_sys(err, errno, "hear from the daemon");
		return NULL;
	}
	if (n >= 4)
		memcpy(&magic, buf, 4);
	if (magic == RPC_MAGIC)
		reply = warm__rpc__reply__unpack(NULL, (size_t)n - 4, buf + 4);
	if (!reply)
		err_set(err, EPROTO, "the daemon's answer makes no sense: `warm` and `warmd` must be of one version");
	return reply;
}

/* Says on a terminal that it is waiting, once it takes longer than a person notices. */
static int wait_readable(int fd, struct err *err)
{
	static const char wheel[] = "|/-\\";
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	bool shows = isatty(2);
	int waited_ms = 0, ret;

	while ((ret = poll(&poll_fd, 1, PROGRESS_AFTER_MS)) == 0) {
		waited_ms += PROGRESS_AFTER_MS;
		if (waited_ms >= SILENCE_MS)
			return err_set(err, ETIMEDOUT, "the daemon has not answered for %d s: is it stopped?",
			               SILENCE_MS / 1000);
		if (shows)
			fprintf(stderr, "\r%c %d s", wheel[waited_ms / PROGRESS_AFTER_MS % 4], waited_ms / 1000);
	}
	if (shows && waited_ms)
		fputs("\r\033[K", stderr);
	if (ret < 0 && errno != EINTR)
		return err_sys(err, errno, "wait for the daemon");
	return 0;
}

void answer_fini(struct answer *answer)
{
	for (size_t i = 0; i < answer->n; i++)
		warm__rpc__reply__free_unpacked(answer->reply[i], NULL);
	free(answer->reply);
}
