// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a mediated device that pins memory costs its user: alone in a container,
 * where VFIO pins nothing itself, and beside a device with an IOMMU, where all
 * that is mapped is pinned anyway and nothing counts twice.
 *
 * The mediated device is made by samples/vfio-mdev/pinner.c.
 */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "../../../../samples/vfio-mdev/pinner.h"
#include "../kselftest_harness.h"
#include "edu.h"
#include "vfio_lib.h"
#include "vfio_test.h"

#define MDEV_DIR	"/sys/bus/mdev/devices"
#define MDEV_CREATE \
	"/sys/class/mdev_bus/pinner/mdev_supported_types/pinner-1/create"
#define MDEV_UUID	"d32f1a77-5c58-4ae0-9e4b-0a5ab1d5c1f0"

#define SIZE		SZ_2M
#define NPAGES		(SIZE / SZ_4K)
#define COPY_SIZE	256
#define PAGES(n)	((n) * SZ_4K)
/* As bytes that vfio_unmap() and locked() return */
#define BYTES(n)	((long long)(n))

static struct device mdev = {
	.name = MDEV_UUID,
	.bus = "mdev",
	.path = MDEV_DIR "/" MDEV_UUID,
};

static int pinner_pages(const struct vfio *v, unsigned long cmd, __u64 iova,
			__u32 npage, __u32 flags)
{
	struct pinner_pages pages = {
		.iova = iova,
		.npage = npage,
		.flags = flags,
	};

	return ioctl(v->device, cmd, &pages) ? -errno : 0;
}

static int pin(const struct vfio *v, __u64 iova, __u32 npage)
{
	return pinner_pages(v, PINNER_PIN, iova, npage, VFIO_RW);
}

static int unpin(const struct vfio *v, __u64 iova, __u32 npage)
{
	return pinner_pages(v, PINNER_UNPIN, iova, npage, 0);
}

/* Returns the byte that was read. */
static int pinner_read(const struct vfio *v, unsigned long cmd, __u64 iova)
{
	struct pinner_byte byte = { .iova = iova };

	return ioctl(v->device, cmd, &byte) ? -errno : (int)byte.value;
}

static int pinner_write(const struct vfio *v, unsigned long cmd, __u64 iova,
			__u32 value)
{
	struct pinner_byte byte = {
		.iova = iova,
		.write = 1,
		.value = value,
	};

	return ioctl(v->device, cmd, &byte) ? -errno : 0;
}

static int pinner_count(const struct vfio *v)
{
	return ioctl(v->device, PINNER_COUNT);
}

/* A container, and groups that come and go: their own container is not open. */
struct state {
	struct vfio vfio;
	struct vfio mdev;
	struct vfio real;
	long locked_kb;
	long pinned;
};

/* Bytes and pages since state_open(). */
static long long locked(const struct state *s)
{
	return (test_locked_kb() - s->locked_kb) * 1024ll;
}

static long pinned(const struct state *s)
{
	return test_pinned_pages() - s->pinned;
}

static int set_container(struct state *s, struct vfio *v)
{
	return ioctl(v->group, VFIO_GROUP_SET_CONTAINER, &s->vfio.container) ?
	       -errno : 0;
}

static int join(struct state *s, struct vfio *v, const struct device *dev)
{
	bool first = s->mdev.group < 0 && s->real.group < 0;
	int ret;

	ret = vfio_open_group(dev);
	if (ret < 0)
		return ret;
	v->group = ret;

	ret = set_container(s, v);
	if (!ret && first)
		ret = vfio_set_iommu(&s->vfio, VFIO_TYPE1v2_IOMMU);
	if (!ret)
		ret = vfio_open_device(v, dev);
	if (ret)
		vfio_close(v);
	return ret;
}

static void state_open(struct __test_metadata *_metadata, struct state *s)
{
	static const struct vfio closed = { -1, -1, -1 };

	s->pinned = test_pinned_pages();
	ASSERT_LE(0, s->pinned);
	s->locked_kb = test_locked_kb();
	ASSERT_LE(0, s->locked_kb);
	s->vfio = closed;
	s->mdev = closed;
	s->real = closed;
	s->vfio.container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, s->vfio.container);
}

static void state_close(struct __test_metadata *_metadata, struct state *s)
{
	vfio_close(&s->mdev);
	vfio_close(&s->real);
	vfio_close(&s->vfio);
	EXPECT_EQ(0ll, locked(s));
	EXPECT_EQ(0, pinned(s));
}

static void expect_pages(struct __test_metadata *_metadata,
			 const struct state *s, size_t locked_pages,
			 long pinned_pages, int line)
{
	EXPECT_EQ(BYTES(PAGES(locked_pages)), locked(s))
		TH_LOG("in line %d", line);
	EXPECT_EQ(pinned_pages, pinned(s))
		TH_LOG("in line %d", line);
}

