/* SPDX-License-Identifier: MIT */
/*
 * warm-init SUPFD APPPID [NOTIFYFD LIFEFD]: the supervisor of one clone, pid 1 of its pid namespace and leader of its
 * session. -1: there is none.
 *
 *     PARKED ── sup_go ──► WATCHING ── the application has ended ──► REAPING ── no child left ──► exit
 *        └── EOF on SUPFD, or the application died: exit     └── EOF on control: exit
 *
 * Where a pager brings the clone's memory, LIFEFD is a socket to it and LIFEFD + 1 the userfaultfd, which must not be
 * closed while anybody may read memory that has not come: EOF on LIFEFD ends the clone.
 *
 * When pid 1 exits the kernel kills whatever else is in the namespace: that is how a vanished launcher ends the
 * program. The supervisor of a first run (sdk/cli/child.c) is no pid 1, it ends the application itself. All signals
 * stay blocked: a supervisor in the background of its terminal could not call TIOCSPGRP otherwise (SIGTTOU).
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "proto/launch.h"
#include "restore/init/sys.h"

struct supervisor {
	int sup_fd;                   /* to warmd, until the launch is taken over */
	int control_fd;               /* to `warm exec` */
	int tty_fd;                   /* slave of the launch's pty, or -1 */
	int claim_fd;                 /* what nobody else may have while the clone lives (warmd/claim.h), or -1 */
	int signal_fd;                /* SIGCHLD */
	int notify_fd;                /* the application's NOTIFY_SOCKET, until the launch gets it; -1: it has none */
	int life_fd;                  /* to the pager, or -1 */
	int group_fd[SUP_GROUPS_MAX]; /* folders of the control groups of the launch */
	unsigned n_groups;
	int app_pid;     /* the application, here in its namespace */
	int front_group; /* who was in front of the terminal before it was sent to the background; 0: the application */
	int group_stopped; /* a key stopped the whole group */
	unsigned flags;    /* enum launch_flags */
};

void init_start(void);
void init_main(long *stack);
static int decimal(const char *text);
static void prepare(struct supervisor *sup);
static void park(struct supervisor *sup);
static void report(struct supervisor *sup, unsigned kind, int err);
static void hand_over_notify(struct supervisor *sup);
static void hand_over_network(struct supervisor *sup);
static void hand_over(struct supervisor *sup, unsigned kind, int value, int fd);
static int receive_go(struct supervisor *sup);
static int enter_groups(struct supervisor *sup);
static int enter_group(struct supervisor *sup, int dir_fd);
static int take_terminal(struct supervisor *sup);
static void set_foreground(struct supervisor *sup, int foreground);
static int app_group(struct supervisor *sup);
static void watch(struct supervisor *sup);
static int children(struct supervisor *sup, int *ret_status);
static void tell(struct supervisor *sup, unsigned kind, int value, int flags);
static void obey(struct supervisor *sup);
static void forward(struct supervisor *sup, const struct control *control);
static void reap(struct supervisor *sup);
static void give_up_claim(struct supervisor *sup);
static void end(struct supervisor *sup) __attribute__((noreturn));

__attribute__((naked, used, noreturn)) void init_start(void)
{
	__asm__("xor %ebp, %ebp\n\t"
	        "mov %rsp, %rdi\n\t"
	        "and $-16, %rsp\n\t"
	        "call init_main\n\t"
	        "hlt");
}

void init_main(long *stack)
{
	static struct supervisor sup;
	char **argv = (char **)(stack + 1);

	if (stack[0] != 3 && stack[0] != 5)
		sys_exit(2);

	sup.sup_fd = decimal(argv[1]);
	sup.app_pid = decimal(argv[2]);
	sup.control_fd = sup.tty_fd = sup.claim_fd = -1;
	sup.notify_fd = stack[0] == 5 ? decimal(argv[3]) : -1;
	sup.life_fd = stack[0] == 5 ? decimal(argv[4]) : -1;
	if (sup.sup_fd < 0 || sup.app_pid <= 1 || (sup.notify_fd >= 0 && sup.notify_fd != sup.sup_fd + 1) ||
	    (sup.life_fd >= 0 && sup.life_fd <= sup.sup_fd + 1))
		sys_exit(2);

	prepare(&sup);
	park(&sup);
	watch(&sup);
	reap(&sup);
	sys_exit(0);
}

static int decimal(const char *text)
{
	long value = 0;

	if (!*text)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || value > 10000000)
			return -1;
		value = value * 10 + *text - '0';
	}
	return (int)value;
}

