/* SPDX-License-Identifier: MIT */
/* Shared anonymous memory: contents, and that a child shares it. */
#include <sys/mman.h>
#include <sys/wait.h>

#include "victim.h"

#define AREA (1u << 20)

int main(void)
{
	char *area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t mine;
	pid_t child;
	int status;

	CHECK(area != MAP_FAILED);
	fill(area, AREA / 2, 77);
	hook();
	CHECK(filled(area, AREA / 2, 77));
	CHECK(is_zero(area + AREA / 2, AREA / 2));

	mine = nonce();
	memcpy(area, &mine, sizeof mine);
	child = fork();
	if (child == 0) {
		mine++;
		memcpy(area, &mine, sizeof mine);
		_exit(0);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	mine++;
	CHECK(memcmp(area, &mine, sizeof mine) == 0); /* shared with the child, not with another clone */
	return pass();
}
