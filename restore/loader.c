/* SPDX-License-Identifier: MIT */
#include "restore/loader.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fd.h"
#include "proto/launch.h"
#include "restore/place.h"
#include "restore/ready.h"

int loader_run(struct restore_request *req, struct err *err)
{
	static struct load_image load; /* outlives this function: the label */
	const struct report ready = {.magic = REPORT_MAGIC, .kind = REPORT_TEMPLATE_READY, .op = -1};
	struct place place;
	int fds[LOAD_FDS_MAX], other = LOAD_OTHERS, r;
	size_t n_fds = LOAD_FDS_MAX;
	ssize_t len;

	r = place_ask(&place, err);
	if (r < 0)
		return r;
	ready_make(&place);
	r = fd_send(req->sock_fd, &ready, sizeof(ready), NULL, 0);
	if (r < 0)
		return err_sys(err, -r, "tell that the loader is ready");
	len = fd_recv(req->sock_fd, &load, sizeof(load), fds, &n_fds, 0);
	if (len == 0)
		return 0;
	if (len < 0)
		return err_sys(err, (int)-len, "hear which image is wanted");
	if (len != sizeof(load) || load.magic != LOAD_MAGIC || load.label[sizeof(load.label) - 1] ||
	    n_fds != LOAD_OTHERS + (size_t)__builtin_popcount(load.flags & (LOAD_TERMINAL | LOAD_PAGER | LOAD_RECORD)))
		return err_set(err, EPROTO, "the loader was asked for what it does not understand");
	req->label = load.label;
	req->straight = true;
	req->image_fd = fds[LOAD_IMAGE];
	req->go_fd = fds[LOAD_GO];
	req->sup_fd = fds[LOAD_SUP];
	if (load.flags & LOAD_TERMINAL)
		req->tty_fd = fds[other++];
	req->paged = load.flags & LOAD_PAGER;
	if (req->paged)
		req->pager_fd = fds[other++];
	req->log_fd = load.flags & LOAD_RECORD ? fds[other++] : -1;
	return restore_run(req, &place, err);
}
