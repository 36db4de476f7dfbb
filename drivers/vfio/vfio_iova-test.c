// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: the set of I/O virtual addresses that a container may map.
 */

#include <kunit/test.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/prandom.h>

#include "vfio_iova.h"

#define SEED		20201
#define ROUNDS		4000

/* Most of a round happens in few addresses, each of them a bit of a model. */
#define MODEL_SIZE	64
#define MAX_REGIONS	12
#define MAX_GROUPS	3

static void add_region(struct kunit *test, struct list_head *list, u64 start,
		       u64 length, enum iommu_resv_type type)
{
	struct iommu_resv_region *region;

	region = kunit_kzalloc(test, sizeof(*region), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, region);
	region->start = start;
	region->length = length;
	region->type = type;
	list_add_tail(&region->list, list);
}

static struct vfio_iova_set *build_set(const struct vfio_iova_set *from,
				       u64 first, u64 last,
				       struct list_head *regions)
{
	vfio_iova_sort_regions(regions);

	return vfio_iova_set_build(from, first, last, regions);
}

static void expect_ranges(struct kunit *test, const char *name,
			  const struct vfio_iova_set *set,
			  const struct vfio_iova_range *ranges,
			  unsigned int count)
{
	unsigned int i;

	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(set), name);
	KUNIT_ASSERT_EQ_MSG(test, count, set->count, name);
	for (i = 0; i < count; i++) {
		KUNIT_EXPECT_EQ_MSG(test, ranges[i].start,
				    set->ranges[i].start, name);
		KUNIT_EXPECT_EQ_MSG(test, ranges[i].end,
				    set->ranges[i].end, name);
	}
}

/* Cut two regions out of everything, which gives some ranges */
struct edge_case {
	const char *name;
	struct { u64 start, length; } resv[2];
	unsigned int count;
	struct vfio_iova_range ranges[3];
};

static const struct edge_case edge_cases[] = {
	{ "nothing", { }, 1, { { 0, U64_MAX } } },
	{ "zero length at 0", { { 0, 0 }, { 5, 0 } }, 1, { { 0, U64_MAX } } },
	{ "first byte", { { 0, 1 } }, 1, { { 1, U64_MAX } } },
	{ "last byte", { { U64_MAX, 1 } }, 1, { { 0, U64_MAX - 1 } } },
	{ "both ends", { { U64_MAX, 1 }, { 0, 1 } },
	  1, { { 1, U64_MAX - 1 } } },
	{ "all but the last byte", { { 0, U64_MAX } },
	  1, { { U64_MAX, U64_MAX } } },
	{ "all but the first byte", { { 1, U64_MAX } }, 1, { { 0, 0 } } },
	{ "everything", { { 0, U64_MAX }, { U64_MAX, 1 } }, 0, { } },
	{ "beyond the end", { { U64_MAX - 9, 100 } },
	  1, { { 0, U64_MAX - 10 } } },
	{ "two holes", { { 300, 100 }, { 100, 100 } },
	  3, { { 0, 99 }, { 200, 299 }, { 400, U64_MAX } } },
	{ "adjacent", { { 100, 100 }, { 200, 100 } },
	  2, { { 0, 99 }, { 300, U64_MAX } } },
	{ "overlapping", { { 150, 100 }, { 100, 100 } },
	  2, { { 0, 99 }, { 250, U64_MAX } } },
	{ "one in another", { { 100, 500 }, { 200, 100 } },
	  2, { { 0, 99 }, { 600, U64_MAX } } },
	{ "one byte between", { { 0, 100 }, { 101, U64_MAX - 100 } },
	  1, { { 100, 100 } } },
};

static void iova_edges(struct kunit *test)
{
	const struct edge_case *edge;
	struct vfio_iova_set *set;
	unsigned int i;

	for (edge = edge_cases; edge < edge_cases + ARRAY_SIZE(edge_cases);
	     edge++) {
		LIST_HEAD(resv);

		for (i = 0; i < ARRAY_SIZE(edge->resv); i++)
			add_region(test, &resv, edge->resv[i].start,
				   edge->resv[i].length, IOMMU_RESV_RESERVED);
		set = build_set(NULL, 0, U64_MAX, &resv);
		if (!edge->count) {
			KUNIT_EXPECT_EQ_MSG(test, -EINVAL,
					    PTR_ERR_OR_ZERO(set), edge->name);
			continue;
		}
		expect_ranges(test, edge->name, set, edge->ranges, edge->count);
		vfio_iova_set_free(set);
	}
}

