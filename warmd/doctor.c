/* SPDX-License-Identifier: MIT */
#include "warmd/doctor.h"

#include "base/clean.h"
#include "base/proc.h"
#include "base/uapi.h"
#include "warmd/cgroup.h"
#include "warmd/client.h"
#include "warmd/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <linux/sched.h>
#include <linux/userfaultfd.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PROBE_TID 300

#define NOT_RECORDED                                                                                                   \
	"files that a program opens and closes before it is ready are not recorded: only those that it declares, "     \
	"maps or keeps open are looked at before a launch"
#define NOR_SNAPSHOTS "; programs without the hook get no snapshot (record-opened = no takes them so)"

/* ---- probes: 0 or -errno ----------------------------------------------------------------------------------------- */

static uint64_t own_capabilities(void)
{
	CLEAN(fd) int dir_fd = proc_open(getpid());
	struct proc_status status;
	uint64_t caps;

	if (dir_fd < 0 || proc_status_read(dir_fd, &status))
		return 0;
	caps = status.cap_effective;
	proc_status_fini(&status);
	return caps;
}

static int probe_root(void)
{
	return geteuid() == 0 && own_capabilities() & 1ull << CAP_SYS_ADMIN ? 0 : -EPERM;
}

static int probe_ptrace(void)
{
	CLEAN(fd) int fd = open("/proc/sys/kernel/yama/ptrace_scope", O_RDONLY | O_CLOEXEC);
	char scope = '0';

	if (!(own_capabilities() & 1ull << CAP_SYS_PTRACE))
		return -EPERM;
	if (fd >= 0 && read(fd, &scope, 1) == 1 && scope == '3')
		return -EACCES;
	return 0;
}

static pid_t probe_clone(uint64_t flags, pid_t *tid)
{
	struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};

	args.set_tid = (uintptr_t)tid;
	args.set_tid_size = tid ? 1 : 0;
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static int probe_wait(pid_t pid)
{
	int status;

	if (pid < 0)
		return -errno;
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -EIO;
	return -WEXITSTATUS(status);
}

static int probe_namespaces(void)
{
	pid_t pid = probe_clone(CLONE_NEWPID | CLONE_NEWNS, NULL);

	if (pid == 0)
		_exit(0);
	return probe_wait(pid);
}

/* Pid 1 of a new namespace makes a process of a number that it chooses. */
static int probe_set_tid(void)
{
	pid_t pid = probe_clone(CLONE_NEWPID, NULL);

	if (pid == 0) {
		pid_t tid = PROBE_TID, child = probe_clone(0, &tid);

		if (child == 0)
			_exit(0);
		_exit(child == PROBE_TID ? -probe_wait(child) : child < 0 ? errno : EIO);
	}
	return probe_wait(pid);
}

static int loopback_up(void)
{
	struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	CLEAN(fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &loopback) ? errno : 0;
}

static int probe_network(void)
{
	pid_t pid = probe_clone(CLONE_NEWNET, NULL);

	if (pid == 0)
		_exit(loopback_up());
	return probe_wait(pid);
}

static int probe_mm_map(void)
{
	unsigned size = 0;

	return prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, (unsigned long)&size, 0, 0) ? -errno : 0;
}

static int probe_kcmp(void)
{
	return syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, 0, 0) < 0 ? -errno : 0;
}

