// SPDX-License-Identifier: GPL-2.0-only
/*
 * What cache_prot.cocci is for. Lines that end in "bad" are to be reported, and no
 * others. No compiler sees this.
 */

static bool remembered(struct user *user)
{
	return user->domain.prot & IOMMU_CACHE ||			/* bad */
	       !(user->prot & IOMMU_CACHE);				/* bad */
}

static u64 driver_entry(int prot, struct driver_domain *domain)
{
	u64 entry = 0;

	if ((prot & IOMMU_CACHE) && domain->snooping)			/* bad */
		entry |= DMA_PTE_SNP;
	if (prot & IOMMU_CACHE) {					/* bad */
		entry |= DMA_PTE_READ;
		entry |= IOMMU_PTE_FC | DMA_PTE_WRITE;
	}
	return entry;
}

static void tell_kvm(struct kvm *kvm, struct device *dev)
{
	if (!device_iommu_capable(dev, IOMMU_CAP_CACHE_COHERENCY))	/* bad */
		kvm_arch_register_noncoherent_dma(kvm);
}

/* What mappings are made with, and how a page table takes it */
static int right(struct iommu_domain *domain, struct device *dev)
{
	int prot = IOMMU_READ;

	if (!device_iommu_capable(dev, IOMMU_CAP_CACHE_COHERENCY))
		return -EINVAL;
	return iommu_map(domain, 0, 0, PAGE_SIZE, prot | IOMMU_CACHE);
}

static u64 right_entry(int prot)
{
	if (prot & IOMMU_CACHE)
		return ARM_LPAE_PTE_MEMATTR_OIWB;
	return 0;
}
