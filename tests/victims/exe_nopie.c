/* SPDX-License-Identifier: MIT */
/* A program at the fixed addresses of old. */
#include "exe.h"
