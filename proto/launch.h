/* SPDX-License-Identifier: MIT */
/*
 * The fixed-layout messages: what `warm exec` says before its libc has started, and what processes without a libc
 * (restorer, supervisor) say and hear. Everything else between processes is protobuf (rpc.proto).
 *
 * All sockets are AF_UNIX SOCK_SEQPACKET: one message, one datagram. All integers little-endian.
 *
 *     warm exec ──launch_request + fds──► warmd ──sup_go + fds──► supervisor (warm-init, pid 1 of the clone)
 *         ▲  ▲                              │ └───go_header, then the hook's answer──► application (parked restorer)
 *         │  └────────launch_reply──────────┘ ◄────────────── struct report ──────────────────┘
 *         └──────────── struct control, both ways, until the program has ended ──► supervisor
 *
 *     warm exec ──the program's fds──► carrier ──► warmd, when it reads the request
 *                                         └──────► back to a warm exec that gives up before
 *
 * A first run that `warm exec` has to stand behind (LAUNCH_RELAY) is its child, with a supervisor of its own:
 *
 *     warm exec ──relay_word──► warmd        warm exec ──sup_go + fds──► supervisor (warm-init) ──► the program
 *         ▲ └─────────────────── struct control, both ways ──────────────────┘                        │
 *         └───────────────────────────── what the program prints ─────────────────────────────────────┘
 */
#ifndef WARM_PROTO_LAUNCH_H
#define WARM_PROTO_LAUNCH_H

#include <stddef.h>
#include <stdint.h>

#define LAUNCH_MAGIC        0x584d5257u /* "WRMX": a launch_request */
#define RPC_MAGIC           0x504d5257u /* "WRMP": four bytes before every protobuf Request and Reply */
#define LAUNCH_VERSION      5
#define MESSAGE_MAX         131072 /* bytes in one datagram; a launch that does not fit starts cold */
#define LAUNCH_FDS_MAX      64     /* descriptors in one launch; more start cold */
#define LAUNCH_FD_END       900 /* a descriptor with this number or a higher one starts cold: the restorer's are there */
#define LAUNCH_SILENCE_MS   100 /* no word from warmd for so long: take the token, start cold */
#define NOTIFY_PATH_MAX     108 /* with its NUL: what fits into a struct sockaddr_un */
#define LAUNCH_KEEPALIVE_MS 50  /* so often warmd says LAUNCH_PENDING while a clone is being made */

/* ---- warm exec → warmd ---------------------------------------------------------------------------------------- */

enum launch_flags {
	LAUNCH_COLD = 1 << 0,        /* --cold: no snapshot is used (and none is taken) */
	LAUNCH_REQUIRE = 1 << 1,     /* --require */
	LAUNCH_NET_PRIVATE = 1 << 2, /* --net private */
	LAUNCH_TTY = 1 << 3,         /* one of 0 1 2 is the slave of a fresh pty: it becomes the controlling terminal */
	LAUNCH_BACKGROUND = 1 << 4,  /* the program starts in the background of that pty (see supervisor) */
	LAUNCH_NOTIFY = 1 << 5,      /* the caller has a NOTIFY_SOCKET: what the program says to its own comes back */
	LAUNCH_OFFER = 1 << 6,       /* --ready sdk: a first run gets a NOTIFY_SOCKET where the caller has none */
	LAUNCH_EXPLAIN = 1 << 7,     /* --explain: the reply is to have taken_us */
};

/*
 * Descriptors, in order: [0] the supervisor's end of the control socket pair, [1] the token (an eventfd of value 1,
 * non-blocking: who reads it runs), [2] the carrier: the receiving end of a socket pair whose sending end is closed.
 * In it lies one datagram, one byte and a descriptor for each of fd_number[], ascending; closed ones of 0 1 2 are not
 * listed, close-on-exec ones neither.
 *
 * `warm exec` keeps the carrier's receiving end, too. What is sent to a daemon that does not read stays in its queue,
 * and a pipe in there has no EOF; so who gives up takes the program's descriptors back out of the carrier before it
 * takes the token, and a warmd that finds the carrier empty drops the request.
 *
 * Behind the header, NUL-terminated each, in this order: cmd (path of the file to execute, as resolved through PATH
 * but with symbolic links kept), cwd, name ("" = none), ready ("" = sdk), argv[n_argv], env[n_env].
 */
