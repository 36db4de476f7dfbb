// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mediated device that only pins memory of its user, for tests of VFIO.
 *
 * There is no hardware and no IOMMU behind it. Where a device would do DMA, the
 * CPU accesses the pages by the numbers that VFIO gave.
 */
#include <linux/device.h>
#include <linux/highmem.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/mdev.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "pinner.h"

#define PINNER_MAX_DEVICES	8

/* Pages that one call has pinned, and that are unpinned together */
struct pinner_run {
	struct list_head	list;
	unsigned long		iova_pfn;	/* of the first page */
	int			npage;
	int			prot;		/* IOMMU_READ, IOMMU_WRITE */
	unsigned long		*pfns;		/* where the pages are */
	unsigned long		iova_pfns[];	/* as VFIO wants to have them */
};

struct pinner {
	struct device		*dev;
	struct notifier_block	notifier;
	/*
	 * Taken before the locks of VFIO: when it calls @notifier, it holds
	 * none of those that it takes to pin and unpin.
	 */
	struct mutex		lock;
	struct list_head	runs;		/* under @lock, newest first */
	atomic_t		open;
};

static struct class *pinner_class;
static struct device *pinner_parent;
static atomic_t pinner_available = ATOMIC_INIT(PINNER_MAX_DEVICES);

static void pinner_unpin_run(struct pinner *pinner, struct pinner_run *run)
{
	int ret = vfio_unpin_pages(pinner->dev, run->iova_pfns, run->npage);

	WARN_ON_ONCE(ret != run->npage);
	list_del(&run->list);
	kfree(run);
}

static int pinner_pin(struct pinner *pinner, const struct pinner_pages *arg)
{
	struct pinner_run *run;
	int i, ret;
	u64 last;

	if (!arg->npage || arg->npage > VFIO_PIN_PAGES_MAX_ENTRIES ||
	    !PAGE_ALIGNED(arg->iova) || !arg->flags ||
	    arg->flags & ~(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE))
		return -EINVAL;

	last = arg->iova + (u64)arg->npage * PAGE_SIZE - 1;
	if (last < arg->iova ||
	    (unsigned long)(last >> PAGE_SHIFT) != last >> PAGE_SHIFT)
		return -EINVAL;

	run = kzalloc(struct_size(run, iova_pfns, 2 * arg->npage), GFP_KERNEL);
	if (!run)
		return -ENOMEM;
	run->iova_pfn = arg->iova >> PAGE_SHIFT;
	run->npage = arg->npage;
	if (arg->flags & VFIO_DMA_MAP_FLAG_READ)
		run->prot |= IOMMU_READ;
	if (arg->flags & VFIO_DMA_MAP_FLAG_WRITE)
		run->prot |= IOMMU_WRITE;
	run->pfns = run->iova_pfns + arg->npage;
	for (i = 0; i < run->npage; i++)
		run->iova_pfns[i] = run->iova_pfn + i;

	ret = vfio_pin_pages(pinner->dev, run->iova_pfns, run->npage, run->prot,
			     run->pfns);
	if (ret != run->npage) {
		kfree(run);
		return ret < 0 ? ret : -EFAULT;
	}
	list_add(&run->list, &pinner->runs);
	return 0;
}

static int pinner_unpin(struct pinner *pinner, const struct pinner_pages *arg)
{
	struct pinner_run *run;

	list_for_each_entry(run, &pinner->runs, list) {
		if (run->iova_pfn == arg->iova >> PAGE_SHIFT &&
		    run->npage == arg->npage && PAGE_ALIGNED(arg->iova)) {
			pinner_unpin_run(pinner, run);
			return 0;
		}
	}
	return -EINVAL;
}

/* The device has no other way to memory than the pages it pinned. */
static int pinner_dma(struct pinner *pinner, struct pinner_byte *arg)
{
	int prot = arg->write ? IOMMU_WRITE : IOMMU_READ;
	struct pinner_run *run;
	unsigned long n;
	u8 *page;

	list_for_each_entry(run, &pinner->runs, list) {
		n = (arg->iova >> PAGE_SHIFT) - run->iova_pfn;
		if (n >= run->npage || !(run->prot & prot))
			continue;
		/* Registers of a device can be pinned too, but have no page. */
		if (!pfn_valid(run->pfns[n]))
			return -EFAULT;

		page = kmap_atomic(pfn_to_page(run->pfns[n]));
		if (arg->write)
			page[offset_in_page(arg->iova)] = arg->value;
		else
			arg->value = page[offset_in_page(arg->iova)];
		kunmap_atomic(page);
		return 0;
	}
	return -EPERM;
}

