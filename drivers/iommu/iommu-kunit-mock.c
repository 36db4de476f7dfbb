// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mock IOMMU driver on a bus of its own, for KUnit.
 */

#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "iommu-kunit-mock.h"

/* The lock that attaching and enforcing take, as real drivers have one */
static DEFINE_MUTEX(mock_lock);
static bool mock_bus_ready;
static bool mock_dma_domains;

static struct mock_device *to_mock_device(struct device *dev)
{
	return container_of(dev, struct mock_device, dev);
}

static bool mock_capable(struct device *dev, enum iommu_cap cap)
{
	struct iommu_device *instance = dev_iommu_instance(dev);

	if (!instance || cap >= BITS_PER_LONG)
		return false;

	return container_of(instance, struct mock_iommu, iommu)->caps & BIT(cap);
}

static struct iommu_domain *mock_domain_alloc(unsigned int type)
{
	struct mock_domain *mock;

	if (type != IOMMU_DOMAIN_UNMANAGED &&
	    !(type == IOMMU_DOMAIN_DMA && mock_dma_domains))
		return NULL;

	mock = kzalloc(sizeof(*mock), GFP_KERNEL);
	if (!mock)
		return NULL;

	xa_init(&mock->pages);

	return &mock->domain;
}

static void mock_domain_free(struct iommu_domain *domain)
{
	struct mock_domain *mock = to_mock_domain(domain);

	xa_destroy(&mock->pages);
	kfree(mock);
}

static int mock_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct mock_device *mdev = to_mock_device(dev);
	int ret = 0;

	mutex_lock(&mock_lock);
	if (domain->enforces_coherency &&
	    !mock_capable(dev, IOMMU_CAP_ENFORCE_CACHE_COHERENCY)) {
		ret = -EINVAL;
	} else {
		mdev->domain = domain;
		mdev->attaches++;
	}
	mutex_unlock(&mock_lock);

	return ret;
}

static void mock_detach_dev(struct iommu_domain *domain, struct device *dev)
{
	mutex_lock(&mock_lock);
	to_mock_device(dev)->domain = NULL;
	mutex_unlock(&mock_lock);
}

struct mock_enforce {
	struct iommu_domain *domain;
	bool able;
};

static int mock_enforce_one(struct device *dev, void *data)
{
	struct mock_enforce *enforce = data;

	if (to_mock_device(dev)->domain == enforce->domain)
		enforce->able &= mock_capable(dev,
					      IOMMU_CAP_ENFORCE_CACHE_COHERENCY);

	return 0;
}

static bool mock_enforce_cache_coherency(struct iommu_domain *domain)
{
	struct mock_enforce enforce = { .domain = domain, .able = true };

	mutex_lock(&mock_lock);
	bus_for_each_dev(&mock_bus, NULL, &enforce, mock_enforce_one);
	if (enforce.able)
		domain->enforces_coherency = true;
	mutex_unlock(&mock_lock);

	return enforce.able;
}

/* The only page size is PAGE_SIZE, so the core maps and unmaps page by page */
static int mock_map(struct iommu_domain *domain, unsigned long iova,
		    phys_addr_t paddr, size_t size, int prot, gfp_t gfp)
{
	struct mock_domain *mock = to_mock_domain(domain);
	void *old;

	old = xa_store(&mock->pages, iova >> PAGE_SHIFT,
		       xa_mk_value(paddr >> PAGE_SHIFT), gfp);
	if (old)
		mock->remapped++;

	return xa_err(old);
}

static size_t mock_unmap(struct iommu_domain *domain, unsigned long iova,
			 size_t size, struct iommu_iotlb_gather *gather)
{
	return xa_erase(&to_mock_domain(domain)->pages, iova >> PAGE_SHIFT) ?
		size : 0;
}

static phys_addr_t mock_iova_to_phys(struct iommu_domain *domain,
				     dma_addr_t iova)
{
	void *page = xa_load(&to_mock_domain(domain)->pages,
			     iova >> PAGE_SHIFT);

	if (!page)
		return 0;

	return ((phys_addr_t)xa_to_value(page) << PAGE_SHIFT) +
		offset_in_page(iova);
}

static struct iommu_device *mock_probe_device(struct device *dev)
{
	struct mock_device *mdev = to_mock_device(dev);

	mdev->released = false;

	return mdev->mock ? &mdev->mock->iommu : ERR_PTR(-ENODEV);
}

static void mock_release_device(struct device *dev)
{
	struct mock_device *mdev = to_mock_device(dev);

	mdev->released = true;
	if (mdev->release)
		mdev->release(mdev);
}

static int mock_get_resv_regions(struct device *dev, struct list_head *list)
{
	struct mock_device *mdev = to_mock_device(dev);
	const struct iommu_resv_region *from = mdev->resv.regions;
	struct iommu_resv_region *region;
	unsigned int i;

	mdev->asked++;
	if (mdev->released)
		mdev->asked_late++;

	for (i = 0; i < mdev->resv.nr; i++, from++) {
		region = iommu_alloc_resv_region(from->start, from->length,
						 from->prot, from->type);
		if (!region)
			return -ENOMEM;
		list_add_tail(&region->list, list);
	}

	return mdev->resv.no_memory ? -ENOMEM : 0;
}

static struct iommu_group *mock_device_group(struct device *dev)
{
	struct iommu_group *group = to_mock_device(dev)->group;

	return group ? iommu_group_ref_get(group) : iommu_group_alloc();
}

