/* SPDX-License-Identifier: MIT */
/*
 * An image learns from its first launches from disk: the pager tells which pages each of them asked for (PAGER_RECORD),
 * and some time later, at low priority, warm-store writes the image anew with these pages in front, where the next
 * launch gets them all at once. The new file takes the place of the old one; who has that open goes on with it.
 *
 *     IDLE ──learning_begin()──► LISTENING ──after 1.2 s, or its end──► STORING ──► IDLE
 *
 * What a program that ends asks for behind its last word is its tidying up (an interpreter touches most of its heap
 * then), and nothing that a launch waits for: such a list is cut where that word was noticed.
 *
 * Nothing depends on it: a list that is lost means that a later launch is learnt from.
 */
#ifndef WARM_WARMD_LEARNING_H
#define WARM_WARMD_LEARNING_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct entry;
struct worker;

struct learning {
	int log_fd;
	unsigned n_launches; /* that it has learnt from: those of the image, and those that asked for nothing */
	uint64_t last_faults;
	struct worker *worker;
	ev_timer due;

	ev_timer look;     /* while a program is listened to: */
	int proc_fd;       /* of it, or -1 */
	uint64_t n_writes; /* write(2) calls so far */
	uint64_t said;     /* bytes of the list when the last of them was seen */
};

void learning_init(struct entry *entry);
void learning_fini(struct entry *entry);

/* Whether its next launch should be one from disk, a standby or not: nothing but a launch tells what launches read. */
bool learning_wants(const struct entry *entry);

/* A launch from disk begins: where its pages go, or -1. The descriptor stays ours. */
int learning_begin(struct entry *entry);

/* ... and runs, as this process. */
void learning_launched(struct entry *entry, pid_t pid);

#endif
