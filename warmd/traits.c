/* SPDX-License-Identifier: MIT */
#include "warmd/traits.h"

#include "base/clean.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LIMITS_TEXT_MAX 8192

static rlim_t limit_value(const char *text)
{
	return strncmp(text, "unlimited", 9) ? strtoull(text, NULL, 10) : RLIM_INFINITY;
}

int traits_parse_limits(const char *text, struct launch_traits *traits)
{
	static const struct {
		const char *name;
		int number;
	} limit[] = {
	        {"Max cpu time", RLIMIT_CPU},
	        {"Max file size", RLIMIT_FSIZE},
	        {"Max data size", RLIMIT_DATA},
	        {"Max stack size", RLIMIT_STACK},
	        {"Max core file size", RLIMIT_CORE},
	        {"Max resident set", RLIMIT_RSS},
	        {"Max processes", RLIMIT_NPROC},
	        {"Max open files", RLIMIT_NOFILE},
	        {"Max locked memory", RLIMIT_MEMLOCK},
	        {"Max address space", RLIMIT_AS},
	        {"Max file locks", RLIMIT_LOCKS},
	        {"Max pending signals", RLIMIT_SIGPENDING},
	        {"Max msgqueue size", RLIMIT_MSGQUEUE},
	        {"Max nice priority", RLIMIT_NICE},
	        {"Max realtime priority", RLIMIT_RTPRIO},
	        {"Max realtime timeout", RLIMIT_RTTIME},
	};

	for (size_t i = 0; i < sizeof(limit) / sizeof(*limit); i++) {
		const char *line = strstr(text, limit[i].name);
		char soft[32], hard[32];

		if (!line || sscanf(line + strlen(limit[i].name), "%31s %31s", soft, hard) != 2)
			return -EPROTO;
		traits->limit[limit[i].number].rlim_cur = limit_value(soft);
		traits->limit[limit[i].number].rlim_max = limit_value(hard);
	}
	return 0;
}

static int read_limits(pid_t pid, struct launch_traits *traits)
{
	CLEAN(free) char *text = NULL;
	char path[64];
	int i, r;

	for (i = 0; i < LAUNCH_N_LIMITS; i++) {
		if (prlimit(pid, (__rlimit_resource_t)i, NULL, &traits->limit[i]))
			break;
	}
	if (i == LAUNCH_N_LIMITS)
		return 0;
	if (errno != EPERM)
		return -errno;
	snprintf(path, sizeof(path), "/proc/%d/limits", pid);
	r = fd_read_file_at(AT_FDCWD, path, LIMITS_TEXT_MAX, &text, NULL);
	return r ? r : traits_parse_limits(text, traits);
}

int traits_read(pid_t pid, struct launch_traits *traits)
{
	char path[64], text[32] = "";
	ssize_t len;
	int r;

	memset(traits, 0, sizeof(*traits));
	r = read_limits(pid, traits);
	if (r)
		return r;
	errno = 0;
	traits->nice = getpriority(PRIO_PROCESS, (id_t)pid);
	if (errno)
		return -errno;
	/* The system call and not the function: it says how many bytes the kernel knows, and leaves the rest zero. */
	if (syscall(SYS_sched_getaffinity, pid, sizeof(traits->cpus), traits->cpus) < 0)
		memset(traits->cpus, 0, sizeof(traits->cpus));

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	CLEAN(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (len < 0)
		return -errno;
	traits->oom_score_adj = atoi(text);
	return 0;
}

Warm__Rpc__Traits *traits_message(const struct launch_traits *traits)
{
	Warm__Rpc__Traits *msg = malloc(sizeof(*msg));
	uint64_t *limit = calloc(2 * (size_t)LAUNCH_N_LIMITS, sizeof(*limit));
	uint8_t *cpus = malloc(sizeof(traits->cpus));

	if (!msg || !limit || !cpus) {
		free(msg);
		free(limit);
		free(cpus);
		return NULL;
	}
	warm__rpc__traits__init(msg);
	for (int i = 0; i < LAUNCH_N_LIMITS; i++) {
		limit[2 * i] = traits->limit[i].rlim_cur;
		limit[2 * i + 1] = traits->limit[i].rlim_max;
	}
	memcpy(cpus, traits->cpus, sizeof(traits->cpus));
	msg->limit = limit;
	msg->n_limit = 2 * (size_t)LAUNCH_N_LIMITS;
	msg->nice = traits->nice;
	msg->oom_score_adj = traits->oom_score_adj;
	msg->cpus = (ProtobufCBinaryData){sizeof(traits->cpus), cpus};
	return msg;
}

bool traits_of_message(const Warm__Rpc__Traits *msg, struct launch_traits *traits)
{
	if (msg->n_limit != 2 * (size_t)LAUNCH_N_LIMITS || msg->cpus.len != sizeof(traits->cpus))
		return false;
	for (int i = 0; i < LAUNCH_N_LIMITS; i++)
		traits->limit[i] = (struct rlimit){msg->limit[2 * i], msg->limit[2 * i + 1]};
	memcpy(traits->cpus, msg->cpus.data, sizeof(traits->cpus));
	traits->nice = msg->nice;
	traits->oom_score_adj = msg->oom_score_adj;
	return true;
}
