/* SPDX-License-Identifier: MIT */
/* Credentials, and what else belongs to the process as a whole: umask, directories, prctl(2) state. */
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/membarrier.h>
#include <linux/mempolicy.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/uapi.h"
#include "snapshot/remedies.h"
#include "snapshot/subject.h"

#define XFEATURE_TILE_DATA 18 /* Documentation/arch/x86/xstate.rst */

static int ask(struct subject *s, int option, uint64_t arg, long *ret, struct err *err)
{
	int r = subject_syscall(s, ret, SYS_prctl, (uint64_t)option, arg, 0, 0, err);

	if (r == 0 && *ret < 0)
		r = err_sys(err, (int)-*ret, "prctl(%d) of process %d", option, s->pid);
	return r;
}

static int take_credentials(struct subject *s, Warm__Image__Credentials *cred, struct err *err)
{
	const struct proc_status *st = &s->status;
	long bits;
	int r = 0;

	for (int i = 0; i < 4; i++)
		r |= GROW(cred, uid, st->uid[i]) | GROW(cred, gid, st->gid[i]);
	for (size_t i = 0; i < st->n_groups; i++)
		r |= GROW(cred, group, st->groups[i]);
	if (r < 0)
		return err_sys(err, ENOMEM, "credentials");
	cred->inheritable = st->cap_inheritable;
	cred->permitted = st->cap_permitted;
	cred->effective = st->cap_effective;
	cred->bounding = st->cap_bounding;
	cred->ambient = st->cap_ambient;
	r = ask(s, PR_GET_SECUREBITS, 0, &bits, err);
	cred->securebits = (uint32_t)bits;
	/* A launch does not show which it has; a user cannot have set them. */
	if (r == 0 && s->owner && bits)
		return err_refuse(err, "clear them before the snapshot",
		                  "process %d has securebits (%#lx), which its user's next launch may not have", s->pid,
		                  bits);
	return r;
}

static int take_directory(struct subject *s, const char *link, char **ret_path, struct err *err)
{
	char path[4096];
	struct stat by_link, by_path;
	int r = proc_link(s->proc_fd, link, path, sizeof(path));

	if (r < 0)
		return err_sys(err, -r, "%s of process %d", link, s->pid);
	if (fstatat(s->proc_fd, link, &by_link, 0) < 0 || stat(path, &by_path) < 0 ||
	    by_link.st_ino != by_path.st_ino || by_link.st_dev != by_path.st_dev)
		return err_refuse(err, "go to another one before the snapshot",
		                  "the %s of process %d, %s, cannot be reached by that name",
		                  link[0] == 'c' ? "working directory" : "root directory", s->pid, path);
	*ret_path = strdup(path);
	return *ret_path ? 0 : err_sys(err, ENOMEM, "directories");
}

/* The session's keyring is not the process's own. */
static int refuse_keyrings(struct subject *s, struct err *err)
{
	static const struct {
		int64_t id;
		const char *whose;
	} keyring[] = {{KEY_SPEC_PROCESS_KEYRING, REFUSED("process")},
	               {KEY_SPEC_THREAD_KEYRING, REFUSED("main thread")}};

	for (size_t i = 0; i < sizeof(keyring) / sizeof(keyring[0]); i++) {
		long ret;
		int r = subject_syscall(s, &ret, SYS_keyctl, KEYCTL_GET_KEYRING_ID, (uint64_t)keyring[i].id, 0, 0, err);

		if (r < 0)
			return r;
		if (ret > 0)
			return err_refuse(err, DO_IT_AFTER, "process %d: its %s has a keyring", s->pid,
			                  keyring[i].whose);
	}
	return 0;
}

