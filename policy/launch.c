/* SPDX-License-Identifier: MIT */
#include "policy/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "proto/rop.h"

static struct rlimit settle_limit(const struct rlimit *first, const struct rlimit *own, const struct rlimit *launch)
{
	struct rlimit ret = *launch;

	if (own->rlim_max != first->rlim_max && own->rlim_max < ret.rlim_max)
		ret.rlim_max = own->rlim_max;
	if (own->rlim_cur != first->rlim_cur)
		ret.rlim_cur = own->rlim_cur == own->rlim_max ? ret.rlim_max : own->rlim_cur;
	if (ret.rlim_cur > ret.rlim_max)
		ret.rlim_cur = ret.rlim_max;
	return ret;
}

void launch_traits_settle(const struct launch_traits *first, const struct launch_traits *own,
                          struct launch_traits *launch)
{
	for (int i = 0; i < LAUNCH_N_LIMITS; i++)
		launch->limit[i] = settle_limit(&first->limit[i], &own->limit[i], &launch->limit[i]);
	if (own->nice != first->nice)
		launch->nice = own->nice;
	if (own->oom_score_adj != first->oom_score_adj)
		launch->oom_score_adj = own->oom_score_adj;
	if (memcmp(own->cpus, first->cpus, sizeof(own->cpus)) != 0)
		memcpy(launch->cpus, own->cpus, sizeof(own->cpus));
}

#define N_OPS_MAX ((GO_SIZE_MAX - sizeof(struct go_header)) / sizeof(struct rop))

/* Offsets are counted from the start of `bytes` until all operations are there, then from the start of the message. */
struct builder {
	struct rop op[N_OPS_MAX];
	uint8_t bytes[GO_SIZE_MAX];
	size_t n_ops, n_bytes;
	bool full;
};

static uint64_t put_bytes(struct builder *builder, const void *data, size_t len)
{
	uint64_t offset = builder->n_bytes;

	if (len > sizeof(builder->bytes) - builder->n_bytes) {
		builder->full = true;
		return 0;
	}
	memcpy(builder->bytes + offset, data, len);
	builder->n_bytes += len;
	while (builder->n_bytes % 8) /* GO_SIZE_MAX is a multiple of 8 */
		builder->bytes[builder->n_bytes++] = 0;
	return offset;
}

static struct rop *put_call(struct builder *builder, uint16_t nr, uint32_t flags, uint64_t a, uint64_t b, uint64_t c)
{
	struct rop *op = &builder->op[builder->n_ops];

	if (builder->n_ops + 1 >= N_OPS_MAX)
		builder->full = true;
	else
		builder->n_ops++;
	*op = (struct rop){.kind = ROP_SYSCALL, .want = WANT_OK, .nr = nr, .flags = flags, .args = {a, b, c}};
	return op;
}

static bool put_extra(struct builder *builder, const struct launch_brings *brings)
{
	for (size_t i = 0; i < brings->n_extra; i++) {
		if (brings->extra[i] < 3 || brings->extra[i] >= LAUNCH_FD_END)
			return false;
		if (!(brings->no_place >> i & 1))
			put_call(builder, SYS_dup3, ROP_SLOT(0), SLOT_EXTRA + i, (uint64_t)brings->extra[i], 0);
	}
	return true;
}

/* Behind the launch's own numbers: one of these is where its close-on-exec flag is not as the launch has it. */
static void put_places(struct builder *builder, const struct launch_brings *brings)
{
	for (size_t i = 0; i < brings->n_places; i++) {
		const struct launch_place *place = &brings->place[i];
		uint64_t slot = SLOT_EXTRA;

		for (size_t j = 0; j < brings->n_extra; j++)
			if (brings->extra[j] == place->number)
				slot = SLOT_EXTRA + j;
		put_call(builder, SYS_dup3, ROP_SLOT(0), slot, (uint64_t)place->fd, place->cloexec ? O_CLOEXEC : 0);
		if (place->status_flags >= 0)
			put_call(builder, SYS_fcntl, ROP_SLOT(0), slot, F_SETFL, (uint64_t)place->status_flags);
	}
}