static int probe_inotify(void)
{
	CLEAN(fd) int fd = inotify_init1(IN_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

/* As warm-opened will: the group, and a mark on a whole file system. Which ones can be marked it says itself. */
static int probe_fanotify(void)
{
	CLEAN(fd) int fd = fanotify_init(FAN_CLOEXEC | FAN_REPORT_FID | FAN_REPORT_DFID_NAME, 0);

	if (fd < 0)
		return -errno;
	if (fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_CLOSE_NOWRITE, AT_FDCWD, "/") &&
	    (errno == EPERM || errno == EACCES || errno == EINVAL))
		return -errno;
	return 0;
}

static int probe_userfaultfd(void)
{
	CLEAN(fd) int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_api api = {.api = UFFD_API};

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		return -errno;
	return api.features & UFFD_FEATURE_MOVE_BIT ? 0 : -EOPNOTSUPP;
}

static int probe_pagemap_scan(void)
{
	CLEAN(fd) int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct page_region region;
	struct pm_scan_arg scan = {.size = sizeof(scan),
	                           .end = 4096,
	                           .vec = (uintptr_t)&region,
	                           .vec_len = 1,
	                           .category_mask = PAGE_IS_PRESENT,
	                           .return_mask = PAGE_IS_PRESENT};

	return fd < 0 || ioctl(fd, PAGEMAP_SCAN, &scan) < 0 ? -errno : 0;
}

/* ---- the list ---------------------------------------------------------------------------------------------------- */

#define USE_ROOTS "`export WARM_SOCKET=/run/warm/warmd.sock` finds it"

static const struct probe {
	const char *name;
	int (*run)(void);
	bool needed;
	const char *cost;
} probes[] = {
        {"root", probe_root, true,
         "hot launches need a daemon of root's with CAP_SYS_ADMIN: every program starts cold; where there is "
         "one, " USE_ROOTS},
        {"ptrace", probe_ptrace, true, "no snapshot can be taken: every program starts cold"},
        {"namespaces", probe_namespaces, true, "clones need pid and mount namespaces: every program starts cold"},
        {"set_tid", probe_set_tid, true,
         "clones cannot have the thread ids of the snapshot: every program starts cold"},
        {"set_mm_map", probe_mm_map, true, "CONFIG_CHECKPOINT_RESTORE is off: every program starts cold"},
        {"kcmp", probe_kcmp, true, "shared descriptors cannot be told apart: every program starts cold"},
        {"inotify", probe_inotify, true, "changed files would be missed: every program starts cold"},
        {"network", probe_network, false, "no network of one's own: launches with --net private fail"},
        {"fanotify", probe_fanotify, false, NOT_RECORDED NOR_SNAPSHOTS},
        {"cgroups", cgroups_probe, false,
         "copies cannot be put into control groups: a launch from another one than the daemon's starts cold"},
        {"userfaultfd-move", probe_userfaultfd, false,
         "templates are filled by copying: the first launch takes longer"},
        {"pagemap-scan", probe_pagemap_scan, false, "dirty pages are found page by page: snapshots take longer"},
};
#define N_PROBES (sizeof(probes) / sizeof(*probes))

/* Without a security module this file is there, but cannot be read. */
static bool have_labels(void)
{
	CLEAN(fd) int fd = open("/proc/self/attr/current", O_RDONLY | O_CLOEXEC);
	char text;

	return fd >= 0 && read(fd, &text, 1) >= 0;
}

static void examine(struct daemon *daemon, const struct probe *probe, Warm__Rpc__Check *check)
{
	int r = probe->run();
	char *detail = NULL;

	warm__rpc__check__init(check);
	check->name = (char *)probe->name;
	check->needed = probe->needed;
	check->ok = r == 0;
	if (!r) {
		daemon->machine.records |= probe->run == probe_fanotify;
		return;
	}
	if (asprintf(&detail, "%s (%s)", probe->cost, strerror(-r)) > 0)
		check->detail = detail;
	if (probe->needed && daemon->machine.hot) {
		daemon->machine.hot = false;
		snprintf(daemon->machine.cold_reason, sizeof(daemon->machine.cold_reason), "%s",
		         probe->run == probe_root ? "hot launches need root: where its daemon runs, " USE_ROOTS
		                                  : probe->cost);
	}
}

void doctor_examine(struct daemon *daemon)
{
	struct machine *machine = &daemon->machine;
	CLEAN(fd) int dir_fd = proc_open(getpid());
	Warm__Rpc__Check *check = calloc(N_PROBES, sizeof(*check));
	struct stat root;

	cpu_identity(machine->cpu);
	kernel_identity(machine->kernel);
	if (dir_fd >= 0)
		proc_ns(dir_fd, "mnt", &machine->mnt_ns);
	if (!stat("/", &root)) {
		machine->root_dev = root.st_dev;
		machine->root_ino = root.st_ino;
	}
	if (dir_fd >= 0)
		cgroups_read(dir_fd, machine->cgroup);
	machine->labels = have_labels();
	if (machine->labels && dir_fd >= 0)
		peer_label(dir_fd, machine->label);
	machine->hot = true;
	daemon->check = calloc(N_PROBES, sizeof(*daemon->check));
	if (!check || !daemon->check)
		return;
	for (size_t i = 0; i < N_PROBES; i++) {
		examine(daemon, &probes[i], &check[i]);
		daemon->check[i] = &check[i];
	}
	daemon->n_check = N_PROBES;
}

/* The configuration may be read again at any time. */
static void examine_recording(struct daemon *daemon)
{
	for (size_t i = 0; daemon->machine.records && i < daemon->n_check; i++) {
		Warm__Rpc__Check *check = daemon->check[i];

		if (strcmp(check->name, "fanotify") != 0)
			continue;
		check->ok = daemon->config.record_opened;
		check->detail = (char *)(check->ok ? protobuf_c_empty_string
		                                   : "switched off (record-opened = no): " NOT_RECORDED);
	}
}

void doctor_send(struct daemon *daemon, struct client *client)
{
	Warm__Rpc__Reply reply = WARM__RPC__REPLY__INIT;

	examine_recording(daemon);
	reply.check = daemon->check;
	reply.n_check = daemon->n_check;
	client_reply(client, &reply);
	doctor_ask_workers(client);
}