#define EXPECT_PAGES(s, locked_pages, pinned_pages) \
	expect_pages(_metadata, s, locked_pages, pinned_pages, __LINE__)

/* Does the device behind the IOMMU read and write this memory? */
static void expect_copies(struct __test_metadata *_metadata, struct state *s,
			  __u64 iova, unsigned char *mem)
{
	struct edu edu;

	if (!edu_matches(&test_dev))
		return;
	ASSERT_EQ(0, edu_open(&edu, s->real.device));
	EXPECT_TRUE(edu_copies(&edu, iova, mem, COPY_SIZE))
		TH_LOG("%#llx", iova);
	edu_close(&edu);
}

/*
 * A huge page; or small ones that most likely follow one another, across the
 * end of a page table of the process: that for the second half is there first.
 */
static unsigned char *alloc_memory(bool hugetlb)
{
	unsigned char *room;

	if (hugetlb) {
		sysfs_write("1", HUGEPAGES_PARAM);
		return test_alloc(SIZE, MAP_HUGETLB);
	}
	room = mmap(NULL, 3 * SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED)
		return room;
	room = (unsigned char *)(((unsigned long)room + SIZE - 1) & -SIZE);
	room += SIZE / 2;
	madvise(room, SIZE, MADV_NOHUGEPAGE);
	room[SIZE - 1] = 1;
	memset(room, 1, SIZE);
	return room;
}

FIXTURE(alone) {
	struct state state;
	unsigned char *mem;
};

FIXTURE_SETUP(alone)
{
	ASSERT_EQ(0, test_reset());
	self->mem = alloc_memory(false);
	ASSERT_NE(MAP_FAILED, self->mem);
	state_open(_metadata, &self->state);
	ASSERT_EQ(0, join(&self->state, &self->state.mdev, &mdev));
}

FIXTURE_TEARDOWN(alone)
{
	state_close(_metadata, &self->state);
	test_reset();
}

/* What is mapped is only noted: a page counts once, while it is pinned. */
TEST_F(alone, accounting)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio, *m = &s->mdev;
	struct vfio_iova_range range;

	EXPECT_EQ(1, vfio_check(v, VFIO_DMA_CC_IOMMU));
	EXPECT_EQ(-ENOENT, vfio_iova_ranges(v, &range, 1));
	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, self->mem, SIZE, VFIO_RW));
	EXPECT_PAGES(s, 0, 0);

	ASSERT_EQ(0, pin(m, TEST_IOVA + PAGES(5), 1));
	EXPECT_PAGES(s, 1, 1);
	ASSERT_EQ(0, pin(m, TEST_IOVA + PAGES(5), 1));
	EXPECT_PAGES(s, 1, 1);
	ASSERT_EQ(0, pin(m, TEST_IOVA + PAGES(4), 3));
	EXPECT_PAGES(s, 3, 3);
	ASSERT_EQ(0, pin(m, TEST_IOVA, NPAGES));
	EXPECT_PAGES(s, NPAGES, NPAGES);
	EXPECT_EQ((int)NPAGES + 5, pinner_count(m));

	ASSERT_EQ(0, unpin(m, TEST_IOVA, NPAGES));
	EXPECT_PAGES(s, 3, 3);
	ASSERT_EQ(0, unpin(m, TEST_IOVA + PAGES(5), 1));
	EXPECT_PAGES(s, 3, 3);
	ASSERT_EQ(0, unpin(m, TEST_IOVA + PAGES(4), 3));
	EXPECT_PAGES(s, 1, 1);
	ASSERT_EQ(0, unpin(m, TEST_IOVA + PAGES(5), 1));
	EXPECT_PAGES(s, 0, 0);
	EXPECT_EQ(0, pinner_count(m));
}