/* Only direct-relaxable stays valid */
static void iova_types(struct kunit *test)
{
	static const struct vfio_iova_range ranges[] = {
		{ 10, 19 }, { 30, 39 }, { 50, 59 }, { 70, U64_MAX },
	};
	struct vfio_iova_set *set;
	LIST_HEAD(resv);

	add_region(test, &resv, 0, 10, IOMMU_RESV_DIRECT);
	add_region(test, &resv, 20, 10, IOMMU_RESV_RESERVED);
	add_region(test, &resv, 40, 10, IOMMU_RESV_MSI);
	add_region(test, &resv, 60, 10, IOMMU_RESV_SW_MSI);
	add_region(test, &resv, 80, 10, IOMMU_RESV_DIRECT_RELAXABLE);
	add_region(test, &resv, 5, 100, IOMMU_RESV_DIRECT_RELAXABLE);

	set = build_set(NULL, 0, U64_MAX, &resv);
	expect_ranges(test, "types", set, ranges, ARRAY_SIZE(ranges));
	vfio_iova_set_free(set);
}

static void iova_unsorted(struct kunit *test)
{
	LIST_HEAD(resv);

	add_region(test, &resv, 100, 10, IOMMU_RESV_RESERVED);
	add_region(test, &resv, 99, 10, IOMMU_RESV_RESERVED);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			PTR_ERR_OR_ZERO(vfio_iova_set_build(NULL, 0, U64_MAX,
							    &resv)));
}

static void iova_aperture(struct kunit *test)
{
	static const struct vfio_iova_range both[] = {
		{ 50, 99 }, { 200, 250 },
	};
	struct vfio_iova_set *set, *next;
	LIST_HEAD(resv);

	add_region(test, &resv, 100, 100, IOMMU_RESV_RESERVED);
	add_region(test, &resv, 0, 10, IOMMU_RESV_RESERVED);
	add_region(test, &resv, 300, 10, IOMMU_RESV_RESERVED);
	set = build_set(NULL, 50, 250, &resv);
	expect_ranges(test, "aperture", set, both, 2);
	INIT_LIST_HEAD(&resv);

	/* A hole is not given back, whatever the next aperture is */
	next = build_set(set, 0, U64_MAX, &resv);
	expect_ranges(test, "hole", next, both, 2);
	vfio_iova_set_free(next);

	next = build_set(set, 200, 200, &resv);
	expect_ranges(test, "one byte", next,
		      &(struct vfio_iova_range){ 200, 200 }, 1);
	vfio_iova_set_free(next);

	/* Nothing but hole, and what is refused changes nothing */
	KUNIT_EXPECT_EQ(test, -EINVAL,
			PTR_ERR_OR_ZERO(build_set(set, 100, 199, &resv)));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			PTR_ERR_OR_ZERO(build_set(set, 251, U64_MAX, &resv)));
	expect_ranges(test, "aperture", set, both, 2);
	vfio_iova_set_free(set);
}

/*
 * The model is a bit for each address. It stands for the low end of the address
 * space, or for the high one, or for blocks of 2^58 bytes that fill all of it.
 */
struct model {
	u64 valid;
	u64 base;
	unsigned int shift;
};

static u64 model_first(const struct model *m, unsigned int bit)
{
	return m->base + ((u64)bit << m->shift);
}

static u64 model_last(const struct model *m, unsigned int bit)
{
	return model_first(m, bit) + ((1ull << m->shift) - 1);
}

static void model_forbid(struct model *m, unsigned int first,
			 unsigned int length)
{
	for (; length && first < MODEL_SIZE; length--)
		m->valid &= ~BIT_ULL(first++);
}

static bool model_contains(const struct model *m, unsigned int first,
			   unsigned int last)
{
	u64 bits = GENMASK_ULL(last, first);

	return (m->valid & bits) == bits;
}

static void expect_model(struct kunit *test, const struct model *m,
			 const struct vfio_iova_set *set, unsigned int round)
{
	unsigned int first, last, i, wrong = 0;
	u64 start, end, valid = 0, holes = 0;

	for (first = 0; first < MODEL_SIZE; first++) {
		for (last = first; last < MODEL_SIZE; last++)
			wrong += vfio_iova_set_contains(set,
							model_first(m, first),
							model_last(m, last)) !=
				 model_contains(m, first, last);
	}
	KUNIT_EXPECT_EQ_MSG(test, 0u, wrong, "seed %d round %u", SEED, round);

	/* Sorted and apart, and with the holes all there is */
	for (i = 0; i <= set->count; i++) {
		if (vfio_iova_set_hole(set, i, &start, &end)) {
			KUNIT_EXPECT_LE(test, start, end);
			holes += end - start + 1;
		} else {
			KUNIT_EXPECT_TRUE(test, !i || i == set->count);
		}
		if (i == set->count)
			break;
		start = set->ranges[i].start;
		end = set->ranges[i].end;
		KUNIT_EXPECT_LE(test, start, end);
		KUNIT_EXPECT_TRUE(test,
				  !i || set->ranges[i - 1].end < start - 1);
		valid += end - start + 1;
	}
	/* That is 2^64, and 0 where it is all in one of them */
	KUNIT_EXPECT_EQ_MSG(test, 0ull, valid + holes, "round %u", round);
}

