/* SPDX-License-Identifier: MIT */
/* A static program that may lie anywhere. */
#include "exe.h"
