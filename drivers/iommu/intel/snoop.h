/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Snoop control of VT-d: who may block PCIe No-Snoop, and with which PTE bit.
 *
 * A unit with ECAP.SC honours SNP in second-level leaf entries and PGSNP in
 * scalable-mode PASID entries; without it both are reserved (VT-d 3.3, 9.8 and
 * 9.6). First-level entries have no such bit, there PGSNP does it alone. Nothing
 * here takes a lock: the caller holds device_domain_lock where the units or the
 * state of the domain may change.
 */

#ifndef _INTEL_IOMMU_SNOOP_H
#define _INTEL_IOMMU_SNOOP_H

#include <linux/intel-iommu.h>

extern const struct iommu_ops intel_iommu_ops;

/* Does each of the @nr_units @units that serve a device of @domain have SC? */
static inline bool
domain_units_control_snoop(const struct dmar_domain *domain,
			   struct intel_iommu *const *units, int nr_units)
{
	int i;

	/* The reference counts know the aux users too, @domain->devices not */
	for (i = 0; i < nr_units; i++)
		if (domain->iommu_refcnt[i] && !ecap_sc_support(units[i]->ecap))
			return false;

	return true;
}

/* May a device behind @iommu join @domain? */
static inline bool domain_accepts_unit(const struct dmar_domain *domain,
				       const struct intel_iommu *iommu)
{
	return !domain->domain.enforces_coherency ||
	       ecap_sc_support(iommu->ecap);
}

/* What a leaf entry of @domain needs besides the access rights */
static inline int domain_snoop_prot(const struct dmar_domain *domain)
{
	if (!domain->domain.enforces_coherency ||
	    domain->flags & DOMAIN_FLAG_USE_FIRST_LEVEL)
		return 0;

	return DMA_PTE_SNP;
}

#endif /* _INTEL_IOMMU_SNOOP_H */
