/* SPDX-License-Identifier: MIT */
/* A socket with a filter that lets nothing in.
 * victim: refused "fd %d: a socket with a filter (BPF)" */
#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "victim.h"

int main(void)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog filter = {1, &drop};
	int udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof name;
	char byte;

	CHECK_EQ(setsockopt(udp, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter), 0);
	CHECK(bind(udp, (struct sockaddr *)&name, len) == 0 && getsockname(udp, (struct sockaddr *)&name, &len) == 0);
	hook();
	CHECK_EQ(sendto(udp, "x", 1, 0, (struct sockaddr *)&name, len), 1);
	CHECK(recv(udp, &byte, 1, 0) == -1 && errno == EAGAIN);
	return pass();
}
