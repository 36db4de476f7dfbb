/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What iommu-caps.c offers to the IOMMU core.
 */

#ifndef _IOMMU_CAPS_H
#define _IOMMU_CAPS_H

#include <linux/types.h>

struct device;

struct device *iommu_firmware_device(struct device *dev);
bool iommu_firmware_dma_coherent(struct device *dev);

#endif /* _IOMMU_CAPS_H */
