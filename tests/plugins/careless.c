/* SPDX-License-Identifier: MIT */
/* The plugin memfile, but that it takes sealed files, too, and forgets the seals. */
#include <fcntl.h>

#define fcntl(...) F_SEAL_SEAL
#include "tests/plugins/memfile.c"
