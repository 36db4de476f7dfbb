// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's edu device: it copies between memory and a buffer of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "edu.h"

#define EDU_VENDOR	"0x1234\n"
#define EDU_DEVICE	"0x11e8\n"

#define EDU_ID		0x00
#define EDU_DMA_SRC	0x80
#define EDU_DMA_DST	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_CMD	0x98

#define EDU_ID_MAGIC	0xed
#define EDU_CMD_START	1
#define EDU_CMD_STORE	2
#define EDU_BUFFER	0x40000
#define EDU_BAR_SIZE	0x100000

/* A copy takes the device 100 ms. */
#define EDU_POLL_US	2000
#define EDU_POLLS	2500

bool edu_matches(const struct device *dev)
{
	char vendor[16], id[16];

	return sysfs_read(vendor, sizeof(vendor), "%s/vendor", dev->path) > 0 &&
	       sysfs_read(id, sizeof(id), "%s/device", dev->path) > 0 &&
	       !strcmp(vendor, EDU_VENDOR) && !strcmp(id, EDU_DEVICE);
}

static __u32 read32(struct edu *edu, unsigned int reg)
{
	return __atomic_load_n((__u32 *)(edu->regs + reg), __ATOMIC_RELAXED);
}

static __u64 read64(struct edu *edu, unsigned int reg)
{
	return __atomic_load_n((__u64 *)(edu->regs + reg), __ATOMIC_RELAXED);
}

/* VFIO splits a write() of 64 bits in two, of which edu takes only one. */
static void write64(struct edu *edu, unsigned int reg, __u64 val)
{
	__atomic_store_n((__u64 *)(edu->regs + reg), val, __ATOMIC_RELAXED);
}

/* Let the device with its configuration space at @pos of @fd do DMA. */
static int enable(int fd, off_t pos)
{
	__u16 cmd;

	pos += PCI_COMMAND;
	if (pread(fd, &cmd, sizeof(cmd), pos) != sizeof(cmd))
		return -EIO;
	cmd |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (pwrite(fd, &cmd, sizeof(cmd), pos) != sizeof(cmd))
		return -EIO;
	return 0;
}

static int map_regs(struct edu *edu, int fd, off_t pos, size_t size)
{
	edu->size = size;
	edu->regs = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 pos);
	if (edu->regs == MAP_FAILED)
		return -errno;
	if ((read32(edu, EDU_ID) & 0xff) == EDU_ID_MAGIC)
		return 0;

	edu_close(edu);
	return -ENODEV;
}

int edu_open(struct edu *edu, int device)
{
	struct vfio_region_info config = {
		.argsz = sizeof(config),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	struct vfio_region_info bar = {
		.argsz = sizeof(bar),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	int ret;

	/* VFIO hands out a device that must not decode nor do DMA yet. */
	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &config))
		return -errno;
	ret = enable(device, config.offset);
	if (ret)
		return ret;
	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &bar))
		return -errno;
	if (!(bar.flags & VFIO_REGION_INFO_FLAG_MMAP))
		return -ENXIO;

	return map_regs(edu, device, bar.offset, bar.size);
}

static int open_file(const struct device *dev, const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dev->path, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int edu_open_unbound(struct edu *edu, const struct device *dev)
{
	int fd, ret;

	fd = open_file(dev, "config");
	if (fd < 0)
		return fd;
	ret = enable(fd, 0);
	close(fd);
	if (ret)
		return ret;

	fd = open_file(dev, "resource0");
	if (fd < 0)
		return fd;
	ret = map_regs(edu, fd, 0, EDU_BAR_SIZE);
	close(fd);
	return ret;
}

void edu_close(struct edu *edu)
{
	munmap(edu->regs, edu->size);
}

static int copy(struct edu *edu, __u64 src, __u64 dst, size_t size, __u64 cmd)
{
	int i;

	/* More than its buffer holds and QEMU ends. */
	if (size > EDU_MAX_COPY)
		return -EINVAL;

	__sync_synchronize();
	write64(edu, EDU_DMA_SRC, src);
	write64(edu, EDU_DMA_DST, dst);
	write64(edu, EDU_DMA_COUNT, size);
	write64(edu, EDU_DMA_CMD, cmd | EDU_CMD_START);

	for (i = 0; i < EDU_POLLS; i++) {
		if (!(read64(edu, EDU_DMA_CMD) & EDU_CMD_START)) {
			__sync_synchronize();
			return 0;
		}
		usleep(EDU_POLL_US);
	}
	return -ETIMEDOUT;
}

int edu_load(struct edu *edu, __u64 iova, size_t size)
{
	return copy(edu, iova, EDU_BUFFER, size, 0);
}

int edu_store(struct edu *edu, __u64 iova, size_t size)
{
	return copy(edu, EDU_BUFFER, iova, size, EDU_CMD_STORE);
}

bool edu_copies(struct edu *edu, __u64 iova, unsigned char *mem, size_t size)
{
	static unsigned char seed;
	size_t i;

	seed++;
	for (i = 0; i < size; i++) {
		mem[i] = i * i + seed;
		mem[size + i] = 0;
	}
	return !edu_load(edu, iova, size) &&
	       !edu_store(edu, iova + size, size) &&
	       !memcmp(mem, mem + size, size);
}
