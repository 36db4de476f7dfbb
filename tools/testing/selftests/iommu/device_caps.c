// SPDX-License-Identifier: GPL-2.0-only
/*
 * What iommu_caps/ in a device's directory tells userspace.
 *
 * IOMMU_TEST_DEVICE names a PCI or platform device, IOMMU_TEST_EXPECT holds the
 * value of each of its capabilities ("cache_coherency=1 noexec=0 ..."), and is
 * empty for a device that has no IOMMU.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "../kselftest_harness.h"
#include "device.h"

#define SYSFS_GROUPS	"/sys/kernel/iommu_groups"

#define PCI_CFG_SIZE		256
#define PCI_CFG_CAP_PTR		0x34
#define PCI_CAP_EXPRESS		0x10
#define PCIE_TYPE_PCI_BRIDGE	7

static const char * const caps[] = {
	"cache_coherency",
	"enforce_cache_coherency",
	"interrupt_isolation",
	"noexec",
	"pre_boot_protection",
};

/* Set once by main(). */
static struct device dev;
static bool has_iommu;
static char expected[ARRAY_SIZE(caps)];	/* '0' or '1' */

static int open_cap(size_t i, int flags)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/iommu_caps/%s", dev.path, caps[i]);
	fd = open(path, flags);
	return fd < 0 ? -errno : fd;
}

static bool has_caps(const char *path)
{
	return sysfs_exists("%s/iommu_caps", path);
}

static bool is_cap(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(caps); i++) {
		if (!strcmp(name, caps[i]))
			return true;
	}
	return false;
}

/* Is each file exactly "0\n" or "1\n", whichever it should be? */
static void check_values(struct __test_metadata *_metadata)
{
	char text[16];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(caps); i++) {
		ASSERT_EQ(2, sysfs_read(text, sizeof(text), "%s/iommu_caps/%s",
					dev.path, caps[i]));
		EXPECT_EQ('\n', text[1]);
		EXPECT_EQ(expected[i], text[0])
			TH_LOG("%s is %c, not %c", caps[i], text[0],
			       expected[i]);
	}
}

FIXTURE(caps) {
};

FIXTURE_SETUP(caps)
{
	if (!has_iommu)
		SKIP(_exit(255), "%s is to have no capabilities", dev.name);

	ASSERT_TRUE(has_caps(dev.path))
		TH_LOG("%s has no iommu_caps: not a kernel with this series?",
		       dev.name);
}

FIXTURE_TEARDOWN(caps)
{
}

TEST_F(caps, files)
{
	struct dirent *entry;
	char path[PATH_MAX];
	struct stat st;
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/iommu_caps", dev.path);
	dir = opendir(path);
	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		n++;
		EXPECT_TRUE(is_cap(entry->d_name))
			TH_LOG("unknown file %s", entry->d_name);
		ASSERT_EQ(0, fstatat(dirfd(dir), entry->d_name, &st,
				     AT_SYMLINK_NOFOLLOW));
		EXPECT_EQ((mode_t)(S_IFREG | 0444), st.st_mode)
			TH_LOG("mode of %s", entry->d_name);
	}
	EXPECT_EQ(ARRAY_SIZE(caps), n);
	closedir(dir);
}

TEST_F(caps, values)
{
	check_values(_metadata);
}

TEST_F(caps, partial_reads)
{
	char c;
	int fd;

	fd = open_cap(0, O_RDONLY);
	ASSERT_LE(0, fd);

	ASSERT_EQ(1, read(fd, &c, 1));
	EXPECT_EQ(expected[0], c);
	ASSERT_EQ(1, read(fd, &c, 1));
	EXPECT_EQ('\n', c);
	EXPECT_EQ(0, read(fd, &c, 1));

	ASSERT_EQ(1, pread(fd, &c, 1, 1));
	EXPECT_EQ('\n', c);
	ASSERT_EQ(1, pread(fd, &c, 1, 0));
	EXPECT_EQ(expected[0], c);
	EXPECT_EQ(0, pread(fd, &c, 1, 2));
	EXPECT_EQ(0, pread(fd, &c, 1, 4096));
	close(fd);
}

