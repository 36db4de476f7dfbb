// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: reserved regions, how they are merged, reported, shown and mapped.
 */

#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/iommu.h>
#include <linux/kernfs.h>
#include <linux/list.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "iommu-kunit-mock.h"
#include "iommu-resv.h"
#include "iommu-resv-sysfs.h"

#define LAST		(~(phys_addr_t)0)
#define RW		(IOMMU_READ | IOMMU_WRITE)

#define REGION(_start, _length, _prot, _type)				\
	{ .start = _start, .length = _length, .prot = _prot, .type = _type }
#define DIRECT(start, length)	REGION(start, length, RW, IOMMU_RESV_DIRECT)
#define MSI(start, length)	REGION(start, length, 0, IOMMU_RESV_MSI)

static void add_region(struct kunit *test, struct list_head *list,
		       const struct iommu_resv_region *from)
{
	struct iommu_resv_region *region;

	region = iommu_alloc_resv_region(from->start, from->length, from->prot,
					 from->type);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, region);
	list_add_tail(&region->list, list);
}

static void expect_regions(struct kunit *test, const struct list_head *list,
			   const struct iommu_resv_region *want,
			   unsigned int nr)
{
	const struct iommu_resv_region *region;
	unsigned int i = 0;

	list_for_each_entry(region, list, list) {
		if (i == nr) {
			KUNIT_FAIL(test, "more than %u regions", nr);
			return;
		}
		KUNIT_EXPECT_EQ_MSG(test, (u64)want[i].start,
				    (u64)region->start, "region %u", i);
		KUNIT_EXPECT_EQ_MSG(test, want[i].length, region->length,
				    "region %u", i);
		KUNIT_EXPECT_EQ_MSG(test, want[i].prot, region->prot,
				    "region %u", i);
		KUNIT_EXPECT_EQ_MSG(test, (int)want[i].type, (int)region->type,
				    "region %u", i);
		i++;
	}
	KUNIT_EXPECT_EQ(test, nr, i);
}

/* Merging @from gives @want in whatever order the regions come */
static void expect_merge(struct kunit *test,
			 const struct iommu_resv_region *from,
			 unsigned int nr_from,
			 const struct iommu_resv_region *want,
			 unsigned int nr_want)
{
	unsigned int first, i;
	bool back = false;

	do {
		back = !back;
		for (first = 0; first < nr_from; first++) {
			LIST_HEAD(list);

			for (i = 0; i < nr_from; i++)
				add_region(test, &list,
					   &from[(first + (back ? nr_from - i : i)) %
						 nr_from]);
			iommu_resv_merge(&list);
			expect_regions(test, &list, want, nr_want);
			iommu_put_resv_regions(NULL, &list);
		}
	} while (back);
}

static void merge_nothing(struct kunit *test)
{
	LIST_HEAD(list);

	iommu_resv_merge(&list);
	KUNIT_EXPECT_TRUE(test, list_empty(&list));
}

static void merge_overlapping_and_adjacent(struct kunit *test)
{
	static const struct iommu_resv_region from[] = {
		DIRECT(0x1000, 0x1000), DIRECT(0x2000, 0x1000),
		DIRECT(0x2800, 0x1000), DIRECT(0x3801, 0x7ff),
		DIRECT(0x3900, 1),
	};
	static const struct iommu_resv_region want[] = {
		DIRECT(0x1000, 0x2800), DIRECT(0x3801, 0x7ff),
	};

	expect_merge(test, from, ARRAY_SIZE(from), want, ARRAY_SIZE(want));
}

static void merge_only_one_kind(struct kunit *test)
{
	static const struct iommu_resv_region from[] = {
		REGION(0x1000, 0x4000, RW, IOMMU_RESV_DIRECT),
		REGION(0x2000, 0x1000, RW, IOMMU_RESV_DIRECT_RELAXABLE),
		REGION(0x2000, 0x1000, IOMMU_READ, IOMMU_RESV_DIRECT),
		REGION(0x3000, 0x1000, RW, IOMMU_RESV_RESERVED),
		REGION(0x3000, 0x1000, RW, IOMMU_RESV_MSI),
		REGION(0x3000, 0x1000, RW, IOMMU_RESV_SW_MSI),
		REGION(0x5000, 0x1000, RW, IOMMU_RESV_DIRECT),
	};
	static const struct iommu_resv_region want[] = {
		REGION(0x1000, 0x5000, RW, IOMMU_RESV_DIRECT),
		REGION(0x2000, 0x1000, IOMMU_READ, IOMMU_RESV_DIRECT),
		REGION(0x2000, 0x1000, RW, IOMMU_RESV_DIRECT_RELAXABLE),
		REGION(0x3000, 0x1000, RW, IOMMU_RESV_RESERVED),
		REGION(0x3000, 0x1000, RW, IOMMU_RESV_MSI),
		REGION(0x3000, 0x1000, RW, IOMMU_RESV_SW_MSI),
	};

	expect_merge(test, from, ARRAY_SIZE(from), want, ARRAY_SIZE(want));
}

