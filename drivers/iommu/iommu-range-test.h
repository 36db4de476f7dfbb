/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KUnit: what a driver maps and unmaps in one go, compared with a simple model.
 */

#ifndef _IOMMU_RANGE_TEST_H
#define _IOMMU_RANGE_TEST_H

#include <kunit/test.h>
#include <linux/iommu.h>

/**
 * iommu_test_ranges() - Map and unmap generated ranges
 * @test: the test this is part of
 * @domain: empty paging domain that is attached to no device; its driver has
 *	    ->map_range() and ->unmap_range(). Nothing is mapped afterwards.
 *
 * The ranges are around the first GiB, have any length and alignment, and are
 * the same each time. Some are unmapped together, with the holes between them.
 */
void iommu_test_ranges(struct kunit *test, struct iommu_domain *domain);

#endif /* _IOMMU_RANGE_TEST_H */
