/* SPDX-License-Identifier: MIT */
/* From an image file to a template: open, plan, place, jump. The table of contents is restore_run(). */
#ifndef WARM_RESTORE_RESTORE_H
#define WARM_RESTORE_RESTORE_H

#include "plugins/plugins.h"

struct err;

struct restore_request {
	int image_fd;
	int sock_fd;       /* the template's socket to warmd */
	int init_fd;       /* an open warm-init */
	const char *label; /* of the image, for messages */
	struct plugins_place plugins;
};

/* Does not return on success: this process has become the template. Owns the descriptors from here on. */
int restore_run(const struct restore_request *req, struct err *err);

/* Prints the plan, one operation a line, on standard output. Needs no privilege. */
int restore_print_plan(const struct restore_request *req, struct err *err);

#endif