static int pinner_rw(struct pinner *pinner, struct pinner_byte *arg)
{
	struct vfio_group *group;
	u8 value = arg->value;
	int ret;

	group = vfio_group_get_external_user_from_dev(pinner->dev);
	if (IS_ERR(group))
		return PTR_ERR(group);
	ret = vfio_dma_rw(group, arg->iova, &value, 1, arg->write);
	vfio_group_put_external_user(group);
	arg->value = value;
	return ret;
}

static int pinner_count(struct pinner *pinner)
{
	struct pinner_run *run;
	int count = 0;

	list_for_each_entry(run, &pinner->runs, list)
		count += run->npage;
	return count;
}

static long pinner_ioctl_pages(struct pinner *pinner, unsigned int cmd,
			       void __user *arg)
{
	struct pinner_pages pages;
	int ret;

	if (copy_from_user(&pages, arg, sizeof(pages)))
		return -EFAULT;

	mutex_lock(&pinner->lock);
	if (cmd == PINNER_PIN)
		ret = pinner_pin(pinner, &pages);
	else
		ret = pinner_unpin(pinner, &pages);
	mutex_unlock(&pinner->lock);
	return ret;
}

static long pinner_ioctl_byte(struct pinner *pinner, unsigned int cmd,
			      void __user *arg)
{
	struct pinner_byte byte;
	int ret;

	if (copy_from_user(&byte, arg, sizeof(byte)))
		return -EFAULT;
	if (byte.write > 1 || byte.value > U8_MAX)
		return -EINVAL;

	mutex_lock(&pinner->lock);
	if (cmd == PINNER_DMA)
		ret = pinner_dma(pinner, &byte);
	else
		ret = pinner_rw(pinner, &byte);
	mutex_unlock(&pinner->lock);
	if (!ret && copy_to_user(arg, &byte, sizeof(byte)))
		ret = -EFAULT;
	return ret;
}

static long pinner_ioctl(struct mdev_device *mdev, unsigned int cmd,
			 unsigned long arg)
{
	struct pinner *pinner = mdev_get_drvdata(mdev);
	int ret;

	switch (cmd) {
	case PINNER_PIN:
	case PINNER_UNPIN:
		return pinner_ioctl_pages(pinner, cmd, (void __user *)arg);
	case PINNER_DMA:
	case PINNER_RW:
		return pinner_ioctl_byte(pinner, cmd, (void __user *)arg);
	case PINNER_COUNT:
		mutex_lock(&pinner->lock);
		ret = pinner_count(pinner);
		mutex_unlock(&pinner->lock);
		return ret;
	default:
		return -ENOTTY;
	}
}

/* The user unmaps memory: VFIO waits until nothing of it is pinned. */
static int pinner_notify(struct notifier_block *nb, unsigned long action,
			 void *data)
{
	struct pinner *pinner = container_of(nb, struct pinner, notifier);
	struct vfio_iommu_type1_dma_unmap *unmap = data;
	struct pinner_run *run, *next;
	unsigned long first, last;

	if (action != VFIO_IOMMU_NOTIFY_DMA_UNMAP)
		return NOTIFY_OK;

	first = unmap->iova >> PAGE_SHIFT;
	last = (unmap->iova + unmap->size - 1) >> PAGE_SHIFT;
	mutex_lock(&pinner->lock);
	list_for_each_entry_safe(run, next, &pinner->runs, list) {
		if (run->iova_pfn <= last &&
		    run->iova_pfn + run->npage - 1 >= first)
			pinner_unpin_run(pinner, run);
	}
	mutex_unlock(&pinner->lock);
	return NOTIFY_OK;
}

