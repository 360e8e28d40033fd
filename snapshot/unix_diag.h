/* SPDX-License-Identifier: MIT */
/* What the kernel tells of a unix socket by its inode: sock_diag(7). */
#ifndef WARM_SNAPSHOT_UNIX_DIAG_H
#define WARM_SNAPSHOT_UNIX_DIAG_H

#include <stdint.h>

struct unix_diag_answer {
	int state;            /* TCP_CLOSE, TCP_LISTEN, TCP_ESTABLISHED */
	uint64_t peer;        /* inode of the other end; 0 = none */
	uint32_t read_queue;  /* listening: connections that wait */
	uint32_t write_queue; /* listening: backlog */
	unsigned shutdown;    /* 1 = reading, 2 = writing */
	uint64_t file_ino;    /* bound to a path: inode of its file; 0 = none */
};

/* 0 or -errno. The socket must be in this network namespace. */
int unix_diag_ask(uint64_t inode, struct unix_diag_answer *ret);

#endif
