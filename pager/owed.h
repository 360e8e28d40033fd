/* SPDX-License-Identifier: MIT */
/*
 * Which pages of its image an address space is still owed: addresses → numbers of pages. What is not in here reads as
 * zeroes. A page leaves when it has been put into memory, and when the program discards, unmaps or moves it. Pure.
 *
 * Pieces (addresses and pages that follow each other) lie in leaves, ascending. A copy shares the leaves until one of
 * the two changes them: a fork costs a list of pointers. Addresses are multiples of the page size, ends are exclusive.
 * All return 0 or -ENOMEM, behind which a map may only be thrown away.
 */
#ifndef WARM_PAGER_OWED_H
#define WARM_PAGER_OWED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct owed_leaf;

struct owed_piece {
	uint64_t addr, page, pages;
};

struct owed {
	struct owed_leaf **leaf; /* none is empty */
	size_t n_leaves, room;
};

void owed_fini(struct owed *owed);

/* *ret is not initialised before. */
int owed_copy(const struct owed *owed, struct owed *ret);

/* Nothing is owed there so far. */
int owed_add(struct owed *owed, const struct owed_piece *piece);

int owed_drop(struct owed *owed, uint64_t start, uint64_t end);

/* What is owed at from... is so at to... afterwards, and what was owed there is not. The two may overlap. */
int owed_move(struct owed *owed, uint64_t from, uint64_t to, uint64_t len);

/* The first piece that ends above addr: addr lies in it or before it. False: there is none. */
bool owed_find(const struct owed *owed, uint64_t addr, struct owed_piece *ret);

#endif
