// SPDX-License-Identifier: GPL-2.0-only
/*
 * What VFIO does with a device, and whether the IOMMU lets the device do the
 * DMA that was mapped and no other. The DMA is done by QEMU's edu device.
 *
 * With --verdict the program only prints what VFIO does with the device.
 */
#include <fcntl.h>

#include "../kselftest_harness.h"
#include "edu.h"
#include "vfio_lib.h"
#include "vfio_test.h"

#define WINDOW_IOVA	0x200000ull
#define COPY_SIZE	1024u
#define BLOCK_SIZE	64u
#define MAX_RANGES	256

/* The kernel log from here on. */
static int kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* Number of new records that hold the device's name and @text. */
static int kmsg_count(int fd, const char *text)
{
	char record[8192];
	ssize_t len;
	int n = 0;

	while ((len = read(fd, record, sizeof(record) - 1)) > 0) {
		record[len] = '\0';
		if (strstr(record, test_dev.name) && strstr(record, text))
			n++;
	}
	return n;
}

FIXTURE(verdict) {
};

FIXTURE_SETUP(verdict)
{
	ASSERT_EQ(0, test_reset());
}

FIXTURE_TEARDOWN(verdict)
{
	test_reset();
}

TEST_F(verdict, word)
{
	const char *verdict = vfio_verdict(&test_dev);
	char driver[DEVICE_NAME_SIZE];

	ASSERT_NE(NULL, verdict)
		TH_LOG("no verdict: %s", strerror(errno));
	EXPECT_STREQ(test_wanted(), verdict);

	device_driver(&test_dev, driver);
	EXPECT_STREQ("", driver);
}

TEST_F(verdict, unsafe_interrupts)
{
	struct vfio v;

	if (!test_wants("eperm"))
		SKIP(return, "VFIO does not miss interrupt isolation");

	ASSERT_EQ(0, device_bind(&test_dev, device_vfio_driver(&test_dev)));
	ASSERT_EQ(0, vfio_open(&v, &test_dev));
	EXPECT_EQ(-EPERM, vfio_set_iommu(&v, VFIO_TYPE1v2_IOMMU));
	ASSERT_EQ(0, sysfs_write("Y", VFIO_UNSAFE_INTR_PARAM));
	EXPECT_EQ(0, vfio_set_iommu(&v, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(0, vfio_open_device(&v, &test_dev));
	vfio_close(&v);

	ASSERT_EQ(0, sysfs_write("N", VFIO_UNSAFE_INTR_PARAM));
	EXPECT_EQ(-EPERM, vfio_open_all(&v, &test_dev));
}

TEST_F(verdict, refusal)
{
	const char *driver = device_vfio_driver(&test_dev);
	char bound[DEVICE_NAME_SIZE];
	int i, log;

	if (!test_wants("refused"))
		SKIP(return, "VFIO does not refuse the device");

	log = kmsg_open();
	ASSERT_LE(0, log);

	/* The driver core reports an error of probe as "no such device". */
	EXPECT_EQ(-ENODEV, device_bind(&test_dev, driver));
	EXPECT_EQ(1, kmsg_count(log, "not cache coherent"));
	device_driver(&test_dev, bound);
	EXPECT_STREQ("", bound);

	EXPECT_EQ(-ENODEV, device_bind(&test_dev, driver));
	EXPECT_EQ(1, kmsg_count(log, "failed with error -22"));
	close(log);

	if (!sysfs_exists("/sys/bus/pci/drivers/pci-stub") ||
	    strcmp(test_dev.bus, "pci"))
		return;
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, device_bind(&test_dev, "pci-stub"));
		EXPECT_EQ(0, device_unbind(&test_dev));
		EXPECT_EQ(-ENODEV, device_bind(&test_dev, driver));
	}
}