/* All of what is asked for is pinned, or nothing. */
TEST_F(alone, refused)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio, *m = &s->mdev;
	__u64 read_only = TEST_IOVA + PAGES(4), missing = TEST_IOVA + PAGES(8);
	int second;

	ASSERT_EQ(0, munmap(self->mem + PAGES(9), SZ_4K));
	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, self->mem, PAGES(4), VFIO_RW));
	ASSERT_EQ(0, vfio_map(v, read_only, self->mem + PAGES(4), PAGES(4),
			      VFIO_DMA_MAP_FLAG_READ));
	ASSERT_EQ(0, vfio_map(v, missing, self->mem + PAGES(8), PAGES(4),
			      VFIO_RW));

	EXPECT_EQ(-EINVAL, pin(m, TEST_IOVA, 0));
	EXPECT_EQ(-EINVAL, pin(m, TEST_IOVA, NPAGES + 1));
	EXPECT_EQ(-EINVAL, pin(m, TEST_IOVA + 1, 1));
	EXPECT_EQ(-EINVAL, pin(m, -SZ_4K, 2));
	EXPECT_EQ(-EINVAL, pinner_pages(m, PINNER_PIN, TEST_IOVA, 1, 0));
	EXPECT_EQ(-EINVAL, pinner_pages(m, PINNER_PIN, TEST_IOVA, 1, 4));
	EXPECT_EQ(-EINVAL, unpin(m, TEST_IOVA, 1));
	EXPECT_EQ(-EINVAL, pinner_write(m, PINNER_DMA, TEST_IOVA, 256));
	EXPECT_EQ(-EPERM, pinner_read(m, PINNER_DMA, TEST_IOVA));
	EXPECT_EQ(-EINVAL, pinner_read(m, PINNER_RW, TEST_IOVA - 1));
	EXPECT_EQ(-EPERM, pinner_write(m, PINNER_RW, read_only, 1));
	second = ioctl(m->group, VFIO_GROUP_GET_DEVICE_FD, MDEV_UUID);
	EXPECT_EQ(-1, second);
	EXPECT_EQ(EBUSY, errno);

	ASSERT_EQ(0, pin(m, TEST_IOVA + PAGES(1), 1));
	EXPECT_EQ(-EINVAL, pin(m, TEST_IOVA - SZ_4K, 2));
	EXPECT_EQ(-EINVAL, pin(m, missing + PAGES(2), 3));
	EXPECT_EQ(-EPERM, pin(m, TEST_IOVA, 5));
	EXPECT_EQ(-EFAULT, pin(m, missing, 2));
	EXPECT_PAGES(s, 1, 1);
	EXPECT_EQ(1, pinner_count(m));
	ASSERT_EQ(0, pinner_pages(m, PINNER_PIN, read_only, 4,
				  VFIO_DMA_MAP_FLAG_READ));
	EXPECT_EQ(-EPERM, pinner_write(m, PINNER_DMA, read_only, 1));
	EXPECT_EQ(1, pinner_read(m, PINNER_DMA, read_only));
	EXPECT_PAGES(s, 5, 5);
}

TEST_F(alone, limit)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio, *m = &s->mdev;

	ASSERT_EQ(0, test_limit_locked(PAGES(3)));
	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, self->mem, PAGES(8), VFIO_RW));
	ASSERT_EQ(0, test_drop_cap_ipc_lock());
	ASSERT_EQ(0, vfio_map(v, TEST_IOVA + PAGES(8), self->mem, SIZE,
			      VFIO_RW));

	EXPECT_EQ(-ENOMEM, pin(m, TEST_IOVA + PAGES(8), 4));
	EXPECT_PAGES(s, 0, 0);
	ASSERT_EQ(0, pin(m, TEST_IOVA + PAGES(8), 3));
	EXPECT_PAGES(s, 3, 3);
	ASSERT_EQ(0, pin(m, TEST_IOVA + PAGES(9), 2));
	EXPECT_EQ(-ENOMEM, pin(m, TEST_IOVA + PAGES(9), 3));
	EXPECT_EQ(-ENOMEM, pin(m, TEST_IOVA + PAGES(12), 1));
	EXPECT_PAGES(s, 3, 3);
	ASSERT_EQ(0, unpin(m, TEST_IOVA + PAGES(9), 2));
	ASSERT_EQ(0, unpin(m, TEST_IOVA + PAGES(8), 3));
	ASSERT_EQ(0, pin(m, TEST_IOVA + PAGES(12), 1));

	/* The user could do that when it mapped this. */
	ASSERT_EQ(0, pin(m, TEST_IOVA, 8));
	EXPECT_PAGES(s, 9, 9);
}

