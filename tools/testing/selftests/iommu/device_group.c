// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which devices are in an IOMMU group, and when: from the moment they are added,
 * before and after any driver.
 *
 * IOMMU_TEST_DEVICE names a PCI or platform device; IOMMU_TEST_EXPECT is empty if
 * it has no IOMMU. IOMMU_TEST_MACHINE is set inside a machine of vmtest.sh, which
 * has an NVMe disk full of zeros.
 */
#define _GNU_SOURCE	/* O_DIRECT */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>

#include "../kselftest_harness.h"
#include "device.h"

#define PCI_DEVICES	"/sys/bus/pci/devices"
#define RNG		"/sys/class/misc/hw_random"
#define DISK		"/dev/nvme0n1"
#define DISK_BLOCK	4096
#define DISK_WAIT	20	/* seconds for a driver that waits for its IOMMU */

#define CLASS_IOMMU	0x0806	/* Base system peripheral, IOMMU */
#define VIRTIO_IOMMU	0x1af41057

#define MAX_PEERS	32

/* Set once by main(). */
static struct device dev;
static bool has_iommu;

typedef void device_fn(struct __test_metadata *_metadata, const char *name,
		       void *data);

/* Calls @fn for each entry of directory @path. */
static void visit_dir(struct __test_metadata *_metadata, const char *path,
		      device_fn *fn, void *data)
{
	struct dirent *entry;
	DIR *dir = opendir(path);

	ASSERT_NE(NULL, dir)
		TH_LOG("%s: %s", path, strerror(errno));
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			fn(_metadata, entry->d_name, data);
	}
	closedir(dir);
}

static bool in_group(void)
{
	return sysfs_exists("%s/iommu_group/devices/%s", dev.path, dev.name);
}

static unsigned long pci_number(const char *name, const char *file)
{
	char text[32];

	if (sysfs_read(text, sizeof(text), PCI_DEVICES "/%s/%s", name, file) < 0)
		return 0;
	return strtoul(text, NULL, 0);
}

/* An IOMMU that is a PCI function translates for others, not for itself. */
static bool is_iommu(const char *name)
{
	unsigned long id = pci_number(name, "vendor") << 16 |
			   pci_number(name, "device");

	return pci_number(name, "class") >> 8 == CLASS_IOMMU ||
	       id == VIRTIO_IOMMU;
}

struct peers {
	char name[MAX_PEERS][DEVICE_NAME_SIZE];
	size_t n;
};

static void add_peer(struct __test_metadata *_metadata, const char *name,
		     void *data)
{
	struct peers *peers = data;

	ASSERT_GT(ARRAY_SIZE(peers->name), peers->n);
	ASSERT_GT(sizeof(peers->name[0]), strlen(name));
	strcpy(peers->name[peers->n++], name);
}

static void get_peers(struct __test_metadata *_metadata, const char *path,
		      struct peers *peers)
{
	char devices[PATH_MAX + 32];

	peers->n = 0;
	snprintf(devices, sizeof(devices), "%s/iommu_group/devices", path);
	visit_dir(_metadata, devices, add_peer, peers);
}

static bool has_peer(const struct peers *peers, const char *name)
{
	size_t i;

	for (i = 0; i < peers->n; i++) {
		if (!strcmp(peers->name[i], name))
			return true;
	}
	return false;
}

FIXTURE(group) {
};

FIXTURE_SETUP(group)
{
	if (!has_iommu)
		SKIP(_exit(255), "%s is to have no IOMMU", dev.name);
}

FIXTURE_TEARDOWN(group)
{
}

TEST_F(group, without_driver)
{
	char driver[DEVICE_NAME_SIZE];

	device_driver(&dev, driver);
	if (driver[0])
		SKIP(return, "%s is bound to %s", dev.name, driver);

	EXPECT_TRUE(in_group());
	EXPECT_TRUE(sysfs_exists("%s/iommu", dev.path));
	EXPECT_TRUE(sysfs_exists("%s/iommu_caps", dev.path));
}

static void check_pci_device(struct __test_metadata *_metadata,
			     const char *name, void *data)
{
	int *n = data;

	if (is_iommu(name))
		return;
	(*n)++;
	EXPECT_TRUE(sysfs_exists(PCI_DEVICES "/%s/iommu_group", name))
		TH_LOG("%s is in no group", name);
	EXPECT_TRUE(sysfs_exists(PCI_DEVICES "/%s/iommu_caps", name))
		TH_LOG("%s has no capabilities", name);
}

/* The machines have one IOMMU for all of PCI, if any. */
TEST_F(group, every_pci_device)
{
	int n = 0;

	if (!getenv("IOMMU_TEST_MACHINE"))
		SKIP(return, "not in a machine of vmtest.sh");

	visit_dir(_metadata, PCI_DEVICES, check_pci_device, &n);
	EXPECT_LT(0, n);
}

TEST_F_TIMEOUT(group, rescan, 60)
{
	struct peers before, after;
	size_t i;
	int loop;

	if (strcmp(dev.bus, "pci"))
		SKIP(return, "only a PCI device can be removed");

	get_peers(_metadata, dev.path, &before);
	for (loop = 0; loop < 10; loop++) {
		ASSERT_EQ(0, sysfs_write("1", "%s/remove", dev.path));
		ASSERT_FALSE(sysfs_exists("%s", dev.path));
		ASSERT_EQ(0, sysfs_write("1", "/sys/bus/pci/rescan"));
		ASSERT_TRUE(in_group());

		get_peers(_metadata, dev.path, &after);
		EXPECT_EQ(before.n, after.n);
		for (i = 0; i < before.n; i++) {
			EXPECT_TRUE(has_peer(&after, before.name[i]))
				TH_LOG("%s is not in the group any more",
				       before.name[i]);
		}
	}
}

