// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: which devices an RMRR is for, with made-up devices. Included by iommu.c.
 */
#include <kunit/test.h>

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

static struct kunit_case rmrr_cases[] = {
	KUNIT_CASE(rmrr_for_device),
	KUNIT_CASE(rmrr_for_bridge),
	{ }
};

static struct kunit_suite rmrr_suite = {
	.name = "intel_rmrr",
	.test_cases = rmrr_cases,
};

kunit_test_suites(&rmrr_suite);
