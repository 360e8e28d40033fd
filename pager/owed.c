/* SPDX-License-Identifier: MIT */
#include "pager/owed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clean.h"
#include "cache/pack.h"

#define LEAF_PIECES 64u

struct owed_leaf {
	unsigned refs; /* maps that have it; who is not alone with it changes a copy */
	unsigned n;
	struct owed_piece piece[LEAF_PIECES];
};

static uint64_t end_of(const struct owed_piece *piece)
{
	return piece->addr + piece->pages * PACK_PAGE;
}

/* ---- leaves ----------------------------------------------------------------------------------------------------- */

static struct owed_leaf *leaf_new(const struct owed_piece *piece, unsigned n)
{
	struct owed_leaf *leaf = malloc(sizeof(*leaf));

	if (!leaf)
		return NULL;
	leaf->refs = 1;
	leaf->n = n;
	memcpy(leaf->piece, piece, n * sizeof(*piece));
	return leaf;
}

static void leaf_put(struct owed_leaf *leaf)
{
	if (--leaf->refs == 0)
		free(leaf);
}

/* One that nobody else has. */
static struct owed_leaf *leaf_own(struct owed *owed, size_t i)
{
	struct owed_leaf *old = owed->leaf[i], *own;

	if (old->refs == 1)
		return old;
	own = leaf_new(old->piece, old->n);
	if (!own)
		return NULL;
	leaf_put(old);
	owed->leaf[i] = own;
	return own;
}

static int leaves_insert(struct owed *owed, size_t i, struct owed_leaf *leaf)
{
	if (owed->n_leaves == owed->room) {
		size_t room = owed->room ? owed->room * 2 : 4;
		struct owed_leaf **more = reallocarray(owed->leaf, room, sizeof(struct owed_leaf *));

		if (!more)
			return -ENOMEM;
		owed->leaf = more;
		owed->room = room;
	}
	memmove(owed->leaf + i + 1, owed->leaf + i, (owed->n_leaves - i) * sizeof(struct owed_leaf *));
	owed->leaf[i] = leaf;
	owed->n_leaves++;
	return 0;
}

static void leaves_remove(struct owed *owed, size_t i)
{
	leaf_put(owed->leaf[i]);
	owed->n_leaves--;
	memmove(owed->leaf + i, owed->leaf + i + 1, (owed->n_leaves - i) * sizeof(struct owed_leaf *));
}

/* A full leaf becomes two; at the end of the map, where it grows while it is built, the second one takes nothing along.
 */
static int leaf_split(struct owed *owed, size_t i, unsigned at)
{
	unsigned keep = i + 1 == owed->n_leaves && at == LEAF_PIECES ? LEAF_PIECES - 1 : LEAF_PIECES / 2;
	struct owed_leaf *first = leaf_own(owed, i), *second;

	if (!first)
		return -ENOMEM;
	second = leaf_new(first->piece + keep, first->n - keep);
	if (!second)
		return -ENOMEM;
	if (leaves_insert(owed, i + 1, second)) {
		leaf_put(second);
		return -ENOMEM;
	}
	first->n = keep;
	return 0;
}

/* ---- places ----------------------------------------------------------------------------------------------------- */

/* The first leaf whose last piece ends above addr, and that piece in it; n_leaves where there is none. */
static size_t seek(const struct owed *owed, uint64_t addr, unsigned *ret_at)
{
	size_t low = 0, high = owed->n_leaves;
	unsigned from = 0, to;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct owed_leaf *leaf = owed->leaf[mid];

		if (end_of(&leaf->piece[leaf->n - 1]) > addr)
			high = mid;
		else
			low = mid + 1;
	}
	if (low == owed->n_leaves)
		return low;
	to = owed->leaf[low]->n - 1;
	while (from < to) {
		unsigned mid = from + (to - from) / 2;

		if (end_of(&owed->leaf[low]->piece[mid]) > addr)
			to = mid;
		else
			from = mid + 1;
	}
	*ret_at = from;
	return low;
}

bool owed_find(const struct owed *owed, uint64_t addr, struct owed_piece *ret)
{
	unsigned at = 0;
	size_t i = seek(owed, addr, &at);

	if (i == owed->n_leaves)
		return false;
	*ret = owed->leaf[i]->piece[at];
	return true;
}

