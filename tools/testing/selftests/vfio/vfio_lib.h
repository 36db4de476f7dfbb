/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One device in one group in one container: VFIO as its users see it.
 *
 * Functions return 0, or a value where they say so, or a negative errno.
 */
#ifndef SELFTESTS_VFIO_LIB_H
#define SELFTESTS_VFIO_LIB_H

#include <linux/types.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>

#include "../iommu/device.h"

#define VFIO_NOIOMMU_PARAM \
	"/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
#define VFIO_UNSAFE_INTR_PARAM \
	"/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"
#define VFIO_NO_HUGEPAGES_PARAM \
	"/sys/module/vfio_iommu_type1/parameters/disable_hugepages"

#define VFIO_RW	(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

/* Each is -1 while it is not open. */
struct vfio {
	int container;
	int group;
	int device;
};

/* True for a group that VFIO made itself, for a device without an IOMMU. */
bool vfio_is_noiommu(const struct device *dev);

/* The group's file, which only one opener can have. */
int vfio_open_group(const struct device *dev);

/* A container that holds the group, and no IOMMU yet. */
int vfio_open(struct vfio *v, const struct device *dev);
void vfio_close(struct vfio *v);

int vfio_set_iommu(struct vfio *v, int type);
int vfio_check(struct vfio *v, int extension);
int vfio_open_device(struct vfio *v, const struct device *dev);

/* vfio_open() to vfio_open_device(), with a type1 IOMMU. */
int vfio_open_all(struct vfio *v, const struct device *dev);

int vfio_map(struct vfio *v, __u64 iova, const void *vaddr, __u64 size,
	     __u32 flags);

/* Returns how many bytes were mapped there. */
long long vfio_unmap(struct vfio *v, __u64 iova, __u64 size);

/*
 * Pages of 4 kB that are dirty, a bit for each, of no more than 64: tracking is
 * set by VFIO_IOMMU_DIRTY_PAGES_FLAG_*, and got with or without the mappings.
 */
int vfio_set_dirty(struct vfio *v, __u32 flags);
int vfio_get_dirty(struct vfio *v, __u64 iova, __u64 size, __u64 *bitmap);
long long vfio_unmap_dirty(struct vfio *v, __u64 iova, __u64 size,
			   __u64 *bitmap);

/* Returns the number of valid IOVA ranges, sorted. */
int vfio_iova_ranges(struct vfio *v, struct vfio_iova_range *ranges, size_t max);

/*
 * What VFIO does with the device, in a word: dma_cc=1, dma_cc=0, eperm, refused
 * or noiommu. The device ends up without a driver. NULL and errno if the answer
 * is none of these.
 */
const char *vfio_verdict(const struct device *dev);

#endif /* SELFTESTS_VFIO_LIB_H */
