/* SPDX-License-Identifier: MIT */
/* A System V shared memory segment, attached.
 * victim: refused "memory at %#lx: System V shared memory, %s" */
#include <sys/ipc.h>
#include <sys/shm.h>

#include "victim.h"

int main(void)
{
	int id = shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600);
	struct shmid_ds ds;
	char *area;

	CHECK(id >= 0);
	area = shmat(id, NULL, 0);
	CHECK(area != (void *)-1 && shmctl(id, IPC_RMID, NULL) == 0);
	memset(area, 3, 8192);
	hook();
	CHECK(shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_nattch == 1);
	CHECK(area[0] == 3 && area[8191] == 3);
	return pass();
}
