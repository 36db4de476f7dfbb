// SPDX-License-Identifier: GPL-2.0-only
/*
 * What sysfs says about devices and their IOMMUs.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lsiommu.h"

const struct cap caps[NR_CAPS] = {
	{ "cache_coherency", "CC",
	  "normal DMA of the device is cache coherent" },
	{ "enforce_cache_coherency", "ENF",
	  "the IOMMU can block DMA that bypasses the caches" },
	{ "interrupt_isolation", "IRQ",
	  "interrupts of the device are isolated" },
	{ "noexec", "NX",
	  "mappings can forbid instruction fetches" },
	{ "pre_boot_protection", "PRE",
	  "firmware used the IOMMU to guard memory before boot" },
};

/* Returns what follows the digits, NULL if there are none or too many. */
static const char *parse_hex(const char *s, unsigned long long max,
			     unsigned long long *val)
{
	unsigned long long digit;

	if (!isxdigit((unsigned char)*s))
		return NULL;
	for (*val = 0; isxdigit((unsigned char)*s); s++) {
		digit = isdigit((unsigned char)*s) ? *s - '0' :
			tolower((unsigned char)*s) - 'a' + 10;
		if (digit > max || *val > (max - digit) / 16)
			return NULL;
		*val = *val * 16 + digit;
	}
	return s;
}

/* [DOMAIN:]BUS:DEVICE.FUNCTION, all in hexadecimal */
static bool parse_bdf(const char *s, unsigned long long *bdf)
{
	unsigned long long v[3], fn, domain = 0;
	int n = 0;

	for (;;) {
		s = parse_hex(s, UINT_MAX, &v[n++]);
		if (!s)
			return false;
		if (*s == '.')
			break;
		if (*s++ != ':' || n == 3)
			return false;
	}
	s = parse_hex(s + 1, 7, &fn);
	if (!s || *s || n < 2 || v[n - 1] > 0x1f || v[n - 2] > 0xff)
		return false;
	if (n == 3)
		domain = v[0];
	*bdf = domain << 16 | v[n - 2] << 8 | v[n - 1] << 3 | fn;
	return true;
}

static const char *parse_address(const char *s, unsigned long long *val)
{
	if (s[0] != '0' || s[1] != 'x')
		return NULL;
	s = parse_hex(s + 2, ULLONG_MAX, val);
	return s && *s == ' ' ? s + 1 : NULL;
}

/* "0xSTART 0xLAST TYPE"; a type that is new to us is taken as it is. */
static bool parse_region(struct region *r, const char *line, const char *nl)
{
	const char *s = parse_address(line, &r->start);

	if (s)
		s = parse_address(s, &r->last);
	r->valid = s && s < nl;
	r->type = r->valid ? s : line;
	r->type_len = nl - r->type;
	return r->valid;
}

static void read_regions(const char *dir, const char *file, struct regions *r)
{
	char *path = xasprintf("%s/%s", dir, file), *why;
	const char *line, *end, *nl;
	size_t len, room = 0, nr_line = 0;

	if (read_file(path, &r->text, &len) != FOUND)
		goto free_path;

	r->known = true;
	end = r->text + len;
	for (line = r->text; line < end; line = nl + 1) {
		nl = memchr(line, '\n', end - line);
		if (!nl)
			nl = end;
		nr_line++;
		if (r->nr == room) {
			room = room ? room * 2 : 8;
			r->v = xrealloc(r->v, room, sizeof(*r->v));
		}
		/* Some kernels cut the file at a page: no newline there. */
		if (!parse_region(&r->v[r->nr], line, nl) || nl == end) {
			r->v[r->nr].valid = false;
			r->v[r->nr].type = line;
			r->v[r->nr].type_len = nl - line;
			why = xasprintf("line %zu is not a %sreserved region",
					nr_line, nl == end ? "complete " : "");
			complain(path, why);
			free(why);
		}
		r->nr++;
	}

free_path:
	free(path);
}

static void read_caps(struct device *dev)
{
	char *dir = xasprintf("%s/iommu_caps", dev->path), *path, *text;
	size_t i, len;

	if (check_dir(dir) != FOUND)
		goto free_dir;

	for (i = 0; i < NR_CAPS; i++) {
		path = xasprintf("%s/%s", dir, caps[i].file);
		if (read_file(path, &text, &len) == FOUND) {
			if (len == 2 && text[1] == '\n' &&
			    (text[0] == '0' || text[0] == '1'))
				dev->caps[i] = text[0] - '0';
			else
				complain(path, "neither 0 nor 1");
			free(text);
		}
		free(path);
	}

free_dir:
	free(dir);
}

static struct group *add_group(struct list *list, unsigned int id)
{
	struct group *group;
	char *path, *text;
	size_t len;

