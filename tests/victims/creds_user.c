/* SPDX-License-Identifier: MIT */
/* A program of another user: the clone has that user's rights, and none of those that made it. victim: as-nobody */
#include "creds.h"

int main(void)
{
	static struct rights before, after;

	rights_of_self(&before);
	hook();
	rights_of_self(&after);
	CHECK_STR(after.text, before.text);
	CHECK(getuid() == 0 || open("/etc/shadow", O_RDONLY | O_CLOEXEC) < 0);
	CHECK(getuid() == 0 || setuid(0) < 0);
	return pass();
}
