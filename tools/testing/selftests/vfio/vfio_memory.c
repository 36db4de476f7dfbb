// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a mapping does to the memory of the process: how much of it counts as
 * locked, when that is refused, that nothing stays pinned, and that the device
 * gets the right page where large pages, small ones, holes and registers meet.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "dma_tables.h"
#include "edu.h"
#include "vfio_lib.h"
#include "vfio_test.h"

#define MEMINFO		"/proc/meminfo"

/* Of an entry of /proc/self/pagemap, the number of the page */
#define PAGEMAP_FRAME	((1ull << 55) - 1)

#define COPY_SIZE	256
#define SIZE		(2 * SZ_2M)
#define KILL_SIZE	(4 * SZ_2M)
#define PAGES(n)	((n) * SZ_4K)
/* As bytes that vfio_unmap() and locked() return */
#define BYTES(n)	((long long)(n))

/* Aligned like a large page, and not */
static const __u64 iovas[] = { TEST_IOVA, TEST_IOVA + PAGES(3) };

struct state {
	struct vfio vfio;
	struct edu edu;
	bool has_edu;
	long locked_kb;
	long pinned;
};

static void state_open(struct __test_metadata *_metadata, struct state *s)
{
	s->pinned = test_pinned_pages();
	ASSERT_LE(0, s->pinned);
	s->locked_kb = test_locked_kb();
	ASSERT_LE(0, s->locked_kb);
	ASSERT_EQ(0, vfio_open_all(&s->vfio, &test_dev));
	s->has_edu = edu_matches(&test_dev);
	if (s->has_edu)
		ASSERT_EQ(0, edu_open(&s->edu, s->vfio.device));
}

/* Bytes and pages since state_open(). */
static long long locked(const struct state *s)
{
	return (test_locked_kb() - s->locked_kb) * 1024ll;
}

static long pinned(const struct state *s)
{
	return test_pinned_pages() - s->pinned;
}

static void state_close(struct __test_metadata *_metadata, struct state *s)
{
	if (s->has_edu)
		edu_close(&s->edu);
	s->has_edu = false;
	vfio_close(&s->vfio);
	EXPECT_EQ(0ll, locked(s));
	EXPECT_EQ(0, pinned(s));
}

static void expect_copies(struct __test_metadata *_metadata, struct state *s,
			  __u64 iova, unsigned char *mem)
{
	if (s->has_edu)
		EXPECT_TRUE(edu_copies(&s->edu, iova, mem, COPY_SIZE))
			TH_LOG("%#llx", iova);
}

/* Does the device find @value at @iova? @mem is what it has at @window. */
static bool device_sees(struct state *s, __u64 iova, int value, __u64 window,
			unsigned char *mem)
{
	int i;

	memset(mem, ~value, COPY_SIZE);
	if (edu_load(&s->edu, iova, COPY_SIZE) ||
	    edu_store(&s->edu, window, COPY_SIZE))
		return false;
	for (i = 0; i < COPY_SIZE; i++) {
		if (mem[i] != value)
			return false;
	}
	return true;
}

static void expect_seen(struct __test_metadata *_metadata, struct state *s,
			__u64 iova, int value, __u64 window, unsigned char *mem)
{
	if (s->has_edu)
		EXPECT_TRUE(device_sees(s, iova, value, window, mem))
			TH_LOG("%#llx", iova);
}

FIXTURE(memory) {
	struct state state;
	unsigned char *room;
	unsigned char *mem;
};

FIXTURE_VARIANT(memory) {
	int flags;
	int advice;
};

FIXTURE_VARIANT_ADD(memory, small) {
	.advice = MADV_NOHUGEPAGE,
};

FIXTURE_VARIANT_ADD(memory, thp) {
	.advice = MADV_HUGEPAGE,
};

FIXTURE_VARIANT_ADD(memory, hugetlb) {
	.flags = MAP_HUGETLB,
};

FIXTURE_SETUP(memory)
{
	void *huge;
	size_t i;

	ASSERT_EQ(0, test_bind());
	self->room = mmap(NULL, SIZE + SZ_2M, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->room);
	self->mem = (unsigned char *)
		(((unsigned long)self->room + SZ_2M - 1) & -SZ_2M);
	if (variant->flags & MAP_HUGETLB) {
		sysfs_write("2", HUGEPAGES_PARAM);
		/* One by one: when 5.10 splits them, lockdep warns. */
		for (i = 0; i < SIZE; i += SZ_2M) {
			huge = mmap(self->mem + i, SZ_2M,
				    PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED |
				    MAP_POPULATE | variant->flags, -1, 0);
			if (huge == MAP_FAILED)
				SKIP(_exit(255), "no huge pages: %s",
				     strerror(errno));
		}
	} else {
		/* Without huge pages there is nothing to advise. */
		sysfs_write("madvise", THP_PARAM);
		madvise(self->mem, SIZE, variant->advice);
	}
	memset(self->mem, 1, SIZE);
	if (variant->advice == MADV_HUGEPAGE &&
	    test_read_number("/proc/self/smaps_rollup", "AnonHugePages") <
	    (long)(SIZE / 1024))
		SKIP(_exit(255), "no transparent huge pages");
	state_open(_metadata, &self->state);
}

