/* SPDX-License-Identifier: MIT */
#include "sdk/c/ask.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clean.h"
#include "proto/launch.h"
#include "sdk/c/connect.h"
#include "sdk/c/wire.h"

#define FIRST_WORD_MS 100 /* a daemon that hangs costs the program no more */
#define USUAL_MAX     8192

static int ask_as(bool interpreter, struct hook_answer *ret);
static int first_word(int fd, bool interpreter, struct hook_answer *ret);
static int receive(int fd, struct hook_answer *ret);
static int receive_long(int fd, struct hook_answer *ret);
static ssize_t hear(int fd, void *buf, size_t size, int flags);
static long now_ms(void);

int ask_wanted(void)
{
	struct hook_answer answer = {0};
	int fd = ask_as(false, &answer);

	hook_answer_fini(&answer);
	return fd;
}

int ask_interpreter(struct hook_answer *ret)
{
	return ask_as(true, ret);
}

static int ask_as(bool interpreter, struct hook_answer *ret)
{
	CLEAN(fd) int fd = connect_daemon();
	int r = fd < 0 ? fd : first_word(fd, interpreter, ret);

	return r < 0 ? r : take_fd(&fd);
}

static int first_word(int fd, bool interpreter, struct hook_answer *ret)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	struct wire wire = {0};
	const long end = now_ms() + FIRST_WORD_MS;
	long left = FIRST_WORD_MS;
	int r;

	wire_put_hello(&wire, interpreter);
	r = ask_send(fd, &wire);
	if (r < 0)
		return r;
	while ((r = poll(&poll_fd, 1, (int)left)) < 0 && errno == EINTR)
		left = end > now_ms() ? end - now_ms() : 0;
	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	r = receive(fd, ret);
	return r == 0 && ret->outcome != OUTCOME_PENDING ? -ECANCELED : r;
}

int ask_depends(int fd, char *const *path, size_t n_path, char *const *suffix, size_t n_suffix)
{
	for (size_t i = 0; i < n_path;) {
		struct wire wire = {0};
		size_t taken = wire_put_depends(&wire, path + i, n_path - i, suffix, n_suffix, MESSAGE_MAX);
		int r = ask_send(fd, &wire);

		if (r < 0)
			return r;
		i += taken; /* never 0: no path is longer than PATH_MAX */
	}
	return 0;
}

int ask_ready(int fd, const struct wire_ready *ready, struct hook_answer *ret)
{
	struct wire wire = {0};
	int r;

	wire_put_ready(&wire, ready);
	r = ask_send(fd, &wire);
	while (r == 0) {
		r = receive(fd, ret);
		if (r < 0 || ret->outcome != OUTCOME_PENDING)
			break;
		hook_answer_fini(ret);
	}
	return r;
}

int ask_send(int fd, struct wire *wire)
{
	ssize_t n = wire->failed ? -1 : TEMP_FAILURE_RETRY(send(fd, wire->data, wire->len, MSG_NOSIGNAL));
	int r = wire->failed ? -ENOMEM : n < 0 ? -errno : 0;

	wire_fini(wire);
	return r;
}

/* On the stack, not malloc'ed: the hook leaves the application's heap where it was. */
static int receive(int fd, struct hook_answer *ret)
{
	uint8_t datagram[USUAL_MAX];
	ssize_t n = hear(fd, datagram, sizeof(datagram), MSG_PEEK | MSG_TRUNC);

	if (n > (ssize_t)sizeof(datagram))
		return receive_long(fd, ret);
	if (n > 0)
		n = hear(fd, datagram, sizeof(datagram), 0);
	return n < 0 ? (int)n : wire_get_answer(datagram, (size_t)n, ret);
}

/* Mapped: what it takes to make a mapping and touch it is a part of the time that a copy takes to start. */
static int receive_long(int fd, struct hook_answer *ret)
{
	uint8_t *datagram = mmap(NULL, MESSAGE_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ssize_t n;
	int r;

	if (datagram == MAP_FAILED)
		return -errno;
	n = hear(fd, datagram, MESSAGE_MAX, 0);
	r = n < 0 ? (int)n : wire_get_answer(datagram, (size_t)n, ret);
	munmap(datagram, MESSAGE_MAX);
	return r;
}

/* The freeze interrupts recv(2) where it has a time limit, and a copy begins with that EINTR: the loop is part of the
 * protocol. So is the second look behind ECONNRESET: a daemon that was killed before it had read everything is reported
 * once, in front of the answer. Returns the datagram's length or -errno. */
static ssize_t hear(int fd, void *buf, size_t size, int flags)
{
	ssize_t n = TEMP_FAILURE_RETRY(recv(fd, buf, size, flags));

	if (n < 0 && errno == ECONNRESET)
		n = TEMP_FAILURE_RETRY(recv(fd, buf, size, flags));
	return n < 0 ? -errno : n;
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
