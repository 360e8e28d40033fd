/* SPDX-License-Identifier: MIT */
/*
 * Gives up what warmd does not need: capabilities but those for looking at its callers and their files, and by seccomp
 * everything that traces, executes, mounts or changes namespaces. No clone descends from warmd: none inherits it.
 * The only door to libcap and libseccomp.
 */
#ifndef WARM_WARMD_CONFINE_H
#define WARM_WARMD_CONFINE_H

struct err;

int confine(struct err *err);

#endif
