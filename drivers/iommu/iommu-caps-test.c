// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: capabilities of devices and enforcement by domains, on a mock IOMMU.
 */

#include <kunit/test.h>
#include <linux/iommu.h>
#include <linux/irqdomain.h>
#include <linux/kernfs.h>
#include <linux/module.h>

#include "iommu-kunit-mock.h"

#define ALL_CAPS	GENMASK(IOMMU_CAP_PRE_BOOT_PROTECTION, 0)
#define ENFORCE		BIT(IOMMU_CAP_ENFORCE_CACHE_COHERENCY)

static bool has_attrs(struct device *dev)
{
	struct kernfs_node *kn = kernfs_find_and_get(dev->kobj.sd, "iommu_caps");

	kernfs_put(kn);

	return kn;
}

/* What every device must answer that no IOMMU serves, to any question */
static void expect_no_caps(struct kunit *test, struct device *dev)
{
	int cap;

	for (cap = 0; cap <= IOMMU_CAP_PRE_BOOT_PROTECTION + 1; cap++)
		KUNIT_EXPECT_FALSE_MSG(test, device_iommu_capable(dev, cap),
				       "cap %d", cap);
}

static void caps_each_alone(struct kunit *test)
{
	struct mock_iommu *mock = mock_iommu_create(test, 0);
	struct mock_device *mdev = mock_device_create(test, mock, NULL);
	int set, asked;

	for (set = 0; set <= IOMMU_CAP_PRE_BOOT_PROTECTION; set++) {
		mock->caps = BIT(set);
		for (asked = 0; asked <= IOMMU_CAP_PRE_BOOT_PROTECTION; asked++)
			KUNIT_EXPECT_EQ_MSG(test, (bool)(asked == set),
					    device_iommu_capable(&mdev->dev,
								 asked),
					    "set %d, asked %d", set, asked);
	}
}

static void caps_unknown_value(struct kunit *test)
{
	struct mock_iommu *mock = mock_iommu_create(test, ALL_CAPS);
	struct mock_device *mdev = mock_device_create(test, mock, NULL);

	KUNIT_EXPECT_FALSE(test, device_iommu_capable(&mdev->dev,
						      (enum iommu_cap)1000));
}

static void caps_two_instances_differ(struct kunit *test)
{
	struct mock_iommu *all = mock_iommu_create(test, ALL_CAPS);
	struct mock_iommu *none = mock_iommu_create(test, 0);
	struct mock_device *yes = mock_device_create(test, all, NULL);
	struct mock_device *no = mock_device_create(test, none, NULL);

	KUNIT_EXPECT_TRUE(test, device_iommu_capable(&yes->dev,
						     IOMMU_CAP_NOEXEC));
	expect_no_caps(test, &no->dev);
}

static void caps_driver_without_op(struct kunit *test)
{
	struct mock_iommu *mock =
		mock_iommu_create_ops(test, &mock_ops_without_caps);
	struct mock_device *mdev = mock_device_create(test, mock, NULL);

	KUNIT_EXPECT_PTR_EQ(test, dev_iommu_ops(&mdev->dev),
			    &mock_ops_without_caps);
	expect_no_caps(test, &mdev->dev);
}

/* The bus has an IOMMU driver, but the device bypasses it */
static void caps_device_bypasses(struct kunit *test)
{
	struct mock_device *mdev = mock_device_create(test, NULL, NULL);

	expect_no_caps(test, &mdev->dev);
	KUNIT_EXPECT_FALSE(test, has_attrs(&mdev->dev));
}

/* Firmware IDs give a device its dev->iommu before anybody probes it */
static void caps_device_never_probed(struct kunit *test)
{
	struct mock_device *mdev = mock_device_create(test, NULL, NULL);

	KUNIT_ASSERT_EQ(test, 0, iommu_fwspec_init(&mdev->dev, NULL,
						   &mock_ops_without_caps));
	KUNIT_EXPECT_TRUE(test, mdev->dev.iommu);
	expect_no_caps(test, &mdev->dev);
}

