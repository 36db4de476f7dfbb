// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reserved regions as sysfs shows them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regions.h"

char *regions_read_text(const char *path, size_t chunk)
{
	size_t len = 0, size = 0;
	char *text = NULL, *more;
	ssize_t ret = 0;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;

	do {
		len += ret;
		if (len + chunk >= size) {
			size = 2 * size + chunk + 1;
			more = realloc(text, size);
			if (!more) {
				errno = ENOMEM;
				ret = -1;
				break;
			}
			text = more;
		}
		ret = read(fd, text + len, chunk);
	} while (ret > 0);

	close(fd);
	if (ret < 0) {
		free(text);
		return NULL;
	}
	text[len] = '\0';
	return text;
}

int regions_parse(struct regions *regions, const char *text)
{
	struct region *list;
	struct region new;
	unsigned long long start, last;
	int end;

	while (*text) {
		end = 0;
		if (sscanf(text, "0x%llx 0x%llx %23[a-z-]%n", &start, &last,
			   new.type, &end) != 3 || !end)
			return -EINVAL;
		text += end;
		if (*text == '\n')
			text++;
		else if (*text)
			return -EINVAL;

		list = realloc(regions->list,
			       (regions->count + 1) * sizeof(*list));
		if (!list)
			return -ENOMEM;
		new.start = start;
		new.last = last;
		list[regions->count++] = new;
		regions->list = list;
	}
	return 0;
}

int regions_read(struct regions *regions, const char *path)
{
	char *text = regions_read_text(path, 65536);
	int ret;

	if (!text)
		return -errno;
	ret = regions_parse(regions, text);
	free(text);
	return ret;
}

void regions_free(struct regions *regions)
{
	free(regions->list);
	regions->list = NULL;
	regions->count = 0;
}

static int compare(const void *left, const void *right)
{
	const struct region *a = left, *b = right;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->last != b->last)
		return a->last < b->last ? -1 : 1;
	return strcmp(a->type, b->type);
}

void regions_sort(struct regions *regions)
{
	if (regions->count)
		qsort(regions->list, regions->count, sizeof(*regions->list),
		      compare);
}

bool regions_overlap(const struct region *a, const struct region *b)
{
	return a->start <= b->last && b->start <= a->last;
}

bool regions_cover(const struct regions *regions, __u64 addr, const char *type)
{
	const struct region *region;
	size_t i;

	for (i = 0; i < regions->count; i++) {
		region = &regions->list[i];
		if (region->start <= addr && addr <= region->last &&
		    !strcmp(region->type, type))
			return true;
	}
	return false;
}
