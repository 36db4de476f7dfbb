/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What iommu-firmware.c offers to the IOMMU core, and needs from it.
 */

#ifndef _IOMMU_FIRMWARE_H
#define _IOMMU_FIRMWARE_H

#include <linux/iommu.h>

/* iommu.c */
int iommu_join_group(struct device *dev);
int iommu_join_default_domain(struct device *dev);

#ifdef CONFIG_IOMMU_FIRMWARE
bool iommu_firmware_add(struct device *dev);
void iommu_firmware_remove(struct device *dev);
#else
static inline bool iommu_firmware_add(struct device *dev)
{
	return false;
}

static inline void iommu_firmware_remove(struct device *dev)
{
	iommu_release_device(dev);
}
#endif

#endif /* _IOMMU_FIRMWARE_H */
