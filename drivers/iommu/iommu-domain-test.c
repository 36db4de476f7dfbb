// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: domains that are allocated for a device, and groups that are attached
 * to a domain they have, on a mock IOMMU.
 */

#include <kunit/test.h>
#include <linux/iommu.h>

#include "iommu-kunit-mock.h"

static struct iommu_domain own_domain;

/* Of a second driver, as each test wants it */
static struct iommu_ops own_ops;

static struct iommu_domain *own_domain_alloc(unsigned int type)
{
	memset(&own_domain, 0, sizeof(own_domain));

	return type == IOMMU_DOMAIN_UNMANAGED ? &own_domain : NULL;
}

static struct iommu_domain *no_domain_alloc(unsigned int type)
{
	return NULL;
}

/* Two drivers on one bus: the device has the other one */
static void alloc_asks_the_device(struct kunit *test)
{
	struct iommu_domain *domain;
	struct mock_device *mdev;

	own_ops = mock_ops_without_caps;
	own_ops.domain_alloc = own_domain_alloc;
	own_ops.pgsize_bitmap = SZ_2M;
	mdev = mock_device_create(test, mock_iommu_create_ops(test, &own_ops),
				  NULL);

	domain = iommu_paging_domain_alloc(&mdev->dev);
	KUNIT_ASSERT_PTR_EQ(test, domain, &own_domain);
	KUNIT_EXPECT_PTR_EQ(test, domain->ops,
			    (const struct iommu_ops *)&own_ops);
	KUNIT_EXPECT_EQ(test, domain->type, (unsigned int)IOMMU_DOMAIN_UNMANAGED);
	KUNIT_EXPECT_EQ(test, domain->pgsize_bitmap, (unsigned long)SZ_2M);
}

static void alloc_errors(struct kunit *test)
{
	struct mock_device *bypass = mock_device_create(test, NULL, NULL);
	struct mock_device *mdev;

	own_ops = mock_ops_without_caps;
	mdev = mock_device_create(test, mock_iommu_create_ops(test, &own_ops),
				  NULL);

	KUNIT_EXPECT_PTR_EQ(test, iommu_paging_domain_alloc(&bypass->dev),
			    (struct iommu_domain *)ERR_PTR(-ENODEV));

	/* A driver without domains, and one without memory for any */
	KUNIT_EXPECT_PTR_EQ(test, iommu_paging_domain_alloc(&mdev->dev),
			    (struct iommu_domain *)ERR_PTR(-ENODEV));
	own_ops.domain_alloc = no_domain_alloc;
	KUNIT_EXPECT_PTR_EQ(test, iommu_paging_domain_alloc(&mdev->dev),
			    (struct iommu_domain *)ERR_PTR(-ENOMEM));

	mock_device_remove(mdev);
	KUNIT_EXPECT_PTR_EQ(test, iommu_paging_domain_alloc(&mdev->dev),
			    (struct iommu_domain *)ERR_PTR(-ENODEV));
}

/* The device that the domain was allocated for is unplugged, with its IOMMU */
static void domain_outlives_device(struct kunit *test)
{
	struct mock_iommu *mock = mock_iommu_create(test, 0);
	struct mock_device *first, *second;
	struct iommu_domain *domain;
	struct iommu_group *group;

	first = mock_device_create(test, mock, NULL);
	second = mock_device_create(test, mock_iommu_create(test, 0), NULL);
	group = second->dev.iommu_group;

	domain = iommu_paging_domain_alloc(&first->dev);
	KUNIT_ASSERT_FALSE(test, IS_ERR(domain));
	KUNIT_EXPECT_FALSE(test, first->domain);
	KUNIT_EXPECT_EQ(test, 0,
			iommu_attach_group(domain, first->dev.iommu_group));
	KUNIT_EXPECT_EQ(test, 0, iommu_attach_group(domain, group));

	iommu_detach_group(domain, first->dev.iommu_group);
	mock_device_remove(first);
	mock_iommu_destroy(test, mock);

	KUNIT_EXPECT_PTR_EQ(test, second->domain, domain);
	KUNIT_EXPECT_EQ(test, 0, iommu_map(domain, 0, 0, PAGE_SIZE,
					   IOMMU_READ));
	KUNIT_EXPECT_EQ(test, (size_t)PAGE_SIZE,
			iommu_unmap(domain, 0, PAGE_SIZE));
	iommu_detach_group(domain, group);
	KUNIT_EXPECT_EQ(test, 0, iommu_attach_group(domain, group));
	iommu_detach_group(domain, group);
	iommu_domain_free(domain);
}

