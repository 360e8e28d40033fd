/* SPDX-License-Identifier: MIT */
/* One open file description of the frozen process, while its collector looks at it. Private to snapshot/. */
#ifndef WARM_SNAPSHOT_FILES_INTERNAL_H
#define WARM_SNAPSHOT_FILES_INTERNAL_H

#include <sys/stat.h>

#include "snapshot/subject.h"

#define LINK_MAX_LEN 4096

struct open_file {
	int fd;    /* number in the target */
	int local; /* the same description, here; -1 for O_PATH */
	struct stat st;
	char link[LINK_MAX_LEN]; /* what /proc/PID/fd/N points to */
	char *info;              /* /proc/PID/fdinfo/N */
	Warm__Image__Description *desc;
};

/* Each returns 0, or refuses with "fd N: ..." in *err. */
int collect_regular(struct subject *s, struct open_file *f, struct err *err);
int collect_nameless(struct subject *s, struct open_file *f, struct err *err);
bool is_deleted(const char *path); /* as /proc has it */
int collect_pipe(struct subject *s, struct open_file *f, struct err *err);
int collect_eventfd(struct subject *s, struct open_file *f, struct err *err);
int collect_epoll(struct subject *s, struct open_file *f, struct err *err);
int collect_timerfd(struct subject *s, struct open_file *f, struct err *err);
int collect_signalfd(struct subject *s, struct open_file *f, struct err *err);
int collect_socket(struct subject *s, struct open_file *f, struct err *err);
int collect_lock(struct open_file *f, struct err *err);                  /* the file locks of any of these, and */
int hold_locks(struct subject *s, struct open_file *f, struct err *err); /*   what they are for a clone */
int launch_lock(const struct open_file *f, struct err *err);             /* of a descriptor that is the launch's */
int check_locks(struct subject *s, struct err *err);                     /* once all are known: is one missing? */

/* The line of /proc/locks, whose text is `table`, with a lock that this process has taken on a file which it has open,
 * and which is not in the image. NULL: there is none. Locks of a description (F_OFD_SETLK) say of nobody. */
const char *lock_lost(const char *table, pid_t pid, const Warm__Image__Image *image);

/* What the description has of the outside world is taken again at GO. address may be empty. */
int collect_held(struct subject *s, struct open_file *f, uint32_t kind, ProtobufCBinaryData address, const char *words,
                 struct err *err);
int held_places(struct subject *s, struct err *err); /* once all descriptors are known */

/* The number under which the program was started with this socket, or -1. Such a one is no part of the image. */
int handed_number(const struct subject *s, const struct open_file *f);
int collect_handed(struct subject *s, struct open_file *f, int number, bool cloexec, struct err *err);

int collect_inet(struct subject *s, struct open_file *f, Warm__Image__Socket *sock, struct err *err);
int collect_groups(struct subject *s, struct open_file *f, const Warm__Image__Socket *sock, struct err *err);
int collect_options(struct open_file *f, Warm__Image__Socket *sock, struct err *err);
int collect_address(struct subject *s, struct open_file *f, Warm__Image__Socket *sock, struct err *err);

/* Once all are known: ends that are in other processes are refused. */
int check_pipes(struct subject *s, struct err *err);
int check_sockets(struct subject *s, struct err *err);

/* The number of a descriptor that uses description i, for messages. */
int descriptor_of(const struct subject *s, size_t description);

/* Numbers in fdinfo: the text behind "name:". false: there is no such line. */
bool info_number(const struct open_file *f, const char *name, int base, uint64_t *ret);

#endif