static void caps_instance_gone(struct kunit *test)
{
	struct mock_iommu *mock = mock_iommu_create(test, ALL_CAPS);
	struct mock_device *mdev = mock_device_create(test, mock, NULL);

	KUNIT_EXPECT_TRUE(test, device_iommu_capable(&mdev->dev,
						     IOMMU_CAP_NOEXEC));
	mock_iommu_destroy(test, mock);
	KUNIT_EXPECT_FALSE(test, dev_iommu_instance(&mdev->dev));
	expect_no_caps(test, &mdev->dev);

	/* The device leaves its group without a driver that knows it */
	mock_device_remove(mdev);
	KUNIT_EXPECT_FALSE(test, mdev->dev.iommu_group);
}

static void caps_device_removed(struct kunit *test)
{
	struct mock_iommu *mock = mock_iommu_create(test, ALL_CAPS);
	struct mock_device *mdev = mock_device_create(test, mock, NULL);

	mock_device_remove(mdev);
	expect_no_caps(test, &mdev->dev);
}

static void caps_sysfs_comes_and_goes(struct kunit *test)
{
	struct mock_iommu *mock = mock_iommu_create(test, ALL_CAPS);
	struct mock_device *mdev = mock_device_create(test, mock, NULL);

	if (!IS_ENABLED(CONFIG_IOMMU_DEVICE_SYSFS)) {
		kunit_info(test, "skipped: CONFIG_IOMMU_DEVICE_SYSFS is off");
		return;
	}

	/* The device itself stays, so that the directory goes by itself */
	KUNIT_EXPECT_TRUE(test, has_attrs(&mdev->dev));
	iommu_release_device(&mdev->dev);
	KUNIT_EXPECT_FALSE(test, has_attrs(&mdev->dev));
	expect_no_caps(test, &mdev->dev);
	KUNIT_ASSERT_EQ(test, 0, iommu_probe_device(&mdev->dev));
	KUNIT_EXPECT_TRUE(test, has_attrs(&mdev->dev));
}

static void device_set_ops_keeps_const_ops(struct kunit *test)
{
	static const struct iommu_ops ops = {
		.owner = (struct module *)0x1000,
	};
	struct iommu_device iommu = { };

	iommu_device_set_ops(&iommu, &ops);
	KUNIT_EXPECT_PTR_EQ(test, iommu.ops, &ops);
	/* The compiler takes for granted what the initialiser says */
	KUNIT_EXPECT_PTR_EQ(test, READ_ONCE(ops.owner),
			    (struct module *)0x1000);
}

#ifdef CONFIG_GENERIC_MSI_IRQ_DOMAIN
static void isolation_follows_msi_domain(struct kunit *test)
{
	struct mock_iommu *mock = mock_iommu_create(test, 0);
	struct mock_device *mdev = mock_device_create(test, mock, NULL);
	struct irq_domain *parent, *domain;

	parent = kunit_kzalloc(test, sizeof(*parent), GFP_KERNEL);
	domain = kunit_kzalloc(test, sizeof(*domain), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, parent);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	domain->parent = parent;

	/* Not on PCI and no MSI domain: wired interrupts only */
	KUNIT_EXPECT_TRUE(test, iommu_device_interrupts_isolated(&mdev->dev));

	dev_set_msi_domain(&mdev->dev, domain);
	KUNIT_EXPECT_FALSE(test, iommu_device_interrupts_isolated(&mdev->dev));

	parent->flags = IRQ_DOMAIN_FLAG_MSI_REMAP;
	KUNIT_EXPECT_TRUE(test, iommu_device_interrupts_isolated(&mdev->dev));

	parent->flags = 0;
	domain->flags = IRQ_DOMAIN_FLAG_MSI_REMAP;
	KUNIT_EXPECT_TRUE(test, iommu_device_interrupts_isolated(&mdev->dev));

	domain->flags = 0;
	mock->caps = BIT(IOMMU_CAP_INTR_REMAP);
	KUNIT_EXPECT_TRUE(test, iommu_device_interrupts_isolated(&mdev->dev));

	dev_set_msi_domain(&mdev->dev, NULL);
}
#endif

