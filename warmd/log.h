/* SPDX-License-Identifier: MIT */
/*
 * What warmd has to tell the person who runs it: one line each, to standard error or to a file of the cache root.
 */
#ifndef WARM_WARMD_LOG_H
#define WARM_WARMD_LOG_H

/* From now on to the file `path`, which is begun anew once it is longer than 1 MiB. */
void log_to_file(const char *path);
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
