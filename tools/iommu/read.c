// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading of files, links and directories.
 *
 * A file that is not there belongs to a feature that this kernel lacks and
 * leaves its value unknown. A file that is there but cannot be read is an
 * error: it is reported by path, and reading goes on.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lsiommu.h"

/* Far above any real attribute; stops at a wrong --sysfs directory. */
#define MAX_FILE	(64UL << 20)

/* Call with errno set by the access to @path that failed. */
static enum found not_read(const char *path)
{
	struct stat st;
	int err = errno;

	if (err == ENOENT) {
		if (lstat(path, &st) && errno == ENOENT)
			return MISSING;
		complain(path, "dangling symbolic link");
	} else {
		complain(path, strerror(err));
	}
	return FAILED;
}

enum found check_dir(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return not_read(path);
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return not_read(path);
	}
	if (access(path, X_OK))
		return not_read(path);
	return FOUND;
}

/* On FOUND, *@text is @len bytes and a NUL; the caller frees it. */
enum found read_file(const char *path, char **text, size_t *len)
{
	size_t room = 512, used = 0;
	enum found found = FAILED;
	struct stat st;
	char *buf;
	ssize_t n;
	int fd;

	/* O_NONBLOCK: a FIFO in a recorded tree must not hang us. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return not_read(path);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		complain(path, "not a regular file");
		goto close_fd;
	}

	buf = xrealloc(NULL, room, 1);
	while ((n = read(fd, buf + used, room - used - 1)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			complain(path, strerror(errno));
			goto free_buf;
		}
		used += n;
		if (used >= MAX_FILE) {
			complain(path, "file too large");
			goto free_buf;
		}
		if (used == room - 1) {
			room *= 2;
			buf = xrealloc(buf, room, 1);
		}
	}
	buf[used] = '\0';
	*text = buf;
	*len = used;
	close(fd);
	return FOUND;

free_buf:
	free(buf);
close_fd:
	close(fd);
	return found;
}

/* On FOUND, *@name is the last part of the link's target. */
enum found read_link(const char *path, char **name)
{
	size_t room = 256;
	char *buf = NULL, *slash;
	ssize_t n;

	do {
		room *= 2;
		buf = xrealloc(buf, room, 1);
		n = readlink(path, buf, room);
		if (n < 0) {
			free(buf);
			if (errno != EINVAL)
				return not_read(path);
			complain(path, "not a symbolic link");
			return FAILED;
		}
	} while ((size_t)n == room);

	buf[n] = '\0';
	while (n > 1 && buf[n - 1] == '/')
		buf[--n] = '\0';
	slash = strrchr(buf, '/');
	if (slash && slash[1])
		memmove(buf, slash + 1, strlen(slash + 1) + 1);
	*name = buf;
	return FOUND;
}

struct name link_name(const char *dir, const char *file)
{
	struct name name = { NULL, false };
	char *path = xasprintf("%s/%s", dir, file);

	name.unknown = read_link(path, &name.s) == FAILED;
	free(path);
	return name;
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/*
 * Sorted, so that messages come in the same order each time. Returns the number
 * of entries, -1 on error; end with free_dir().
 */
int read_dir(const char *path, struct dirent ***entries)
{
	int n = scandir(path, entries, visible, versionsort);

	if (n < 0)
		*entries = NULL;
	return n;
}

void free_dir(struct dirent **entries, int n)
{
	while (n-- > 0)
		free(entries[n]);
	free(entries);
}
