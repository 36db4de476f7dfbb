// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reserved regions as text, for files in sysfs.
 *
 * An attribute in sysfs is one page, which does not hold the regions that
 * firmware may list. A file of this kind is as long as it has to be. What it
 * says is put together when its first byte is read and stays the same until the
 * first byte is read again, so that reading it piece by piece gives whole lines.
 */

#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/kernel.h>
#include <linux/kernfs.h>
#include <linux/kobject.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "iommu-resv-sysfs.h"

/* "0x" and 16 digits each for the first and the last byte, type, newline */
#define LINE_SIZE(type)	(2 + 16 + 1 + 2 + 16 + 1 + strlen(type) + 1)

struct iommu_resv_text {
	size_t	len;
	char	text[];
};

static const char * const resv_type[] = {
	[IOMMU_RESV_DIRECT]			= "direct",
	[IOMMU_RESV_DIRECT_RELAXABLE]		= "direct-relaxable",
	[IOMMU_RESV_RESERVED]			= "reserved",
	[IOMMU_RESV_MSI]			= "msi",
	[IOMMU_RESV_SW_MSI]			= "msi",
};

static char *put_address(char *p, u64 address)
{
	__be64 digits = cpu_to_be64(address);

	*p++ = '0';
	*p++ = 'x';
	p = bin2hex(p, &digits, sizeof(digits));
	*p++ = ' ';

	return p;
}

/* bin2hex() rather than printf(), which is most of the cost of a long list */
static char *put_region(char *p, const struct iommu_resv_region *region)
{
	const char *type = resv_type[region->type];
	size_t len = strlen(type);

	p = put_address(p, region->start);
	p = put_address(p, region->start + region->length - 1);
	memcpy(p, type, len);
	p[len] = '\n';

	return p + len + 1;
}

/**
 * iommu_resv_text() - Text for a file that shows reserved regions
 * @regions: the regions, in the order that the file is to have
 *
 * Context: Process context, may sleep.
 * Return: what the callback of iommu_resv_file_read() returns; ERR_PTR(-ENOMEM).
 */
struct iommu_resv_text *iommu_resv_text(const struct list_head *regions)
{
	const struct iommu_resv_region *region;
	struct iommu_resv_text *text;
	size_t len = 0;
	char *p;

	list_for_each_entry(region, regions, list)
		len += LINE_SIZE(resv_type[region->type]);

	text = kvmalloc(struct_size(text, text, len), GFP_KERNEL_ACCOUNT);
	if (!text)
		return ERR_PTR(-ENOMEM);

	text->len = len;
	p = text->text;
	list_for_each_entry(region, regions, list)
		p = put_region(p, region);

	return text;
}

/**
 * iommu_resv_file_create() - Create a file that shows reserved regions
 * @kobj: whose directory the file is for; it goes with the directory at the
 *	  latest
 * @name: name of the file
 * @ops: calls iommu_resv_file_read() and iommu_resv_file_release()
 * @owner: who has the regions; exists until the file is removed
 *
 * Removing the file waits for reads that are under way.
 *
 * Context: Process context, may sleep.
 * Return: 0, -EEXIST, -ENOMEM.
 */
int iommu_resv_file_create(struct kobject *kobj, const char *name,
			   const struct kernfs_ops *ops, void *owner)
{
	if (!IS_ENABLED(CONFIG_SYSFS))
		return 0;

	/* The size is what an attribute has; programs may ask for it */
	return PTR_ERR_OR_ZERO(kernfs_create_file(kobj->sd, name, 0444,
						  PAGE_SIZE, ops, owner));
}

/**
 * iommu_resv_file_read() - What the read op of such a file has to do
 * @of: the open file
 * @buf: where to put text
 * @count: size of @buf in bytes
 * @pos: position in the file
 * @get: returns the iommu_resv_text() of @owner's regions, or an ERR_PTR()
 *
 * Context: Process context, may sleep; kernfs lets one read of @of in at a time.
 * Return: number of bytes put into @buf, 0 at the end of the text, -ENOMEM, or
 *	   what @get fails with.
 */
ssize_t iommu_resv_file_read(struct kernfs_open_file *of, char *buf,
			     size_t count, loff_t pos,
			     struct iommu_resv_text *(*get)(void *owner))
{
	struct iommu_resv_text *text = of->priv;

	if (!text || pos == 0) {
		text = get(of->kn->priv);
		if (IS_ERR(text))
			return PTR_ERR(text);
		kvfree(of->priv);
		of->priv = text;
	}

	return memory_read_from_buffer(buf, count, &pos, text->text, text->len);
}

/**
 * iommu_resv_file_release() - What the release op of such a file has to do
 * @of: the open file
 */
void iommu_resv_file_release(struct kernfs_open_file *of)
{
	kvfree(of->priv);
}