	group = xrealloc(NULL, 1, sizeof(*group));
	memset(group, 0, sizeof(*group));
	group->id = id;
	group->dir = xasprintf("%s/kernel/iommu_groups/%u", list->sysfs, id);

	path = xasprintf("%s/name", group->dir);
	if (read_file(path, &text, &len) == FOUND) {
		group->noiommu = !strcmp(text, "vfio-noiommu\n");
		free(text);
	}
	free(path);

	if (list->nr_groups == list->groups_room) {
		list->groups_room = list->groups_room * 2 + 16;
		list->groups = xrealloc(list->groups, list->groups_room,
					sizeof(*list->groups));
	}
	list->groups[list->nr_groups++] = group;
	return group;
}

/*
 * Takes over @name and @path. A NULL @path is a device of @group that cannot
 * be entered.
 */
static void add_device(struct list *list, struct group *group, char *name,
		       char *path)
{
	struct device *dev;

	if (list->nr == list->room) {
		list->room = list->room * 2 + 64;
		list->devices = xrealloc(list->devices, list->room,
					 sizeof(*list->devices));
	}
	dev = &list->devices[list->nr++];
	memset(dev, 0, sizeof(*dev));
	memset(dev->caps, CAP_UNKNOWN, sizeof(dev->caps));
	dev->name = name;
	dev->path = path;
	dev->group = group;
	dev->is_pci = parse_bdf(name, &dev->bdf);

	if (path) {
		dev->driver = link_name(path, "driver");
		if (behind_iommu(dev)) {
			dev->iommu = link_name(path, "iommu");
			read_caps(dev);
			read_regions(path, "iommu_reserved_regions", &dev->own);
		}
	} else {
		dev->driver.unknown = true;
		dev->iommu.unknown = true;
	}

	if (!dev->own.known && behind_iommu(dev) && !group->regions_read) {
		group->regions_read = true;
		read_regions(group->dir, "reserved_regions", &group->regions);
	}
}

static void list_group(struct list *list, struct group *group)
{
	char *dir = xasprintf("%s/devices", group->dir);
	char *entry, *path, *name;
	struct dirent **entries;
	struct stat st;
	int i, n;

	n = read_dir(dir, &entries);
	if (n < 0)
		complain(dir, strerror(errno));
	for (i = 0; i < n; i++) {
		entry = xasprintf("%s/%s", dir, entries[i]->d_name);
		name = NULL;

		/*
		 * The kernel renames the link when two devices of a group have
		 * the same name, so look at what it points to.
		 */
		if (!lstat(entry, &st) && S_ISLNK(st.st_mode))
			read_link(entry, &name);
		if (!name)
			name = xasprintf("%s", entries[i]->d_name);

		path = NULL;
		switch (check_dir(entry)) {
		case FOUND:
			path = realpath(entry, NULL);
			if (!path)
				complain(entry, strerror(errno));
			break;
		case MISSING:
			complain(entry, strerror(ENOENT));
			break;
		case FAILED:
			break;
		}
		add_device(list, group, name, path);
		free(entry);
	}
	free_dir(entries, n);
	free(dir);
}

static bool parse_group(const char *s, unsigned int *id)
{
	unsigned long val;
	char *end;

	if (!isdigit((unsigned char)*s))
		return false;
	errno = 0;
	val = strtoul(s, &end, 10);
	if (*end || errno || val > INT_MAX)
		return false;
	*id = val;
	return true;
}

/* False if this kernel has no IOMMU groups at all. */
bool list_all(struct list *list)
{
	char *dir = xasprintf("%s/kernel/iommu_groups", list->sysfs), *path;
	enum found found = check_dir(dir);
	struct dirent **entries = NULL;
	struct group *group;
	unsigned int id;
	int i, n = 0;

	if (found == FOUND)
		n = read_dir(dir, &entries);
	if (n < 0)
		complain(dir, strerror(errno));
	for (i = 0; i < n; i++) {
		if (parse_group(entries[i]->d_name, &id)) {
			group = add_group(list, id);
			if (!group->noiommu)
				list_group(list, group);
		} else {
			path = xasprintf("%s/%s", dir, entries[i]->d_name);
			complain(path, "not the number of a group");
			free(path);
		}
	}
	free_dir(entries, n);
	free(dir);
	return found != MISSING;
}

/* Takes over @path, the canonical path of a device. */
static void list_device(struct list *list, char *path)
{
	struct name link = link_name(path, "iommu_group");
	struct group *group = NULL;
	unsigned int id;
	char *file;

	if (link.s && parse_group(link.s, &id)) {
		group = add_group(list, id);
	} else if (link.s) {
		file = xasprintf("%s/iommu_group", path);
		complain(file, "not a link to a group");
		free(file);
		link.unknown = true;
	}
	free(link.s);
	if (link.unknown)
		free(path);
	else
		add_device(list, group,
			   xasprintf("%s", strrchr(path, '/') + 1), path);
}

