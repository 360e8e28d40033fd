/* SPDX-License-Identifier: MIT */
#include "snapshot/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE          4096u
#define HOLD_LIMIT_MS 1000

struct holder {
	pthread_t thread;
	bool runs;
	atomic_int failed;
	int uffd;
	char *page; /* that is not there */
	int mem;
	uint64_t at; /* a byte of that memory */
};

static int prepare_page(struct holder *holder)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register reg = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	void *page;

	holder->uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (holder->uffd < 0 || ioctl(holder->uffd, UFFDIO_API, &api) < 0)
		return -errno;
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return -errno;
	holder->page = page;
	reg.range = (struct uffdio_range){(uint64_t)page, PAGE};
	return ioctl(holder->uffd, UFFDIO_REGISTER, &reg) < 0 ? -errno : 0;
}

struct holder *holder_new(void)
{
	struct holder *holder = calloc(1, sizeof(*holder));
	int r;

	if (!holder)
		return NULL;
	holder->uffd = -1;
	r = prepare_page(holder);
	if (r == 0)
		return holder;
	holder_free(holder);
	errno = -r;
	return NULL;
}

static void *hold(void *arg)
{
	struct holder *holder = arg;

	if (pread(holder->mem, holder->page, 1, (off_t)holder->at) < 0) {
		atomic_store(&holder->failed, errno);
		*(volatile char *)holder->page = 0; /* that is heard, too */
	}
	return NULL;
}

int holder_hold(struct holder *holder, int mem, uint64_t at)
{
	struct pollfd fault = {.fd = holder->uffd, .events = POLLIN};
	int r;

	holder->mem = mem;
	holder->at = at;
	r = pthread_create(&holder->thread, NULL, hold, holder);
	if (r)
		return -r;
	holder->runs = true;
	do
		r = poll(&fault, 1, HOLD_LIMIT_MS);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : -atomic_load(&holder->failed);
}

void holder_free(struct holder *holder)
{
	struct uffdio_range range;

	if (!holder)
		return;
	if (holder->runs) {
		range = (struct uffdio_range){(uint64_t)holder->page, PAGE};
		ioctl(holder->uffd, UFFDIO_UNREGISTER, &range); /* whoever waits there goes on */
		pthread_join(holder->thread, NULL);
	}
	if (holder->page)
		munmap(holder->page, PAGE);
	if (holder->uffd >= 0)
		close(holder->uffd);
	free(holder);
}
