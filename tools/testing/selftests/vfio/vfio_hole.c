// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is mapped has the largest entries that its place allows: around a page
 * that is left out of 1 GiB, all but those that would hold that page.
 *
 * The memory is one page of hugetlb over and over again, so 1 GiB of address
 * space takes no more than that page.
 */
#define _GNU_SOURCE
#include <linux/memfd.h>

#include "../kselftest_harness.h"
#include "dma_tables.h"
#include "edu.h"
#include "vfio_lib.h"
#include "vfio_test.h"

#define IOVA		(2 * SZ_4G)
#define COPY_SIZE	256

static struct dma_tables tables;

FIXTURE(hole) {
	struct vfio vfio;
	struct edu edu;
	unsigned char *mem;
	long locked_kb;
	bool has_edu;
};

FIXTURE_VARIANT(hole) {
	__u64 huge;
	int flags;
	__u64 size;
};

FIXTURE_VARIANT_ADD(hole, pages_2m) {
	.huge = SZ_2M,
	.flags = MFD_HUGE_2MB,
	.size = SZ_1G,
};

/* The hole is in the second of them. */
FIXTURE_VARIANT_ADD(hole, pages_1g) {
	.huge = SZ_1G,
	.flags = MFD_HUGE_1GB,
	.size = 3 * SZ_1G,
};

