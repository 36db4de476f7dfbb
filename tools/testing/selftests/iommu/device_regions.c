// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reserved regions of devices, and of groups as the union of their devices.
 *
 * IOMMU_TEST_DEVICE names a PCI or platform device, IOMMU_TEST_EXPECT is empty
 * if it has no IOMMU. IOMMU_TEST_REGIONS has the regions that only this device
 * has, IOMMU_TEST_REGIONS_ALL those that every device has, each with lines like
 * those in sysfs. Devices may have regions that neither of them tells.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "../kselftest_harness.h"
#include "device.h"
#include "regions.h"

#define SYSFS_GROUPS	"/sys/kernel/iommu_groups"

#define LINE_FORMAT	"0x%016llx 0x%016llx %s\n"

#define ROUNDS		5

/* Set once by main(). */
static struct device dev;
static bool has_iommu;
static struct regions own, all;

static void file_of(char path[PATH_MAX], const char *device)
{
	snprintf(path, PATH_MAX, "%s/iommu_reserved_regions", device);
}

static bool has_file(const char *device)
{
	return sysfs_exists("%s/iommu_reserved_regions", device);
}

/*
 * Sorted, no two of a type that touch, and printed in the one way there is.
 */
static void check_form(struct __test_metadata *_metadata, const char *path)
{
	struct regions regions = {};
	const struct region *a, *b;
	char *text, *at, line[96];
	size_t i, j;

	text = regions_read_text(path, 65536);
	ASSERT_NE(NULL, text)
		TH_LOG("%s: %s", path, strerror(errno));
	ASSERT_EQ(0, regions_parse(&regions, text))
		TH_LOG("%s: a line is not one of a region", path);

	for (at = text, i = 0; i < regions.count; i++) {
		a = &regions.list[i];
		snprintf(line, sizeof(line), LINE_FORMAT, a->start, a->last,
			 a->type);
		ASSERT_EQ(0, strncmp(at, line, strlen(line)))
			TH_LOG("%s: line %zu is not %s", path, i + 1, line);
		at += strlen(line);

		EXPECT_LE(a->start, a->last)
			TH_LOG("%s: line %zu", path, i + 1);
		if (i)
			EXPECT_LE(regions.list[i - 1].start, a->start)
				TH_LOG("%s: line %zu", path, i + 1);
		for (j = 0; j < i; j++) {
			b = &regions.list[j];
			if (strcmp(a->type, b->type))
				continue;
			EXPECT_TRUE(b->last < a->start && b->last + 1 < a->start)
				TH_LOG("%s: lines %zu and %zu are one region",
				       path, j + 1, i + 1);
		}
	}
	EXPECT_EQ('\0', *at);
	free(text);
	regions_free(&regions);
}

/* The "iommu" link leads to the instance; a no-iommu group has none. */
static void check_presence(struct __test_metadata *_metadata, const char *path,
			   int *n)
{
	bool behind_iommu = sysfs_exists("%s/iommu", path) &&
			    sysfs_exists("%s/iommu_group", path);
	char file[PATH_MAX];
	struct stat st;

	EXPECT_EQ(behind_iommu, has_file(path))
		TH_LOG("%s", path);
	if (!has_file(path))
		return;

	(*n)++;
	file_of(file, path);
	check_form(_metadata, file);
	ASSERT_EQ(0, stat(file, &st));
	EXPECT_EQ((mode_t)(S_IFREG | 0444), st.st_mode)
		TH_LOG("mode of %s", file);
}

TEST(all_devices)
{
	int n = 0;

	ASSERT_EQ(0, visit_devices(_metadata, check_presence, &n));
	EXPECT_TRUE(n || !has_iommu)
		TH_LOG("no device shows reserved regions");
	EXPECT_EQ(has_iommu, has_file(dev.path))
		TH_LOG("%s", dev.path);
}