FIXTURE_TEARDOWN(memory)
{
	state_close(_metadata, &self->state);
	test_reset();
}

/* All of it, and parts that begin and end within large pages. */
TEST_F_TIMEOUT(memory, accounting, 60)
{
	static const struct {
		size_t first;
		size_t size;
	} parts[] = {
		{ 0, SIZE }, { 0, SZ_2M }, { SZ_4K, SZ_2M }, { 0, SZ_4K },
		{ SZ_2M - SZ_4K, PAGES(2) }, { PAGES(3), SIZE - PAGES(5) },
		{ SZ_2M + PAGES(5), SZ_2M - PAGES(7) },
		{ SZ_2M / 2, SZ_2M / 2 }, { PAGES(100), PAGES(313) },
	};
	struct state *s = &self->state;
	struct vfio *v = &s->vfio;
	unsigned char *mem;
	size_t i, size;
	__u64 iova;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		iova = iovas[i % 2];
		mem = self->mem + parts[i].first;
		size = parts[i].size;
		ASSERT_EQ(0, vfio_map(v, iova, mem, size, VFIO_RW));
		EXPECT_EQ(BYTES(size), locked(s));
		/* The end is where a wrong count shows. */
		if (i % 3 == 2)
			expect_copies(_metadata, s, iova + size - SZ_4K,
				      mem + size - SZ_4K);
		EXPECT_EQ(BYTES(size), vfio_unmap(v, iova, size));
		EXPECT_EQ(0ll, locked(s));
		EXPECT_EQ(0, pinned(s));
	}
}

TEST_F(memory, read_only)
{
	__u64 iova = iovas[0], window = iova + SIZE;
	struct state *s = &self->state;
	struct vfio *v = &s->vfio;
	unsigned char *page;

	page = test_alloc(SZ_4K, 0);
	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, vfio_map(v, window, page, SZ_4K, VFIO_RW));
	ASSERT_EQ(0, vfio_map(v, iova, self->mem, SIZE,
			      VFIO_DMA_MAP_FLAG_READ));
	EXPECT_EQ(BYTES(SIZE + SZ_4K), locked(s));
	if (s->has_edu) {
		memset(self->mem + SZ_2M, 5, COPY_SIZE);
		EXPECT_TRUE(device_sees(s, iova + SZ_2M, 5, window, page));
		memset(page, 6, COPY_SIZE);
		ASSERT_EQ(0, edu_load(&s->edu, window, COPY_SIZE));
		ASSERT_EQ(0, edu_store(&s->edu, iova + SZ_2M, COPY_SIZE));
		EXPECT_EQ(5, self->mem[SZ_2M]);
		EXPECT_EQ(5, self->mem[SZ_2M + COPY_SIZE - 1]);
	}
	EXPECT_EQ(BYTES(SIZE), vfio_unmap(v, iova, SIZE));
	EXPECT_EQ(BYTES(SZ_4K), locked(s));
}

TEST_F_TIMEOUT(memory, limit, 60)
{
	/* Pages: one, around a large page, and where a batch may end */
	static const size_t limits[] = { 1, 511, 512, 513, 700 };
	struct state *s = &self->state;
	struct vfio *v = &s->vfio;
	__u64 iova = iovas[0];
	size_t i, size;

	ASSERT_EQ(0, test_limit_locked(0));
	EXPECT_EQ(0, vfio_map(v, iova, self->mem, SIZE, VFIO_RW));
	EXPECT_EQ(BYTES(SIZE), vfio_unmap(v, iova, SIZE));

	ASSERT_EQ(0, test_drop_cap_ipc_lock());
	EXPECT_EQ(-ENOMEM, vfio_map(v, iova, self->mem, SZ_4K, VFIO_RW));
	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		size = PAGES(limits[i]);
		ASSERT_EQ(0, test_limit_locked(size));
		EXPECT_EQ(-ENOMEM, vfio_map(v, iova, self->mem,
					    i % 2 ? size + SZ_4K : SIZE,
					    VFIO_RW));
		EXPECT_EQ(0ll, locked(s));
		EXPECT_EQ(0, pinned(s));
		EXPECT_EQ(0ll, vfio_unmap(v, iova, SIZE));

		ASSERT_EQ(0, vfio_map(v, iova, self->mem, size, VFIO_RW));
		EXPECT_EQ(BYTES(size), locked(s));
		EXPECT_EQ(-ENOMEM, vfio_map(v, iova + SIZE, self->mem, SZ_4K,
					    VFIO_RW));
		EXPECT_EQ(BYTES(size), vfio_unmap(v, iova, SIZE));
	}

	/* The same memory counts as often as it is mapped. */
	ASSERT_EQ(0, test_limit_locked(PAGES(3)));
	ASSERT_EQ(0, vfio_map(v, iova, self->mem, PAGES(2), VFIO_RW));
	EXPECT_EQ(-ENOMEM, vfio_map(v, iova + SIZE, self->mem, PAGES(2),
				    VFIO_RW));
	EXPECT_EQ(BYTES(PAGES(2)), locked(s));
	EXPECT_EQ(0, vfio_map(v, iova + SIZE, self->mem, SZ_4K, VFIO_RW));
	EXPECT_EQ(BYTES(PAGES(3)), locked(s));
}