TEST_F(verdict, noiommu)
{
	const char *driver = device_vfio_driver(&test_dev);
	struct vfio v;

	if (!test_wants("noiommu"))
		SKIP(return, "the device is not one for no-iommu mode");

	ASSERT_EQ(0, sysfs_write("N", VFIO_NOIOMMU_PARAM));
	EXPECT_EQ(-ENODEV, device_bind(&test_dev, driver));

	ASSERT_EQ(0, sysfs_write("Y", VFIO_NOIOMMU_PARAM));
	ASSERT_EQ(0, device_bind(&test_dev, driver));
	EXPECT_TRUE(vfio_is_noiommu(&test_dev));
	ASSERT_EQ(0, vfio_open(&v, &test_dev));
	EXPECT_EQ(1, vfio_check(&v, VFIO_NOIOMMU_IOMMU));
	EXPECT_NE(0, vfio_set_iommu(&v, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(0, vfio_set_iommu(&v, VFIO_NOIOMMU_IOMMU));
	EXPECT_EQ(0, vfio_open_device(&v, &test_dev));
	vfio_close(&v);

	EXPECT_EQ(0, device_unbind(&test_dev));
	EXPECT_FALSE(sysfs_exists("%s/iommu_group", test_dev.path));
}

TEST_F_TIMEOUT(verdict, rebind, 60)
{
	char driver[DEVICE_NAME_SIZE];
	struct vfio v;
	int group = -1;
	int i;

	if (!test_wants_type1())
		SKIP(return, "no type1 IOMMU takes the device");

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, test_bind());
		/* Half of the time the group's file outlives the binding. */
		if (i & 1) {
			group = vfio_open_group(&test_dev);
			ASSERT_LE(0, group);
		} else {
			ASSERT_EQ(0, vfio_open_all(&v, &test_dev));
			vfio_close(&v);
		}
		ASSERT_EQ(0, device_unbind(&test_dev));
		device_driver(&test_dev, driver);
		EXPECT_STREQ("", driver);
		if (i & 1)
			close(group);
	}
}

/* The first half of the window goes out to the device, the second comes back. */
struct dma {
	struct vfio vfio;
	struct edu edu;
	unsigned char *window;
};

static void dma_open(struct __test_metadata *_metadata, struct dma *d)
{
	ASSERT_EQ(0, vfio_open_all(&d->vfio, &test_dev));
	ASSERT_EQ(0, edu_open(&d->edu, d->vfio.device));
	ASSERT_EQ(0, vfio_map(&d->vfio, WINDOW_IOVA, d->window, SZ_4K,
			      VFIO_RW));
}

static void dma_close(struct dma *d)
{
	edu_close(&d->edu);
	vfio_close(&d->vfio);
}

static void dma_setup(struct __test_metadata *_metadata, struct dma *d)
{
	if (!edu_matches(&test_dev))
		SKIP(_exit(255), "%s is not an edu device", test_dev.name);
	if (!test_wants_type1())
		SKIP(_exit(255), "no type1 IOMMU takes the device");

	ASSERT_EQ(0, test_bind());
	d->window = test_alloc(SZ_4K, 0);
	ASSERT_NE(MAP_FAILED, d->window);
	dma_open(_metadata, d);
}

/*
 * Never the same data twice: what is left in the device's buffer by one copy
 * cannot pass for what the next one is about.
 */
static void fill(unsigned char *mem)
{
	static unsigned int seed = 1;
	size_t i;

	for (i = 0; i < COPY_SIZE; i++) {
		seed = seed * 1103515245 + 12345;
		mem[i] = seed >> 16;
	}
}

/* 1 if all of the data arrived, 0 if none of it did. */
static int arrived(const unsigned char *mem, const unsigned char *data)
{
	size_t i, n = 0;

	for (i = 0; i < COPY_SIZE; i += BLOCK_SIZE)
		n += !memcmp(mem + i, data + i, BLOCK_SIZE);
	if (n && n != COPY_SIZE / BLOCK_SIZE)
		return -EIO;
	return !!n;
}

/* Does the device get what is in memory at @mem when it reads @iova? */
static int dma_reads(struct dma *d, __u64 iova, unsigned char *mem)
{
	unsigned char *in = d->window + COPY_SIZE;
	int ret;

	fill(mem);
	memset(in, 0, COPY_SIZE);
	ret = edu_load(&d->edu, iova, COPY_SIZE);
	if (!ret)
		ret = edu_store(&d->edu, WINDOW_IOVA + COPY_SIZE, COPY_SIZE);
	return ret ?: arrived(in, mem);
}

/* Does what the device writes to @iova change the memory at @mem? */
static int dma_writes(struct dma *d, __u64 iova, unsigned char *mem)
{
	unsigned char old[COPY_SIZE];
	int ret;

	fill(d->window);
	fill(mem);
	memcpy(old, mem, COPY_SIZE);
	ret = edu_load(&d->edu, WINDOW_IOVA, COPY_SIZE);
	if (!ret)
		ret = edu_store(&d->edu, iova, COPY_SIZE);
	if (ret)
		return ret;
	if (!memcmp(mem, old, COPY_SIZE))
		return 0;
	return arrived(mem, d->window) ?: -EIO;
}

