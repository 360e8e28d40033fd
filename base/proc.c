/* SPDX-License-Identifier: MIT */
#include "base/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/fd.h"

#define PROC_FILE_MAX (4u << 20) /* 65536 groups of ten digits are 700 KiB */

int proc_open(pid_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return fd;
}

int proc_status_read(int dir_fd, struct proc_status *status)
{
	CLEAN(free) char *text = NULL;
	int ret = fd_read_file_at(dir_fd, "status", PROC_FILE_MAX, &text, NULL);

	if (ret < 0)
		return ret == -ENOENT ? -ESRCH : ret;
	return proc_status_parse(text, status);
}

static void parse_ids(const char *value, uint32_t id[4])
{
	char *end;

	for (int i = 0; i < 4; i++, value = end)
		id[i] = (uint32_t)strtoul(value, &end, 10);
}

static int parse_groups(const char *value, struct proc_status *status)
{
	size_t room = 0;

	status->n_groups = 0;
	for (;;) {
		char *end;
		unsigned long group;

		value += strspn(value, " \t");
		group = strtoul(value, &end, 10);
		if (end == value)
			return 0;
		value = end;
		if (status->n_groups == room) {
			uint32_t *larger;

			room = room ? room * 2 : 16;
			larger = reallocarray(status->groups, room, sizeof(*larger));
			if (!larger)
				return -ENOMEM;
			status->groups = larger;
		}
		status->groups[status->n_groups++] = (uint32_t)group;
	}
}

static void parse_nspid(const char *value, struct proc_status *status)
{
	char *end;

	status->n_nspid = 0;
	while (status->n_nspid < PROC_NSPID_MAX) {
		long pid = strtol(value, &end, 10);

		if (end == value)
			break;
		status->nspid[status->n_nspid++] = (pid_t)pid;
		value = end;
	}
}

static void parse_number(const char *key, const char *value, struct proc_status *status)
{
	const struct {
		const char *key;
		int base;
		uint64_t *u64;
		uint32_t *u32;
		int *i32;
	} field[] = {
	        {"Tgid", 10, NULL, NULL, &status->tgid},
	        {"Pid", 10, NULL, NULL, &status->pid},
	        {"PPid", 10, NULL, NULL, &status->ppid},
	        {"TracerPid", 10, NULL, NULL, &status->tracer},
	        {"Umask", 8, NULL, &status->umask, NULL},
	        {"Threads", 10, NULL, &status->threads, NULL},
	        {"SigPnd", 16, &status->sig_pending, NULL, NULL},
	        {"ShdPnd", 16, &status->shared_pending, NULL, NULL},
	        {"SigBlk", 16, &status->sig_blocked, NULL, NULL},
	        {"SigIgn", 16, &status->sig_ignored, NULL, NULL},
	        {"SigCgt", 16, &status->sig_caught, NULL, NULL},
	        {"CapInh", 16, &status->cap_inheritable, NULL, NULL},
	        {"CapPrm", 16, &status->cap_permitted, NULL, NULL},
	        {"CapEff", 16, &status->cap_effective, NULL, NULL},
	        {"CapBnd", 16, &status->cap_bounding, NULL, NULL},
	        {"CapAmb", 16, &status->cap_ambient, NULL, NULL},
	        {"Seccomp", 10, NULL, NULL, &status->seccomp},
	        {"Seccomp_filters", 10, NULL, NULL, &status->seccomp_filters},
	        {"voluntary_ctxt_switches", 10, &status->waits, NULL, NULL},
	};

	for (size_t i = 0; i < sizeof(field) / sizeof(field[0]); i++) {
		if (strcmp(key, field[i].key) != 0)
			continue;
		if (field[i].u64)
			*field[i].u64 = strtoull(value, NULL, field[i].base);
		else if (field[i].u32)
			*field[i].u32 = (uint32_t)strtoul(value, NULL, field[i].base);
		else
			*field[i].i32 = (int)strtol(value, NULL, field[i].base);
		return;
	}
}

/* Line feeds and backslashes are written as \n and \\. */
static void parse_name(const char *value, const char *end, struct proc_status *status)
{
	size_t len = 0;

	for (; value < end && len + 1 < sizeof(status->name); value++) {
		bool escaped = *value == '\\' && value + 1 < end;

		value += escaped;
		status->name[len++] = escaped && *value == 'n' ? '\n' : *value;
	}
}