/* The driver is asked the first time only, and detaching once is enough */
static void attach_again(struct kunit *test)
{
	struct iommu_domain *domain = mock_domain_create(test);
	struct iommu_domain *other = mock_domain_create(test);
	struct mock_iommu *mock = mock_iommu_create(test, 0);
	struct mock_device *mdev = mock_device_create(test, mock, NULL);
	struct iommu_group *group = mdev->dev.iommu_group;

	KUNIT_ASSERT_EQ(test, 0, iommu_attach_group(domain, group));
	KUNIT_EXPECT_EQ(test, 1u, mdev->attaches);
	KUNIT_EXPECT_EQ(test, 0, iommu_attach_group(domain, group));
	KUNIT_EXPECT_EQ(test, 0, iommu_attach_device(domain, &mdev->dev));
	KUNIT_EXPECT_EQ(test, 1u, mdev->attaches);

	iommu_detach_group(domain, group);
	KUNIT_EXPECT_FALSE(test, mdev->domain);
	KUNIT_EXPECT_EQ(test, 0, iommu_attach_group(other, group));
	KUNIT_EXPECT_EQ(test, 2u, mdev->attaches);
	iommu_detach_group(other, group);
}

/* Devices that share an alias share a group: both are attached, or none */
static void attach_again_with_default(struct kunit *test)
{
	struct iommu_domain *domain = mock_domain_create(test);
	struct iommu_domain *other = mock_domain_create(test);
	struct mock_iommu *mock = mock_iommu_create(test, 0);
	struct mock_device *first, *second;
	struct iommu_domain *normal;
	struct iommu_group *group;
	unsigned int attaches;

	mock_set_default_domains(true);
	first = mock_device_create(test, mock, NULL);
	group = first->dev.iommu_group;
	second = mock_device_create(test, mock, group);
	mock_set_default_domains(false);

	normal = iommu_get_domain_for_dev(&first->dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, normal);
	attaches = second->attaches;
	KUNIT_EXPECT_EQ(test, 0, iommu_attach_group(normal, group));
	KUNIT_EXPECT_EQ(test, attaches, second->attaches);

	KUNIT_ASSERT_EQ(test, 0, iommu_attach_group(domain, group));
	KUNIT_EXPECT_EQ(test, 0, iommu_attach_group(domain, group));
	KUNIT_EXPECT_EQ(test, -EBUSY, iommu_attach_group(other, group));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iommu_attach_device(domain, &second->dev));
	KUNIT_EXPECT_PTR_EQ(test, first->domain, domain);
	KUNIT_EXPECT_PTR_EQ(test, second->domain, domain);
	KUNIT_EXPECT_EQ(test, attaches + 1, second->attaches);

	iommu_detach_group(domain, group);
	KUNIT_EXPECT_PTR_EQ(test, second->domain, normal);
}

static int iommu_domain_test_init(struct kunit *test)
{
	return mock_bus_init();
}

static struct kunit_case iommu_domain_cases[] = {
	KUNIT_CASE(alloc_asks_the_device),
	KUNIT_CASE(alloc_errors),
	KUNIT_CASE(domain_outlives_device),
	KUNIT_CASE(attach_again),
	KUNIT_CASE(attach_again_with_default),
	{ }
};

static struct kunit_suite iommu_domain_suite = {
	.name = "iommu_domain",
	.init = iommu_domain_test_init,
	.test_cases = iommu_domain_cases,
};

kunit_test_suites(&iommu_domain_suite);
