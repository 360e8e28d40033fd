/* SPDX-License-Identifier: MIT */
/*
 * One clone that is served: its address spaces, its image, and `life`, the connection to its supervisor
 * (proto/pager.h). It is there until the supervisor has gone and no address space is left. One that cannot be served
 * (`failed`) is not looked at any more: who waits for a page of it waits until it is killed.
 *
 * A userfaultfd is closed when its address space is there no more, and not before: whoever still ran in it would read
 * zeroes from then on. The end of the supervisor comes before that of the processes that end with it.
 */
#ifndef WARM_PAGER_CLONE_H
#define WARM_PAGER_CLONE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "pager/image.h"
#include "pager/log.h"
#include "pager/space.h"
#include "proto/pager.h"

struct clone {
	int kind;              /* enum watched, of the loop */
	bool failed, orphaned; /* it cannot be served; its supervisor has gone */
	LIST_ENTRY(clone) entry;
	LIST_ENTRY(clone) orphan; /* in the list of those, where orphaned */
	char label[PAGER_LABEL];
	int life_fd;
	struct image *image; /* NULL: it could not be read */
	struct log log;      /* of what it asks for */
	struct space_list spaces;
	size_t n_spaces;
};

LIST_HEAD(clone_list, clone);

/*
 * Takes fds[], PAGER_N_FDS or PAGER_FDS_MAX of them, and always makes a clone of them: where the request or the image
 * is no good *err says so, and it is one that cannot be served. NULL: no memory.
 */
struct clone *clone_new(struct images *images, const void *request, size_t len, const int *fds, size_t n_fds,
                        struct err *err);

/* No address space may be left. */
void clone_free(struct images *images, struct clone *clone);

/* The supervisor is told that the clone has to end. */
void clone_fail(struct clone *clone);

void clone_adopt(struct clone *clone, struct space *space);
void clone_drop(struct space *space); /* frees it */

#endif
