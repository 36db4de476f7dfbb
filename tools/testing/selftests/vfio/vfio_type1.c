// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls of a container with a type1 IOMMU: in which order they work, which
 * mappings they take and which they refuse, and what that leaves pinned.
 */
#include <fcntl.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>

#include "../kselftest_harness.h"
#include "vfio_lib.h"
#include "vfio_test.h"

#define MAX_RANGES	256

#define FAIL_NTH	"/proc/self/fail-nth"
#define FAILSLAB	"/sys/kernel/debug/failslab"

FIXTURE(container) {
	struct vfio vfio;
	void *mem;
};

FIXTURE_SETUP(container)
{
	ASSERT_EQ(0, test_bind());
	self->mem = test_alloc(2 * SZ_4K, 0);
	ASSERT_NE(MAP_FAILED, self->mem);
	ASSERT_EQ(0, vfio_open_all(&self->vfio, &test_dev));
}

FIXTURE_TEARDOWN(container)
{
	vfio_close(&self->vfio);
	munmap(self->mem, 2 * SZ_4K);
	test_reset();
}

TEST_F(container, order)
{
	struct vfio *v = &self->vfio, other;

	EXPECT_EQ(-EBUSY, vfio_open_group(&test_dev));
	EXPECT_EQ(-EINVAL, vfio_set_iommu(v, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(-1, ioctl(v->group, VFIO_GROUP_SET_CONTAINER, &v->container));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(v->group, VFIO_GROUP_UNSET_CONTAINER));
	EXPECT_EQ(EBUSY, errno);

	/* A container takes an IOMMU with its first group, not before. */
	other.container = open("/dev/vfio/vfio", O_RDWR);
	ASSERT_LE(0, other.container);
	EXPECT_EQ(-EINVAL, vfio_set_iommu(&other, VFIO_TYPE1v2_IOMMU));
	close(other.container);

	vfio_close(v);
	ASSERT_EQ(0, vfio_open(&other, &test_dev));
	EXPECT_EQ(-EINVAL, vfio_open_device(&other, &test_dev));
	EXPECT_EQ(0, vfio_set_iommu(&other, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(0, ioctl(other.group, VFIO_GROUP_UNSET_CONTAINER));
	EXPECT_EQ(0, ioctl(other.group, VFIO_GROUP_SET_CONTAINER,
			   &other.container));
	EXPECT_EQ(0, vfio_set_iommu(&other, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(0, vfio_open_device(&other, &test_dev));
	vfio_close(&other);
}

TEST_F(container, map_arguments)
{
	static const struct {
		__u64 iova;
		__u64 size;
		__u32 flags;
		int ret;
	} maps[] = {
		{ TEST_IOVA, 0, VFIO_RW, -EINVAL },
		{ TEST_IOVA, SZ_4K - 1, VFIO_RW, -EINVAL },
		{ TEST_IOVA + 1, SZ_4K, VFIO_RW, -EINVAL },
		{ TEST_IOVA, SZ_4K, 0, -EINVAL },
		{ TEST_IOVA, SZ_4K, VFIO_RW | 1u << 31, -EINVAL },
		{ -SZ_4K, 2 * SZ_4K, VFIO_RW, -EINVAL },
		{ TEST_IOVA, SZ_4K, VFIO_RW, 0 },
		{ TEST_IOVA, SZ_4K, VFIO_RW, -EEXIST },
		{ TEST_IOVA - SZ_4K, 2 * SZ_4K, VFIO_RW, -EEXIST },
	};
	struct vfio *v = &self->vfio;
	long locked = test_locked_kb();
	size_t i;

	ASSERT_LE(0, locked);
	for (i = 0; i < ARRAY_SIZE(maps); i++) {
		EXPECT_EQ(maps[i].ret, vfio_map(v, maps[i].iova, self->mem,
						maps[i].size, maps[i].flags))
			TH_LOG("map %zu", i);
	}
	EXPECT_EQ(locked + 4, test_locked_kb());

	/* What has no memory behind it leaves no trace. */
	ASSERT_EQ(0, munmap(self->mem + SZ_4K, SZ_4K));
	EXPECT_EQ(-EFAULT, vfio_map(v, TEST_IOVA + SZ_4K, self->mem, 2 * SZ_4K,
				    VFIO_RW));
	EXPECT_EQ(locked + 4, test_locked_kb());
	EXPECT_EQ(0, vfio_map(v, TEST_IOVA + SZ_4K, self->mem, SZ_4K, VFIO_RW));
}

TEST_F(container, unmap_arguments)
{
	struct vfio *v = &self->vfio;
	long locked = test_locked_kb();

	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, self->mem, 2 * SZ_4K, VFIO_RW));
	ASSERT_EQ(0, vfio_map(v, TEST_IOVA + 4 * SZ_4K, self->mem, SZ_4K,
			      VFIO_RW));
	EXPECT_EQ(locked + 12, test_locked_kb());

	EXPECT_EQ(-EINVAL, vfio_unmap(v, TEST_IOVA, 0));
	EXPECT_EQ(-EINVAL, vfio_unmap(v, TEST_IOVA + 1, SZ_4K));
	EXPECT_EQ(-EINVAL, vfio_unmap(v, TEST_IOVA, SZ_4K));
	EXPECT_EQ(-EINVAL, vfio_unmap(v, TEST_IOVA + SZ_4K, SZ_4K));
	EXPECT_EQ(0, vfio_unmap(v, TEST_IOVA + 2 * SZ_4K, SZ_4K));
	EXPECT_EQ(locked + 12, test_locked_kb());

	EXPECT_EQ(3 * (long long)SZ_4K, vfio_unmap(v, TEST_IOVA, 8 * SZ_4K));
	EXPECT_EQ(0, vfio_unmap(v, TEST_IOVA, 8 * SZ_4K));
	EXPECT_EQ(locked, test_locked_kb());
}

/* Reserved regions are the holes between the ranges that VFIO calls valid. */
TEST_F(container, iova_ranges)
{
	struct vfio_iova_range ranges[MAX_RANGES];
	struct vfio *v = &self->vfio;
	long locked = test_locked_kb();
	__u64 first, last;
	int i, n;

	n = vfio_iova_ranges(v, ranges, MAX_RANGES);
	ASSERT_LT(0, n);
	for (i = 0; i < n; i++) {
		first = ranges[i].start;
		last = ranges[i].end;
		ASSERT_LT(first, last);
		ASSERT_TRUE(!i || ranges[i - 1].end < first);

		EXPECT_EQ(0, vfio_map(v, first, self->mem, SZ_4K, VFIO_RW));
		EXPECT_EQ((long long)SZ_4K, vfio_unmap(v, first, SZ_4K));
		if (first) {
			EXPECT_EQ(-EINVAL, vfio_map(v, first - SZ_4K, self->mem,
						    SZ_4K, VFIO_RW));
			EXPECT_EQ(-EINVAL, vfio_map(v, first - SZ_4K, self->mem,
						    2 * SZ_4K, VFIO_RW));
		}
		/* The top of the address space is a matter of its own. */
		if (last == ~0ull)
			continue;
		EXPECT_EQ(0, vfio_map(v, last + 1 - SZ_4K, self->mem, SZ_4K,
				      VFIO_RW));
		EXPECT_EQ((long long)SZ_4K,
			  vfio_unmap(v, last + 1 - SZ_4K, SZ_4K));
		EXPECT_EQ(-EINVAL, vfio_map(v, last + 1, self->mem, SZ_4K,
					    VFIO_RW));
		EXPECT_EQ(-EINVAL, vfio_map(v, last + 1 - SZ_4K, self->mem,
					    2 * SZ_4K, VFIO_RW));
	}
	EXPECT_EQ(locked, test_locked_kb());
}

TEST_F(container, reserved_regions)
{
	char text[8192], type[32], *line;
	unsigned long long start, end;
	int fields, n = 0;

	ASSERT_LE(0, sysfs_read(text, sizeof(text),
				"%s/iommu_group/reserved_regions", test_dev.path));
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		fields = sscanf(line, "%llx %llx %31s", &start, &end, type);
		ASSERT_EQ(3, fields);
		if (!strcmp(type, "direct-relaxable"))
			continue;
		n++;
		EXPECT_EQ(-EINVAL, vfio_map(&self->vfio, start & -SZ_4K,
					    self->mem, SZ_4K, VFIO_RW))
			TH_LOG("start of %s", line);
		EXPECT_EQ(-EINVAL, vfio_map(&self->vfio, end & -SZ_4K,
					    self->mem, SZ_4K, VFIO_RW))
			TH_LOG("end of %s", line);
	}
	if (!n)
		SKIP(return, "%s has no reserved regions", test_dev.name);
}

/* Each allocation fails in turn; what that leaves behind, kmemleak finds. */
TEST_F(container, info_nomem)
{
	struct vfio_iova_range ranges[MAX_RANGES];
	int fd, i, n, ret, left = 0, nomem = 0;
	char nth[16];

	fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	if (fd < 0 || sysfs_write("N", FAILSLAB "/ignore-gfp-wait") ||
	    sysfs_write("0", FAILSLAB "/verbose"))
		SKIP(return, "no fault injection in this kernel");

	n = vfio_iova_ranges(&self->vfio, ranges, MAX_RANGES);
	ASSERT_LT(0, n);
	for (i = 1; !left; i++) {
		ASSERT_GT(100, i);
		snprintf(nth, sizeof(nth), "%d", i);
		ASSERT_LT(0, pwrite(fd, nth, strlen(nth), 0));
		ret = vfio_iova_ranges(&self->vfio, ranges, MAX_RANGES);
		memset(nth, 0, sizeof(nth));
		ASSERT_LT(0, pread(fd, nth, sizeof(nth) - 1, 0));
		ASSERT_EQ(1, pwrite(fd, "0", 1, 0));
		/* What is left of the number, none if something failed */
		left = atoi(nth);
		if (!left && ret == -ENOMEM)
			nomem++;
		else
			EXPECT_EQ(n, ret);
	}
	close(fd);
	/* The capabilities share allocations as far as these have room. */
	EXPECT_LT(0, nomem);
}

int main(int argc, char **argv)
{
	test_init_type1();
	return test_harness_run(argc, argv);
}
