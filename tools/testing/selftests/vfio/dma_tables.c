// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables that an Intel or AMD IOMMU really uses for a PCI device.
 *
 * Layouts: VT-d specification 3.3, chapters 8.3, 9 and 10.4; AMD IOMMU
 * specification 3.08, chapters 2.2.2, 2.2.3 and 5.2.2. Everything is little
 * endian, as are the machines that have these IOMMUs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dma_tables.h"

#define ACPI_TABLES	"/sys/firmware/acpi/tables/"
#define ACPI_HEADER	48	/* DMAR and IVRS alike */
#define ACPI_DRHD	0
#define ACPI_IVHD	0x10

#define PAGE		4096
#define ENTRIES		512
#define LEVEL_BITS	9
#define ADDRESS		0x000ffffffffff000ull

#define BIT(n)		(1ull << (n))

/* Registers */
#define INTEL_STATUS	0x1c
#define INTEL_STATUS_ON	BIT(31)
#define INTEL_ROOT	0x20
#define AMD_TABLE	0x00
#define AMD_CONTROL	0x18
#define AMD_CONTROL_ON	BIT(0)

/* Entries */
#define PRESENT		BIT(0)
#define INTEL_RW	(BIT(0) | BIT(1))
#define INTEL_LARGE	BIT(7)
#define INTEL_SNP	BIT(11)
#define INTEL_PGSNP	BIT(88 - 64)
#define AMD_TRANSLATED	BIT(1)
#define AMD_REPLICATED	7
#define AMD_FC		BIT(60)

static unsigned int bits(__u64 val, int last, int first)
{
	return val >> first & (BIT(last - first + 1) - 1);
}

/* Of a table: its own level. Of an entry: that of the table it leads to. */
static int amd_level(__u64 entry)
{
	return bits(entry, 11, 9);
}

static int read_mem(const struct dma_tables *t, __u64 addr, void *buf,
		    size_t size)
{
	ssize_t ret = pread(t->mem, buf, size, addr);

	if (ret < 0)
		return -errno;
	return ret == (ssize_t)size ? 0 : -EIO;
}

/*
 * Base address of the one IOMMU that the table names. AMD's may have several
 * structures for one IOMMU, of different types.
 */
static int find_iommu(const char *table, bool amd, __u64 *base)
{
	static unsigned char text[65536];
	unsigned int type, len, at;
	__u64 addr;
	int size;

	size = sysfs_read((char *)text, sizeof(text), ACPI_TABLES "%s", table);
	if (size == -ENOENT)
		return -ENODEV;
	if (size < 0)
		return size;

	*base = 0;
	for (at = ACPI_HEADER; at + 16 <= (unsigned int)size; at += len) {
		/* AMD's second byte is for flags. */
		type = text[at] | (amd ? 0 : text[at + 1] << 8);
		len = text[at + 2] | text[at + 3] << 8;
		if (!len)
			return -EINVAL;
		if (amd ? (type & ~0x1) != ACPI_IVHD && type != 0x40 :
			  type != ACPI_DRHD)
			continue;
		memcpy(&addr, text + at + 8, sizeof(addr));
		if (*base && *base != addr)
			return -ENOTUNIQ;
		*base = addr;
	}
	return *base ? 0 : -ENODEV;
}

static __u32 read32(const void *reg)
{
	return __atomic_load_n((const __u32 *)reg, __ATOMIC_RELAXED);
}

static __u64 read64(const void *reg)
{
	return __atomic_load_n((const __u64 *)reg, __ATOMIC_RELAXED);
}

static int read_registers(struct dma_tables *t, __u64 base, bool amd)
{
	unsigned char *regs;
	int ret = 0;
	bool on;

	regs = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, t->mem, base);
	if (regs == MAP_FAILED)
		return -errno;

	if (amd) {
		t->iommu = DMA_AMD;
		on = read64(regs + AMD_CONTROL) & AMD_CONTROL_ON;
		t->root = read64(regs + AMD_TABLE);
	} else {
		on = read32(regs + INTEL_STATUS) & INTEL_STATUS_ON;
		t->root = read64(regs + INTEL_ROOT);
		t->iommu = DMA_INTEL;
		if (bits(t->root, 11, 10) == 1)
			t->iommu = DMA_INTEL_SCALABLE;
		else if (bits(t->root, 11, 10))
			ret = -EOPNOTSUPP;
	}
	t->root &= ADDRESS;
	munmap(regs, PAGE);
	return on ? ret : -ENODEV;
}

int dma_tables_open(struct dma_tables *t)
{
	bool amd = false;
	__u64 base;
	int ret;

	memset(t, 0, sizeof(*t));
	ret = find_iommu("DMAR", false, &base);
	if (ret == -ENODEV) {
		amd = true;
		ret = find_iommu("IVRS", true, &base);
	}
	if (ret)
		return ret;

	/* O_SYNC is for the registers, which must not be cached. */
	t->mem = open("/dev/mem", O_RDONLY | O_SYNC | O_CLOEXEC);
	if (t->mem < 0)
		return -errno;
	ret = read_registers(t, base, amd);
	if (ret)
		close(t->mem);
	return ret;
}

void dma_tables_close(struct dma_tables *t)
{
	free(t->leaves);
	close(t->mem);
}

