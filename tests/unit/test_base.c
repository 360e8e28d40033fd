/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/address.h"
#include "base/cgroup.h"
#include "base/clean.h"
#include "base/cpu.h"
#include "base/content.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/kernel.h"
#include "base/proc.h"
#include "base/utf8.h"

static void test_err_tells_the_step_before_the_cause(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(err_sys(&err, ENOENT, "open %s", "x"), -ENOENT);
	assert_int_equal(err_step(&err, "restore %d", 7), -ENOENT);
	assert_string_equal(err.msg, "restore 7: open x: No such file or directory");
	assert_int_equal(err_set(NULL, EIO, "unheard"), -EIO);
}

static void test_refusal_keeps_its_remedy(void **state)
{
	char path[300];
	struct err err;

	(void)state;
	assert_int_equal(err_refuse(&err, "close it", "fd %d: %s", 7, "/x"), -ENOTSUP);
	assert_int_equal(err.code, ENOTSUP);
	assert_string_equal(err.msg, "fd 7: /x: close it");
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	err_refuse(&err, "close it", "fd %d: %s", 7, path);
	assert_int_equal(strlen(err.msg), ERR_REFUSAL_MAX - 1);
	assert_string_equal(err.msg + strlen(err.msg) - strlen("xxx...: close it"), "xxx...: close it");
	assert_int_equal(err_refuse(NULL, "close it", "unheard"), -ENOTSUP);
}

static void test_what_a_terminal_would_obey_is_not_printable(void **state)
{
	char text[] = "a\nb\x1b[31m \xc3\xa4 \xe2\x82\xac \xff\xc3 \xc2\x9b"
	              "2J\x7f \xed\xa0";

	(void)state;
	utf8_printable(text);
	assert_string_equal(text, "a?b?[31m \xc3\xa4 \xe2\x82\xac ?? ??"
	                          "2J? ??");
}

static void test_addresses_have_words(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(8000)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(53), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_un path = {AF_UNIX, "/run/app.sock"}, hidden = {AF_UNIX, "\0ab\n"},
	                   longest = {.sun_family = AF_UNIX};
	const size_t start = offsetof(struct sockaddr_un, sun_path);
	char words[ADDRESS_WORDS_MAX];

	(void)state;
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_string_equal(address_words(&in, sizeof(in), words), "127.0.0.1:8000");
	assert_string_equal(address_words(&in6, sizeof(in6), words), "[::1]:53");
	assert_string_equal(address_words(&path, sizeof(path), words), "/run/app.sock");
	assert_string_equal(address_words(&path, start + 5, words), "/run/");
	assert_string_equal(address_words(&hidden, start + 4, words), "@ab?");
	assert_string_equal(address_words(&path, start, words), "");
	assert_string_equal(address_words(NULL, 0, words), "");
	memset(longest.sun_path, 'x', sizeof(longest.sun_path));
	assert_int_equal(strlen(address_words(&longest, sizeof(longest), words)), sizeof(longest.sun_path));
	assert_true(address_is_path(&path, sizeof(path)));
	assert_false(address_is_path(&path, start) || address_is_path(&hidden, start + 4) ||
	             address_is_path(&in, sizeof(in)));
}

static void test_datagram_brings_descriptors_that_close_on_exec(void **state)
{
	int sock[2], pipe_fd[2], got[4];
	size_t n_got = 4;
	char buf[16];
	struct stat sent, received;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock), 0);
	assert_int_equal(pipe2(pipe_fd, 0), 0);
	assert_int_equal(fd_send(sock[0], "hello", 5, pipe_fd, 2), 0);
	assert_int_equal(fd_recv(sock[1], buf, sizeof(buf), got, &n_got, 0), 5);
	assert_int_equal(n_got, 2);
	assert_int_equal(fcntl(got[0], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(fstat(pipe_fd[1], &sent), 0);
	assert_int_equal(fstat(got[1], &received), 0);
	assert_int_equal(sent.st_ino, received.st_ino);
	fd_close_all(got, n_got);

	/* nothing there; end of file */
	n_got = 4;
	assert_int_equal(fd_recv(sock[1], buf, sizeof(buf), got, &n_got, MSG_DONTWAIT), -EAGAIN);
	close(sock[0]);
	assert_int_equal(fd_recv(sock[1], buf, sizeof(buf), NULL, NULL, 0), 0);
	assert_int_equal(fd_send(sock[1], "x", 1, NULL, 0), -EPIPE);
	close(sock[1]);
	fd_close_all(pipe_fd, 2);
}

static void test_oversized_datagram_leaves_no_descriptor(void **state)
{
	int sock[2], pipe_fd[2], got[1], before, after;
	size_t n_got = 1;
	char buf[4];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock), 0);
	assert_int_equal(pipe2(pipe_fd, O_CLOEXEC), 0);
	before = dup(0);
	close(before);
	assert_int_equal(fd_send(sock[0], "four", 4, pipe_fd, 2), 0);
	assert_int_equal(fd_recv(sock[1], buf, sizeof(buf), got, &n_got, 0), -EMSGSIZE);
	assert_int_equal(n_got, 0);
	assert_int_equal(fd_send(sock[0], "longer", 6, pipe_fd, 1), 0);
	n_got = 1;
	assert_int_equal(fd_recv(sock[1], buf, sizeof(buf), got, &n_got, 0), -EMSGSIZE);
	after = dup(0);
	close(after);
	assert_int_equal(before, after);
	fd_close_all(sock, 2);
	fd_close_all(pipe_fd, 2);
}

