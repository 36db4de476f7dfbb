// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device reaches the memory that firmware reserves for it, before any driver
 * and at the addresses that firmware told it, and no memory beside that.
 *
 * IOMMU_TEST_DEVICE names the device, IOMMU_TEST_REGIONS has a line "START LAST
 * TYPE" for each region that is its own. The machine keeps the kernel from using
 * the memory of these regions and the pages beside them.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "../iommu/regions.h"
#include "edu.h"
#include "vfio_test.h"

#define PATTERN_SIZE	16

static struct device dev;
static struct regions own;

FIXTURE(dma) {
	struct edu edu;
	int mem;
};

FIXTURE_SETUP(dma)
{
	char driver[DEVICE_NAME_SIZE];

	device_driver(&dev, driver);
	ASSERT_STREQ("", driver)
		TH_LOG("%s has a driver", dev.name);
	ASSERT_EQ(0, edu_open_unbound(&self->edu, &dev));
	self->mem = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	ASSERT_LE(0, self->mem);
}

FIXTURE_TEARDOWN(dma)
{
	edu_close(&self->edu);
	close(self->mem);
}

/* PATTERN_SIZE bytes of memory at @addr, which do not cross a page. */
static unsigned char *map(struct __test_metadata *_metadata, int mem,
			  __u64 addr)
{
	unsigned char *page;

	page = mmap(NULL, SZ_4K, PROT_READ | PROT_WRITE, MAP_SHARED, mem,
		    addr & ~(SZ_4K - 1));
	ASSERT_NE(MAP_FAILED, page);
	return page + (addr & (SZ_4K - 1));
}

static void unmap(unsigned char *at)
{
	munmap((void *)((unsigned long)at & ~(SZ_4K - 1)), SZ_4K);
}

/* Can the device read from and write to @addr? */
static void check(struct __test_metadata *_metadata, struct edu *edu, int mem,
		  __u64 addr, bool reaches)
{
	unsigned char *at = map(_metadata, mem, addr);
	unsigned char pattern[PATTERN_SIZE];
	size_t i;

	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = (addr >> 12) + i + 1;

	memcpy(at, pattern, sizeof(pattern));
	ASSERT_EQ(0, edu_load(edu, addr, sizeof(pattern)));
	memset(at, 0, sizeof(pattern));
	ASSERT_EQ(0, edu_store(edu, addr, sizeof(pattern)));
	EXPECT_EQ(reaches, !memcmp(at, pattern, sizeof(pattern)))
		TH_LOG("DMA at 0x%llx", (unsigned long long)addr);
	unmap(at);
}

/* Some of many: a copy takes the device 100 ms, and a fault is a line in a log. */
static size_t step(void)
{
	return own.count > 8 ? own.count / 7 : 1;
}

TEST_F(dma, inside)
{
	size_t i;

	for (i = 0; i < own.count; i += step()) {
		check(_metadata, &self->edu, self->mem, own.list[i].start,
		      true);
		check(_metadata, &self->edu, self->mem,
		      own.list[i].last + 1 - PATTERN_SIZE, true);
	}
}

static bool is_own(__u64 addr)
{
	size_t i;

	for (i = 0; i < own.count; i++) {
		if (own.list[i].start <= addr && addr <= own.list[i].last)
			return true;
	}
	return false;
}

TEST_F(dma, outside)
{
	__u64 addr;
	size_t i;

	for (i = 0; i < own.count; i += step()) {
		addr = own.list[i].start - SZ_4K;
		if (!is_own(addr))
			check(_metadata, &self->edu, self->mem, addr,
			      false);
		addr = own.list[i].last + 1;
		if (!is_own(addr))
			check(_metadata, &self->edu, self->mem, addr,
			      false);
	}
}

int main(int argc, char **argv)
{
	const char *name = getenv("IOMMU_TEST_DEVICE");
	const char *regions = getenv("IOMMU_TEST_REGIONS");

	if (!name || !*name || !regions || !*regions)
		ksft_exit_skip("the machine reserves no memory for a device\n");
	if (device_find(&dev, name))
		ksft_exit_fail_msg("IOMMU_TEST_DEVICE=%s: no such device\n",
				   name);
	if (regions_parse(&own, regions))
		ksft_exit_fail_msg("IOMMU_TEST_REGIONS=%s: not START LAST TYPE in each line\n",
				   regions);
	if (!edu_matches(&dev))
		ksft_exit_skip("%s is no edu device\n", name);

	return test_harness_run(argc, argv);
}
