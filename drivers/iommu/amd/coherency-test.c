// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: FC in the page tables of the AMD IOMMU driver, with made-up domains.
 *
 * The domains are not attached to hardware, so this runs on any machine.
 */

#include <linux/sizes.h>

#include "test-domain.h"

/* Beyond what three levels map, so that the table has to grow */
#define HIGH_IOVA	BIT_ULL(40)

struct fc_case {
	const char *name;
	size_t size;
	int entries;
};

static const struct fc_case cases[] = {
	{ "4K", SZ_4K, 1 },
	{ "64K, replicated", SZ_64K, 16 },
	{ "2M", SZ_2M, 1 },
};

static int mode(struct protection_domain *domain)
{
	return atomic64_read(&domain->pt_root) & 7;
}

static u64 *leaf(struct protection_domain *domain, u64 iova)
{
	u64 *pte = &root(domain)[PM_LEVEL_INDEX(mode(domain) - 1, iova)];

	while (is_table(*pte))
		pte = (u64 *)IOMMU_PTE_PAGE(*pte) +
		      PM_LEVEL_INDEX(PM_PTE_LEVEL(*pte) - 1, iova);

	return pte;
}

static void check_leaves(struct kunit *test, bool enforce, u64 iova)
{
	struct protection_domain *domain;
	const struct fc_case *c;
	u64 *pte;
	int i;

	domain = kunit_kzalloc(test, sizeof(*domain), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);

	for (c = cases; c < cases + ARRAY_SIZE(cases); c++) {
		make_domain(test, domain);
		if (enforce)
			KUNIT_EXPECT_TRUE(test,
					  iommu_enforce_cache_coherency(&domain->domain));

		KUNIT_EXPECT_EQ_MSG(test, 0,
				    iommu_map(&domain->domain, iova, SZ_2M,
					      c->size,
					      IOMMU_WRITE | IOMMU_CACHE),
				    "%s", c->name);
		pte = leaf(domain, iova);
		for (i = 0; i < c->entries; i++) {
			KUNIT_EXPECT_TRUE_MSG(test, IOMMU_PTE_PRESENT(pte[i]),
					      "%s", c->name);
			KUNIT_EXPECT_EQ_MSG(test, enforce,
					    (bool)(pte[i] & IOMMU_PTE_FC),
					    "%s, entry %d", c->name, i);
		}
		free_tables(root(domain));
	}
}

static void fc_not_enforced(struct kunit *test)
{
	check_leaves(test, false, SZ_1G);
}

static void fc_enforced(struct kunit *test)
{
	check_leaves(test, true, SZ_1G);
}

static void fc_enforced_table_grows(struct kunit *test)
{
	check_leaves(test, true, HIGH_IOVA);
}

/* Enforcement needs leaf entries, and nothing that goes around them */
static void fc_needs_page_table(struct kunit *test)
{
	struct protection_domain *domain;

	domain = kunit_kzalloc(test, sizeof(*domain), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	make_domain(test, domain);

	domain->flags = PD_IOMMUV2_MASK;
	KUNIT_EXPECT_FALSE(test, iommu_enforce_cache_coherency(&domain->domain));
	domain->flags = 0;

	free_tables(root(domain));
	atomic64_set(&domain->pt_root, PAGE_MODE_NONE);
	KUNIT_EXPECT_FALSE(test, iommu_enforce_cache_coherency(&domain->domain));
	KUNIT_EXPECT_FALSE(test, domain->domain.enforces_coherency);
}

static struct kunit_case amd_coherency_cases[] = {
	KUNIT_CASE(fc_not_enforced),
	KUNIT_CASE(fc_enforced),
	KUNIT_CASE(fc_enforced_table_grows),
	KUNIT_CASE(fc_needs_page_table),
	{ }
};

static struct kunit_suite amd_coherency_suite = {
	.name = "amd_coherency",
	.test_cases = amd_coherency_cases,
};

kunit_test_suites(&amd_coherency_suite);