static void expect_fault(struct __test_metadata *_metadata, struct state *s,
			 unsigned char *mem, __u32 flags)
{
	EXPECT_EQ(-EFAULT, vfio_map(&s->vfio, iovas[0], mem, SIZE, flags));
	EXPECT_EQ(0ll, locked(s));
	EXPECT_EQ(0, pinned(s));
	EXPECT_EQ(0ll, vfio_unmap(&s->vfio, iovas[0], SIZE));
}

/* What may not be accessed in that way, or is not there, undoes all. */
TEST_F_TIMEOUT(memory, fault, 60)
{
	size_t hole = variant->flags & MAP_HUGETLB ? SZ_2M : SZ_4K;
	unsigned char *tail = self->mem + SZ_2M;
	struct state *s = &self->state;
	struct vfio *v = &s->vfio;
	__u64 iova = iovas[0];

	ASSERT_EQ(0, mprotect(tail, hole, PROT_READ));
	expect_fault(_metadata, s, self->mem, VFIO_RW);
	EXPECT_EQ(0, vfio_map(v, iova, self->mem, SIZE,
			      VFIO_DMA_MAP_FLAG_READ));
	EXPECT_EQ(BYTES(SIZE), locked(s));
	EXPECT_EQ(BYTES(SIZE), vfio_unmap(v, iova, SIZE));

	ASSERT_EQ(0, mprotect(tail, hole, PROT_NONE));
	expect_fault(_metadata, s, self->mem, VFIO_DMA_MAP_FLAG_READ);

	ASSERT_EQ(0, munmap(tail, hole));
	expect_fault(_metadata, s, self->mem, VFIO_RW);

	EXPECT_EQ(0, vfio_map(v, iova, self->mem, SZ_2M, VFIO_RW));
	EXPECT_EQ(BYTES(SZ_2M), locked(s));
	expect_copies(_metadata, s, iova + SZ_2M - SZ_4K, tail - SZ_4K);
}

/* A small page in a large one, put there before and while it is mapped. */
TEST_F_TIMEOUT(memory, split, 60)
{
	unsigned char *page = self->mem + SZ_2M + PAGES(100);
	struct state *s = &self->state;
	struct vfio *v = &s->vfio;
	__u64 iova = iovas[0], at = iova + (page - self->mem);

	if (variant->flags & MAP_HUGETLB)
		SKIP(return, "huge pages of hugetlb do not split");

	ASSERT_EQ(0, madvise(page, SZ_4K, MADV_DONTNEED));
	memset(page, 2, SZ_4K);
	ASSERT_EQ(0, vfio_map(v, iova, self->mem, SIZE, VFIO_RW));
	EXPECT_EQ(BYTES(SIZE), locked(s));
	expect_copies(_metadata, s, at - SZ_4K, page - SZ_4K);
	expect_copies(_metadata, s, at, page);
	expect_copies(_metadata, s, at + SZ_4K, page + SZ_4K);
	expect_copies(_metadata, s, iova + SIZE - SZ_4K,
		      self->mem + SIZE - SZ_4K);

	/* The device keeps the page that the process gives up. */
	memset(page, 7, SZ_4K);
	ASSERT_EQ(0, madvise(page, SZ_4K, MADV_DONTNEED));
	EXPECT_EQ(0, page[0]);
	expect_seen(_metadata, s, at, 7, iova, self->mem);

	ASSERT_EQ(0, mprotect(self->mem + PAGES(7), SZ_4K, PROT_READ));
	expect_copies(_metadata, s, iova + PAGES(8), self->mem + PAGES(8));
	ASSERT_EQ(0, munmap(self->mem + PAGES(7), SZ_4K));
	expect_copies(_metadata, s, iova + PAGES(6), self->mem + PAGES(6));
	EXPECT_EQ(BYTES(SIZE), vfio_unmap(v, iova, SIZE));
	EXPECT_EQ(0ll, locked(s));
	EXPECT_EQ(0, pinned(s));
}