/* By the page or through VFIO, it is the memory of the process. */
TEST_F(alone, access)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio, *m = &s->mdev;
	unsigned char *page = self->mem + PAGES(3);

	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, self->mem, SIZE, VFIO_RW));
	ASSERT_EQ(0, pin(m, TEST_IOVA + PAGES(2), 4));
	EXPECT_EQ(0, pinner_write(m, PINNER_DMA, TEST_IOVA + PAGES(3) + 7, 42));
	EXPECT_EQ(42, page[7]);
	page[8] = 43;
	EXPECT_EQ(43, pinner_read(m, PINNER_DMA, TEST_IOVA + PAGES(3) + 8));
	EXPECT_EQ(43, pinner_read(m, PINNER_RW, TEST_IOVA + PAGES(3) + 8));
	EXPECT_EQ(0, pinner_write(m, PINNER_RW, TEST_IOVA + PAGES(9), 44));
	EXPECT_EQ(44, self->mem[PAGES(9)]);

	/* The device keeps the page that the process gives up. */
	ASSERT_EQ(0, madvise(page, SZ_4K, MADV_DONTNEED));
	EXPECT_EQ(43, pinner_read(m, PINNER_DMA, TEST_IOVA + PAGES(3) + 8));
	EXPECT_EQ(0, pinner_read(m, PINNER_RW, TEST_IOVA + PAGES(3) + 8));
	EXPECT_EQ(0, page[8]);
	EXPECT_PAGES(s, 4, 4);
	EXPECT_EQ(BYTES(SIZE), vfio_unmap(v, TEST_IOVA, SIZE));
	EXPECT_PAGES(s, 0, 0);
}

/* The device is told and lets go of what it has there, and of nothing else. */
TEST_F(alone, unmap)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio, *m = &s->mdev;
	__u64 other = TEST_IOVA + SIZE;

	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, self->mem, SIZE, VFIO_RW));
	ASSERT_EQ(0, vfio_map(v, other, self->mem, PAGES(3), VFIO_RW));
	ASSERT_EQ(0, pin(m, TEST_IOVA + PAGES(1), 1));
	ASSERT_EQ(0, pin(m, TEST_IOVA, NPAGES));
	ASSERT_EQ(0, pin(m, other, 2));
	/* Where both meet */
	ASSERT_EQ(0, pin(m, other - PAGES(1), 2));
	EXPECT_PAGES(s, NPAGES + 2, NPAGES + 2);

	EXPECT_EQ(BYTES(SIZE), vfio_unmap(v, TEST_IOVA, SIZE));
	EXPECT_PAGES(s, 2, 2);
	EXPECT_EQ(2, pinner_count(m));
	EXPECT_EQ(-EINVAL, unpin(m, TEST_IOVA + PAGES(1), 1));
	EXPECT_EQ(-EINVAL, pin(m, TEST_IOVA, 1));
	EXPECT_EQ(BYTES(PAGES(3)), vfio_unmap(v, TEST_IOVA, 2 * SIZE));
	EXPECT_PAGES(s, 0, 0);
	EXPECT_EQ(0, pinner_count(m));
}

/* Whoever closes without unpinning leaves nothing behind. */
TEST_F(alone, close)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio, *m = &s->mdev;

	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, self->mem, SIZE, VFIO_RW));
	ASSERT_EQ(0, pin(m, TEST_IOVA, 7));
	ASSERT_EQ(0, pin(m, TEST_IOVA + PAGES(1), 1));
	close(m->device);
	EXPECT_PAGES(s, 0, 0);
	ASSERT_EQ(0, vfio_open_device(m, &mdev));
	EXPECT_EQ(0, pinner_count(m));
	ASSERT_EQ(0, pin(m, TEST_IOVA + PAGES(1), 4));
	EXPECT_PAGES(s, 4, 4);
	state_close(_metadata, s);
}

/* Nothing is reserved where no IOMMU translates. */
TEST_F(alone, any_iova)
{
	static const __u64 iovas[] = {
		0, 0xfee00000, SZ_4G, 0xfd00000000, -PAGES(3),
	};
	struct state *s = &self->state;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(iovas); i++) {
		ASSERT_EQ(0, vfio_map(&s->vfio, iovas[i], self->mem, PAGES(2),
				      VFIO_RW));
		EXPECT_EQ(0, pin(&s->mdev, iovas[i], 2));
	}
	EXPECT_PAGES(s, 2 * i, 2 * i);
}

/* The end of these is 0 in 64 bits, where 5.10.262 finds no mapping. */
TEST_F(alone, last_page)
{
	struct state *s = &self->state;

	ASSERT_EQ(0, vfio_map(&s->vfio, -PAGES(2), self->mem, PAGES(2),
			      VFIO_RW));
	EXPECT_EQ(0, pin(&s->mdev, -PAGES(2), 2));
	EXPECT_EQ(1, pinner_read(&s->mdev, PINNER_RW, -SZ_4K));
	EXPECT_PAGES(s, 2, 2);
	EXPECT_EQ(BYTES(PAGES(2)), vfio_unmap(&s->vfio, -PAGES(2), PAGES(2)));
	EXPECT_PAGES(s, 0, 0);
}