static void enforce_is_permanent(struct kunit *test)
{
	struct iommu_domain *domain = mock_domain_create(test);
	struct mock_iommu *able = mock_iommu_create(test, ENFORCE);
	struct mock_device *mdev = mock_device_create(test, able, NULL);
	struct iommu_group *group = mdev->dev.iommu_group;

	KUNIT_ASSERT_EQ(test, 0, iommu_attach_group(domain, group));
	KUNIT_EXPECT_FALSE(test, domain->enforces_coherency);
	KUNIT_EXPECT_TRUE(test, iommu_enforce_cache_coherency(domain));
	KUNIT_EXPECT_TRUE(test, domain->enforces_coherency);

	/* Asking again is fine, also when something is mapped by now */
	KUNIT_ASSERT_EQ(test, 0, iommu_map(domain, 0, 0, PAGE_SIZE,
					   IOMMU_READ));
	KUNIT_EXPECT_TRUE(test, iommu_enforce_cache_coherency(domain));

	/* And it stays when the last device has gone */
	iommu_detach_group(domain, group);
	KUNIT_EXPECT_TRUE(test, domain->enforces_coherency);
}

static void enforce_before_first_mapping(struct kunit *test)
{
	struct iommu_domain *domain = mock_domain_create(test);

	KUNIT_ASSERT_EQ(test, 0, iommu_map(domain, 0, 0, PAGE_SIZE,
					   IOMMU_READ));
	KUNIT_EXPECT_FALSE(test, iommu_enforce_cache_coherency(domain));

	/* What was mapped once may be cached somewhere */
	KUNIT_ASSERT_EQ(test, (size_t)PAGE_SIZE,
			iommu_unmap(domain, 0, PAGE_SIZE));
	KUNIT_EXPECT_FALSE(test, iommu_enforce_cache_coherency(domain));
	KUNIT_EXPECT_FALSE(test, domain->enforces_coherency);
}

static void enforce_needs_every_device(struct kunit *test)
{
	struct iommu_domain *domain = mock_domain_create(test);
	struct mock_iommu *able = mock_iommu_create(test, ENFORCE);
	struct mock_iommu *unable = mock_iommu_create(test, 0);
	struct mock_device *yes = mock_device_create(test, able, NULL);
	struct mock_device *no = mock_device_create(test, unable, NULL);

	KUNIT_ASSERT_EQ(test, 0,
			iommu_attach_group(domain, yes->dev.iommu_group));
	KUNIT_ASSERT_EQ(test, 0,
			iommu_attach_group(domain, no->dev.iommu_group));
	KUNIT_EXPECT_FALSE(test, iommu_enforce_cache_coherency(domain));
	KUNIT_EXPECT_FALSE(test, domain->enforces_coherency);

	/* Nothing was changed by that, so it works without the odd one */
	iommu_detach_group(domain, no->dev.iommu_group);
	KUNIT_EXPECT_TRUE(test, iommu_enforce_cache_coherency(domain));
	iommu_detach_group(domain, yes->dev.iommu_group);
}

static void enforce_needs_op_and_pages(struct kunit *test)
{
	static const struct iommu_ops ops = { };
	struct iommu_domain no_op = {
		.type = IOMMU_DOMAIN_UNMANAGED,
		.ops = &ops,
	};
	struct iommu_domain *domain = mock_domain_create(test);
	unsigned int type = domain->type;

	KUNIT_EXPECT_FALSE(test, iommu_enforce_cache_coherency(&no_op));

	domain->type = IOMMU_DOMAIN_IDENTITY;
	KUNIT_EXPECT_FALSE(test, iommu_enforce_cache_coherency(domain));
	domain->type = type;
}

static void enforced_refuses_others(struct kunit *test)
{
	struct iommu_domain *enforced = mock_domain_create(test);
	struct iommu_domain *other = mock_domain_create(test);
	struct mock_iommu *able = mock_iommu_create(test, ENFORCE);
	struct mock_iommu *unable = mock_iommu_create(test, 0);
	struct mock_device *yes = mock_device_create(test, able, NULL);
	struct mock_device *no = mock_device_create(test, unable, NULL);

	KUNIT_ASSERT_TRUE(test, iommu_enforce_cache_coherency(enforced));
	KUNIT_ASSERT_EQ(test, 0,
			iommu_attach_group(other, no->dev.iommu_group));

	KUNIT_EXPECT_EQ(test, -EINVAL,
			iommu_attach_group(enforced, no->dev.iommu_group));
	KUNIT_EXPECT_PTR_EQ(test, no->domain, other);
	KUNIT_EXPECT_EQ(test, 0,
			iommu_attach_group(enforced, yes->dev.iommu_group));

	iommu_detach_group(enforced, yes->dev.iommu_group);
	iommu_detach_group(other, no->dev.iommu_group);
}

