// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: which devices an RMRR is for, with made-up devices. Included by iommu.c.
 */
#include <kunit/test.h>

#include "../iommu-resv-cache.h"

/* A device below a bridge in one segment, and the same again in another one. */
struct rmrr_test_segment {
	struct pci_sysdata sysdata;
	struct pci_bus root;
	struct pci_bus below;
	struct pci_dev bridge;
	struct pci_dev dev;
	struct pci_dev beside;
};

static struct rmrr_test_segment *rmrr_test_segment(struct kunit *test, int nr)
{
	struct rmrr_test_segment *seg;

	seg = kunit_kzalloc(test, sizeof(*seg), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, seg);

	seg->sysdata.domain = nr;
	seg->root.sysdata = &seg->sysdata;
	seg->root.number = 0;
	seg->below.sysdata = &seg->sysdata;
	seg->below.number = 1;
	seg->below.busn_res.end = 1;
	seg->bridge.bus = &seg->root;
	seg->bridge.subordinate = &seg->below;
	seg->bridge.dev.bus = &pci_bus_type;
	seg->dev.bus = &seg->below;
	seg->dev.dev.bus = &pci_bus_type;
	seg->beside.bus = &seg->root;
	seg->beside.dev.bus = &pci_bus_type;
	return seg;
}

static void rmrr_for_device(struct kunit *test)
{
	struct rmrr_test_segment *a = rmrr_test_segment(test, 0);
	struct dmar_dev_scope scopes[2] = {};
	struct dmar_rmrr_unit rmrr = {
		.devices = scopes,
		.devices_cnt = ARRAY_SIZE(scopes),
	};

	/* A place is empty until its device is there. */
	KUNIT_EXPECT_FALSE(test, rmrr_names_device(&rmrr, &a->dev.dev));

	rcu_assign_pointer(scopes[1].dev, &a->dev.dev);
	KUNIT_EXPECT_TRUE(test, rmrr_names_device(&rmrr, &a->dev.dev));
	KUNIT_EXPECT_FALSE(test, rmrr_names_device(&rmrr, &a->bridge.dev));
	KUNIT_EXPECT_FALSE(test, rmrr_names_device(&rmrr, &a->beside.dev));
}

static void rmrr_for_bridge(struct kunit *test)
{
	struct rmrr_test_segment *a = rmrr_test_segment(test, 0);
	struct rmrr_test_segment *b = rmrr_test_segment(test, 1);
	struct dmar_dev_scope scope = {};
	struct dmar_rmrr_unit rmrr = {
		.devices = &scope,
		.devices_cnt = 1,
	};

	rcu_assign_pointer(scope.dev, &a->bridge.dev);
	KUNIT_EXPECT_TRUE(test, rmrr_names_device(&rmrr, &a->bridge.dev));
	KUNIT_EXPECT_TRUE(test, rmrr_names_device(&rmrr, &a->dev.dev));
	KUNIT_EXPECT_FALSE(test, rmrr_names_device(&rmrr, &a->beside.dev));
	KUNIT_EXPECT_FALSE(test, rmrr_names_device(&rmrr, &b->bridge.dev));
	KUNIT_EXPECT_FALSE(test, rmrr_names_device(&rmrr, &b->dev.dev));
}

static void fill_cache(struct iommu_resv_cache *cache)
{
	iommu_resv_cache_begin(cache);
	iommu_resv_cache_end(cache);
}

static int notify_rmrr(struct dmar_rmrr_unit *rmrr,
		       struct dmar_pci_notify_info *info)
{
	int ret;

	down_write(&dmar_global_lock);
	ret = rmrr_notify_scope_dev(rmrr, info);
	up_write(&dmar_global_lock);

	return ret;
}

/* The core hears of each device that a scope finds or loses */
static void rmrr_scope_changes(struct kunit *test)
{
	struct {
		struct acpi_dmar_reserved_memory rmrr;
		struct acpi_dmar_device_scope scope;
		struct acpi_dmar_pci_path path;
	} __packed table = {
		.rmrr.header.length = sizeof(table),
		.scope = {
			.entry_type = ACPI_DMAR_SCOPE_TYPE_ENDPOINT,
			.length = sizeof(table.scope) + sizeof(table.path),
		},
		.path = { .device = 3 },
	};
	struct rmrr_test_segment *a = rmrr_test_segment(test, 0);
	struct dmar_dev_scope scope = { };
	struct dmar_rmrr_unit rmrr = {
		.hdr = &table.rmrr.header,
		.devices = &scope,
		.devices_cnt = 1,
	};
	struct dmar_pci_notify_info *info;
	struct iommu_resv_cache cache;

	info = kunit_kzalloc(test, struct_size(info, path, 1), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, info);
	device_initialize(&a->beside.dev);
	info->dev = &a->beside;
	info->level = 1;
	iommu_resv_cache_init(&cache);

	/* Another slot than that of the scope */
	info->event = BUS_NOTIFY_ADD_DEVICE;
	info->path[0].device = 2;
	fill_cache(&cache);
	KUNIT_EXPECT_EQ(test, 0, notify_rmrr(&rmrr, info));
	KUNIT_EXPECT_TRUE(test, iommu_resv_cache_valid(&cache));

	info->path[0].device = 3;
	KUNIT_EXPECT_EQ(test, 1, notify_rmrr(&rmrr, info));
	KUNIT_EXPECT_FALSE(test, iommu_resv_cache_valid(&cache));

	info->event = BUS_NOTIFY_REMOVED_DEVICE;
	fill_cache(&cache);
	KUNIT_EXPECT_EQ(test, 1, notify_rmrr(&rmrr, info));
	KUNIT_EXPECT_FALSE(test, iommu_resv_cache_valid(&cache));

	fill_cache(&cache);
	KUNIT_EXPECT_EQ(test, 0, notify_rmrr(&rmrr, info));
	KUNIT_EXPECT_TRUE(test, iommu_resv_cache_valid(&cache));
}

static struct kunit_case rmrr_cases[] = {
	KUNIT_CASE(rmrr_for_device),
	KUNIT_CASE(rmrr_for_bridge),
	KUNIT_CASE(rmrr_scope_changes),
	{ }
};

static struct kunit_suite rmrr_suite = {
	.name = "intel_rmrr",
	.test_cases = rmrr_cases,
};

kunit_test_suites(&rmrr_suite);
