/* SPDX-License-Identifier: MIT */
/* no_new_privs, set by the program: it holds in every thread, and is not put on anybody else. */
#include <sys/prctl.h>

#include "victim.h"

static void *look(void *arg)
{
	CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	return arg;
}

int main(void)
{
	pthread_t thread;

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	hook();
	look(NULL);
	CHECK_EQ(pthread_create(&thread, NULL, look, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	return pass();
}