static const struct iommu_ops mock_ops = {
	.capable	= mock_capable,
	.enforce_cache_coherency = mock_enforce_cache_coherency,
	.domain_alloc	= mock_domain_alloc,
	.domain_free	= mock_domain_free,
	.attach_dev	= mock_attach_dev,
	.detach_dev	= mock_detach_dev,
	.map		= mock_map,
	.unmap		= mock_unmap,
	.iova_to_phys	= mock_iova_to_phys,
	.get_resv_regions = mock_get_resv_regions,
	.probe_device	= mock_probe_device,
	.release_device	= mock_release_device,
	.device_group	= mock_device_group,
	.pgsize_bitmap	= PAGE_SIZE,
};

const struct iommu_ops mock_ops_without_caps = {
	.probe_device	= mock_probe_device,
	.release_device	= mock_release_device,
	.device_group	= mock_device_group,
	.pgsize_bitmap	= PAGE_SIZE,
};

struct bus_type mock_bus = {
	.name = "iommu-mock",
};

/**
 * mock_bus_init() - Make the bus; call it from the init of each suite
 *
 * Return: 0, or the error of the driver core.
 */
int mock_bus_init(void)
{
	int ret;

	if (mock_bus_ready)
		return 0;

	ret = bus_register(&mock_bus);
	if (ret)
		return ret;

	ret = bus_set_iommu(&mock_bus, &mock_ops);
	if (ret) {
		bus_unregister(&mock_bus);
		return ret;
	}

	mock_bus_ready = true;

	return 0;
}

static int mock_iommu_res_init(struct kunit_resource *res, void *context)
{
	static atomic_t nr = ATOMIC_INIT(0);
	struct mock_iommu *mock;
	int ret;

	mock = kzalloc(sizeof(*mock), GFP_KERNEL);
	if (!mock)
		return -ENOMEM;

	ret = iommu_device_sysfs_add(&mock->iommu, NULL, NULL, "mock%d",
				     atomic_inc_return(&nr));
	if (ret) {
		kfree(mock);
		return ret;
	}

	iommu_device_set_ops(&mock->iommu, context);
	iommu_device_register(&mock->iommu);
	res->data = mock;

	return 0;
}

static void mock_iommu_res_free(struct kunit_resource *res)
{
	struct mock_iommu *mock = res->data;

	iommu_device_unregister(&mock->iommu);
	iommu_device_sysfs_remove(&mock->iommu);
	kfree(mock);
}

/* An instance with other @ops than those of the bus */
struct mock_iommu *mock_iommu_create_ops(struct kunit *test,
					 const struct iommu_ops *ops)
{
	struct mock_iommu *mock;

	mock = kunit_alloc_resource(test, mock_iommu_res_init,
				    mock_iommu_res_free, GFP_KERNEL,
				    (void *)ops);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mock);

	return mock;
}

/* An instance whose devices have @caps, a bitmap of enum iommu_cap */
struct mock_iommu *mock_iommu_create(struct kunit *test, unsigned long caps)
{
	struct mock_iommu *mock = mock_iommu_create_ops(test, &mock_ops);

	mock->caps = caps;

	return mock;
}

/* Unregister and free, as when an IOMMU is unplugged before its devices */
void mock_iommu_destroy(struct kunit *test, struct mock_iommu *mock)
{
	kunit_destroy_resource(test, kunit_resource_instance_match, mock);
}

/* Whether groups of devices that are created from now on get default domains */
void mock_set_default_domains(bool on)
{
	mock_dma_domains = on;
}

static void mock_device_release(struct device *dev)
{
	kfree(to_mock_device(dev));
}

static int mock_device_res_init(struct kunit_resource *res, void *context)
{
	static atomic_t nr = ATOMIC_INIT(0);
	struct mock_device *mdev, *template = context;
	int ret;

	mdev = kzalloc(sizeof(*mdev), GFP_KERNEL);
	if (!mdev)
		return -ENOMEM;

	mdev->mock = template->mock;
	mdev->group = template->group;
	if (mdev->mock)
		mdev->resv = mdev->mock->resv;
	device_initialize(&mdev->dev);
	mdev->dev.bus = &mock_bus;
	mdev->dev.release = mock_device_release;

	ret = dev_set_name(&mdev->dev, "mock-dev%d", atomic_inc_return(&nr));
	if (!ret)
		ret = device_add(&mdev->dev);
	if (ret) {
		put_device(&mdev->dev);
		return ret;
	}

	res->data = mdev;

	return 0;
}

static void mock_device_res_free(struct kunit_resource *res)
{
	struct mock_device *mdev = res->data;

	mock_device_remove(mdev);
	put_device(&mdev->dev);
}

/* A device that @mock serves, in @group or, if NULL, in a group of its own */
struct mock_device *mock_device_create(struct kunit *test,
				       struct mock_iommu *mock,
				       struct iommu_group *group)
{
	struct mock_device template = { .mock = mock, .group = group };
	struct mock_device *mdev;

	mdev = kunit_alloc_resource(test, mock_device_res_init,
				    mock_device_res_free, GFP_KERNEL,
				    &template);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mdev);

	return mdev;
}

/* Unplug @mdev; the test keeps its reference until it ends */
void mock_device_remove(struct mock_device *mdev)
{
	if (device_is_registered(&mdev->dev))
		device_del(&mdev->dev);
}

static int mock_domain_res_init(struct kunit_resource *res, void *context)
{
	res->data = iommu_domain_alloc(&mock_bus);

	return res->data ? 0 : -ENOMEM;
}

static void mock_domain_res_free(struct kunit_resource *res)
{
	iommu_domain_free(res->data);
}

/* An unmanaged domain; create it before the devices that will be attached */
struct iommu_domain *mock_domain_create(struct kunit *test)
{
	struct iommu_domain *domain;

	domain = kunit_alloc_resource(test, mock_domain_res_init,
				      mock_domain_res_free, GFP_KERNEL, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);

	return domain;
}