static void prepare(struct supervisor *sup)
{
	sys_block_all_signals();
	sys_default_action(SIGCHLD); /* exec keeps SIG_IGN, which would swallow the application's status */
	if (sup->sup_fd > 0)
		sys_close_range(0, (unsigned)sup->sup_fd - 1);
	if (sup->notify_fd < 0)
		sys_close(sup->sup_fd + 1);
	if (sup->life_fd >= 0)
		sys_close_range((unsigned)sup->sup_fd + 2, (unsigned)sup->life_fd - 1);
	sys_close_range((unsigned)(sup->life_fd >= 0 ? sup->life_fd : sup->sup_fd) + 2, ~0u);
	sup->signal_fd = sys_signalfd(1ull << (SIGCHLD - 1), SFD_CLOEXEC | SFD_NONBLOCK);
	if (sup->signal_fd < 0)
		sys_exit(1);
}

/* Waits for the launch. Returns with control and terminal in place, or not at all. */
static void park(struct supervisor *sup)
{
	struct pollfd fds[3] = {{.fd = sup->sup_fd, .events = POLLIN},
	                        {.fd = sup->signal_fd, .events = POLLIN},
	                        {.fd = sup->life_fd, .events = POLLIN}};
	int status = 0, err;

	report(sup, REPORT_SUP_PARKED, 0);
	for (;;) {
		sys_poll(fds, 3, -1);
		/* The launch first: a program that has ended already was launched before it could, and somebody waits
		 * for it. */
		if (receive_go(sup))
			break;
		if (fds[2].revents || (fds[1].revents && children(sup, &status)))
			sys_exit(1);
	}

	err = enter_groups(sup);
	if (err) {
		report(sup, REPORT_BROUGHT, err);
		end(sup);
	}
	err = sup->flags & LAUNCH_TTY ? take_terminal(sup) : 0;
	report(sup, err ? REPORT_FAILED : REPORT_SUP_READY, err);
	if (err)
		end(sup);
	sys_close(sup->sup_fd);
	hand_over_notify(sup);
	hand_over_network(
	        sup); /* behind it: an abstract address of the launcher's is one of the network that it leaves */
}

/* The launch listens to it, if it wants to; nobody does otherwise, and then the application shall hear that at once. */
static void hand_over_notify(struct supervisor *sup)
{
	if (sup->notify_fd < 0)
		return;
	if (sup->flags & LAUNCH_NOTIFY)
		hand_over(sup, CONTROL_NOTIFY, (sup->flags & SUP_SAID_READY) != 0, sup->notify_fd);
	sys_close(sup->notify_fd);
}

/* Its own, which is the application's. The supervisor of a first run was started there by its launcher. */
static void hand_over_network(struct supervisor *sup)
{
	int fd = sup->flags & LAUNCH_NET_PRIVATE ? sys_open("/proc/self/ns/net") : -1;

	if (fd < 0)
		return;
	hand_over(sup, CONTROL_NETWORK, 0, fd);
	sys_close(fd);
}

static void hand_over(struct supervisor *sup, unsigned kind, int value, int fd)
{
	struct control control = {.kind = kind, .value = value};
	struct {
		struct cmsghdr header;
		int fd[2];
	} aux = {.header = {.cmsg_len = sizeof(aux.header) + sizeof(int),
	                    .cmsg_level = SOL_SOCKET,
	                    .cmsg_type = SCM_RIGHTS},
	         .fd = {fd}};
	struct iovec iov = {.iov_base = &control, .iov_len = sizeof(control)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &aux, .msg_controllen = sizeof(aux)};

	sys_sendmsg(sup->control_fd, &msg, 0);
}

static void report(struct supervisor *sup, unsigned kind, int err)
{
	static struct report report;

	report.magic = REPORT_MAGIC;
	report.kind = kind;
	report.op = -1;
	report.err = err;
	/* Failing is no end: warmd may be gone, and whoever was launched does not need it. park() sees the end of file.
	 */
	sys_send(sup->sup_fd, &report, sizeof(report), 0);
}

