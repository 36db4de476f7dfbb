// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO: the set of I/O virtual addresses that a container may map
 *
 * That is what every IOMMU domain of the container can translate, less what is
 * reserved for any of its groups. It changes when groups come and go and is
 * asked for every mapping: a sorted array, built anew for each change and
 * searched by halves. An old set stays good until its successor is in place.
 *
 * All addresses are in bytes and "last" is inclusive, so that both ends of a
 * 64-bit address space can be said.
 */

#include <linux/err.h>
#include <linux/export.h>
#include <linux/iommu.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/list_sort.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>

#include "vfio_iova.h"

static const struct vfio_iova_range everything = { .end = U64_MAX };

/* The user keeps what firmware only asks to map directly if it can */
static bool is_hole(const struct iommu_resv_region *region)
{
	return region->length && region->type != IOMMU_RESV_DIRECT_RELAXABLE;
}

/* A region that says it goes on beyond the last address ends there */
static u64 region_last(const struct iommu_resv_region *region)
{
	u64 last;

	if (check_add_overflow((u64)region->start, (u64)region->length - 1,
			       &last))
		return U64_MAX;
	return last;
}

static int cmp_regions(void *priv, const struct list_head *a,
		       const struct list_head *b)
{
	const struct iommu_resv_region *left, *right;

	left = list_entry(a, struct iommu_resv_region, list);
	right = list_entry(b, struct iommu_resv_region, list);

	return left->start > right->start;
}

static void append_range(struct vfio_iova_set *set, u64 first, u64 last)
{
	set->ranges[set->count].start = first;
	set->ranges[set->count].end = last;
	set->count++;
}

/*
 * Fill @set with what the regions, from @pos on, leave of first to last, which
 * comes after all that was cut before. Returns the first region that may cut
 * what comes next.
 */
static const struct list_head *cut_range(struct vfio_iova_set *set, u64 first,
					 u64 last, const struct list_head *pos,
					 const struct list_head *head)
{
	const struct iommu_resv_region *region;
	u64 end;

	for (; pos != head; pos = pos->next) {
		region = list_entry(pos, struct iommu_resv_region, list);
		if (!is_hole(region))
			continue;
		if (region->start > last)
			break;
		end = region_last(region);
		if (end < first)
			continue;
		if (region->start > first)
			append_range(set, first, region->start - 1);
		/* It may reach into what comes next */
		if (end >= last)
			return pos;
		first = end + 1;
	}
	append_range(set, first, last);

	return pos;
}

/**
 * vfio_iova_sort_regions() - Sort regions for vfio_iova_set_build()
 * @resv_regions: list of struct iommu_resv_region
 *
 * Takes O(n log n) for n regions.
 *
 * Context: Any.
 */
void vfio_iova_sort_regions(struct list_head *resv_regions)
{
	list_sort(NULL, resv_regions, cmp_regions);
}
EXPORT_SYMBOL_GPL(vfio_iova_sort_regions);

/**
 * vfio_iova_set_build() - Take what is reserved out of what is valid
 * @from: set to start from, NULL for the whole address space; it stays as it is
 * @first: first address that the IOMMU translates
 * @last: last address that the IOMMU translates, inclusive
 * @resv_regions: list of struct iommu_resv_region sorted by start, which may
 *		  overlap. Those of no length are ignored and direct-relaxable
 *		  ones stay valid.
 *
 * Takes O(n + m) for n regions and m ranges of @from.
 *
 * Context: Process context, may sleep.
 * Return: a new set for vfio_iova_set_free(); -EINVAL if nothing is left or the
 *         regions are not sorted, -ENOMEM.
 */
struct vfio_iova_set *vfio_iova_set_build(const struct vfio_iova_set *from,
					  u64 first, u64 last,
					  const struct list_head *resv_regions)
{
	const struct vfio_iova_range *range = from ? from->ranges : &everything;
	unsigned int i, count = from ? from->count : 1;
	const struct iommu_resv_region *region;
	const struct list_head *pos;
	struct vfio_iova_set *set;
	/* Each region makes two ranges of one at most */
	size_t room = count;
	u64 start = 0;

	list_for_each_entry(region, resv_regions, list) {
		/* One that comes too late would not be cut out */
		if (region->start < start)
			return ERR_PTR(-EINVAL);
		start = region->start;
		room++;
	}
	set = kvmalloc(struct_size(set, ranges, room), GFP_KERNEL);
	if (!set)
		return ERR_PTR(-ENOMEM);
	set->count = 0;

	pos = resv_regions->next;
	for (i = 0; i < count; i++, range++) {
		if (range->end < first || range->start > last)
			continue;
		pos = cut_range(set, max(first, range->start),
				min(last, range->end), pos, resv_regions);
	}

	if (!set->count) {
		kvfree(set);
		return ERR_PTR(-EINVAL);
	}

	return set;
}
EXPORT_SYMBOL_GPL(vfio_iova_set_build);

/**
 * vfio_iova_set_free() - Free a set
 * @set: from vfio_iova_set_build(), or NULL
 *
 * Context: Any but interrupts.
 */
void vfio_iova_set_free(struct vfio_iova_set *set)
{
	kvfree(set);
}
EXPORT_SYMBOL_GPL(vfio_iova_set_free);

/**
 * vfio_iova_set_contains() - Are all addresses valid
 * @set: the set
 * @first: first address
 * @last: last address, inclusive, not before @first
 *
 * Takes O(log n) for n ranges.
 *
 * Context: Any.
 * Return: true if one range holds them all.
 */
bool vfio_iova_set_contains(const struct vfio_iova_set *set, u64 first,
			    u64 last)
{
	unsigned int low = 0, high = set->count, middle;

	/* Ranges before low end before first, those from high on do not */
	while (low < high) {
		middle = low + (high - low) / 2;
		if (set->ranges[middle].end < first)
			low = middle + 1;
		else
			high = middle;
	}

	return low < set->count && set->ranges[low].start <= first &&
	       last <= set->ranges[low].end;
}
EXPORT_SYMBOL_GPL(vfio_iova_set_contains);

/**
 * vfio_iova_set_hole() - The addresses before a range
 * @set: the set
 * @index: of the range, or @set->count for what is after the last one
 * @first: first address of the hole
 * @last: last address of the hole, inclusive
 *
 * Context: Any.
 * Return: true if there is a hole; otherwise @first and @last mean nothing.
 */
bool vfio_iova_set_hole(const struct vfio_iova_set *set, unsigned int index,
			u64 *first, u64 *last)
{
	*first = 0;
	*last = U64_MAX;

	if (index) {
		if (set->ranges[index - 1].end == U64_MAX)
			return false;
		*first = set->ranges[index - 1].end + 1;
	}
	if (index < set->count) {
		if (!set->ranges[index].start)
			return false;
		*last = set->ranges[index].start - 1;
	}

	return true;
}
EXPORT_SYMBOL_GPL(vfio_iova_set_hole);

MODULE_LICENSE("GPL v2");
MODULE_DESCRIPTION("VFIO: valid I/O virtual addresses of a container");