/* The device can only write what it pinned, or by way of VFIO. */
TEST_F(alone, dirty)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio, *m = &s->mdev;
	__u64 bitmap;

	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, self->mem, PAGES(64), VFIO_RW));
	ASSERT_EQ(0, pin(m, TEST_IOVA + PAGES(1), 1));
	ASSERT_EQ(0, vfio_set_dirty(v, VFIO_IOMMU_DIRTY_PAGES_FLAG_START));
	EXPECT_EQ(0, vfio_get_dirty(v, TEST_IOVA, PAGES(64), &bitmap));
	EXPECT_EQ(0x2ull, bitmap);

	/* One that was pinned meanwhile may have been written. */
	ASSERT_EQ(0, pin(m, TEST_IOVA + PAGES(4), 2));
	ASSERT_EQ(0, unpin(m, TEST_IOVA + PAGES(4), 2));
	ASSERT_EQ(0, pinner_write(m, PINNER_RW, TEST_IOVA + PAGES(8), 1));
	ASSERT_LE(0, pinner_read(m, PINNER_RW, TEST_IOVA + PAGES(9)));
	EXPECT_EQ(0, vfio_get_dirty(v, TEST_IOVA, PAGES(64), &bitmap));
	EXPECT_EQ(0x132ull, bitmap);
	EXPECT_EQ(0, vfio_get_dirty(v, TEST_IOVA, PAGES(64), &bitmap));
	EXPECT_EQ(0x2ull, bitmap);

	ASSERT_EQ(0, pin(m, TEST_IOVA + PAGES(63), 1));
	EXPECT_EQ(BYTES(PAGES(64)),
		  vfio_unmap_dirty(v, TEST_IOVA, PAGES(64), &bitmap));
	EXPECT_EQ(0x8000000000000002ull, bitmap);
	EXPECT_PAGES(s, 0, 0);
}

FIXTURE(beside) {
	struct state state;
	unsigned char *mem;
};

FIXTURE_VARIANT(beside) {
	bool hugetlb;
};

FIXTURE_VARIANT_ADD(beside, small) {
	.hugetlb = false,
};

FIXTURE_VARIANT_ADD(beside, hugetlb) {
	.hugetlb = true,
};

FIXTURE_SETUP(beside)
{
	ASSERT_EQ(0, test_bind());
	self->mem = alloc_memory(variant->hugetlb);
	if (self->mem == MAP_FAILED)
		SKIP(_exit(255), "no memory: %s", strerror(errno));
	state_open(_metadata, &self->state);
}

FIXTURE_TEARDOWN(beside)
{
	state_close(_metadata, &self->state);
	test_reset();
}

/* Pages are pinned one by one, at the ends and twice: 12 of them. */
static void pin_some(struct __test_metadata *_metadata, struct state *s)
{
	ASSERT_EQ(0, pin(&s->mdev, TEST_IOVA, 1));
	ASSERT_EQ(0, pin(&s->mdev, TEST_IOVA + PAGES(3), 9));
	ASSERT_EQ(0, pin(&s->mdev, TEST_IOVA + PAGES(5), 2));
	ASSERT_EQ(0, pin(&s->mdev, TEST_IOVA + SIZE - PAGES(2), 2));
}

#define SOME	12

/* What the mediated device has pinned, the IOMMU pins too, but counts not. */
TEST_F(beside, joins_mdev)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio, *m = &s->mdev;
	__u64 iova = TEST_IOVA;
	int i;

	ASSERT_EQ(0, join(s, m, &mdev));
	ASSERT_EQ(0, vfio_map(v, iova, self->mem, SIZE, VFIO_RW));
	pin_some(_metadata, s);
	EXPECT_PAGES(s, SOME, SOME);

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, join(s, &s->real, &test_dev));
		EXPECT_PAGES(s, NPAGES, NPAGES + SOME);
		expect_copies(_metadata, s, iova + PAGES(3),
			      self->mem + PAGES(3));
		expect_copies(_metadata, s, iova + SIZE - SZ_4K,
			      self->mem + SIZE - SZ_4K);
		vfio_close(&s->real);
		EXPECT_PAGES(s, SOME, SOME);
	}

	/* What changes while both are there counts when one has left. */
	ASSERT_EQ(0, join(s, &s->real, &test_dev));
	ASSERT_EQ(0, unpin(m, iova + PAGES(3), 9));
	EXPECT_PAGES(s, NPAGES, NPAGES + 5);
	ASSERT_EQ(0, pin(m, iova + PAGES(100), 10));
	EXPECT_PAGES(s, NPAGES, NPAGES + 15);
	vfio_close(&s->real);
	EXPECT_PAGES(s, 15, 15);
	ASSERT_EQ(0, unpin(m, iova + PAGES(100), 10));
	EXPECT_PAGES(s, 5, 5);
	EXPECT_EQ(BYTES(SIZE), vfio_unmap(v, iova, SIZE));
	EXPECT_PAGES(s, 0, 0);
}