struct launch_request {
	uint32_t magic;
	uint16_t version;
	uint16_t n_numbers;   /* entries of fd_number[] in use */
	uint32_t size;        /* of this datagram */
	uint32_t flags;       /* enum launch_flags */
	uint64_t sig_blocked; /* the caller's signal mask, as the kernel's sigset: bit n-1 is signal n */
	uint64_t started_ns;  /* CLOCK_MONOTONIC at the command's first instruction */
	uint32_t personality; /* personality(2) */
	uint32_t inherited;   /* PR_GET_THP_DISABLE, PR_GET_MDWE << 8, mode of get_mempolicy(2) << 16 */
	uint32_t n_argv;
	uint32_t n_env;
	int32_t fd_number[LAUNCH_FDS_MAX];
};

enum launch_answer {
	LAUNCH_PENDING = 1,    /* a clone is being made; keep waiting */
	LAUNCH_RUNNING = 2,    /* the clone has the token: read the control socket */
	LAUNCH_COLD_START = 3, /* take the token and execve() yourself */
	LAUNCH_RELAY = 4,      /* take the token and run it as a child (relay_word). Comes with an open warm-init and,
	                          where `notify` is not empty, the socket behind that path */
};

enum launch_tier { TIER_HOT = 0, TIER_TEMPLATE = 1, TIER_COLD_RESTORE = 2, TIER_COLD_START = 3 };

struct launch_reply {
	uint32_t magic;        /* LAUNCH_MAGIC */
	uint32_t kind;         /* enum launch_answer */
	uint32_t tier;         /* enum launch_tier */
	uint32_t lookup_us;    /* accept → snapshot found */
	uint32_t go_us;        /* accept → GO sent */
	uint32_t taken_us;     /* accept → the request was read; 0: nobody wants to know */
	uint64_t go_ns;        /* CLOCK_MONOTONIC when GO was sent */
	uint32_t placed_pages; /* TIER_COLD_RESTORE: brought from disk before it ran; the pager brings others when
	                          they are touched. 0: all were read, or it is not known */
	uint32_t pad;
	char snapshot[24];
	char reason[240]; /* why not hotter; "" = hot */
	char env[256]; /* LAUNCH_COLD_START, LAUNCH_RELAY: "NAME=VALUE" and a separator, put in front of what NAME is;
	                  "" nothing */
	char notify[NOTIFY_PATH_MAX]; /* LAUNCH_RELAY: the program's NOTIFY_SOCKET; "" = the caller's, or none */
};

/* ---- warm exec ↔ warmd, behind LAUNCH_RELAY ------------------------------------------------------------------- */

#define RELAY_MAGIC 0x594d5257u /* "WRMY" */

/*
 * The connection stays open. `warm exec` says RELAY_STARTED when the program is there and has yet to execute its first
 * instruction; warmd answers RELAY_GO, or closes the connection, which means a plain cold start. RELAY_READY: what was
 * to be seen has been seen.
 */
enum relay_kind {
	RELAY_STARTED = 1,  /* → warmd, with a pidfd of the program */
	RELAY_GO = 2,       /* → warm exec */
	RELAY_READY = 3,    /* → warmd */
	RELAY_NOTIFIED = 4, /* → warmd: the program itself has said READY=1 to its NOTIFY_SOCKET */
};

struct relay_word {
	uint32_t magic;
	uint32_t kind; /* enum relay_kind */
};

/* ---- warm exec ↔ supervisor ------------------------------------------------------------------------------------ */

enum control_kind {
	CONTROL_EXIT = 1,    /* → warm exec: value = wait status (as waitpid(2)) of the program */
	CONTROL_STOPPED = 2, /* → warm exec: value = the signal that stopped it */
	CONTROL_SIGNAL = 3,  /* → supervisor: value = signal; code, data = si_code and si_value of an RT signal */
	CONTROL_FOREGROUND =
	        4, /* → supervisor: value 1: foreground of its pty, 0: background; then SIGCONT to its group */
	CONTROL_NOTIFY = 5, /* → warm exec: with the clone's NOTIFY_SOCKET. value 1: it has said READY=1 already, before
	                       it was snapshotted */
	CONTROL_NETWORK = 6, /* → warm exec: with the clone's own network namespace (--net private). It goes there, too:
	                        whoever knows the program by the pid of `warm exec` finds its network */
	CONTROL_LOST = 7,    /* → warm exec: the pager brings its memory no more; the program is killed */
};

