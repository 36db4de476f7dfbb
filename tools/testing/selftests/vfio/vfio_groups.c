// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which device stands for a group when VFIO allocates a domain, and what becomes
 * of the other group of a container when that device is unplugged.
 *
 * The first group is that of a virtio device, the second that of the device under
 * test. Both get the domain that was allocated for the virtio device.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "edu.h"
#include "vfio_lib.h"
#include "vfio_test.h"

#define TRACING		"/sys/kernel/debug/tracing"
#define EVENTS		TRACING "/events/vfio_groups"
#define PCI_DRIVERS	"/sys/bus/pci/drivers"
#define OTHER_DRIVER	"virtio-pci"
#define COPY_SIZE	1024u

static struct device other;

/*
 * A device alone in another group. Not one of a driver whose probe goes on after
 * it is bound, as that of nvme does: it would be unbound meanwhile.
 */
static void find_other(void)
{
	char group[16], other_group[16];
	struct dirent *entry;
	DIR *dir;

	dir = opendir(PCI_DRIVERS "/" OTHER_DRIVER);
	while (dir && (entry = readdir(dir))) {
		if (!strchr(entry->d_name, ':') ||
		    device_find(&other, entry->d_name))
			continue;
		if (sysfs_link(other_group, sizeof(other_group),
			       "%s/iommu_group", other.path))
			continue;
		if (device_alone(&other) &&
		    (sysfs_link(group, sizeof(group), "%s/iommu_group",
				test_dev.path) ||
		     strcmp(group, other_group)))
			break;
	}
	if (!dir || !entry)
		ksft_exit_skip("no virtio device behind the IOMMU in a group of its own\n");
	closedir(dir);
}

static void remove_probes(void)
{
	sysfs_write("0", EVENTS "/enable");
	sysfs_write("-:vfio_groups/alloc\n", TRACING "/kprobe_events");
	sysfs_write("-:vfio_groups/free\n", TRACING "/kprobe_events");
}

/* The name of a device is what its first pointer points to. */
#define ALLOC_PROBE \
	"p:vfio_groups/alloc iommu_paging_domain_alloc" \
	" name=+0(+0($arg1)):string\n"
#define FREE_PROBE	"p:vfio_groups/free iommu_domain_free\n"

static int add_probes(void)
{
	int ret;

	remove_probes();
	ret = sysfs_write(ALLOC_PROBE, TRACING "/kprobe_events");
	if (!ret)
		ret = sysfs_write(FREE_PROBE, TRACING "/kprobe_events");
	return ret ?: sysfs_write("1", EVENTS "/enable");
}

/* Lines of the trace that have @text, since clear_trace(). */
static int traced(const char *text)
{
	char line[512];
	FILE *trace;
	int n = 0;

	trace = fopen(TRACING "/trace", "r");
	if (!trace)
		return -errno;
	while (fgets(line, sizeof(line), trace))
		n += line[0] != '#' && strstr(line, text);
	fclose(trace);
	return n;
}

