/* SPDX-License-Identifier: MIT */
/* eventfd, epoll, timerfd and signalfd: everything is in /proc/PID/fdinfo (proc_pid_fdinfo(5)). */
#include "snapshot/files_internal.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "snapshot/remedies.h"

static int said(struct subject *s, const struct open_file *f, const char *words, struct err *err)
{
	return summary_descriptor(s, "%d: %s", f->fd, words) < 0 ? err_sys(err, ENOMEM, "descriptors") : 0;
}

int collect_eventfd(struct subject *s, struct open_file *f, struct err *err)
{
	uint64_t semaphore = 0;

	if (!info_number(f, "eventfd-count", 16, &f->desc->counter))
		return err_set(err, EPROTO, "fd %d: eventfd without a counter in fdinfo", f->fd);
	info_number(f, "eventfd-semaphore", 10, &semaphore);
	f->desc->semaphore = semaphore != 0;
	return said(s, f, "eventfd", err);
}

int collect_signalfd(struct subject *s, struct open_file *f, struct err *err)
{
	if (!info_number(f, "sigmask", 16, &f->desc->sigmask))
		return err_set(err, EPROTO, "fd %d: signalfd without a mask in fdinfo", f->fd);
	return said(s, f, "signalfd", err);
}

static int64_t nanoseconds(const struct timespec *ts)
{
	return ts->tv_sec * 1000000000LL + ts->tv_nsec;
}

/* Expirations that a periodic timer missed since nobody reads it are only counted when somebody asks: timerfd_gettime()
 * does, and changes nothing that a reader could see. */
int collect_timerfd(struct subject *s, struct open_file *f, struct err *err)
{
	Warm__Image__Timerfd *t = malloc(sizeof(*t));
	struct itimerspec value;
	struct timespec now;
	CLEAN(free) char *info = NULL;
	char name[32];
	uint64_t clock = 0, flags = 0;
	int r;

	if (!t)
		return err_sys(err, ENOMEM, "descriptors");
	warm__image__timerfd__init(t);
	f->desc->timerfd = t;
	if (f->local < 0 || timerfd_gettime(f->local, &value) < 0)
		return err_sys(err, errno, "fd %d: state of the timerfd", f->fd);
	clock_gettime(CLOCK_REALTIME, &now); /* its value counts from here */
	snprintf(name, sizeof(name), "fdinfo/%d", f->fd);
	r = fd_read_file_at(s->proc_fd, name, 1u << 16, &info, NULL);
	if (r < 0)
		return err_sys(err, -r, "fd %d: state of the timerfd", f->fd);
	f->info = info;
	if (!info_number(f, "clockid", 10, &clock))
		return err_set(err, EPROTO, "fd %d: timerfd without a clock in fdinfo", f->fd);
	info_number(f, "ticks", 10, &t->ticks);
	info_number(f, "settime flags", 8, &flags);
	f->info = NULL;
	t->clock = (int32_t)clock;
	t->settime_flags = (uint32_t)flags;
	t->value_ns = nanoseconds(&value.it_value);
	t->interval_ns = nanoseconds(&value.it_interval);
	if (t->settime_flags & TFD_TIMER_CANCEL_ON_SET && t->value_ns)
		t->expires_ns = nanoseconds(&now) + t->value_ns;
	return said(s, f, "timerfd", err);
}

/* Of how it waits for packets; Linux 6.9, ioctl_eventpoll(2). A new set has none. */
struct epoll_params {
	uint32_t busy_poll_usecs;
	uint16_t busy_poll_budget;
	uint8_t prefer_busy_poll, padding;
};
#define EPIOCGPARAMS _IOR(0x8A, 0x02, struct epoll_params)

static bool polls_busily(const struct open_file *f)
{
	struct epoll_params params = {0};

	return ioctl(f->local, EPIOCGPARAMS, &params) == 0 &&
	       (params.busy_poll_usecs || params.busy_poll_budget || params.prefer_busy_poll);
}

/* A set keeps the file that was behind the number when it was added (epoll(7), Q6). */
static bool still_watched(struct subject *s, const struct open_file *f, int fd)
{
	struct kcmp_epoll_slot slot = {.efd = (uint32_t)f->fd, .tfd = (uint32_t)fd, .toff = 0};

	return syscall(SYS_kcmp, s->pid, s->pid, KCMP_EPOLL_TFD, (long)fd, &slot) == 0;
}

/* "tfd: 5 events: 19 data: 5 pos:0 ino:.. sdev:.." for every descriptor watched. */
int collect_epoll(struct subject *s, struct open_file *f, struct err *err)
{
	if (polls_busily(f))
		return err_refuse(err, DO_IT_AFTER, "fd %d: an epoll set with busy polling (EPIOCSPARAMS)", f->fd);
	for (const char *at = strstr(f->info, "tfd:"); at; at = strstr(at + 1, "\ntfd:")) {
		Warm__Image__Interest *in;
		unsigned long long data;
		unsigned events;
		int fd;

		if (*at == '\n')
			at++;
		if (sscanf(at, "tfd: %d events: %x data: %llx", &fd, &events, &data) != 3)
			return err_set(err, EPROTO, "fd %d: epoll set cannot be read", f->fd);
		in = malloc(sizeof(*in));
		if (!in)
			return err_sys(err, ENOMEM, "descriptors");
		warm__image__interest__init(in);
		if (!still_watched(s, f, fd))
			return err_refuse(
			        err, "take it out of the set before the snapshot",
			        "fd %d: an epoll set that watches a file whose number, %d, has another file now", f->fd,
			        fd);
		in->fd = fd;
		in->events = events;
		in->data = data;
		if (GROW(f->desc, interest, in) < 0)
			return err_sys(err, ENOMEM, "descriptors");
	}
	return said(s, f, "epoll", err);
}
