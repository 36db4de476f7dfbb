// SPDX-License-Identifier: GPL-2.0-only
/// iommu_enforce_cache_coherency() is the way to have a domain block No-Snoop: it
/// checks that nothing was mapped, which the driver's op does not, and a driver
/// with the op may still say no. It comes before the first mapping.
///
// Confidence: Moderate
// Comments: KUnit tests get it wrong on purpose and are left out.
// Keywords: iommu_enforce_cache_coherency, enforce_cache_coherency
// Options: --no-includes --include-headers

virtual context
virtual org
virtual report

@initialize:python@
@@

def is_test(p):
    return p[0].file.endswith("-test.c")

//----------------------------------------------------------
//  The op itself, outside of the one helper
//----------------------------------------------------------

@helper@
expression E;
position p;
@@

  iommu_enforce_cache_coherency(...)
  {
  <...
  E->enforce_cache_coherency@p
  ...>
  }

@op@
expression E;
position p != helper.p;
@@

* E->enforce_cache_coherency@p

//----------------------------------------------------------
//  After the first mapping
//----------------------------------------------------------

@late exists@
expression domain, E;
position p : script:python() { not is_test(p) };
@@

(
* iommu_map(domain, ...)
|
* iommu_map_atomic(domain, ...)
|
* iommu_map_sg(domain, ...)
|
* iommu_map_sg_atomic(domain, ...)
)
  ... when != domain = E
* iommu_enforce_cache_coherency@p(domain)

@script:python depends on org@
p << op.p;
@@

coccilib.org.print_todo(p[0], "WARNING enforcement by way of the driver's op")

@script:python depends on org@
p << late.p;
@@

coccilib.org.print_todo(p[0], "WARNING enforcement after a mapping")

@script:python depends on report@
p << op.p;
@@

coccilib.report.print_report(p[0], "WARNING: the driver's op does not tell whether a domain enforces: call iommu_enforce_cache_coherency()")

@script:python depends on report@
p << late.p;
@@

coccilib.report.print_report(p[0], "WARNING: iommu_enforce_cache_coherency() fails after a mapping: call it before")
