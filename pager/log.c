/* SPDX-License-Identifier: MIT */
#include "pager/log.h"

#include <time.h>
#include <unistd.h>

#include "proto/pager.h"

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

void log_init(struct log *log, int fd)
{
	*log = (struct log){.fd = fd, .left = PAGER_RECORD_MAX};
	if (fd >= 0)
		log->until_ns = now_ns() + PAGER_RECORD_MS * UINT64_C(1000000);
}

void log_fini(struct log *log)
{
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
}

bool log_page(struct log *log, uint64_t addr)
{
	const struct pager_served served = {addr};

	if (log->fd < 0)
		return false;
	if (log->left > 0 && now_ns() < log->until_ns && write(log->fd, &served, sizeof(served)) == sizeof(served)) {
		log->left--;
		return true;
	}
	log_fini(log);
	return false;
}
