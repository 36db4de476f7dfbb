// SPDX-License-Identifier: GPL-2.0-only
/*
 * What enforce_coherency.cocci is for. Lines that end in "bad" are to be reported,
 * and no others. No compiler sees this.
 */

static bool test_op(struct user *user)
{
	return user->domain->ops->enforce_cache_coherency;		/* bad */
}

static bool call_op(struct iommu_domain *domain)
{
	if (!domain->ops->enforce_cache_coherency)			/* bad */
		return false;
	return domain->ops->enforce_cache_coherency(domain);		/* bad */
}

static bool map_first(struct iommu_domain *domain, phys_addr_t paddr)
{
	if (iommu_map(domain, 0, paddr, PAGE_SIZE, IOMMU_READ))
		return false;
	return iommu_enforce_cache_coherency(domain);			/* bad */
}

/* Only on one way through the function */
static void map_first_maybe(struct user *user, struct scatterlist *sg)
{
	if (sg)
		iommu_map_sg(user->domain, 0, sg, 1, IOMMU_READ);
	user->coherent = iommu_enforce_cache_coherency(user->domain);	/* bad */
}

static bool right(struct iommu_domain *domain, phys_addr_t paddr)
{
	bool coherent = iommu_enforce_cache_coherency(domain);

	iommu_map(domain, 0, paddr, PAGE_SIZE, IOMMU_READ);
	return coherent;
}

/* Another domain by then */
static bool right_too(struct iommu_domain *domain, struct device *dev)
{
	iommu_map(domain, 0, 0, PAGE_SIZE, IOMMU_READ);
	domain = iommu_paging_domain_alloc(dev);
	return iommu_enforce_cache_coherency(domain);
}

static const struct iommu_ops driver_ops = {
	.enforce_cache_coherency = driver_enforce_cache_coherency,
};