/*
 * Four huge pages, of which two or more follow one another most likely, as the
 * last one that was free is the first one taken. In each, other pages are pinned.
 */
TEST_F(beside, joins_long_run)
{
	struct state *s = &self->state;
	unsigned char *mem;
	int i;

	if (!variant->hugetlb)
		SKIP(return, "needs huge pages");
	sysfs_write("5", HUGEPAGES_PARAM);
	mem = mmap(NULL, 4 * SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (mem == MAP_FAILED)
		SKIP(return, "no huge pages: %s", strerror(errno));
	for (i = 3; i >= 0; i--)
		mem[i * SIZE] = 1;

	ASSERT_EQ(0, join(s, &s->mdev, &mdev));
	ASSERT_EQ(0, vfio_map(&s->vfio, TEST_IOVA, mem, 4 * SIZE, VFIO_RW));
	for (i = 1; i < 4; i++)
		ASSERT_EQ(0, pin(&s->mdev, TEST_IOVA + i * SIZE + PAGES(3), i));
	ASSERT_EQ(0, join(s, &s->real, &test_dev));
	EXPECT_PAGES(s, 4 * NPAGES, 4 * NPAGES + 6);
	vfio_close(&s->real);
	EXPECT_PAGES(s, 6, 6);
}

/* All is pinned and counted: the mediated device adds nothing to that. */
TEST_F(beside, mdev_joins)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio, *m = &s->mdev;

	ASSERT_EQ(0, join(s, &s->real, &test_dev));
	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, self->mem, SIZE, VFIO_RW));
	EXPECT_PAGES(s, NPAGES, NPAGES);
	ASSERT_EQ(0, join(s, m, &mdev));
	pin_some(_metadata, s);
	EXPECT_PAGES(s, NPAGES, NPAGES + SOME);
	EXPECT_EQ(0, pinner_write(m, PINNER_DMA, TEST_IOVA + PAGES(4), 42));
	EXPECT_EQ(42, self->mem[PAGES(4)]);
	expect_copies(_metadata, s, TEST_IOVA + PAGES(4), self->mem + PAGES(4));
	ASSERT_EQ(0, unpin(m, TEST_IOVA + PAGES(3), 9));
	EXPECT_PAGES(s, NPAGES, NPAGES + 5);
	vfio_close(m);
	EXPECT_PAGES(s, NPAGES, NPAGES);

	/* Whichever leaves first */
	ASSERT_EQ(0, join(s, m, &mdev));
	pin_some(_metadata, s);
	vfio_close(&s->real);
	EXPECT_PAGES(s, SOME, SOME);
	vfio_close(m);
	EXPECT_PAGES(s, 0, 0);
}

TEST_F(beside, unmap)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio, *m = &s->mdev;
	__u64 other = TEST_IOVA + SZ_1G;

	ASSERT_EQ(0, join(s, m, &mdev));
	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, self->mem, SIZE, VFIO_RW));
	pin_some(_metadata, s);
	ASSERT_EQ(0, join(s, &s->real, &test_dev));
	ASSERT_EQ(0, vfio_map(v, other, self->mem, SIZE, VFIO_RW));
	ASSERT_EQ(0, pin(m, other + PAGES(7), 2));
	EXPECT_PAGES(s, 2 * NPAGES, 2 * NPAGES + SOME + 2);

	EXPECT_EQ(BYTES(SIZE), vfio_unmap(v, TEST_IOVA, SIZE));
	EXPECT_EQ(2, pinner_count(m));
	EXPECT_PAGES(s, NPAGES, NPAGES + 2);
	EXPECT_EQ(-EINVAL, unpin(m, TEST_IOVA, 1));
	EXPECT_EQ(BYTES(SIZE), vfio_unmap(v, other, SIZE));
	EXPECT_EQ(0, pinner_count(m));
	EXPECT_PAGES(s, 0, 0);
}

/* The limit is met by what counts, and a page that is pinned counted before. */
TEST_F(beside, limit)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio, *m = &s->mdev;

	ASSERT_EQ(0, test_drop_cap_ipc_lock());
	ASSERT_EQ(0, test_limit_locked(SIZE));
	ASSERT_EQ(0, join(s, m, &mdev));
	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, self->mem, SIZE, VFIO_RW));
	pin_some(_metadata, s);
	ASSERT_EQ(0, join(s, &s->real, &test_dev));
	EXPECT_PAGES(s, NPAGES, NPAGES + SOME);
	ASSERT_EQ(0, pin(m, TEST_IOVA + PAGES(100), 10));
	EXPECT_PAGES(s, NPAGES, NPAGES + SOME + 10);
	EXPECT_EQ(-ENOMEM, vfio_map(v, TEST_IOVA + SIZE, self->mem, SZ_4K,
				    VFIO_RW));
	vfio_close(&s->real);
	EXPECT_PAGES(s, SOME + 10, SOME + 10);

	ASSERT_EQ(0, test_limit_locked(SIZE - PAGES(SOME + 11)));
	EXPECT_EQ(-ENOMEM, join(s, &s->real, &test_dev));
	EXPECT_PAGES(s, SOME + 10, SOME + 10);
	ASSERT_EQ(0, test_limit_locked(SIZE - PAGES(SOME + 10)));
	EXPECT_EQ(0, join(s, &s->real, &test_dev));
	EXPECT_PAGES(s, NPAGES, NPAGES + SOME + 10);
}

