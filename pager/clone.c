/* SPDX-License-Identifier: MIT */
#include "pager/clone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

void clone_adopt(struct clone *clone, struct space *space)
{
	space->clone = clone;
	space->log = &clone->log;
	TAILQ_INSERT_HEAD(&clone->spaces, space, of_clone);
	clone->n_spaces++;
}

void clone_drop(struct space *space)
{
	TAILQ_REMOVE(&space->clone->spaces, space, of_clone);
	space->clone->n_spaces--;
	space_free(space);
}

/* The other direction stays open: by it we see when the supervisor has gone. */
void clone_fail(struct clone *clone)
{
	clone->failed = true;
	shutdown(clone->life_fd, SHUT_WR);
}

void clone_free(struct images *images, struct clone *clone)
{
	image_put(images, clone->image);
	log_fini(&clone->log);
	close(clone->life_fd);
	free(clone);
}

/* ---- what is asked ---------------------------------------------------------------------------------------------- */

static int check_areas(const struct pager_area *area, uint32_t n, struct err *err)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (area[i].start % PACK_PAGE || area[i].end % PACK_PAGE || area[i].start < end ||
		    area[i].end <= area[i].start)
			return err_set(err, EPROTO, "request to the pager: areas that do not ascend");
		end = area[i].end;
	}
	return 0;
}

static int check_request(const struct pager_request *request, const struct pager_area *area, size_t len, size_t n_fds,
                         struct err *err)
{
	if (len < sizeof(*request) || request->magic != PAGER_MAGIC || request->kind != PAGER_SERVE ||
	    request->n_areas > PAGER_AREAS_MAX || len != sizeof(*request) + request->n_areas * sizeof(*area) ||
	    !memchr(request->label, '\0', sizeof(request->label)) ||
	    n_fds != (request->flags & PAGER_RECORD ? PAGER_FDS_MAX : PAGER_N_FDS))
		return err_set(err, EPROTO, "request to the pager: not understood");
	return check_areas(area, request->n_areas, err);
}

/* What pages the image has where nothing is registered, somebody else has put there. */
static int owe(const struct image *image, const struct pager_area *area, uint32_t n, struct owed *owed)
{
	uint64_t end = 0;
	int r = owed_copy(image_pages(image), owed);

	for (uint32_t i = 0; r == 0 && i < n; i++) {
		r = owed_drop(owed, end, area[i].start);
		end = area[i].end;
	}
	return r ? r : owed_drop(owed, end, UINT64_MAX);
}

static int begin(struct clone *clone, struct images *images, const struct pager_request *request, size_t len,
                 int image_fd, size_t n_fds, struct owed *owed, struct err *err)
{
	const struct pager_area *area = (const struct pager_area *)(request + 1);
	int r = check_request(request, area, len, n_fds, err);

	if (r < 0) {
		close(image_fd);
		return r;
	}
	memcpy(clone->label, request->label, sizeof(clone->label));
	r = image_get(images, image_fd, clone->label, &clone->image, err);
	if (r == 0 && owe(clone->image, area, request->n_areas, owed))
		r = err_sys(err, ENOMEM, "addresses of its pages");
	return r;
}

struct clone *clone_new(struct images *images, const void *request, size_t len, const int *fds, size_t n_fds,
                        struct err *err)
{
	struct clone *clone = calloc(1, sizeof(*clone));
	struct owed owed = {0};
	struct space *space;
	int r;

	if (!clone)
		return NULL;
	clone->life_fd = fds[PAGER_LIFE];
	TAILQ_INIT(&clone->spaces);
	log_init(&clone->log, n_fds > PAGER_LOG ? fds[PAGER_LOG] : -1);
	r = begin(clone, images, request, len, fds[PAGER_IMAGE], n_fds, &owed, err);
	space = space_new(fds[PAGER_UFFD], &owed);
	if (!space) {
		log_fini(&clone->log);
		free(clone);
		return NULL;
	}
	clone_adopt(clone, space);
	clone->failed = r < 0; /* the caller tells the supervisor, by clone_fail() */
	return clone;
}
