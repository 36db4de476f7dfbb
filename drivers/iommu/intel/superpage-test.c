// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: tables that superpages replace. Part of iommu.c, for its functions.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "test-domain.h"

/* A unit that no device is behind, and what its last flush was for. */
struct flushed_unit {
	struct intel_iommu iommu;
	unsigned int flushes;
	u64 addr;
	unsigned int order;
	struct page *table;
	int table_refs;
};

static void flushed(struct intel_iommu *iommu, u16 did, u64 addr,
		    unsigned int order, u64 type)
{
	struct flushed_unit *unit;

	unit = container_of(iommu, struct flushed_unit, iommu);
	unit->flushes++;
	unit->addr = addr;
	unit->order = order;
	if (unit->table)
		unit->table_refs = page_count(unit->table);
}

static struct flushed_unit *make_unit(struct kunit *test)
{
	struct flushed_unit *unit;
	void *registers;

	unit = kunit_kzalloc(test, sizeof(*unit), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, unit);
	registers = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, registers);

	raw_spin_lock_init(&unit->iommu.register_lock);
	unit->iommu.reg = (void __iomem *)registers;
	/* Flushes of up to 2^18 pages (VT-d 3.3, 10.4.2: PSI and MAMV) */
	unit->iommu.cap = 1ull << 39 | 18ull << 48;
	unit->iommu.flush.flush_iotlb = flushed;

	return unit;
}

/*
 * Put @unit behind the units there are, which stay in use meanwhile. Nobody may
 * add or remove any.
 */
static struct intel_iommu **show_unit(struct flushed_unit *unit)
{
	static struct intel_iommu *units[DMAR_UNITS_SUPPORTED];
	struct intel_iommu **before = g_iommus;

	lockdep_assert_held_write(&dmar_global_lock);

	if (g_iommus_end)
		memcpy(units, g_iommus, g_iommus_end * sizeof(*units));
	unit->iommu.seq_id = g_iommus_end;
	units[g_iommus_end] = &unit->iommu;
	g_iommus = units;
	g_iommus_end++;

	return before;
}

static void map_over_table(struct kunit *test, struct dmar_domain *domain,
			   struct flushed_unit *unit)
{
	struct iommu_domain *d = &domain->domain;
	struct dma_pte *pte;
	int level = 2;

	KUNIT_EXPECT_EQ(test, 0, iommu_map(d, SZ_2M, SZ_2M, SZ_4K, IOMMU_READ));
	KUNIT_EXPECT_EQ(test, (size_t)SZ_4K, iommu_unmap(d, SZ_2M, SZ_4K));
	pte = pfn_to_dma_pte(domain, SZ_2M >> VTD_PAGE_SHIFT, &level);
	if (!pte || !dma_pte_present(pte)) {
		KUNIT_FAIL(test, "unmapping a page has freed its table");
		return;
	}

	unit->table = pfn_to_page(dma_pte_addr(pte) >> VTD_PAGE_SHIFT);
	get_page(unit->table);
	unit->flushes = 0;
	KUNIT_EXPECT_EQ(test, 0, iommu_map(d, SZ_2M, SZ_2M, SZ_2M, IOMMU_READ));

	/* No hint that only leaves changed, and the table is there until then */
	KUNIT_EXPECT_EQ(test, 1u, unit->flushes);
	KUNIT_EXPECT_EQ(test, (u64)SZ_2M, unit->addr);
	KUNIT_EXPECT_EQ(test, 9u, unit->order);
	KUNIT_EXPECT_EQ(test, 2, unit->table_refs);
	KUNIT_EXPECT_EQ(test, 1, page_count(unit->table));
	put_page(unit->table);
	unit->table = NULL;

	/* Nothing was there */
	KUNIT_EXPECT_EQ(test, 0, iommu_map(d, SZ_4M, SZ_4M, SZ_2M, IOMMU_READ));
	KUNIT_EXPECT_EQ(test, 1u, unit->flushes);
}

static void replaced_table_is_flushed(struct kunit *test)
{
	struct dmar_domain *domain = make_domain(test);
	struct flushed_unit *unit = make_unit(test);
	struct intel_iommu **before;

	domain->pgd = (struct dma_pte *)get_zeroed_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain->pgd);

	KUNIT_ASSERT_LT(test, g_iommus_end, DMAR_UNITS_SUPPORTED);
	down_write(&dmar_global_lock);
	before = show_unit(unit);
	domain->iommu_refcnt[unit->iommu.seq_id] = 1;

	map_over_table(test, domain, unit);
	iommu_unmap(&domain->domain, 0, SZ_1G);

	g_iommus_end--;
	g_iommus = before;
	up_write(&dmar_global_lock);
	free_page((unsigned long)domain->pgd);
}

static struct kunit_case superpage_cases[] = {
	KUNIT_CASE(replaced_table_is_flushed),
	{ }
};

static struct kunit_suite superpage_suite = {
	.name = "intel_superpage",
	.test_cases = superpage_cases,
};

kunit_test_suites(&superpage_suite);
