// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device as sysfs shows it, and the driver that is bound to it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "device.h"

#define SYSFS_BUS	"/sys/bus"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static int format_path(char path[PATH_MAX], const char *fmt, va_list args)
{
	int len = vsnprintf(path, PATH_MAX, fmt, args);

	return len < 0 || len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int sysfs_read(char *buf, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX];
	size_t len = 0;
	va_list args;
	ssize_t ret;
	int fd;

	va_start(args, fmt);
	ret = format_path(path, fmt, args);
	va_end(args);
	if (ret)
		return ret;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	do {
		ret = read(fd, buf + len, size - 1 - len);
		if (ret < 0)
			ret = -errno;
		else
			len += ret;
	} while (ret > 0);

	close(fd);
	buf[len] = '\0';
	return ret < 0 ? ret : (int)len;
}

int sysfs_write(const char *text, const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list args;
	int fd, ret;

	va_start(args, fmt);
	ret = format_path(path, fmt, args);
	va_end(args);
	if (ret)
		return ret;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

int sysfs_link(char *name, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *last;
	va_list args;
	ssize_t len;
	int ret;

	va_start(args, fmt);
	ret = format_path(path, fmt, args);
	va_end(args);
	if (ret)
		return ret;

	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return -errno;
	target[len] = '\0';

	last = strrchr(target, '/');
	last = last ? last + 1 : target;
	if (strlen(last) >= size)
		return -ENAMETOOLONG;
	strcpy(name, last);
	return 0;
}

bool sysfs_exists(const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list args;
	int ret;

	va_start(args, fmt);
	ret = format_path(path, fmt, args);
	va_end(args);
	return !ret && !access(path, F_OK);
}

int device_find(struct device *dev, const char *name)
{
	static const char * const buses[] = { "pci", "platform" };
	size_t i;

	if (!*name || strlen(name) >= sizeof(dev->name) || strchr(name, '/'))
		return -EINVAL;

	for (i = 0; i < ARRAY_SIZE(buses); i++) {
		strcpy(dev->name, name);
		dev->bus = buses[i];
		snprintf(dev->path, sizeof(dev->path), "/sys/bus/%s/devices/%s",
			 dev->bus, name);
		if (sysfs_exists("%s", dev->path))
			return 0;
	}
	return -ENODEV;
}

void device_driver(const struct device *dev, char driver[DEVICE_NAME_SIZE])
{
	if (sysfs_link(driver, DEVICE_NAME_SIZE, "%s/driver", dev->path))
		driver[0] = '\0';
}

const char *device_vfio_driver(const struct device *dev)
{
	return strcmp(dev->bus, "pci") ? "vfio-platform" : "vfio-pci";
}

int device_unbind(const struct device *dev)
{
	int ret = 0;

	if (sysfs_exists("%s/driver", dev->path))
		ret = sysfs_write(dev->name, "%s/driver/unbind", dev->path);
	return ret ?: sysfs_write("\n", "%s/driver_override", dev->path);
}

int device_bind(const struct device *dev, const char *driver)
{
	int ret;

	ret = device_unbind(dev);
	if (ret)
		return ret;

	/* The override is needed for matching only, not to stay bound. */
	ret = sysfs_write(driver, "%s/driver_override", dev->path);
	if (ret)
		return ret;
	ret = sysfs_write(dev->name, "/sys/bus/%s/drivers/%s/bind", dev->bus,
			  driver);
	sysfs_write("\n", "%s/driver_override", dev->path);
	return ret;
}

bool device_alone(const struct device *dev)
{
	struct dirent *entry;
	char path[PATH_MAX];
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof(path), "%s/iommu_group/devices", dev->path);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n == 1;
}

static int visit_bus(struct __test_metadata *_metadata, device_visitor *fn,
		     int *n, const char *bus)
{
	char devices[PATH_MAX / 2], path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	snprintf(devices, sizeof(devices), SYSFS_BUS "/%s/devices", bus);
	dir = opendir(devices);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", devices, entry->d_name);
		fn(_metadata, path, n);
	}
	closedir(dir);
	return 0;
}

int visit_devices(struct __test_metadata *_metadata, device_visitor *fn, int *n)
{
	struct dirent *entry;
	int ret = 0;
	DIR *buses;

	buses = opendir(SYSFS_BUS);
	if (!buses)
		return -errno;
	while (!ret && (entry = readdir(buses)))
		if (entry->d_name[0] != '.')
			ret = visit_bus(_metadata, fn, n, entry->d_name);
	closedir(buses);
	return ret;
}
