/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What iommu-resv-cache.c offers to the IOMMU core.
 */

#ifndef _IOMMU_RESV_CACHE_H
#define _IOMMU_RESV_CACHE_H

#include <linux/types.h>

struct device;

/**
 * struct iommu_resv_cache - The reserved regions of some devices, to be kept
 * @regions: of all devices, merged; nothing unless @complete
 * @generation: of the answers of drivers that @regions are made of
 * @complete: all devices have been asked
 */
struct iommu_resv_cache {
	struct list_head regions;
	s64 generation;
	bool complete;
};

void iommu_resv_cache_init(struct iommu_resv_cache *cache);
bool iommu_resv_cache_valid(const struct iommu_resv_cache *cache);
void iommu_resv_cache_begin(struct iommu_resv_cache *cache);
int iommu_resv_cache_add(struct iommu_resv_cache *cache, struct device *dev);
void iommu_resv_cache_end(struct iommu_resv_cache *cache);
void iommu_resv_cache_drop(struct iommu_resv_cache *cache);

#endif /* _IOMMU_RESV_CACHE_H */
