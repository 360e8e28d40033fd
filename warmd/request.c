/* SPDX-License-Identifier: MIT */
#include "warmd/request.h"

#include "base/err.h"
#include "base/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define N_PATHS 4 /* cmd, cwd, name, ready */

static int head_check(const struct launch_request *head, size_t len, size_t n_fds, struct err *err)
{
	if (head->magic != LAUNCH_MAGIC || head->version != LAUNCH_VERSION)
		return err_set(err, EINVAL, "launch of version %u, this warmd speaks %u: install one version of Warm",
		               head->version, LAUNCH_VERSION);
	if (head->size != len)
		return err_set(err, EINVAL, "malformed launch: %zu bytes came, %u were announced", len, head->size);
	if (n_fds != REQUEST_FIRST)
		return err_set(err, EINVAL, "malformed launch: %zu descriptors came, not %d", n_fds, REQUEST_FIRST);
	if (head->n_numbers > LAUNCH_FDS_MAX)
		return err_set(err, EINVAL, "malformed launch: %u descriptor numbers", head->n_numbers);
	if (head->n_argv < 1 || head->n_argv > len || head->n_env > len)
		return err_set(err, EINVAL, "malformed launch: %u arguments, %u variables", head->n_argv, head->n_env);
	for (unsigned i = 0; i < head->n_numbers; i++) {
		if (head->fd_number[i] < 0 || (i && head->fd_number[i] <= head->fd_number[i - 1]))
			return err_set(err, EINVAL, "malformed launch: descriptor numbers are not ascending");
	}
	return 0;
}

/* Hands out the next of the strings, or NULL where the text ends without one. */
static char *next_string(char **at, const char *end)
{
	char *text = *at, *nul = memchr(text, '\0', (size_t)(end - text));

	if (!nul)
		return NULL;
	*at = nul + 1;
	return text;
}

static int split_text(struct request *request, size_t len)
{
	char *at = request->text, *end = request->text + len;
	const char **path[N_PATHS] = {&request->cmd, &request->cwd, &request->name, &request->ready};

	for (int i = 0; i < N_PATHS; i++) {
		*path[i] = next_string(&at, end);
		if (!*path[i])
			return -EINVAL;
	}
	for (uint32_t i = 0; i < request->head.n_argv; i++) {
		request->argv[i] = next_string(&at, end);
		if (!request->argv[i])
			return -EINVAL;
	}
	for (uint32_t i = 0; i < request->head.n_env; i++) {
		request->env[i] = next_string(&at, end);
		if (!request->env[i])
			return -EINVAL;
	}
	return at == end && request->cmd[0] ? 0 : -EINVAL;
}

/* The launcher takes them back from its own copy of the carrier when it gives up: one of the two gets them. */
static int fetch_descriptors(struct request *request, struct err *err)
{
	size_t n_fds = LAUNCH_FDS_MAX;
	char byte;
	ssize_t len = fd_recv(request->fds[REQUEST_CARRIER], &byte, 1, request->fds + REQUEST_FIRST, &n_fds,
	                      MSG_DONTWAIT);

	if (len == 0 || len == -EAGAIN)
		return err_set(err, ECANCELED, "the launcher has given up");
	if (len < 0 && len != -EMSGSIZE)
		return err_set(err, EINVAL, "malformed launch: its carrier cannot be read: %s", strerror((int)-len));
	if (len < 0)
		return err_set(err, EINVAL,
		               "the program's descriptors did not all arrive: is warmd's limit on open files reached?");
	request->n_fds = REQUEST_FIRST + n_fds;
	if (n_fds != request->head.n_numbers)
		return err_set(err, EINVAL, "malformed launch: %zu descriptors for %u numbers", n_fds,
		               request->head.n_numbers);
	return 0;
}

int request_parse(struct request *request, const void *msg, size_t len, const int *fds, size_t n_fds, struct err *err)
{
	size_t text_len = len - sizeof(request->head);
	int r;

	memset(request, 0, sizeof(*request));
	if (len < sizeof(request->head) || n_fds > REQUEST_FIRST) {
		fd_close_all(fds, n_fds);
		return err_set(err, EINVAL, "malformed launch: %zu bytes, %zu descriptors", len, n_fds);
	}
	memcpy(&request->head, msg, sizeof(request->head));
	memcpy(request->fds, fds, n_fds * sizeof(*fds));
	request->n_fds = n_fds;

	r = head_check(&request->head, len, n_fds, err);
	if (r)
		return r;
	request->text = malloc(text_len + 1);
	request->argv = calloc((size_t)request->head.n_argv + 1, sizeof(*request->argv));
	request->env = calloc((size_t)request->head.n_env + 1, sizeof(*request->env));
	if (!request->text || !request->argv || !request->env)
		return err_set(err, ENOMEM, "out of memory");
	memcpy(request->text, (const char *)msg + sizeof(request->head), text_len);
	if (split_text(request, text_len))
		return err_set(err, EINVAL, "malformed launch: its strings do not add up");
	return fetch_descriptors(request, err);
}

void request_fini(struct request *request)
{
	fd_close_all(request->fds, request->n_fds);
	free(request->text);
	free(request->argv);
	free(request->env);
	memset(request, 0, sizeof(*request));
}

int request_terminal(const struct request *request)
{
	for (int i = 0; i < 3; i++) {
		int fd = request_fd(request, i);

		if (fd >= 0 && isatty(fd))
			return fd;
	}
	return -1;
}

int request_fd(const struct request *request, int number)
{
	for (unsigned i = 0; i < request->head.n_numbers; i++) {
		if (request->head.fd_number[i] == number)
			return request->fds[REQUEST_FIRST + i];
	}
	return -1;
}
