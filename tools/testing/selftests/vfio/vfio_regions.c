// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is reserved for a group is not to be mapped, and all else is: the ranges
 * that VFIO calls valid are compared with the reserved regions that the kernel
 * shows in sysfs, the edges of each region are tried, and groups with regions
 * of their own come to a container and leave it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "../kselftest_harness.h"
#include "edu.h"
#include "vfio_lib.h"
#include "vfio_test.h"

#define MAX_RANGES	512
#define MAX_REGIONS	512
/* A copy takes edu 100 ms, so not each edge gets one. */
#define MAX_COPIES	6
#define COPY_SIZE	256

/* Both ends inclusive. */
struct region {
	__u64 first;
	__u64 last;
};

struct regions {
	struct region r[MAX_REGIONS];
	int count;
};

static int cmp_regions(const void *a, const void *b)
{
	const struct region *left = a, *right = b;

	return left->first < right->first ? -1 : left->first > right->first;
}

/* Add what the device's group must not map, in pages. */
static int read_regions(struct regions *regions, const struct device *dev)
{
	static char text[MAX_REGIONS * 64];
	char type[32], *line;
	struct region *r;
	int ret;

	ret = sysfs_read(text, sizeof(text), "%s/iommu_group/reserved_regions",
			 dev->path);
	if (ret < 0)
		return ret;
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (regions->count == MAX_REGIONS)
			return -ENOSPC;
		r = &regions->r[regions->count];
		if (sscanf(line, "%llx %llx %31s", &r->first, &r->last,
			   type) != 3)
			return -EINVAL;
		if (!strcmp(type, "direct-relaxable") || r->last < r->first)
			continue;
		r->first &= -SZ_4K;
		r->last |= SZ_4K - 1;
		regions->count++;
	}
	qsort(regions->r, regions->count, sizeof(*r), cmp_regions);
	return 0;
}

static bool is_reserved(const struct regions *regions, __u64 first, __u64 last)
{
	int i;

	for (i = 0; i < regions->count; i++) {
		if (first <= regions->r[i].last && last >= regions->r[i].first)
			return true;
	}
	return false;
}

/*
 * What is valid up to the end of an aperture that starts at 0 and whose size is
 * a power of two: as much of it as is needed to hold @last.
 */
static int expected_ranges(const struct regions *regions, __u64 last,
			   struct vfio_iova_range *ranges)
{
	__u64 next = 0, top = 0;
	int i, n = 0;

	while (top < last)
		top = top << 1 | 1;
	for (i = 0; i < regions->count && regions->r[i].first <= top; i++) {
		if (regions->r[i].first > next) {
			ranges[n].start = next;
			ranges[n++].end = regions->r[i].first - 1;
		}
		if (regions->r[i].last >= top)
			return n;
		if (regions->r[i].last + 1 > next)
			next = regions->r[i].last + 1;
	}
	ranges[n].start = next;
	ranges[n++].end = top;
	return n;
}

static void expect_ranges(struct __test_metadata *_metadata, struct vfio *v,
			  const struct regions *regions)
{
	static struct vfio_iova_range want[MAX_RANGES], got[MAX_RANGES];
	int i, n;

	n = vfio_iova_ranges(v, got, MAX_RANGES);
	ASSERT_LT(0, n);
	ASSERT_EQ(expected_ranges(regions, got[n - 1].end, want), n);
	for (i = 0; i < n; i++) {
		EXPECT_EQ(want[i].start, got[i].start);
		EXPECT_EQ(want[i].end, got[i].end);
	}
}

struct state {
	struct vfio vfio;
	struct edu edu;
	bool has_edu;
	unsigned char *mem;
	struct regions regions;
	long locked;
	int copies;
};

FIXTURE(regions) {
	struct state state;
};

FIXTURE_SETUP(regions)
{
	struct state *s = &self->state;

	ASSERT_EQ(0, test_bind());
	s->mem = test_alloc(4 * SZ_4K, 0);
	ASSERT_NE(MAP_FAILED, s->mem);
	ASSERT_EQ(0, vfio_open_all(&s->vfio, &test_dev));
	ASSERT_EQ(0, read_regions(&s->regions, &test_dev));
	s->has_edu = edu_matches(&test_dev);
	if (s->has_edu)
		ASSERT_EQ(0, edu_open(&s->edu, s->vfio.device));
	s->locked = test_locked_kb();
	ASSERT_LE(0, s->locked);
}

