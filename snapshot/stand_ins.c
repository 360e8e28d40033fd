/* SPDX-License-Identifier: MIT */
#include "snapshot/stand_ins.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "proto/rop.h"

void stand_ins_init(struct stand_ins *in)
{
	*in = (struct stand_ins){.token = -1, .stdio = {-1, -1, -1}};
}

void stand_ins_close(struct stand_ins *in)
{
	clean_fd(&in->token);
	for (int i = 0; i < 3; i++)
		clean_fd(&in->stdio[i]);
	fd_close_all(in->extra, in->n_extra);
	fd_close_all(in->other, in->n_other);
}

/* A far end that stays with us. */
static int keep(struct stand_ins *in, int fd)
{
	in->other[in->n_other++] = fd;
	return 0;
}

static int open_pty(struct stand_ins *in)
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), unlock = 0;

	if (master < 0)
		return -errno;
	keep(in, master);
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return -errno;
	return ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY); /* O_CLOEXEC would stay among its F_GETFL */
}

static int open_pair(struct stand_ins *in, bool is_pipe, int end)
{
	int pair[2];

	if (is_pipe ? pipe2(pair, O_CLOEXEC) : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	keep(in, pair[!end]);
	return pair[end];
}

/* Numbers of enum stdio_kind, policy/key.h: they are stored in images and do not change. */
static int open_kind(struct stand_ins *in, uint32_t kind, int number)
{
	switch (kind) {
	case 0:
		return -1; /* closed */
	case 2:
		return memfd_create("warm-trial", MFD_CLOEXEC);
	case 3:
		return open_pair(in, true, number > 0);
	case 4:
		return open_pair(in, false, 0);
	case 5:
		return open_pty(in);
	default:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	}
}

static int note(struct stand_ins *in, int number, int fd, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "stand-in of fd %d", number);
	in->launch_fd[in->n_launch_fds++] = (struct launch_fd){number, st.st_dev, st.st_ino};
	return 0;
}

static bool in_image(const Warm__Image__Image *image, int fd)
{
	for (size_t i = 0; i < image->n_descriptor; i++)
		if (image->descriptor[i]->fd == fd)
			return true;
	return false;
}

static bool have_extra(const struct stand_ins *in, int number)
{
	for (size_t i = 0; i < in->n_extra; i++)
		if (in->extra_number[i] == number)
			return true;
	return false;
}

/* A descriptor of the original's launch that an epoll set watches: every launch has to bring one. */
static int add_watched(struct stand_ins *in, const Warm__Image__Image *image, int number, struct err *err)
{
	int fd;

	if (number <= 2 || in_image(image, number) || have_extra(in, number))
		return 0;
	if (in->n_extra == GO_FDS_MAX - SLOT_EXTRA - 1)
		return err_set(err, EUCLEAN, "more than %zu descriptors of the launch are watched", in->n_extra);
	fd = eventfd(0, EFD_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "stand-in of fd %d", number);
	in->extra[in->n_extra] = fd;
	in->extra_number[in->n_extra++] = number;
	return note(in, number, fd, err);
}

int stand_ins_open(struct stand_ins *in, const Warm__Image__Image *image, const uint32_t stdio_kind[3], struct err *err)
{
	int r = 0;

	in->token = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (in->token < 0)
		return err_sys(err, errno, "token of the trial");
	for (int i = 0; r == 0 && i < 3; i++) {
		in->stdio[i] = open_kind(in, stdio_kind[i], i);
		if (in->stdio[i] < 0 && stdio_kind[i] != 0)
			r = err_sys(err, errno, "stand-in of fd %d", i);
		else if (in->stdio[i] >= 0)
			r = note(in, i, in->stdio[i], err);
	}
	for (size_t i = 0; r == 0 && i < image->n_description; i++)
		for (size_t j = 0; r == 0 && j < image->description[i]->n_interest; j++)
			r = add_watched(in, image, image->description[i]->interest[j]->fd, err);
	return r;
}

int stand_ins_go(const struct stand_ins *in, int go_fd, uint64_t skip, struct err *err)
{
	struct {
		struct go_header header;
		struct rop op[LAUNCH_FDS_MAX];
	} go = {{.magic = GO_MAGIC, .n_ops = (uint32_t)in->n_extra, .skip = skip}, {{0}}};
	int fds[GO_FDS_MAX] = {in->token};
	size_t n = 1;
	int r;

	for (int i = 0; i < 3; i++)
		fds[n++] = in->stdio[i] >= 0 ? in->stdio[i] : in->token;
	for (size_t i = 0; i < in->n_extra; i++) {
		go.op[i] = (struct rop){.kind = ROP_SYSCALL,
		                        .nr = SYS_dup3,
		                        .flags = ROP_SLOT(0),
		                        .args = {SLOT_EXTRA + i, (uint64_t)in->extra_number[i], 0}};
		fds[n++] = in->extra[i];
	}
	go.header.n_fds = (uint32_t)n;
	go.header.size = (uint32_t)(sizeof(go.header) + in->n_extra * sizeof(struct rop));
	r = fd_send(go_fd, &go, go.header.size, fds, n);
	return r < 0 ? err_sys(err, -r, "send the trial's GO") : 0;
}

int stand_ins_token_taken(const struct stand_ins *in, struct err *err)
{
	uint64_t value;

	if (read(in->token, &value, sizeof(value)) < 0)
		return errno == EAGAIN ? 0 : err_sys(err, errno, "token of the trial");
	return err_set(err, EUCLEAN, "the clone has not taken the token of its launch");
}
