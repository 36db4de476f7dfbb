/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lsiommu - list the devices behind IOMMUs
 *
 * read.c reads files, sysfs.c makes devices of them, output.c prints them,
 * lsiommu.c handles the command line.
 */
#ifndef LSIOMMU_H
#define LSIOMMU_H

#include <stdbool.h>
#include <stddef.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* A file under DEVICE/iommu_caps/ and the column that shows it. */
struct cap {
	const char *file;
	const char *column;
	const char *help;
};

#define NR_CAPS		5
#define CAP_UNKNOWN	(-1)

extern const struct cap caps[NR_CAPS];

/* One line of a reserved regions file; @last is inclusive as in sysfs. */
struct region {
	unsigned long long start;
	unsigned long long last;
	bool valid;			/* false: @type is the whole line */
	const char *type;		/* points into regions->text */
	size_t type_len;
};

struct regions {
	bool known;
	char *text;
	struct region *v;
	size_t nr;
};

struct group {
	unsigned int id;
	char *dir;
	bool noiommu;			/* made up by VFIO, translates nothing */
	bool regions_read;
	struct regions regions;
};

/* The name behind a symbolic link: NULL if there is no link. */
struct name {
	char *s;
	bool unknown;
};

struct device {
	char *name;
	char *path;			/* NULL if it cannot be resolved */
	unsigned long long bdf;
	bool is_pci;
	struct group *group;		/* NULL if the device is in none */
	struct name iommu;
	struct name driver;
	signed char caps[NR_CAPS];	/* 0, 1 or CAP_UNKNOWN */
	struct regions own;
};

struct list {
	const char *sysfs;
	struct device *devices;
	size_t nr, room;
	struct group **groups;
	size_t nr_groups, groups_room;
};

/* lsiommu.c */
extern bool failed;			/* something has been complained about */
void *xrealloc(void *p, size_t nr, size_t size);
char *xasprintf(const char *fmt, ...)
	__attribute__((__format__(__printf__, 1, 2)));

/* read.c */
enum found { MISSING, FOUND, FAILED };	/* FAILED has been reported */

struct dirent;

enum found check_dir(const char *path);
enum found read_file(const char *path, char **text, size_t *len);
enum found read_link(const char *path, char **name);
struct name link_name(const char *dir, const char *file);
int read_dir(const char *path, struct dirent ***entries);
void free_dir(struct dirent **entries, int n);

/* sysfs.c */
bool list_all(struct list *list);
void list_one(struct list *list, const char *arg);
bool has_iommu(const char *sysfs);
void list_sort(struct list *list);
void list_free(struct list *list);

/* True if the IOMMU core manages @dev. */
static inline bool behind_iommu(const struct device *dev)
{
	return dev->group && !dev->group->noiommu;
}

/* The regions to show for @dev: its own, or those of its group. */
static inline const struct regions *device_regions(const struct device *dev)
{
	if (!dev->own.known && behind_iommu(dev))
		return &dev->group->regions;
	return &dev->own;
}

/* output.c */
void complain(const char *path, const char *reason);
void print_table(const struct list *list);
void print_json(const struct list *list);

#endif /* LSIOMMU_H */
