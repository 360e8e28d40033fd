/* SPDX-License-Identifier: MIT */
/*
 * A clone, its supervisor, a loader and a real warm-pager, without the rest of Warm.
 *
 *     case (outside) ──┬── warm-pager, its guardian
 *                      └── supervisor, pid 1 of a pid namespace ── clone (inside) ── its children
 *
 * The image has STAGE_PAGES pages in runs with holes between them, over STAGE_SPAN pages of addresses. What is in a
 * page is told by its number, and no byte of it is zero. Inside, a failed check ends the clone with 1 and says why.
 */
#ifndef WARM_TESTS_PAGER_STAGE_H
#define WARM_TESTS_PAGER_STAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE        4096ul
#define STAGE_BASE  0x200000000000ul
#define STAGE_SPAN  4096u /* pages from STAGE_BASE on */
#define STAGE_AREAS 3     /* of equal length, next to each other; what is behind them is free */
#define HOLE        (-1)
#define PLACED(i)   ((i) % 7 == 3) /* addresses that a loader fills itself, where stage.place says so */

#define ENDED_BY_PAGER 77 /* how a supervisor ends whose connection to the pager has ended */

/* What all processes of a case share. */
struct shared {
	volatile uint64_t wrong;  /* pages that were seen with something else than what they had to have */
	volatile uint64_t seen;   /* pages that were looked at */
	volatile uint64_t signal; /* for whatever a case wants to say */
};

struct stage {
	int image_fd, requests[2], report[2];
	pid_t pager;
	struct shared *shared;
	int n_pages;
	int log_fd;              /* what the pager keeps a list in, or -1 */
	bool place;              /* the loader puts the pages of PLACED there, and something of its own */
	const char *cache_bytes; /* of the pager; NULL: as it likes */
	unsigned max_fds;        /* of the pager; 0: as many as may be */
	int page_at[STAGE_SPAN]; /* number of the image's page at each address, or HOLE */
};

typedef void inside_fn(struct stage *stage);

/* ---- outside ---- */
void stage_init(struct stage *stage);
void stage_start_pager(struct stage *stage);
/* Starts a supervisor and in it a clone, which goes on when it has been handed to the pager. Returns the supervisor. */
pid_t stage_clone(struct stage *stage, inside_fn *inside);
int stage_wait(pid_t supervisor); /* how it ended: 0, 1, ENDED_BY_PAGER, 128 + signal */
/* No more requests: the pager has to end, in order. Checks that. */
void stage_end_pager(struct stage *stage);
/* The next report of the pager; waits for it. text: 240 bytes. Returns its kind, 0 at the end of file. */
unsigned stage_report(struct stage *stage, char *text);
pid_t stage_guardian(const struct stage *stage); /* 0: there is none at the moment */

/* ---- both ---- */
void stage_die(const char *file, int line, const char *what) __attribute__((noreturn));
#define CHECK(what) ((what) ? (void)0 : stage_die(__FILE__, __LINE__, #what))

uint64_t stage_random(uint64_t below); /* of each process its own, the same in each run */
void stage_seed(uint64_t seed);

/* ---- inside ---- */
/* Whether a page has what the image's page of that number has; HOLE: zeroes. Counts in `shared`. */
bool stage_has(const struct stage *stage, const void *at, int page);
void *stage_at(unsigned index);
void stage_hold(struct stage *stage); /* touches nothing until shared->signal is 1 */

#endif