TEST_F(caps, no_writes)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(caps); i++) {
		EXPECT_EQ(-EACCES, open_cap(i, O_WRONLY));
		EXPECT_EQ(-EACCES, open_cap(i, O_RDWR));
	}
}

TEST(no_iommu)
{
	if (has_iommu)
		SKIP(return, "%s is to have capabilities", dev.name);

	EXPECT_FALSE(has_caps(dev.path));
	EXPECT_FALSE(sysfs_exists("%s/iommu", dev.path));
	EXPECT_FALSE(sysfs_exists("%s/iommu_group", dev.path));
}

/* The "iommu" link leads to the instance; a no-iommu group has none. */
static void check_presence(struct __test_metadata *_metadata, const char *path,
			   int *n)
{
	bool behind_iommu = sysfs_exists("%s/iommu", path) &&
			    sysfs_exists("%s/iommu_group", path);
	char text[16];
	size_t i;

	EXPECT_EQ(behind_iommu, has_caps(path))
		TH_LOG("%s", path);
	if (!has_caps(path))
		return;

	(*n)++;
	for (i = 0; i < ARRAY_SIZE(caps); i++) {
		ASSERT_EQ(2, sysfs_read(text, sizeof(text), "%s/iommu_caps/%s",
					path, caps[i]));
		EXPECT_TRUE(!strcmp(text, "0\n") || !strcmp(text, "1\n"))
			TH_LOG("%s of %s", caps[i], path);
	}
}

TEST(all_devices)
{
	int n = 0;

	ASSERT_EQ(0, visit_devices(_metadata, check_presence, &n));
	EXPECT_TRUE(n || !has_iommu)
		TH_LOG("no device has capabilities");
}

/* The PCI Express type of a function, -1 if it is not an Express one. */
static int pcie_type(const char *path)
{
	unsigned char cfg[PCI_CFG_SIZE + 1];
	int len, pos, ttl = 48;

	len = sysfs_read((char *)cfg, sizeof(cfg), "%s/config", path);
	if (len < PCI_CFG_SIZE)
		return -1;
	for (pos = cfg[PCI_CFG_CAP_PTR]; pos && ttl--; pos = cfg[pos + 1]) {
		if (pos > PCI_CFG_SIZE - 4)
			return -1;
		if (cfg[pos] == PCI_CAP_EXPRESS)
			return cfg[pos + 2] >> 4;
	}
	return -1;
}

/* What is behind a PCIe-to-PCI bridge cannot be told apart by the IOMMU. */
static void check_bridge(struct __test_metadata *_metadata, const char *path,
			 int *n)
{
	char bridge[NAME_MAX + 1], group[NAME_MAX + 1], parent[PATH_MAX];

	snprintf(parent, sizeof(parent), "%s/..", path);
	if (!sysfs_exists("%s/config", path) ||
	    pcie_type(parent) != PCIE_TYPE_PCI_BRIDGE)
		return;
	if (!has_caps(path) && !has_caps(parent))
		return;

	(*n)++;
	ASSERT_EQ(0, sysfs_link(group, sizeof(group), "%s/iommu_group", path));
	ASSERT_EQ(0, sysfs_link(bridge, sizeof(bridge), "%s/iommu_group",
				parent));
	EXPECT_STREQ(bridge, group)
		TH_LOG("%s is not in the group of its bridge", path);
}

TEST(behind_bridge)
{
	int n = 0;

	ASSERT_EQ(0, visit_devices(_metadata, check_bridge, &n));
	if (!n)
		SKIP(return, "no device is behind a PCIe-to-PCI bridge");
}

FIXTURE(removal) {
};

FIXTURE_SETUP(removal)
{
	if (!has_iommu)
		SKIP(_exit(255), "%s is to have no capabilities", dev.name);
	if (strcmp(dev.bus, "pci"))
		SKIP(_exit(255), "only a PCI device can be removed");

	ASSERT_TRUE(has_caps(dev.path));
}

FIXTURE_TEARDOWN(removal)
{
}

static void add_again(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, sysfs_write("1", "/sys/bus/pci/rescan"));
	ASSERT_TRUE(sysfs_exists("%s", dev.path));
	check_values(_metadata);
}

