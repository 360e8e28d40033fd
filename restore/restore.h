/* SPDX-License-Identifier: MIT */
/* From an image file to a template, or straight to the application of one launch: open, plan, place, jump. The table of
 * contents is restore_run(). */
#ifndef WARM_RESTORE_RESTORE_H
#define WARM_RESTORE_RESTORE_H

#include <stdbool.h>

#include "plugins/plugins.h"

struct err;
struct place;

struct restore_request {
	int image_fd;
	int sock_fd;       /* the template's socket to warmd */
	int init_fd;       /* an open warm-init */
	const char *label; /* of the image, for messages */
	struct plugins_place plugins;
	bool huge;     /* a template in huge pages */
	bool straight; /* no template: */
	int go_fd;     /*   the launch's sockets, as in make_standby (proto/launch.h) */
	int sup_fd;
	int tty_fd;   /*   or -1 */
	bool paged;   /*   pages may be left to a pager: */
	int pager_fd; /*   where it is asked */
	int log_fd;   /*   what it keeps a list in, or -1 */
};

/* Does not return on success: this process has become the template, or has given its address space to the application
 * and ended. Owns the descriptors from here on. place: asked (restore/place.h). */
int restore_run(const struct restore_request *req, struct place *place, struct err *err);

/* Prints the plan, one operation a line, on standard output. Needs no privilege. */
int restore_print_plan(const struct restore_request *req, struct err *err);

#endif
