/* SPDX-License-Identifier: MIT */
/*
 * Which kernel this is: release, version and a digest of the vdso's bytes, which snapshots hold addresses of.
 */
#ifndef WARM_BASE_KERNEL_H
#define WARM_BASE_KERNEL_H

#define KERNEL_IDENTITY_MAX 192

void kernel_identity(char text[KERNEL_IDENTITY_MAX]);

#endif