/* The regions of a device that is not the one under test. */
static void check_other(struct __test_metadata *_metadata, const char *path,
			int *n)
{
	char file[PATH_MAX], name[NAME_MAX + 1];
	struct regions regions = {};
	size_t i, j;

	if (!has_file(path) || !strcmp(strrchr(path, '/') + 1, dev.name))
		return;

	(*n)++;
	file_of(file, path);
	ASSERT_EQ(0, regions_read(&regions, file));
	for (i = 0; i < all.count; i++) {
		EXPECT_TRUE(regions_cover(&regions, all.list[i].start,
					  all.list[i].type) &&
			    regions_cover(&regions, all.list[i].last,
					  all.list[i].type))
			TH_LOG("%s has no " LINE_FORMAT, path,
			       all.list[i].start, all.list[i].last,
			       all.list[i].type);
	}
	for (i = 0; i < own.count; i++) {
		for (j = 0; j < regions.count; j++) {
			EXPECT_FALSE(regions_overlap(&own.list[i],
						     &regions.list[j]))
				TH_LOG("%s has " LINE_FORMAT, path,
				       regions.list[j].start,
				       regions.list[j].last,
				       regions.list[j].type);
		}
	}
	regions_free(&regions);

	/* A group that is not its own shows the device's regions neither. */
	if (sysfs_link(name, sizeof(name), "%s/iommu_group", path))
		return;
	if (sysfs_exists(SYSFS_GROUPS "/%s/devices/%s", name, dev.name))
		return;
	snprintf(file, sizeof(file), SYSFS_GROUPS "/%s/reserved_regions", name);
	ASSERT_EQ(0, regions_read(&regions, file));
	for (i = 0; i < own.count; i++)
		for (j = 0; j < regions.count; j++)
			EXPECT_FALSE(regions_overlap(&own.list[i],
						     &regions.list[j]))
				TH_LOG("group %s of %s", name, path);
	regions_free(&regions);
}

TEST(of_the_device)
{
	char file[PATH_MAX], driver[DEVICE_NAME_SIZE];
	struct regions regions = {}, want = {};
	size_t i;
	int n = 0;

	if (!has_iommu || !all.count)
		SKIP(return, "the machine does not say which regions there are");

	for (i = 0; i < own.count + all.count; i++) {
		const struct region *from = i < own.count ?
			&own.list[i] : &all.list[i - own.count];
		char line[96];

		snprintf(line, sizeof(line), LINE_FORMAT, from->start,
			 from->last, from->type);
		ASSERT_EQ(0, regions_parse(&want, line));
	}
	regions_sort(&want);

	file_of(file, dev.path);
	device_driver(&dev, driver);
	ASSERT_EQ(0, regions_read(&regions, file));
	EXPECT_EQ(want.count, regions.count);
	for (i = 0; i < want.count && i < regions.count; i++) {
		EXPECT_TRUE(want.list[i].start == regions.list[i].start &&
			    want.list[i].last == regions.list[i].last &&
			    !strcmp(want.list[i].type, regions.list[i].type))
			TH_LOG("line %zu of %s (driver %s) is not " LINE_FORMAT,
			       i + 1, file, *driver ? driver : "none",
			       want.list[i].start, want.list[i].last,
			       want.list[i].type);
	}
	regions_free(&want);
	regions_free(&regions);

	ASSERT_EQ(0, visit_devices(_metadata, check_other, &n));
	EXPECT_LT(0, n);
}

/*
 * Do @a and @b cover the same addresses with each type? What covers them changes
 * at the ends of regions only, so it is enough to look on both sides of those.
 */
static void check_cover(struct __test_metadata *_metadata, const char *what,
			const struct regions *a, const struct regions *b)
{
	const struct region *region;
	__u64 at[4];
	size_t i, j;

	for (i = 0; i < a->count; i++) {
		region = &a->list[i];
		at[0] = region->start;
		at[1] = region->last;
		at[2] = region->start ? region->start - 1 : region->start;
		at[3] = region->last + 1 ? region->last + 1 : region->last;
		for (j = 0; j < ARRAY_SIZE(at); j++) {
			EXPECT_EQ(regions_cover(a, at[j], region->type),
				  regions_cover(b, at[j], region->type))
				TH_LOG("%s: %s at 0x%llx", what, region->type,
				       (unsigned long long)at[j]);
		}
	}
}

static void check_group(struct __test_metadata *_metadata, const char *group)
{
	struct regions regions = {}, devices = {};
	char path[PATH_MAX], file[PATH_MAX];
	struct dirent *entry;
	int members = 0;
	DIR *dir;

	snprintf(path, sizeof(path), SYSFS_GROUPS "/%s/devices", group);
	dir = opendir(path);
	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file),
			 SYSFS_GROUPS "/%s/devices/%s/iommu_reserved_regions",
			 group, entry->d_name);
		members++;
		ASSERT_EQ(0, regions_read(&devices, file))
			TH_LOG("%s", file);
	}
	closedir(dir);
	EXPECT_LT(0, members);

	snprintf(path, sizeof(path), SYSFS_GROUPS "/%s/reserved_regions", group);
	check_form(_metadata, path);
	ASSERT_EQ(0, regions_read(&regions, path));
	check_cover(_metadata, path, &regions, &devices);
	check_cover(_metadata, path, &devices, &regions);

	regions_free(&regions);
	regions_free(&devices);
}

