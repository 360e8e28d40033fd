/* SPDX-License-Identifier: MIT */
/* A parked loader: all that a start from disk needs and that does not depend on the image is done. */
#ifndef WARM_RESTORE_LOADER_H
#define WARM_RESTORE_LOADER_H

#include "restore/restore.h"

struct err;

/* Reports REPORT_TEMPLATE_READY on req->sock_fd, waits there for a struct load_image, and becomes that launch. Returns
 * 0 when the other side is gone, negative on failure. */
int loader_run(struct restore_request *req, struct err *err);

#endif
