/* SPDX-License-Identifier: MIT */
/* What the kernel writes by itself when a thread ends lies in pages that nobody else has touched since the hook: the
 * word for its tid, and a robust futex that it holds. In a large program these pages are not there when it is started
 * from disk. */
#include <linux/futex.h>
#include <stddef.h>
#include <sys/mman.h>

#include "victim.h"

#define SIZE     (8u << 20)
#define TID_AT   (3u << 20)
#define LIST_AT  (5u << 20)
#define FUTEX_AT (6u << 20)

struct robust_node {
	struct robust_list list;
	uint32_t futex;
};

static uint8_t *memory;
static atomic_int held, step;

static void *owner(void *arg)
{
	uint32_t *tid = (uint32_t *)(memory + TID_AT);
	struct robust_list_head *head = (struct robust_list_head *)(memory + LIST_AT);
	struct robust_node *node = (struct robust_node *)(memory + FUTEX_AT);

	(void)arg;
	*tid = (uint32_t)syscall(SYS_set_tid_address, tid);
	node->futex = *tid;
	node->list.next = &head->list;
	*head = (struct robust_list_head){.list = {&node->list}, .futex_offset = offsetof(struct robust_node, futex)};
	CHECK_EQ(syscall(SYS_set_robust_list, head, sizeof(*head)), 0);
	atomic_store(&held, 1);
	while (!atomic_load(&step))
		sleep_ms(1);
	syscall(SYS_exit, 0); /* of this thread alone, and libc does nothing any more */
	return NULL;
}

int main(void)
{
	pthread_t thread;
	uint32_t *tid, before;

	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	for (uint32_t i = 0; i < SIZE; i += 4)
		*(uint32_t *)(memory + i) = i * 2654435761u;
	tid = (uint32_t *)(memory + TID_AT);
	CHECK_EQ(pthread_create(&thread, NULL, owner, NULL), 0);
	CHECK(reached(&held, 1));
	before = *tid;
	hook();

	atomic_store(&step, 1);
	for (int i = 0; i < 2000 && syscall(SYS_tgkill, getpid(), before, 0) == 0; i++)
		sleep_ms(1);
	CHECK_EQ(*tid, 0);
	CHECK(((struct robust_node *)(memory + FUTEX_AT))->futex & FUTEX_OWNER_DIED);
	CHECK_EQ(*(uint32_t *)(memory + (1u << 20)), (1u << 20) * 2654435761u);
	return pass();
}
