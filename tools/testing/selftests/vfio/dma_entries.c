// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA that a device asks not to be snooped is made coherent by the IOMMU in the
 * domain of VFIO, where the IOMMU can do that, and never in a domain of the DMA
 * API: seen in each entry of the tables that the IOMMU uses.
 */
#include <dirent.h>
#include <fcntl.h>

#include "../kselftest_harness.h"
#include "dma_tables.h"
#include "edu.h"
#include "vfio_lib.h"
#include "vfio_test.h"

#define MAX_RANGES	256
#define COPY_SIZE	1024

static struct dma_tables tables;

/* Number of leaves that are not as coherent as they have to be. */
static size_t count_wrong(bool coherent)
{
	size_t i, n = 0;

	for (i = 0; i < tables.count; i++)
		n += dma_leaf_coherent(&tables, &tables.leaves[i]) != coherent;
	return n;
}

FIXTURE(vfio) {
	struct vfio vfio;
	struct edu edu;
	unsigned char *mem;
	bool has_edu;
	int coherent;
};

FIXTURE_VARIANT(vfio) {
	size_t size;
	size_t offset;
	size_t leaf;
	int flags;
};

FIXTURE_VARIANT_ADD(vfio, pages) {
	.size = 3 * SZ_4K,
	.leaf = SZ_4K,
};

FIXTURE_VARIANT_ADD(vfio, large) {
	.size = 2 * SZ_2M,
	.leaf = SZ_2M,
	.flags = MAP_HUGETLB,
};

/* Memory is large, but its IOVA is not: runs of small pages, in two tables. */
FIXTURE_VARIANT_ADD(vfio, odd) {
	.size = SZ_2M,
	.offset = 5 * SZ_4K,
	.leaf = SZ_4K,
	.flags = MAP_HUGETLB,
};

FIXTURE_SETUP(vfio)
{
	ASSERT_EQ(0, test_bind());
	if (variant->flags & MAP_HUGETLB)
		sysfs_write("2", HUGEPAGES_PARAM);
	self->mem = test_alloc(variant->size, variant->flags);
	if (self->mem == MAP_FAILED && variant->flags & MAP_HUGETLB)
		SKIP(_exit(255), "no huge pages: %s", strerror(errno));
	ASSERT_NE(MAP_FAILED, self->mem);

	ASSERT_EQ(0, vfio_open_all(&self->vfio, &test_dev));
	self->coherent = test_wants("eperm") ?
		vfio_check(&self->vfio, VFIO_DMA_CC_IOMMU) :
		test_wants("dma_cc=1");
	self->has_edu = edu_matches(&test_dev);
	if (self->has_edu)
		ASSERT_EQ(0, edu_open(&self->edu, self->vfio.device));
}

FIXTURE_TEARDOWN(vfio)
{
	if (self->has_edu)
		edu_close(&self->edu);
	vfio_close(&self->vfio);
	test_reset();
}

/* In tables far from each other; AMD's grow upwards for the last ones. */
static const __u64 iovas[] = {
	8 * SZ_2M, 16 * SZ_2M, SZ_4G, SZ_4G + 32 * SZ_2M, 64 * SZ_4G,
	256 * SZ_4G, 1024 * 512 * SZ_4G,
};

static bool usable(struct vfio *v, __u64 iova, size_t size)
{
	struct vfio_iova_range ranges[MAX_RANGES];
	int i, n;

	n = vfio_iova_ranges(v, ranges, MAX_RANGES);
	for (i = 0; i < n; i++) {
		if (ranges[i].start <= iova && iova + size - 1 <= ranges[i].end)
			return true;
	}
	return false;
}

