/* SPDX-License-Identifier: MIT */
/*
 * Gives up what warmd, warm-opened or warm-pager does not need: capabilities but those for looking at its callers and
 * their files, and by seccomp everything that traces, executes, mounts or changes namespaces; the pager has no
 * capability, and no system call but the few that it makes. No clone descends from any of them: none inherits it. The
 * only door to libcap and libseccomp.
 */
#ifndef WARM_WARMD_CONFINE_H
#define WARM_WARMD_CONFINE_H

struct err;

enum confined { CONFINED_WARMD, CONFINED_OPENED, CONFINED_PAGER };

int confine(enum confined who, struct err *err);

#endif
