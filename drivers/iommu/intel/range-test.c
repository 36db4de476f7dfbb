// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: generated ranges in the page tables of VT-d.
 *
 * The domains are not attached to hardware, so this runs on any machine.
 */

#include <linux/mm.h>
#include <linux/sizes.h>

#include "../iommu-range-test.h"
#include "test-domain.h"

static void ranges(struct kunit *test, int flags, int superpage)
{
	struct dmar_domain *domain = make_domain(test);

	domain->flags = flags;
	domain->iommu_superpage = superpage;
	domain->pgd = (struct dma_pte *)get_zeroed_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain->pgd);

	iommu_test_ranges(test, &domain->domain);

	/* All that the first entries cover, so that the tables go too */
	iommu_unmap(&domain->domain, 0, SZ_2G);
	free_page((unsigned long)domain->pgd);
}

static void ranges_second_level(struct kunit *test)
{
	ranges(test, 0, 1);
}

static void ranges_first_level(struct kunit *test)
{
	ranges(test, DOMAIN_FLAG_USE_FIRST_LEVEL, 1);
}

static void ranges_small_pages(struct kunit *test)
{
	ranges(test, 0, 0);
}

static struct kunit_case intel_range_cases[] = {
	KUNIT_CASE(ranges_second_level),
	KUNIT_CASE(ranges_first_level),
	KUNIT_CASE(ranges_small_pages),
	{ }
};

static struct kunit_suite intel_range_suite = {
	.name = "intel_range",
	.test_cases = intel_range_cases,
};

kunit_test_suites(&intel_range_suite);
