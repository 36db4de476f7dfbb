/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What iommu-device-sysfs.c offers to the IOMMU core.
 */

#ifndef _IOMMU_DEVICE_SYSFS_H
#define _IOMMU_DEVICE_SYSFS_H

struct device;

#ifdef CONFIG_IOMMU_DEVICE_SYSFS
void iommu_device_attrs_add(struct device *dev);
void iommu_device_attrs_remove(struct device *dev);
#else
static inline void iommu_device_attrs_add(struct device *dev)
{
}

static inline void iommu_device_attrs_remove(struct device *dev)
{
}
#endif

#endif /* _IOMMU_DEVICE_SYSFS_H */