FIXTURE_TEARDOWN(regions)
{
	struct state *s = &self->state;

	if (s->has_edu)
		edu_close(&s->edu);
	vfio_close(&s->vfio);
	munmap(s->mem, 4 * SZ_4K);
	test_reset();
}

TEST_F(regions, ranges)
{
	struct state *s = &self->state;

	expect_ranges(_metadata, &s->vfio, &s->regions);
}

static void expect_refused(struct __test_metadata *_metadata,
			   struct state *s, __u64 iova, __u64 size)
{
	EXPECT_EQ(-EINVAL, vfio_map(&s->vfio, iova, s->mem, size,
				    VFIO_RW))
		TH_LOG("%#llx, %#llx bytes", iova, size);
	EXPECT_EQ(s->locked, test_locked_kb());
}

/* A page that is next to a region, unless it is in another one. */
static void expect_mapped(struct __test_metadata *_metadata,
			  struct state *s, __u64 iova, __u64 last)
{
	if (iova > last || is_reserved(&s->regions, iova, iova + SZ_4K - 1))
		return;

	ASSERT_EQ(0, vfio_map(&s->vfio, iova, s->mem, SZ_4K, VFIO_RW))
		TH_LOG("%#llx", iova);
	EXPECT_EQ(s->locked + 4, test_locked_kb());
	if (s->has_edu && s->copies < MAX_COPIES) {
		s->copies++;
		EXPECT_TRUE(edu_copies(&s->edu, iova, s->mem, COPY_SIZE))
			TH_LOG("%#llx", iova);
	}
	EXPECT_EQ((long long)SZ_4K, vfio_unmap(&s->vfio, iova, SZ_4K));
	EXPECT_EQ(s->locked, test_locked_kb());
}

TEST_F_TIMEOUT(regions, edges, 120)
{
	struct state *s = &self->state;
	static struct vfio_iova_range ranges[MAX_RANGES];
	const struct regions *regions = &s->regions;
	__u64 first, last, top;
	int i, n;

	if (!regions->count)
		SKIP(return, "%s has no reserved regions", test_dev.name);

	n = vfio_iova_ranges(&s->vfio, ranges, MAX_RANGES);
	ASSERT_LT(0, n);
	top = ranges[n - 1].end;

	for (i = 0; i < regions->count; i++) {
		first = regions->r[i].first;
		last = regions->r[i].last;

		expect_refused(_metadata, s, first, SZ_4K);
		expect_refused(_metadata, s, last + 1 - SZ_4K, SZ_4K);
		if (first) {
			expect_refused(_metadata, s, first - SZ_4K,
				       2 * SZ_4K);
			expect_mapped(_metadata, s, first - SZ_4K, top);
		}
		if (last != ~0ull) {
			expect_refused(_metadata, s, last + 1 - SZ_4K,
				       2 * SZ_4K);
			expect_mapped(_metadata, s, last + 1, top);
		}
		if (first && last - first < 2 * SZ_4K)
			expect_refused(_metadata, s, first - SZ_4K,
				       last - first + 1 + 2 * SZ_4K);
	}
	if (s->has_edu)
		EXPECT_LT(0, s->copies);
}

