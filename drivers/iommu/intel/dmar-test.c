// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: walks over DMAR tables, whole and damaged. Included by dmar.c.
 *
 * Tables and the copies that the driver keeps of structures have memory of their
 * own size, so that KASAN tells of each read that goes beyond. What a walk gives
 * is compared with what a second parser expects.
 */
#include <kunit/test.h>

#include "../../acpi/table-damage.h"

#define DMAR_TEST_SEED		20230611
#define DMAR_TEST_ROUNDS	400
#define DMAR_TEST_MAX_SIZE	512
#define DMAR_TEST_MAX_FOUND	128

struct dmar_test_found {
	u16 type;
	u16 length;
	size_t at;
	int scopes;
};

struct dmar_test_walk {
	struct kunit *test;
	void *start;
	size_t count;
	struct dmar_test_found found[DMAR_TEST_MAX_FOUND];
};

/* A unit, two RMRRs, two ATSRs, an RHSA, an ANDD, and what is not known yet */
static const u8 dmar_test_whole[] = {
	0, 0, 40, 0, 1, 0, 0, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0, 0,
	3, 8, 0, 0, 0, 0xff, 0, 0,
	1, 8, 0, 0, 0, 0, 3, 0,
	5, 8, 0, 0, 1, 0, 30, 0,
	1, 0, 42, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0,
	0xff, 0xff, 0, 0x10, 0, 0, 0, 0,
	1, 8, 0, 0, 0, 0, 6, 0,
	2, 10, 0, 0, 0, 0, 28, 0, 0, 1,
	1, 0, 24, 0, 0, 0, 0, 0, 0, 0, 1, 0x10, 0, 0, 0, 0,
	0xff, 0xff, 1, 0x10, 0, 0, 0, 0,
	2, 0, 16, 0, 0, 0, 0, 0, 2, 8, 0, 0, 0, 0, 1, 0,
	2, 0, 8, 0, 1, 0, 0, 0,
	3, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0,
	4, 0, 13, 0, 0, 0, 0, 1, '\\', 'C', 'O', 'M', 0,
	9, 0, 6, 0, 1, 2,
};

/* A place that no scope of the tables above leads to, and few of the others */
static struct dmar_pci_notify_info *dmar_test_info(struct kunit *test)
{
	struct dmar_pci_notify_info *info;

	info = kunit_kzalloc(test, struct_size(info, path, 1), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, info);
	info->bus = -1;
	info->level = 1;
	info->path[0].bus = 0xa5;
	info->path[0].device = 0xa5;
	info->path[0].function = 0xa5;
	return info;
}

static int dmar_test_one(struct acpi_dmar_header *header, void *arg)
{
	struct dmar_test_walk *walk = arg;
	struct kunit *test = walk->test;
	struct dmar_test_found *found;
	struct dmar_dev_scope *devices;
	struct dmar_pci_notify_info *info;
	void *copy, *start, *end;
	int n;

	KUNIT_ASSERT_LT(test, walk->count, (size_t)DMAR_TEST_MAX_FOUND);
	found = &walk->found[walk->count++];
	found->type = header->type;
	found->length = header->length;
	found->at = (void *)header - walk->start;
	if (header->type > ACPI_DMAR_TYPE_ROOT_ATS)
		return 0;

	copy = kunit_kzalloc(test, header->length, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, copy);
	memcpy(copy, header, header->length);
	start = copy + dmar_min_length[header->type];
	end = copy + header->length;

	devices = dmar_alloc_dev_scope(start, end, &n);
	KUNIT_EXPECT_EQ(test, !devices, !n);
	found->scopes = n;
	info = dmar_test_info(test);
	KUNIT_EXPECT_EQ(test, dmar_insert_dev_scope(info, start, end, 0,
						    devices, n), 0);
	dmar_free_dev_scope(&devices, &n);
	kunit_kfree(test, info);
	kunit_kfree(test, copy);
	return 0;
}

static u32 dmar_test_get16(const u8 *p)
{
	return p[0] | p[1] << 8;
}

