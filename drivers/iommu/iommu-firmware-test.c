// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of iommu-firmware.c with a mock IOMMU driver: what a device gets
 * when it is added, and what when a driver is about to bind.
 */

#include <linux/iommu.h>

#include "iommu-firmware.h"
#include "iommu-kunit-mock.h"

static int bind(struct mock_device *mdev)
{
	int ret;

	mock_set_default_domains(true);
	iommu_firmware_lock();
	ret = iommu_firmware_bind(&mdev->dev);
	iommu_firmware_unlock();
	mock_set_default_domains(false);
	return ret;
}

/* A device that joined @group, or one of its own, before any driver */
static struct mock_device *join(struct kunit *test, struct mock_iommu *mock,
				struct iommu_group *group)
{
	struct mock_device *mdev = mock_device_create(test, mock, group);

	/* The mock bus knows no firmware, so the device was probed in full */
	iommu_release_device(&mdev->dev);
	KUNIT_ASSERT_EQ(test, 0, iommu_join_group(&mdev->dev));
	KUNIT_ASSERT_TRUE(test, device_iommu_mapped(&mdev->dev));
	return mdev;
}

static void domain_comes_with_driver(struct kunit *test)
{
	struct mock_iommu *mock = mock_iommu_create(test, 0);
	struct mock_device *mdev = join(test, mock, NULL);

	KUNIT_EXPECT_EQ(test, 0U, mdev->attaches);
	KUNIT_EXPECT_FALSE(test, iommu_get_domain_for_dev(&mdev->dev));

	KUNIT_EXPECT_EQ(test, 0, bind(mdev));
	KUNIT_EXPECT_EQ(test, 1U, mdev->attaches);
	KUNIT_EXPECT_TRUE(test, mdev->domain);
	KUNIT_EXPECT_PTR_EQ(test, iommu_get_domain_for_dev(&mdev->dev),
			    mdev->domain);

	/* The next driver finds it done */
	KUNIT_EXPECT_EQ(test, 0, bind(mdev));
	KUNIT_EXPECT_EQ(test, 1U, mdev->attaches);
}

static void group_shares_domain(struct kunit *test)
{
	struct mock_iommu *mock = mock_iommu_create(test, 0);
	struct mock_device *first = join(test, mock, NULL);
	struct mock_device *second = join(test, mock, first->dev.iommu_group);

	KUNIT_EXPECT_EQ(test, 0, bind(second));
	KUNIT_EXPECT_EQ(test, 0U, first->attaches);
	KUNIT_EXPECT_EQ(test, 0, bind(first));
	KUNIT_EXPECT_PTR_EQ(test, first->domain, second->domain);
	KUNIT_EXPECT_TRUE(test, first->domain);
}

/* VFIO owns the group while a second device of it gets its driver */
static void owned_group_keeps_domain(struct kunit *test)
{
	struct mock_iommu *mock = mock_iommu_create(test, 0);
	struct iommu_domain *domain = mock_domain_create(test), *normal;
	struct mock_device *first = join(test, mock, NULL);
	struct iommu_group *group = first->dev.iommu_group;
	struct mock_device *second = join(test, mock, group);

	KUNIT_ASSERT_EQ(test, 0, bind(first));
	normal = first->domain;

	KUNIT_ASSERT_EQ(test, 0, iommu_attach_group(domain, group));
	KUNIT_EXPECT_PTR_EQ(test, second->domain, domain);
	KUNIT_EXPECT_EQ(test, 0, bind(second));
	KUNIT_EXPECT_PTR_EQ(test, first->domain, domain);
	KUNIT_EXPECT_PTR_EQ(test, second->domain, domain);

	iommu_detach_group(domain, group);
	KUNIT_EXPECT_PTR_EQ(test, first->domain, normal);
	KUNIT_EXPECT_PTR_EQ(test, second->domain, normal);
}

static void instance_goes_before_driver(struct kunit *test)
{
	struct mock_iommu *mock = mock_iommu_create(test, 0);
	struct mock_device *mdev = join(test, mock, NULL);

	mock_iommu_destroy(test, mock);
	KUNIT_EXPECT_EQ(test, -ENODEV, bind(mdev));
	KUNIT_EXPECT_EQ(test, 0U, mdev->attaches);
}

static void instance_is_found_by_node(struct kunit *test)
{
	struct mock_iommu *mock = mock_iommu_create(test, 0);
	struct fwnode_handle node = { }, other = { };

	iommu_device_set_fwnode(&mock->iommu, &node);
	KUNIT_EXPECT_PTR_EQ(test, iommu_device_from_fwnode(&node),
			    &mock->iommu);
	KUNIT_EXPECT_FALSE(test, iommu_device_from_fwnode(&other));
	iommu_device_set_fwnode(&mock->iommu, NULL);
}

static int iommu_firmware_test_init(struct kunit *test)
{
	return mock_bus_init();
}

static struct kunit_case iommu_firmware_cases[] = {
	KUNIT_CASE(domain_comes_with_driver),
	KUNIT_CASE(group_shares_domain),
	KUNIT_CASE(owned_group_keeps_domain),
	KUNIT_CASE(instance_goes_before_driver),
	KUNIT_CASE(instance_is_found_by_node),
	{ }
};

static struct kunit_suite iommu_firmware_suite = {
	.name = "iommu_firmware",
	.init = iommu_firmware_test_init,
	.test_cases = iommu_firmware_cases,
};

kunit_test_suites(&iommu_firmware_suite);
