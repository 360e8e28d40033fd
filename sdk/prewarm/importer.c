/* SPDX-License-Identifier: MIT */
#include "sdk/prewarm/importer.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clean.h"
#include "sdk/prewarm/symbols.h"

/* An archive ends with a directory: this mark, 18 bytes more, a comment. zipimport looks for it, and so here. */
static const char mark[4] = {'P', 'K', 5, 6};
#define END_MAX (65535 + 22)

/* In pieces that overlap by a mark less one byte. */
static bool has_mark(int fd, off_t size)
{
	char buf[4096];
	off_t at = size > END_MAX ? size - END_MAX : 0;

	for (;;) {
		ssize_t n = pread(fd, buf, sizeof(buf), at);

		if (n < 0 || (n > 0 && memmem(buf, (size_t)n, mark, sizeof(mark))))
			return true;
		if (n < (ssize_t)sizeof(buf))
			return false;
		at += n - (ssize_t)sizeof(mark) + 1;
	}
}

bool importer_is_script(const char *path)
{
	CLEAN(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	return fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && !has_mark(fd, st.st_size);
}

void importer_foresee(const struct python_api *api, void *remember, const wchar_t *name, const char *path)
{
	void *text = importer_is_script(path) ? api->PyUnicode_FromWideChar(name, -1) : NULL;
	void *done = text ? api->PyObject_CallFunction(remember, "O", text) : NULL;

	if (text && !done)
		api->PyErr_Clear(); /* then Py_RunMain() asks */
	if (done)
		api->Py_DecRef(done);
	if (text)
		api->Py_DecRef(text);
}
