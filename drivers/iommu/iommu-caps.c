// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an IOMMU can do: capabilities of a device, enforcement by a domain.
 *
 * A capability belongs to one device and to the IOMMU instance that serves it;
 * two devices of one bus may differ. A domain can be told to enforce cache
 * coherency, which then holds for each device that is or will be attached.
 */

#include <linux/device.h>
#include <linux/export.h>
#include <linux/fsl/mc.h>
#include <linux/iommu.h>
#include <linux/irqdomain.h>
#include <linux/pci.h>
#include <linux/property.h>

#include "iommu-caps.h"

/**
 * device_iommu_capable() - Ask what the IOMMU does for one device
 * @dev: device; the caller holds a reference to it
 * @cap: what is asked
 *
 * The answer comes from the IOMMU instance that serves @dev and does not change
 * while @dev stays behind it.
 *
 * Context: Any. Takes no lock and allocates nothing.
 * Return: true if @dev has the capability. False if not, for a capability that
 *         the driver does not know, and for a device that no IOMMU serves (not
 *         yet, no longer, or never).
 */
bool device_iommu_capable(struct device *dev, enum iommu_cap cap)
{
	const struct iommu_ops *ops;
	bool capable;

	rcu_read_lock();
	ops = dev_iommu_ops(dev);
	capable = ops && ops->capable && ops->capable(dev, cap);
	rcu_read_unlock();

	return capable;
}
EXPORT_SYMBOL_GPL(device_iommu_capable);

/**
 * iommu_enforce_cache_coherency() - Block DMA that bypasses the CPU caches
 * @domain: paging domain that nothing was ever mapped in
 *
 * IOMMU_CACHE asks for coherent DMA but leaves a PCIe device free to set
 * No-Snoop in a request (PCI Express Base 6.0, 2.2.6.5). After this call
 * succeeds the IOMMU overrides No-Snoop for each device in @domain, now and
 * later. That is permanent: from then on, attaching a device whose IOMMU cannot
 * do so fails with -EINVAL and changes nothing.
 *
 * Context: Process context, may sleep. The caller keeps others from mapping into
 *          @domain until this returns.
 * Return: true if @domain enforces. False if the driver or the IOMMU of a device
 *         in @domain cannot, and for a domain that something was mapped in
 *         before it was enforced; @domain is then as it was.
 */
bool iommu_enforce_cache_coherency(struct iommu_domain *domain)
{
	const struct iommu_ops *ops = domain->ops;

	if (domain->enforces_coherency)
		return true;
	if (!(domain->type & __IOMMU_DOMAIN_PAGING) || domain->mapped ||
	    !ops->enforce_cache_coherency)
		return false;
	return ops->enforce_cache_coherency(domain);
}
EXPORT_SYMBOL_GPL(iommu_enforce_cache_coherency);

/**
 * iommu_device_interrupts_isolated() - Can a device only raise its own MSIs
 * @dev: device; the caller holds a reference to it
 *
 * A device that can write to arbitrary MSI addresses can raise interrupts that
 * belong to others. Either the IOMMU remaps what @dev sends, or an interrupt
 * controller above the MSI domain of @dev tells devices apart. A device that is
 * not on PCI and has no MSI domain has wired interrupts only.
 *
 * Context: Any. Takes no lock and allocates nothing. @dev is not being removed.
 * Return: true if the interrupts of @dev are isolated.
 */
bool iommu_device_interrupts_isolated(struct device *dev)
{
	struct irq_domain *domain = dev_get_msi_domain(dev);

	if (device_iommu_capable(dev, IOMMU_CAP_INTR_REMAP))
		return true;
	if (!domain)
		return !dev_is_pci(dev);
	return irq_domain_hierarchical_is_msi_remap(domain);
}
EXPORT_SYMBOL_GPL(iommu_device_interrupts_isolated);

/*
 * The device whose firmware node describes the DMA of @dev: the device itself, or
 * the host bridge for PCI, which is where dma-coherent, iommu-map and _CCA stand.
 */
struct device *iommu_firmware_device(struct device *dev)
{
	struct device *bridge;

	if (dev_is_pci(dev)) {
		bridge = &pci_find_host_bridge(to_pci_dev(dev)->bus)->dev;
		if (bridge->parent && bridge->parent->of_node)
			return bridge->parent;
		return bridge;
	}

	while (dev_is_fsl_mc(dev))
		dev = dev->parent;
	return dev;
}

/* What firmware says of the DMA of @dev */
bool iommu_firmware_dma_coherent(struct device *dev)
{
	return device_get_dma_attr(iommu_firmware_device(dev)) ==
	       DEV_DMA_COHERENT;
}