/* The end of a mapping up to here, exclusive, would be 0. */
TEST_F(regions, last_page)
{
	struct state *s = &self->state;
	static struct vfio_iova_range ranges[MAX_RANGES];
	struct vfio *v = &s->vfio;
	__u64 page = -SZ_4K, bitmap;
	int n;

	n = vfio_iova_ranges(v, ranges, MAX_RANGES);
	ASSERT_LT(0, n);
	if (ranges[n - 1].end != ~0ull)
		SKIP(return, "IOVAs end at %#llx", ranges[n - 1].end);

	ASSERT_EQ(0, vfio_map(v, page, s->mem, SZ_4K, VFIO_RW));
	EXPECT_EQ(s->locked + 4, test_locked_kb());
	EXPECT_EQ(-EEXIST, vfio_map(v, page, s->mem, SZ_4K, VFIO_RW));
	EXPECT_EQ(-EEXIST, vfio_map(v, page - SZ_4K, s->mem, 2 * SZ_4K,
				    VFIO_RW));
	if (s->has_edu)
		EXPECT_TRUE(edu_copies(&s->edu, page, s->mem, COPY_SIZE));
	EXPECT_EQ((long long)SZ_4K, vfio_unmap(v, page, SZ_4K));
	EXPECT_EQ(s->locked, test_locked_kb());

	/* With more below, and within a larger request. */
	ASSERT_EQ(0, vfio_map(v, page - 2 * SZ_4K, s->mem, 3 * SZ_4K,
			      VFIO_RW));
	EXPECT_EQ(s->locked + 12, test_locked_kb());
	EXPECT_EQ(-EINVAL, vfio_unmap(v, page, SZ_4K));
	ASSERT_EQ(0, vfio_set_dirty(v, VFIO_IOMMU_DIRTY_PAGES_FLAG_START));
	bitmap = 0;
	EXPECT_EQ(0, vfio_get_dirty(v, page - 2 * SZ_4K, 3 * SZ_4K, &bitmap));
	EXPECT_EQ(7ull, bitmap);
	EXPECT_EQ(-EINVAL, vfio_get_dirty(v, page, SZ_4K, &bitmap));
	EXPECT_EQ(-EINVAL, vfio_get_dirty(v, page, 2 * SZ_4K, &bitmap));
	EXPECT_EQ(0, vfio_set_dirty(v, VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP));
	EXPECT_EQ(3 * (long long)SZ_4K, vfio_unmap(v, 1ull << 63, 1ull << 63));
	EXPECT_EQ(s->locked, test_locked_kb());

	/* What is still mapped goes with the container. */
	ASSERT_EQ(0, vfio_map(v, page, s->mem, SZ_4K, VFIO_RW));
	if (s->has_edu)
		edu_close(&s->edu);
	s->has_edu = false;
	vfio_close(v);
	EXPECT_EQ(s->locked, test_locked_kb());
}

/* Memory that runs out on the way refuses the IOMMU, and the next try works. */
TEST_F_TIMEOUT(regions, set_iommu_nomem, 120)
{
	struct state *s = &self->state;
	struct vfio v;
	int nth, ret;
	bool hit;

	if (!test_faults_ready())
		SKIP(return, "no fault injection in this kernel");
	if (s->has_edu)
		edu_close(&s->edu);
	s->has_edu = false;
	vfio_close(&s->vfio);

	for (nth = 1, hit = true; hit; nth++) {
		ASSERT_GT(1000, nth);
		ASSERT_EQ(0, vfio_open(&v, &test_dev));
		ASSERT_EQ(0, test_arm_fault(nth));
		ret = vfio_set_iommu(&v, VFIO_TYPE1v2_IOMMU);
		hit = test_fault_hit();
		if (ret) {
			EXPECT_TRUE(hit)
				TH_LOG("%d without a fault", ret);
			ASSERT_EQ(0, vfio_set_iommu(&v, VFIO_TYPE1v2_IOMMU));
		}
		/* A driver cannot report that it left out a region. */
		if (ret || !hit)
			expect_ranges(_metadata, &v, &s->regions);
		EXPECT_EQ(0, vfio_map(&v, TEST_IOVA, s->mem, SZ_4K,
				      VFIO_RW));
		vfio_close(&v);
		EXPECT_EQ(s->locked, test_locked_kb());
	}
	EXPECT_LT(5, nth);
}

/* What a map had done is undone. */
TEST_F_TIMEOUT(regions, map_nomem, 120)
{
	struct state *s = &self->state;
	struct vfio *v = &s->vfio;
	int nth, ret;
	bool hit;

	if (!test_faults_ready())
		SKIP(return, "no fault injection in this kernel");

	for (nth = 1, hit = true; hit; nth++) {
		ASSERT_GT(1000, nth);
		ASSERT_EQ(0, test_arm_fault(nth));
		ret = vfio_map(v, TEST_IOVA, s->mem, 4 * SZ_4K, VFIO_RW);
		hit = test_fault_hit();
		if (ret) {
			EXPECT_TRUE(hit)
				TH_LOG("%d without a fault", ret);
			EXPECT_EQ(s->locked, test_locked_kb());
			ASSERT_EQ(0, vfio_map(v, TEST_IOVA, s->mem,
					      4 * SZ_4K, VFIO_RW));
		}
		ASSERT_EQ(0, test_arm_fault(1));
		EXPECT_EQ(4 * (long long)SZ_4K,
			  vfio_unmap(v, TEST_IOVA, 4 * SZ_4K));
		test_fault_hit();
		EXPECT_EQ(s->locked, test_locked_kb());
	}
	EXPECT_LT(1, nth);
}

