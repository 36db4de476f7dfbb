/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What iommu-resv.c offers to the IOMMU core.
 */

#ifndef _IOMMU_RESV_H
#define _IOMMU_RESV_H

struct list_head;

void iommu_resv_merge(struct list_head *regions);

#endif /* _IOMMU_RESV_H */
