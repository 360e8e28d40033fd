/* SPDX-License-Identifier: MIT */
/*
 * Holds the memory of a process, whatever becomes of that: a thread of ours in the middle of a pread(2) of its
 * /proc/PID/mem. That call has the memory in use until it ends, and it does not end before the page is there that it
 * reads into: one that userfaultfd(2) is waited for. Descriptors of /proc/PID/mem, maps and pagemap that were opened
 * while the process lived go on showing it. With this process everything ends, at whatever moment.
 */
#ifndef WARM_SNAPSHOT_HOLDER_H
#define WARM_SNAPSHOT_HOLDER_H

#include <stdint.h>

struct holder;

/* NULL: errno says why; userfaultfd(2) is missing, or memory. */
struct holder *holder_new(void);

/* mem: /proc/PID/mem, the caller's, open until holder_free(). at: a readable address there. Returns 0 when it holds
 * the memory, or -errno. */
int holder_hold(struct holder *holder, int mem, uint64_t at);

/* Lets go of it. NULL is no holder. */
void holder_free(struct holder *holder);

#endif
