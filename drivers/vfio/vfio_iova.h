/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VFIO: the set of I/O virtual addresses that a container may map
 */
#ifndef VFIO_IOVA_H
#define VFIO_IOVA_H

#include <linux/types.h>
#include <linux/vfio.h>

struct list_head;

/**
 * struct vfio_iova_set - Valid addresses; immutable once it is built
 * @count: number of @ranges, never 0
 * @ranges: in bytes, both ends inclusive, sorted, apart from each other by at
 *	    least one address
 */
struct vfio_iova_set {
	unsigned int count;
	struct vfio_iova_range ranges[];
};

struct vfio_iova_set *vfio_iova_set_build(const struct vfio_iova_set *from,
					  u64 first, u64 last,
					  const struct list_head *resv_regions);
void vfio_iova_sort_regions(struct list_head *resv_regions);
void vfio_iova_set_free(struct vfio_iova_set *set);

bool vfio_iova_set_contains(const struct vfio_iova_set *set, u64 first,
			    u64 last);
bool vfio_iova_set_hole(const struct vfio_iova_set *set, unsigned int index,
			u64 *first, u64 *last);

#endif /* VFIO_IOVA_H */
