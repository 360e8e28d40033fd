/* SPDX-License-Identifier: MIT */
/* A System V semaphore that is given back at the process's end (SEM_UNDO).
 * victim: refused "process %d has changed semaphore set %d, and may give it back at its end (SEM_UNDO)" */
#include <sys/sem.h>

#include "victim.h"

int main(void)
{
	int set = semget(IPC_PRIVATE, 1, 0600);
	struct sembuf take = {0, 5, SEM_UNDO};

	CHECK(set >= 0 && semop(set, &take, 1) == 0);
	hook();
	semctl(set, 0, IPC_RMID);
	return pass();
}
