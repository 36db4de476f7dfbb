// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: generated ranges in the page tables of the AMD IOMMU driver.
 *
 * The domain is not attached to hardware, so this runs on any machine.
 */

#include "../iommu-range-test.h"
#include "test-domain.h"

static void ranges(struct kunit *test)
{
	struct protection_domain *domain;

	domain = kunit_kzalloc(test, sizeof(*domain), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	make_domain(test, domain);

	iommu_test_ranges(test, &domain->domain);

	free_tables(root(domain));
}

static struct kunit_case amd_range_cases[] = {
	KUNIT_CASE(ranges),
	{ }
};

static struct kunit_suite amd_range_suite = {
	.name = "amd_range",
	.test_cases = amd_range_cases,
};

kunit_test_suites(&amd_range_suite);