struct control {
	uint32_t kind;
	int32_t value;
	int32_t code;
	uint32_t pad;
	uint64_t data;
};

/* ---- warmd (of a first run: warm exec) → supervisor
 * ------------------------------------------------------------------------------ */

#define SUP_MAGIC 0x534d5257u /* "WRMS" */

/* Descriptors: [0] control; with LAUNCH_TTY also [1] the pty slave; then, where there is one, a claim (warmd/claim.h),
 * which is kept as long as the supervisor lives; last, folders of SUP_GROUPS() control groups into which the supervisor
 * puts the application and itself (warmd/cgroup.h). It answers REPORT_SUP_READY, or REPORT_BROUGHT: it could not. */
#define SUP_SAID_READY      (1u << 31)
#define SUP_GROUPS(flags)   ((flags) >> 16 & 31)
#define SUP_GROUPS_FLAGS(n) ((uint32_t)(n) << 16)
#define SUP_GROUPS_MAX      16

struct sup_go {
	uint32_t magic;
	uint32_t flags; /* LAUNCH_TTY, _BACKGROUND, _NOTIFY, _NET_PRIVATE; SUP_SAID_READY: as in CONTROL_NOTIFY;
	                   SUP_GROUPS() */
};

/* ---- warmd → template, → application ---------------------------------------------------------------------------- */

/* "WRMM": make a standby. Descriptors: [0] its GO socket, [1] its supervisor's socket; for a launch with LAUNCH_TTY,
 * which needs a standby of its own, [2] the pty slave: a controlling terminal is inherited at birth or never. */
#define MAKE_MAGIC    0x4d4d5257u
#define GO_MAGIC      0x474d5257u /* "WRMG" */
#define GO_SIZE_MAX   16384
#define MAKE_SIZE_MAX 65536
#define TOUCH_MAX     ((MAKE_SIZE_MAX - sizeof(struct make_standby)) / sizeof(struct touch))
#define GO_FDS_MAX    72

/* A stretch of the working set: touched before a standby parks, madvise(addr, pages * 4096, advice). */
struct touch {
	uint64_t addr;
	uint32_t pages;
	uint32_t advice; /* MADV_POPULATE_READ (22) or MADV_POPULATE_WRITE (23) */
};

/* Behind it n_touch struct touch. `skip` is where GO's header has it, for ROP_SKIP in the supervisor's part of a plan.
 */
struct make_standby {
	uint32_t magic;
	uint32_t serial;
	uint32_t n_touch;
	uint32_t hurry; /* not 0: a launch waits, nothing is touched ahead */
	uint64_t skip;
};
enum make_skip {
	MAKE_NO_TRIAL =
	        0, /* bit set: no network namespace of its own, in which the trial binds what the original holds */
};

/*
 * "WRML": a parked loader - a warm-restore without an image - starts a launch from disk. Descriptors: [0] the image,
 * [1] the GO socket, [2] the supervisor's socket, then what `flags` say there is, in the order of their bits. It
 * reports on its own socket until REPORT_DONE, from then on the two others speak as a standby's do.
 */
#define LOAD_MAGIC 0x4c4d5257u
enum load_flags {
	LOAD_TERMINAL = 1 << 0, /* as make_standby's [2] */
	LOAD_PAGER = 1 << 1,    /* where requests to the pager go (proto/pager.h). Without it all pages are read */
	LOAD_RECORD = 1 << 2,   /* with LOAD_PAGER: its PAGER_LOG */
};
struct load_image {
	uint32_t magic;
	uint32_t flags; /* enum load_flags */
	char label[24]; /* the snapshot's id; NUL-terminated */
};
enum load_fd { LOAD_IMAGE = 0, LOAD_GO = 1, LOAD_SUP = 2, LOAD_OTHERS = 3, LOAD_FDS_MAX = 6 };

