// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: ranges in the page tables of Arm IOMMUs.
 *
 * The same is mapped in two domains: in ranges, and block by block as the core
 * cuts a range. Tables and flushes have to be the same. Caches that a walker
 * does not snoop are played by the DMA ops of a device: they keep a copy of each
 * table, of what was synced of it.
 */

#include <linux/dma-map-ops.h>
#include <linux/io-pgtable.h>
#include <linux/jhash.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/random.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "iommu-range-test.h"

#define IAS		40
#define OAS		48
#define LAST_LEVEL	3
#define NR_SLOTS	8
#define SLOT_BLOCKS	2
#define ROUNDS		60
#define RW_CACHE	(IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE)

#define PTE_ADDR	GENMASK_ULL(47, 12)
#define PTE_TYPE	3ull
#define PTE_TYPE_BLOCK	1ull
/* Set without a sync */
#define PTE_SW_SYNC	BIT_ULL(55)

struct test_domain {
	struct iommu_domain domain;
	struct io_pgtable_cfg cfg;
	struct io_pgtable_ops *ops;
	u32 flushes;	/* hash of all that was flushed, in order */
	size_t flushed;	/* bytes */
};

/* What a walker that does not snoop knows */
struct walker {
	struct device *dev;
	struct list_head tables;
	unsigned int max_tables;	/* no more memory after these */
	unsigned int nr_tables;
};

struct shadow {
	struct list_head node;
	u64 *table;
	size_t size;
	u64 seen[];
};

/* How the tables are laid out, and in which part of them the test is */
struct layout {
	enum io_pgtable_fmt fmt;
	size_t page;
	size_t block;	/* of the last but one level */
	unsigned long quirks;
	unsigned long base;
	int bits;	/* of an IOVA, per level */
	int top_bits;
	int top_level;
};

/* One range that is mapped, if any, in a part of the IOVAs of its own */
struct slot {
	unsigned long iova;
	size_t size;
};

struct pair {
	struct layout layout;
	struct test_domain *ranges;
	struct test_domain *blocks;
	struct walker *walker;
	struct rnd_state rnd;
	struct slot slots[NR_SLOTS];
};

static struct test_domain *to_test_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct test_domain, domain);
}

static u32 below(struct pair *p, u32 end)
{
	return prandom_u32_state(&p->rnd) % end;
}

static void note_flush(struct test_domain *d, u64 kind, u64 start, u64 size,
		       u64 granule)
{
	u64 flush[] = { kind, start, size, granule };

	d->flushes = jhash(flush, sizeof(flush), d->flushes);
	d->flushed += size;
}

static void test_flush_all(void *cookie)
{
	note_flush(cookie, 'a', 0, 0, 0);
}

static void test_flush_walk(unsigned long iova, size_t size, size_t granule,
			    void *cookie)
{
	note_flush(cookie, 'w', iova, size, granule);
}

static void test_flush_leaf(unsigned long iova, size_t size, size_t granule,
			    void *cookie)
{
	note_flush(cookie, 'l', iova, size, granule);
}

static void test_add_page(struct iommu_iotlb_gather *gather, unsigned long iova,
			  size_t granule, void *cookie)
{
	struct test_domain *d = cookie;

	iommu_iotlb_gather_add_page(&d->domain, gather, iova, granule);
}

static const struct iommu_flush_ops test_flush_ops = {
	.tlb_flush_all	= test_flush_all,
	.tlb_flush_walk	= test_flush_walk,
	.tlb_flush_leaf	= test_flush_leaf,
	.tlb_add_page	= test_add_page,
};

static void test_iotlb_sync(struct iommu_domain *domain,
			    struct iommu_iotlb_gather *gather)
{
	if (gather->pgsize)
		note_flush(to_test_domain(domain), 's', gather->start,
			   gather->end - gather->start + 1, gather->pgsize);
}

static int test_map(struct iommu_domain *domain, unsigned long iova,
		    phys_addr_t paddr, size_t size, int prot, gfp_t gfp)
{
	struct io_pgtable_ops *ops = to_test_domain(domain)->ops;

	return ops->map(ops, iova, paddr, size, prot, gfp);
}

static size_t test_unmap(struct iommu_domain *domain, unsigned long iova,
			 size_t size, struct iommu_iotlb_gather *gather)
{
	struct io_pgtable_ops *ops = to_test_domain(domain)->ops;

	return ops->unmap(ops, iova, size, gather);
}

