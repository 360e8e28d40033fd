/* SPDX-License-Identifier: MIT */
/*
 * Which CPU this is, as far as a program can have chosen code by it: vendor, model and a digest of every feature leaf
 * of CPUID and of XCR0. Equal on all cores. In a virtual machine each CPUID is a trap: read it once and keep it.
 */
#ifndef WARM_BASE_CPU_H
#define WARM_BASE_CPU_H

#define CPU_IDENTITY_MAX 64

void cpu_identity(char text[CPU_IDENTITY_MAX]);

#endif
