// SPDX-License-Identifier: GPL-2.0-only
/*
 * How far the physical addresses behind a range of IOVAs are contiguous.
 */

#include <linux/iommu.h>
#include <linux/kernel.h>

/* What the table of @domain says from @iova on, at least one of its pages */
static phys_addr_t look_up(struct iommu_domain *domain, dma_addr_t iova,
			   size_t size, size_t *contig)
{
	if (domain->ops->iova_to_phys_contig)
		return domain->ops->iova_to_phys_contig(domain, iova, size,
							contig);

	*contig = min_t(size_t, size, BIT(__ffs(domain->pgsize_bitmap)));
	return iommu_iova_to_phys(domain, iova);
}

/**
 * iommu_iova_to_phys_contig() - Translate a range of IOVAs as far as possible
 * @domain: domain to look in
 * @iova: first IOVA, aligned to the smallest page of @domain
 * @size: bytes from @iova on to look at, a multiple of that page, not 0
 * @contig: how many of these bytes are mapped and physically contiguous
 *
 * Costs much less than iommu_iova_to_phys() for each page.
 *
 * Context: any in which iommu_iova_to_phys() can be called. The caller keeps
 *	    the range from being unmapped.
 * Return: the physical address of @iova, 0 if it is not mapped; then @contig is
 *	   not set.
 */
phys_addr_t iommu_iova_to_phys_contig(struct iommu_domain *domain,
				      dma_addr_t iova, size_t size,
				      size_t *contig)
{
	phys_addr_t phys;
	size_t n, done;

	phys = look_up(domain, iova, size, &done);
	if (!phys)
		return 0;

	while (done < size &&
	       look_up(domain, iova + done, size - done, &n) == phys + done)
		done += n;

	*contig = done;
	return phys;
}
EXPORT_SYMBOL_GPL(iommu_iova_to_phys_contig);