/* Scopes that the driver has a place for */
static int dmar_test_scopes(const u8 *p, size_t left)
{
	int n = 0;

	while (left >= 8 && p[1] >= 8 && p[1] <= left) {
		n += p[0] == 1 || p[0] == 2 || p[0] == 5;
		left -= p[1];
		p += p[1];
	}
	return n;
}

/* What a walk is to find */
static void dmar_test_expect(struct dmar_test_walk *want, const u8 *p,
			     size_t size)
{
	static const size_t min[] = { 16, 24, 8, 20, 9 };
	struct dmar_test_found *found;
	size_t at, length;
	u32 type;

	for (at = 0; size - at >= 4; at += length) {
		type = dmar_test_get16(p + at);
		length = dmar_test_get16(p + at + 2);
		if (length < 4 || length > size - at)
			break;
		if (type >= ARRAY_SIZE(min) || length < min[type])
			continue;
		found = &want->found[want->count++];
		found->type = type;
		found->length = length;
		found->at = at;
		if (type <= 2)
			found->scopes = dmar_test_scopes(p + at + min[type],
							 length - min[type]);
	}
}

static void dmar_test_check(struct kunit *test, const u8 *from, size_t size,
			    unsigned int round)
{
	struct dmar_test_walk *walk, *want;
	struct dmar_res_callback cb = { .quiet = true };
	void *table;
	size_t i;

	walk = kunit_kzalloc(test, sizeof(*walk), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, walk);
	want = kunit_kzalloc(test, sizeof(*want), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, want);
	table = kunit_kzalloc(test, size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	memcpy(table, from, size);

	walk->test = test;
	walk->start = table;
	for (i = 0; i < ACPI_DMAR_TYPE_RESERVED; i++) {
		cb.cb[i] = dmar_test_one;
		cb.arg[i] = walk;
	}
	down_write(&dmar_global_lock);
	KUNIT_EXPECT_EQ_MSG(test, dmar_walk_remapping_entries(table, size, &cb),
			    0, "round %u", round);
	up_write(&dmar_global_lock);

	dmar_test_expect(want, table, size);
	KUNIT_EXPECT_EQ_MSG(test, walk->count, want->count, "round %u", round);
	KUNIT_EXPECT_TRUE_MSG(test, !memcmp(walk->found, want->found,
					    sizeof(walk->found)),
			      "round %u", round);
	kunit_kfree(test, table);
	kunit_kfree(test, want);
	kunit_kfree(test, walk);
}

/* Each length, whether a structure ends there or not. */
static void dmar_test_cut(struct kunit *test)
{
	size_t size;

	for (size = 1; size <= sizeof(dmar_test_whole); size++)
		dmar_test_check(test, dmar_test_whole, size, size);
}

static void dmar_test_generated(struct kunit *test)
{
	static const u8 values[] = { 0, 1, 3, 4, 5, 7, 8, 0x1f, 0x80, 0xff };
	const struct table_damage damage = {
		.whole = dmar_test_whole,
		.size = sizeof(dmar_test_whole),
		.max_size = DMAR_TEST_MAX_SIZE,
		.values = values,
		.nr_values = ARRAY_SIZE(values),
	};
	struct rnd_state rnd;
	unsigned int round;
	size_t size;
	u8 *table;

	table = kunit_kzalloc(test, DMAR_TEST_MAX_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);

	prandom_seed_state(&rnd, DMAR_TEST_SEED);
	for (round = 0; round < DMAR_TEST_ROUNDS; round++) {
		size = table_damage(&damage, &rnd, table);
		if (size)
			dmar_test_check(test, table, size, round);
	}
}

static struct kunit_case dmar_test_cases[] = {
	KUNIT_CASE(dmar_test_cut),
	KUNIT_CASE(dmar_test_generated),
	{ }
};

static struct kunit_suite dmar_test_suite = {
	.name = "intel_dmar",
	.test_cases = dmar_test_cases,
};

kunit_test_suites(&dmar_test_suite);