/* What the process unmaps, huge pages in part, is free when the device did. */
TEST_F(memory, given_up)
{
	unsigned char *part = self->mem + PAGES(100), *page;
	__u64 iova = iovas[0], window = iova + SIZE;
	bool hugetlb = variant->flags & MAP_HUGETLB;
	struct state *s = &self->state;
	struct vfio *v = &s->vfio;
	long before;

	page = test_alloc(SZ_4K, 0);
	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, vfio_map(v, window, page, SZ_4K, VFIO_RW));
	before = test_read_number(MEMINFO, "HugePages_Free");

	ASSERT_EQ(0, vfio_map(v, iova, part, SZ_2M, VFIO_RW));
	memset(part + SZ_2M - SZ_4K, 4, SZ_4K);
	ASSERT_EQ(0, munmap(self->mem, SIZE));
	EXPECT_EQ(BYTES(SZ_2M + SZ_4K), locked(s));
	expect_seen(_metadata, s, iova + SZ_2M - SZ_4K, 4, window, page);
	/* The device has parts of both. */
	if (hugetlb)
		EXPECT_EQ(before, test_read_number(MEMINFO, "HugePages_Free"));

	EXPECT_EQ(BYTES(SZ_2M), vfio_unmap(v, iova, SZ_2M));
	EXPECT_EQ(BYTES(SZ_4K), locked(s));
	if (hugetlb)
		EXPECT_EQ(before + 2,
			  test_read_number(MEMINFO, "HugePages_Free"));
}

