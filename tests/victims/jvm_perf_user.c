/* SPDX-License-Identifier: MIT */
/* As jvm_perf, of a user that is not root: what the plugin makes for it is that user's. victim: as-nobody */
#include "jvm_perf.c"