TEST_F_TIMEOUT(vfio, entries, 60)
{
	struct vfio *v = &self->vfio;
	size_t i, maps, leaves;
	struct dma_leaf *leaf;
	__u64 iova;
	int round;

	EXPECT_EQ(self->coherent, vfio_check(v, VFIO_DMA_CC_IOMMU));

	/* What is mapped once more goes into tables that were used before. */
	for (round = 0; round < 2; round++) {
		for (maps = 0; maps < ARRAY_SIZE(iovas); maps++) {
			iova = iovas[maps] + variant->offset;
			if (!usable(v, iova, variant->size))
				break;
			ASSERT_EQ(0, vfio_map(v, iova, self->mem,
					      variant->size, VFIO_RW));
			if (self->has_edu)
				EXPECT_TRUE(edu_copies(&self->edu, iova,
						       self->mem, COPY_SIZE));
		}
		ASSERT_LE(5u, maps);

		ASSERT_EQ(0, dma_tables_read(&tables, &test_dev));
		leaves = variant->size / variant->leaf;
		ASSERT_EQ(maps * leaves, tables.count);
		for (i = 0; i < tables.count; i++) {
			leaf = &tables.leaves[i];
			iova = iovas[i / leaves] + variant->offset +
			       i % leaves * variant->leaf;
			EXPECT_EQ(iova, leaf->iova);
			EXPECT_EQ((__u64)variant->leaf, leaf->size);
		}
		EXPECT_EQ(0u, count_wrong(self->coherent))
			TH_LOG("wrong in %zu of %zu entries, such as %#llx",
			       count_wrong(self->coherent), tables.count,
			       tables.leaves[0].entry);
		EXPECT_EQ(tables.iommu == DMA_INTEL_SCALABLE && self->coherent,
			  tables.pgsnp);

		if (self->has_edu)
			EXPECT_TRUE(edu_copies(&self->edu,
					       iovas[0] + variant->offset,
					       self->mem, COPY_SIZE));
		ASSERT_EQ((long long)(maps * variant->size),
			  vfio_unmap(v, 0, 1ull << 62));
		ASSERT_EQ(0, dma_tables_read(&tables, &test_dev));
		EXPECT_EQ(0u, tables.count);
	}
}

/* Is it in use by a driver of the kernel, with a domain of the DMA API? */
static bool uses_dma_api(const struct device *dev)
{
	char driver[DEVICE_NAME_SIZE], type[32];

	device_driver(dev, driver);
	return driver[0] && strcmp(driver, device_vfio_driver(dev)) &&
	       sysfs_read(type, sizeof(type), "%s/iommu_group/type",
			  dev->path) > 0 &&
	       !strncmp(type, "DMA\n", strlen("DMA\n"));
}

TEST(dma_api)
{
	struct dirent *entry;
	size_t leaves = 0;
	struct device dev;
	DIR *dir;

	dir = opendir("/sys/bus/pci/devices");
	ASSERT_NE(NULL, dir);
	while ((entry = readdir(dir))) {
		if (device_find(&dev, entry->d_name) || !uses_dma_api(&dev))
			continue;
		ASSERT_EQ(0, dma_tables_read(&tables, &dev))
			TH_LOG("%s", dev.name);
		EXPECT_EQ(0u, count_wrong(false))
			TH_LOG("%s: wrong in %zu of %zu entries", dev.name,
			       count_wrong(false), tables.count);
		EXPECT_FALSE(tables.pgsnp)
			TH_LOG("%s", dev.name);
		leaves += tables.count;
	}
	closedir(dir);
	/* A driver that has nothing mapped proves nothing. */
	EXPECT_LT(0u, leaves);
}

int main(int argc, char **argv)
{
	int ret;

	test_init_type1();
	if (strcmp(test_dev.bus, "pci"))
		ksft_exit_skip("%s is not a PCI device\n", test_dev.name);
	ret = dma_tables_open(&tables);
	if (ret == -ENODEV || (!ret && tables.iommu == DMA_ARM))
		ksft_exit_skip("neither an Intel nor an AMD IOMMU: entries have no such bit\n");
	if (ret == -ENOENT)
		ksft_exit_skip("/dev/mem: build with CONFIG_DEVMEM=y, CONFIG_STRICT_DEVMEM=n\n");
	if (ret == -ENOTUNIQ)
		ksft_exit_skip("more than one IOMMU\n");
	if (ret)
		ksft_exit_fail_msg("registers of the IOMMU: %s\n",
				   strerror(-ret));
	return test_harness_run(argc, argv);
}