/*
 * A group that cannot join for want of memory leaves all as it was. The first
 * hundred allocations fail in turn, and then one in ten.
 */
TEST_F_TIMEOUT(beside, nomem, 120)
{
	struct state *s = &self->state;
	int nth, ret, fails = 0;
	bool hit;

	if (!test_faults_ready())
		SKIP(return, "no fault injection in this kernel");
	ASSERT_EQ(0, join(s, &s->mdev, &mdev));
	ASSERT_EQ(0, vfio_map(&s->vfio, TEST_IOVA, self->mem, SIZE, VFIO_RW));
	/* Ends where another table begins */
	ASSERT_EQ(0, vfio_map(&s->vfio, SZ_1G - PAGES(4), self->mem, PAGES(8),
			      VFIO_RW));
	pin_some(_metadata, s);
	ASSERT_EQ(0, pin(&s->mdev, SZ_1G - PAGES(3), 5));

	for (nth = 1, hit = true; hit; nth += nth < 100 ? 1 : nth / 10) {
		ASSERT_GT(10000, nth);
		s->real.group = vfio_open_group(&test_dev);
		ASSERT_LE(0, s->real.group);
		ASSERT_EQ(0, test_arm_fault(nth));
		ret = set_container(s, &s->real);
		hit = test_fault_hit();
		if (ret) {
			EXPECT_TRUE(hit)
				TH_LOG("%d without a fault", ret);
			fails++;
		} else {
			EXPECT_PAGES(s, NPAGES + 8, NPAGES + 8 + SOME + 5);
		}
		vfio_close(&s->real);
		EXPECT_PAGES(s, SOME + 5, SOME + 5);
	}
	EXPECT_LT(2, fails);
}

/* The first range that the IOMMU leaves out, 0 if there is none. */
static __u64 find_hole(struct vfio *v)
{
	struct vfio_iova_range ranges[16];
	int n;

	n = vfio_iova_ranges(v, ranges, ARRAY_SIZE(ranges));
	return n > 1 ? ranges[0].end + 1 : 0;
}

/* What is reserved is so while the device is there that has reserved it. */
TEST_F(beside, reserved)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio, *m = &s->mdev;
	__u64 hole;

	ASSERT_EQ(0, join(s, &s->real, &test_dev));
	ASSERT_EQ(0, join(s, m, &mdev));
	hole = find_hole(v);
	if (!hole)
		SKIP(return, "nothing is reserved for %s", test_dev.name);
	EXPECT_EQ(-EINVAL, vfio_map(v, hole, self->mem, SZ_4K, VFIO_RW));
	vfio_close(&s->real);

	ASSERT_EQ(0, vfio_map(v, hole, self->mem, SZ_4K, VFIO_RW));
	ASSERT_EQ(0, pin(m, hole, 1));
	EXPECT_EQ(-EINVAL, join(s, &s->real, &test_dev));
	EXPECT_PAGES(s, 1, 1);
	EXPECT_EQ(BYTES(SZ_4K), vfio_unmap(v, hole, SZ_4K));
	EXPECT_EQ(0, pinner_count(m));
	ASSERT_EQ(0, vfio_map(v, hole - SZ_4K, self->mem, SZ_4K, VFIO_RW));
	ASSERT_EQ(0, pin(m, hole - SZ_4K, 1));
	EXPECT_EQ(0, join(s, &s->real, &test_dev));
	EXPECT_EQ(-EINVAL, vfio_map(v, hole, self->mem, SZ_4K, VFIO_RW));
	EXPECT_PAGES(s, 1, 2);
}