/*
 * GO: the header, then n_ops struct rop (run late in the image's own phase 3, at its ROP_GO: descriptors are in place),
 * then bytes that they point to by offset from the start of the message. Descriptors fill the fd slots from SLOT_TOKEN
 * on; the restorer moves them to numbers >= LAUNCH_FD_END, and closes them at the end. A stream of 0 1 2 that the
 * launch has closed is represented by the token's descriptor: the key makes sure that the image does not use it. The
 * next datagram on the same socket is what the application's hook reads: RPC_MAGIC + Reply{hook}.
 */
enum go_slot {
	SLOT_TOKEN = 0,
	SLOT_STDIN = 1,
	SLOT_STDOUT = 2,
	SLOT_STDERR = 3,
	SLOT_EXTRA = 4, /* descriptors >= 3 of the launch */
};

/*
 * What an image takes from the outside world at GO (an address, a lock) is a held object. Each has a bit, in the order
 * of Summary.held (rpc.proto); a set bit: the clone does not take it, for the launch hands it over, or the original
 * still holds it and this is the trial.
 */
#define HELD_MAX 64
enum held_kind {
	HELD_SOCKET = 1, /* a bound address */
	HELD_LOCK = 2,   /* the locks of one open file */
	HELD_REMOTE = 3, /* a datagram socket is connected to it: it must be reachable */
};

struct go_header {
	uint32_t magic;
	uint32_t size;
	uint32_t n_ops;
	uint32_t n_fds;
	uint64_t skip; /* held objects that are passed over (ROP_SKIP) */
};
_Static_assert(offsetof(struct go_header, skip) == offsetof(struct make_standby, skip), "ROP_SKIP finds it in both");

/* ---- warmd → warm-opened -------------------------------------------------------------------------------------- */

#define OPENED_MAGIC 0x4f4d5257u /* "WRMO" */

enum opened_kind {
	OPENED_WATCH = 1,  /* records what `pid` opens from now on. Answer: REPORT_WATCHING */
	OPENED_LIST = 2,   /* writes what it has opened (rpc.proto Opened) to the descriptor. Answer: REPORT_LISTED */
	OPENED_FORGET = 3, /* no answer; OPENED_LIST forgets, too */
	OPENED_SO_FAR = 4, /* as OPENED_LIST, and records on */
};

struct opened_request {
	uint32_t magic;
	uint32_t kind; /* enum opened_kind */
	uint64_t run;  /* chosen by warmd, not 0; the `value` of the answers */
	int32_t pid;
	uint32_t pad;
};

/* ---- workers, templates, standbys, supervisors → warmd ---------------------------------------------------------- */

#define REPORT_MAGIC 0x524d5257u /* "WRMR" */

enum report_kind {
	REPORT_FAILED = 1,         /* err, text; from a restorer: op (number in the plan) and err, no text */
	REPORT_PROGRESS = 2,       /* a worker's step: text */
	REPORT_CAPTURED = 3,       /* warm-snap: the image is complete; value = us stopped */
	REPORT_STORED = 4,         /* warm-store: the image is on disk; value = bytes stored */
	REPORT_TEMPLATE_READY = 5, /* template, or loader, parked; value = bytes of memory it holds */
	REPORT_STANDBY_PARKED = 6, /* application side of a standby parked */
	REPORT_SUP_PARKED = 7,     /* supervisor of a standby is up */
	REPORT_SUP_READY = 8,      /* supervisor has the control socket and the terminal */
	REPORT_RUNNING = 9,        /* the clone has the token; the application's next instruction is its own */
	REPORT_TOKEN_GONE = 10,    /* the launcher gave up first; the clone ends */
	REPORT_DONE = 11,          /* any other worker: value */
	REPORT_RELEASED = 12,      /* warm-snap: the application runs again (answer its hook); value = us stopped */
	REPORT_HELD = 13,          /* a held object cannot be taken: value = its bit; op and err as in REPORT_FAILED */
	REPORT_WATCHING = 14,      /* warm-opened: value = the run; err, text: it is not watched */
	REPORT_BROUGHT = 16,       /* what the launch brings cannot be set: value = number of the system call, err; of a
	                              supervisor: its control groups */
	REPORT_LISTED = 15,        /* warm-opened: value = the run; err, text: what it opened is not known */
};

struct report {
	uint32_t magic;
	uint32_t kind;
	int32_t op;
	int32_t err; /* positive errno */
	int64_t value;
	char text[240];
};

#endif
