/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For KUnit: domains of the AMD IOMMU driver that are attached to no hardware.
 */

#ifndef _AMD_IOMMU_TEST_DOMAIN_H
#define _AMD_IOMMU_TEST_DOMAIN_H

#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/iommu.h>

#include "amd_iommu.h"

static inline void make_domain(struct kunit *test,
			       struct protection_domain *domain)
{
	unsigned long root = get_zeroed_page(GFP_KERNEL);

	KUNIT_ASSERT_TRUE(test, root);
	memset(domain, 0, sizeof(*domain));
	spin_lock_init(&domain->lock);
	INIT_LIST_HEAD(&domain->dev_list);
	domain->domain.type = IOMMU_DOMAIN_UNMANAGED;
	domain->domain.ops = &amd_iommu_ops;
	domain->domain.pgsize_bitmap = amd_iommu_ops.pgsize_bitmap;
	atomic64_set(&domain->pt_root, root | PAGE_MODE_3_LEVEL);
}

static inline u64 *root(struct protection_domain *domain)
{
	return (u64 *)(atomic64_read(&domain->pt_root) & PAGE_MASK);
}

static inline bool is_table(u64 pte)
{
	return IOMMU_PTE_PRESENT(pte) && PM_PTE_LEVEL(pte) != 0 &&
	       PM_PTE_LEVEL(pte) != 7;
}

static inline void free_tables(u64 *table)
{
	int i;

	for (i = 0; i < 512; i++)
		if (is_table(table[i]))
			free_tables(IOMMU_PTE_PAGE(table[i]));
	free_page((unsigned long)table);
}

#endif /* _AMD_IOMMU_TEST_DOMAIN_H */
