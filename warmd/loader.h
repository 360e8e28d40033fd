/* SPDX-License-Identifier: MIT */
/*
 * Parked loaders: warm-restore processes without an image, for launches that find no template. One that is taken
 * becomes the standby of that launch and is replaced soon.
 *
 *     start ──► STARTING ──REPORT_TEMPLATE_READY──► PARKED ──loader_take()──► LOADING ──REPORT_DONE──► gone: the
 * standby └── failed: tried again after a while                          └──REPORT_FAILED──► standby_load_failed()
 */
#ifndef WARM_WARMD_LOADER_H
#define WARM_WARMD_LOADER_H

#include <stdbool.h>
#include <stdint.h>

struct daemon;
struct entry;
struct err;
struct launch_traits;
struct loader;
struct loaders;
struct standby;

int loaders_new(struct daemon *daemon, struct loaders **ret, struct err *err);
void loaders_free(struct loaders *loaders);

unsigned loaders_parked(const struct loaders *loaders);

/* Whether there is a pager, which can say what a launch asks for. */
bool loaders_record(const struct loaders *loaders);

/* A parked one, or NULL; the caller's, until it is done. Where there is none, exec_jobs_loader_parked() is called when
 * there is, or exec_jobs_loader_failed(). */
struct loader *loader_take(struct loaders *loaders);

/* Asks it for the image of this entry, for a standby on these sockets (tty_fd: -1 or the terminal it is born with).
 * They stay the caller's. Failures of its own are told to standby_load_failed(). 0 or negative. */
int loader_load(struct loader *loader, struct entry *entry, struct standby *standby, int go_fd, int sup_fd, int tty_fd,
                struct err *err);

/* Limits, niceness and so on that it was born with. */
const struct launch_traits *loader_traits(const struct loader *loader);

/* Of a standby that is given up while it loads. NULL is fine. */
void loader_free(struct loader *loader);

#endif