/* Whoever writes first, the device stays with the memory of the parent. */
TEST_F(memory, fork)
{
	bool hugetlb = variant->flags & MAP_HUGETLB;
	struct state *s = &self->state;
	struct vfio *v = &s->vfio;
	__u64 iova = iovas[0];
	int status, fds[2];
	pid_t pid;
	char byte;

	/* For huge pages, 5.10 leaves that to MADV_DONTFORK. */
	if (hugetlb)
		ASSERT_EQ(0, madvise(self->mem, SIZE, MADV_DONTFORK));
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(0, vfio_map(v, iova, self->mem, SIZE, VFIO_RW));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(fds[1]);
		if (read(fds[0], &byte, 1))
			_exit(1);
		if (!hugetlb)
			memset(self->mem, 3, SIZE);
		_exit(0);
	}

	close(fds[0]);
	expect_copies(_metadata, s, iova + SZ_2M - SZ_4K,
		      self->mem + SZ_2M - SZ_4K);
	memset(self->mem + SZ_2M, 8, SZ_4K);
	close(fds[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(8, self->mem[SZ_2M]);
	expect_seen(_metadata, s, iova + SZ_2M, 8, iova, self->mem);
	expect_copies(_metadata, s, iova + SIZE - SZ_4K,
		      self->mem + SIZE - SZ_4K);
	EXPECT_EQ(BYTES(SIZE), vfio_unmap(v, iova, SIZE));
	EXPECT_EQ(0ll, locked(s));
}

/* Registers before, between and after memory are mapped and do not count. */
TEST_F_TIMEOUT(memory, registers, 60)
{
	static const size_t firsts[] = { SZ_2M, SIZE - PAGES(2), 0 };
	struct vfio_region_info bar = {
		.argsz = sizeof(bar),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	bool hugetlb = variant->flags & MAP_HUGETLB;
	struct state *s = &self->state;
	struct vfio *v = &s->vfio;
	unsigned char *regs;
	long long count;
	__u64 iova;
	size_t i;

	if (!s->has_edu)
		SKIP(return, "%s is not an edu device", test_dev.name);
	/* Nothing fits into a huge page: let the last be small ones. */
	if (hugetlb)
		ASSERT_NE(MAP_FAILED,
			  mmap(self->mem + SZ_2M, SZ_2M, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	ASSERT_EQ(0, ioctl(v->device, VFIO_DEVICE_GET_REGION_INFO, &bar));
	for (i = 0; i < ARRAY_SIZE(firsts) - hugetlb; i++) {
		regs = mmap(self->mem + firsts[i], PAGES(2),
			    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			    v->device, bar.offset);
		ASSERT_EQ(self->mem + firsts[i], regs);
		count = BYTES(SIZE - (i + 1) * PAGES(2));
		iova = iovas[i % 2];
		ASSERT_EQ(0, vfio_map(v, iova, self->mem, SIZE, VFIO_RW));
		EXPECT_EQ(count, locked(s));
		expect_copies(_metadata, s, iova + SZ_2M - SZ_4K,
			      self->mem + SZ_2M - SZ_4K);
		expect_copies(_metadata, s, iova + SZ_2M + PAGES(2),
			      self->mem + SZ_2M + PAGES(2));
		EXPECT_EQ(BYTES(SIZE), vfio_unmap(v, iova, SIZE));
		EXPECT_EQ(0ll, locked(s));

		ASSERT_EQ(0, vfio_map(v, iova, regs, PAGES(2), VFIO_RW));
		EXPECT_EQ(0ll, locked(s));
		EXPECT_EQ(BYTES(PAGES(2)), vfio_unmap(v, iova, PAGES(2)));
	}
	ASSERT_EQ(0, mprotect(regs, PAGES(2), PROT_READ));
	EXPECT_EQ(-EFAULT, vfio_map(v, iovas[0], regs, PAGES(2), VFIO_RW));
	EXPECT_EQ(0ll, vfio_unmap(v, iovas[0], PAGES(2)));
	/* The device is in use while they are mapped. */
	ASSERT_EQ(0, munmap(self->room, SIZE + SZ_2M));
}

/*
 * Each allocation fails in turn. Tables of the IOMMU are new for each try, and
 * one ends in the middle of the mapping.
 */
TEST_F_TIMEOUT(memory, nomem, 120)
{
	unsigned char *mem = self->mem + SZ_2M - PAGES(4);
	__u64 iova = TEST_IOVA + SZ_2M - PAGES(4);
	struct state *s = &self->state;
	struct vfio *v = &s->vfio;
	size_t size = PAGES(8);
	int nth, ret;
	bool hit;

	if (!test_faults_ready())
		SKIP(return, "no fault injection in this kernel");

	for (nth = 1, hit = true; hit; nth++) {
		ASSERT_GT(100, nth);
		iova += SZ_1G;
		ASSERT_EQ(0, test_arm_fault(nth));
		ret = vfio_map(v, iova, mem, size, VFIO_RW);
		hit = test_fault_hit();
		if (ret) {
			EXPECT_TRUE(hit)
				TH_LOG("%d without a fault", ret);
			EXPECT_EQ(0ll, locked(s));
			EXPECT_EQ(0, pinned(s));
			EXPECT_EQ(0ll, vfio_unmap(v, iova, size));
			ASSERT_EQ(0, vfio_map(v, iova, mem, size, VFIO_RW));
		}
		EXPECT_EQ(BYTES(size), locked(s));
		EXPECT_EQ(BYTES(size), vfio_unmap(v, iova, size));
	}
	EXPECT_LT(2, nth);
}

FIXTURE(container) {
	struct state state;
	unsigned char *mem;
};

FIXTURE_SETUP(container)
{
	ASSERT_EQ(0, test_bind());
	self->mem = test_alloc(PAGES(4), 0);
	ASSERT_NE(MAP_FAILED, self->mem);
	state_open(_metadata, &self->state);
}

FIXTURE_TEARDOWN(container)
{
	state_close(_metadata, &self->state);
	test_reset();
}

/* Mappings go as a whole, several at a time, or stay. */
TEST_F(container, unmap)
{
	/* In pages from the first mapping on */
	static const struct {
		int first;
		int count;
	} maps[] = {
		{ 0, 1 }, { 2, 2 }, { 7, 1 },
	}, bad[] = {
		{ 2, 1 }, { 3, 1 }, { 0, 3 }, { 3, 5 }, { 0, 0 },
	};
	struct state *s = &self->state;
	struct vfio *v = &s->vfio;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(maps); i++) {
		ASSERT_EQ(0, vfio_map(v, TEST_IOVA + PAGES(maps[i].first),
				      self->mem, PAGES(maps[i].count),
				      VFIO_RW));
	}
	EXPECT_EQ(-EEXIST, vfio_map(v, TEST_IOVA + PAGES(3), self->mem,
				    PAGES(2), VFIO_RW));
	EXPECT_EQ(-EEXIST, vfio_map(v, TEST_IOVA + PAGES(6), self->mem,
				    PAGES(3), VFIO_RW));

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL,
			  vfio_unmap(v, TEST_IOVA + PAGES(bad[i].first),
				     PAGES(bad[i].count)))
			TH_LOG("%d pages at %d", bad[i].count, bad[i].first);
	}
	EXPECT_EQ(-EINVAL, vfio_unmap(v, TEST_IOVA, SZ_4K + 1));
	EXPECT_EQ(-EINVAL, vfio_unmap(v, -SZ_4K, PAGES(2)));
	EXPECT_EQ(0ll, vfio_unmap(v, TEST_IOVA + PAGES(4), PAGES(3)));
	EXPECT_EQ(BYTES(PAGES(4)), locked(s));

	EXPECT_EQ(BYTES(PAGES(4)), vfio_unmap(v, TEST_IOVA, PAGES(8)));
	EXPECT_EQ(0ll, locked(s));
	EXPECT_EQ(0, pinned(s));
}

/* Unmapping goes on without memory. */
TEST_F_TIMEOUT(container, unmap_nomem, 60)
{
	__u64 iova = TEST_IOVA + SZ_2M - PAGES(2);
	struct state *s = &self->state;
	char driver[DEVICE_NAME_SIZE];
	struct vfio *v = &s->vfio;
	size_t size = PAGES(4);
	long long unmapped;
	bool hit;
	int nth;

	if (!test_faults_ready())
		SKIP(return, "no fault injection in this kernel");
	if (!sysfs_link(driver, sizeof(driver), "%s/iommu/device/driver",
			test_dev.path) && !strcmp(driver, "virtio_iommu"))
		SKIP(return, "virtio_iommu cannot unmap without memory");

	for (nth = 1, hit = true; hit; nth++) {
		ASSERT_GT(100, nth);
		ASSERT_EQ(0, vfio_map(v, iova, self->mem, size, VFIO_RW));
		ASSERT_EQ(0, test_arm_fault(nth));
		unmapped = vfio_unmap(v, iova, size);
		hit = test_fault_hit();
		EXPECT_EQ(BYTES(size), unmapped);
		EXPECT_EQ(0ll, locked(s));
		EXPECT_EQ(0, pinned(s));
	}
}

/* What is still mapped goes with the container. */
TEST_F(container, close)
{
	struct state *s = &self->state;

	ASSERT_EQ(0, vfio_map(&s->vfio, TEST_IOVA, self->mem, PAGES(4),
			      VFIO_RW));
	ASSERT_EQ(0, vfio_map(&s->vfio, TEST_IOVA + PAGES(5), self->mem,
			      PAGES(3), VFIO_DMA_MAP_FLAG_READ));
	EXPECT_EQ(BYTES(PAGES(7)), locked(s));
	state_close(_metadata, s);
}

/* Private memory that nobody has touched: one zero page for all. */
TEST_F(container, zero_page)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio;
	unsigned char *mem;

	mem = mmap(NULL, PAGES(4), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(0, madvise(mem, PAGES(4), MADV_NOHUGEPAGE));
	mem[PAGES(1)] = 1;
	ASSERT_EQ(0, vfio_map(v, TEST_IOVA + PAGES(4), self->mem, SZ_4K,
			      VFIO_RW));

	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, mem, PAGES(4),
			      VFIO_DMA_MAP_FLAG_READ));
	EXPECT_EQ(BYTES(PAGES(2)), locked(s));
	expect_seen(_metadata, s, TEST_IOVA + PAGES(2), 0,
		    TEST_IOVA + PAGES(4), self->mem);
	EXPECT_EQ(BYTES(PAGES(4)), vfio_unmap(v, TEST_IOVA, PAGES(4)));
	EXPECT_EQ(BYTES(SZ_4K), locked(s));

	/* To be written it has to have pages of its own. */
	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, mem, PAGES(4), VFIO_RW));
	EXPECT_EQ(BYTES(PAGES(5)), locked(s));
	expect_copies(_metadata, s, TEST_IOVA + PAGES(3), mem + PAGES(3));
}

