// SPDX-License-Identifier: GPL-2.0-only
/*
 * Merging of reserved regions.
 *
 * Regions are of one kind if type and protection are the same. Only those of one
 * kind are ever merged, whatever lies between or over them.
 *
 * A region may reach up to the last address, so all arithmetic is on offsets and
 * lengths, never on the address behind a region.
 */

#include <linux/iommu.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/list_sort.h>
#include <linux/slab.h>

#include "iommu-resv.h"

static int cmp_kind(const struct iommu_resv_region *a,
		    const struct iommu_resv_region *b)
{
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->prot != b->prot)
		return a->prot < b->prot ? -1 : 1;
	return 0;
}

static int cmp_start(const struct iommu_resv_region *a,
		     const struct iommu_resv_region *b)
{
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return 0;
}

static int by_kind(void *priv, const struct list_head *a,
		   const struct list_head *b)
{
	const struct iommu_resv_region *ra, *rb;

	ra = list_entry(a, struct iommu_resv_region, list);
	rb = list_entry(b, struct iommu_resv_region, list);

	return cmp_kind(ra, rb) ?: cmp_start(ra, rb);
}

static int by_start(void *priv, const struct list_head *a,
		    const struct list_head *b)
{
	const struct iommu_resv_region *ra, *rb;

	ra = list_entry(a, struct iommu_resv_region, list);
	rb = list_entry(b, struct iommu_resv_region, list);

	return cmp_start(ra, rb) ?: cmp_kind(ra, rb);
}

/* Firmware often lists regions in order, and a merge keeps much of it */
static void sort_regions(struct list_head *regions, list_cmp_func_t cmp)
{
	struct list_head *entry;

	list_for_each(entry, regions) {
		if (!list_is_last(entry, regions) &&
		    cmp(NULL, entry, entry->next) > 0) {
			list_sort(NULL, regions, cmp);
			return;
		}
	}
}

/* With @regions sorted by kind and then start */
static void merge_neighbours(struct list_head *regions)
{
	struct iommu_resv_region *region, *next, *prev = NULL;
	phys_addr_t offset, last;

	list_for_each_entry_safe(region, next, regions, list) {
		if (!prev || cmp_kind(prev, region))
			goto keep;

		/* From here on relative to the start of prev */
		offset = region->start - prev->start;
		if (offset > prev->length)
			goto keep;

		last = max_t(phys_addr_t, prev->length - 1,
			     offset + (region->length - 1));
		if (last < SIZE_MAX) {
			prev->length = last + 1;
			list_del(&region->list);
			kfree(region);
			continue;
		}

		/* A length cannot tell that much, so only end the overlap */
		region->start += prev->length - offset;
		region->length -= prev->length - offset;
keep:
		prev = region;
	}
}

/**
 * iommu_resv_merge() - Merge reserved regions
 * @regions: regions of one or more devices, in any order; none is empty, and
 *	     none ends beyond the last address
 *
 * Afterwards the regions cover what they covered before and are sorted by start,
 * type and protection. Regions of the same type and protection do not overlap,
 * nor are they adjacent, unless one region cannot be long enough for both.
 *
 * Nothing is allocated. Regions that became part of another one are freed. Takes
 * O(n log n) for n regions.
 *
 * Context: Any. The caller keeps others from using the list.
 */
void iommu_resv_merge(struct list_head *regions)
{
	sort_regions(regions, by_kind);
	merge_neighbours(regions);
	sort_regions(regions, by_start);
}