/* Is the launch there? EOF, or a message that is none of warmd's, ends this supervisor and so its standby. */
static int receive_go(struct supervisor *sup)
{
	struct sup_go go = {0};
	struct {
		struct cmsghdr header;
		int fd[3 + SUP_GROUPS_MAX];
	} aux = {0};
	struct iovec iov = {.iov_base = &go, .iov_len = sizeof(go)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &aux, .msg_controllen = sizeof(aux)};
	long n = sys_recvmsg(sup->sup_fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	size_t n_fds, n_groups;

	if (n == -EAGAIN || n == -EINTR)
		return 0;
	if (n != sizeof(go) || go.magic != SUP_MAGIC || msg.msg_controllen < sizeof(aux.header) ||
	    aux.header.cmsg_type != SCM_RIGHTS)
		end(sup);
	n_fds = (aux.header.cmsg_len - sizeof(aux.header)) / sizeof(int);
	n_groups = SUP_GROUPS(go.flags);
	if (n_groups > SUP_GROUPS_MAX || n_fds < n_groups + (go.flags & LAUNCH_TTY ? 2 : 1))
		end(sup);
	n_fds -= n_groups;
	for (size_t i = 0; i < n_groups; i++)
		sup->group_fd[i] = aux.fd[n_fds + i];
	sup->n_groups = (unsigned)n_groups;

	sup->flags = go.flags;
	sup->control_fd = aux.fd[0];
	if (go.flags & LAUNCH_TTY)
		sup->tty_fd = aux.fd[1];
	if (n_fds > (go.flags & LAUNCH_TTY ? 2 : 1))
		sup->claim_fd = aux.fd[n_fds - 1];
	return 1;
}

/* Of the launch's caller, where they are not warmd's. Returns a positive errno. */
static int enter_groups(struct supervisor *sup)
{
	int err = 0;

	for (unsigned i = 0; i < sup->n_groups && !err; i++) {
		err = enter_group(sup, sup->group_fd[i]);
		sys_close(sup->group_fd[i]);
	}
	return err;
}

static int enter_group(struct supervisor *sup, int dir_fd)
{
	char digits[12], *at = digits + sizeof(digits);
	int fd = sys_open_to_write(dir_fd, "cgroup.procs"), ret;

	if (fd < 0)
		return -fd;
	for (int left = sup->app_pid; left; left /= 10)
		*--at = (char)('0' + left % 10);
	ret = (int)sys_write(fd, at, (size_t)(digits + sizeof(digits) - at));
	if (ret > 0)
		ret = (int)sys_write(fd, "0", 1); /* this process */
	sys_close(fd);
	return ret < 0 ? -ret : 0;
}

/*
 * The controlling terminal is inherited by fork: where the application is to have it, this session took it before the
 * application was made, and TIOCSCTTY says 0 again here. The slave stays open: it takes TIOCSPGRP later.
 */
static int take_terminal(struct supervisor *sup)
{
	int ret = sys_ioctl(sup->tty_fd, TIOCSCTTY, 0);

	if (ret < 0)
		return -ret;
	set_foreground(sup, !(sup->flags & LAUNCH_BACKGROUND));
	return 0;
}

/*
 * A program with job control of its own (a shell) may have put another group in front: going to the background
 * remembers which, coming back restores it. Failing is no harm: the group may be gone.
 */
static void set_foreground(struct supervisor *sup, int foreground)
{
	int own = sys_getpgid(0), group = own;

	if (sup->tty_fd < 0)
		return;
	if (!foreground) {
		if (sys_ioctl(sup->tty_fd, TIOCGPGRP, (long)&group) == 0 && group != own)
			sup->front_group = group;
		sys_ioctl(sup->tty_fd, TIOCSPGRP, (long)&own);
		return;
	}

	group = sup->front_group;
	sup->front_group = 0;
	if (group > 0 && sys_ioctl(sup->tty_fd, TIOCSPGRP, (long)&group) == 0)
		return;
	group = app_group(sup);
	sys_ioctl(sup->tty_fd, TIOCSPGRP, (long)&group);
}

static int app_group(struct supervisor *sup)
{
	int group = sys_getpgid(sup->app_pid);

	return group > 1 ? group : sup->app_pid;
}

/* Between the launcher and the application, until the application has ended. */
static void watch(struct supervisor *sup)
{
	struct pollfd fds[3] = {{.fd = sup->control_fd, .events = POLLIN},
	                        {.fd = sup->signal_fd, .events = POLLIN},
	                        {.fd = sup->life_fd, .events = POLLIN}};
	int status;

	for (;;) {
		sys_poll(fds, 3, -1);
		if (fds[2].revents) { /* nobody brings its memory any more */
			tell(sup, CONTROL_LOST, 0, MSG_DONTWAIT);
			end(sup);
		}
		if (fds[1].revents && children(sup, &status)) {
			/* the one message that must not be lost: it may wait for a stopped launcher */
			give_up_claim(sup);
			tell(sup, CONTROL_EXIT, status, 0);
			return;
		}
		if (fds[0].revents)
			obey(sup);
	}
}

/* Reaps, reports stops. Returns 1 when the application itself has ended. */
static int children(struct supervisor *sup, int *ret_status)
{
	struct signalfd_siginfo info;
	int status = 0, pid, ended = 0;

	while (sys_read(sup->signal_fd, &info, sizeof(info)) > 0)
		;
	while ((pid = sys_wait4(-1, &status, WNOHANG | WUNTRACED | __WALL)) > 0) {
		if (pid != sup->app_pid)
			continue;
		if (WIFSTOPPED(status)) {
			tell(sup, CONTROL_STOPPED, WSTOPSIG(status), MSG_DONTWAIT);
			continue;
		}
		*ret_status = status;
		ended = 1;
	}
	return ended;
}

static void tell(struct supervisor *sup, unsigned kind, int value, int flags)
{
	struct control control = {.kind = kind, .value = value};

	if (sup->control_fd >= 0)
		sys_send(sup->control_fd, &control, sizeof(control), flags);
}

static void obey(struct supervisor *sup)
{
	struct control control = {0};
	long n = sys_recv(sup->control_fd, &control, sizeof(control), MSG_DONTWAIT);

	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n <= 0)
		end(sup); /* the launcher is gone, and with this process the clone */
	if (n != sizeof(control))
		return;

	if (control.kind == CONTROL_SIGNAL) {
		forward(sup, &control);
	} else if (control.kind == CONTROL_FOREGROUND) {
		set_foreground(sup, control.value != 0);
		sys_kill(-app_group(sup), SIGCONT);
	}
}