/* Both at once: does the device copy from @iova to what follows it? */
static int dma_copies(struct dma *d, __u64 iova, unsigned char *mem)
{
	int ret;

	fill(mem);
	memset(mem + COPY_SIZE, 0, COPY_SIZE);
	ret = edu_load(&d->edu, iova, COPY_SIZE);
	if (!ret)
		ret = edu_store(&d->edu, iova + COPY_SIZE, COPY_SIZE);
	return ret ?: arrived(mem + COPY_SIZE, mem);
}

FIXTURE(mapping) {
	struct dma dma;
	unsigned char *mem;
};

FIXTURE_VARIANT(mapping) {
	__u64 iova;
	size_t size;
	int flags;
};

FIXTURE_VARIANT_ADD(mapping, low_4k) {
	.iova = TEST_IOVA,
	.size = SZ_4K,
};

FIXTURE_VARIANT_ADD(mapping, low_2m) {
	.iova = TEST_IOVA + SZ_2M,
	.size = SZ_2M,
	.flags = MAP_HUGETLB,
};

/* Memory is a large page, but its IOVA does not let the IOMMU use one. */
FIXTURE_VARIANT_ADD(mapping, odd_2m) {
	.iova = TEST_IOVA + SZ_4K,
	.size = SZ_2M,
	.flags = MAP_HUGETLB,
};

FIXTURE_VARIANT_ADD(mapping, high_2m) {
	.iova = SZ_4G + SZ_2M,
	.size = SZ_2M,
	.flags = MAP_HUGETLB,
};

FIXTURE_SETUP(mapping)
{
	struct vfio_iova_range ranges[MAX_RANGES];
	int n;

	dma_setup(_metadata, &self->dma);

	n = vfio_iova_ranges(&self->dma.vfio, ranges, MAX_RANGES);
	ASSERT_LT(0, n);
	if (ranges[n - 1].end < variant->iova + variant->size)
		SKIP(_exit(255), "IOVAs end at %#llx", ranges[n - 1].end);

	if (variant->flags & MAP_HUGETLB)
		sysfs_write("2", HUGEPAGES_PARAM);
	self->mem = test_alloc(variant->size, variant->flags);
	if (self->mem == MAP_FAILED && variant->flags & MAP_HUGETLB)
		SKIP(_exit(255), "no huge page: %s", strerror(errno));
	ASSERT_NE(MAP_FAILED, self->mem);
}

FIXTURE_TEARDOWN(mapping)
{
	dma_close(&self->dma);
	test_reset();
}

TEST_F(mapping, copy)
{
	size_t last = variant->size - 2 * COPY_SIZE;
	struct dma *d = &self->dma;

	ASSERT_EQ(0, vfio_map(&d->vfio, variant->iova, self->mem, variant->size,
			      VFIO_RW));
	EXPECT_EQ(1, dma_copies(d, variant->iova, self->mem));
	/* In the large mappings, both halves cross from one page to the next. */
	EXPECT_EQ(1, dma_copies(d, variant->iova + last / 2 - COPY_SIZE / 2,
				self->mem + last / 2 - COPY_SIZE / 2));
	EXPECT_EQ(1, dma_copies(d, variant->iova + last, self->mem + last));

	/* One byte further on, in both directions, is nothing. */
	EXPECT_EQ(0, dma_writes(d, variant->iova + variant->size, self->mem));
	EXPECT_EQ(0, dma_reads(d, variant->iova - SZ_4K, self->mem));
}

TEST_F(mapping, unmap)
{
	struct dma *d = &self->dma;

	ASSERT_EQ(0, vfio_map(&d->vfio, variant->iova, self->mem, variant->size,
			      VFIO_RW));
	EXPECT_EQ(1, dma_copies(d, variant->iova, self->mem));

	ASSERT_EQ((long long)variant->size,
		  vfio_unmap(&d->vfio, variant->iova, variant->size));
	EXPECT_EQ(0, dma_reads(d, variant->iova, self->mem));
	EXPECT_EQ(0, dma_writes(d, variant->iova, self->mem));

	/* That nothing was there must not be remembered either. */
	ASSERT_EQ(0, vfio_map(&d->vfio, variant->iova, self->mem, variant->size,
			      VFIO_RW));
	EXPECT_EQ(1, dma_copies(d, variant->iova, self->mem));
}

FIXTURE(page) {
	struct dma dma;
	unsigned char *mem;
};

FIXTURE_SETUP(page)
{
	dma_setup(_metadata, &self->dma);
	self->mem = test_alloc(SZ_4K, 0);
	ASSERT_NE(MAP_FAILED, self->mem);
}

FIXTURE_TEARDOWN(page)
{
	dma_close(&self->dma);
	munmap(self->mem, SZ_4K);
	test_reset();
}

