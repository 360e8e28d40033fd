/* SPDX-License-Identifier: MIT */
/* A static program: no dynamic loader, no libc beside it that a way out could be found in. */
#include "exe.h"