/* What a copy would not have. The main thread is asked: others get it from there. */
static int refuse_switches(struct subject *s, struct err *err)
{
	uint64_t features = 0;
	uint32_t tsc = PR_TSC_ENABLE, policy = MPOL_DEFAULT;
	long ret;
	int r;

	if ((r = ask(s, PR_GET_TSC, s->scratch, &ret, err)) < 0 ||
	    (r = subject_read(s, s->scratch, &tsc, sizeof(tsc), err)) < 0)
		return r;
	if (tsc != PR_TSC_ENABLE)
		return err_refuse(err, "switch it on before the snapshot",
		                  "process %d has its time stamp counter switched off (PR_SET_TSC)", s->pid);
	if ((r = subject_syscall(s, &ret, SYS_arch_prctl, ARCH_GET_CPUID, 0, 0, 0, err)) < 0)
		return r;
	if (ret == 0)
		return err_refuse(err, "switch it on before the snapshot",
		                  "process %d has the cpuid instruction switched off (ARCH_SET_CPUID)", s->pid);
	if ((r = subject_syscall(s, &ret, SYS_arch_prctl, ARCH_GET_XCOMP_PERM, s->scratch, 0, 0, err)) < 0 ||
	    (r = subject_read(s, s->scratch, &features, sizeof(features), err)) < 0)
		return r;
	if (ret == 0 && features >> XFEATURE_TILE_DATA & 1)
		return err_refuse(err, DO_IT_AFTER, "process %d has asked for AMX tiles (ARCH_REQ_XCOMP_PERM)", s->pid);
	if ((r = subject_syscall(s, &ret, SYS_modify_ldt, 0, s->scratch, LDT_ENTRY_SIZE, 0, err)) < 0)
		return r;
	if (ret > 0)
		return err_refuse(err, DO_IT_AFTER, "process %d has segments of its own (modify_ldt)", s->pid);
	if ((r = subject_syscall(s, &ret, SYS_get_mempolicy, s->scratch, 0, 0, 0, err)) < 0 ||
	    (r = subject_read(s, s->scratch, &policy, sizeof(policy), err)) < 0)
		return r;
	if (ret == 0 && policy != MPOL_DEFAULT)
		return err_refuse(err, DO_IT_AFTER, "process %d has a NUMA policy (set_mempolicy)", s->pid);
	return refuse_keyrings(s, err);
}

/* What the kernel keeps for a process and prctl(2) or membarrier(2) tell. */
static int take_settings(struct subject *s, Warm__Image__Process *process, struct err *err)
{
	CLEAN(free) char *filter = NULL;
	uint32_t word = 0;
	long ret;
	int r;

	if ((r = ask(s, PR_GET_DUMPABLE, 0, &ret, err)) < 0)
		return r;
	process->dumpable = (uint32_t)ret;
	if ((r = ask(s, PR_GET_CHILD_SUBREAPER, s->scratch, &ret, err)) < 0 ||
	    (r = subject_read(s, s->scratch, &word, sizeof(word), err)) < 0)
		return r;
	process->child_subreaper = word;
	if ((r = ask(s, PR_GET_PDEATHSIG, s->scratch, &ret, err)) < 0 ||
	    (r = subject_read(s, s->scratch, &word, sizeof(word), err)) < 0)
		return r;
	process->parent_death_signal = word;
	if ((r = subject_syscall(s, &ret, SYS_prctl, PR_GET_MDWE, 0, 0, 0, err)) < 0)
		return r;
	process->mdwe = ret > 0 ? (uint32_t)ret : 0; /* an error: older than Linux 6.3 */
	if ((r = subject_syscall(s, &ret, SYS_membarrier, MEMBARRIER_CMD_GET_REGISTRATIONS, 0, 0, 0, err)) < 0)
		return r;
	process->membarrier = ret > 0 ? (uint32_t)ret : 0;
	r = fd_read_file_at(s->proc_fd, "coredump_filter", 64, &filter, NULL);
	if (r < 0)
		return err_sys(err, -r, "coredump_filter of process %d", s->pid);
	process->coredump_filter = (uint32_t)strtoul(filter, NULL, 16);
	return 0;
}

int collect_task(struct subject *s, struct err *err)
{
	Warm__Image__Process *process = s->image->process;
	int r;

	process->cred = malloc(sizeof(*process->cred));
	if (!process->cred)
		return err_sys(err, ENOMEM, "credentials");
	warm__image__credentials__init(process->cred);
	if ((r = take_credentials(s, process->cred, err)) < 0 ||
	    (r = take_directory(s, "cwd", &process->cwd, err)) < 0 ||
	    (r = take_directory(s, "root", &process->root, err)) < 0)
		return r;
	process->umask = s->status.umask;
	process->no_new_privs = s->status.no_new_privs;
	if (strcmp(process->root, "/") != 0 && !(s->status.cap_effective >> CAP_SYS_CHROOT & 1))
		return err_refuse(err, DO_IT_AFTER, "process %d lives in %s and may not chroot there again", s->pid,
		                  process->root);
	r = refuse_switches(s, err);
	return r < 0 ? r : take_settings(s, process, err);
}
