// SPDX-License-Identifier: GPL-2.0-only
/*
 * What device_capable.cocci is for. Lines that end in "bad" are to be reported,
 * and no others. No compiler sees this.
 */

static int ask(struct device *dev, struct pci_dev *pdev)
{
	struct bus_type *bus = dev->bus;
	struct bus_type *late;

	if (!iommu_capable(dev->bus, IOMMU_CAP_CACHE_COHERENCY))	/* bad */
		return -EINVAL;
	if (!iommu_capable(pdev->dev.bus, IOMMU_CAP_NOEXEC))		/* bad */
		return -EINVAL;
	if (!iommu_capable(bus, IOMMU_CAP_INTR_REMAP))			/* bad */
		return -EPERM;

	late = dev->parent->bus;
	return iommu_capable(late, IOMMU_CAP_INTR_REMAP);		/* bad */
}

/* No device in sight: reported, but not converted */
static bool ask_anybody(void)
{
	return irq_domain_check_msi_remap() ||				/* bad */
	       iommu_capable(&pci_bus_type, IOMMU_CAP_INTR_REMAP);	/* bad */
}

static bool ask_right(struct device *dev)
{
	return iommu_device_interrupts_isolated(dev) &&
	       device_iommu_capable(dev, IOMMU_CAP_CACHE_COHERENCY);
}