/* The address behind the last one is not 0 */
static void merge_at_both_ends(struct kunit *test)
{
	static const struct iommu_resv_region from[] = {
		DIRECT(0, 0x1000), DIRECT(0x1000, 1),
		DIRECT(LAST - 0xfff, 0x1000), DIRECT(LAST - 0x1fff, 0x1000),
		DIRECT(LAST, 1), DIRECT(LAST - 0x7ff, 0x800),
	};
	static const struct iommu_resv_region want[] = {
		DIRECT(0, 0x1001), DIRECT(LAST - 0x1fff, 0x2000),
	};

	expect_merge(test, from, ARRAY_SIZE(from), want, ARRAY_SIZE(want));
}

/* No length is long enough for all addresses */
static void merge_whole_address_space(struct kunit *test)
{
	const struct iommu_resv_region halves[] = {
		DIRECT(0, LAST / 2 + 1), DIRECT(LAST / 2 + 1, LAST / 2 + 1),
	};
	const struct iommu_resv_region overlap[] = {
		DIRECT(0, LAST), DIRECT(0x1000, LAST - 0xfff),
	};
	const struct iommu_resv_region cut[] = {
		DIRECT(0, LAST), DIRECT(LAST, 1),
	};

	if (sizeof(size_t) < sizeof(phys_addr_t)) {
		kunit_info(test, "skipped: lengths are short here\n");
		return;
	}

	expect_merge(test, halves, ARRAY_SIZE(halves), halves, ARRAY_SIZE(halves));
	expect_merge(test, overlap, ARRAY_SIZE(overlap), cut, ARRAY_SIZE(cut));
	expect_merge(test, cut, ARRAY_SIZE(cut), cut, ARRAY_SIZE(cut));
}

/* Numbers that are the same in each run; constants of Numerical Recipes */
static u32 next_number(u32 *state, u32 below)
{
	*state = *state * 1664525u + 1013904223u;

	return (*state >> 8) % below;
}

/*
 * A piece of the address space as a row of 64 cells, one bit each, for each kind
 * of region: what covers the same cells, in runs that are as long as they can be,
 * is merged.
 */
#define CELLS		64
#define NR_TYPES	(IOMMU_RESV_SW_MSI + 1)
#define NR_PROTS	2
#define MAX_REGIONS	16

struct merge_model {
	phys_addr_t base;
	unsigned int shift;
	u64 cells[NR_TYPES][NR_PROTS];
};

static void model_generate(struct kunit *test, struct merge_model *model,
			   u32 *state, struct list_head *list)
{
	unsigned int types = 1 + next_number(state, NR_TYPES);
	unsigned int prots = 1 + next_number(state, NR_PROTS);
	unsigned int nr = next_number(state, MAX_REGIONS + 1);
	phys_addr_t size;

	memset(model, 0, sizeof(*model));
	model->shift = next_number(state, 2) * PAGE_SHIFT;
	size = (phys_addr_t)CELLS << model->shift;
	switch (next_number(state, 3)) {
	case 0:
		model->base = 0;
		break;
	case 1:
		model->base = LAST / 2 - size / 2;
		break;
	case 2:
		model->base = LAST - size + 1;
		break;
	}

	while (nr--) {
		unsigned int first = next_number(state, CELLS);
		unsigned int most = min(CELLS - first, 16u);
		unsigned int n = 1 + next_number(state, most);
		struct iommu_resv_region region = {
			.start = model->base +
				 ((phys_addr_t)first << model->shift),
			.length = (size_t)n << model->shift,
			.prot = next_number(state, prots),
			.type = next_number(state, types),
		};

		model->cells[region.type][region.prot] |=
			GENMASK_ULL(first + n - 1, first);
		add_region(test, list, &region);
	}
}