/* The page of @huge bytes that @fd has, mapped as often as @size has room. */
static unsigned char *map_memory(int fd, __u64 huge, __u64 size)
{
	unsigned char *room, *mem;
	__u64 i;

	room = mmap(NULL, size + huge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	if (room == MAP_FAILED)
		return room;
	mem = (unsigned char *)(((unsigned long)room + huge - 1) & -huge);
	for (i = 0; i < size; i += huge) {
		if (mmap(mem + i, huge, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
			return MAP_FAILED;
	}
	return mem;
}

static bool booted_with(const char *param)
{
	char line[2048];

	return sysfs_read(line, sizeof(line), "/proc/cmdline") > 0 &&
	       strstr(line, param);
}

FIXTURE_SETUP(hole)
{
	int fd;

	/* No such page can be put together later. */
	if (variant->huge == SZ_1G && !booted_with("hugepagesz=1G"))
		SKIP(_exit(255), "boot with hugepagesz=1G hugepages=1");
	ASSERT_EQ(0, test_bind());
	if (variant->huge == SZ_2M)
		ASSERT_EQ(0, sysfs_write("1", HUGEPAGES_PARAM));

	fd = memfd_create("vfio_hole",
			  MFD_CLOEXEC | MFD_HUGETLB | variant->flags);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, variant->huge));
	self->mem = map_memory(fd, variant->huge, variant->size);
	ASSERT_NE(MAP_FAILED, self->mem);
	close(fd);

	ASSERT_EQ(0, vfio_open_all(&self->vfio, &test_dev));
	self->locked_kb = test_locked_kb();
	self->has_edu = edu_matches(&test_dev);
	if (self->has_edu)
		ASSERT_EQ(0, edu_open(&self->edu, self->vfio.device));
}

FIXTURE_TEARDOWN(hole)
{
	if (self->has_edu)
		edu_close(&self->edu);
	vfio_close(&self->vfio);
	test_reset();
}

/* The largest leaf that may start at @iova, of what is mapped until @end. */
static __u64 largest(__u64 huge, __u64 iova, __u64 end)
{
	static const __u64 sizes[] = { SZ_1G, SZ_2M, SZ_4K };
	size_t i = 0;

	while (!(tables.sizes & sizes[i]) || sizes[i] > huge ||
	       iova % sizes[i] || sizes[i] > end - iova)
		i++;
	return sizes[i];
}

/* From leaf @i on, those of a mapping. Returns the number of the next one. */
static size_t expect_leaves(struct __test_metadata *_metadata, size_t i,
			    __u64 huge, __u64 iova, __u64 size)
{
	__u64 end = iova + size;

	for (; iova < end; iova += tables.leaves[i++].size) {
		ASSERT_LT(i, tables.count);
		ASSERT_EQ(iova, tables.leaves[i].iova);
		ASSERT_EQ(largest(huge, iova, end), tables.leaves[i].size)
			TH_LOG("at %#llx", iova);
	}
	return i;
}

static void expect_copies(struct __test_metadata *_metadata, struct edu *edu,
			  bool has_edu, unsigned char *mem, __u64 offset)
{
	if (has_edu)
		EXPECT_TRUE(edu_copies(edu, IOVA + offset, mem + offset,
				       COPY_SIZE))
			TH_LOG("at %#llx", offset);
}

TEST_F_TIMEOUT(hole, none, 120)
{
	struct vfio *v = &self->vfio;

	ASSERT_EQ(0, vfio_map(v, IOVA, self->mem, variant->size, VFIO_RW));
	ASSERT_EQ(0, dma_tables_read(&tables, &test_dev));
	EXPECT_EQ(tables.count,
		  expect_leaves(_metadata, 0, variant->huge, IOVA,
				variant->size));
	expect_copies(_metadata, &self->edu, self->has_edu, self->mem,
		      variant->size - SZ_4K);

	EXPECT_EQ((long long)variant->size,
		  vfio_unmap(v, IOVA, variant->size));
	ASSERT_EQ(0, dma_tables_read(&tables, &test_dev));
	EXPECT_EQ(0u, tables.count);
	EXPECT_EQ(self->locked_kb, test_locked_kb());
}

/* Inside of a large page, first and last of it */
TEST_F_TIMEOUT(hole, page, 120)
{
	const __u64 holes[] = {
		variant->size / 2 + 100 * SZ_4K,
		variant->size / 2,
		variant->size / 2 - SZ_4K,
	};
	__u64 hole, after, rest;
	struct vfio *v = &self->vfio;
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(holes); i++) {
		hole = holes[i];
		after = hole + SZ_4K;
		rest = variant->size - after;
		ASSERT_EQ(0, vfio_map(v, IOVA, self->mem, hole, VFIO_RW));
		ASSERT_EQ(0, vfio_map(v, IOVA + after, self->mem + after, rest,
				      VFIO_RW));
		EXPECT_EQ(self->locked_kb + (long)((hole + rest) / 1024),
			  test_locked_kb());

		ASSERT_EQ(0, dma_tables_read(&tables, &test_dev));
		n = expect_leaves(_metadata, 0, variant->huge, IOVA, hole);
		n = expect_leaves(_metadata, n, variant->huge, IOVA + after,
				  rest);
		EXPECT_EQ(tables.count, n)
			TH_LOG("hole at %#llx", hole);
		expect_copies(_metadata, &self->edu, self->has_edu, self->mem,
			      hole - SZ_4K);
		expect_copies(_metadata, &self->edu, self->has_edu, self->mem,
			      after);

		EXPECT_EQ((long long)(hole + rest),
			  vfio_unmap(v, IOVA, variant->size));
		EXPECT_EQ(self->locked_kb, test_locked_kb());
	}
}

int main(int argc, char **argv)
{
	int ret;

	test_init_type1();
	if (strcmp(test_dev.bus, "pci"))
		ksft_exit_skip("%s is not a PCI device\n", test_dev.name);
	ret = dma_tables_open(&tables);
	if (ret == -ENODEV || ret == -ENOTUNIQ)
		ksft_exit_skip("no or several IOMMUs with tables that can be read\n");
	if (ret == -ENOENT)
		ksft_exit_skip("/dev/mem: build with CONFIG_DEVMEM=y, CONFIG_STRICT_DEVMEM=n\n");
	if (ret)
		ksft_exit_fail_msg("registers of the IOMMU: %s\n",
				   strerror(-ret));
	return test_harness_run(argc, argv);
}