/* Lines the kernel may add are passed over. Without the lines for credentials it is no status file. */
int proc_status_parse(const char *text, struct proc_status *status)
{
	int ret = 0, seen = 0;

	memset(status, 0, sizeof(*status));
	while (*text && ret == 0) {
		const char *eol = strchrnul(text, '\n');
		const char *colon = memchr(text, ':', (size_t)(eol - text));
		char key[32];

		if (!colon || (size_t)(colon - text) >= sizeof(key)) {
			text = *eol ? eol + 1 : eol;
			continue;
		}
		memcpy(key, text, (size_t)(colon - text));
		key[colon - text] = 0;
		colon++;
		colon += strspn(colon, " \t");

		if (strcmp(key, "Name") == 0) {
			parse_name(text + strlen("Name:\t"), eol, status);
		} else if (strcmp(key, "State") == 0) {
			status->state = *colon;
		} else if (strcmp(key, "Uid") == 0) {
			parse_ids(colon, status->uid);
			seen |= 1;
		} else if (strcmp(key, "Gid") == 0) {
			parse_ids(colon, status->gid);
			seen |= 2;
		} else if (strcmp(key, "Groups") == 0) {
			ret = parse_groups(colon, status);
		} else if (strcmp(key, "NSpid") == 0) {
			parse_nspid(colon, status);
		} else if (strcmp(key, "NoNewPrivs") == 0) {
			status->no_new_privs = *colon == '1';
		} else if (strcmp(key, "RssAnon") == 0 || strcmp(key, "VmSwap") == 0) {
			status->anon_bytes += strtoull(colon, NULL, 10) * 1024;
		} else if (strcmp(key, "VmRSS") == 0) {
			status->rss_bytes = strtoull(colon, NULL, 10) * 1024;
		} else {
			parse_number(key, colon, status);
		}
		text = *eol ? eol + 1 : eol;
	}
	if (ret == 0 && seen != 3)
		ret = -EBADMSG;
	if (ret < 0)
		proc_status_fini(status);
	return ret;
}

void proc_status_fini(struct proc_status *status)
{
	free(status->groups);
	status->groups = NULL;
	status->n_groups = 0;
}

int proc_stat_read(int dir_fd, struct proc_stat *stat)
{
	CLEAN(free) char *text = NULL;
	int ret = fd_read_file_at(dir_fd, "stat", PROC_FILE_MAX, &text, NULL);

	if (ret < 0)
		return ret == -ENOENT ? -ESRCH : ret;
	return proc_stat_parse(text, stat);
}

/* The name (field 2) is the only one that may hold anything, parentheses and blanks too: fields are counted from the
 * last ')'. */
int proc_stat_parse(const char *text, struct proc_stat *stat)
{
	const char *at = strrchr(text, ')');
	uint64_t field[53] = {0};
	int n = 4;

	memset(stat, 0, sizeof(*stat));
	if (!at || at[1] != ' ' || !at[2] || at[3] != ' ')
		return -EBADMSG;
	stat->state = at[2];
	for (at += 3; n < 53; n++) {
		char *end;

		while (*at == ' ')
			at++;
		field[n] = *at == '-' ? (uint64_t)strtoll(at, &end, 10) : strtoull(at, &end, 10);
		if (end == at)
			break;
		at = end;
	}
	if (n < 53)
		return -EBADMSG;

	stat->ppid = (pid_t)field[4];
	stat->pgrp = (pid_t)field[5];
	stat->session = (pid_t)field[6];
	stat->tty_nr = (int)field[7];
	stat->tpgid = (pid_t)field[8];
	stat->flags = (uint32_t)field[9];
	stat->child_faults = field[11];
	stat->nice = (int)field[19];
	stat->threads = (uint32_t)field[20];
	stat->starttime = field[22];
	stat->start_code = field[26];
	stat->end_code = field[27];
	stat->start_stack = field[28];
	stat->start_data = field[45];
	stat->end_data = field[46];
	stat->start_brk = field[47];
	stat->arg_start = field[48];
	stat->arg_end = field[49];
	stat->env_start = field[50];
	stat->env_end = field[51];
	stat->exit_code = (int)field[52];
	return 0;
}

int proc_ns(int dir_fd, const char *name, uint64_t *ret_ino)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "ns/%s", name);
	if (fstatat(dir_fd, path, &st, 0) < 0)
		return -errno;
	*ret_ino = st.st_ino;
	return 0;
}

int proc_link(int dir_fd, const char *name, char *buf, size_t size)
{
	ssize_t len = readlinkat(dir_fd, name, buf, size);

	if (len < 0)
		return -errno;
	if ((size_t)len >= size)
		return -ENAMETOOLONG;
	buf[len] = 0;
	return 0;
}

static int each_number(int dir_fd, const char *sub, int (*fn)(void *arg, int number), void *arg)
{
	CLEAN(fd) int sub_fd = openat(dir_fd, sub, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEAN(dir) DIR *dir = NULL;
	struct dirent *entry;
	int ret = 0;

	if (sub_fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	dir = fdopendir(sub_fd);
	if (!dir)
		return -errno;
	take_fd(&sub_fd);
	while (ret == 0 && (errno = 0, entry = readdir(dir))) {
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			ret = fn(arg, atoi(entry->d_name));
	}
	return ret ? ret : -errno;
}

int proc_n_writes(int dir_fd, uint64_t *ret)
{
	CLEAN(free) char *io = NULL;
	int r = fd_read_file_at(dir_fd, "io", PROC_FILE_MAX, &io, NULL);
	const char *at = r < 0 ? NULL : strstr(io, "syscw: ");

	if (r < 0 || !at)
		return r < 0 ? r : -EPROTO;
	*ret = strtoull(at + 7, NULL, 10);
	return 0;
}

int proc_each_thread(int dir_fd, int (*fn)(void *arg, pid_t tid), void *arg)
{
	return each_number(dir_fd, "task", fn, arg);
}

int proc_each_fd(int dir_fd, int (*fn)(void *arg, int fd), void *arg)
{
	return each_number(dir_fd, "fd", fn, arg);
}
