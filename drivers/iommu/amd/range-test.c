// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: generated ranges in the page tables of the AMD IOMMU driver.
 *
 * The domain is not attached to hardware, so this runs on any machine.
 */

#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/iommu.h>

#include "../iommu-range-test.h"
#include "amd_iommu.h"

static void free_tables(u64 *table)
{
	int i, level;

	for (i = 0; i < 512; i++) {
		level = PM_PTE_LEVEL(table[i]);
		if (IOMMU_PTE_PRESENT(table[i]) && level != PAGE_MODE_NONE &&
		    level != PAGE_MODE_7_LEVEL)
			free_tables(IOMMU_PTE_PAGE(table[i]));
	}
	free_page((unsigned long)table);
}

static void ranges(struct kunit *test)
{
	unsigned long root = get_zeroed_page(GFP_KERNEL);
	struct protection_domain *domain;

	KUNIT_ASSERT_TRUE(test, root);
	domain = kunit_kzalloc(test, sizeof(*domain), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	spin_lock_init(&domain->lock);
	INIT_LIST_HEAD(&domain->dev_list);
	domain->domain.type = IOMMU_DOMAIN_UNMANAGED;
	domain->domain.ops = &amd_iommu_ops;
	atomic64_set(&domain->pt_root, root | PAGE_MODE_3_LEVEL);

	iommu_test_ranges(test, &domain->domain);

	free_tables((u64 *)(atomic64_read(&domain->pt_root) & PAGE_MASK));
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