/* A private mapping of a file gets its own pages, the file stays as it is. */
TEST_F(container, file)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio;
	unsigned char *mem;
	char data[SZ_4K];
	int fd, i;

	fd = memfd_create("vfio_memory", MFD_CLOEXEC);
	ASSERT_LE(0, fd);
	memset(data, 9, sizeof(data));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ((ssize_t)sizeof(data),
			  pwrite(fd, data, sizeof(data), PAGES(i)));
	}

	mem = mmap(NULL, PAGES(4), PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, mem);
	EXPECT_EQ(9, mem[0]);
	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, mem, PAGES(4), VFIO_RW));
	EXPECT_EQ(BYTES(PAGES(4)), locked(s));
	expect_copies(_metadata, s, TEST_IOVA, mem);
	expect_copies(_metadata, s, TEST_IOVA + PAGES(3), mem + PAGES(3));
	memset(data, 0, sizeof(data));
	ASSERT_EQ((ssize_t)sizeof(data), pread(fd, data, sizeof(data), 0));
	EXPECT_EQ(9, data[0]);
	EXPECT_EQ(9, data[2 * COPY_SIZE - 1]);
	EXPECT_EQ(BYTES(PAGES(4)), vfio_unmap(v, TEST_IOVA, PAGES(4)));

	mem = mmap(NULL, PAGES(4), PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, mem);
	EXPECT_EQ(-EFAULT, vfio_map(v, TEST_IOVA, mem, PAGES(4), VFIO_RW));
	EXPECT_EQ(0ll, locked(s));
	EXPECT_EQ(0, vfio_map(v, TEST_IOVA, mem, PAGES(4),
			      VFIO_DMA_MAP_FLAG_READ));
	EXPECT_EQ(BYTES(PAGES(4)), locked(s));
	close(fd);
}

/* Is the page of this memory dirty? Negative if that cannot be known. */
static int page_dirty(const unsigned char *mem)
{
	__u64 page = 0, flags = 0;
	int map, all, ret = -1;

	map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	all = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	if (pread(map, &page, sizeof(page),
		  (unsigned long)mem / SZ_4K * sizeof(page)) == sizeof(page) &&
	    pread(all, &flags, sizeof(flags),
		  (page & PAGEMAP_FRAME) * sizeof(flags)) == sizeof(flags))
		ret = flags >> KPF_DIRTY & 1;
	close(map);
	close(all);
	return ret;
}

