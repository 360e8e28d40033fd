/* SPDX-License-Identifier: MIT */
#include "snapshot/files_internal.h"

#include <errno.h>

#include "base/err.h"

int collect_socket(struct subject *s, struct open_file *f, struct err *err)
{
	(void)s;
	return err_set(err, ENOTSUP, "fd %d: socket", f->fd);
}

int check_sockets(struct subject *s, struct err *err)
{
	(void)s;
	(void)err;
	return 0;
}
