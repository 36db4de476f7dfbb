/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What iommu-caps.c offers to the IOMMU core.
 */

#ifndef _IOMMU_CAPS_H
#define _IOMMU_CAPS_H

#include <linux/types.h>

struct device;

bool iommu_firmware_dma_coherent(struct device *dev);

#endif /* _IOMMU_CAPS_H */
