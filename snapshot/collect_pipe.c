/* SPDX-License-Identifier: MIT */
/* Pipes and FIFOs whose ends are all in the process, or closed, with the bytes in them (tee(2): nothing is taken out).
 */
#include "snapshot/files_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "snapshot/remedies.h"

static int copy_bytes(struct open_file *f, Warm__Image__Pipe *pipe, struct err *err)
{
	CLEAN(fd) int out_read = -1;
	CLEAN(fd) int out_write = -1;
	int ends[2], waiting = 0;
	ssize_t got;

	if (ioctl(f->local, FIONREAD, &waiting) < 0)
		return err_sys(err, errno, "fd %d: bytes in the pipe", f->fd);
	if (waiting == 0)
		return 0;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, errno, "fd %d: copy of the pipe", f->fd);
	out_read = ends[0];
	out_write = ends[1];
	if (fcntl(out_write, F_SETPIPE_SZ, pipe->capacity) < 0)
		return err_sys(err, errno, "fd %d: copy of a pipe of %u bytes", f->fd, pipe->capacity);
	if (tee(f->local, out_write, (size_t)waiting, SPLICE_F_NONBLOCK) != waiting)
		return err_sys(err, errno, "fd %d: copy of the pipe's bytes", f->fd);
	pipe->data.data = malloc((size_t)waiting);
	if (!pipe->data.data)
		return err_sys(err, ENOMEM, "fd %d: copy of the pipe's bytes", f->fd);
	got = fd_read_full(out_read, pipe->data.data, (size_t)waiting);
	if (got != waiting)
		return err_sys(err, got < 0 ? (int)-got : EIO, "fd %d: copy of the pipe's bytes", f->fd);
	pipe->data.len = (size_t)waiting;
	return 0;
}

static bool has_data(const struct subject *s, uint64_t id)
{
	for (size_t i = 0; i < s->image->n_description; i++) {
		const Warm__Image__Pipe *pipe = s->image->description[i]->pipe;

		if (pipe && pipe->id == id && pipe->data.len)
			return true;
	}
	return false;
}

/* Has nobody its other end, neither here nor in another process? A reader that never had a writer does not tell. */
static bool is_lonely(const struct open_file *f, uint32_t mode)
{
	struct pollfd end = {.fd = f->local, .events = POLLIN | POLLOUT};

	return mode != O_RDWR && poll(&end, 1, 0) >= 0 && end.revents & (mode == O_RDONLY ? POLLHUP : POLLERR);
}

int collect_pipe(struct subject *s, struct open_file *f, struct err *err)
{
	Warm__Image__Pipe *pipe = malloc(sizeof(*pipe));
	uint32_t mode = f->desc->flags & O_ACCMODE;
	int capacity;

	if (!pipe)
		return err_sys(err, ENOMEM, "descriptors");
	warm__image__pipe__init(pipe);
	f->desc->pipe = pipe;
	if (f->local < 0)
		return err_refuse(err, CLOSE_IT, "fd %d: a pipe opened by O_PATH", f->fd);
	if (f->desc->flags & O_DIRECT)
		return err_refuse(err, CLOSE_IT, "fd %d: a pipe in packet mode (O_DIRECT)", f->fd);
	capacity = fcntl(f->local, F_GETPIPE_SZ);
	if (capacity < 0)
		return err_sys(err, errno, "fd %d: size of the pipe", f->fd);
	pipe->id = f->st.st_ino;
	pipe->write_end = mode == O_WRONLY;
	pipe->both_ends = mode == O_RDWR;
	pipe->lonely = is_lonely(f, mode);
	pipe->capacity = (uint32_t)capacity;
	pipe->mode = f->st.st_mode;
	if (f->link[0] == '/') {
		size_t len = strlen(f->link);

		if (len > 10 && strcmp(f->link + len - 10, " (deleted)") == 0)
			return err_refuse(err, CLOSE_IT, "fd %d: deleted FIFO %.*s", f->fd, (int)len - 10, f->link);
		f->desc->path = strdup(f->link);
		if (!f->desc->path)
			return err_sys(err, ENOMEM, "descriptors");
	}
	if (summary_descriptor(s, "%d: %s, %s", f->fd, f->link[0] == '/' ? f->link : "pipe",
	                       pipe->both_ends   ? "both ends"
	                       : pipe->write_end ? "write end"
	                                         : "read end") < 0)
		return err_sys(err, ENOMEM, "descriptors");
	return pipe->write_end || has_data(s, pipe->id) ? 0 : copy_bytes(f, pipe, err);
}

/* A pipe with one end here and the other elsewhere belongs to two processes; a clone would have half of it. One whose
 * other end is closed is whole. */
int check_pipes(struct subject *s, struct err *err)
{
	for (size_t i = 0; i < s->image->n_description; i++) {
		const Warm__Image__Pipe *pipe = s->image->description[i]->pipe;
		bool reader = false, writer = false;

		if (!pipe || pipe->lonely)
			continue;
		for (size_t j = 0; j < s->image->n_description; j++) {
			const Warm__Image__Pipe *other = s->image->description[j]->pipe;

			if (!other || other->id != pipe->id)
				continue;
			reader |= other->both_ends || !other->write_end;
			writer |= other->both_ends || other->write_end;
		}
		if (!reader || !writer)
			return err_refuse(err, CLOSE_IT, "fd %d: a pipe whose %s end is in another process",
			                  descriptor_of(s, i), reader ? "write" : "read");
	}
	return 0;
}
