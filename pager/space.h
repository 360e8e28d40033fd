/* SPDX-License-Identifier: MIT */
/*
 * One address space that is served: its userfaultfd, and what it is still owed. The first one of a clone came from the
 * loader, each fork of the clone makes another.
 *
 * What the program does to its mappings comes as events, each of which the program waits for, in no order that says
 * whether a fault was before or after it. That is settled by the kernel: as long as an event has not been read nothing
 * can be put into memory (EAGAIN), so that whoever reads first and serves then never serves what has been discarded.
 */
#ifndef WARM_PAGER_SPACE_H
#define WARM_PAGER_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "pager/image.h"
#include "pager/owed.h"

struct clone;
struct err;
struct log;

#define SPACE_STREAMS 4

struct fault {
	uint64_t addr;
	bool write;
};

struct space {
	int kind; /* enum watched, of the loop */
	struct clone *clone;
	struct log *log; /* the clone's */
	TAILQ_ENTRY(space) of_clone;
	TAILQ_ENTRY(space) waiting; /* in the loop's list, where `waits` */
	bool waits;
	int uffd;
	struct owed owed;
	struct fault *fault; /* read and not served yet */
	size_t n_faults, room;
	/* Where zeroes were asked for in ascending order: the next address, and how many pages it got last. */
	struct {
		uint64_t next;
		unsigned pages;
	} stream[SPACE_STREAMS];
	unsigned turn;
};

TAILQ_HEAD(space_list, space);
TAILQ_HEAD(waiting_list, space);

/* Takes uffd and what *owed has. NULL: no memory, and both are the caller's. */
struct space *space_new(int uffd, struct owed *owed);
void space_free(struct space *space);

enum space_state {
	SPACE_SERVED = 0, /* nothing is left of what was read */
	SPACE_AGAIN = 1, /* try again in a moment: the program is changing its mappings, or there is no memory for it */
	SPACE_GONE = 2,  /* nobody has this address space any more */
	SPACE_FULL = 3,  /* a child's userfaultfd found no place among our descriptors: it waits in fork(2) */
};

/*
 * Reads what has come and serves all faults that were read. `born`: gets the spaces of children. Returns a state, or
 * -errno: it cannot be served, *err says why.
 */
int space_serve(struct space *space, struct images *images, struct image *image, struct space_list *born,
                struct err *err);

/* 0: the address space of this userfaultfd is there; -ESRCH: it is there no more; else it is no userfaultfd. */
int space_probe(int uffd);

#endif