static int add_leaf(struct dma_tables *t, __u64 iova, __u64 size, __u64 entry)
{
	struct dma_leaf *leaves;

	if (!(t->count & (t->count - 1))) {
		leaves = realloc(t->leaves,
				 (t->count * 2 ?: 1) * sizeof(*leaves));
		if (!leaves)
			return -ENOMEM;
		t->leaves = leaves;
	}
	leaves = &t->leaves[t->count++];
	leaves->iova = iova;
	leaves->size = size;
	leaves->entry = entry;
	return 0;
}

/* Tables of level 1 have nothing but leaves. */
static int walk(struct dma_tables *t, __u64 table, int level, __u64 iova)
{
	__u64 entries[ENTRIES], entry;
	__u64 size = (__u64)PAGE << (level - 1) * LEVEL_BITS;
	bool present, leaf;
	int i, ret;

	ret = read_mem(t, table & ADDRESS, entries, sizeof(entries));
	for (i = 0; i < ENTRIES && !ret; i++, iova += size) {
		entry = entries[i];
		if (t->iommu == DMA_AMD) {
			present = entry & PRESENT;
			leaf = !amd_level(entry) ||
			       amd_level(entry) == AMD_REPLICATED;
			if (present && !leaf &&
			    amd_level(entry) != level - 1)
				return -EOPNOTSUPP;
		} else {
			present = entry & INTEL_RW;
			leaf = level == 1 || entry & INTEL_LARGE;
		}
		if (!present)
			continue;
		ret = leaf ? add_leaf(t, iova, size, entry) :
			     walk(t, entry, level - 1, iova);
	}
	return ret;
}

static int read_amd(struct dma_tables *t, unsigned int id)
{
	__u64 entry[4];
	int ret;

	ret = read_mem(t, t->root + id * sizeof(entry), entry, sizeof(entry));
	if (ret)
		return ret;
	if (!(entry[0] & PRESENT) || !(entry[0] & AMD_TRANSLATED) ||
	    !amd_level(entry[0]) || amd_level(entry[0]) > 6)
		return -EOPNOTSUPP;
	return walk(t, entry[0], amd_level(entry[0]), 0);
}

static int read_legacy(struct dma_tables *t, unsigned int id)
{
	__u64 root[2], context[2];
	int ret;

	ret = read_mem(t, t->root + (id >> 8) * sizeof(root), root,
		       sizeof(root));
	if (ret)
		return ret;
	if (!(root[0] & PRESENT))
		return -ENOENT;

	ret = read_mem(t, (root[0] & ADDRESS) + (id & 0xff) * sizeof(context),
		       context, sizeof(context));
	if (ret)
		return ret;
	if (!(context[0] & PRESENT))
		return -ENOENT;
	/* Type 2 is pass-through. */
	if (bits(context[0], 3, 2) > 1)
		return -EOPNOTSUPP;
	return walk(t, context[0], bits(context[1], 2, 0) + 2, 0);
}

static int read_scalable(struct dma_tables *t, unsigned int id)
{
	__u64 root[2], context[4], directory, pasid[8];
	__u64 table;
	unsigned int rid_pasid;
	int ret;

	ret = read_mem(t, t->root + (id >> 8) * sizeof(root), root,
		       sizeof(root));
	if (ret)
		return ret;
	table = root[bits(id, 7, 7)];
	if (!(table & PRESENT))
		return -ENOENT;

	ret = read_mem(t, (table & ADDRESS) + (id & 0x7f) * sizeof(context),
		       context, sizeof(context));
	if (ret)
		return ret;
	if (!(context[0] & PRESENT))
		return -ENOENT;

	/* Requests without a PASID have this one. */
	rid_pasid = bits(context[1], 19, 0);
	ret = read_mem(t, (context[0] & ADDRESS) +
		       (rid_pasid >> 6) * sizeof(directory), &directory,
		       sizeof(directory));
	if (ret)
		return ret;
	if (!(directory & PRESENT))
		return -ENOENT;

	ret = read_mem(t, (directory & ADDRESS) +
		       (rid_pasid & 0x3f) * sizeof(pasid), pasid,
		       sizeof(pasid));
	if (ret)
		return ret;
	if (!(pasid[0] & PRESENT))
		return -ENOENT;
	t->pgsnp = pasid[1] & INTEL_PGSNP;
	/* Type 2 is second level only. */
	if (bits(pasid[0], 8, 6) != 2)
		return -EOPNOTSUPP;
	return walk(t, pasid[0], bits(pasid[0], 4, 2) + 2, 0);
}

int dma_tables_read(struct dma_tables *t, const struct device *dev)
{
	unsigned int segment, bus, slot, function, id;

	t->count = 0;
	t->pgsnp = false;
	if (sscanf(dev->name, "%x:%x:%x.%x", &segment, &bus, &slot,
		   &function) != 4 || segment)
		return -EINVAL;

	id = bus << 8 | slot << 3 | function;
	switch (t->iommu) {
	case DMA_AMD:
		return read_amd(t, id);
	case DMA_INTEL_SCALABLE:
		return read_scalable(t, id);
	default:
		return read_legacy(t, id);
	}
}

bool dma_leaf_coherent(const struct dma_tables *t, const struct dma_leaf *leaf)
{
	return leaf->entry & (t->iommu == DMA_AMD ? AMD_FC : INTEL_SNP);
}
