/* SPDX-License-Identifier: MIT */
#include "snapshot/smaps.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "snapshot/subject.h"

#define SMAPS_MAX  (256u << 20)
#define SMAPS_MORE 16384 /* what comes in the moment before it stands still */

struct smaps {
	pthread_t thread;
	bool runs;
	int proc_fd;
	char *text;
	size_t room;
	int r; /* of reading */
};

static int read_all(struct smaps *smaps)
{
	free(smaps->text);
	smaps->text = NULL;
	return fd_read_file_at(smaps->proc_fd, "smaps", SMAPS_MAX, &smaps->text, &smaps->room);
}

/* Into its place, unless there are many more areas by now. */
static void *read_again(void *arg)
{
	struct smaps *smaps = arg;
	CLEAN(fd) int fd = openat(smaps->proc_fd, "smaps", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -errno : fd_read_full(fd, smaps->text, smaps->room - 1);

	if (n >= 0 && (size_t)n < smaps->room - 1) {
		smaps->text[n] = '\0';
		smaps->r = 0;
	} else {
		smaps->r = n < 0 ? (int)n : read_all(smaps);
	}
	return NULL;
}

static int smaps_new(struct subject *s, struct err *err)
{
	int r;

	s->smaps = calloc(1, sizeof(*s->smaps));
	if (!s->smaps)
		return err_sys(err, ENOMEM, "areas of process %d", s->pid);
	s->smaps->proc_fd = s->proc_fd;
	r = read_all(s->smaps);
	return r < 0 ? err_sys(err, -r, "areas of process %d", s->pid) : 0;
}

int smaps_prepare(struct subject *s, struct err *err)
{
	int r = smaps_new(s, err);
	size_t room;
	char *more;

	if (r < 0)
		return r;
	room = s->smaps->room + s->smaps->room / 4 + SMAPS_MORE;
	more = realloc(s->smaps->text, room);
	if (!more)
		return err_sys(err, ENOMEM, "areas of process %d", s->pid);
	s->smaps->text = memset(more, 0, room);
	s->smaps->room = room;
	return 0;
}

void smaps_begin(struct subject *s)
{
	s->smaps->runs = pthread_create(&s->smaps->thread, NULL, read_again, s->smaps) == 0;
	if (!s->smaps->runs)
		read_again(s->smaps);
}

static void wait_for(struct smaps *smaps)
{
	if (smaps->runs)
		pthread_join(smaps->thread, NULL);
	smaps->runs = false;
}

int smaps_end(struct subject *s, char **ret, struct err *err)
{
	int r = s->smaps ? 0 : smaps_new(s, err);

	if (r < 0)
		return r;
	wait_for(s->smaps);
	*ret = s->smaps->text;
	return s->smaps->r < 0 ? err_sys(err, -s->smaps->r, "areas of process %d", s->pid) : 0;
}

void smaps_free(struct smaps *smaps)
{
	if (!smaps)
		return;
	wait_for(smaps);
	free(smaps->text);
	free(smaps);
}
