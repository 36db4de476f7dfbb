// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: snoop control of VT-d, with made-up units and domains.
 *
 * The domains are not attached to hardware, so this runs on any machine.
 */

#include <linux/mm.h>
#include <linux/sizes.h>

#include "test-domain.h"

#define SC		BIT_ULL(7)	/* ECAP.SC, VT-d 3.3, 11.4.3 */
#define IOVA		0x400000ul
#define PHYS		0x800000ul

struct snoop_case {
	const char *name;
	bool enforces;
	bool first_level;
	size_t size;
	bool snp;
};

static const struct snoop_case cases[] = {
	{ "second level, 4K", false, false, SZ_4K, false },
	{ "second level, 2M", false, false, SZ_2M, false },
	{ "second level, 4K, enforced", true, false, SZ_4K, true },
	{ "second level, 2M, enforced", true, false, SZ_2M, true },
	{ "first level, 4K, enforced", true, true, SZ_4K, false },
	{ "first level, 2M, enforced", true, true, SZ_2M, false },
};

static u64 leaf(const struct dmar_domain *domain, unsigned long iova)
{
	struct dma_pte *pte = domain->pgd;
	int shift;

	for (shift = 30; ; shift -= 9) {
		pte += (iova >> shift) & 511;
		if (shift == 12 || dma_pte_superpage(pte) ||
		    !dma_pte_present(pte))
			return pte->val;
		pte = phys_to_virt(dma_pte_addr(pte));
	}
}

static void snoop_leaves(struct kunit *test)
{
	struct dmar_domain *domain;
	const struct snoop_case *c;
	u64 pte;

	for (c = cases; c < cases + ARRAY_SIZE(cases); c++) {
		domain = make_domain(test);
		domain->domain.enforces_coherency = c->enforces;
		if (c->first_level)
			domain->flags |= DOMAIN_FLAG_USE_FIRST_LEVEL;
		domain->pgd = (struct dma_pte *)get_zeroed_page(GFP_KERNEL);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain->pgd);

		KUNIT_EXPECT_EQ_MSG(test, 0,
				    iommu_map(&domain->domain, IOVA, PHYS,
					      c->size,
					      IOMMU_READ | IOMMU_CACHE),
				    "%s", c->name);
		pte = leaf(domain, IOVA);
		KUNIT_EXPECT_EQ_MSG(test, (u64)PHYS, pte & GENMASK_ULL(38, 12),
				    "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, (bool)(c->size == SZ_2M),
				    (bool)(pte & DMA_PTE_LARGE_PAGE),
				    "%s", c->name);
		KUNIT_EXPECT_EQ_MSG(test, c->snp, (bool)(pte & DMA_PTE_SNP),
				    "%s", c->name);

		/* All that the root entry covers, so that the tables go too */
		iommu_unmap(&domain->domain, 0, SZ_1G);
		KUNIT_EXPECT_EQ_MSG(test, 0ull, leaf(domain, IOVA), "%s",
				    c->name);
		free_page((unsigned long)domain->pgd);
	}
}

static void snoop_every_unit_counts(struct kunit *test)
{
	struct dmar_domain *domain = make_domain(test);
	struct intel_iommu *with, *without, *units[3];

	with = kunit_kzalloc(test, sizeof(*with), GFP_KERNEL);
	without = kunit_kzalloc(test, sizeof(*without), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, with);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, without);
	with->ecap = SC;
	without->ecap = ~SC;
	units[0] = with;
	units[1] = without;
	units[2] = with;

	/* No device yet: later ones are checked when they come */
	KUNIT_EXPECT_TRUE(test, domain_units_control_snoop(domain, units, 3));

	/* Units that serve no device of this domain do not matter */
	domain->iommu_refcnt[0] = 1;
	domain->iommu_refcnt[2] = 2;
	KUNIT_EXPECT_TRUE(test, domain_units_control_snoop(domain, units, 3));

	/* Scalable mode, which is in ~SC, is not snoop control */
	domain->iommu_refcnt[1] = 1;
	KUNIT_EXPECT_FALSE(test, domain_units_control_snoop(domain, units, 3));

	/* It is the count that matters, no device is on the list */
	domain->iommu_refcnt[0] = 0;
	domain->iommu_refcnt[2] = 0;
	KUNIT_EXPECT_FALSE(test, domain_units_control_snoop(domain, units, 3));
}

static void snoop_enforced_refuses_unit(struct kunit *test)
{
	struct dmar_domain *domain = make_domain(test);
	struct intel_iommu *iommu;

	iommu = kunit_kzalloc(test, sizeof(*iommu), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, iommu);

	iommu->ecap = ~SC;
	KUNIT_EXPECT_TRUE(test, domain_accepts_unit(domain, iommu));
	domain->domain.enforces_coherency = true;
	KUNIT_EXPECT_FALSE(test, domain_accepts_unit(domain, iommu));
	iommu->ecap = SC;
	KUNIT_EXPECT_TRUE(test, domain_accepts_unit(domain, iommu));
}

static struct kunit_case intel_snoop_cases[] = {
	KUNIT_CASE(snoop_leaves),
	KUNIT_CASE(snoop_every_unit_counts),
	KUNIT_CASE(snoop_enforced_refuses_unit),
	{ }
};

static struct kunit_suite intel_snoop_suite = {
	.name = "intel_snoop",
	.test_cases = intel_snoop_cases,
};

kunit_test_suites(&intel_snoop_suite);
