/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device as sysfs shows it, and the driver that is bound to it.
 *
 * Functions return 0, or a length where they say so, or a negative errno.
 */
#ifndef SELFTESTS_IOMMU_DEVICE_H
#define SELFTESTS_IOMMU_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

#define DEVICE_NAME_SIZE	64

#define __printf(a, b)	__attribute__((__format__(__printf__, a, b)))

/* @path stays good while the device is removed and added again. */
struct device {
	char name[DEVICE_NAME_SIZE];
	const char *bus;
	char path[128];
};

/* Find a PCI or platform device by its name; -ENODEV if there is none. */
int device_find(struct device *dev, const char *name);

/* Give the device to @driver, whatever had it before. */
int device_bind(const struct device *dev, const char *driver);
int device_unbind(const struct device *dev);

/* Name of the bound driver, "" if none. */
void device_driver(const struct device *dev, char driver[DEVICE_NAME_SIZE]);

/* The VFIO bus driver of the device's bus. */
const char *device_vfio_driver(const struct device *dev);

/* Is it the only one in its IOMMU group? */
bool device_alone(const struct device *dev);

struct __test_metadata;
typedef void device_visitor(struct __test_metadata *_metadata, const char *path,
			    int *n);

/* Call @fn with the path of each device of each bus. */
int visit_devices(struct __test_metadata *_metadata, device_visitor *fn, int *n);

/*
 * The path of a sysfs file is a format and its arguments. sysfs_read() returns
 * the length of the text, which it ends with a NUL; sysfs_link() gives the last
 * part of the target of a link.
 */
int sysfs_read(char *buf, size_t size, const char *fmt, ...)
	__printf(3, 4);
int sysfs_write(const char *text, const char *fmt, ...)
	__printf(2, 3);
int sysfs_link(char *name, size_t size, const char *fmt, ...)
	__printf(3, 4);
bool sysfs_exists(const char *fmt, ...)
	__printf(1, 2);

#endif /* SELFTESTS_IOMMU_DEVICE_H */