/*
 * Two groups with regions that differ: @alone, and @both with @other in the
 * same container. The device under test may be the one with fewer or with more.
 */
FIXTURE(groups) {
	struct device other;
	struct vfio vfio;
	struct edu edu;
	int other_group;
	unsigned char *mem;
	struct regions alone;
	struct regions both;
	long locked;
};

/* Another edu, in a group of its own, with a region that this one has not. */
static bool find_other(struct device *other)
{
	static struct regions mine, theirs;
	char group[16], other_group[16];
	struct dirent *entry;
	bool found = false;
	DIR *dir;
	int i;

	memset(&mine, 0, sizeof(mine));
	if (strcmp(test_dev.bus, "pci") || read_regions(&mine, &test_dev) ||
	    sysfs_link(group, sizeof(group), "%s/iommu_group", test_dev.path))
		return false;

	dir = opendir("/sys/bus/pci/devices");
	while (dir && !found && (entry = readdir(dir))) {
		memset(&theirs, 0, sizeof(theirs));
		if (device_find(other, entry->d_name) || !edu_matches(other) ||
		    sysfs_link(other_group, sizeof(other_group),
			       "%s/iommu_group", other->path) ||
		    !strcmp(group, other_group) || read_regions(&theirs, other))
			continue;
		for (i = 0; i < theirs.count; i++) {
			if (!is_reserved(&mine, theirs.r[i].first,
					 theirs.r[i].last))
				found = true;
		}
	}
	if (dir)
		closedir(dir);
	return found;
}

static int join(int group, struct vfio *v)
{
	return ioctl(group, VFIO_GROUP_SET_CONTAINER, &v->container) ?
		-errno : 0;
}

static int leave(int group)
{
	return ioctl(group, VFIO_GROUP_UNSET_CONTAINER) ? -errno : 0;
}

FIXTURE_SETUP(groups)
{
	int ret;

	if (!find_other(&self->other))
		SKIP(_exit(255), "no second edu with regions of its own");

	ASSERT_EQ(0, test_bind());
	ASSERT_EQ(0, device_bind(&self->other, "vfio-pci"));
	self->mem = test_alloc(4 * SZ_4K, 0);
	ASSERT_NE(MAP_FAILED, self->mem);

	ASSERT_EQ(0, read_regions(&self->alone, &test_dev));
	ASSERT_EQ(0, read_regions(&self->both, &test_dev));
	ASSERT_EQ(0, read_regions(&self->both, &self->other));

	ASSERT_EQ(0, vfio_open_all(&self->vfio, &test_dev));
	ASSERT_EQ(0, edu_open(&self->edu, self->vfio.device));
	self->other_group = vfio_open_group(&self->other);
	ASSERT_LE(0, self->other_group);
	self->locked = test_locked_kb();

	ret = join(self->other_group, &self->vfio);
	if (ret == -EPERM) {
		device_unbind(&self->other);
		SKIP(_exit(255), "%s is refused: its IOMMU maps its regions",
		     self->other.name);
	}
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, leave(self->other_group));
}

FIXTURE_TEARDOWN(groups)
{
	edu_close(&self->edu);
	close(self->other_group);
	vfio_close(&self->vfio);
	munmap(self->mem, 4 * SZ_4K);
	device_unbind(&self->other);
	test_reset();
}

/* Holes come and go with their group, at the ends of the aperture too. */
TEST_F(groups, come_and_go)
{
	int i;

	for (i = 0; i < 3; i++) {
		expect_ranges(_metadata, &self->vfio, &self->alone);
		ASSERT_EQ(0, join(self->other_group, &self->vfio));
		expect_ranges(_metadata, &self->vfio, &self->both);
		ASSERT_EQ(0, leave(self->other_group));
	}
	expect_ranges(_metadata, &self->vfio, &self->alone);
}

