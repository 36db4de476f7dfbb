// SPDX-License-Identifier: GPL-2.0-only
/// What an IOMMU can do is asked of a device. A bus may have several IOMMUs that
/// differ, and devices that bypass them.
//# iommu_capable() of a bus that no device led to, and
//# irq_domain_check_msi_remap(), which asks the whole system, are reported only:
//# which device is meant is not in the code.
///
// Confidence: High
// Keywords: iommu_capable, device_iommu_capable, irq_domain_check_msi_remap
// Options: --no-includes --include-headers

virtual patch
virtual context
virtual org
virtual report

//----------------------------------------------------------
//  For patch mode
//----------------------------------------------------------

@depends on patch@
expression E, cap;
@@

(
- iommu_capable(E->bus, cap)
+ device_iommu_capable(E, cap)
|
- iommu_capable(E.bus, cap)
+ device_iommu_capable(&E, cap)
)

@via_variable depends on patch@
identifier b;
expression E, E1, cap;
@@

  b = E->bus
  ... when != b = E1
      when != E = E1
- iommu_capable(b, cap)
+ device_iommu_capable(E, cap)

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

@r depends on !patch@
position p;
@@

(
* iommu_capable@p(...)
|
* irq_domain_check_msi_remap@p()
)

@script:python depends on org@
p << r.p;
@@

coccilib.org.print_todo(p[0], "WARNING asks a bus or the system, not the device")

@script:python depends on report@
p << r.p;
@@

coccilib.report.print_report(p[0], "WARNING: asks a bus or the system what only the device can tell: use device_iommu_capable() or iommu_device_interrupts_isolated()")
