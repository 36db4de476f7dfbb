// SPDX-License-Identifier: GPL-2.0-only
/*
 * One device in one group in one container: VFIO as its users see it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vfio_lib.h"

#define VFIO_DIR	"/dev/vfio"
#define DIRTY_PAGE	4096

static int open_rw(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

bool vfio_is_noiommu(const struct device *dev)
{
	char name[32];

	return sysfs_read(name, sizeof(name), "%s/iommu_group/name",
			  dev->path) > 0 &&
	       !strcmp(name, "vfio-noiommu\n");
}

int vfio_open_group(const struct device *dev)
{
	char path[PATH_MAX], group[16];
	int ret;

	ret = sysfs_link(group, sizeof(group), "%s/iommu_group", dev->path);
	if (ret)
		return ret;
	snprintf(path, sizeof(path), VFIO_DIR "/%s%s",
		 vfio_is_noiommu(dev) ? "noiommu-" : "", group);
	return open_rw(path);
}

int vfio_open(struct vfio *v, const struct device *dev)
{
	int ret;

	v->device = -1;
	v->group = -1;
	v->container = open_rw(VFIO_DIR "/vfio");
	if (v->container < 0)
		return v->container;

	v->group = vfio_open_group(dev);
	if (v->group < 0) {
		ret = v->group;
		goto err_close;
	}

	if (ioctl(v->group, VFIO_GROUP_SET_CONTAINER, &v->container)) {
		ret = -errno;
		goto err_close;
	}
	return 0;

err_close:
	vfio_close(v);
	return ret;
}

void vfio_close(struct vfio *v)
{
	close_fd(&v->device);
	close_fd(&v->group);
	close_fd(&v->container);
}

int vfio_set_iommu(struct vfio *v, int type)
{
	return ioctl(v->container, VFIO_SET_IOMMU, type) ? -errno : 0;
}

int vfio_check(struct vfio *v, int extension)
{
	int ret = ioctl(v->container, VFIO_CHECK_EXTENSION, extension);

	return ret < 0 ? -errno : ret;
}

int vfio_open_device(struct vfio *v, const struct device *dev)
{
	v->device = ioctl(v->group, VFIO_GROUP_GET_DEVICE_FD, dev->name);
	return v->device < 0 ? -errno : 0;
}

int vfio_open_all(struct vfio *v, const struct device *dev)
{
	int ret;

	ret = vfio_open(v, dev);
	if (ret)
		return ret;
	ret = vfio_set_iommu(v, VFIO_TYPE1v2_IOMMU);
	if (!ret)
		ret = vfio_open_device(v, dev);
	if (ret)
		vfio_close(v);
	return ret;
}

int vfio_map(struct vfio *v, __u64 iova, const void *vaddr, __u64 size,
	     __u32 flags)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = flags,
		.vaddr = (unsigned long)vaddr,
		.iova = iova,
		.size = size,
	};

	return ioctl(v->container, VFIO_IOMMU_MAP_DMA, &map) ? -errno : 0;
}

long long vfio_unmap(struct vfio *v, __u64 iova, __u64 size)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova,
		.size = size,
	};

	if (ioctl(v->container, VFIO_IOMMU_UNMAP_DMA, &unmap))
		return -errno;
	return unmap.size;
}

int vfio_get_dirty(struct vfio *v, __u64 iova, __u64 size, __u64 *bitmap)
{
	struct {
		struct vfio_iommu_type1_dirty_bitmap head;
		struct vfio_iommu_type1_dirty_bitmap_get get;
	} dirty = {
		.head.argsz = sizeof(dirty),
		.head.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP,
		.get.iova = iova,
		.get.size = size,
		.get.bitmap.pgsize = DIRTY_PAGE,
		.get.bitmap.size = sizeof(*bitmap),
		.get.bitmap.data = bitmap,
	};

	return ioctl(v->container, VFIO_IOMMU_DIRTY_PAGES, &dirty) ? -errno : 0;
}

int vfio_set_dirty(struct vfio *v, __u32 flags)
{
	struct vfio_iommu_type1_dirty_bitmap dirty = {
		.argsz = sizeof(dirty),
		.flags = flags,
	};

	return ioctl(v->container, VFIO_IOMMU_DIRTY_PAGES, &dirty) ? -errno : 0;
}

long long vfio_unmap_dirty(struct vfio *v, __u64 iova, __u64 size,
			   __u64 *bitmap)
{
	struct {
		struct vfio_iommu_type1_dma_unmap head;
		struct vfio_bitmap bitmap;
	} unmap = {
		.head.argsz = sizeof(unmap),
		.head.flags = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP,
		.head.iova = iova,
		.head.size = size,
		.bitmap.pgsize = DIRTY_PAGE,
		.bitmap.size = sizeof(*bitmap),
		.bitmap.data = bitmap,
	};

	if (ioctl(v->container, VFIO_IOMMU_UNMAP_DMA, &unmap))
		return -errno;
	return unmap.head.size;
}

/* The capability @id in the chain that @info starts, NULL if there is none. */
static struct vfio_info_cap_header *
find_cap(struct vfio_iommu_type1_info *info, __u16 id)
{
	struct vfio_info_cap_header *cap;
	__u32 pos;

	if (!(info->flags & VFIO_IOMMU_INFO_CAPS))
		return NULL;
	for (pos = info->cap_offset; pos; pos = cap->next) {
		cap = (void *)((char *)info + pos);
		if (cap->id == id)
			return cap;
	}
	return NULL;
}