/* True if @path, which is canonical, is the directory of a device. */
static bool is_device(const char *sysfs, const char *path)
{
	static const char * const files[] = { "uevent", "iommu_group" };
	char *root = realpath(sysfs, NULL), *dir, *file;
	struct stat st;
	bool found = false;
	size_t i;

	dir = xasprintf("%s/devices/", root && root[1] ? root : "");
	if (!strncmp(path, dir, strlen(dir))) {
		for (i = 0; i < ARRAY_SIZE(files) && !found; i++) {
			file = xasprintf("%s/%s", path, files[i]);
			found = !lstat(file, &st);
			free(file);
		}
	}
	free(dir);
	free(root);
	return found;
}

/* @arg is a path as the shell has it, or one from the root of sysfs. */
static void list_path(struct list *list, const char *arg)
{
	char *path = realpath(arg, NULL), *again;

	if (!path && errno == ENOENT) {
		again = xasprintf("%s/%s", list->sysfs, arg);
		path = realpath(again, NULL);
		free(again);
	}
	if (!path) {
		complain(arg, strerror(errno));
	} else if (check_dir(path) != FOUND) {
		free(path);
	} else if (!is_device(list->sysfs, path)) {
		complain(arg, "not a device in sysfs");
		free(path);
	} else {
		list_device(list, path);
	}
}

/* Names are unique on a bus only, so more than one device can match. */
static bool list_name(struct list *list, const char *name)
{
	char *dir = xasprintf("%s/bus", list->sysfs), *entry, *path;
	struct dirent **entries;
	bool found = false;
	struct stat st;
	int i, n;

	n = read_dir(dir, &entries);
	if (n < 0)
		complain(dir, strerror(errno));
	for (i = 0; i < n; i++) {
		entry = xasprintf("%s/%s/devices/%s", dir, entries[i]->d_name,
				  name);
		if (!lstat(entry, &st)) {
			found = true;
			path = check_dir(entry) == FOUND ?
				realpath(entry, NULL) : NULL;
			if (path)
				list_device(list, path);
		}
		free(entry);
	}
	free_dir(entries, n);
	free(dir);
	return found;
}

/* Add the device that --device @arg means, or complain. */
void list_one(struct list *list, const char *arg)
{
	unsigned long long bdf;
	char *name;

	if (strchr(arg, '/') || !strcmp(arg, ".") || !strcmp(arg, "..")) {
		list_path(list, arg);
		return;
	}

	if (parse_bdf(arg, &bdf))
		name = xasprintf("%04llx:%02llx:%02llx.%llx", bdf >> 16,
				 bdf >> 8 & 0xff, bdf >> 3 & 0x1f, bdf & 7);
	else
		name = xasprintf("%s", arg);
	if (!list_name(list, name))
		complain(arg, "no such device on any bus");
	free(name);
}

bool has_iommu(const char *sysfs)
{
	char *dir = xasprintf("%s/class/iommu", sysfs);
	struct dirent **entries;
	int n;

	n = read_dir(dir, &entries);
	free_dir(entries, n);
	free(dir);
	return n > 0;
}

/* Numbers by value, and no name after all names. */
static int compare_names(const char *a, const char *b)
{
	if (!a || !b)
		return !a - !b;
	return strverscmp(a, b);
}

static int compare_devices(const void *p1, const void *p2)
{
	const struct device *a = p1, *b = p2;
	int ret;

	ret = compare_names(a->iommu.s, b->iommu.s);
	if (ret)
		return ret;
	if (!a->group != !b->group)
		return !a->group - !b->group;
	if (a->group && a->group->id != b->group->id)
		return a->group->id < b->group->id ? -1 : 1;
	if (a->is_pci != b->is_pci)
		return b->is_pci - a->is_pci;
	if (a->bdf != b->bdf)
		return a->bdf < b->bdf ? -1 : 1;
	ret = compare_names(a->name, b->name);
	return ret ? ret : compare_names(a->path, b->path);
}

void list_sort(struct list *list)
{
	if (list->nr)
		qsort(list->devices, list->nr, sizeof(*list->devices),
		      compare_devices);
}

static void free_regions(struct regions *r)
{
	free(r->text);
	free(r->v);
}

void list_free(struct list *list)
{
	struct device *dev;
	size_t i;

	for (i = 0; i < list->nr; i++) {
		dev = &list->devices[i];
		free(dev->name);
		free(dev->path);
		free(dev->iommu.s);
		free(dev->driver.s);
		free_regions(&dev->own);
	}
	for (i = 0; i < list->nr_groups; i++) {
		free(list->groups[i]->dir);
		free_regions(&list->groups[i]->regions);
		free(list->groups[i]);
	}
	free(list->devices);
	free(list->groups);
}