static int pinner_open(struct mdev_device *mdev)
{
	struct pinner *pinner = mdev_get_drvdata(mdev);
	unsigned long events = VFIO_IOMMU_NOTIFY_DMA_UNMAP;
	int ret;

	if (atomic_cmpxchg(&pinner->open, 0, 1))
		return -EBUSY;

	ret = vfio_register_notifier(pinner->dev, VFIO_IOMMU_NOTIFY, &events,
				     &pinner->notifier);
	if (ret)
		atomic_set(&pinner->open, 0);
	return ret;
}

static void pinner_release(struct mdev_device *mdev)
{
	struct pinner *pinner = mdev_get_drvdata(mdev);
	struct pinner_run *run, *next;

	/* VFIO still asks for what is pinned: nothing is once it cannot. */
	mutex_lock(&pinner->lock);
	list_for_each_entry_safe(run, next, &pinner->runs, list)
		pinner_unpin_run(pinner, run);
	mutex_unlock(&pinner->lock);
	vfio_unregister_notifier(pinner->dev, VFIO_IOMMU_NOTIFY,
				 &pinner->notifier);
	atomic_set(&pinner->open, 0);
}

static int pinner_create(struct kobject *kobj, struct mdev_device *mdev)
{
	struct pinner *pinner;

	if (atomic_dec_if_positive(&pinner_available) < 0)
		return -ENOSPC;
	pinner = kzalloc(sizeof(*pinner), GFP_KERNEL);
	if (!pinner) {
		atomic_inc(&pinner_available);
		return -ENOMEM;
	}

	pinner->dev = mdev_dev(mdev);
	pinner->notifier.notifier_call = pinner_notify;
	mutex_init(&pinner->lock);
	INIT_LIST_HEAD(&pinner->runs);
	mdev_set_drvdata(mdev, pinner);
	return 0;
}

/* VFIO has let go of the device: it is not open. */
static int pinner_remove(struct mdev_device *mdev)
{
	kfree(mdev_get_drvdata(mdev));
	atomic_inc(&pinner_available);
	return 0;
}

static ssize_t device_api_show(struct kobject *kobj, struct device *dev,
			       char *buf)
{
	return sysfs_emit(buf, "pinner\n");
}
static MDEV_TYPE_ATTR_RO(device_api);

static ssize_t available_instances_show(struct kobject *kobj,
					struct device *dev, char *buf)
{
	return sysfs_emit(buf, "%d\n", atomic_read(&pinner_available));
}
static MDEV_TYPE_ATTR_RO(available_instances);

static struct attribute *pinner_type_attrs[] = {
	&mdev_type_attr_device_api.attr,
	&mdev_type_attr_available_instances.attr,
	NULL,
};

static struct attribute_group pinner_type = {
	.name	= "1",
	.attrs	= pinner_type_attrs,
};

static struct attribute_group *pinner_types[] = {
	&pinner_type,
	NULL,
};

static const struct mdev_parent_ops pinner_ops = {
	.owner			= THIS_MODULE,
	.supported_type_groups	= pinner_types,
	.create			= pinner_create,
	.remove			= pinner_remove,
	.open			= pinner_open,
	.release		= pinner_release,
	.ioctl			= pinner_ioctl,
};

static int __init pinner_init(void)
{
	int ret;

	pinner_class = class_create(THIS_MODULE, "pinner");
	if (IS_ERR(pinner_class))
		return PTR_ERR(pinner_class);

	pinner_parent = device_create(pinner_class, NULL, 0, NULL, "pinner");
	if (IS_ERR(pinner_parent)) {
		ret = PTR_ERR(pinner_parent);
		goto err_class;
	}

	ret = mdev_register_device(pinner_parent, &pinner_ops);
	if (ret)
		goto err_parent;
	return 0;

err_parent:
	device_unregister(pinner_parent);
err_class:
	class_destroy(pinner_class);
	return ret;
}

static void __exit pinner_exit(void)
{
	mdev_unregister_device(pinner_parent);
	device_unregister(pinner_parent);
	class_destroy(pinner_class);
}

module_init(pinner_init);
module_exit(pinner_exit);

MODULE_DESCRIPTION("Mediated device that pins memory");
MODULE_LICENSE("GPL v2");
