/* SPDX-License-Identifier: MIT */
/* What every collector needs of the frozen process, and of the image it grows. */
#include "snapshot/subject.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/err.h"
#include "base/kernel.h"
#include "plugins/plugins.h"
#include "proto/image_version.h"
#include "snapshot/keep.h"
#include "snapshot/pages_internal.h"
#include "snapshot/smaps.h"

#define ENDING_MS  20 /* what a killed process takes to be gone once nobody traces it */
#define CLOSING_MS 20 /* a descriptor that is open for longer is not open for a moment */

/* /proc/PID is that of the process behind the pidfd: that one lived on when it was opened, so nobody had its number. */
static int open_process(struct subject *s, const struct snapshot_request *req, struct err *err)
{
	s->pidfd = req->pidfd >= 0 ? fcntl(req->pidfd, F_DUPFD_CLOEXEC, 3) : (int)syscall(SYS_pidfd_open, req->pid, 0);
	if (s->pidfd < 0)
		return err_sys(err, errno, "process %d", req->pid);
	s->proc_fd = proc_open(req->pid);
	if (s->proc_fd < 0)
		return err_sys(err, -s->proc_fd, "process %d", req->pid);
	if (syscall(SYS_pidfd_send_signal, s->pidfd, 0, NULL, 0) < 0 && errno == ESRCH)
		return err_set(err, ESRCH, "process %d has ended", req->pid); /* the number is somebody else's by now */
	return 0;
}

bool subject_has_ended(const struct subject *s)
{
	struct pollfd poll_fd = {.fd = s->pidfd, .events = POLLIN};

	return s->pidfd < 0 || poll(&poll_fd, 1, ENDING_MS) == 1;
}

static bool has_still(const struct subject *s)
{
	char name[32];
	struct stat st;

	snprintf(name, sizeof(name), "fd/%d", s->refused_fd);
	return fstatat(s->proc_fd, name, &st, 0) == 0 && st.st_dev == s->refused_dev && st.st_ino == s->refused_ino;
}

/* The kernel has no event for it: it is looked at each millisecond, unless the process ends. */
bool subject_closes(const struct subject *s)
{
	struct pollfd end = {.fd = s->pidfd, .events = POLLIN};

	if (s->refused_fd < 0 || (s->hook_fd >= 0 && s->summary->threads == 1)) /* who is in the hook closes nothing */
		return false;
	for (int ms = 0; ms < CLOSING_MS && has_still(s); ms++)
		if (poll(&end, 1, 1) != 0)
			return false;
	return !has_still(s);
}

int subject_open(struct subject *s, const struct snapshot_request *req, struct err *err)
{
	char kernel[KERNEL_IDENTITY_MAX], cpu[CPU_IDENTITY_MAX];
	int r;

	s->pid = req->pid;
	s->hook_fd = req->hook_fd;
	s->owner = req->owner;
	s->net_private = req->net_private;
	s->launch_fd = req->launch_fd;
	s->n_launch_fds = req->n_launch_fds;
	s->program = req->program;
	r = open_process(s, req, err);
	if (r < 0)
		return r;
	s->image = malloc(sizeof(*s->image));
	s->summary = malloc(sizeof(*s->summary));
	if (!s->image || !s->summary)
		return err_sys(err, ENOMEM, "image");
	warm__image__image__init(s->image);
	warm__rpc__summary__init(s->summary);
	s->image->process = malloc(sizeof(*s->image->process));
	if (!s->image->process)
		return err_sys(err, ENOMEM, "image");
	warm__image__process__init(s->image->process);
	s->image->version = IMAGE_VERSION;
	s->image->hook_fd = req->hook_fd;
	kernel_identity(kernel);
	cpu_identity(cpu);
	s->image->kernel = strdup(kernel);
	s->image->cpu = strdup(cpu);
	if (!s->image->kernel || !s->image->cpu)
		return err_sys(err, ENOMEM, "image");
	if (!req->notify)
		return 0;
	s->image->process->notify = strdup(req->notify);
	if (!s->image->process->notify || GROW(s->image, feature, strdup("notify")) < 0)
		return err_sys(err, ENOMEM, "image");
	return 0;
}

