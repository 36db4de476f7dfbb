/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For KUnit: domains of the VT-d driver that are attached to no hardware.
 */

#ifndef _INTEL_IOMMU_TEST_DOMAIN_H
#define _INTEL_IOMMU_TEST_DOMAIN_H

#include <kunit/test.h>
#include <linux/intel-iommu.h>

#include "snoop.h"

/* Three levels of tables map 39 bits, and a superpage is 2M */
static inline struct dmar_domain *make_domain(struct kunit *test)
{
	struct dmar_domain *domain;

	domain = kunit_kzalloc(test, sizeof(*domain), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	domain->domain.type = IOMMU_DOMAIN_UNMANAGED;
	domain->domain.ops = &intel_iommu_ops;
	domain->domain.pgsize_bitmap = intel_iommu_ops.pgsize_bitmap;
	domain->nid = NUMA_NO_NODE;
	domain->gaw = 39;
	domain->agaw = 1;
	domain->iommu_superpage = 1;
	domain->iommu_coherency = 1;
	INIT_LIST_HEAD(&domain->devices);

	return domain;
}

#endif /* _INTEL_IOMMU_TEST_DOMAIN_H */
