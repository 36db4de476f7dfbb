// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: what a driver maps and unmaps in one go, compared with a simple model.
 *
 * The model is an array with the physical address of each page.
 */

#include <linux/kernel.h>
#include <linux/random.h>
#include <linux/sizes.h>

#include "iommu-range-test.h"

/* A boundary of each level of the tables is in the middle */
#define FIRST_IOVA	(SZ_1G - SZ_16M)
#define NR_PAGES	(SZ_32M / SZ_4K)
#define MAX_PAGES	2048
#define ROUNDS		300

struct range_model {
	struct iommu_domain *domain;
	struct rnd_state rnd;
	phys_addr_t phys[NR_PAGES];	/* 0 if not mapped */
	bool first[NR_PAGES];		/* page of what was mapped in one go */
};

static unsigned long iova_of(unsigned long page)
{
	return FIRST_IOVA + page * SZ_4K;
}

static u32 below(struct range_model *m, u32 end)
{
	return prandom_u32_state(&m->rnd) % end;
}

/* Small ranges are as likely as large ones */
static unsigned long any_length(struct range_model *m)
{
	unsigned long n = 1ul << below(m, ilog2(MAX_PAGES) + 1);

	return n - below(m, DIV_ROUND_UP(n, 2));
}

static phys_addr_t any_phys(struct range_model *m, unsigned long page)
{
	phys_addr_t phys = (phys_addr_t)(1 + below(m, BIT(20))) * SZ_4K;

	/* Superpages fit only where both addresses are aligned alike */
	if (below(m, 2))
		phys = (phys & ~(phys_addr_t)(SZ_2M - 1)) + SZ_2M +
		       (iova_of(page) & (SZ_2M - 1));
	return phys;
}

static void check_page(struct kunit *test, struct range_model *m, long page)
{
	if (page < 0 || page >= NR_PAGES)
		return;
	KUNIT_EXPECT_EQ_MSG(test, m->phys[page],
			    iommu_iova_to_phys(m->domain, iova_of(page)),
			    "IOVA %#lx", iova_of(page));
}

/* The ends matter most */
static void check_range(struct kunit *test, struct range_model *m,
			unsigned long page, unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n; i += 13)
		check_page(test, m, page + i);
	check_page(test, m, page - 1);
	check_page(test, m, page + n - 1);
	check_page(test, m, page + n);
}

static void check_contig(struct kunit *test, struct range_model *m,
			 unsigned long page, unsigned long n)
{
	size_t contig = 0;
	unsigned long i;

	for (i = 1; i < n; i++)
		if (m->phys[page + i] != m->phys[page] + i * SZ_4K)
			break;

	KUNIT_EXPECT_EQ(test, m->phys[page],
			iommu_iova_to_phys_contig(m->domain, iova_of(page),
						  n * SZ_4K, &contig));
	KUNIT_EXPECT_EQ_MSG(test, (size_t)i * SZ_4K, contig, "IOVA %#lx",
			    iova_of(page));
}

static void map_one(struct kunit *test, struct range_model *m)
{
	unsigned long page = below(m, NR_PAGES), n, i;
	phys_addr_t phys = any_phys(m, page);

	n = min(any_length(m), NR_PAGES - page);
	for (i = 0; i < n && !m->phys[page + i]; i++)
		m->phys[page + i] = phys + i * SZ_4K;
	if (!i)
		return;
	m->first[page] = true;

	KUNIT_EXPECT_EQ(test, 0,
			iommu_map(m->domain, iova_of(page), phys, i * SZ_4K,
				  IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE));
	check_range(test, m, page, i);
	check_contig(test, m, page, min(i + 1, NR_PAGES - page));
}

/* One or more whole ranges that were mapped, and all between them */
static void unmap_some(struct kunit *test, struct range_model *m)
{
	unsigned long page = below(m, NR_PAGES), end, min_end, i;

	while (page < NR_PAGES && !m->first[page])
		page++;
	if (page == NR_PAGES)
		return;

	min_end = page + (below(m, 2) ? any_length(m) : 1);
	for (end = page + 1; end < NR_PAGES; end++)
		if (end >= min_end && m->phys[end - 1] &&
		    (!m->phys[end] || m->first[end]))
			break;
	while (!m->phys[end - 1])
		end--;

	for (i = page; i < end; i++) {
		m->phys[i] = 0;
		m->first[i] = false;
	}
	KUNIT_EXPECT_EQ(test, (size_t)(end - page) * SZ_4K,
			iommu_unmap(m->domain, iova_of(page),
				    (end - page) * SZ_4K));
	check_range(test, m, page, end - page);
}

void iommu_test_ranges(struct kunit *test, struct iommu_domain *domain)
{
	struct range_model *m;
	unsigned long i;

	m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m);
	m->domain = domain;
	prandom_seed_state(&m->rnd, 1);

	KUNIT_EXPECT_EQ(test, 0,
			iommu_map(domain, FIRST_IOVA, 0, 0, IOMMU_READ));
	for (i = 0; i < ROUNDS; i++) {
		if (below(m, 5) < 3)
			map_one(test, m);
		else
			unmap_some(test, m);
	}
	for (i = 0; i < NR_PAGES; i++)
		check_page(test, m, i);

	iommu_unmap(domain, FIRST_IOVA, SZ_32M);
	for (i = 0; i < NR_PAGES; i++) {
		m->phys[i] = 0;
		check_page(test, m, i);
	}
}
