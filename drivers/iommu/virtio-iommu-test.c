// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: properties of an endpoint as no good device sends them. Included by
 * virtio-iommu.c.
 */
#include <kunit/test.h>

#define RESV	VIRTIO_IOMMU_PROBE_T_RESV_MEM
#define LENGTH	(sizeof(struct virtio_iommu_probe_resv_mem) - \
		 sizeof(struct virtio_iommu_probe_property))

/* What the device sends, and which regions of it are to be there */
struct viommu_props_case {
	const char *name;
	size_t size;		/* 0: all that is not zero */
	struct {
		u16 type;
		u16 length;
		u64 start;
		u64 end;
		bool good;
	} props[4];
};

static const struct viommu_props_case viommu_props_cases[] = {
	{ "two", 0, {
		{ RESV, LENGTH, 0x1000, 0x1fff, true },
		{ RESV, LENGTH, 0x4000, 0x8fff, true } } },
	{ "ends of the address space", 0, {
		{ RESV, LENGTH, 0, 0xfff, true },
		{ RESV, LENGTH, ~0xfffull, ~0ull, true } } },
	{ "none behind the end", 0, {
		{ RESV, LENGTH, 0x1000, 0x1fff, true },
		{ VIRTIO_IOMMU_PROBE_T_NONE, LENGTH, 0, 0, false },
		{ RESV, LENGTH, 0x4000, 0x8fff, false } } },
	{ "an unknown one between", 0, {
		{ RESV, LENGTH, 0x1000, 0x1fff, true },
		{ 0x7f, LENGTH, 0, 0, false },
		{ RESV, LENGTH, 0x4000, 0x8fff, true } } },
	{ "ends before it starts", 0, {
		{ RESV, LENGTH, 0x2000, 0xfff, false },
		{ RESV, LENGTH, 0x4000, 0x8fff, true } } },
	{ "all of the address space, last", 0, {
		{ RESV, LENGTH, 0x4000, 0x8fff, true },
		{ RESV, LENGTH, 0, ~0ull, false } } },
	{ "all of it but for a part of a page", 0, {
		{ RESV, LENGTH, 1, ~0ull, false } } },
	{ "a length that wraps to zero", 0, {
		{ RESV, LENGTH, 0x1000, 0x1fff, true },
		{ RESV, 0xfffc, 0x4000, 0x8fff, false } } },
	{ "longer than the buffer", 0, {
		{ RESV, LENGTH, 0x1000, 0x1fff, true },
		{ RESV, LENGTH + 1, 0x4000, 0x8fff, false } } },
	{ "a buffer that ends in it", 24 + 20, {
		{ RESV, LENGTH, 0x1000, 0x1fff, true },
		{ RESV, LENGTH, 0x4000, 0x8fff, false } } },
	{ "a buffer that ends in its head", 24 + 3, {
		{ RESV, LENGTH, 0x1000, 0x1fff, true },
		{ RESV, LENGTH, 0x4000, 0x8fff, false } } },
};

static void viommu_props_check(struct kunit *test,
			       const struct viommu_props_case *c)
{
	struct virtio_iommu_probe_resv_mem mem[ARRAY_SIZE(c->props)] = {};
	struct viommu_dev viommu = {
		.pgsize_bitmap = PAGE_SIZE,
		.geometry.aperture_end = U64_MAX,
	};
	struct viommu_endpoint vdev = {
		.viommu = &viommu,
		.resv_regions = LIST_HEAD_INIT(vdev.resv_regions),
	};
	struct iommu_resv_region *region, *next;
	size_t i, used = 0, found = 0, good = 0, n = 0;
	void *buffer;

	for (i = 0; i < ARRAY_SIZE(mem); i++) {
		mem[i].head.type = cpu_to_le16(c->props[i].type);
		mem[i].head.length = cpu_to_le16(c->props[i].length);
		mem[i].start = cpu_to_le64(c->props[i].start);
		mem[i].end = cpu_to_le64(c->props[i].end);
		if (c->props[i].length)
			used = i + 1;
		good += c->props[i].good;
	}

	used = c->size ?: used * sizeof(mem[0]);
	buffer = kunit_kzalloc(test, used, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, buffer);
	memcpy(buffer, mem, used);
	KUNIT_EXPECT_EQ_MSG(test, 0,
			    viommu_parse_properties(&vdev, buffer, used),
			    "%s", c->name);

	list_for_each_entry_safe(region, next, &vdev.resv_regions, list) {
		for (i = 0; i < ARRAY_SIZE(mem); i++) {
			if (c->props[i].good &&
			    c->props[i].start == region->start &&
			    c->props[i].end - c->props[i].start + 1 ==
			    region->length)
				found++;
		}
		n++;
		kfree(region);
	}
	KUNIT_EXPECT_EQ_MSG(test, n, good, "%s", c->name);
	KUNIT_EXPECT_EQ_MSG(test, found, good, "%s", c->name);
}

static void viommu_props(struct kunit *test)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(viommu_props_cases); i++)
		viommu_props_check(test, &viommu_props_cases[i]);
}

/* A region of parts of pages takes the pages. */
static void viommu_props_pages(struct kunit *test)
{
	struct virtio_iommu_probe_resv_mem mem = {
		.head.type = cpu_to_le16(RESV),
		.head.length = cpu_to_le16(LENGTH),
		.start = cpu_to_le64(0x10800),
		.end = cpu_to_le64(0x20800),
	};
	struct viommu_dev viommu = {
		.pgsize_bitmap = SZ_64K | SZ_2M,
		.geometry.aperture_end = U64_MAX,
	};
	struct viommu_endpoint vdev = {
		.viommu = &viommu,
		.resv_regions = LIST_HEAD_INIT(vdev.resv_regions),
	};
	struct iommu_resv_region *region;

	KUNIT_EXPECT_EQ(test, 0, viommu_parse_properties(&vdev, &mem,
							 sizeof(mem)));
	region = list_first_entry_or_null(&vdev.resv_regions,
					  struct iommu_resv_region, list);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, region);
	KUNIT_EXPECT_EQ(test, region->start, (phys_addr_t)0x10000);
	KUNIT_EXPECT_EQ(test, region->length, (size_t)0x20000);
	kfree(region);

	/* What cannot be mapped need not be reserved. */
	INIT_LIST_HEAD(&vdev.resv_regions);
	viommu.geometry.aperture_end = 0xffff;
	KUNIT_EXPECT_EQ(test, 0, viommu_parse_properties(&vdev, &mem,
							 sizeof(mem)));
	KUNIT_EXPECT_TRUE(test, list_empty(&vdev.resv_regions));
}

static struct kunit_case viommu_cases[] = {
	KUNIT_CASE(viommu_props),
	KUNIT_CASE(viommu_props_pages),
	{ }
};

static struct kunit_suite viommu_suite = {
	.name = "virtio_iommu",
	.test_cases = viommu_cases,
};

kunit_test_suites(&viommu_suite);
