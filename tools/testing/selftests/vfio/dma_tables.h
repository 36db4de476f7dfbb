/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tables that an Intel or AMD IOMMU or an SMMUv3 really uses for a PCI
 * device, found from the ACPI table (Arm: the address of the IOMMU in sysfs) and
 * the registers of the IOMMU and read out of memory, without any other help of
 * its driver.
 *
 * Functions return 0, or a value where they say so, or a negative errno.
 */
#ifndef SELFTESTS_VFIO_DMA_TABLES_H
#define SELFTESTS_VFIO_DMA_TABLES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "../iommu/device.h"

enum dma_iommu { DMA_INTEL, DMA_INTEL_SCALABLE, DMA_AMD, DMA_ARM };

/* An entry that maps memory; @size is what one entry of its table stands for. */
struct dma_leaf {
	__u64 iova;
	__u64 size;
	__u64 entry;
};

/* @sizes: a bit for each size of which the hardware can have leaves, up to 1G. */
struct dma_tables {
	enum dma_iommu iommu;
	__u64 sizes;
	int mem;
	__u64 root;
	__u32 root_config;
	struct dma_leaf *leaves;
	size_t count;
	bool pgsnp;
};

/* -ENODEV if there is no such IOMMU, -ENOTUNIQ if there is more than one. */
int dma_tables_open(struct dma_tables *t);
void dma_tables_close(struct dma_tables *t);

/*
 * Read what @dev goes through into @leaves, sorted by IOVA, and @pgsnp. -ENOENT
 * if its DMA is blocked, -EOPNOTSUPP if it is not translated or by tables of
 * another format.
 */
int dma_tables_read(struct dma_tables *t, const struct device *dev);

/* Does the entry make DMA coherent, whatever the device asks for? No on Arm. */
bool dma_leaf_coherent(const struct dma_tables *t, const struct dma_leaf *leaf);

#endif /* SELFTESTS_VFIO_DMA_TABLES_H */