static void remove_device(struct __test_metadata *_metadata)
{
	ASSERT_EQ(0, sysfs_write("1", "%s/remove", dev.path));
	EXPECT_FALSE(sysfs_exists("%s", dev.path));
}

TEST_F(removal, open_file)
{
	int started[ARRAY_SIZE(caps)], fresh[ARRAY_SIZE(caps)];
	ssize_t len;
	size_t i;
	char c;

	for (i = 0; i < ARRAY_SIZE(caps); i++) {
		started[i] = open_cap(i, O_RDONLY);
		ASSERT_LE(0, started[i]);
		ASSERT_EQ(1, read(started[i], &c, 1));
		fresh[i] = open_cap(i, O_RDONLY);
		ASSERT_LE(0, fresh[i]);
	}

	remove_device(_metadata);
	for (i = 0; i < ARRAY_SIZE(caps); i++) {
		/* The rest of a text that was read before may still come. */
		len = read(started[i], &c, 1);
		EXPECT_TRUE((len == 1 && c == '\n') ||
			    (len == -1 && errno == ENODEV));
		EXPECT_EQ(-1, read(fresh[i], &c, 1));
		EXPECT_EQ(ENODEV, errno);
	}
	add_again(_metadata);

	/* These are the files of the device that went. */
	for (i = 0; i < ARRAY_SIZE(caps); i++) {
		EXPECT_EQ(-1, pread(fresh[i], &c, 1, 0));
		EXPECT_EQ(ENODEV, errno);
		close(started[i]);
		close(fresh[i]);
	}
}

/* Reads until it is killed; ends by itself only on what may not happen. */
static void __attribute__((noreturn)) read_forever(void)
{
	char text[16];
	size_t i;
	int ret;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (i = 0;; i = (i + 1) % ARRAY_SIZE(caps)) {
		ret = sysfs_read(text, sizeof(text), "%s/iommu_caps/%s",
				 dev.path, caps[i]);
		if (ret == -ENOENT || ret == -ENODEV)
			continue;
		if (ret != 2 || text[0] != expected[i] || text[1] != '\n')
			_exit(1);
	}
}

TEST_F_TIMEOUT(removal, race, 60)
{
	int i, status;
	pid_t reader;

	reader = fork();
	ASSERT_LE(0, reader);
	if (!reader)
		read_forever();

	for (i = 0; i < 10; i++) {
		remove_device(_metadata);
		add_again(_metadata);
	}

	kill(reader, SIGKILL);
	ASSERT_EQ(reader, waitpid(reader, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		TH_LOG("a reader got what it should not");
}

/* Fills expected[] from "name=value ..."; false if that is not complete. */
static bool parse_expected(const char *text)
{
	char *copy = strdup(text), *word;
	size_t i, n = 0;
	char value;
	int end;

	if (!copy)
		return false;
	for (word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
		for (i = 0; i < ARRAY_SIZE(caps); i++) {
			end = strlen(caps[i]);
			if (!strncmp(word, caps[i], end) && word[end] == '=')
				break;
		}
		if (i == ARRAY_SIZE(caps) || expected[i])
			break;
		value = word[end + 1];
		if ((value != '0' && value != '1') || word[end + 2])
			break;
		expected[i] = value;
		n++;
	}
	has_iommu = n;
	free(copy);
	return !word && (!n || n == ARRAY_SIZE(caps));
}

int main(int argc, char **argv)
{
	const char *name = getenv("IOMMU_TEST_DEVICE");
	const char *expect = getenv("IOMMU_TEST_EXPECT");

	if (!name || !*name || !expect)
		ksft_exit_skip("set IOMMU_TEST_DEVICE and IOMMU_TEST_EXPECT\n");
	if (device_find(&dev, name))
		ksft_exit_fail_msg("IOMMU_TEST_DEVICE=%s: no such device\n",
				   name);
	if (!parse_expected(expect))
		ksft_exit_fail_msg("IOMMU_TEST_EXPECT=%s: not NAME=0 or NAME=1 for each\n",
				   expect);

	return test_harness_run(argc, argv);
}