static int test_map_range(struct iommu_domain *domain, unsigned long iova,
			  phys_addr_t paddr, size_t size, int prot, gfp_t gfp)
{
	struct io_pgtable_ops *ops = to_test_domain(domain)->ops;
	size_t mapped;

	return ops->map_range(ops, iova, paddr, size, prot, gfp, &mapped);
}

static size_t test_unmap_range(struct iommu_domain *domain, unsigned long iova,
			       size_t size, struct iommu_iotlb_gather *gather)
{
	struct io_pgtable_ops *ops = to_test_domain(domain)->ops;

	return ops->unmap_range(ops, iova, size, gather);
}

/* A hole is skipped here, as the format warns of it */
static size_t test_unmap_holes(struct iommu_domain *domain, unsigned long iova,
			       size_t size, struct iommu_iotlb_gather *gather)
{
	struct io_pgtable_ops *ops = to_test_domain(domain)->ops;
	size_t n;

	for (n = 0; n < size; n += SZ_4K)
		if (!ops->iova_to_phys(ops, iova + n))
			break;

	return n ? ops->unmap_range(ops, iova, n, gather) : SZ_4K;
}

static phys_addr_t test_iova_to_phys(struct iommu_domain *domain,
				     dma_addr_t iova)
{
	struct io_pgtable_ops *ops = to_test_domain(domain)->ops;

	return ops->iova_to_phys(ops, iova);
}

static phys_addr_t test_iova_to_phys_contig(struct iommu_domain *domain,
					    dma_addr_t iova, size_t size,
					    size_t *contig)
{
	struct io_pgtable_ops *ops = to_test_domain(domain)->ops;

	return ops->iova_to_phys_contig(ops, iova, size, contig);
}

static const struct iommu_ops block_ops = {
	.map			= test_map,
	.unmap			= test_unmap,
	.iotlb_sync		= test_iotlb_sync,
	.iova_to_phys		= test_iova_to_phys,
};

static const struct iommu_ops range_ops = {
	.map_range		= test_map_range,
	.unmap_range		= test_unmap_range,
	.iotlb_sync		= test_iotlb_sync,
	.iova_to_phys		= test_iova_to_phys,
};

static const struct iommu_ops hole_ops = {
	.map_range		= test_map_range,
	.unmap_range		= test_unmap_holes,
	.iova_to_phys		= test_iova_to_phys,
	.iova_to_phys_contig	= test_iova_to_phys_contig,
};

static struct shadow *find_shadow(struct walker *w, u64 *pte)
{
	struct shadow *s;

	list_for_each_entry(s, &w->tables, node)
		if (pte >= s->table && pte < s->table + s->size / sizeof(*pte))
			return s;
	return NULL;
}

static dma_addr_t walker_map_page(struct device *dev, struct page *page,
				  unsigned long offset, size_t size,
				  enum dma_data_direction dir,
				  unsigned long attrs)
{
	struct walker *w = dev_get_drvdata(dev);
	struct shadow *s;

	if (w->nr_tables == w->max_tables)
		return DMA_MAPPING_ERROR;
	s = kzalloc(sizeof(*s) + size, GFP_KERNEL);
	if (!s)
		return DMA_MAPPING_ERROR;

	s->table = page_address(page) + offset;
	s->size = size;
	memcpy(s->seen, s->table, size);
	list_add(&s->node, &w->tables);
	w->nr_tables++;

	return page_to_phys(page) + offset;
}

static void walker_unmap_page(struct device *dev, dma_addr_t dma, size_t size,
			      enum dma_data_direction dir, unsigned long attrs)
{
	struct walker *w = dev_get_drvdata(dev);
	struct shadow *s = find_shadow(w, phys_to_virt(dma));

	if (!WARN_ON(!s || s->size != size)) {
		list_del(&s->node);
		kfree(s);
		w->nr_tables--;
	}
}

static void walker_sync(struct device *dev, dma_addr_t dma, size_t size,
			enum dma_data_direction dir)
{
	u64 *pte = phys_to_virt(dma);
	struct shadow *s = find_shadow(dev_get_drvdata(dev), pte);

	if (!WARN_ON(!s || pte - s->table > (s->size - size) / sizeof(*pte)))
		memcpy(s->seen + (pte - s->table), pte, size);
}

static const struct dma_map_ops walker_dma_ops = {
	.map_page		= walker_map_page,
	.unmap_page		= walker_unmap_page,
	.sync_single_for_device	= walker_sync,
};

