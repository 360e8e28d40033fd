/* SPDX-License-Identifier: MIT */
/* A BPF map.
 * victim: refused "fd %d: anon_inode:bpf-map is not supported" */
#include <linux/bpf.h>

#include "victim.h"

int main(void)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 4};
	int fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr);

	if (fd < 0)
		SKIP("a BPF map: %s", strerror(errno));
	hook();
	return pass();
}