/* Returns what is wrong with @list, NULL if nothing is */
static const char *model_check(const struct merge_model *model,
			       struct list_head *list)
{
	struct iommu_resv_region *region, *prev = NULL;
	struct merge_model left = *model;

	list_for_each_entry(region, list, list) {
		unsigned int first = (region->start - model->base) >>
				     model->shift;
		unsigned int last = first + (region->length >> model->shift) - 1;
		u64 all, run;

		if (first >= CELLS || last >= CELLS || last < first)
			return "out of place";

		all = model->cells[region->type][region->prot];
		run = GENMASK_ULL(last, first);
		if ((left.cells[region->type][region->prot] & run) != run)
			return "covers what was not there, or covers it twice";
		left.cells[region->type][region->prot] &= ~run;
		if (first && all & BIT_ULL(first - 1))
			return "not merged with what is before";
		if (last < CELLS - 1 && all & BIT_ULL(last + 1))
			return "not merged with what is behind";

		if (prev && (prev->start > region->start ||
			     (prev->start == region->start &&
			      (prev->type > region->type ||
			       (prev->type == region->type &&
				prev->prot > region->prot)))))
			return "not sorted";
		prev = region;
	}

	if (memchr_inv(left.cells, 0, sizeof(left.cells)))
		return "lost";

	return NULL;
}

static void merge_like_model(struct kunit *test)
{
	const char *fault = NULL;
	struct merge_model model;
	u32 state = 20210507;
	unsigned int i;

	for (i = 0; i < 2000 && !fault; i++) {
		LIST_HEAD(list);

		model_generate(test, &model, &state, &list);
		iommu_resv_merge(&list);
		fault = model_check(&model, &list);
		/* Once more, which must change nothing */
		if (!fault) {
			iommu_resv_merge(&list);
			fault = model_check(&model, &list);
		}
		iommu_put_resv_regions(NULL, &list);
	}

	KUNIT_EXPECT_FALSE_MSG(test, (bool)fault, "list %u: %s", i - 1, fault);
}

static void group_is_union(struct kunit *test)
{
	static const struct iommu_resv_region one[] = {
		MSI(0xfee00000, SZ_1M), DIRECT(0x5000, 0x1000),
	};
	static const struct iommu_resv_region two[] = {
		DIRECT(0x4000, 0x1000), MSI(0xfee00000, SZ_1M),
		DIRECT(LAST - 0xfff, 0x1000),
	};
	static const struct iommu_resv_region both[] = {
		DIRECT(0x4000, 0x2000), MSI(0xfee00000, SZ_1M),
		DIRECT(LAST - 0xfff, 0x1000),
	};
	struct mock_iommu *mock = mock_iommu_create(test, 0);
	struct mock_device *first, *other, *second;
	struct iommu_group *group;
	LIST_HEAD(list);

	first = mock_device_create(test, mock, NULL);
	first->resv = (struct mock_resv) { one, ARRAY_SIZE(one) };
	group = first->dev.iommu_group;

	/* A member that no IOMMU serves must not hide those behind it */
	other = mock_device_create(test, NULL, NULL);
	KUNIT_ASSERT_EQ(test, 0, iommu_group_add_device(group, &other->dev));

	second = mock_device_create(test, mock, group);
	second->resv = (struct mock_resv) { two, ARRAY_SIZE(two) };

	KUNIT_EXPECT_EQ(test, 0, iommu_get_group_resv_regions(group, &list));
	expect_regions(test, &list, both, ARRAY_SIZE(both));

	/* Adding the regions of the group once more changes nothing */
	KUNIT_EXPECT_EQ(test, 0, iommu_get_group_resv_regions(group, &list));
	expect_regions(test, &list, both, ARRAY_SIZE(both));

	iommu_put_resv_regions(NULL, &list);
	iommu_group_remove_device(&other->dev);
}