static struct walker *make_walker(struct kunit *test)
{
	struct walker *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, w);
	INIT_LIST_HEAD(&w->tables);
	w->max_tables = UINT_MAX;
	w->dev = root_device_register("io-pgtable-arm-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, w->dev);
	w->dev->dma_mask = &w->dev->coherent_dma_mask;
	w->dev->coherent_dma_mask = DMA_BIT_MASK(OAS);
	dev_set_drvdata(w->dev, w);
	set_dma_ops(w->dev, &walker_dma_ops);

	return w;
}

static void free_walker(struct kunit *test, struct walker *w)
{
	KUNIT_EXPECT_TRUE(test, list_empty(&w->tables));
	root_device_unregister(w->dev);
}

static struct test_domain *make_domain(struct kunit *test,
				       const struct layout *l,
				       const struct iommu_ops *ops,
				       struct walker *w)
{
	struct test_domain *d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, d);
	d->cfg.pgsize_bitmap = l->page | l->block;
	if (l->page == SZ_4K)
		d->cfg.pgsize_bitmap |= SZ_1G;
	d->cfg.ias = IAS;
	d->cfg.oas = OAS;
	d->cfg.quirks = l->quirks;
	d->cfg.tlb = &test_flush_ops;
	d->cfg.coherent_walk = !w;
	d->cfg.iommu_dev = w ? w->dev : NULL;
	d->ops = alloc_io_pgtable_ops(l->fmt, &d->cfg, d);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, d->ops);
	d->domain.type = IOMMU_DOMAIN_UNMANAGED;
	d->domain.ops = ops;
	d->domain.pgsize_bitmap = d->cfg.pgsize_bitmap;

	return d;
}

static void set_layout(struct layout *l, enum io_pgtable_fmt fmt, size_t page,
		       unsigned long quirks)
{
	int page_bits = ilog2(page), levels;

	l->fmt = fmt;
	l->page = page;
	l->bits = page_bits - ilog2(sizeof(u64));
	l->block = page << l->bits;
	l->quirks = quirks;

	levels = DIV_ROUND_UP(IAS - page_bits, l->bits);
	l->top_level = LAST_LEVEL + 1 - levels;
	l->top_bits = IAS - page_bits - l->bits * (levels - 1);
	/* Tables of the next level side by side */
	if (fmt == ARM_64_LPAE_S2 && !l->top_level && l->top_bits <= 4) {
		l->top_level++;
		l->top_bits += l->bits;
	}

	/* Around a boundary of each level, or at the very end */
	if (quirks & IO_PGTABLE_QUIRK_ARM_TTBR1)
		l->base = 0 - NR_SLOTS * SLOT_BLOCKS * l->block;
	else
		l->base = BIT(IAS - 1) - NR_SLOTS / 2 * SLOT_BLOCKS * l->block;
}

static u64 *top_table(struct test_domain *d, bool stage2)
{
	const struct io_pgtable_cfg *cfg = &d->cfg;

	return phys_to_virt(stage2 ? cfg->arm_lpae_s2_cfg.vttbr :
				     cfg->arm_lpae_s1_cfg.ttbr);
}

static bool is_table(u64 pte, int level)
{
	return level < LAST_LEVEL && pte && (pte & PTE_TYPE) != PTE_TYPE_BLOCK;
}

/* The tables are elsewhere, but what they map is not */
static bool same_tables(const struct layout *l, const u64 *a, const u64 *b,
			int level)
{
	int i, nr = BIT(level == l->top_level ? l->top_bits : l->bits);

	for (i = 0; i < nr; i++) {
		if (!is_table(a[i], level) || !is_table(b[i], level)) {
			if (a[i] != b[i])
				return false;
		} else if (!same_tables(l, phys_to_virt(a[i] & PTE_ADDR),
					phys_to_virt(b[i] & PTE_ADDR),
					level + 1)) {
			return false;
		}
	}
	return true;
}

static bool walker_sees_all(struct walker *w)
{
	struct shadow *s;
	size_t i;

	list_for_each_entry(s, &w->tables, node)
		for (i = 0; i < s->size / sizeof(u64); i++)
			if ((s->seen[i] ^ s->table[i]) & ~PTE_SW_SYNC)
				return false;
	return true;
}