/* VFIO does not take every device, but whoever binds asks for the IOMMU. */
TEST_F_TIMEOUT(group, bind_loop, 60)
{
	bool pci = !strcmp(dev.bus, "pci");
	const char *driver = pci ? "pci-stub" : device_vfio_driver(&dev);
	char before[NAME_MAX + 1], after[NAME_MAX + 1], type[32];
	int loop, ret;

	ASSERT_EQ(0, sysfs_link(before, sizeof(before), "%s/iommu_group",
				dev.path));
	for (loop = 0; loop < 10; loop++) {
		ret = device_bind(&dev, driver);
		EXPECT_TRUE(!pci || !ret)
			TH_LOG("%s: %s", driver, strerror(-ret));

		/* The default domain is there at the latest now. */
		ASSERT_LT(0, sysfs_read(type, sizeof(type),
					"%s/iommu_group/type", dev.path));
		EXPECT_STRNE("unknown\n", type);

		ASSERT_EQ(0, device_unbind(&dev));
		ASSERT_TRUE(in_group());
		ASSERT_EQ(0, sysfs_link(after, sizeof(after), "%s/iommu_group",
					dev.path));
		EXPECT_STREQ(before, after);
	}
}

FIXTURE(machine) {
};

FIXTURE_SETUP(machine)
{
	if (!getenv("IOMMU_TEST_MACHINE"))
		SKIP(_exit(255), "not in a machine of vmtest.sh");
}

FIXTURE_TEARDOWN(machine)
{
}

/* A driver that had to wait for its IOMMU works when that is there. */
TEST_F_TIMEOUT(machine, disk, DISK_WAIT + 40)
{
	static const char zeros[DISK_BLOCK];
	int fd = -1, i;
	void *buf;

	for (i = 0; fd < 0 && i < DISK_WAIT * 10; i++) {
		fd = open(DISK, O_RDONLY | O_DIRECT);
		if (fd < 0)
			usleep(100000);
	}
	ASSERT_LE(0, fd)
		TH_LOG(DISK ": %s", strerror(errno));

	ASSERT_EQ(0, posix_memalign(&buf, DISK_BLOCK, DISK_BLOCK));
	memset(buf, 0xff, DISK_BLOCK);
	ASSERT_EQ(DISK_BLOCK, read(fd, buf, DISK_BLOCK));
	EXPECT_EQ(0, memcmp(buf, zeros, DISK_BLOCK));
	free(buf);
	close(fd);
}

static bool is_virtio(const char *name)
{
	char driver[DEVICE_NAME_SIZE];

	return !sysfs_link(driver, sizeof(driver), PCI_DEVICES "/%s/driver",
			   name) && !strcmp(driver, "virtio-pci");
}

/* Leaves in @data the name of a device that shares its group with another. */
static void find_shared(struct __test_metadata *_metadata, const char *name,
			void *data)
{
	char path[PATH_MAX], *shared = data;
	struct peers peers;
	size_t i;

	if (shared[0] || !is_virtio(name) ||
	    !sysfs_exists(PCI_DEVICES "/%s/iommu_group", name))
		return;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s", name);
	get_peers(_metadata, path, &peers);
	for (i = 0; i < peers.n; i++) {
		if (strcmp(peers.name[i], name) && is_virtio(peers.name[i]))
			strcpy(shared, name);
	}
}

/* Every random number generator that is left does DMA. */
static void read_generators(struct __test_metadata *_metadata)
{
	char names[256], current[64], buf[256], *name;
	int fd;

	ASSERT_LT(0, sysfs_read(names, sizeof(names), RNG "/rng_available"));
	for (name = strtok(names, "\n "); name; name = strtok(NULL, "\n ")) {
		ASSERT_EQ(0, sysfs_write(name, RNG "/rng_current"));
		ASSERT_LT(0, sysfs_read(current, sizeof(current),
					RNG "/rng_current"));
		current[strcspn(current, "\n")] = '\0';
		ASSERT_STREQ(name, current);

		fd = open("/dev/hwrng", O_RDONLY);
		ASSERT_LE(0, fd);
		ASSERT_EQ((ssize_t)sizeof(buf), read(fd, buf, sizeof(buf)))
			TH_LOG("%s", name);
		close(fd);
	}
}

/* Behind a bridge the others have the same ID, and still need it. */
TEST(shared_id)
{
	char name[DEVICE_NAME_SIZE] = "";

	visit_dir(_metadata, PCI_DEVICES, find_shared, name);
	if (!name[0])
		SKIP(return, "no two virtio devices share a group");

	read_generators(_metadata);
	ASSERT_EQ(0, sysfs_write("1", PCI_DEVICES "/%s/remove", name));
	read_generators(_metadata);
	ASSERT_EQ(0, sysfs_write("1", "/sys/bus/pci/rescan"));
	ASSERT_TRUE(is_virtio(name));
	read_generators(_metadata);
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
	has_iommu = *expect;

	return test_harness_run(argc, argv);
}
