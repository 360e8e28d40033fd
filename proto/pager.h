/* SPDX-License-Identifier: MIT */
/*
 * What is asked of warm-pager: to serve the page faults of one clone that was restored lazily.
 *
 *     loader ──pager_request + areas + fds──► warm-pager ══ userfaultfd ══► the clone's address spaces
 *                                                 └───────── life ────────► the clone's supervisor
 *
 * SOCK_SEQPACKET, one request a datagram, no answer: faults block until they are served. Who may send holds the sending
 * end; when nobody holds it any more, and no clone is left, the pager ends. Integers are little-endian.
 *
 * On its report socket (proto/launch.h) the pager says REPORT_PROGRESS with err 0 when it may be asked: its guardian is
 * there, without which a request in the socket would be lost with a pager that is killed. With err and a text: a clone
 * was given up, the label in front. REPORT_FAILED: it was killed, or cannot go on, and all its clones end. REPORT_DONE:
 * it was not needed any more.
 *
 * Descriptors, in order:
 *   [0] a userfaultfd of the clone's address space: O_NONBLOCK, UFFDIO_API done with PAGER_FEATURES, the areas
 *       registered for UFFDIO_REGISTER_MODE_MISSING
 *   [1] the image file (cache/pack.h), open for reading
 *   [2] life: one end of a SOCK_STREAM or SOCK_SEQPACKET pair. The clone's supervisor - pid 1 of its pid namespace, so
 *       that all of the clone ends with it - holds the other end, and nobody else does.
 *   [3] with PAGER_RECORD: a file that is written to by appending: struct pager_served for each page that was served,
 *       as long as PAGER_RECORD_MS and PAGER_RECORD_MAX last. Meanwhile nothing is served but what is asked for, so
 * that the list is exact The sender closes its own copies when it has sent them, and runs nothing of the application
 * before. From UFFDIO_REGISTER on, whoever unmaps, moves, discards or forks what is registered waits until the pager
 * has heard of it.
 *
 * End of file at the pager's end of life: the clone is over. The pager goes on serving it as long as there still is an
 * address space, then forgets it. End of file at the supervisor's end: the clone can be served no longer, a block of
 * its image is damaged perhaps; the supervisor kills it, SIGKILL and nothing else, for its threads may be blocked in a
 * fault until they die. Nothing is ever said on it.
 *
 * Behind the request lie n_areas struct pager_area, ascending and apart from each other: the registered areas. What
 * pages of the image lie in them and are not in memory comes from the image, all else in them is zeroes. Pages that the
 * sender has put there itself stay as they are.
 */
#ifndef WARM_PROTO_PAGER_H
#define WARM_PROTO_PAGER_H

#include <stdint.h>

#define PAGER_MAGIC     0x554d5257u /* "WRMU" */
#define PAGER_LABEL     24
#define PAGER_AREAS_MAX 4096

/* UFFD_FEATURE_EVENT_FORK, _REMAP, _REMOVE, _UNMAP: all that changes what lies where is told to the pager. */
#define PAGER_FEATURES 0x4eu

enum pager_kind { PAGER_SERVE = 1 };

enum pager_fd { PAGER_UFFD = 0, PAGER_IMAGE = 1, PAGER_LIFE = 2, PAGER_N_FDS = 3, PAGER_LOG = 3, PAGER_FDS_MAX = 4 };

enum pager_flags { PAGER_RECORD = 1 << 0 };

#define PAGER_RECORD_MS  1000
#define PAGER_RECORD_MAX 32768 /* pages */

/* Pages of the image, in the order in which they were asked for; those of zeroes are not told. */
struct pager_served {
	uint64_t addr;
};

struct pager_area {
	uint64_t start, end;
};

struct pager_request {
	uint32_t magic;
	uint32_t kind;           /* enum pager_kind */
	char label[PAGER_LABEL]; /* for what is said of it: the snapshot's id. NUL-terminated */
	uint32_t n_areas;
	uint32_t flags; /* enum pager_flags */
};

#define PAGER_SIZE_MAX (sizeof(struct pager_request) + PAGER_AREAS_MAX * sizeof(struct pager_area))

#endif
