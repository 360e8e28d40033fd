/* SPDX-License-Identifier: MIT */
/*
 * Descriptors: whole reads and writes, small files into memory, and datagrams that carry descriptors.
 * Everything returns -errno on failure; EINTR is never seen. Received descriptors are close-on-exec from birth.
 */
#ifndef WARM_BASE_FD_H
#define WARM_BASE_FD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FD_PASS_MAX 128 /* descriptors in one message, either way */

/* Sends one datagram with n_fds descriptors, MSG_NOSIGNAL. 0, or -errno (-EAGAIN on a full non-blocking socket). */
int fd_send(int sock, const void *buf, size_t len, const int *fds, size_t n_fds);

/* Receives one datagram. *n_fds: room in fds[] on entry, what arrived on return; fds and n_fds may be NULL (none
 * wanted). Returns its length, 0 at end of file, -errno. A datagram longer than size or with more descriptors than
 * there is room for is dropped whole, its descriptors closed: -EMSGSIZE. Extra flags: MSG_DONTWAIT, MSG_PEEK is not for
 * this. */
ssize_t fd_recv(int sock, void *buf, size_t size, int *fds, size_t *n_fds, int flags);

/* Receives one datagram without descriptors from a socket with SO_PASSCRED (unix(7)). *ret_pid: the process that sent
 * it, as seen from here, whatever pid namespace it lives in; 0 where the kernel did not say. */
ssize_t fd_recv_pid(int sock, void *buf, size_t size, pid_t *ret_pid, int flags);

/* Bytes read (fewer than len only at end of file), or -errno. */
ssize_t fd_read_full(int fd, void *buf, size_t len);
ssize_t fd_pread_full(int fd, void *buf, size_t len, uint64_t offset);

/* 0 when all of it is written, or -errno. */
int fd_write_full(int fd, const void *buf, size_t len);
int fd_pwrite_full(int fd, const void *buf, size_t len, uint64_t offset);

/* A whole file, malloc'ed, with a NUL behind it that *ret_len (may be NULL) does not count. -EFBIG where it is longer
 * than limit. */
int fd_read_file_at(int dir_fd, const char *path, size_t limit, char **ret_data, size_t *ret_len);
int fd_read_all(int fd, size_t limit, char **ret_data, size_t *ret_len);

/* A number among the options of a socket, level SOL_SOCKET; -1 where it has none of that name. */
int fd_socket_option(int sock, int name);

void fd_close_all(const int *fds, size_t n_fds);

#endif