/* Wherever memory runs out, the caller keeps what it had and gets no more */
static void group_out_of_memory(struct kunit *test)
{
	static const struct iommu_resv_region had[] = {
		MSI(0xfee00000, SZ_1M),
	};
	static const struct iommu_resv_region regions[] = {
		DIRECT(0x1000, 0x1000), DIRECT(0x3000, 0x1000),
		DIRECT(0x5000, 0x1000),
	};
	struct mock_iommu *mock = mock_iommu_create(test, 0);
	struct mock_device *mdev[2];
	struct iommu_group *group;
	unsigned int i, nr;
	LIST_HEAD(empty);
	LIST_HEAD(list);

	mdev[0] = mock_device_create(test, mock, NULL);
	group = mdev[0]->dev.iommu_group;
	mdev[1] = mock_device_create(test, mock, group);
	add_region(test, &list, &had[0]);

	for (i = 0; i < 2; i++) {
		for (nr = 0; nr <= ARRAY_SIZE(regions); nr++) {
			mdev[!i]->resv = (struct mock_resv) {
				regions, ARRAY_SIZE(regions)
			};
			mdev[i]->resv = (struct mock_resv) { regions, nr, true };
			KUNIT_EXPECT_EQ(test, -ENOMEM,
					iommu_get_resv_regions(&mdev[i]->dev,
							       &empty));
			KUNIT_EXPECT_TRUE(test, list_empty(&empty));
			KUNIT_EXPECT_EQ(test, -ENOMEM,
					iommu_get_group_resv_regions(group,
								     &list));
			expect_regions(test, &list, had, ARRAY_SIZE(had));
		}
	}

	iommu_put_resv_regions(NULL, &list);
}

static void expect_group(struct kunit *test, struct iommu_group *group,
			 const struct iommu_resv_region *want, unsigned int nr)
{
	const struct list_head *regions = iommu_group_lock_resv_regions(group);

	KUNIT_ASSERT_FALSE(test, IS_ERR(regions));
	expect_regions(test, regions, want, nr);
	iommu_group_unlock_resv_regions(group);
}

/* Each device is asked when something may have changed, and not without */
static void group_is_kept(struct kunit *test)
{
	static const struct iommu_resv_region one[] = { DIRECT(0x5000, 0x1000) };
	static const struct iommu_resv_region both[] = {
		DIRECT(0x3000, 0x1000), DIRECT(0x5000, 0x1000),
	};
	struct mock_iommu *mock = mock_iommu_create(test, 0);
	struct mock_device *first, *second;
	struct iommu_group *group;
	LIST_HEAD(list);

	first = mock_device_create(test, mock, NULL);
	first->resv = (struct mock_resv) { one, ARRAY_SIZE(one) };
	first->asked = 0;
	group = first->dev.iommu_group;

	expect_group(test, group, one, ARRAY_SIZE(one));
	expect_group(test, group, one, ARRAY_SIZE(one));
	KUNIT_EXPECT_EQ(test, 0, iommu_get_group_resv_regions(group, &list));
	KUNIT_EXPECT_EQ(test, 1u, first->asked);

	mock->resv = (struct mock_resv) { both, 1 };
	second = mock_device_create(test, mock, group);
	second->asked = 0;
	expect_group(test, group, both, ARRAY_SIZE(both));
	expect_group(test, group, both, ARRAY_SIZE(both));
	KUNIT_EXPECT_EQ(test, 2u, first->asked);
	KUNIT_EXPECT_EQ(test, 1u, second->asked);

	/* What was copied before stays */
	expect_regions(test, &list, one, ARRAY_SIZE(one));

	mock_device_remove(second);
	expect_group(test, group, one, ARRAY_SIZE(one));
	KUNIT_EXPECT_EQ(test, 3u, first->asked);
	KUNIT_EXPECT_EQ(test, 1u, second->asked);

	first->resv = (struct mock_resv) { both, ARRAY_SIZE(both) };
	expect_group(test, group, one, ARRAY_SIZE(one));
	iommu_resv_regions_changed();
	expect_group(test, group, both, ARRAY_SIZE(both));
	KUNIT_EXPECT_EQ(test, 4u, first->asked);

	iommu_put_resv_regions(NULL, &list);
}

