/* SPDX-License-Identifier: MIT */
/*
 * A program that declares nothing. Its arguments, all part of the key, say which files it opens before the hook:
 *
 *     read FILE          line by line, with fopen, and closes it
 *     edit FILE          the same, but opened for reading and writing
 *     thread FILE        as read, by another thread
 *     child FILE         as read, by a child process (cat)
 *     fork FILE          as read, by a child that executes nothing
 *     save FILE TEXT     writes it anew
 *     replace FILE TEXT  writes another one and renames that over it
 *     append FILE TEXT   adds a line
 *     unlink FILE
 *     list DIR           the names in it
 *     all DIR            reads every file in it
 *     await FILE         until it is there
 *     keep FILE FLAGS    opens it and keeps it open: r, w or both, a (append), m (maps it shared, and closes it), o
 * (keeps it open all the same), d (stores 'B' into what is mapped), x s p (locks it: exclusively, shared, with a record
 * lock)
 *
 * After the hook it prints what it has read; behind `d` the first byte of the file as it knew that before the hook, and
 * as it is. With standard input a pipe it waits for the end of that, and stores each byte that comes there; then it
 * ends.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sdk/c/warm.h"

static char text[1 << 20];
static char *mapped, known; /* the first byte of the file: where it is mapped, and as it was before the hook */

static void keep_text(const char *more)
{
	if (strlen(text) + strlen(more) < sizeof(text))
		strcat(text, more);
}

static void read_stream(FILE *stream)
{
	char line[512];

	if (!stream)
		return keep_text("(none)\n");
	while (fgets(line, sizeof(line), stream))
		keep_text(line);
}

static void read_file(const char *path, const char *mode)
{
	FILE *stream = fopen(path, mode);

	read_stream(stream);
	if (stream)
		fclose(stream);
}

static void *read_in_thread(void *path)
{
	read_file(path, "re");
	return NULL;
}

static void save(const char *path, const char *words, int flags)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);

	if (fd < 0 || dprintf(fd, "%s\n", words) < 0)
		exit(3);
	close(fd);
}

static void replace(const char *path, const char *words)
{
	char other[4096];

	snprintf(other, sizeof(other), "%s.new", path);
	save(other, words, O_TRUNC);
	if (rename(other, path))
		exit(3);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void each_name(const char *dir, int read_them)
{
	struct dirent **name;
	int n = scandir(dir, &name, NULL, by_name);

	for (int i = 0; i < n; i++) {
		char path[4096];

		if (name[i]->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, name[i]->d_name);
		if (read_them) {
			read_file(path, "re");
		} else {
			keep_text(name[i]->d_name);
			keep_text(" ");
		}
		free(name[i]);
	}
}

static void await(const char *path)
{
	struct stat st;

	while (stat(path, &st))
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void read_in_fork(const char *path)
{
	char line[512] = "";
	int end[2], status;
	pid_t child;

	if (pipe2(end, O_CLOEXEC))
		exit(5);
	child = fork();
	if (child == 0) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t len = fd < 0 ? -1 : read(fd, line, sizeof(line));

		_exit(len > 0 && write(end[1], line, (size_t)len) == len ? 0 : 1);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || read(end[0], line, sizeof(line) - 1) <= 0)
		exit(5);
	close(end[0]);
	close(end[1]);
	keep_text(line);
}

static void keep(const char *path, const char *how)
{
	int write = strpbrk(how, "wa") != NULL, read = strchr(how, 'r') != NULL;
	int flags = (write && read ? O_RDWR : write ? O_WRONLY : O_RDONLY) | (strchr(how, 'a') ? O_APPEND : 0);
	int fd = open(path, flags | O_CLOEXEC | O_CREAT, 0644);

	char *area = strchr(how, 'm') ? mmap(NULL, 4096, PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED, fd, 0)
	                              : NULL;

	if (fd < 0 || area == MAP_FAILED)
		exit(4);
	if (strchr(how, 'd')) {
		mapped = area;
		*mapped = 'B';
	}
	if ((strchr(how, 'x') && flock(fd, LOCK_EX | LOCK_NB)) || (strchr(how, 's') && flock(fd, LOCK_SH | LOCK_NB)) ||
	    (strchr(how, 'p') && fcntl(fd, F_SETLK, &(struct flock){.l_type = F_WRLCK, .l_len = 10})))
		keep_text("locked by another\n");
	if (strchr(how, 'm') && !strchr(how, 'o'))
		close(fd);
}

static int obey(char **word)
{
	char command[4096];
	pthread_t thread;
	FILE *child;

	if (!strcmp(word[0], "read")) {
		read_file(word[1], "re");
	} else if (!strcmp(word[0], "edit")) {
		read_file(word[1], "r+e");
	} else if (!strcmp(word[0], "thread")) {
		if (pthread_create(&thread, NULL, read_in_thread, word[1]) || pthread_join(thread, NULL))
			exit(5);
	} else if (!strcmp(word[0], "child")) {
		snprintf(command, sizeof(command), "cat %s", word[1]);
		child = popen(command, "re");
		read_stream(child);
		pclose(child);
	} else if (!strcmp(word[0], "fork")) {
		read_in_fork(word[1]);
	} else if (!strcmp(word[0], "unlink")) {
		unlink(word[1]);
	} else if (!strcmp(word[0], "list") || !strcmp(word[0], "all")) {
		each_name(word[1], !strcmp(word[0], "all"));
	} else if (!strcmp(word[0], "await")) {
		await(word[1]);
	} else if (!strcmp(word[0], "save")) {
		save(word[1], word[2], O_TRUNC);
		return 3;
	} else if (!strcmp(word[0], "append")) {
		save(word[1], word[2], O_APPEND);
		return 3;
	} else if (!strcmp(word[0], "replace")) {
		replace(word[1], word[2]);
		return 3;
	} else if (!strcmp(word[0], "keep")) {
		keep(word[1], word[2]);
		return 3;
	} else {
		exit(2);
	}
	return 2;
}

int main(int argc, char **argv)
{
	struct stat in;
	char c;

	for (int i = 1; i + 1 < argc;)
		i += obey(argv + i);
	known = mapped ? *mapped : '\0';
	warm_ready(0);
	fputs(text, stdout);
	if (mapped)
		printf("%c%c\n", known, *mapped);
	fflush(stdout);
	if (!fstat(0, &in) && S_ISFIFO(in.st_mode)) {
		while (read(0, &c, 1) > 0) {
			if (mapped)
				*mapped = c;
		}
	}
	return 0;
}
