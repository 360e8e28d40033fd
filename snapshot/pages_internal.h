/* SPDX-License-Identifier: MIT */
/* Pages, from the one who finds them to the one who stores them. Private to snapshot/. */
#ifndef WARM_SNAPSHOT_PAGES_INTERNAL_H
#define WARM_SNAPSHOT_PAGES_INTERNAL_H

#include "snapshot/subject.h"

/* snapshot/collect_pages.c: 0 or -ENOMEM */
int pages_add_run(struct subject *s, uint64_t addr, uint64_t pages);
/* Of the areas that kept memory has not. */
int find_unforked_pages(struct subject *s, struct err *err);

/* snapshot/collect_shared.c: of the area that begins there; the object's, whether they are in the page tables or not.
 */
int find_shared_pages(struct subject *s, uint64_t start, struct err *err);

/*
 * snapshot/aside.c: what is read of a process that stands still, and lies aside until all is stored.
 *
 * The index is that of the image, which has nothing else yet; aside_take() takes it over, with a file for the bytes.
 */
struct aside {
	int fd;          /* a memfd: its pages, in the order of the index */
	uint64_t offset; /* of what is read next */
	uint64_t *run_addr, *guard_addr, *guard_len;
	uint32_t *run_pages;
	size_t n_runs, n_guards;
};

int aside_take(struct subject *s, struct err *err);
/* Puts what the index has of that area back into the image's. */
int aside_take_back(struct subject *s, const struct area *area, struct err *err);
void aside_free(struct aside *aside);

#endif
