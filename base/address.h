/* SPDX-License-Identifier: MIT */
/* Socket addresses in words: "127.0.0.1:8000", "[::1]:53", "/run/app.sock", "@abstract"; "" for one without a name. */
#ifndef WARM_BASE_ADDRESS_H
#define WARM_BASE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#define ADDRESS_WORDS_MAX 128

/* addr: as getsockname(2) fills it, len bytes, at any alignment. Returns words. What cannot be printed becomes '?'. */
const char *address_words(const void *addr, size_t len, char words[ADDRESS_WORDS_MAX]);

/* A unix socket's address with a file behind it. */
bool address_is_path(const void *addr, size_t len);

#endif