static void test_file_is_read_whole_up_to_its_limit(void **state)
{
	CLEAN(free) char *data = NULL;
	char path[] = "/tmp/warm-test-XXXXXX", back[3];
	CLEAN(fd) int fd = mkstemp(path);
	size_t len;

	(void)state;
	assert_true(fd >= 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(fd_write_full(fd, "0123456789", 10), 0);
	assert_int_equal(fd_read_file_at(AT_FDCWD, path, 10000, &data, &len), 0);
	assert_int_equal(len, 10000);
	assert_int_equal(strlen(data), 10000);
	assert_int_equal(fd_pread_full(fd, back, 3, 9999), 1);
	clean_free(&data);
	data = NULL;
	assert_int_equal(fd_read_file_at(AT_FDCWD, path, 9999, &data, &len), -EFBIG);
	unlink(path);
	assert_int_equal(fd_read_file_at(AT_FDCWD, path, 9999, &data, &len), -ENOENT);
}

static void test_status_of_this_process_is_true(void **state)
{
	struct proc_status status;
	struct proc_stat stat;
	CLEAN(fd) int dir = proc_open(getpid());
	mode_t mask = umask(027);
	uint64_t ino = 0;
	char exe[4096];

	(void)state;
	assert_true(dir >= 0);
	assert_int_equal(proc_status_read(dir, &status), 0);
	umask(mask);
	assert_int_equal(status.tgid, getpid());
	assert_int_equal(status.ppid, getppid());
	assert_int_equal(status.uid[1], geteuid());
	assert_int_equal(status.gid[0], getgid());
	assert_int_equal(status.n_groups, getgroups(0, NULL));
	assert_int_equal(status.umask, 027);
	assert_int_equal(status.nspid[status.n_nspid - 1], getpid());
	assert_true(status.threads >= 1 && status.rss_bytes > 0 && status.state == 'R');
	proc_status_fini(&status);

	assert_int_equal(proc_stat_read(dir, &stat), 0);
	assert_int_equal(stat.ppid, getppid());
	assert_int_equal(stat.session, getsid(0));
	assert_int_equal(stat.pgrp, getpgrp());
	assert_true(stat.starttime > 0 && stat.start_stack > 0 && stat.env_end >= stat.env_start);
	assert_int_equal(proc_ns(dir, "pid", &ino), 0);
	assert_true(ino != 0);
	assert_true(proc_link(dir, "exe", exe, sizeof(exe)) == 0 && exe[0] == '/');
	assert_int_equal(proc_link(dir, "exe", exe, 3), -ENAMETOOLONG);
}

static void test_status_text_is_taken_apart(void **state)
{
	static const char text[] =
	        "Name:\t evil: \\\\na\\nme\nUmask:\t0022\nState:\tT (stopped)\nTgid:\t7\nPid:\t9\nPPid:\t1\n"
	        "TracerPid:\t3\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t4 24 1000 \nNSpid:\t9\t2\n"
	        "SigPnd:\t0000000000000001\nSigIgn:\t0000000000001000\nCapBnd:\t000001ffffffffff\n"
	        "NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\nNewLine\nToCome:\t1\n"
	        "voluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t34\n";
	struct proc_status status;

	(void)state;
	assert_int_equal(proc_status_parse(text, &status), 0);
	assert_string_equal(status.name, " evil: \\na\nme");
	assert_int_equal(status.uid[3], 4);
	assert_int_equal(status.n_groups, 3);
	assert_int_equal(status.groups[2], 1000);
	assert_int_equal(status.n_nspid, 2);
	assert_int_equal(status.nspid[1], 2);
	assert_true(status.no_new_privs && status.seccomp == 2 && status.seccomp_filters == 3);
	assert_int_equal(status.sig_ignored, 0x1000);
	assert_true(status.cap_bounding == 0x1ffffffffffu);
	assert_int_equal(status.umask, 022);
	assert_int_equal(status.waits, 12);
	proc_status_fini(&status);
	assert_int_equal(proc_status_parse("Name:\tx\n", &status), -EBADMSG);
	assert_int_equal(proc_status_parse("", &status), -EBADMSG);
}

static void test_stat_survives_a_name_with_parentheses(void **state)
{
	static const char text[] = "7 (a) S 1 (b) S 2 3 4 34816 6 0 0 0 0 0 0 0 0 0 20 -5 3 0 4242 0 0 0 11 12 13 0 0 "
	                           "0 0 0 0 0 0 0 17 0 0 0 0 0 0 "
	                           "45 46 47 48 49 50 51 9\n";
	struct proc_stat stat;

	(void)state;
	assert_int_equal(proc_stat_parse(text, &stat), 0);
	assert_int_equal(stat.ppid, 2);
	assert_int_equal(stat.session, 4);
	assert_int_equal(stat.nice, -5);
	assert_int_equal(stat.starttime, 4242);
	assert_int_equal(stat.start_code, 11);
	assert_int_equal(stat.start_data, 45);
	assert_int_equal(stat.env_end, 51);
	assert_int_equal(stat.exit_code, 9);
	assert_int_equal(proc_stat_parse("7 (a) S 1 2", &stat), -EBADMSG);
	assert_int_equal(proc_stat_parse("", &stat), -EBADMSG);
}

static void test_process_that_ended_is_not_its_successor(void **state)
{
	struct proc_status status;
	pid_t pid = fork();
	CLEAN(fd) int dir = -1;

	(void)state;
	if (pid == 0) {
		pause();
		_exit(0);
	}
	dir = proc_open(pid);
	assert_true(dir >= 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(proc_status_read(dir, &status), -ESRCH);
	assert_int_equal(proc_open(pid), -ESRCH);
}

static int count(void *arg, int number)
{
	(void)number;
	++*(int *)arg;
	return 0;
}

static int find_fd(void *arg, int fd)
{
	return fd == *(int *)arg ? 77 : 0;
}

static void test_threads_and_descriptors_are_walked(void **state)
{
	CLEAN(fd) int dir = proc_open(getpid());
	int n = 0;

	(void)state;
	assert_int_equal(proc_each_thread(dir, count, &n), 0);
	assert_true(n >= 1);
	assert_int_equal(proc_each_fd(dir, find_fd, &dir), 77);
}

static void test_checksums_are_the_published_ones(void **state)
{
	struct digest digest;
	char hex[DIGEST_HEX_SIZE];
	char text[] = "123456789";

	(void)state;
	assert_int_equal(digest_crc32c(0, text, 9), 0xe3069283);
	assert_int_equal(digest_crc32c(digest_crc32c(0, text, 4), text + 4, 5), 0xe3069283);
	assert_int_equal(digest_crc32c(0, NULL, 0), 0);
	digest_init(&digest);
	digest_hex(&digest, hex);
	assert_string_equal(hex, "6c62272e07bb014262b821756295c58d");
	digest_add(&digest, "a", 1);
	digest_hex(&digest, hex);
	assert_string_equal(hex, "d228cb696f1a8caf78912b704e4a8964");
}

static void test_any_bit_shows_in_a_digest_of_words(void **state)
{
	char data[61] = "", hex[DIGEST_HEX_SIZE], other[DIGEST_HEX_SIZE];
	struct digest digest;

	(void)state;
	digest_init(&digest);
	digest_add_words(&digest, data, sizeof(data));
	digest_hex(&digest, hex);
	for (size_t bit = 0; bit < 8 * sizeof(data); bit++) {
		data[bit / 8] = (char)(1 << bit % 8);
		digest_init(&digest);
		digest_add_words(&digest, data, 24); /* cut between words */
		digest_add_words(&digest, data + 24, sizeof(data) - 24);
		digest_hex(&digest, other);
		assert_string_not_equal(hex, other);
		data[bit / 8] = 0;
	}
}

static void test_content_is_that_of_a_range_and_of_one_file(void **state)
{
	char path[] = "/tmp/warm-content-XXXXXX";
	uint8_t was[DIGEST_SIZE], is[DIGEST_SIZE];
	struct stat st;
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(ftruncate(fd, 200000), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(content_digest(path, st.st_dev, st.st_ino, 4096, 100000, was), 0);
	assert_int_equal(pwrite(fd, "x", 1, 4095), 1);
	assert_int_equal(pwrite(fd, "x", 1, 4096 + 100000), 1);
	assert_int_equal(content_digest(path, st.st_dev, st.st_ino, 4096, 100000, is), 0);
	assert_memory_equal(was, is, sizeof(was));
	assert_int_equal(pwrite(fd, "x", 1, 4096 + 99999), 1);
	assert_int_equal(content_digest(path, st.st_dev, st.st_ino, 4096, 100000, is), 0);
	assert_memory_not_equal(was, is, sizeof(was));
	assert_int_equal(content_digest(path, st.st_dev, st.st_ino, 199999, 100000, is), 0); /* beyond the end */
	assert_int_equal(content_digest(path, st.st_dev, st.st_ino + 1, 0, 1, is), -ESTALE);
	assert_int_equal(content_digest("/tmp", st.st_dev, st.st_ino, 0, 1, is), -ESTALE);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(content_digest(path, st.st_dev, st.st_ino, 0, 1, is), -ENOENT);
	close(fd);
}

static void test_identities_are_stable_and_ids_are_not(void **state)
{
	char cpu[2][CPU_IDENTITY_MAX], kernel[2][KERNEL_IDENTITY_MAX], id[2][ID_LEN + 1];

	(void)state;
	for (int i = 0; i < 2; i++) {
		cpu_identity(cpu[i]);
		kernel_identity(kernel[i]);
		id_new(id[i]);
		assert_true(id_valid(id[i]));
	}
	assert_string_equal(cpu[0], cpu[1]);
	assert_string_equal(kernel[0], kernel[1]);
	assert_string_not_equal(id[0], id[1]);
	assert_true(strlen(cpu[0]) > 20 && strstr(kernel[0], "vdso:"));
	assert_false(id_valid("0123456789aG") || id_valid("") || id_valid("0123456789ab0") || id_valid("../45678901a"));
}

static const char groups[] = "12:cpu,cpuacct:/a/b\n4:memory:/a\n1:name=systemd:/\n0::/../x\n";

static const char mounts[] = "30 23 0:26 / /cg rw - tmpfs tmpfs rw,mode=755\n"
                             "31 30 0:27 /a /cg/cpu rw,nosuid shared:9 master:1 - cgroup cgroup rw,cpuset\n"
                             "32 30 0:28 /other /cg/part rw - cgroup cgroup rw,cpu,cpuacct\n"
                             "33 30 0:28 /a /cg/cpuacct,cpu rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
                             "34 30 0:29 / /cg/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
                             "35 30 0:30 / /cg/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
                             "36 30 0:31 /aa /cg/memory rw - cgroup cgroup rw,memory\n";

static void test_control_groups_are_found_where_they_are_mounted(void **state)
{
	static const struct {
		int r;
		const char *folder;
	} want[] = {{0, "/cg/cpuacct,cpu/b"}, {-EXDEV, NULL}, {0, "/cg/systemd/"}, {-EXDEV, NULL}};
	struct cgroup_line line, same;
	const char *text = groups;
	char folder[64];
	size_t n = 0;

	(void)state;
	for (; cgroup_next(&text, &line); n++) {
		assert_true(n < 4);
		assert_int_equal(cgroup_folder(mounts, &line, folder, sizeof(folder)), want[n].r);
		if (!want[n].r)
			assert_string_equal(folder, want[n].folder);
		assert_true(cgroup_same(groups, &line, &same) && same.path == line.path);
	}
	assert_int_equal(n, 4);
	text = groups;
	assert_true(cgroup_next(&text, &line));
	assert_int_equal(cgroup_folder(mounts, &line, folder, 8), -ENAMETOOLONG);
	assert_int_equal(cgroup_folder("", &line, folder, sizeof(folder)), -ENODEV);
	assert_int_equal(cgroup_folder("31 30 0:27 / /cg", &line, folder, sizeof(folder)), -ENODEV);
	assert_false(cgroup_same("12:cpu:/\n", &line, &same));
	text = "4:memory";
	assert_false(cgroup_next(&text, &line));
	text = "memory\n";
	assert_false(cgroup_next(&text, &line));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_err_tells_the_step_before_the_cause),
	        cmocka_unit_test(test_refusal_keeps_its_remedy),
	        cmocka_unit_test(test_what_a_terminal_would_obey_is_not_printable),
	        cmocka_unit_test(test_addresses_have_words),
	        cmocka_unit_test(test_datagram_brings_descriptors_that_close_on_exec),
	        cmocka_unit_test(test_oversized_datagram_leaves_no_descriptor),
	        cmocka_unit_test(test_file_is_read_whole_up_to_its_limit),
	        cmocka_unit_test(test_status_of_this_process_is_true),
	        cmocka_unit_test(test_status_text_is_taken_apart),
	        cmocka_unit_test(test_stat_survives_a_name_with_parentheses),
	        cmocka_unit_test(test_process_that_ended_is_not_its_successor),
	        cmocka_unit_test(test_threads_and_descriptors_are_walked),
	        cmocka_unit_test(test_checksums_are_the_published_ones),
	        cmocka_unit_test(test_any_bit_shows_in_a_digest_of_words),
	        cmocka_unit_test(test_content_is_that_of_a_range_and_of_one_file),
	        cmocka_unit_test(test_identities_are_stable_and_ids_are_not),
	        cmocka_unit_test(test_control_groups_are_found_where_they_are_mounted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
