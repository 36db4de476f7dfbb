// SPDX-License-Identifier: GPL-2.0-only
/*
 * What domain_alloc.cocci is for. Lines that end in "bad" are to be reported, and
 * no others. No compiler sees this.
 */

static int alloc(struct device *dev)
{
	struct iommu_domain *domain;

	domain = iommu_domain_alloc(dev->bus);				/* bad */
	if (!domain) {
		dev_err(dev, "no domain\n");
		return -ENOMEM;
	}
	return iommu_attach_device(domain, dev);
}

static int alloc_member(struct pci_dev *pdev)
{
	struct iommu_domain *domain;

	domain = iommu_domain_alloc(pdev->dev.bus);			/* bad */
	if (domain == NULL)
		return -ENOMEM;
	return iommu_attach_device(domain, &pdev->dev);
}

static int alloc_by_variable(struct device *dev)
{
	struct iommu_domain *domain;
	struct bus_type *bus;

	bus = dev->bus;
	domain = iommu_domain_alloc(bus);				/* bad */
	if (!domain)
		return -ENOMEM;
	return iommu_attach_device(domain, dev);
}

/* Others may look at user->domain: reported, but not converted */
static int alloc_kept(struct user *user, struct device *dev)
{
	user->domain = iommu_domain_alloc(dev->bus);			/* bad */
	if (!user->domain)
		return -ENOMEM;
	return 0;
}

/* No device in sight: for those who will say which one they mean */
static struct iommu_domain *alloc_for_bus(struct bus_type *bus)
{
	return iommu_domain_alloc(bus) ?: iommu_domain_alloc(&platform_bus_type);
}

static struct iommu_domain *alloc_right(struct device *dev)
{
	return iommu_paging_domain_alloc(dev);
}
