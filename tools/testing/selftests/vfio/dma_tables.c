// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables that an Intel or AMD IOMMU or an SMMUv3 really uses for a PCI
 * device.
 *
 * Layouts: VT-d specification 3.3, chapters 8.3, 9 and 10.4; AMD IOMMU
 * specification 3.08, chapters 2.2.2, 2.2.3 and 5.2.2; SMMUv3 specification,
 * chapters 5 and 6.3; Arm architecture, translation table format of AArch64.
 * Everything is little endian, as are the machines that are tested.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dma_tables.h"

#define IOMMU_CLASS	"/sys/class/iommu"
#define ACPI_TABLES	"/sys/firmware/acpi/tables/"
#define ACPI_HEADER	48	/* DMAR and IVRS alike */
#define ACPI_DRHD	0
#define ACPI_IVHD	0x10

#define PAGE		4096
#define ENTRIES		512
#define LEVEL_BITS	9
#define ADDRESS		0x000ffffffffff000ull

#define BIT(n)		(1ull << (n))

/* What an entry of level 1, 2 or 3 stands for */
#define SIZE_4K		BIT(12)
#define SIZE_2M		BIT(21)
#define SIZE_1G		BIT(30)

/* Registers */
#define INTEL_CAP	0x08
#define INTEL_CAP_2M	BIT(34)
#define INTEL_CAP_1G	BIT(35)
#define INTEL_STATUS	0x1c
#define INTEL_STATUS_ON	BIT(31)
#define INTEL_ROOT	0x20
#define AMD_TABLE	0x00
#define AMD_CONTROL	0x18
#define AMD_CONTROL_ON	BIT(0)
#define ARM_IDR5	0x14
#define ARM_IDR5_4K	BIT(4)
#define ARM_CR0		0x20
#define ARM_CR0_ON	BIT(0)
#define ARM_TABLE	0x80
#define ARM_TABLE_CFG	0x88

/* Entries */
#define PRESENT		BIT(0)
#define INTEL_RW	(BIT(0) | BIT(1))
#define INTEL_LARGE	BIT(7)
#define INTEL_SNP	BIT(11)
#define INTEL_PGSNP	BIT(88 - 64)
#define AMD_TRANSLATED	BIT(1)
#define AMD_REPLICATED	7
#define AMD_FC		BIT(60)
#define ARM_NO_BLOCK	BIT(1)	/* a page in level 1, a table above */
#define ARM_ENTRY	64	/* of a stream, and of a context */
#define ARM_ADDRESS	0x000fffffffffffc0ull
#define ARM_CD_VALID	BIT(31)
#define ARM_CD_UNUSED	BIT(14)
#define ARM_CD_AA64	BIT(41)

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
static int find_in_acpi(const char *table, bool amd, __u64 *base)
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

/* Its address is in its name, whatever firmware there is. */
static int find_arm(__u64 *base)
{
	struct dirent *entry;
	unsigned int n = 0;
	DIR *dir;

	dir = opendir(IOMMU_CLASS);
	if (!dir)
		return -ENODEV;
	while ((entry = readdir(dir)))
		n += sscanf(entry->d_name, "smmu3.%llx", base) == 1;
	closedir(dir);
	if (!n)
		return -ENODEV;
	return n == 1 ? 0 : -ENOTUNIQ;
}

static __u32 read32(const void *reg)
{
	return __atomic_load_n((const __u32 *)reg, __ATOMIC_RELAXED);
}

static __u64 read64(const void *reg)
{
	return __atomic_load_n((const __u64 *)reg, __ATOMIC_RELAXED);
}

/* Each returns whether the IOMMU is on. */
static bool read_intel_registers(struct dma_tables *t, const unsigned char *regs)
{
	__u64 cap = read64(regs + INTEL_CAP);

	t->sizes |= cap & INTEL_CAP_2M ? SIZE_2M : 0;
	t->sizes |= cap & INTEL_CAP_1G ? SIZE_1G : 0;
	t->root = read64(regs + INTEL_ROOT);
	if (bits(t->root, 11, 10) == 1)
		t->iommu = DMA_INTEL_SCALABLE;
	return read32(regs + INTEL_STATUS) & INTEL_STATUS_ON;
}

static bool read_amd_registers(struct dma_tables *t, const unsigned char *regs)
{
	/* Nothing says so: every AMD IOMMU has entries of every size. */
	t->sizes |= SIZE_2M | SIZE_1G;
	t->root = read64(regs + AMD_TABLE);
	return read64(regs + AMD_CONTROL) & AMD_CONTROL_ON;
}

