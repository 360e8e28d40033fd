/* SPDX-License-Identifier: MIT */
/* Process-wide state, and credentials (which the kernel keeps per thread). */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "base/uapi.h"
#include "restore/plan.h"

typedef Warm__Image__Credentials cred_t;

static void plan_coredump_filter(struct plan *p, uint32_t filter)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%#x", filter);

	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_openat,
	                     .flags = ROP_TO_SLOT,
	                     .expect = SLOT_TMP,
	                     .args = {(uint64_t)AT_FDCWD, plan_string(p, "/proc/self/coredump_filter"),
	                              O_WRONLY | O_CLOEXEC}},
	        "core dump filter");
	plan_op(p,
	        (struct rop){.kind = ROP_SYSCALL,
	                     .nr = SYS_write,
	                     .flags = ROP_SLOT(0),
	                     .args = {SLOT_TMP, plan_string(p, text), (uint64_t)len}},
	        "core dump filter");
	plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = SYS_close, .flags = ROP_SLOT(0), .args = {SLOT_TMP}},
	        "core dump filter");
}

int plan_task(struct plan *p, struct err *err)
{
	const Warm__Image__Process *process = p->image->process;

	(void)err;
	PLAN_SYS(p, SYS_umask, "umask", process->umask);
	if (process->personality != p->place->personality)
		PLAN_SYS(p, SYS_personality, "personality", process->personality);
	if (process->child_subreaper)
		PLAN_SYS(p, SYS_prctl, "child subreaper", PR_SET_CHILD_SUBREAPER, 1);
	for (uint32_t bit = 1; bit && bit <= process->membarrier; bit <<= 1)
		if (process->membarrier & bit)
			PLAN_SYS(p, SYS_membarrier, "register for membarrier", bit, 0, 0);
	if (process->coredump_filter && process->coredump_filter != p->place->coredump_filter)
		plan_coredump_filter(p, process->coredump_filter);
	return 0;
}

/* Last: it would forbid the restorer what it may forbid the application. */
void plan_task_last(struct plan *p)
{
	const Warm__Image__Process *process = p->image->process;

	if (process->parent_death_signal)
		PLAN_SYS(p, SYS_prctl, "parent death signal", PR_SET_PDEATHSIG, process->parent_death_signal);
	if (process->mdwe)
		PLAN_SYS(p, SYS_prctl, "no memory that is writable and executable", PR_SET_MDWE, process->mdwe, 0, 0,
		         0);
}

/* Where the program stands; the launch may name another working directory later, in GO's own ops. */
void plan_task_place(struct plan *p)
{
	const Warm__Image__Process *process = p->image->process;

	if (strcmp(process->cwd, "/") != 0)
		plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = SYS_chdir, .args = {plan_string(p, process->cwd)}},
		        "working directory %s", process->cwd);
}

/* Behind everything that has a path: those are as the daemon sees them. */
void plan_task_root(struct plan *p)
{
	const Warm__Image__Process *process = p->image->process;

	if (strcmp(process->root, "/") != 0)
		plan_op(p, (struct rop){.kind = ROP_SYSCALL, .nr = SYS_chroot, .args = {plan_string(p, process->root)}},
		        "root directory %s", process->root);
}

/*
 * keyrings(7). The session keyring that the daemon was started with is somebody else's, root's most likely, and who has
 * it possesses the keys in it, whatever its own rights. Made before these are given up: it counts for no user's quota.
 */
void plan_keys_own(struct plan *p)
{
	if (p->place->has_keys)
		PLAN_SYS(p, SYS_keyctl, "a session keyring of its own", KEYCTL_JOIN_SESSION_KEYRING, 0);
}

/* As pam_keyinit(8) does at a login. */
void plan_keys_user(struct plan *p)
{
	if (p->place->has_keys)
		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL,
		                     .want = WANT_ANY,
		                     .nr = SYS_keyctl,
		                     .args = {KEYCTL_LINK, (uint64_t)KEY_SPEC_USER_KEYRING,
		                              (uint64_t)KEY_SPEC_SESSION_KEYRING}},
		        "the user's keyring in it");
}

static void drop_bounding(struct plan *p, const cred_t *cred)
{
	uint64_t drop = p->place->cap_bounding & ~cred->bounding;

	for (int cap = 0; cap < 64; cap++)
		if (drop >> cap & 1)
			PLAN_SYS(p, SYS_prctl, "drop a bounding capability", PR_CAPBSET_DROP, (uint64_t)cap);
}

static void set_ids(struct plan *p, const cred_t *cred)
{
	uint64_t groups = plan_data(p, cred->group, cred->n_group * sizeof(cred->group[0]), 4);

	PLAN_SYS(p, SYS_setgroups, "supplementary groups", cred->n_group, groups);
	PLAN_SYS(p, SYS_setresgid, "group ids", cred->gid[0], cred->gid[1], cred->gid[2]);
	PLAN_SYS(p, SYS_prctl, "keep capabilities over the change of uid", PR_SET_SECUREBITS,
	         SECBIT_KEEP_CAPS | SECBIT_NO_SETUID_FIXUP);
	PLAN_SYS(p, SYS_setresuid, "user ids", cred->uid[0], cred->uid[1], cred->uid[2]);
	if (cred->uid[3] != cred->uid[1])
		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL, .want = WANT_ANY, .nr = SYS_setfsuid, .args = {cred->uid[3]}},
		        "file-system user id");
	if (cred->gid[3] != cred->gid[1])
		plan_op(p,
		        (struct rop){.kind = ROP_SYSCALL, .want = WANT_ANY, .nr = SYS_setfsgid, .args = {cred->gid[3]}},
		        "file-system group id");
	PLAN_SYS(p, SYS_prctl, "securebits", PR_SET_SECUREBITS, cred->securebits);
}

static void set_caps(struct plan *p, const cred_t *cred)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(cred->effective >> (32 * i));
		data[i].permitted = (uint32_t)(cred->permitted >> (32 * i));
		data[i].inheritable = (uint32_t)(cred->inheritable >> (32 * i));
	}
	uint64_t header_at = plan_data(p, &header, sizeof(header), 8);
	PLAN_SYS(p, SYS_capset, "capabilities", header_at, plan_data(p, data, sizeof(data), 8));
	for (int cap = 0; cap < 64; cap++)
		if (cred->ambient >> cap & 1)
			PLAN_SYS(p, SYS_prctl, "ambient capability", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE,
			         (uint64_t)cap);
}

/* Nothing is done where the template has them already: a root daemon serving root's programs. */
void plan_credentials(struct plan *p, bool main_thread)
{
	const Warm__Image__Process *process = p->image->process;
	const cred_t *cred = process->cred;
	bool same_ids = !p->place->other_groups;

	for (int i = 0; i < 4; i++)
		same_ids &= cred->uid[i] == p->place->uid && cred->gid[i] == p->place->gid;
	if (!same_ids || cred->bounding != p->place->cap_bounding || cred->permitted != p->place->cap_permitted ||
	    cred->effective != p->place->cap_effective || cred->inheritable != p->place->cap_inheritable ||
	    cred->ambient != p->place->cap_ambient || cred->securebits != p->place->securebits) {
		drop_bounding(p, cred);
		set_ids(p, cred);
		set_caps(p, cred);
	}
	if (process->no_new_privs)
		PLAN_SYS(p, SYS_prctl, "no_new_privs", PR_SET_NO_NEW_PRIVS, 1);
	if (main_thread)
		PLAN_SYS(p, SYS_prctl, "dumpable", PR_SET_DUMPABLE, process->dumpable == 2 ? 0 : process->dumpable);
}
