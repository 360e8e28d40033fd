/* SPDX-License-Identifier: MIT */
/*
 * warm-store: packs one captured image into a file of the cache, packs one anew with what launches ask for in front, or
 * verifies one, then ends (docs/ARCHITECTURE.md).
 * Without --report it says on standard error what it would report, which is how it is tried by hand.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/err.h"
#include "base/fd.h"
#include "cache/pack.h"
#include "cache/worker/first.h"
#include "cache/worker/learn.h"
#include "proto/launch.h"
#include "proto/rpc.pb-c.h"

#define HALF_MAX    256          /* a file's name */
#define SECTION_MAX (256u << 20) /* metadata of a process with a million areas stays below */

struct order {
	int report, meta, record, pages, dir, image, log;
	const char *name, *label;
};

static void send_report(const struct order *order, enum report_kind kind, int code, int64_t value, const char *text)
{
	struct report report = {.magic = REPORT_MAGIC, .kind = kind, .err = code, .value = value};

	snprintf(report.text, sizeof(report.text), "%s", text);
	if (order->report >= 0)
		fd_send(order->report, &report, sizeof(report), NULL, 0); /* warmd gone: nobody wants to know */
	else
		fprintf(stderr, "warm-store: %s%s%lld\n", text, text[0] ? ", " : "", (long long)value);
}

/* From offset 0, wherever the writer of the memfd left its position. */
static int read_section(int fd, const char *what, void **ret_data, size_t *ret_len, struct err *err)
{
	CLEAN(free) void *data = NULL;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "%s", what);
	if (st.st_size < 0 || st.st_size > SECTION_MAX)
		return err_set(err, EFBIG, "%s has %lld bytes, at most %u can be stored", what, (long long)st.st_size,
		               SECTION_MAX);
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return err_sys(err, ENOMEM, "%s of %lld bytes", what, (long long)st.st_size);
	n = fd_pread_full(fd, data, (size_t)st.st_size, 0);
	if (n < 0)
		return err_sys(err, (int)-n, "read %s", what);
	*ret_len = (size_t)n;
	*ret_data = take_ptr(data);
	return 0;
}

static int pack_into(const struct order *order, int out_fd, uint64_t *ret_bytes, struct err *err)
{
	CLEAN(free) void *meta = NULL;
	CLEAN(free) void *record = NULL;
	CLEAN(free) struct pack_range *first = NULL;
	struct pack_source source = {.pages_fd = order->pages};
	size_t *len = source.section_len;
	struct stat st;
	int ret = read_section(order->meta, "description", &meta, &len[PACK_META], err);

	if (ret == 0)
		ret = read_section(order->record, "record", &record, &len[PACK_RECORD], err);
	if (ret == 0)
		ret = first_pages(meta, len[PACK_META], order->pages, &first, &source.n_first, err);
	if (ret < 0)
		return ret;
	if (fstat(order->pages, &st) < 0)
		return err_sys(err, errno, "captured pages");
	if (st.st_size % PACK_PAGE != 0)
		return err_set(err, EINVAL, "captured pages: %lld bytes are no whole pages", (long long)st.st_size);
	source.section[PACK_META] = meta;
	source.section[PACK_RECORD] = record;
	source.n_pages = (uint64_t)st.st_size / PACK_PAGE;
	source.first = first;
	ret = pack_write(out_fd, &source, ret_bytes, err);
	if (ret == 0 && fsync(out_fd) < 0)
		return err_sys(err, errno, "sync image to disk");
	return ret;
}

