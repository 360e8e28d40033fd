/* SPDX-License-Identifier: MIT */
/*
 * Programs that execve(2) gives rights to: a clone would have them without being asked.
 */
#ifndef WARM_WARMD_PRIVILEGED_H
#define WARM_WARMD_PRIVILEGED_H

struct err;

/* -EPERM with the words for set-uid, set-gid and file-capability programs, 0 for all others, also missing ones. */
int privileged_file(const char *path, struct err *err);

#endif