static void put_cwd(struct builder *builder, const struct launch_brings *brings)
{
	if (brings->cwd)
		put_call(builder, SYS_chdir, ROP_OFFSET(0), put_bytes(builder, brings->cwd, strlen(brings->cwd) + 1), 0,
		         0);
	if (brings->umask >= 0)
		put_call(builder, SYS_umask, 0, (uint64_t)brings->umask, 0, 0);
}

static void put_comm(struct builder *builder, const struct launch_brings *brings)
{
	if (brings->comm)
		put_call(builder, SYS_prctl, ROP_OFFSET(1), PR_SET_NAME,
		         put_bytes(builder, brings->comm, strlen(brings->comm) + 1), 0);
}

/* Affinity is each thread's own. So is niceness, but for PRIO_USER, which reaches every thread of this user that the
 * caller can see: in the pid namespace of a clone these are the clone's. The kernel looks at all processes of the
 * machine for that: where there is one thread only, not so. */
static void put_scheduling(struct builder *builder, const struct launch_brings *brings)
{
	static const uint8_t unknown[LAUNCH_CPUS_MAX];
	const struct launch_traits *launch = brings->launch, *standby = brings->standby;

	if (memcmp(launch->cpus, unknown, sizeof(unknown)) != 0 &&
	    memcmp(launch->cpus, standby->cpus, sizeof(launch->cpus)) != 0) {
		uint64_t cpus = put_bytes(builder, launch->cpus, sizeof(launch->cpus));

		put_call(builder, SYS_sched_setaffinity, ROP_OFFSET(2), 0, sizeof(launch->cpus), cpus);
		for (size_t i = 0; i < brings->n_tids; i++)
			put_call(builder, SYS_sched_setaffinity, ROP_OFFSET(2), (uint64_t)brings->tids[i],
			         sizeof(launch->cpus), cpus);
	}
	if (launch->nice != standby->nice)
		put_call(builder, SYS_setpriority, 0, brings->n_tids ? PRIO_USER : PRIO_PROCESS, 0,
		         (uint64_t)(int64_t)launch->nice);
}

static void put_oom_score(struct builder *builder, const struct launch_brings *brings)
{
	static const char path[] = "/proc/self/oom_score_adj";
	uint64_t slot = SLOT_EXTRA + brings->n_extra; /* one that no descriptor of the launch is in */
	char text[16];
	int len;

	if (brings->launch->oom_score_adj == brings->standby->oom_score_adj)
		return;
	len = snprintf(text, sizeof(text), "%d", brings->launch->oom_score_adj);
	struct rop *open_op = put_call(builder, SYS_openat, ROP_OFFSET(1) | ROP_TO_SLOT, (uint64_t)(int64_t)AT_FDCWD,
	                               put_bytes(builder, path, sizeof(path)), O_WRONLY | O_CLOEXEC);

	open_op->expect = slot;
	put_call(builder, SYS_write, ROP_SLOT(0) | ROP_OFFSET(1), slot, put_bytes(builder, text, (size_t)len),
	         (uint64_t)len);
	put_call(builder, SYS_close, ROP_SLOT(0), slot, 0, 0);
}

static void put_limits(struct builder *builder, const struct launch_brings *brings)
{
	for (uint64_t i = 0; i < LAUNCH_N_LIMITS; i++) {
		const struct rlimit *limit = &brings->launch->limit[i];
		const uint64_t value[2] = {limit->rlim_cur, limit->rlim_max}; /* struct rlimit64 */

		if (memcmp(limit, &brings->standby->limit[i], sizeof(*limit)) != 0)
			put_call(builder, SYS_prlimit64, ROP_OFFSET(2), 0, i, put_bytes(builder, value, sizeof(value)));
	}
}