void subject_close(struct subject *s)
{
	for (size_t i = 0; i < s->n_threads; i++)
		tracee_release(&s->thread[i]);
	free(s->thread);
	free(s->area);
	smaps_free(s->smaps);
	free(s->unused);
	free(s->shared_ino);
	renew_free(s);
	keep_end(s);
	aside_free(s->aside);
	proc_status_fini(&s->status);
	plugins_free(s->plugins);
	if (s->image)
		warm__image__image__free_unpacked(s->image, NULL);
	if (s->summary)
		warm__rpc__summary__free_unpacked(s->summary, NULL);
	if (s->proc_fd >= 0)
		close(s->proc_fd);
	if (s->pidfd >= 0)
		close(s->pidfd);
}

int subject_read(const struct subject *s, uint64_t addr, void *buf, size_t len, struct err *err)
{
	struct iovec local = {buf, len}, remote = {(void *)addr, len};

	if (process_vm_readv(s->pid, &local, 1, &remote, 1, 0) != (ssize_t)len)
		return err_sys(err, errno ? errno : EFAULT, "read memory of process %d at %#lx", s->pid,
		               (unsigned long)addr);
	return 0;
}

int subject_write(const struct subject *s, uint64_t addr, const void *buf, size_t len, struct err *err)
{
	struct iovec local = {(void *)buf, len}, remote = {(void *)addr, len};

	if (process_vm_writev(s->pid, &local, 1, &remote, 1, 0) != (ssize_t)len)
		return err_sys(err, errno ? errno : EFAULT, "write memory of process %d at %#lx", s->pid,
		               (unsigned long)addr);
	return 0;
}

int grow(void *array_place, size_t *n, size_t element, const void *value)
{
	void **place = array_place;
	char *array = *place;

	if ((*n & (*n - 1)) == 0) { /* full at every power of two, and empty */
		array = reallocarray(array, *n ? *n * 2 : 1, element);
		if (!array)
			return -ENOMEM;
		*place = array;
	}
	memcpy(array + *n * element, value, element);
	(*n)++;
	return 0;
}

ProtobufCBinaryData bytes_copy(const void *data, size_t len)
{
	ProtobufCBinaryData bytes = {0, malloc(len ? len : 1)};

	if (bytes.data) {
		memcpy(bytes.data, data, len);
		bytes.len = len;
	}
	return bytes;
}

int summary_descriptor(struct subject *s, const char *fmt, ...)
{
	va_list args;
	char *line = NULL;
	int n;

	va_start(args, fmt);
	n = vasprintf(&line, fmt, args);
	va_end(args);
	return n < 0 ? -ENOMEM : GROW(s->summary, descriptor, line);
}

/* Of several uses the strictest counts. */
static void add_use(Warm__Rpc__File *file, enum file_use use)
{
	file->same_inode_only &= use == FILE_APPENDED || use == FILE_PLACE;
	/* it was the program itself, most likely */
	file->settled |= use == FILE_WRITTEN || use == FILE_POSITION || use == FILE_MAPPED;
	file->position |= use == FILE_POSITION || use == FILE_MAPPED;
}

int summary_file(struct subject *s, const char *path, uint64_t dev, uint64_t ino, enum file_use use, struct err *err)
{
	Warm__Rpc__File *file;
	struct stat st;

	for (size_t i = 0; i < s->summary->n_file; i++)
		if (strcmp(s->summary->file[i]->path, path) == 0) {
			add_use(s->summary->file[i], use);
			return 0;
		}
	if (stat(path, &st) < 0)
		return err_sys(err, errno, "%s, which the program has open or mapped", path);
	if (st.st_ino != ino || st.st_dev != dev)
		return err_refuse(err, "start it anew", "%s was replaced after the program opened it", path);
	file = malloc(sizeof(*file));
	if (!file)
		return err_sys(err, ENOMEM, "files");
	warm__rpc__file__init(file);
	file->path = strdup(path);
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	file->size = (uint64_t)st.st_size;
	file->mtime_ns = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec;
	file->ctime_ns = st.st_ctim.tv_sec * 1000000000LL + st.st_ctim.tv_nsec;
	file->same_inode_only = true;
	add_use(file, use);
	return GROW(s->summary, file, file) < 0 || !file->path ? err_sys(err, ENOMEM, "files") : 0;
}
