/* SPDX-License-Identifier: MIT */
/* Between the planners of descriptors. Private to restore/. */
#ifndef WARM_RESTORE_FILES_INTERNAL_H
#define WARM_RESTORE_FILES_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "proto/image.pb-c.h"

struct err;
struct plan;

/* Each description of one pipe, or of one socket pair, is met in turn; the first one makes both ends. */
int plan_pipe(struct plan *p, size_t description, struct err *err);
void plan_nameless(struct plan *p, size_t description);
void plan_fifo_open(struct plan *p, size_t description); /* phase 3 */
int plan_socket(struct plan *p, size_t description, struct err *err);
void plan_socket_bind(struct plan *p, size_t description);
void plan_socket_options(struct plan *p, const Warm__Image__Socket *sock, uint32_t slot);
void plan_socket_flags(struct plan *p, const Warm__Image__Description *d, uint32_t slot);
void plan_inet_bind(struct plan *p, size_t description, uint64_t fd, uint64_t addr);
void plan_inet_connect(struct plan *p, const Warm__Image__Socket *sock, uint64_t fd);
void plan_inet_reset(struct plan *p, size_t description);

/* pipe2(), or socketpair(a, b, c): both new descriptors, raised above fd_base, in slot and slot + 1. */
void plan_two(struct plan *p, uint16_t nr, uint64_t a, uint64_t b, uint64_t c, uint32_t slot);

/* The open file in SLOT_TMP stands there. */
void plan_offset(struct plan *p, uint64_t position);

/* A descriptor number that uses the description; -1: none does. */
int plan_number_of(const struct plan *p, size_t description);

#endif
