/* SPDX-License-Identifier: MIT */
#include "warmd/log.h"

#include "base/utf8.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_MAX 1024
#define LOG_FILE_MAX (1 << 20)

static int log_fd = STDERR_FILENO;

void log_to_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat st;

	if (fd < 0)
		return; /* a full or read-only disk: the daemon is still of use without a log */
	if (!fstat(fd, &st) && st.st_size > LOG_FILE_MAX && ftruncate(fd, 0))
		st.st_size = 0;
	log_fd = fd;
}

void log_line(const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	size_t len = 0;
	va_list args;
	int n;

	if (log_fd == STDERR_FILENO) {
		len = (size_t)snprintf(line, sizeof(line), "warmd: ");
	} else {
		time_t now = time(NULL);
		struct tm tm;

		len = strftime(line, sizeof(line), "%F %T ", gmtime_r(&now, &tm));
	}
	va_start(args, fmt);
	n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, args);
	va_end(args);
	if (n < 0)
		return;
	utf8_printable(line); /* one event, one line: users choose the names in it */
	len = len + (size_t)n < sizeof(line) - 1 ? len + (size_t)n : sizeof(line) - 2;
	line[len++] = '\n';
	if (write(log_fd, line, len) < 0)
		return; /* nowhere to complain to */
}
