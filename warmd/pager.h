/* SPDX-License-Identifier: MIT */
/*
 * The process that brings the memory of clones that were started from disk (pager/, proto/pager.h). It is there as long
 * as this daemon is; one that was killed is started again after a while. It outlives this daemon for the clones that it
 * serves.
 */
#ifndef WARM_WARMD_PAGER_H
#define WARM_WARMD_PAGER_H

struct daemon;
struct pager;

struct pager *pager_new(struct daemon *daemon); /* NULL: out of memory */
void pager_free(struct pager *pager);

/* Where requests go: a descriptor that stays the pager's, or -1 while there is nobody who can be asked. */
int pager_requests(const struct pager *pager);

#endif