static void check_pair(struct kunit *test, struct pair *p, const char *what,
		       unsigned long iova, size_t size)
{
	bool stage2 = p->layout.fmt == ARM_64_LPAE_S2;

	KUNIT_EXPECT_TRUE_MSG(test,
			      same_tables(&p->layout,
					  top_table(p->ranges, stage2),
					  top_table(p->blocks, stage2),
					  p->layout.top_level),
			      "tables after %s %#lx+%#zx", what, iova, size);
	KUNIT_EXPECT_EQ_MSG(test, p->blocks->flushes, p->ranges->flushes,
			    "%s %#lx+%#zx", what, iova, size);
	if (p->walker)
		KUNIT_EXPECT_TRUE_MSG(test, walker_sees_all(p->walker),
				      "walker after %s %#lx+%#zx", what, iova,
				      size);
}

static void map_both(struct kunit *test, struct pair *p, unsigned long iova,
		     phys_addr_t phys, size_t size)
{
	KUNIT_EXPECT_EQ(test, 0, iommu_map(&p->ranges->domain, iova, phys, size,
					   RW_CACHE));
	KUNIT_EXPECT_EQ(test, 0, iommu_map(&p->blocks->domain, iova, phys, size,
					   RW_CACHE));
	check_pair(test, p, "map", iova, size);
}

static void unmap_both(struct kunit *test, struct pair *p, unsigned long iova,
		       size_t size)
{
	p->ranges->flushed = 0;
	KUNIT_EXPECT_EQ(test, size,
			iommu_unmap(&p->ranges->domain, iova, size));
	KUNIT_EXPECT_EQ(test, size, p->ranges->flushed);
	KUNIT_EXPECT_EQ(test, size,
			iommu_unmap(&p->blocks->domain, iova, size));
	check_pair(test, p, "unmap", iova, size);
}

/* At least a page; small sizes are as likely as large ones */
static size_t any_size(struct pair *p, size_t max)
{
	size_t pages = max / p->layout.page, n;

	n = BIT(below(p, ilog2(pages) + 1));
	return (n - below(p, DIV_ROUND_UP(n, 2))) * p->layout.page;
}

static void map_slot(struct kunit *test, struct pair *p, int i)
{
	const struct layout *l = &p->layout;
	size_t max = SLOT_BLOCKS * l->block, offset = 0;
	struct slot *slot = &p->slots[i];
	phys_addr_t phys;

	if (below(p, 2))
		offset = any_size(p, max) - l->page;
	slot->iova = l->base + i * max + offset;
	slot->size = below(p, 3) ? any_size(p, max - offset) : max - offset;

	/* Blocks fit only where both addresses are aligned alike */
	phys = (1 + below(p, BIT(14))) * (phys_addr_t)l->block;
	phys += below(p, 2) ? slot->iova & (l->block - 1) :
			      below(p, l->block / l->page) * l->page;

	map_both(test, p, slot->iova, phys, slot->size);
}

/* All of it, or as much from the start or to the end */
static void unmap_slot(struct kunit *test, struct pair *p, struct slot *slot)
{
	size_t size = below(p, 2) ? any_size(p, slot->size) : slot->size;
	unsigned long iova = slot->iova;

	if (below(p, 2))
		iova += slot->size - size;
	else
		slot->iova += size;
	slot->size -= size;

	unmap_both(test, p, iova, size);
}

/* 1G blocks, if there are, and parts of them */
static void large_blocks(struct kunit *test, struct pair *p)
{
	const struct layout *l = &p->layout;
	unsigned long iova = l->base & ~(SZ_1G - 1ul);
	size_t page = l->page, block = l->block;

	if (page != SZ_4K)
		return;

	iova -= SZ_2G;
	map_both(test, p, iova - page, SZ_4G - page, SZ_1G + block + 2 * page);
	unmap_both(test, p, iova + block, 3 * page);
	unmap_both(test, p, iova + 2 * block - page, block + 2 * page);
	unmap_both(test, p, iova + 4 * block, SZ_1G - 3 * block + page);
	unmap_both(test, p, iova + 3 * block + page, block - page);
	unmap_both(test, p, iova - page, block + page);
	unmap_both(test, p, iova + block + 3 * page, block - 4 * page);
}

