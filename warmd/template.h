/* SPDX-License-Identifier: MIT */
/*
 * The parked address space of one image: a warm-restore process that standbys are cloned from.
 *
 *     template_start() ──► BUILDING ──REPORT_TEMPLATE_READY──► READY ──► template_free()
 *                             └──REPORT_FAILED, crash, 30 s──► pool_template_failed()
 */
#ifndef WARM_WARMD_TEMPLATE_H
#define WARM_WARMD_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

struct entry;
struct err;
struct launch_traits;
struct template;

struct template *template_start(struct entry *entry, bool huge, struct err *err);
bool template_huge(const struct template *tmpl); /* its memory is in huge pages, where it can be; NULL: no */
void template_free(struct template *tmpl);

bool template_ready(const struct template *tmpl);
uint64_t template_bytes(const struct template *tmpl);

/* Limits, niceness and so on that standbys of it are born with. Of a template that is ready. */
const struct launch_traits *template_traits(const struct template *tmpl);

/* Asks for a standby that will speak on these two sockets, with this controlling terminal (-1: none); all of them stay
 * the caller's. 0 or -errno. */
int template_make_standby(struct template *tmpl, int go_fd, int sup_fd, int tty_fd, bool hurry);

#endif