/* Devices that have a driver to be asked only for a part of their membership */
static void group_with_unserved_devices(struct kunit *test)
{
	static const struct iommu_resv_region regions[] = {
		DIRECT(0x1000, 0x1000), DIRECT(0x3000, 0x1000),
	};
	struct mock_iommu *mock = mock_iommu_create(test, 0);
	struct mock_iommu *late = mock_iommu_create(test, 0);
	struct mock_device *first, *second;
	struct iommu_group *group;

	mock->resv = (struct mock_resv) { regions, 1 };
	first = mock_device_create(test, mock, NULL);
	group = first->dev.iommu_group;

	second = mock_device_create(test, NULL, NULL);
	second->resv = (struct mock_resv) { regions, ARRAY_SIZE(regions) };
	KUNIT_ASSERT_EQ(test, 0, iommu_group_add_device(group, &second->dev));
	expect_group(test, group, regions, 1);

	second->mock = late;
	KUNIT_ASSERT_EQ(test, 0, iommu_probe_device(&second->dev));
	expect_group(test, group, regions, ARRAY_SIZE(regions));

	mock_iommu_destroy(test, late);
	expect_group(test, group, regions, 1);
	iommu_group_remove_device(&second->dev);
}

/* That memory was short once must not be kept, nor what was found by then */
static void group_failure_is_not_kept(struct kunit *test)
{
	static const struct iommu_resv_region regions[] = {
		DIRECT(0x1000, 0x1000), DIRECT(0x3000, 0x1000),
	};
	struct mock_iommu *mock = mock_iommu_create(test, 0);
	struct mock_device *first = mock_device_create(test, mock, NULL);
	struct iommu_group *group = first->dev.iommu_group;
	struct mock_device *second = mock_device_create(test, mock, group);
	LIST_HEAD(list);

	first->resv = (struct mock_resv) { regions, 1 };
	second->resv = (struct mock_resv) { regions + 1, 1, true };
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			iommu_get_group_resv_regions(group, &list));
	second->resv.no_memory = false;
	expect_group(test, group, regions, ARRAY_SIZE(regions));

	iommu_resv_regions_changed();
	second->resv.no_memory = true;
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			iommu_get_group_resv_regions(group, &list));
	second->resv.no_memory = false;
	expect_group(test, group, regions, ARRAY_SIZE(regions));
	iommu_put_resv_regions(NULL, &list);
}

/* Changing or freeing the copies of one caller is nothing to the next one */
static void group_copies_are_independent(struct kunit *test)
{
	static const struct iommu_resv_region regions[] = {
		DIRECT(0x1000, 0x1000), DIRECT(0x3000, 0x1000),
	};
	struct mock_iommu *mock = mock_iommu_create(test, 0);
	struct mock_device *mdev = mock_device_create(test, mock, NULL);
	struct iommu_group *group = mdev->dev.iommu_group;
	struct iommu_resv_region *region;
	LIST_HEAD(list);

	mdev->resv = (struct mock_resv) { regions, ARRAY_SIZE(regions) };
	KUNIT_EXPECT_EQ(test, 0, iommu_get_group_resv_regions(group, &list));
	expect_regions(test, &list, regions, ARRAY_SIZE(regions));
	list_for_each_entry(region, &list, list)
		region->start += 0x10000;
	iommu_put_resv_regions(NULL, &list);

	expect_group(test, group, regions, ARRAY_SIZE(regions));
}

static void walk_group(struct mock_device *mdev)
{
	struct iommu_resv_region *region;
	LIST_HEAD(list);

	iommu_get_group_resv_regions(mdev->dev.iommu_group, &list);
	list_for_each_entry(region, &list, list)
		mdev->regions_late++;
	iommu_put_resv_regions(NULL, &list);
}

/* The driver has forgotten the device, and the group has not yet */
static void released_device_not_asked(struct kunit *test)
{
	static const struct iommu_resv_region one[] = { DIRECT(0x5000, 0x1000) };
	struct mock_iommu *mock = mock_iommu_create(test, 0);
	struct mock_device *mdev = mock_device_create(test, mock, NULL);

	mdev->resv = (struct mock_resv) { one, ARRAY_SIZE(one) };
	expect_group(test, mdev->dev.iommu_group, one, ARRAY_SIZE(one));

	mdev->release = walk_group;
	mock_device_remove(mdev);
	KUNIT_EXPECT_TRUE(test, mdev->released);
	KUNIT_EXPECT_EQ(test, 0u, mdev->asked_late);
	KUNIT_EXPECT_EQ(test, 0u, mdev->regions_late);
}

