/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a pinner does for its user, see pinner.c. An IOVA is one that the user
 * has mapped in the container. Each ioctl fails with EINVAL if its argument is
 * wrong or nothing fits it, or with what VFIO says.
 */
#ifndef SAMPLES_VFIO_MDEV_PINNER_H
#define SAMPLES_VFIO_MDEV_PINNER_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct pinner_pages - pages to pin
 * @iova: of the first page, in bytes, a multiple of the page size
 * @npage: number of pages, as many as VFIO pins at a time or less
 * @flags: VFIO_DMA_MAP_FLAG_READ, _WRITE or both: what the device does there
 */
struct pinner_pages {
	__u64 iova;
	__u32 npage;
	__u32 flags;
};

/**
 * struct pinner_byte - a byte to read or write
 * @iova: of the byte
 * @write: 1 to write @value, 0 to read it
 * @value: the byte
 */
struct pinner_byte {
	__u64 iova;
	__u32 write;
	__u32 value;
};

/* Pin pages; unpin those that one call has pinned, @flags do not matter. */
#define PINNER_PIN	_IOW('p', 0xe0, struct pinner_pages)
#define PINNER_UNPIN	_IOW('p', 0xe1, struct pinner_pages)

/* Access memory that the device has pinned, as a device does: EPERM if not so */
#define PINNER_DMA	_IOWR('p', 0xe2, struct pinner_byte)

/* Let VFIO access memory, pinned or not. */
#define PINNER_RW	_IOWR('p', 0xe3, struct pinner_byte)

/* Returns how many pages are pinned, each as often as it is. */
#define PINNER_COUNT	_IO('p', 0xe4)

#endif /* SAMPLES_VFIO_MDEV_PINNER_H */