/*
 * To the application as kill(1) or sigqueue(3) would; what a terminal's key made (SI_KERNEL) to its whole group, as the
 * terminal would, and then the SIGCONT that ends such a stop, too.
 */
static void forward(struct supervisor *sup, const struct control *control)
{
	int sig = control->value, to_group = control->code == SI_KERNEL;
	struct {
		int signo, err, code, pad, pid, uid;
		uint64_t value;
		char rest[128 - 32];
	} info;

	if (sig <= 0 || sig > 64)
		return;
	if (sig == SIGCONT) {
		to_group = to_group || sup->group_stopped;
		sup->group_stopped = 0;
	} else if (to_group && (sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)) {
		sup->group_stopped = 1;
	}

	if (to_group) {
		sys_kill(-app_group(sup), sig);
	} else if (control->code < 0) {
		info.signo = sig;
		info.err = info.pad = info.pid = info.uid = 0;
		info.code = control->code;
		info.value = control->data;
		if (sys_sigqueue(sup->app_pid, sig, &info) < 0)
			sys_kill(sup->app_pid, sig);
	} else {
		sys_kill(sup->app_pid, sig);
	}
}

/* Before the launcher hears of the end, for it may launch the next one at once; with the last child, where some live
 * on. */
static void give_up_claim(struct supervisor *sup)
{
	int status;

	if (sup->claim_fd >= 0 && sys_wait4(-1, &status, WNOHANG | __WALL) == -ECHILD)
		sys_close(sup->claim_fd);
}

/* The application has not ended, or nobody has reaped it: its number means it. */
static void end(struct supervisor *sup)
{
	if (sys_getpid() != 1)
		sys_kill(sup->app_pid, SIGKILL);
	sys_exit(1);
}

/* The program's background children live on as after a cold run; somebody must reap them. The launcher may leave. */
static void reap(struct supervisor *sup)
{
	struct pollfd fds[2] = {{.fd = sup->signal_fd, .events = POLLIN}, {.fd = sup->life_fd, .events = POLLIN}};
	struct signalfd_siginfo info;
	int status, ret;

	sys_close(sup->control_fd);
	if (sup->tty_fd >= 0)
		sys_close(sup->tty_fd);
	for (;;) {
		while ((ret = sys_wait4(-1, &status, __WALL | WNOHANG)) > 0)
			;
		if (ret < 0 && ret != -EINTR)
			return;
		sys_poll(fds, 2, -1);
		if (fds[1].revents)
			return; /* and with this process they end */
		while (sys_read(sup->signal_fd, &info, sizeof(info)) > 0)
			;
	}
}