static void odd_regions_are_trimmed(struct kunit *test)
{
	const struct iommu_resv_region odd[] = {
		{ .start = 0x1000, .type = IOMMU_RESV_DIRECT },
		{ .start = 0, .type = IOMMU_RESV_RESERVED },
		{ .start = LAST - 0xfff, .length = 0x1001, .prot = RW },
		{ .start = LAST, .length = SIZE_MAX, .prot = RW },
		{ .start = LAST, .type = IOMMU_RESV_MSI },
		{ .start = 0, .length = SIZE_MAX, .prot = RW },
	};
	const struct iommu_resv_region want[] = {
		DIRECT(LAST - 0xfff, 0x1000), DIRECT(LAST, 1),
		{ .start = 0, .length = SIZE_MAX, .prot = RW },
	};
	struct mock_iommu *mock = mock_iommu_create(test, 0);
	struct mock_device *mdev = mock_device_create(test, mock, NULL);
	LIST_HEAD(list);

	mdev->resv = (struct mock_resv) { odd, ARRAY_SIZE(odd) };
	KUNIT_EXPECT_EQ(test, 0, iommu_get_resv_regions(&mdev->dev, &list));
	expect_regions(test, &list, want, ARRAY_SIZE(want));
	iommu_put_resv_regions(NULL, &list);
}

/* Each page that a region touches is mapped to itself, and nothing else is */
static void direct_regions_are_mapped(struct kunit *test)
{
	const struct iommu_resv_region regions[] = {
		DIRECT(0, 1), DIRECT(8 * PAGE_SIZE - 1, 2),
		DIRECT(LAST - PAGE_SIZE, PAGE_SIZE + 1),
		MSI(64 * PAGE_SIZE, PAGE_SIZE),
		REGION(20 * PAGE_SIZE, 2, RW,
		       IOMMU_RESV_DIRECT_RELAXABLE),
	};
	const phys_addr_t pages[] = {
		0, 7 * PAGE_SIZE, 8 * PAGE_SIZE, 20 * PAGE_SIZE,
		LAST - 2 * PAGE_SIZE + 1, LAST - PAGE_SIZE + 1,
	};
	struct mock_iommu *mock = mock_iommu_create(test, 0);
	struct iommu_domain *domain;
	struct mock_device *first;
	unsigned long iova, nr = 0;
	unsigned int i;
	void *page;

	if (sizeof(unsigned long) < sizeof(phys_addr_t)) {
		kunit_info(test, "skipped: IOVAs are short here\n");
		return;
	}

	mock->resv = (struct mock_resv) { regions, ARRAY_SIZE(regions) };
	mock_set_default_domains(true);
	first = mock_device_create(test, mock, NULL);
	mock_device_create(test, mock, first->dev.iommu_group);
	mock_set_default_domains(false);

	domain = iommu_get_domain_for_dev(&first->dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		iova = pages[i] + PAGE_SIZE - 1;
		KUNIT_EXPECT_EQ(test, (u64)iova,
				(u64)iommu_iova_to_phys(domain, iova));
	}
	xa_for_each(&to_mock_domain(domain)->pages, iova, page)
		nr++;
	KUNIT_EXPECT_EQ(test, (unsigned long)ARRAY_SIZE(pages), nr);
	KUNIT_EXPECT_EQ(test, 0u, to_mock_domain(domain)->remapped);
}

/* What a reader of a file gets that shows what @owner points to */
static struct iommu_resv_text *some_text(void *owner)
{
	struct iommu_resv_region *region;
	struct iommu_resv_text *text;
	unsigned int *nr = owner, i;
	LIST_HEAD(list);

	for (i = 0; i < *nr; i++) {
		region = iommu_alloc_resv_region((phys_addr_t)i << 13, 0x1000,
						 RW, i % NR_TYPES);
		if (region)
			list_add_tail(&region->list, &list);
	}
	text = i == 13 ? ERR_PTR(-EIO) : iommu_resv_text(&list);
	iommu_put_resv_regions(NULL, &list);

	return text;
}

