/* SPDX-License-Identifier: MIT */
/* A key in the keyring of the process.
 * victim: refused "process %d: its process has a keyring" */
#include <linux/keyctl.h>

#include "victim.h"

int main(void)
{
	long key = syscall(SYS_add_key, "user", "warm-victim", "secret", 6, KEY_SPEC_PROCESS_KEYRING);
	char text[8];

	if (key < 0)
		SKIP("add_key: %s", strerror(errno));
	hook();
	CHECK_EQ(syscall(SYS_keyctl, KEYCTL_READ, key, text, sizeof text), 6);
	return pass();
}