TEST_F(page, read_only)
{
	struct dma *d = &self->dma;

	ASSERT_EQ(0, vfio_map(&d->vfio, TEST_IOVA, self->mem, SZ_4K,
			      VFIO_DMA_MAP_FLAG_READ));
	EXPECT_EQ(1, dma_reads(d, TEST_IOVA, self->mem));
	EXPECT_EQ(0, dma_writes(d, TEST_IOVA, self->mem));
}

/* Physical address of what is at @mem, 0 if that is not told. */
static __u64 physical(const void *mem)
{
	__u64 entry = 0;
	int fd;

	fd = open("/proc/self/pagemap", O_RDONLY);
	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry),
		  (unsigned long)mem / SZ_4K * sizeof(entry)) != sizeof(entry))
		entry = 0;
	close(fd);
	/* Bit 63: present, bits 0 to 54: number of the page. */
	return entry >> 63 ? (entry & ((1ull << 55) - 1)) * SZ_4K : 0;
}

TEST_F(page, physical_address)
{
	struct dma *d = &self->dma;
	__u64 iova = physical(self->mem);

	if (!iova)
		SKIP(return, "/proc/self/pagemap does not tell addresses");

	EXPECT_EQ(0, dma_reads(d, iova, self->mem));
	EXPECT_EQ(0, dma_writes(d, iova, self->mem));
}

/* The control for the test above: without an IOMMU it would not pass. */
TEST_F(verdict, noiommu_dma)
{
	unsigned char *mem = test_alloc(SZ_4K, 0);
	__u64 iova = physical(mem);
	struct dma d;

	if (!test_wants("noiommu") || !edu_matches(&test_dev))
		SKIP(return, "not an edu device for no-iommu mode");
	if (!iova)
		SKIP(return, "/proc/self/pagemap does not tell addresses");

	ASSERT_EQ(0, sysfs_write("Y", VFIO_NOIOMMU_PARAM));
	ASSERT_EQ(0, device_bind(&test_dev, device_vfio_driver(&test_dev)));
	ASSERT_EQ(0, vfio_open(&d.vfio, &test_dev));
	ASSERT_EQ(0, vfio_set_iommu(&d.vfio, VFIO_NOIOMMU_IOMMU));
	ASSERT_EQ(0, vfio_open_device(&d.vfio, &test_dev));
	ASSERT_EQ(0, edu_open(&d.edu, d.vfio.device));
	EXPECT_EQ(1, dma_copies(&d, iova, mem));
	dma_close(&d);
}

/* The group keeps its container, and with it the mappings. */
TEST_F(page, container_closed_first)
{
	struct dma *d = &self->dma;
	long locked = test_locked_kb();

	ASSERT_EQ(0, vfio_map(&d->vfio, TEST_IOVA, self->mem, SZ_4K, VFIO_RW));
	ASSERT_EQ(0, close(d->vfio.container));
	d->vfio.container = -1;
	EXPECT_EQ(1, dma_copies(d, TEST_IOVA, self->mem));

	/* Nothing stays pinned: not this page, and not the window. */
	dma_close(d);
	EXPECT_EQ(locked - 4, test_locked_kb());
	dma_open(_metadata, d);
}

TEST_F(page, container_starts_empty)
{
	struct dma *d = &self->dma;

	ASSERT_EQ(0, vfio_map(&d->vfio, TEST_IOVA, self->mem, SZ_4K, VFIO_RW));
	EXPECT_EQ(1, dma_copies(d, TEST_IOVA, self->mem));

	dma_close(d);
	dma_open(_metadata, d);
	EXPECT_EQ(0, dma_reads(d, TEST_IOVA, self->mem));
	EXPECT_EQ(0, dma_writes(d, TEST_IOVA, self->mem));
}

static int print_verdict(void)
{
	const char *verdict = vfio_verdict(&test_dev);

	if (!verdict) {
		fprintf(stderr, "vfio_edu: %s with %s: %s\n", test_dev.name,
			device_vfio_driver(&test_dev), strerror(errno));
		return KSFT_FAIL;
	}
	printf("vfio: %s: %s\n", test_dev.name, verdict);
	return KSFT_PASS;
}

int main(int argc, char **argv)
{
	bool verdict = argc == 2 && !strcmp(argv[1], "--verdict");

	if (argc > 1 && !verdict) {
		fprintf(stderr, "usage: %s [--verdict]\n", argv[0]);
		return KSFT_FAIL;
	}
	test_init(!verdict);
	return verdict ? print_verdict() : test_harness_run(argc, argv);
}