/* The clone has its own rights by then, not the daemon's: setpriority(2), setrlimit(2). */
static int check_rights(const struct launch_brings *brings, struct err *err)
{
	const struct launch_traits *launch = brings->launch, *standby = brings->standby;
	const struct rlimit *nice = &standby->limit[RLIMIT_NICE];

	if (launch->nice < standby->nice && !(brings->caps >> CAP_SYS_NICE & 1) && nice->rlim_cur != RLIM_INFINITY &&
	    20 - launch->nice > (long)nice->rlim_cur)
		return err_set(err, EPERM, "the launch has niceness %d, and its copy may not leave %d for it",
		               launch->nice, standby->nice);
	for (int i = 0; i < LAUNCH_N_LIMITS; i++)
		if (launch->limit[i].rlim_max > standby->limit[i].rlim_max && !(brings->caps >> CAP_SYS_RESOURCE & 1))
			return err_set(err, EPERM,
			               "a hard limit of the launch (number %d, see setrlimit(2)) is above "
			               "warmd's, and its copy may not raise it",
			               i);
	return 0;
}

static size_t assemble(struct builder *builder, const struct launch_brings *brings, uint8_t buf[GO_SIZE_MAX])
{
	size_t base = sizeof(struct go_header) + builder->n_ops * sizeof(struct rop);
	size_t size = base + builder->n_bytes;
	struct go_header header = {.magic = GO_MAGIC,
	                           .size = (uint32_t)size,
	                           .n_ops = (uint32_t)builder->n_ops,
	                           .n_fds = (uint32_t)(SLOT_EXTRA + brings->n_extra),
	                           .skip = brings->skip};

	for (size_t i = 0; i < builder->n_ops; i++) {
		for (int arg = 0; arg < 6; arg++) {
			if (builder->op[i].flags & ROP_OFFSET(arg))
				builder->op[i].args[arg] += base;
		}
	}
	if (builder->full || size > GO_SIZE_MAX)
		return 0;
	memcpy(buf, &header, sizeof(header));
	memcpy(buf + sizeof(header), builder->op, builder->n_ops * sizeof(struct rop));
	memcpy(buf + base, builder->bytes, builder->n_bytes);
	return size;
}

/* Limits come last: a lower limit on open files or file sizes must not fail what is done before it. */
int launch_build_go(const struct launch_brings *brings, uint8_t buf[GO_SIZE_MAX], struct err *err)
{
	struct builder builder;
	size_t size;

	builder.n_ops = builder.n_bytes = 0;
	builder.full = false;
	if (brings->n_extra >= GO_FDS_MAX - SLOT_EXTRA)
		return err_set(err, E2BIG, "the launch brings %zu descriptors, a snapshot takes %d", brings->n_extra,
		               GO_FDS_MAX - SLOT_EXTRA - 1);
	if (!put_extra(&builder, brings))
		return err_set(err, E2BIG, "the launch brings a descriptor numbered %d or higher", LAUNCH_FD_END);
	if (check_rights(brings, err))
		return -EPERM;
	put_places(&builder, brings);
	put_cwd(&builder, brings);
	put_comm(&builder, brings);
	put_scheduling(&builder, brings);
	put_oom_score(&builder, brings);
	put_limits(&builder, brings);
	size = assemble(&builder, brings, buf);
	if (size == 0)
		return err_set(err, E2BIG, "what the launch brings does not fit into one message of %d bytes",
		               GO_SIZE_MAX);
	return (int)size;
}

const char *launch_words(int64_t nr)
{
	switch (nr) {
	case SYS_chdir:
		return "the working directory";
	case SYS_sched_setaffinity:
		return "the processor affinity";
	case SYS_setpriority:
		return "the niceness";
	case SYS_prlimit64:
		return "a limit";
	case SYS_openat:
	case SYS_write:
		return "the oom score";
	default:
		return "a descriptor";
	}
}
