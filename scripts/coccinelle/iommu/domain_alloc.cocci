// SPDX-License-Identifier: GPL-2.0-only
/// Allocate a domain for the device that led to the bus: only the device tells
/// which IOMMU serves it. iommu_paging_domain_alloc() returns an ERR_PTR() where
/// iommu_domain_alloc() returned NULL.
//# Patch mode converts domains in a local variable together with their check,
//# and leaves the value that is returned. Where a structure keeps the domain,
//# something else may take NULL for "none": those are reported only.
///
// Confidence: Moderate
// Keywords: iommu_domain_alloc, iommu_paging_domain_alloc
// Options: --no-includes --include-headers

virtual patch
virtual context
virtual org
virtual report

//----------------------------------------------------------
//  For patch mode
//----------------------------------------------------------

@depends on patch@
local idexpression domain;
expression E;
statement S;
@@

  domain =
(
- iommu_domain_alloc(E->bus)
+ iommu_paging_domain_alloc(E)
|
- iommu_domain_alloc(E.bus)
+ iommu_paging_domain_alloc(&E)
)
  ;
  ... when != domain
- if (domain == NULL)
+ if (IS_ERR(domain))
  S

@via_variable depends on patch@
local idexpression domain;
identifier b;
expression E, E1;
statement S;
@@

  b = E->bus
  ... when != b = E1
      when != E = E1
  domain =
- iommu_domain_alloc(b)
+ iommu_paging_domain_alloc(E)
  ;
  ... when != domain
- if (domain == NULL)
+ if (IS_ERR(domain))
  S

@depends on via_variable@
identifier via_variable.b;
expression E;
@@

- struct bus_type *b = E->bus;
  ... when != b

@depends on via_variable@
identifier via_variable.b;
expression E;
@@

- struct bus_type *b;
  ... when != b
- b = E->bus;
  ... when != b

//----------------------------------------------------------
//  For context, org and report mode
//----------------------------------------------------------

@direct depends on !patch@
expression E;
position p;
@@

(
* iommu_domain_alloc@p(E->bus)
|
* iommu_domain_alloc@p(E.bus)
)

@indirect depends on !patch exists@
identifier b;
expression E, E1;
position p;
@@

  b = E->bus
  ... when != b = E1
* iommu_domain_alloc@p(b)

@script:python depends on org@
p << direct.p;
@@

coccilib.org.print_todo(p[0], "WARNING domain allocated for a bus")

@script:python depends on org@
p << indirect.p;
@@

coccilib.org.print_todo(p[0], "WARNING domain allocated for a bus")

@script:python depends on report@
p << direct.p;
@@

coccilib.report.print_report(p[0], "WARNING: domain allocated for a bus: use iommu_paging_domain_alloc() with the device")

@script:python depends on report@
p << indirect.p;
@@

coccilib.report.print_report(p[0], "WARNING: domain allocated for a bus: use iommu_paging_domain_alloc() with the device")
