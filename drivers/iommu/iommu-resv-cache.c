// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reserved regions that are kept until a driver may answer differently.
 *
 * Who has a cache has a lock for it, and drops what is in it when other devices are
 * to be asked. That a device gets another answer is known to its driver only, which
 * does not know who keeps what: it begins a new generation for all caches.
 */

#include <linux/atomic.h>
#include <linux/iommu.h>
#include <linux/list.h>

#include "iommu-resv-cache.h"
#include "iommu-resv.h"

static atomic64_t resv_generation = ATOMIC64_INIT(0);

/**
 * iommu_resv_regions_changed() - Tell that reserved regions have changed
 *
 * For IOMMU drivers: call it after ->get_resv_regions() has begun to give another
 * answer for a device that has been probed and not been released.
 *
 * Context: Any.
 */
void iommu_resv_regions_changed(void)
{
	/* Who sees this in iommu_resv_cache_begin() sees the change */
	atomic64_inc_return_release(&resv_generation);
}

/**
 * iommu_resv_cache_init() - Initialise a cache
 * @cache: the cache; its owner has a lock for all calls about it
 */
void iommu_resv_cache_init(struct iommu_resv_cache *cache)
{
	INIT_LIST_HEAD(&cache->regions);
	cache->complete = false;
}

/**
 * iommu_resv_cache_valid() - Are the regions in a cache those of now
 * @cache: the cache
 *
 * Return: true if all were asked, and no driver has told of a change since.
 */
bool iommu_resv_cache_valid(const struct iommu_resv_cache *cache)
{
	return cache->complete &&
	       cache->generation == atomic64_read(&resv_generation);
}

/**
 * iommu_resv_cache_begin() - Begin to fill a cache
 * @cache: the cache; what is in it goes
 *
 * To be followed by iommu_resv_cache_add() for each device, and, unless that
 * fails, iommu_resv_cache_end().
 */
void iommu_resv_cache_begin(struct iommu_resv_cache *cache)
{
	iommu_resv_cache_drop(cache);
	cache->generation = atomic64_read(&resv_generation);
	/* Before drivers are asked, so that no change meanwhile is missed */
	smp_rmb();
}

/**
 * iommu_resv_cache_add() - Ask for the regions of one more device
 * @cache: the cache
 * @dev: the device
 *
 * Context: Process context, may sleep.
 * Return: 0, or -ENOMEM with an empty @cache.
 */
int iommu_resv_cache_add(struct iommu_resv_cache *cache, struct device *dev)
{
	LIST_HEAD(regions);
	int ret;

	ret = iommu_get_resv_regions(dev, &regions);
	if (ret) {
		iommu_resv_cache_drop(cache);
		return ret;
	}
	list_splice_tail(&regions, &cache->regions);

	return 0;
}

/**
 * iommu_resv_cache_end() - All devices have been asked
 * @cache: the cache
 */
void iommu_resv_cache_end(struct iommu_resv_cache *cache)
{
	iommu_resv_merge(&cache->regions);
	cache->complete = true;
}

/**
 * iommu_resv_cache_drop() - Empty a cache
 * @cache: the cache; afterwards it is not valid
 */
void iommu_resv_cache_drop(struct iommu_resv_cache *cache)
{
	iommu_put_resv_regions(NULL, &cache->regions);
	iommu_resv_cache_init(cache);
}