static void compare(struct kunit *test, enum io_pgtable_fmt fmt, size_t page,
		    unsigned long quirks, bool coherent)
{
	struct pair *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	int i, round;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, p);
	set_layout(&p->layout, fmt, page, quirks);
	prandom_seed_state(&p->rnd, 1);
	if (!coherent)
		p->walker = make_walker(test);
	p->ranges = make_domain(test, &p->layout, &range_ops, p->walker);
	p->blocks = make_domain(test, &p->layout, &block_ops, NULL);

	for (round = 0; round < ROUNDS; round++) {
		i = below(p, NR_SLOTS);
		if (p->slots[i].size)
			unmap_slot(test, p, &p->slots[i]);
		else
			map_slot(test, p, i);
	}
	for (i = 0; i < NR_SLOTS; i++)
		if (p->slots[i].size)
			unmap_both(test, p, p->slots[i].iova, p->slots[i].size);
	large_blocks(test, p);

	free_io_pgtable_ops(p->ranges->ops);
	free_io_pgtable_ops(p->blocks->ops);
	if (p->walker)
		free_walker(test, p->walker);
}

static void compare_all(struct kunit *test, size_t page)
{
	int coherent;

	for (coherent = !IS_ENABLED(CONFIG_DMA_OPS); coherent < 2; coherent++) {
		compare(test, ARM_64_LPAE_S1, page, 0, coherent);
		compare(test, ARM_64_LPAE_S2, page, 0, coherent);
		compare(test, ARM_64_LPAE_S1, page, IO_PGTABLE_QUIRK_ARM_TTBR1,
			coherent);
	}
}

static void as_blocks_4k(struct kunit *test)
{
	compare_all(test, SZ_4K);
}

static void as_blocks_16k(struct kunit *test)
{
	compare_all(test, SZ_16K);
}

static void as_blocks_64k(struct kunit *test)
{
	compare_all(test, SZ_64K);
}

static void ranges(struct kunit *test, enum io_pgtable_fmt fmt)
{
	struct test_domain *d;
	struct layout layout;

	set_layout(&layout, fmt, SZ_4K, 0);
	d = make_domain(test, &layout, &hole_ops, NULL);
	iommu_test_ranges(test, &d->domain);
	free_io_pgtable_ops(d->ops);
}

static void ranges_stage1(struct kunit *test)
{
	ranges(test, ARM_64_LPAE_S1);
}

static void ranges_stage2(struct kunit *test)
{
	ranges(test, ARM_64_LPAE_S2);
}

/* Memory for the third table of the last level is short */
static void short_of_memory(struct kunit *test)
{
	struct io_pgtable_ops *ops;
	struct test_domain *d;
	struct layout layout;
	struct walker *w;
	size_t mapped;

	if (!IS_ENABLED(CONFIG_DMA_OPS))
		return;

	w = make_walker(test);
	set_layout(&layout, ARM_64_LPAE_S1, SZ_4K, 0);
	d = make_domain(test, &layout, &range_ops, w);
	ops = d->ops;

	/* One of each of four levels, and one */
	w->max_tables = 5;
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			ops->map_range(ops, SZ_1M, SZ_1G + SZ_4K, SZ_4M,
				       RW_CACHE, GFP_KERNEL, &mapped));
	KUNIT_EXPECT_EQ(test, (size_t)(SZ_1M + SZ_2M), mapped);
	KUNIT_EXPECT_EQ(test, (phys_addr_t)SZ_1G + SZ_2M + SZ_1M,
			ops->iova_to_phys(ops, SZ_4M - SZ_4K));
	KUNIT_EXPECT_EQ(test, (phys_addr_t)0, ops->iova_to_phys(ops, SZ_4M));
	KUNIT_EXPECT_EQ(test, mapped, iommu_unmap(&d->domain, SZ_1M, mapped));

	w->max_tables = UINT_MAX;
	KUNIT_EXPECT_EQ(test, 0,
			ops->map_range(ops, SZ_1M, SZ_1G + SZ_4K, SZ_4M,
				       RW_CACHE, GFP_KERNEL, &mapped));
	KUNIT_EXPECT_EQ(test, (size_t)SZ_4M, mapped);
	KUNIT_EXPECT_TRUE(test, walker_sees_all(w));

	free_io_pgtable_ops(ops);
	free_walker(test, w);
}

static struct kunit_case io_pgtable_arm_cases[] = {
	KUNIT_CASE(ranges_stage1),
	KUNIT_CASE(ranges_stage2),
	KUNIT_CASE(as_blocks_4k),
	KUNIT_CASE(as_blocks_16k),
	KUNIT_CASE(as_blocks_64k),
	KUNIT_CASE(short_of_memory),
	{ }
};

static struct kunit_suite io_pgtable_arm_suite = {
	.name = "io_pgtable_arm",
	.test_cases = io_pgtable_arm_cases,
};

kunit_test_suites(&io_pgtable_arm_suite);
