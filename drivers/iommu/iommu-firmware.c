// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices whose IOMMU is described by device tree or IORT.
 *
 * Such a device joins its group when it is added or when its IOMMU appears,
 * whichever is later, if the IOMMU driver sets probe_from_firmware. It joins the
 * default domain of the group, and gets DMA ops, when a driver is about to bind:
 * until then its DMA is what it was without group, so that nothing changes for a
 * device that firmware left running, and the quirks of the device had their turn.
 *
 * A device with a driver is left alone when its IOMMU appears: that driver was
 * bound without one and may have DMA going on.
 *
 * Lock order: iommu_firmware_mutex, group->mutex.
 */

#include <linux/acpi.h>
#include <linux/acpi_iort.h>
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/mutex.h>
#include <linux/of_iommu.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/property.h>

#include "iommu-caps.h"
#include "iommu-firmware.h"

/* One at a time describes and probes a device, or releases it */
static DEFINE_MUTEX(iommu_firmware_mutex);

/**
 * iommu_firmware_lock() - Keep devices from being described by others
 *
 * Context: Process context, may sleep.
 */
void iommu_firmware_lock(void)
{
	mutex_lock(&iommu_firmware_mutex);
}

/**
 * iommu_firmware_unlock() - Undo iommu_firmware_lock()
 */
void iommu_firmware_unlock(void)
{
	mutex_unlock(&iommu_firmware_mutex);
}

/**
 * iommu_firmware_bind() - Prepare a device that was described for its driver
 * @dev: device that a driver is about to bind to, with a complete fwspec
 *
 * Probes @dev unless that was done when it was added, and puts it into the
 * default domain of its group.
 *
 * Context: Process context, may sleep. The caller holds iommu_firmware_lock().
 * Return: 0, or an error. @dev then has no IOMMU for this driver.
 */
int iommu_firmware_bind(struct device *dev)
{
	struct dev_iommu *param = dev->iommu;
	int ret;

	lockdep_assert_held(&iommu_firmware_mutex);

	if (!device_iommu_mapped(dev))
		return iommu_probe_device(dev);
	if (!param->domain_on_bind)
		return 0;

	ret = iommu_join_default_domain(dev);
	if (!ret)
		param->domain_on_bind = false;
	return ret;
}

static bool probes_from_firmware(struct device *dev)
{
	const struct iommu_ops *ops = dev->bus->iommu_ops;

	return ops && ops->probe_from_firmware;
}

/* The same as the bus does when a driver is about to bind */
static int iommu_firmware_describe(struct device *dev)
{
	struct device *node = iommu_firmware_device(dev);

	if (!dev_is_pci(dev) &&
	    dev->bus->dma_configure != platform_dma_configure)
		return -ENODEV;

	if (node->of_node)
		return of_iommu_describe(dev, node->of_node, NULL);
	if (has_acpi_companion(node) &&
	    device_get_dma_attr(node) != DEV_DMA_NOT_SUPPORTED)
		return iort_iommu_describe(dev, NULL);
	return -ENODEV;
}

/*
 * @dev or its IOMMU was added. False if @dev is not for this file to probe.
 *
 * Who binds a driver sets dev->driver and takes the lock then. So the driver is
 * seen here, or what is done here is seen there.
 */
bool iommu_firmware_add(struct device *dev)
{
	int ret = 0;

	if (!probes_from_firmware(dev))
		return false;

	iommu_firmware_lock();
	if (!READ_ONCE(dev->driver) && !device_iommu_mapped(dev)) {
		ret = iommu_firmware_describe(dev);
		if (ret)
			iommu_fwspec_free(dev);
		else
			ret = iommu_join_group(dev);
	}
	iommu_firmware_unlock();

	if (ret < 0)
		dev_dbg(dev, "not added to an IOMMU: %d\n", ret);
	return true;
}

/* @dev was removed, perhaps while its IOMMU is being added */
void iommu_firmware_remove(struct device *dev)
{
	bool locked = probes_from_firmware(dev);

	if (locked)
		iommu_firmware_lock();
	iommu_release_device(dev);
	if (locked)
		iommu_firmware_unlock();
}
