/* SPDX-License-Identifier: MIT */
/*
 * Gives up what warmd, or warm-opened, does not need: capabilities but those for looking at its callers and their
 * files, and by seccomp everything that traces, executes, mounts or changes namespaces. No clone descends from either:
 * none inherits it. The only door to libcap and libseccomp.
 */
#ifndef WARM_WARMD_CONFINE_H
#define WARM_WARMD_CONFINE_H

struct err;

enum confined { CONFINED_WARMD, CONFINED_OPENED };

int confine(enum confined who, struct err *err);

#endif