TEST(groups_are_unions)
{
	struct dirent *entry;
	int n = 0;
	DIR *dir;

	if (!has_iommu)
		SKIP(return, "%s has no IOMMU", dev.name);

	dir = opendir(SYSFS_GROUPS);
	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		check_group(_metadata, entry->d_name);
		n++;
	}
	closedir(dir);
	EXPECT_LT(0, n);
}

static void check_reads(struct __test_metadata *_metadata, const char *path)
{
	static const size_t chunks[] = { 1, 7, 4095, 4096 };
	char *whole, *parts;
	size_t i;

	whole = regions_read_text(path, 1 << 20);
	ASSERT_NE(NULL, whole);
	for (i = 0; i < ARRAY_SIZE(chunks); i++) {
		parts = regions_read_text(path, chunks[i]);
		ASSERT_NE(NULL, parts);
		EXPECT_STREQ(whole, parts)
			TH_LOG("%s, %zu bytes at a time", path, chunks[i]);
		free(parts);
	}
	free(whole);
}

TEST(partial_reads)
{
	char path[PATH_MAX];

	if (!has_iommu)
		SKIP(return, "%s has no IOMMU", dev.name);

	file_of(path, dev.path);
	check_reads(_metadata, path);
	snprintf(path, sizeof(path), "%s/iommu_group/reserved_regions",
		 dev.path);
	check_reads(_metadata, path);
}

/* Reads until it is killed; ends by itself only on what may not happen. */
static void __attribute__((noreturn)) read_forever(const char *device,
						   const char *group)
{
	struct regions regions = {};
	int ret;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		/* While it is removed, firmware may not name it any more. */
		ret = regions_read(&regions, device);
		if (ret && ret != -ENOENT && ret != -ENODEV)
			_exit(1);
		regions_free(&regions);

		/* Its group, or what has the number of it by now. */
		ret = regions_read(&regions, group);
		if (ret && ret != -ENOENT && ret != -ENODEV)
			_exit(2);
		regions_free(&regions);
	}
}

FIXTURE(removal) {
	char file[PATH_MAX];
	char group[PATH_MAX];
	char *text;
};

FIXTURE_SETUP(removal)
{
	char name[NAME_MAX + 1];

	if (!has_iommu)
		SKIP(_exit(255), "%s has no IOMMU", dev.name);
	if (strcmp(dev.bus, "pci"))
		SKIP(_exit(255), "only a PCI device can be removed");

	file_of(self->file, dev.path);
	self->text = regions_read_text(self->file, 65536);
	ASSERT_NE(NULL, self->text);
	ASSERT_EQ(0, sysfs_link(name, sizeof(name), "%s/iommu_group",
				dev.path));
	snprintf(self->group, sizeof(self->group),
		 SYSFS_GROUPS "/%s/reserved_regions", name);
}

FIXTURE_TEARDOWN(removal)
{
	free(self->text);
}

/* The same regions are there as soon as the device is, without a driver. */
TEST_F_TIMEOUT(removal, race, 180)
{
	int i, status;
	pid_t reader;
	char *text;

	reader = fork();
	ASSERT_LE(0, reader);
	if (!reader)
		read_forever(self->file, self->group);

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, sysfs_write("1", "%s/remove", dev.path));
		EXPECT_FALSE(has_file(dev.path));
		ASSERT_EQ(0, sysfs_write("1", "/sys/bus/pci/rescan"));
		text = regions_read_text(self->file, 65536);
		ASSERT_NE(NULL, text);
		EXPECT_STREQ(self->text, text);
		free(text);
	}

	kill(reader, SIGKILL);
	ASSERT_EQ(reader, waitpid(reader, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		TH_LOG("a reader got what it should not");
}

int main(int argc, char **argv)
{
	const char *name = getenv("IOMMU_TEST_DEVICE");
	const char *expect = getenv("IOMMU_TEST_EXPECT");
	const char *regions = getenv("IOMMU_TEST_REGIONS");
	const char *regions_all = getenv("IOMMU_TEST_REGIONS_ALL");

	if (!name || !*name || !expect)
		ksft_exit_skip("set IOMMU_TEST_DEVICE and IOMMU_TEST_EXPECT\n");
	if (device_find(&dev, name))
		ksft_exit_fail_msg("IOMMU_TEST_DEVICE=%s: no such device\n",
				   name);
	if (regions && regions_parse(&own, regions))
		ksft_exit_fail_msg("IOMMU_TEST_REGIONS=%s: not START LAST TYPE in each line\n",
				   regions);
	if (regions_all && regions_parse(&all, regions_all))
		ksft_exit_fail_msg("IOMMU_TEST_REGIONS_ALL=%s: not START LAST TYPE in each line\n",
				   regions_all);
	has_iommu = *expect;

	return test_harness_run(argc, argv);
}