/* What is mapped keeps a group out that must not see it there. */
TEST_F(groups, conflict)
{
	static const int offsets[] = { 0, -1 };
	struct vfio *v = &self->vfio;
	const struct region *r;
	unsigned int k;
	int i, tried = 0;
	__u64 iova;

	for (i = 0; i < self->both.count; i++) {
		r = &self->both.r[i];
		if (is_reserved(&self->alone, r->first, r->last))
			continue;
		for (k = 0; k < ARRAY_SIZE(offsets); k++) {
			iova = offsets[k] ? r->last + 1 - SZ_4K : r->first;
			ASSERT_EQ(0, vfio_map(v, iova, self->mem, SZ_4K,
					      VFIO_RW));
			EXPECT_EQ(-EINVAL, join(self->other_group, &self->vfio))
				TH_LOG("mapped at %#llx", iova);

			/* The container works on, as it was. */
			expect_ranges(_metadata, v, &self->alone);
			if (!tried++)
				EXPECT_TRUE(edu_copies(&self->edu, iova,
						       self->mem, COPY_SIZE));
			EXPECT_EQ(0, vfio_map(v, iova + SZ_1G, self->mem,
					      SZ_4K, VFIO_RW));
			EXPECT_EQ(-EINVAL, join(self->other_group, &self->vfio));
			EXPECT_EQ((long long)SZ_4K, vfio_unmap(v, iova, SZ_4K));
			EXPECT_EQ(0, join(self->other_group, &self->vfio));
			EXPECT_EQ(0, leave(self->other_group));
			EXPECT_EQ((long long)SZ_4K,
				  vfio_unmap(v, iova + SZ_1G, SZ_4K));
			EXPECT_EQ(self->locked, test_locked_kb());
		}
	}
	EXPECT_LT(0, tried);
}

TEST_F(groups, neighbours)
{
	struct vfio *v = &self->vfio;
	const struct region *r;
	__u64 iova;
	int i;

	/* Next to the regions of both is no conflict. */
	for (i = 0; i < self->both.count; i++) {
		r = &self->both.r[i];
		iova = r->last + 1;
		if (is_reserved(&self->both, iova, iova + SZ_4K - 1))
			continue;
		ASSERT_EQ(0, vfio_map(v, iova, self->mem, SZ_4K, VFIO_RW));
		EXPECT_EQ(0, join(self->other_group, &self->vfio));
		EXPECT_EQ(-EINVAL, vfio_map(v, r->first, self->mem, SZ_4K,
					    VFIO_RW));
		EXPECT_EQ(0, leave(self->other_group));
		EXPECT_EQ((long long)SZ_4K, vfio_unmap(v, iova, SZ_4K));
	}
	EXPECT_EQ(self->locked, test_locked_kb());
}

/* A group that cannot join for lack of memory leaves the container alone. */
TEST_F_TIMEOUT(groups, join_nomem, 120)
{
	struct vfio *v = &self->vfio;
	int nth, ret;
	bool hit;

	if (!test_faults_ready())
		SKIP(return, "no fault injection in this kernel");

	ASSERT_EQ(0, vfio_map(v, TEST_IOVA, self->mem, SZ_4K, VFIO_RW));
	for (nth = 1, hit = true; hit; nth++) {
		ASSERT_GT(1000, nth);
		ASSERT_EQ(0, test_arm_fault(nth));
		ret = join(self->other_group, &self->vfio);
		hit = test_fault_hit();
		if (ret) {
			EXPECT_TRUE(hit)
				TH_LOG("%d without a fault", ret);
			expect_ranges(_metadata, v, &self->alone);
			ASSERT_EQ(0, join(self->other_group, &self->vfio));
		}
		/* A driver cannot report that it left out a region. */
		if (ret || !hit)
			expect_ranges(_metadata, v, &self->both);
		ASSERT_EQ(0, leave(self->other_group));
		expect_ranges(_metadata, v, &self->alone);
	}
	EXPECT_TRUE(edu_copies(&self->edu, TEST_IOVA, self->mem, COPY_SIZE));
	EXPECT_LT(5, nth);

	/* Without memory to tell what is valid again, less is. */
	for (nth = 1, hit = true; hit; nth++) {
		ASSERT_GT(1000, nth);
		ASSERT_EQ(0, join(self->other_group, &self->vfio));
		ASSERT_EQ(0, test_arm_fault(nth));
		EXPECT_EQ(0, leave(self->other_group));
		hit = test_fault_hit();
		EXPECT_EQ(0, vfio_map(v, TEST_IOVA + SZ_4K, self->mem, SZ_4K,
				      VFIO_RW));
		EXPECT_EQ((long long)SZ_4K,
			  vfio_unmap(v, TEST_IOVA + SZ_4K, SZ_4K));
	}
	expect_ranges(_metadata, v, &self->alone);
}

int main(int argc, char **argv)
{
	test_init_type1();
	return test_harness_run(argc, argv);
}