static int clear_trace(void)
{
	int fd = open(TRACING "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* A group for a container that has one already. */
static int join(struct vfio *v, int container, const struct device *dev)
{
	v->device = -1;
	v->container = dup(container);
	v->group = vfio_open_group(dev);
	if (v->group < 0)
		return v->group;
	if (ioctl(v->group, VFIO_GROUP_SET_CONTAINER, &container))
		return -errno;
	return vfio_open_device(v, dev);
}

static void restore_other(void)
{
	if (!sysfs_exists("%s", other.path))
		sysfs_write("1", "/sys/bus/pci/rescan");
	device_bind(&other, OTHER_DRIVER);
	remove_probes();
}

FIXTURE(group) {
};

FIXTURE_SETUP(group)
{
	ASSERT_EQ(0, test_bind());
}

FIXTURE_TEARDOWN(group)
{
	remove_probes();
	test_reset();
}

/* Not the bridge, nor a device that nobody has bound. */
TEST_F(group, allocates_for_held_device)
{
	char name[DEVICE_NAME_SIZE + 16];
	struct vfio v;

	if (add_probes())
		SKIP(return, "no kprobe on iommu_paging_domain_alloc");
	ASSERT_EQ(0, clear_trace());
	ASSERT_EQ(0, vfio_open_all(&v, &test_dev));
	vfio_close(&v);

	snprintf(name, sizeof(name), "name=\"%s\"", test_dev.name);
	EXPECT_LT(0, traced(name));
	EXPECT_EQ(traced(name), traced("name="));
}

/* The file of the group is open, but its device has gone to somebody else. */
TEST_F(group, nothing_held)
{
	int container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	int group = vfio_open_group(&test_dev);

	ASSERT_LE(0, container);
	ASSERT_LE(0, group);
	ASSERT_EQ(0, device_unbind(&test_dev));
	ASSERT_EQ(0, ioctl(group, VFIO_GROUP_SET_CONTAINER, &container));
	EXPECT_EQ(-1, ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(ENODEV, errno);
	close(group);
	close(container);
}

FIXTURE(unplug) {
	struct vfio first;
	struct vfio second;
	struct edu edu;
	unsigned char *mem;
};

FIXTURE_SETUP(unplug)
{
	ASSERT_EQ(0, test_bind());
	ASSERT_EQ(0, device_bind(&other, device_vfio_driver(&other)));
	/* The other device may need it where the device under test does not. */
	ASSERT_EQ(0, sysfs_write("Y", VFIO_UNSAFE_INTR_PARAM));
	self->mem = test_alloc(SZ_4K, 0);
	ASSERT_NE(MAP_FAILED, self->mem);

	ASSERT_EQ(0, vfio_open_all(&self->first, &other));
	ASSERT_EQ(0, join(&self->second, self->first.container, &test_dev));
	if (edu_matches(&test_dev))
		ASSERT_EQ(0, edu_open(&self->edu, self->second.device));
}

FIXTURE_TEARDOWN(unplug)
{
	if (edu_matches(&test_dev))
		edu_close(&self->edu);
	vfio_close(&self->second);
	vfio_close(&self->first);
	munmap(self->mem, SZ_4K);
	restore_other();
	test_reset();
}

/* Map a page, let the second group's device copy in it, unmap. */
static int use_second(struct vfio *v, struct edu *edu, unsigned char *mem)
{
	static unsigned char value;
	int ret;

	memset(mem, ++value, COPY_SIZE);
	memset(mem + COPY_SIZE, 0, COPY_SIZE);
	ret = vfio_map(v, TEST_IOVA, mem, SZ_4K, VFIO_RW);
	if (ret)
		return ret;
	if (edu_matches(&test_dev)) {
		ret = edu_load(edu, TEST_IOVA, COPY_SIZE);
		if (!ret)
			ret = edu_store(edu, TEST_IOVA + COPY_SIZE, COPY_SIZE);
		if (!ret && memcmp(mem, mem + COPY_SIZE, COPY_SIZE))
			ret = -EIO;
	}
	if (vfio_unmap(v, TEST_IOVA, SZ_4K) != (long long)SZ_4K)
		return -EINVAL;
	return ret;
}

#define USE_SECOND() use_second(&self->second, &self->edu, self->mem)

TEST_F(unplug, shares_domain)
{
	vfio_close(&self->first);
	edu_close(&self->edu);
	vfio_close(&self->second);

	if (add_probes())
		SKIP(return, "no kprobe on iommu_paging_domain_alloc");
	ASSERT_EQ(0, clear_trace());
	ASSERT_EQ(0, vfio_open_all(&self->first, &other));
	ASSERT_EQ(0, traced(" free:"));
	ASSERT_EQ(0, join(&self->second, self->first.container, &test_dev));
	/* What was tried for the second group is not needed */
	EXPECT_EQ(2, traced(" alloc:"));
	EXPECT_EQ(1, traced(" free:"));
}

TEST_F_TIMEOUT(unplug, released, 60)
{
	ASSERT_EQ(0, USE_SECOND());
	vfio_close(&self->first);
	ASSERT_EQ(0, USE_SECOND());

	ASSERT_EQ(0, sysfs_write("1", "%s/remove", other.path));
	ASSERT_FALSE(sysfs_exists("%s", other.path));
	EXPECT_EQ(0, USE_SECOND());

	/* And back into the same container. */
	ASSERT_EQ(0, sysfs_write("1", "/sys/bus/pci/rescan"));
	ASSERT_EQ(0, device_bind(&other, device_vfio_driver(&other)));
	ASSERT_EQ(0, join(&self->first, self->second.container, &other));
	EXPECT_EQ(0, USE_SECOND());
}

/* What is mapped stays so, and counts once, whoever joins or leaves. */
TEST_F_TIMEOUT(unplug, mapped_before, 60)
{
	struct vfio *v = &self->second;
	unsigned char *mem = self->mem;
	struct edu *edu = &self->edu;
	bool has_edu = edu_matches(&test_dev);
	long before;

	if (has_edu)
		edu_close(edu);
	vfio_close(v);
	before = test_locked_kb();
	ASSERT_EQ(0, vfio_map(&self->first, TEST_IOVA, mem, SZ_4K, VFIO_RW));
	ASSERT_EQ(0, join(v, self->first.container, &test_dev));
	if (has_edu) {
		ASSERT_EQ(0, edu_open(edu, v->device));
		EXPECT_TRUE(edu_copies(edu, TEST_IOVA, mem, COPY_SIZE));
	}
	EXPECT_EQ(before + 4, test_locked_kb());

	vfio_close(&self->first);
	EXPECT_EQ(before + 4, test_locked_kb());
	if (has_edu)
		EXPECT_TRUE(edu_copies(edu, TEST_IOVA, mem, COPY_SIZE));

	ASSERT_EQ(0, join(&self->first, v->container, &other));
	EXPECT_EQ(before + 4, test_locked_kb());
	vfio_close(&self->first);
	if (has_edu)
		EXPECT_TRUE(edu_copies(edu, TEST_IOVA, mem, COPY_SIZE));
	EXPECT_EQ((long long)SZ_4K, vfio_unmap(v, TEST_IOVA, SZ_4K));
	EXPECT_EQ(before, test_locked_kb());
}

/* The removal waits until VFIO gives the device back. */
TEST_F_TIMEOUT(unplug, in_use, 60)
{
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		vfio_close(&self->first);
		vfio_close(&self->second);
		_exit(sysfs_write("1", "%s/remove", other.path) ? 1 : 0);
	}
	usleep(300000);
	ASSERT_EQ(0, waitpid(pid, &status, WNOHANG));
	EXPECT_EQ(0, USE_SECOND());

	vfio_close(&self->first);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_FALSE(sysfs_exists("%s", other.path));
	EXPECT_EQ(0, USE_SECOND());
}

int main(int argc, char **argv)
{
	test_init_type1();
	find_other();
	atexit(restore_other);
	return test_harness_run(argc, argv);
}