static void iova_random(struct kunit *test)
{
	struct iommu_resv_region *pool, *region;
	struct rnd_state rnd;
	unsigned int round, refused = 0;

	pool = kunit_kzalloc(test, MAX_REGIONS * sizeof(*pool), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pool);
	prandom_seed_state(&rnd, SEED);

	for (round = 0; round < ROUNDS; round++) {
		struct vfio_iova_set *set = NULL, *next;
		struct model m = { .valid = U64_MAX };
		unsigned int groups, group, regions, i, first, last, length;

		switch (prandom_u32_state(&rnd) % 3) {
		case 0:
			m.shift = 12;
			break;
		case 1:
			m.shift = 12;
			m.base = 0 - ((u64)MODEL_SIZE << 12);
			break;
		case 2:
			m.shift = 58;
			break;
		}

		groups = 1 + prandom_u32_state(&rnd) % MAX_GROUPS;
		for (group = 0; group < groups; group++) {
			LIST_HEAD(resv);

			regions = prandom_u32_state(&rnd) % MAX_REGIONS;
			for (i = 0; i < regions; i++) {
				region = &pool[i];
				first = prandom_u32_state(&rnd) % MODEL_SIZE;
				length = prandom_u32_state(&rnd) % 8;
				/* Now and then one that leaves little */
				if (prandom_u32_state(&rnd) % 32 == 0)
					length *= 8;
				length = min(length, MODEL_SIZE - first);
				region->start = model_first(&m, first);
				region->length = (u64)length << m.shift;
				region->type = prandom_u32_state(&rnd) % 5;
				if (region->type != IOMMU_RESV_DIRECT_RELAXABLE)
					model_forbid(&m, first, length);
				list_add(&region->list, &resv);
			}

			/* Mostly wide, as apertures are */
			first = 0;
			last = MODEL_SIZE - 1;
			if (prandom_u32_state(&rnd) % 4 == 0)
				first = prandom_u32_state(&rnd) % 16;
			if (prandom_u32_state(&rnd) % 4 == 0)
				last -= prandom_u32_state(&rnd) % 16;
			model_forbid(&m, 0, first);
			model_forbid(&m, last + 1, MODEL_SIZE);

			next = build_set(set, model_first(&m, first),
					 model_last(&m, last), &resv);
			if (IS_ERR(next)) {
				KUNIT_EXPECT_EQ(test, -EINVAL,
						PTR_ERR_OR_ZERO(next));
				KUNIT_EXPECT_EQ(test, 0ull, m.valid);
				refused++;
				break;
			}
			vfio_iova_set_free(set);
			set = next;
			expect_model(test, &m, set, round);
		}
		vfio_iova_set_free(set);
	}
	kunit_info(test, "seed %d: %u of %u rounds left nothing\n", SEED,
		   refused, ROUNDS);
}

/* As many as a machine can have, in one go and one by one */
static void iova_many(struct kunit *test)
{
	const unsigned int count = 10000;
	struct iommu_resv_region *pool;
	struct vfio_iova_set *set;
	LIST_HEAD(resv);
	unsigned int i;

	pool = kvcalloc(count, sizeof(*pool), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pool);
	for (i = 0; i < count; i++) {
		pool[i].start = (u64)(i + 1) << 20;
		pool[i].length = SZ_4K;
		pool[i].type = IOMMU_RESV_RESERVED;
		/* In no order that helps */
		if (i % 2)
			list_add(&pool[i].list, &resv);
		else
			list_add_tail(&pool[i].list, &resv);
	}

	set = build_set(NULL, 0, U64_MAX, &resv);
	KUNIT_ASSERT_FALSE(test, IS_ERR(set));
	KUNIT_EXPECT_EQ(test, count + 1, set->count);
	for (i = 0; i < count; i++) {
		u64 start = (u64)(i + 1) << 20;

		if (!vfio_iova_set_contains(set, start - SZ_4K, start - 1) ||
		    vfio_iova_set_contains(set, start - 1, start) ||
		    vfio_iova_set_contains(set, start + SZ_4K - 1,
					   start + SZ_4K) ||
		    !vfio_iova_set_contains(set, start + SZ_4K,
					    start + SZ_1M - 1))
			break;
	}
	KUNIT_EXPECT_EQ(test, count, i);
	vfio_iova_set_free(set);
	kvfree(pool);
}

static struct kunit_case vfio_iova_cases[] = {
	KUNIT_CASE(iova_edges),
	KUNIT_CASE(iova_types),
	KUNIT_CASE(iova_unsorted),
	KUNIT_CASE(iova_aperture),
	KUNIT_CASE(iova_random),
	KUNIT_CASE(iova_many),
	{ }
};

static struct kunit_suite vfio_iova_suite = {
	.name = "vfio-iova",
	.test_cases = vfio_iova_cases,
};

kunit_test_suite(vfio_iova_suite);

MODULE_LICENSE("GPL v2");
MODULE_DESCRIPTION("KUnit: valid I/O virtual addresses of a container");
