/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's edu device: it copies between memory and a buffer of its own.
 *
 * Functions return 0 or a negative errno.
 */
#ifndef SELFTESTS_VFIO_EDU_H
#define SELFTESTS_VFIO_EDU_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "../iommu/device.h"

/* Of the buffer of 4096 bytes; the device does not take the very last one. */
#define EDU_MAX_COPY	2048

struct edu {
	unsigned char *regs;
	size_t size;
};

bool edu_matches(const struct device *dev);

/* @device is the file of the device that VFIO gave. */
int edu_open(struct edu *edu, int device);

/* The same without VFIO, for a device that has no driver. */
int edu_open_unbound(struct edu *edu, const struct device *dev);

void edu_close(struct edu *edu);

/*
 * Copy from memory to the buffer (load) or back (store). The device does not
 * tell whether the IOMMU let it.
 */
int edu_load(struct edu *edu, __u64 iova, size_t size);
int edu_store(struct edu *edu, __u64 iova, size_t size);

/* Does the device copy @size bytes of data from @iova to what follows them? */
bool edu_copies(struct edu *edu, __u64 iova, unsigned char *mem, size_t size);

#endif /* SELFTESTS_VFIO_EDU_H */