/* A file that the device cannot write need not be written back. */
TEST_F(container, clean)
{
	struct vfio *v = &self->state.vfio;
	unsigned char *mem;
	int fd;

	fd = memfd_create("vfio_memory", MFD_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, PAGES(4)));
	mem = mmap(NULL, PAGES(4), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, mem);
	EXPECT_EQ(0, mem[PAGES(1)]);
	ASSERT_EQ(0, page_dirty(mem + PAGES(1)));

	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, mem, PAGES(4),
			      VFIO_DMA_MAP_FLAG_READ));
	EXPECT_EQ(BYTES(PAGES(4)), vfio_unmap(v, TEST_IOVA, PAGES(4)));
	EXPECT_EQ(0, page_dirty(mem + PAGES(1)));
	EXPECT_EQ(0, page_dirty(mem + PAGES(3)));

	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, mem, PAGES(4), VFIO_RW));
	EXPECT_EQ(BYTES(PAGES(4)), vfio_unmap(v, TEST_IOVA, PAGES(4)));
	EXPECT_EQ(1, page_dirty(mem + PAGES(1)));
	EXPECT_EQ(1, page_dirty(mem + PAGES(3)));
	close(fd);
}

/* Pages are dirty while a device can write them that does not tell. */
TEST_F(container, dirty)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio;
	__u64 bitmap = 0;

	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, self->mem, PAGES(2), VFIO_RW));
	EXPECT_EQ(-EINVAL, vfio_get_dirty(v, TEST_IOVA, PAGES(2), &bitmap));
	EXPECT_EQ(-EINVAL, vfio_unmap_dirty(v, TEST_IOVA, PAGES(2), &bitmap));
	ASSERT_EQ(0, vfio_set_dirty(v, VFIO_IOMMU_DIRTY_PAGES_FLAG_START));
	ASSERT_EQ(0, vfio_map(v, TEST_IOVA + PAGES(3), self->mem, PAGES(3),
			      VFIO_RW));

	EXPECT_EQ(0, vfio_get_dirty(v, TEST_IOVA, PAGES(8), &bitmap));
	EXPECT_EQ(0x3bull, bitmap);
	/* From here on, anything may follow the bits of the mapping. */
	bitmap = 0;
	EXPECT_EQ(0, vfio_get_dirty(v, TEST_IOVA + PAGES(3), PAGES(3),
				    &bitmap));
	EXPECT_EQ(0x7ull, bitmap & 0x7);
	EXPECT_EQ(-EINVAL, vfio_get_dirty(v, TEST_IOVA + PAGES(1), SZ_4K,
					  &bitmap));
	EXPECT_EQ(-EINVAL, vfio_unmap_dirty(v, TEST_IOVA + PAGES(3), PAGES(2),
					    &bitmap));
	EXPECT_EQ(BYTES(PAGES(5)), locked(s));

	bitmap = 0;
	EXPECT_EQ(BYTES(PAGES(2)),
		  vfio_unmap_dirty(v, TEST_IOVA, PAGES(2), &bitmap));
	EXPECT_EQ(0x3ull, bitmap);
	bitmap = 0;
	EXPECT_EQ(BYTES(PAGES(3)),
		  vfio_unmap_dirty(v, TEST_IOVA + PAGES(3), PAGES(3), &bitmap));
	EXPECT_EQ(0x7ull, bitmap & 0x7);
	EXPECT_EQ(0ll, locked(s));
	EXPECT_EQ(0, vfio_set_dirty(v, VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP));
	EXPECT_EQ(0, pinned(s));
}

/* A mapping counts for the process that made it, and only that unmaps it. */
TEST_F(container, process)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio;
	long before;
	int status;
	pid_t pid;
	void *mem;

	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, self->mem, PAGES(4), VFIO_RW));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		before = test_locked_kb();
		mem = test_alloc(PAGES(2), 0);
		if (vfio_unmap(v, TEST_IOVA, PAGES(4)))
			_exit(1);
		if (vfio_map(v, TEST_IOVA + PAGES(8), mem, PAGES(2), VFIO_RW) ||
		    vfio_map(v, TEST_IOVA + PAGES(12), mem, SZ_4K, VFIO_RW) ||
		    test_locked_kb() != before + 12)
			_exit(2);
		if (vfio_unmap(v, TEST_IOVA + PAGES(12), SZ_4K) !=
		    BYTES(SZ_4K) || test_locked_kb() != before + 8)
			_exit(3);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status)
		TH_LOG("the other process ended at step %d",
		       WEXITSTATUS(status));
	EXPECT_EQ(BYTES(PAGES(4)), locked(s));

	/* What it has left behind goes with the container. */
	EXPECT_EQ(6, pinned(s));
	EXPECT_EQ(-EEXIST, vfio_map(v, TEST_IOVA + PAGES(8), self->mem, SZ_4K,
				    VFIO_RW));
	EXPECT_EQ(0ll, vfio_unmap(v, TEST_IOVA + PAGES(8), PAGES(2)));
	expect_copies(_metadata, s, TEST_IOVA, self->mem);
	EXPECT_EQ(BYTES(PAGES(4)), vfio_unmap(v, TEST_IOVA, PAGES(4)));
	EXPECT_EQ(0ll, locked(s));
	EXPECT_EQ(2, pinned(s));
}

