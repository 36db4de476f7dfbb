// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a device behind an IOMMU shows of it in sysfs:
 * Documentation/ABI/testing/sysfs-devices-iommu.
 */

#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/kernfs.h>
#include <linux/sysfs.h>

#include "iommu-device-sysfs.h"
#include "iommu-resv.h"
#include "iommu-resv-sysfs.h"

#define RESV_REGIONS	"iommu_reserved_regions"

static ssize_t cap_show(struct device *dev, struct device_attribute *attr,
			char *buf)
{
	struct dev_ext_attribute *ext =
		container_of(attr, struct dev_ext_attribute, attr);
	enum iommu_cap cap = (unsigned long)ext->var;

	return sysfs_emit(buf, "%d\n", device_iommu_capable(dev, cap));
}

static ssize_t interrupt_isolation_show(struct device *dev,
					struct device_attribute *attr,
					char *buf)
{
	return sysfs_emit(buf, "%d\n", iommu_device_interrupts_isolated(dev));
}

static DEVICE_ATTR_RO(interrupt_isolation);

#define CAP_ATTR(_name, _cap)						\
	static struct dev_ext_attribute dev_attr_##_name = {		\
		__ATTR(_name, 0444, cap_show, NULL), (void *)(_cap)	\
	}

CAP_ATTR(cache_coherency, IOMMU_CAP_CACHE_COHERENCY);
CAP_ATTR(enforce_cache_coherency, IOMMU_CAP_ENFORCE_CACHE_COHERENCY);
CAP_ATTR(noexec, IOMMU_CAP_NOEXEC);
CAP_ATTR(pre_boot_protection, IOMMU_CAP_PRE_BOOT_PROTECTION);

static struct attribute *iommu_caps_attrs[] = {
	&dev_attr_cache_coherency.attr.attr,
	&dev_attr_enforce_cache_coherency.attr.attr,
	&dev_attr_interrupt_isolation.attr,
	&dev_attr_noexec.attr.attr,
	&dev_attr_pre_boot_protection.attr.attr,
	NULL
};

static const struct attribute_group iommu_caps_group = {
	.name	= "iommu_caps",
	.attrs	= iommu_caps_attrs,
};

static struct iommu_resv_text *device_resv_text(void *dev)
{
	struct iommu_resv_text *text;
	LIST_HEAD(regions);
	int ret;

	ret = iommu_get_resv_regions(dev, &regions);
	if (ret)
		return ERR_PTR(ret);

	iommu_resv_merge(&regions);
	text = iommu_resv_text(&regions);
	iommu_put_resv_regions(dev, &regions);

	return text;
}

static ssize_t resv_regions_read(struct kernfs_open_file *of, char *buf,
				 size_t count, loff_t pos)
{
	return iommu_resv_file_read(of, buf, count, pos, device_resv_text);
}

static const struct kernfs_ops resv_regions_ops = {
	.read		= resv_regions_read,
	.release	= iommu_resv_file_release,
};

/*
 * Called when @dev is in its group and its IOMMU can be asked. A device works
 * without the files, so a failure is only reported.
 */
void iommu_device_attrs_add(struct device *dev)
{
	int ret = sysfs_create_group(&dev->kobj, &iommu_caps_group);

	if (ret)
		dev_warn(dev, "iommu_caps missing in sysfs: %d\n", ret);

	ret = iommu_resv_file_create(&dev->kobj, RESV_REGIONS,
				     &resv_regions_ops, dev);
	if (ret)
		dev_warn(dev, RESV_REGIONS " missing in sysfs: %d\n", ret);
}

/*
 * Waits for readers, so the driver may forget @dev afterwards. By name, as
 * sysfs_remove_group() warns where adding has failed.
 */
void iommu_device_attrs_remove(struct device *dev)
{
	kernfs_remove_by_name(dev->kobj.sd, RESV_REGIONS);
	kernfs_remove_by_name(dev->kobj.sd, iommu_caps_group.name);
}
