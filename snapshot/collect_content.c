/* SPDX-License-Identifier: MIT */
/*
 * What is in the files that the program has mapped shared for writing. A store into such memory moves the file's times
 * only where the page was clean, and on tmpfs never: each launch compares the bytes themselves.
 */
#include <errno.h>
#include <string.h>

#include "base/content.h"
#include "base/err.h"
#include "snapshot/subject.h"

#define CONTENT_MAX (1u << 20) /* bytes, of one program: warmd reads them in each launch */

static Warm__Rpc__File *summary_of(const struct subject *s, const char *path)
{
	for (size_t i = 0; i < s->summary->n_file; i++)
		if (strcmp(s->summary->file[i]->path, path) == 0)
			return s->summary->file[i];
	return NULL;
}

/* From the first byte that is mapped to the last one that the file has. */
static void find_range(const struct subject *s, uint32_t number, Warm__Rpc__File *file)
{
	uint64_t first = UINT64_MAX, end = 0;

	for (size_t i = 0; i < s->image->n_vma; i++) {
		const Warm__Image__Vma *vma = s->image->vma[i];

		if (vma->kind != WARM__IMAGE__VMA_KIND__FILE || vma->file != number)
			continue;
		first = vma->offset < first ? vma->offset : first;
		end = vma->offset + vma->end - vma->start > end ? vma->offset + vma->end - vma->start : end;
	}
	end = end < file->size ? end : file->size;
	file->content_offset = first;
	file->content_len = end > first ? end - first : 0;
}

static int collect_content(Warm__Rpc__File *file, struct err *err)
{
	uint8_t digest[DIGEST_SIZE];
	int r = content_digest(file->path, file->dev, file->ino, file->content_offset, file->content_len, digest);

	if (r < 0)
		return err_sys(err, -r, "%s, which the program has mapped for writing", file->path);
	file->content_digest = bytes_copy(digest, sizeof(digest));
	return file->content_digest.data ? 0 : err_sys(err, ENOMEM, "files");
}

int collect_contents(struct subject *s, struct err *err)
{
	uint64_t total = 0;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < s->image->n_file; i++) {
		Warm__Rpc__File *file = s->image->file[i]->writable ? summary_of(s, s->image->file[i]->path) : NULL;

		if (!file)
			continue;
		find_range(s, i, file);
		total += file->content_len;
		if (total > CONTENT_MAX)
			return err_refuse(err, "map less than 1 MiB, or map it after the snapshot",
			                  "%lu KiB mapped shared for writing, more than a launch can compare: %s",
			                  (unsigned long)(total >> 10), file->path);
		r = collect_content(file, err);
	}
	return r;
}
