/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A mock IOMMU driver on a bus of its own, for KUnit.
 *
 * Each test makes the IOMMU instances and devices that it needs. They go away
 * with the test; the bus stays, as the IOMMU core cannot forget one.
 */

#ifndef _IOMMU_KUNIT_MOCK_H
#define _IOMMU_KUNIT_MOCK_H

#include <kunit/test.h>
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/xarray.h>

/**
 * struct mock_domain - A domain that knows what is mapped in it
 * @domain: what the core knows of it
 * @pages: page frame by IOVA, both in pages
 * @remapped: how many pages were mapped although they were
 */
struct mock_domain {
	struct iommu_domain domain;
	struct xarray pages;
	unsigned int remapped;
};

/**
 * struct mock_resv - Reserved regions that the driver reports
 * @regions: the regions
 * @nr: number of them
 * @no_memory: whether memory is short after the last one
 */
struct mock_resv {
	const struct iommu_resv_region *regions;
	unsigned int nr;
	bool no_memory;
};

/**
 * struct mock_iommu - One instance
 * @iommu: what the core knows of it
 * @caps: bitmap of enum iommu_cap, the same for all its devices
 * @resv: reserved regions that its devices start with
 *
 * A domain can enforce coherency where @caps has
 * IOMMU_CAP_ENFORCE_CACHE_COHERENCY for each of its devices.
 */
struct mock_iommu {
	struct iommu_device iommu;
	unsigned long caps;
	struct mock_resv resv;
};

/**
 * struct mock_device - One device on the mock bus
 * @dev: the device
 * @mock: instance that serves it, NULL for none
 * @group: group to join, NULL for one of its own
 * @domain: domain that the driver has it attached to
 * @attaches: calls of ->attach_dev() that succeeded
 * @resv: reserved regions; tell of a change with iommu_resv_regions_changed()
 * @asked: questions about them
 * @release: called when the driver forgets the device, NULL for nothing
 * @released: the driver has forgotten the device
 * @asked_late: questions about the regions of the device after that
 * @regions_late: for @release: regions that its group has then
 */
struct mock_device {
	struct device dev;
	struct mock_iommu *mock;
	struct iommu_group *group;
	struct iommu_domain *domain;
	unsigned int attaches;
	struct mock_resv resv;
	unsigned int asked;
	void (*release)(struct mock_device *mdev);
	bool released;
	unsigned int asked_late;
	unsigned int regions_late;
};

static inline struct mock_domain *to_mock_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct mock_domain, domain);
}

int mock_bus_init(void);
struct mock_iommu *mock_iommu_create(struct kunit *test, unsigned long caps);
struct mock_iommu *mock_iommu_create_ops(struct kunit *test,
					 const struct iommu_ops *ops);
void mock_iommu_destroy(struct kunit *test, struct mock_iommu *mock);
void mock_set_default_domains(bool on);
struct mock_device *mock_device_create(struct kunit *test,
				       struct mock_iommu *mock,
				       struct iommu_group *group);
void mock_device_remove(struct mock_device *mdev);
struct iommu_domain *mock_domain_create(struct kunit *test);

extern const struct iommu_ops mock_ops_without_caps;
extern struct bus_type mock_bus;

#endif /* _IOMMU_KUNIT_MOCK_H */
