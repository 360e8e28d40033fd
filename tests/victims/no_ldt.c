/* SPDX-License-Identifier: MIT */
/* A segment of the program's own (modify_ldt).
 * victim: refused "process %d has segments of its own (modify_ldt)" */
#include <asm/ldt.h>

#include "victim.h"

int main(void)
{
	struct user_desc segment = {
	        .entry_number = 3, .base_addr = 0x1000, .limit = 0xfff, .seg_32bit = 1, .useable = 1};
	unsigned char table[LDT_ENTRY_SIZE * 8] = {0};

	CHECK_EQ(syscall(SYS_modify_ldt, 1, &segment, sizeof segment), 0);
	hook();
	CHECK(syscall(SYS_modify_ldt, 0, table, sizeof table) > 3 * LDT_ENTRY_SIZE &&
	      !is_zero(table + 3 * LDT_ENTRY_SIZE, 8));
	return pass();
}
