// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files that show reserved regions: iommu_reserved_regions of a device and
 * reserved_regions of its group.
 *
 * IOMMU_TEST_DEVICE names a PCI or platform device. If it shares its group with
 * no other device, one that does is removed and added instead, as its group then
 * stays.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "../kselftest_harness.h"
#include "device.h"

#define SYSFS_GROUPS	"/sys/kernel/iommu_groups"
#define DEBUGFS		"/sys/kernel/debug"
#define PCI_BRIDGE	"0x06"

#define ROUNDS		24

/* Set once by main(). */
static struct device dev;
static char device_file[PATH_MAX / 2], group_file[PATH_MAX / 2];

/* What the two files say; a machine may reserve many regions. */
static char device_text[65536], group_text[65536];

static bool is_bridge(const char *name)
{
	char class[16];

	return sysfs_read(class, sizeof(class), "/sys/bus/pci/devices/%s/class",
			  name) < 0 ||
	       !strncmp(class, PCI_BRIDGE, strlen(PCI_BRIDGE));
}

/* Leaves a PCI device in @name that may go while its group stays. */
static bool find_in_group(const char *group, char name[DEVICE_NAME_SIZE])
{
	struct dirent *entry;
	char path[PATH_MAX];
	int members = 0;
	DIR *dir;

	snprintf(path, sizeof(path), SYSFS_GROUPS "/%s/devices", group);
	dir = opendir(path);
	if (!dir)
		return false;

	name[0] = '\0';
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		members++;
		if (!is_bridge(entry->d_name) &&
		    strlen(entry->d_name) < DEVICE_NAME_SIZE)
			strcpy(name, entry->d_name);
	}
	closedir(dir);
	return members > 1 && name[0];
}

static bool find_shared(char name[DEVICE_NAME_SIZE])
{
	struct dirent *entry;
	bool found = false;
	DIR *groups;

	groups = opendir(SYSFS_GROUPS);
	if (!groups)
		return false;
	while (!found && (entry = readdir(groups)))
		found = entry->d_name[0] != '.' &&
			find_in_group(entry->d_name, name);
	closedir(groups);
	return found;
}

/* From firmware tables, a device joins its group when a driver first probes. */
static void join_group(void)
{
	if (sysfs_exists("%s/iommu_group", dev.path))
		return;
	device_bind(&dev, device_vfio_driver(&dev));
	device_unbind(&dev);
}

/* "0x%016llx 0x%016llx TYPE\n" for each region, sorted by start */
static bool text_is_sound(const char *text)
{
	unsigned long long start, last, before = 0;
	char type[32], line[128];
	size_t len;

	for (; *text; text += len) {
		len = strcspn(text, "\n") + 1;
		if (len >= sizeof(line) || text[len - 1] != '\n' ||
		    sscanf(text, "0x%16llx 0x%16llx %31s", &start, &last,
			   type) != 3)
			return false;
		snprintf(line, sizeof(line), "0x%016llx 0x%016llx %s\n", start,
			 last, type);
		if (strncmp(text, line, len) || line[len])
			return false;
		if (last < start || start < before)
			return false;
		before = start;
	}
	return true;
}

FIXTURE(files) {
};

FIXTURE_SETUP(files)
{
	char group[NAME_MAX + 1];

	join_group();
	if (sysfs_link(group, sizeof(group), "%s/iommu_group", dev.path))
		SKIP(_exit(255), "%s is in no group", dev.name);
	if (!sysfs_exists("%s/iommu", dev.path))
		SKIP(_exit(255), "%s has no IOMMU", dev.name);

	snprintf(device_file, sizeof(device_file), "%s/iommu_reserved_regions",
		 dev.path);
	snprintf(group_file, sizeof(group_file),
		 SYSFS_GROUPS "/%s/reserved_regions", group);
	sysfs_read(device_text, sizeof(device_text), "%s", device_file);
	ASSERT_LE(0, sysfs_read(group_text, sizeof(group_text), "%s",
				group_file));
}

FIXTURE_TEARDOWN(files)
{
}

static void check_mode(struct __test_metadata *_metadata, const char *path)
{
	struct stat st;

	ASSERT_EQ(0, stat(path, &st))
		TH_LOG("%s: not a kernel with this series?", path);
	EXPECT_EQ((mode_t)(S_IFREG | 0444), st.st_mode);
	/* As an attribute has it: programs may size their buffer with it. */
	EXPECT_EQ(sysconf(_SC_PAGESIZE), st.st_size);
	EXPECT_EQ(-1, open(path, O_WRONLY));
	EXPECT_EQ(EACCES, errno);
}

TEST_F(files, mode)
{
	check_mode(_metadata, group_file);
	check_mode(_metadata, device_file);
}

TEST_F(files, format)
{
	EXPECT_TRUE(text_is_sound(device_text))
		TH_LOG("%s:\n%s", device_file, device_text);
	EXPECT_TRUE(text_is_sound(group_text))
		TH_LOG("%s:\n%s", group_file, group_text);
}

/* Bites of each size give the same text, as do reads at any place. */
static void check_bites(struct __test_metadata *_metadata, const char *path,
			const char *text)
{
	static const size_t sizes[] = { 1, 7, 4096, 65536 };
	size_t len = strlen(text), i, at;
	static char bite[65536];
	ssize_t ret;
	int fd;

	fd = open(path, O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_NE(0, (int)len);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ASSERT_EQ(0, lseek(fd, 0, SEEK_SET));
		for (at = 0; at < len; at += ret) {
			ret = read(fd, bite, sizes[i]);
			ASSERT_LT(0, ret);
			ASSERT_EQ(0, memcmp(bite, text + at, ret));
		}
		ASSERT_EQ(len, at);
		ASSERT_EQ(0, read(fd, bite, sizes[i]));
	}

	ASSERT_EQ(1, pread(fd, bite, 1, len - 1));
	EXPECT_EQ('\n', bite[0]);
	EXPECT_EQ(0, pread(fd, bite, 1, len));
	EXPECT_EQ(0, pread(fd, bite, 1, len + 4096));
	close(fd);

	/* A file that is not read from its start */
	fd = open(path, O_RDONLY);
	ASSERT_LE(0, fd);
	ret = pread(fd, bite, sizeof(bite), 1);
	ASSERT_LT(0, ret);
	EXPECT_EQ(0, memcmp(bite, text + 1, ret));
	close(fd);
}

