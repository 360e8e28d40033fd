/* SPDX-License-Identifier: MIT */
#include "base/program.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"

#define STRINGS_MAX (4u << 20)

int program_read(int dir_fd, struct program *program)
{
	int r;

	if (fstatat(dir_fd, "exe", &program->exe, 0) < 0)
		return -errno;
	r = fd_read_file_at(dir_fd, "cmdline", STRINGS_MAX, &program->cmdline, &program->cmdline_len);
	if (r < 0)
		return r;
	return fd_read_file_at(dir_fd, "environ", STRINGS_MAX, &program->environ, &program->environ_len);
}

void program_fini(struct program *program)
{
	free(program->cmdline);
	free(program->environ);
	program->cmdline = program->environ = NULL;
}

void program_digest(const struct program *program, char ret_hex[DIGEST_HEX_SIZE])
{
	struct digest digest;

	digest_init(&digest);
	digest_add(&digest, &program->exe.st_dev, sizeof(program->exe.st_dev));
	digest_add(&digest, &program->exe.st_ino, sizeof(program->exe.st_ino));
	digest_add(&digest, &program->cmdline_len, sizeof(program->cmdline_len));
	digest_add(&digest, program->cmdline, program->cmdline_len);
	digest_add(&digest, program->environ, program->environ_len);
	digest_hex(&digest, ret_hex);
}

void program_groups_digest(const uint32_t *groups, size_t n, char ret_hex[DIGEST_HEX_SIZE])
{
	struct digest digest;

	digest_init(&digest);
	digest_add(&digest, &n, sizeof(n));
	if (n)
		digest_add(&digest, groups, n * sizeof(*groups));
	digest_hex(&digest, ret_hex);
}
