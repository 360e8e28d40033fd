/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "snapshot/pages_internal.h"

int aside_take(struct subject *s, struct err *err)
{
	Warm__Image__Image *image = s->image;
	struct aside *aside = malloc(sizeof(*aside));

	if (!aside)
		return err_sys(err, ENOMEM, "page index");
	*aside = (struct aside){.fd = memfd_create("warm-aside", MFD_CLOEXEC),
	                        .run_addr = image->run_addr,
	                        .run_pages = image->run_pages,
	                        .n_runs = image->n_run_addr,
	                        .guard_addr = image->guard_addr,
	                        .guard_len = image->guard_len,
	                        .n_guards = image->n_guard_addr};
	s->aside = aside;
	image->run_addr = image->guard_addr = image->guard_len = NULL;
	image->run_pages = NULL;
	image->n_run_addr = image->n_run_pages = image->n_guard_addr = image->n_guard_len = 0;
	return aside->fd < 0 ? err_sys(err, errno, "memory for the image") : 0;
}

static bool is_in(const struct area *area, uint64_t addr)
{
	return addr >= area->start && addr < area->end;
}

int aside_take_back(struct subject *s, const struct area *area, struct err *err)
{
	const struct aside *aside = s->aside;
	int r = 0;

	for (size_t i = 0; r == 0 && i < aside->n_runs; i++)
		if (is_in(area, aside->run_addr[i]))
			r = pages_add_run(s, aside->run_addr[i], aside->run_pages[i]);
	for (size_t i = 0; r == 0 && i < aside->n_guards; i++)
		if (is_in(area, aside->guard_addr[i]) && (GROW(s->image, guard_addr, aside->guard_addr[i]) < 0 ||
		                                          GROW(s->image, guard_len, aside->guard_len[i]) < 0))
			r = -ENOMEM;
	return r < 0 ? err_sys(err, ENOMEM, "page index") : 0;
}

void aside_free(struct aside *aside)
{
	if (!aside)
		return;
	if (aside->fd >= 0)
		close(aside->fd);
	free(aside->run_addr);
	free(aside->run_pages);
	free(aside->guard_addr);
	free(aside->guard_len);
	free(aside);
}