int owed_add(struct owed *owed, const struct owed_piece *piece)
{
	unsigned at = 0;
	size_t i = seek(owed, piece->addr, &at);
	struct owed_leaf *leaf;

	if (owed->n_leaves == 0) {
		leaf = leaf_new(piece, 1);
		if (leaf && leaves_insert(owed, 0, leaf) == 0)
			return 0;
		free(leaf);
		return -ENOMEM;
	}
	if (i == owed->n_leaves) {
		i--;
		at = owed->leaf[i]->n;
	}
	if (owed->leaf[i]->n == LEAF_PIECES)
		return leaf_split(owed, i, at) ? -ENOMEM : owed_add(owed, piece);
	leaf = leaf_own(owed, i);
	if (!leaf)
		return -ENOMEM;
	memmove(leaf->piece + at + 1, leaf->piece + at, (leaf->n - at) * sizeof(*piece));
	leaf->piece[at] = *piece;
	leaf->n++;
	return 0;
}

static void remove_at(struct owed *owed, size_t i, struct owed_leaf *leaf, unsigned at)
{
	if (leaf->n == 1) {
		leaves_remove(owed, i);
		return;
	}
	leaf->n--;
	memmove(leaf->piece + at, leaf->piece + at + 1, (leaf->n - at) * sizeof(leaf->piece[0]));
}

/* Takes [start, end) out of one piece, with which it has something in common. */
static int cut(struct owed *owed, size_t i, unsigned at, uint64_t start, uint64_t end)
{
	struct owed_leaf *leaf = leaf_own(owed, i);
	struct owed_piece *piece, rest;

	if (!leaf)
		return -ENOMEM;
	piece = &leaf->piece[at];
	rest = *piece;
	if (end < end_of(piece)) {
		uint64_t skip = (end - piece->addr) / PACK_PAGE;

		rest = (struct owed_piece){end, piece->page + skip, piece->pages - skip};
		if (piece->addr < start) {
			piece->pages = (start - piece->addr) / PACK_PAGE;
			return owed_add(owed, &rest);
		}
		*piece = rest;
	} else if (piece->addr < start) {
		piece->pages = (start - piece->addr) / PACK_PAGE;
	} else {
		remove_at(owed, i, leaf, at);
	}
	return 0;
}

int owed_drop(struct owed *owed, uint64_t start, uint64_t end)
{
	for (;;) {
		unsigned at = 0;
		size_t i = seek(owed, start, &at);
		const struct owed_leaf *leaf = i < owed->n_leaves ? owed->leaf[i] : NULL;

		if (!leaf || leaf->piece[at].addr >= end)
			return 0;
		if (leaf->piece[0].addr >= start && end_of(&leaf->piece[leaf->n - 1]) <= end)
			leaves_remove(owed, i);
		else if (cut(owed, i, at, start, end))
			return -ENOMEM;
	}
}

/* ---- whole maps ------------------------------------------------------------------------------------------------- */

void owed_fini(struct owed *owed)
{
	for (size_t i = 0; i < owed->n_leaves; i++)
		leaf_put(owed->leaf[i]);
	free(owed->leaf);
	*owed = (struct owed){0};
}

int owed_copy(const struct owed *owed, struct owed *ret)
{
	struct owed_leaf **leaf = malloc((owed->n_leaves + 1) * sizeof(struct owed_leaf *));

	if (!leaf)
		return -ENOMEM;
	for (size_t i = 0; i < owed->n_leaves; i++) {
		leaf[i] = owed->leaf[i];
		leaf[i]->refs++;
	}
	*ret = (struct owed){leaf, owed->n_leaves, owed->n_leaves + 1};
	return 0;
}

/* The pieces within [from, end) one after the other, as they will lie at `to`. */
static int move_pieces(struct owed *owed, const struct owed *old, uint64_t from, uint64_t to, uint64_t end)
{
	struct owed_piece piece;
	int r = 0;

	for (uint64_t at = from; r == 0 && at < end && owed_find(old, at, &piece) && piece.addr < end;
	     at = end_of(&piece)) {
		uint64_t skip = piece.addr < from ? (from - piece.addr) / PACK_PAGE : 0;
		uint64_t stop = end_of(&piece) < end ? end_of(&piece) : end;
		struct owed_piece moved = {.addr = piece.addr + skip * PACK_PAGE, .page = piece.page + skip};

		moved.pages = (stop - moved.addr) / PACK_PAGE;
		moved.addr = moved.addr - from + to;
		r = owed_add(owed, &moved);
	}
	return r;
}

int owed_move(struct owed *owed, uint64_t from, uint64_t to, uint64_t len)
{
	struct owed old;
	int r = owed_copy(owed, &old);

	if (r)
		return r;
	r = owed_drop(owed, from, from + len);
	if (r == 0)
		r = owed_drop(owed, to, to + len);
	if (r == 0)
		r = move_pieces(owed, &old, from, to, from + len);
	owed_fini(&old);
	return r;
}