static void refused_group_moves_back(struct kunit *test)
{
	struct iommu_domain *enforced = mock_domain_create(test);
	struct iommu_domain *other = mock_domain_create(test);
	struct mock_iommu *able = mock_iommu_create(test, ENFORCE);
	struct mock_iommu *unable = mock_iommu_create(test, 0);
	struct mock_device *first, *second;
	struct iommu_group *group;

	first = mock_device_create(test, able, NULL);
	group = first->dev.iommu_group;
	second = mock_device_create(test, unable, group);
	KUNIT_ASSERT_PTR_EQ(test, second->dev.iommu_group, group);
	KUNIT_ASSERT_TRUE(test, iommu_enforce_cache_coherency(enforced));

	/* The group has no domain */
	KUNIT_EXPECT_EQ(test, -EINVAL, iommu_attach_group(enforced, group));
	KUNIT_EXPECT_EQ(test, 1u, first->attaches);
	KUNIT_EXPECT_FALSE(test, first->domain);
	KUNIT_EXPECT_FALSE(test, second->domain);

	/* The group has one */
	KUNIT_ASSERT_EQ(test, 0, iommu_attach_group(other, group));
	KUNIT_EXPECT_EQ(test, -EINVAL, iommu_attach_group(enforced, group));
	KUNIT_EXPECT_PTR_EQ(test, first->domain, other);
	KUNIT_EXPECT_PTR_EQ(test, second->domain, other);
	KUNIT_EXPECT_EQ(test, 4u, first->attaches);

	iommu_detach_group(other, group);
}

static void refused_group_keeps_default(struct kunit *test)
{
	struct iommu_domain *enforced = mock_domain_create(test);
	struct mock_iommu *able = mock_iommu_create(test, ENFORCE);
	struct mock_iommu *unable = mock_iommu_create(test, 0);
	struct mock_device *first, *second;
	struct iommu_domain *normal;
	struct iommu_group *group;

	KUNIT_ASSERT_TRUE(test, iommu_enforce_cache_coherency(enforced));

	mock_set_default_domains(true);
	first = mock_device_create(test, able, NULL);
	group = first->dev.iommu_group;
	second = mock_device_create(test, unable, group);
	mock_set_default_domains(false);

	normal = iommu_get_domain_for_dev(&first->dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, normal);
	KUNIT_ASSERT_PTR_EQ(test, first->domain, normal);
	KUNIT_ASSERT_PTR_EQ(test, second->domain, normal);

	KUNIT_EXPECT_EQ(test, -EINVAL, iommu_attach_group(enforced, group));
	KUNIT_EXPECT_PTR_EQ(test, first->domain, normal);
	KUNIT_EXPECT_PTR_EQ(test, second->domain, normal);
	KUNIT_EXPECT_PTR_EQ(test, iommu_get_domain_for_dev(&first->dev),
			    normal);
}

static int iommu_caps_test_init(struct kunit *test)
{
	return mock_bus_init();
}

static struct kunit_case iommu_caps_cases[] = {
	KUNIT_CASE(caps_each_alone),
	KUNIT_CASE(caps_unknown_value),
	KUNIT_CASE(caps_two_instances_differ),
	KUNIT_CASE(caps_driver_without_op),
	KUNIT_CASE(caps_device_bypasses),
	KUNIT_CASE(caps_device_never_probed),
	KUNIT_CASE(caps_instance_gone),
	KUNIT_CASE(caps_device_removed),
	KUNIT_CASE(caps_sysfs_comes_and_goes),
	KUNIT_CASE(device_set_ops_keeps_const_ops),
#ifdef CONFIG_GENERIC_MSI_IRQ_DOMAIN
	KUNIT_CASE(isolation_follows_msi_domain),
#endif
	KUNIT_CASE(enforce_is_permanent),
	KUNIT_CASE(enforce_before_first_mapping),
	KUNIT_CASE(enforce_needs_every_device),
	KUNIT_CASE(enforce_needs_op_and_pages),
	KUNIT_CASE(enforced_refuses_others),
	KUNIT_CASE(refused_group_moves_back),
	KUNIT_CASE(refused_group_keeps_default),
	{ }
};

static struct kunit_suite iommu_caps_suite = {
	.name = "iommu_caps",
	.init = iommu_caps_test_init,
	.test_cases = iommu_caps_cases,
};

kunit_test_suites(&iommu_caps_suite);