/* Told to leave large pages alone, type1 takes them for small ones. */
TEST_F(container, small_only)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio;
	struct dma_tables tables;
	unsigned char *mem;

	sysfs_write("1", HUGEPAGES_PARAM);
	mem = test_alloc(SZ_2M, MAP_HUGETLB);
	if (mem == MAP_FAILED)
		SKIP(return, "no huge pages: %s", strerror(errno));
	ASSERT_EQ(0, sysfs_write("Y", VFIO_NO_HUGEPAGES_PARAM));
	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, mem, SZ_2M, VFIO_RW));
	EXPECT_EQ(BYTES(SZ_2M), locked(s));
	expect_copies(_metadata, s, TEST_IOVA + SZ_2M - SZ_4K,
		      mem + SZ_2M - SZ_4K);
	if (!strcmp(test_dev.bus, "pci") && !dma_tables_open(&tables)) {
		ASSERT_EQ(0, dma_tables_read(&tables, &test_dev));
		EXPECT_EQ((size_t)512, tables.count);
		dma_tables_close(&tables);
	}
	EXPECT_EQ(BYTES(SZ_2M), vfio_unmap(v, TEST_IOVA, SZ_2M));
	EXPECT_EQ(0ll, locked(s));
	EXPECT_EQ(0, pinned(s));
}

/* The first version unmaps a mapping that begins in the range, as a whole. */
TEST(v1_unmap)
{
	long before = test_locked_kb();
	unsigned char *mem;
	struct vfio v;
	int i;

	ASSERT_EQ(0, test_bind());
	mem = test_alloc(PAGES(4), 0);
	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_EQ(0, vfio_open(&v, &test_dev));
	ASSERT_EQ(0, vfio_set_iommu(&v, VFIO_TYPE1_IOMMU));

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, vfio_map(&v, TEST_IOVA, mem, PAGES(4), VFIO_RW));
		EXPECT_EQ(-EEXIST, vfio_map(&v, TEST_IOVA + PAGES(3), mem,
					    SZ_4K, VFIO_RW));
		EXPECT_EQ(0ll, vfio_unmap(&v, TEST_IOVA + PAGES(1), SZ_4K));
		EXPECT_EQ(0ll, vfio_unmap(&v, TEST_IOVA + PAGES(1), PAGES(8)));
		EXPECT_EQ(0ll, vfio_unmap(&v, TEST_IOVA - PAGES(2), PAGES(2)));
		EXPECT_EQ(-EINVAL, vfio_unmap(&v, TEST_IOVA, 0));
		EXPECT_EQ(before + 16, test_locked_kb());
		/* Its first page, alone or at the end of the range */
		EXPECT_EQ(BYTES(PAGES(4)),
			  vfio_unmap(&v, TEST_IOVA - PAGES(2) * i,
				     SZ_4K + PAGES(2) * i));
		EXPECT_EQ(before, test_locked_kb());
	}
	EXPECT_EQ(-EACCES,
		  vfio_set_dirty(&v, VFIO_IOMMU_DIRTY_PAGES_FLAG_START));
	vfio_close(&v);
	test_reset();
}

/* Map and unmap until killed, most likely in the middle of either. */
static void map_forever(int fd)
{
	struct vfio v;
	void *mem;

	mem = test_alloc(KILL_SIZE, 0);
	if (mem == MAP_FAILED || vfio_open_all(&v, &test_dev) ||
	    write(fd, "", 1) != 1)
		_exit(1);
	for (;;) {
		if (vfio_map(&v, TEST_IOVA, mem, KILL_SIZE, VFIO_RW) ||
		    vfio_unmap(&v, TEST_IOVA, KILL_SIZE) != BYTES(KILL_SIZE))
			_exit(2);
	}
}

TEST(killed)
{
	int i, status, fds[2];
	struct vfio v;
	long before;
	pid_t pid;
	char byte;

	ASSERT_EQ(0, test_bind());
	before = test_pinned_pages();
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, pipe(fds));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			map_forever(fds[1]);
		close(fds[1]);
		EXPECT_EQ(1, read(fds[0], &byte, 1));
		close(fds[0]);
		usleep(5000 + 17000 * i);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status))
			TH_LOG("ended with %#x", status);
		EXPECT_EQ(before, test_pinned_pages());
	}
	ASSERT_EQ(0, vfio_open_all(&v, &test_dev));
	vfio_close(&v);
	test_reset();
}

int main(int argc, char **argv)
{
	test_init_type1();
	return test_harness_run(argc, argv);
}
