/* SPDX-License-Identifier: MIT */
/* Credentials that the program has changed as root: groups, saved ids, capabilities, bounding set, securebits. */
#include "creds.h"

static atomic_int started, go;
static struct rights of_thread[2];

static void *thread_main(void *arg)
{
	rights_of_self(&of_thread[0]);
	atomic_store(&started, 1);
	while (!atomic_load(&go))
		sleep_ms(1);
	rights_of_self(&of_thread[1]);
	CHECK_STR(of_thread[1].text, of_thread[0].text);
	return arg;
}

int main(void)
{
	static struct rights before, after;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[2];
	gid_t groups[] = {5, 77, 4242};
	pthread_t thread;

	if (geteuid() != 0)
		SKIP("needs root");
	CHECK_EQ(setgroups(3, groups), 0);
	CHECK_EQ(setresgid(33, 0, 44), 0);
	CHECK_EQ(prctl(PR_CAPBSET_DROP, CAP_SYS_PACCT), 0);
	CHECK_EQ(syscall(SYS_capget, &header, caps), 0);
	caps[0].effective &= ~(1u << CAP_NET_RAW);
	caps[0].permitted &= ~(1u << CAP_NET_RAW | 1u << CAP_SYS_TIME);
	caps[0].effective &= ~(1u << CAP_SYS_TIME);
	caps[0].inheritable = 1u << CAP_NET_BIND_SERVICE;
	CHECK_EQ(syscall(SYS_capset, &header, caps), 0);
	CHECK_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0), 0);
	CHECK_EQ(prctl(PR_SET_SECUREBITS, 1 << 2 /* SECBIT_NO_SETUID_FIXUP */), 0);
	CHECK_EQ(prctl(PR_SET_DUMPABLE, 1), 0);
	rights_of_self(&before);
	CHECK_EQ(pthread_create(&thread, NULL, thread_main, NULL), 0);
	CHECK(reached(&started, 1));
	hook();

	rights_of_self(&after);
	CHECK_STR(after.text, before.text);
	atomic_store(&go, 1);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	return pass();
}
