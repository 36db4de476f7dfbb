// SPDX-License-Identifier: GPL-2.0-only
/// IOMMU_CACHE and IOMMU_CAP_CACHE_COHERENCY are about normal DMA. They do not tell
/// whether No-Snoop is blocked: iommu_enforce_cache_coherency() does.
//# Reported is who remembers IOMMU_CACHE and later decides by it, and who lets
//# either of the two decide about bits that block No-Snoop or about KVM's
//# non-coherent DMA.
///
// Confidence: Moderate
// Keywords: IOMMU_CACHE, IOMMU_CAP_CACHE_COHERENCY
// Options: --no-includes --include-headers

virtual context
virtual org
virtual report

//----------------------------------------------------------
//  A structure remembers it. What a mapping is made with is an argument.
//----------------------------------------------------------

@remembered@
expression E;
identifier f;
position p;
@@

(
* E->f & IOMMU_CACHE@p
|
* E.f & IOMMU_CACHE@p
)

//----------------------------------------------------------
//  It decides about No-Snoop
//----------------------------------------------------------

@decides@
expression P;
position p;
@@

(
* if (<+... \(IOMMU_CACHE@p\|IOMMU_CAP_CACHE_COHERENCY@p\) ...+>)
  {
  <+...
(
  P |= <+... \(DMA_PTE_SNP\|IOMMU_PTE_FC\|PASID_FLAG_PAGE_SNOOP\) ...+>
|
  kvm_arch_register_noncoherent_dma(...)
|
  kvm_arch_unregister_noncoherent_dma(...)
)
  ...+>
  }
|
* if (<+... \(IOMMU_CACHE@p\|IOMMU_CAP_CACHE_COHERENCY@p\) ...+>)
(
  P |= <+... \(DMA_PTE_SNP\|IOMMU_PTE_FC\|PASID_FLAG_PAGE_SNOOP\) ...+>;
|
  kvm_arch_register_noncoherent_dma(...);
|
  kvm_arch_unregister_noncoherent_dma(...);
)
)

@script:python depends on org@
p << remembered.p;
@@

coccilib.org.print_todo(p[0], "WARNING IOMMU_CACHE taken for enforcement")

@script:python depends on org@
p << decides.p;
@@

coccilib.org.print_todo(p[0], "WARNING coherency taken for enforcement")

@script:python depends on report@
p << remembered.p;
@@

coccilib.report.print_report(p[0], "WARNING: IOMMU_CACHE does not tell whether No-Snoop is blocked: remember what iommu_enforce_cache_coherency() returned")

@script:python depends on report@
p << decides.p;
@@

coccilib.report.print_report(p[0], "WARNING: coherent DMA does not tell whether No-Snoop is blocked: decide by iommu_enforce_cache_coherency()")