static int open_half(const struct order *order, char half[HALF_MAX], int *ret_fd, struct err *err)
{
	if (strchr(order->name, '/') || snprintf(half, HALF_MAX, "%s.tmp", order->name) >= HALF_MAX)
		return err_set(err, EINVAL, "\"%.40s\" is no file name", order->name);
	unlinkat(order->dir, half, 0); /* of one that crashed */
	*ret_fd = openat(order->dir, half, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return *ret_fd < 0 ? err_sys(err, errno, "store snapshot: make %s", half) : 0;
}

/* The temporary name becomes the final one only when all of it is on disk; until then a crash leaves what is swept. */
static int pack_file(const struct order *order, struct err *err)
{
	char half[HALF_MAX];
	CLEAN(fd) int out_fd = -1;
	uint64_t bytes = 0;
	int ret = open_half(order, half, &out_fd, err);

	if (ret < 0)
		return ret;
	send_report(order, REPORT_PROGRESS, 0, 0, "packing");
	ret = pack_into(order, out_fd, &bytes, err);
	if (ret == 0 && renameat(order->dir, half, order->dir, order->name) < 0)
		ret = err_sys(err, errno, "rename %s", half);
	if (ret < 0) {
		unlinkat(order->dir, half, 0);
		return err_step(err, "store snapshot");
	}
	if (fsync(order->dir) < 0)
		return err_sys(err, errno, "store snapshot: sync directory");
	send_report(order, REPORT_STORED, 0, (int64_t)bytes, "");
	return 0;
}

/* ---- packing anew ----------------------------------------------------------------------------------------------- */

/* Whatever else wants to run or to read goes first: a launch, most of all. A session is a group of its own to the
 * scheduler, where it groups by them. */
static void stand_back(void)
{
	CLEAN(fd) int group = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
	enum { WHO_PROCESS = 1, CLASS_IDLE = 3, CLASS_SHIFT = 13 };

	setpriority(PRIO_PROCESS, 0, 19);
	syscall(SYS_ioprio_set, WHO_PROCESS, 0, CLASS_IDLE << CLASS_SHIFT);
	if (group >= 0 && write(group, "19", 2) < 0)
		return; /* it is in more people's way, then */
}

/* The record says how often that was done, and what came of it. */
static int count_record(const void *old, size_t old_len, uint64_t n_new, void **ret, size_t *ret_len, struct err *err)
{
	Warm__Rpc__Record *record = warm__rpc__record__unpack(NULL, old_len, old);

	if (!record)
		return err_set(err, EBADMSG, "the record of the image cannot be decoded");
	record->learnt_launches++;
	record->learnt_pages += n_new;
	*ret_len = warm__rpc__record__get_packed_size(record);
	*ret = malloc(*ret_len + 1);
	if (*ret)
		warm__rpc__record__pack(record, *ret);
	warm__rpc__record__free_unpacked(record, NULL);
	return *ret ? 0 : err_sys(err, ENOMEM, "a record");
}

static uint64_t known_pages(const void *data, size_t len)
{
	Warm__Rpc__Record *record = warm__rpc__record__unpack(NULL, len, data);
	uint64_t n = record ? record->learnt_pages : 0;

	if (record)
		warm__rpc__record__free_unpacked(record, NULL);
	return n;
}

static int learn_into(const struct order *order, const struct pack *pack, const struct pack_source *like, int out_fd,
                      uint64_t *ret_bytes, struct err *err)
{
	CLEAN(free) void *record = NULL;
	struct pack_source source = *like;
	struct learnt learnt;
	int ret = learn_pages(pack, like->section[PACK_META], like->section_len[PACK_META],
	                      known_pages(like->section[PACK_RECORD], like->section_len[PACK_RECORD]), order->log,
	                      &learnt, err);

	if (ret == 0)
		ret = count_record(like->section[PACK_RECORD], like->section_len[PACK_RECORD], learnt.n_new, &record,
		                   &source.section_len[PACK_RECORD], err);
	if (ret == 0) {
		source.section[PACK_RECORD] = record;
		source.first = learnt.first;
		source.n_first = learnt.n_first;
		ret = pack_write(out_fd, &source, ret_bytes, err);
	}
	free(learnt.first);
	if (ret == 0 && fsync(out_fd) < 0)
		return err_sys(err, errno, "sync image to disk");
	return ret;
}

/* Every page is verified on its way. The new image has the temporary name in the end: who asked for it knows whether
 * the snapshot is still there, and gives it its own. */
static int learn_file(const struct order *order, struct err *err)
{
	CLEAN(free) uint8_t *meta = NULL;
	CLEAN(free) uint8_t *record = NULL;
	CLEAN(fd) int out_fd = -1;
	struct pack_source source = {.n_threads = 1};
	struct pack *pack = NULL;
	char half[HALF_MAX];
	uint64_t bytes = 0;
	int ret;

	stand_back();
	ret = pack_open(order->image, order->name, &pack, err);
	if (ret == 0)
		ret = pack_section(pack, PACK_META, &meta, &source.section_len[PACK_META], err);
	if (ret == 0)
		ret = pack_section(pack, PACK_RECORD, &record, &source.section_len[PACK_RECORD], err);
	if (ret == 0)
		ret = open_half(order, half, &out_fd, err);
	if (ret == 0) {
		source.section[PACK_META] = meta;
		source.section[PACK_RECORD] = record;
		source.from = pack;
		source.n_pages = pack_n_pages(pack);
		ret = learn_into(order, pack, &source, out_fd, &bytes, err);
		if (ret < 0)
			unlinkat(order->dir, half, 0);
	}
	pack_close(pack);
	if (ret < 0)
		return err_step(err, "store snapshot anew");
	send_report(order, REPORT_STORED, 0, (int64_t)bytes, "");
	return 0;
}

static int verify_file(const struct order *order, struct err *err)
{
	struct pack *pack = NULL;
	struct stat st = {0};
	int ret = pack_open(order->image, order->label, &pack, err);

	if (ret == 0)
		ret = pack_verify(pack, err);
	pack_close(pack);
	if (ret < 0)
		return ret;
	if (fstat(order->image, &st) < 0)
		return err_sys(err, errno, "image %s", order->label);
	send_report(order, REPORT_DONE, 0, st.st_size, "");
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: warm-store pack [--report FD] --meta FD --record FD --pages FD --dir FD --name FILE\n"
	                "       warm-store learn [--report FD] --image FD --log FD --dir FD --name FILE\n"
	                "       warm-store verify [--report FD] --image FD --label TEXT\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	        {"report", required_argument, NULL, 'r'}, {"meta", required_argument, NULL, 'm'},
	        {"record", required_argument, NULL, 'c'}, {"pages", required_argument, NULL, 'p'},
	        {"dir", required_argument, NULL, 'd'},    {"image", required_argument, NULL, 'i'},
	        {"log", required_argument, NULL, 'g'},    {"name", required_argument, NULL, 'n'},
	        {"label", required_argument, NULL, 'l'},  {NULL, 0, NULL, 0},
	};
	struct order order = {.report = -1,
	                      .meta = -1,
	                      .record = -1,
	                      .pages = -1,
	                      .dir = -1,
	                      .image = -1,
	                      .log = -1,
	                      .name = NULL,
	                      .label = NULL};
	struct err err = {0};
	int option, ret;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		int *fd = option == 'r'   ? &order.report
		          : option == 'm' ? &order.meta
		          : option == 'c' ? &order.record
		          : option == 'p' ? &order.pages
		          : option == 'd' ? &order.dir
		          : option == 'i' ? &order.image
		          : option == 'g' ? &order.log
		                          : NULL;

		if (fd)
			*fd = atoi(optarg);
		else if (option == 'n')
			order.name = optarg;
		else if (option == 'l')
			order.label = optarg;
		else
			return usage();
	}
	signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is an error to report, no death */

	if (optind + 1 == argc && strcmp(argv[optind], "pack") == 0 && order.meta >= 0 && order.record >= 0 &&
	    order.pages >= 0 && order.dir >= 0 && order.name)
		ret = pack_file(&order, &err);
	else if (optind + 1 == argc && strcmp(argv[optind], "learn") == 0 && order.image >= 0 && order.log >= 0 &&
	         order.dir >= 0 && order.name)
		ret = learn_file(&order, &err);
	else if (optind + 1 == argc && strcmp(argv[optind], "verify") == 0 && order.image >= 0 && order.label)
		ret = verify_file(&order, &err);
	else
		return usage();
	if (ret < 0)
		send_report(&order, REPORT_FAILED, err.code, 0, err.msg);
	return ret < 0;
}