/* A device that does not tell what it writes makes all dirty while it is there. */
TEST_F(beside, dirty)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio, *m = &s->mdev;
	__u64 bitmap;

	ASSERT_EQ(0, join(s, m, &mdev));
	ASSERT_EQ(0, vfio_set_dirty(v, VFIO_IOMMU_DIRTY_PAGES_FLAG_START));
	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, self->mem, PAGES(64), VFIO_RW));
	ASSERT_EQ(0, pin(m, TEST_IOVA + PAGES(2), 3));
	EXPECT_EQ(0, vfio_get_dirty(v, TEST_IOVA, PAGES(64), &bitmap));
	EXPECT_EQ(0x1cull, bitmap);

	ASSERT_EQ(0, join(s, &s->real, &test_dev));
	EXPECT_EQ(0, vfio_get_dirty(v, TEST_IOVA, PAGES(64), &bitmap));
	EXPECT_EQ(-1ull, bitmap);
	EXPECT_EQ(0, vfio_get_dirty(v, TEST_IOVA, PAGES(64), &bitmap));
	EXPECT_EQ(-1ull, bitmap);

	/* It may have written until it left. */
	vfio_close(&s->real);
	EXPECT_EQ(0, vfio_get_dirty(v, TEST_IOVA, PAGES(64), &bitmap));
	EXPECT_EQ(-1ull, bitmap);
	EXPECT_EQ(0, vfio_get_dirty(v, TEST_IOVA, PAGES(64), &bitmap));
	EXPECT_EQ(0x1cull, bitmap);
	EXPECT_EQ(BYTES(PAGES(64)),
		  vfio_unmap_dirty(v, TEST_IOVA, PAGES(64), &bitmap));
	EXPECT_EQ(0x1cull, bitmap);
	EXPECT_PAGES(s, 0, 0);
}

/* The zero page is nobody's, so it counts for neither device. */
TEST_F(beside, zero_page)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio, *m = &s->mdev;
	unsigned char *mem;
	int i;

	if (variant->hugetlb)
		SKIP(return, "a huge page has no zero page");
	mem = mmap(NULL, PAGES(8), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(0, madvise(mem, PAGES(8), MADV_NOHUGEPAGE));
	mem[PAGES(2)] = 1;
	mem[PAGES(5)] = 1;

	ASSERT_EQ(0, join(s, m, &mdev));
	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, mem, PAGES(8),
			      VFIO_DMA_MAP_FLAG_READ));
	ASSERT_EQ(0, pinner_pages(m, PINNER_PIN, TEST_IOVA + PAGES(1), 3,
				  VFIO_DMA_MAP_FLAG_READ));
	EXPECT_PAGES(s, 1, 1);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, join(s, &s->real, &test_dev));
		EXPECT_PAGES(s, 2, 3);
		vfio_close(&s->real);
		EXPECT_PAGES(s, 1, 1);
	}
	ASSERT_EQ(0, unpin(m, TEST_IOVA + PAGES(1), 3));
	EXPECT_PAGES(s, 0, 0);
}

/*
 * The process writes where the mediated device has pinned the zero page, so the
 * IOMMU pins another one, which counts. 5.10.262 only uncounts that.
 */
TEST_F(beside, zero_page_written)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio, *m = &s->mdev;
	unsigned char *mem;

	if (variant->hugetlb)
		SKIP(return, "a huge page has no zero page");
	mem = mmap(NULL, PAGES(4), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(0, madvise(mem, PAGES(4), MADV_NOHUGEPAGE));
	ASSERT_EQ(0, join(s, m, &mdev));
	ASSERT_EQ(0, vfio_map(v, TEST_IOVA + SIZE, self->mem, SIZE, VFIO_RW));
	ASSERT_EQ(0, pin(m, TEST_IOVA + SIZE, 4));
	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, mem, PAGES(4),
			      VFIO_DMA_MAP_FLAG_READ));
	ASSERT_EQ(0, pinner_pages(m, PINNER_PIN, TEST_IOVA, 4,
				  VFIO_DMA_MAP_FLAG_READ));
	EXPECT_PAGES(s, 4, 4);

	mem[PAGES(2)] = 1;
	ASSERT_EQ(0, join(s, &s->real, &test_dev));
	EXPECT_PAGES(s, NPAGES + 1, NPAGES + 5);
	vfio_close(&s->real);
	EXPECT_PAGES(s, 4, 4);
}

static void remove_mdev(void)
{
	sysfs_write("1", "%s/remove", mdev.path);
}

int main(int argc, char **argv)
{
	int ret;

	test_init_type1();
	if (!sysfs_exists(MDEV_CREATE))
		ksft_exit_skip("no CONFIG_SAMPLE_VFIO_MDEV_PINNER in this kernel\n");
	ret = sysfs_write(MDEV_UUID, MDEV_CREATE);
	if (ret && ret != -EEXIST)
		ksft_exit_fail_msg(MDEV_CREATE ": %s\n", strerror(-ret));
	atexit(remove_mdev);
	return test_harness_run(argc, argv);
}