int vfio_iova_ranges(struct vfio *v, struct vfio_iova_range *ranges, size_t max)
{
	struct vfio_iommu_type1_info_cap_iova_range *cap;
	struct vfio_iommu_type1_info *info;
	__u32 size = sizeof(*info);
	int ret;

	/* The first call says how much room the second one needs. */
	for (;;) {
		info = calloc(1, size);
		if (!info)
			return -ENOMEM;
		info->argsz = size;
		if (ioctl(v->container, VFIO_IOMMU_GET_INFO, info)) {
			ret = -errno;
			goto out_free;
		}
		if (info->argsz <= size)
			break;
		size = info->argsz;
		free(info);
	}

	cap = (void *)find_cap(info, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
	if (!cap) {
		ret = -ENOENT;
	} else if (cap->nr_iovas > max) {
		ret = -ENOSPC;
	} else {
		ret = cap->nr_iovas;
		memcpy(ranges, cap->iova_ranges, ret * sizeof(*ranges));
	}
out_free:
	free(info);
	return ret;
}

static const char *verdict_of_bound(const struct device *dev)
{
	bool noiommu = vfio_is_noiommu(dev);
	struct vfio v;
	int cc = 0;
	int ret;

	ret = vfio_open(&v, dev);
	if (ret)
		goto err;
	ret = vfio_set_iommu(&v, noiommu ? VFIO_NOIOMMU_IOMMU :
					   VFIO_TYPE1v2_IOMMU);
	if (!ret && !noiommu)
		cc = vfio_check(&v, VFIO_DMA_CC_IOMMU);
	vfio_close(&v);

	if (ret == -EPERM && !noiommu)
		return "eperm";
	if (!ret && noiommu)
		return "noiommu";
	if (!ret && cc >= 0)
		return cc ? "dma_cc=1" : "dma_cc=0";
	ret = ret ?: cc;
err:
	errno = -ret;
	return NULL;
}

const char *vfio_verdict(const struct device *dev)
{
	const char *driver = device_vfio_driver(dev);
	const char *verdict = "refused";
	char noiommu[8];
	int ret;

	if (!sysfs_exists("/sys/bus/%s/drivers/%s", dev->bus, driver)) {
		errno = ENOENT;
		return NULL;
	}
	ret = device_bind(dev, driver);
	if (!ret) {
		verdict = verdict_of_bound(dev);
	} else if (!sysfs_exists("%s/iommu_group", dev->path) &&
		   sysfs_read(noiommu, sizeof(noiommu),
			      VFIO_NOIOMMU_PARAM) > 0) {
		sysfs_write("Y", VFIO_NOIOMMU_PARAM);
		if (!device_bind(dev, driver))
			verdict = verdict_of_bound(dev);
		sysfs_write(noiommu, VFIO_NOIOMMU_PARAM);
	}

	ret = errno;
	device_unbind(dev);
	errno = ret;
	return verdict;
}
