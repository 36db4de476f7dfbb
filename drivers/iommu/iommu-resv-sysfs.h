/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What iommu-resv-sysfs.c offers to who has reserved regions to show.
 */

#ifndef _IOMMU_RESV_SYSFS_H
#define _IOMMU_RESV_SYSFS_H

#include <linux/types.h>

struct iommu_resv_text;
struct kernfs_open_file;
struct kernfs_ops;
struct kobject;
struct list_head;

struct iommu_resv_text *iommu_resv_text(const struct list_head *regions);
int iommu_resv_file_create(struct kobject *kobj, const char *name,
			   const struct kernfs_ops *ops, void *owner);
ssize_t iommu_resv_file_read(struct kernfs_open_file *of, char *buf,
			     size_t count, loff_t pos,
			     struct iommu_resv_text *(*get)(void *owner));
void iommu_resv_file_release(struct kernfs_open_file *of);

#endif /* _IOMMU_RESV_SYSFS_H */