static bool read_arm_registers(struct dma_tables *t, const unsigned char *regs)
{
	if (read32(regs + ARM_IDR5) & ARM_IDR5_4K)
		t->sizes |= SIZE_2M | SIZE_1G;
	t->root = read64(regs + ARM_TABLE);
	t->root_config = read32(regs + ARM_TABLE_CFG);
	return read32(regs + ARM_CR0) & ARM_CR0_ON;
}

static int read_registers(struct dma_tables *t, __u64 base)
{
	unsigned char *regs;
	bool on;

	regs = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, t->mem, base);
	if (regs == MAP_FAILED)
		return -errno;

	t->sizes = SIZE_4K;
	if (t->iommu == DMA_AMD)
		on = read_amd_registers(t, regs);
	else if (t->iommu == DMA_ARM)
		on = read_arm_registers(t, regs);
	else
		on = read_intel_registers(t, regs);
	munmap(regs, PAGE);
	if (!on)
		return -ENODEV;
	if (t->iommu == DMA_INTEL && bits(t->root, 11, 10))
		return -EOPNOTSUPP;
	t->root &= ADDRESS;
	return 0;
}

int dma_tables_open(struct dma_tables *t)
{
	__u64 base = 0;
	int ret;

	memset(t, 0, sizeof(*t));
	t->iommu = DMA_INTEL;
	ret = find_in_acpi("DMAR", false, &base);
	if (ret == -ENODEV) {
		t->iommu = DMA_AMD;
		ret = find_in_acpi("IVRS", true, &base);
	}
	if (ret == -ENODEV) {
		t->iommu = DMA_ARM;
		ret = find_arm(&base);
	}
	if (ret)
		return ret;

	/* O_SYNC is for the registers, which must not be cached. */
	t->mem = open("/dev/mem", O_RDONLY | O_SYNC | O_CLOEXEC);
	if (t->mem < 0)
		return -errno;
	ret = read_registers(t, base);
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
		} else if (t->iommu == DMA_ARM) {
			present = entry & PRESENT &&
				  (level > 1 || entry & ARM_NO_BLOCK);
			leaf = level == 1 || !(entry & ARM_NO_BLOCK);
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

/* The address of the entry of stream @id, in a table of one level or two. */
static int find_stream(struct dma_tables *t, unsigned int id, __u64 *at)
{
	unsigned int split = bits(t->root_config, 10, 6), span;
	__u64 second;
	int ret;

	if (id >> bits(t->root_config, 5, 0))
		return -ENOENT;
	*at = t->root + id * ARM_ENTRY;
	if (!bits(t->root_config, 17, 16))
		return 0;

	ret = read_mem(t, t->root + (id >> split) * sizeof(second), &second,
		       sizeof(second));
	if (ret)
		return ret;
	span = bits(second, 4, 0);
	id &= BIT(split) - 1;
	if (!span || id >> (span - 1))
		return -ENOENT;
	*at = (second & ARM_ADDRESS) + id * ARM_ENTRY;
	return 0;
}

/* QEMU's virtual machines give a PCI device its requester ID as stream. */
static int read_arm(struct dma_tables *t, unsigned int id)
{
	__u64 stream[ARM_ENTRY / 8], context[ARM_ENTRY / 8];
	unsigned int width;
	__u64 at;
	int ret;

	ret = find_stream(t, id, &at);
	if (!ret)
		ret = read_mem(t, at, stream, sizeof(stream));
	if (ret)
		return ret;
	/* The configuration is 0 for abort, 5 for stage 1 only. */
	if (!(stream[0] & PRESENT) || !bits(stream[0], 3, 1))
		return -ENOENT;
	if (bits(stream[0], 3, 1) != 5 || bits(stream[0], 63, 59))
		return -EOPNOTSUPP;

	ret = read_mem(t, stream[0] & ARM_ADDRESS, context, sizeof(context));
	if (ret)
		return ret;
	if (!(context[0] & ARM_CD_VALID) || context[0] & ARM_CD_UNUSED)
		return -ENOENT;
	/* Pages of 4K, and a first table that has as many entries as others */
	width = 64 - bits(context[0], 5, 0) - 12;
	if (!(context[0] & ARM_CD_AA64) || bits(context[0], 7, 6) ||
	    width % LEVEL_BITS)
		return -EOPNOTSUPP;
	return walk(t, context[1], width / LEVEL_BITS, 0);
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
	case DMA_ARM:
		return read_arm(t, id);
	case DMA_INTEL_SCALABLE:
		return read_scalable(t, id);
	default:
		return read_legacy(t, id);
	}
}

bool dma_leaf_coherent(const struct dma_tables *t, const struct dma_leaf *leaf)
{
	if (t->iommu == DMA_ARM)
		return false;
	return leaf->entry & (t->iommu == DMA_AMD ? AMD_FC : INTEL_SNP);
}