TEST_F(files, bites)
{
	if (!group_text[0])
		SKIP(return, "the group of %s reserves nothing", dev.name);

	check_bites(_metadata, group_file, group_text);
	check_bites(_metadata, device_file, device_text);
}

/*
 * Let each allocation of a read fail once: the read fails, or the text is
 * complete. A region that is missing without a word looks like free space.
 */
static void check_short_memory(struct __test_metadata *_metadata,
			       const char *path, const char *want)
{
	static char text[65536];
	char left[16] = "";
	int fd, n, ret;

	fd = open("/proc/self/fail-nth", O_RDWR);
	ASSERT_LE(0, fd);
	for (n = 1; n < 10000; n++) {
		snprintf(left, sizeof(left), "%d", n);
		ASSERT_LT(0, pwrite(fd, left, strlen(left), 0));
		ret = sysfs_read(text, sizeof(text), "%s", path);
		ASSERT_LT(0, pread(fd, left, sizeof(left), 0));
		ASSERT_EQ(1, pwrite(fd, "0", 1, 0));

		if (ret >= 0) {
			EXPECT_STREQ(want, text)
				TH_LOG("%s without allocation %d", path, n);
		} else {
			EXPECT_EQ(-ENOMEM, ret);
		}
		if (atoi(left))
			break;
	}
	close(fd);
	EXPECT_LT(2, n)
		TH_LOG("no allocation of a read failed");
	EXPECT_GT(10000, n);
}

TEST_F_TIMEOUT(files, short_memory, 60)
{
	if (access("/proc/self/fail-nth", W_OK) ||
	    sysfs_write("N", DEBUGFS "/failslab/ignore-gfp-wait") ||
	    sysfs_write("0", DEBUGFS "/failslab/verbose") ||
	    sysfs_write("0", DEBUGFS "/fail_page_alloc/verbose"))
		SKIP(return, "this kernel does not fail allocations on demand");

	check_short_memory(_metadata, group_file, group_text);
	check_short_memory(_metadata, device_file, device_text);
}

/* Reads until it is killed; ends by itself only on what may not happen. */
static void __attribute__((noreturn)) read_forever(const char *path)
{
	static char text[65536];
	int ret;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		ret = sysfs_read(text, sizeof(text), "%s", path);
		if (ret == -ENOENT || ret == -ENODEV)
			continue;
		if (ret < 0 || !text_is_sound(text))
			_exit(1);
	}
}

static pid_t start_reader(struct __test_metadata *_metadata, const char *path)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		read_forever(path);
	return pid;
}

static void stop_reader(struct __test_metadata *_metadata, pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		TH_LOG("a reader got what it should not");
}

/* The device goes and comes back while its regions and the group's are read. */
TEST_F_TIMEOUT(files, removal, 90)
{
	char name[DEVICE_NAME_SIZE], group[NAME_MAX + 1];
	char again[NAME_MAX + 1];
	static char text[65536];
	pid_t readers[2];
	int i;

	if (find_shared(name))
		device_find(&dev, name);
	if (strcmp(dev.bus, "pci"))
		SKIP(return, "only a PCI device can be removed");

	ASSERT_EQ(0, sysfs_link(group, sizeof(group), "%s/iommu_group",
				dev.path));
	snprintf(device_file, sizeof(device_file), "%s/iommu_reserved_regions",
		 dev.path);
	snprintf(group_file, sizeof(group_file),
		 SYSFS_GROUPS "/%s/reserved_regions", group);
	sysfs_read(device_text, sizeof(device_text), "%s", device_file);
	ASSERT_LE(0, sysfs_read(group_text, sizeof(group_text), "%s",
				group_file));

	readers[0] = start_reader(_metadata, group_file);
	readers[1] = start_reader(_metadata, device_file);

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, sysfs_write("1", "%s/remove", dev.path));
		ASSERT_FALSE(sysfs_exists("%s", dev.path));
		ASSERT_EQ(0, sysfs_write("1", "/sys/bus/pci/rescan"));
		join_group();
	}

	stop_reader(_metadata, readers[0]);
	stop_reader(_metadata, readers[1]);

	/* The group of a device that is alone in it may have a new number. */
	ASSERT_EQ(0, sysfs_link(again, sizeof(again), "%s/iommu_group",
				dev.path));
	EXPECT_LE(0, sysfs_read(text, sizeof(text), "%s", device_file));
	EXPECT_STREQ(device_text, text);
	EXPECT_LE(0, sysfs_read(text, sizeof(text),
				SYSFS_GROUPS "/%s/reserved_regions", again));
	EXPECT_STREQ(group_text, text);
}

int main(int argc, char **argv)
{
	const char *name = getenv("IOMMU_TEST_DEVICE");

	if (!name || !*name)
		ksft_exit_skip("set IOMMU_TEST_DEVICE\n");
	if (device_find(&dev, name))
		ksft_exit_fail_msg("IOMMU_TEST_DEVICE=%s: no such device\n",
				   name);

	return test_harness_run(argc, argv);
}
