/* SPDX-License-Identifier: MIT */
/* An open POSIX message queue.
 * victim: refused "fd %d: POSIX message queue %s" */
#include <mqueue.h>

#include "victim.h"

int main(void)
{
	struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 16};
	char name[64], text[16];
	mqd_t queue;

	snprintf(name, sizeof name, "/warm-victim-%016llx", (unsigned long long)nonce());
	queue = mq_open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600, &attr);
	CHECK(queue >= 0 && mq_send(queue, "waits", 5, 3) == 0);
	hook();
	CHECK_EQ(mq_receive(queue, text, sizeof text, NULL), 5);
	mq_unlink(name);
	return pass();
}
