/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reserved regions as sysfs shows them: a line for each, "START LAST TYPE".
 *
 * Functions return 0 or a negative errno.
 */
#ifndef SELFTESTS_IOMMU_REGIONS_H
#define SELFTESTS_IOMMU_REGIONS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct region {
	__u64 start;
	__u64 last;
	char type[24];
};

struct regions {
	struct region *list;
	size_t count;
};

/* The whole text of a file, read @chunk bytes at a time; to be freed. */
char *regions_read_text(const char *path, size_t chunk);

/* Add the regions of a text. -EINVAL if a line is not one of a region. */
int regions_parse(struct regions *regions, const char *text);

/* Add the regions of a file. */
int regions_read(struct regions *regions, const char *path);

void regions_free(struct regions *regions);

/* By start, then by last, then by type. */
void regions_sort(struct regions *regions);

bool regions_overlap(const struct region *a, const struct region *b);

/* Is @addr in a region of @type? */
bool regions_cover(const struct regions *regions, __u64 addr, const char *type);

#endif /* SELFTESTS_IOMMU_REGIONS_H */
