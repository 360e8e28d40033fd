/* SPDX-License-Identifier: MIT */
/* A program that gave up root for another uid before the hook: root's launch must not find that uid's image. */
#include "creds.h"

int main(void)
{
	static struct rights before, after;

	if (geteuid() != 0)
		SKIP("needs root");
	CHECK_EQ(setgroups(0, NULL), 0);
	CHECK_EQ(setresgid(65534, 65534, 65534), 0);
	CHECK_EQ(setresuid(65534, 65534, 65534), 0);
	rights_of_self(&before);
	hook();
	rights_of_self(&after);
	CHECK_STR(after.text, before.text);
	CHECK(setuid(0) < 0);
	return pass();
}