static void file_is_complete(struct kunit *test)
{
	static const char * const types[NR_TYPES] = {
		"direct", "direct-relaxable", "reserved", "msi", "msi",
	};
	const size_t size = 16384;
	char *want = kunit_kzalloc(test, size, GFP_KERNEL);
	char *got = kunit_kzalloc(test, size, GFP_KERNEL);
	struct kernfs_open_file *of = kunit_kzalloc(test, sizeof(*of),
						    GFP_KERNEL);
	struct kernfs_node *kn = kunit_kzalloc(test, sizeof(*kn), GFP_KERNEL);
	unsigned int nr = 200, i;
	size_t len = 0, bite;
	ssize_t ret;
	loff_t pos;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, want);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, got);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, of);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, kn);
	of->kn = kn;
	kn->priv = &nr;

	for (i = 0; i < nr; i++)
		len += scnprintf(want + len, size - len,
				 "0x%016llx 0x%016llx %s\n", (u64)i << 13,
				 ((u64)i << 13) + 0xfff, types[i % NR_TYPES]);
	KUNIT_ASSERT_GT(test, len, (size_t)PAGE_SIZE);

	for (bite = 1; bite <= size; bite *= 2) {
		memset(got, 0, size);
		nr = 200;
		for (pos = 0; pos < size; pos += ret) {
			ret = iommu_resv_file_read(of, got + pos, bite, pos,
						   some_text);
			if (ret <= 0)
				break;
			/* Regions that go meanwhile do not shift the text */
			nr = 0;
		}
		KUNIT_EXPECT_EQ(test, (ssize_t)0, ret);
		KUNIT_EXPECT_EQ(test, (loff_t)len, pos);
		KUNIT_EXPECT_FALSE(test, memcmp(want, got, size));
	}

	/* From the start it is the present again */
	KUNIT_EXPECT_EQ(test, (ssize_t)0,
			iommu_resv_file_read(of, got, size, 0, some_text));
	nr = 13;
	KUNIT_EXPECT_EQ(test, (ssize_t)-EIO,
			iommu_resv_file_read(of, got, size, 0, some_text));
	iommu_resv_file_release(of);
}

static bool has_file(struct device *dev)
{
	struct kernfs_node *kn = kernfs_find_and_get(dev->kobj.sd,
						     "iommu_reserved_regions");

	kernfs_put(kn);

	return kn;
}

static void file_comes_and_goes(struct kunit *test)
{
	struct mock_iommu *mock = mock_iommu_create(test, 0);
	struct mock_device *bypass = mock_device_create(test, NULL, NULL);
	struct mock_device *mdev = mock_device_create(test, mock, NULL);

	if (!IS_ENABLED(CONFIG_IOMMU_DEVICE_SYSFS)) {
		kunit_info(test, "skipped: CONFIG_IOMMU_DEVICE_SYSFS is off\n");
		return;
	}

	KUNIT_EXPECT_FALSE(test, has_file(&bypass->dev));
	KUNIT_EXPECT_TRUE(test, has_file(&mdev->dev));
	iommu_release_device(&mdev->dev);
	KUNIT_EXPECT_FALSE(test, has_file(&mdev->dev));
	KUNIT_ASSERT_EQ(test, 0, iommu_probe_device(&mdev->dev));
	KUNIT_EXPECT_TRUE(test, has_file(&mdev->dev));
}

static int iommu_resv_test_init(struct kunit *test)
{
	return mock_bus_init();
}

static struct kunit_case iommu_resv_cases[] = {
	KUNIT_CASE(merge_nothing),
	KUNIT_CASE(merge_overlapping_and_adjacent),
	KUNIT_CASE(merge_only_one_kind),
	KUNIT_CASE(merge_at_both_ends),
	KUNIT_CASE(merge_whole_address_space),
	KUNIT_CASE(merge_like_model),
	KUNIT_CASE(group_is_union),
	KUNIT_CASE(group_out_of_memory),
	KUNIT_CASE(group_is_kept),
	KUNIT_CASE(group_with_unserved_devices),
	KUNIT_CASE(group_failure_is_not_kept),
	KUNIT_CASE(group_copies_are_independent),
	KUNIT_CASE(released_device_not_asked),
	KUNIT_CASE(odd_regions_are_trimmed),
	KUNIT_CASE(direct_regions_are_mapped),
	KUNIT_CASE(file_is_complete),
	KUNIT_CASE(file_comes_and_goes),
	{ }
};

static struct kunit_suite iommu_resv_suite = {
	.name = "iommu_resv",
	.init = iommu_resv_test_init,
	.test_cases = iommu_resv_cases,
};

kunit_test_suites(&iommu_resv_suite);
