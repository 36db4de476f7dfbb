// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: copies of IORT tables, whole and damaged. A second check, which takes
 * one field at a time, follows all that is in a copy.
 */
#include <kunit/test.h>
#include <linux/acpi.h>
#include <linux/err.h>
#include <linux/slab.h>

#include "../table-damage.h"
#include "iort-check.h"

#define SEED		20230611
#define ROUNDS		400
#define MAX_SIZE	512

#define FIRST		48	/* offset of the first node */
#define HEAD		16	/* size of the head of a node */
#define MAP		20	/* size of a mapping */

/* How a node begins */
#define NODE(type, size, revision)	((type) | (size) << 8 | (revision) << 24)

#define ITS		FIRST
#define SMMU_V3		(ITS + 24)
#define SMMU		(SMMU_V3 + 88)
#define ROOT		(SMMU + 104)
#define NAMED		(ROOT + 56)
#define UNKNOWN		(NAMED + 56)
#define END		(UNKNOWN + 20)

/* One node of each kind, and one of a kind that is not known yet */
static const u32 whole_table[] __initconst = {
	0x54524f49, END, 0, 0, 0, 0, 1, 0, 0,
	6, FIRST, 0,

	NODE(0, 24, 0), 0, 0, 0,
	1, 0,

	NODE(4, 88, 1), 0, 1, 68,
	0x9050000, 0, 1, 0, 0, 0, 0, 106, 107, 109, 108, 0, 0,
	0, 0xffff, 0, ITS, 0,

	NODE(3, 104, 0), 0, 1, 84,
	0x9000000, 0, 0x10000, 0, 1, 0, 60, 2, 68, 0, 0, 40, 0, 41, 0, 42, 0,
	0, 0xffff, 0, ITS, 0,

	NODE(2, 56, 1), 0, 1, 36,
	1, 3, 0, 0, 64,
	0, 0xffff, 0, SMMU_V3, 0,

	/* The limit of memory is 40 bits, and the name \_S.A. */
	NODE(1, 56, 0), 0, 1, 36,
	0, 1, 3, 40 | '\\' << 8 | '_' << 16 | 'S' << 24, '.' | 'A' << 8,
	0, 0xffff, 0, SMMU, 0,

	NODE(9, 20, 3), 0, 0, 0,
	0,
};

static u32 __init get(const u8 *p, u32 size)
{
	u32 value = 0;

	while (size--)
		value = value << 8 | p[size];
	return value;
}

static bool __init has_string(const u8 *p, u32 size)
{
	while (size--) {
		if (!*p++)
			return true;
	}
	return false;
}

/* Are @count items of @size bytes at @offset of the node? In 64 bits: no wrap. */
static bool __init has_items(const u8 *node, u64 offset, u64 count, u32 size)
{
	return offset + count * size <= get(node + 1, 2);
}

/* Are the bytes there that somebody reads who believes the type? */
static bool __init data_is_there(const u8 *node)
{
	u32 length = get(node + 1, 2), revision = node[3];

	switch (node[0]) {
	case 0:
		return length >= HEAD + 8 && get(node + HEAD, 4) &&
		       has_items(node, HEAD + 4, get(node + HEAD, 4), 4);
	case 1:
		return length > HEAD + 13 &&
		       has_string(node + HEAD + 13, length - HEAD - 13);
	case 2:
		return length >= HEAD + 16 + !!revision;
	case 3:
		return length >= HEAD + 44 &&
		       has_items(node, get(node + HEAD + 24, 4), 1, 8) &&
		       has_items(node, get(node + HEAD + 32, 4),
				 get(node + HEAD + 28, 4), 8);
	case 4:
		return length >= HEAD + 44 &&
		       (length >= HEAD + 52 ||
			(!revision && !(node[HEAD + 8] & 8)));
	case 5:
		return length >= HEAD + (revision ? 24 : 16);
	default:
		return true;
	}
}

/* Is there a node at @offset? */
static bool __init is_node(const u8 *table, u32 offset)
{
	u32 at = get(table + 40, 4), n = get(table + 36, 4);

	while (n--) {
		if (at == offset)
			return true;
		at += get(table + at + 1, 2);
	}
	return false;
}

/* Does what the mappings of a node lead to end, and in less than @depth steps? */
static bool __init mappings_end(const u8 *table, u32 at, int depth)
{
	const u8 *node = table + at;
	u32 n = get(node + 8, 4), offset = get(node + 12, 4), to;

	if (!n)
		return true;
	if (!depth || offset < HEAD || !has_items(node, offset, n, MAP))
		return false;
	for (; n--; offset += MAP) {
		to = get(node + offset + 12, 4);
		if (!is_node(table, to) || table[to] == 0xff ||
		    !mappings_end(table, to, depth - 1))
			return false;
	}
	return true;
}

/*
 * All of the copy can be used, and what was taken from the table had to be:
 * nodes that lack something and mappings that do not lead to a node of a kind
 * that comes later.
 */
static void __init check_copy(struct kunit *test, const u8 *table,
			      const u8 *copy, u32 size, u32 round)
{
	u32 at = get(copy + 40, 4), n = get(copy + 36, 4), left;

	KUNIT_EXPECT_LE_MSG(test, n, get(table + 36, 4), "round %u", round);
	for (left = n; left--; at += get(copy + at + 1, 2)) {
		KUNIT_ASSERT_TRUE_MSG(test, at >= FIRST && at + HEAD <= size &&
				      get(copy + at + 1, 2) >= HEAD &&
				      at + get(copy + at + 1, 2) <= size,
				      "round %u", round);
		if (table[at] != copy[at]) {
			KUNIT_EXPECT_EQ_MSG(test, (int)copy[at], 0xff,
					    "round %u", round);
			KUNIT_EXPECT_FALSE_MSG(test, data_is_there(table + at),
					       "round %u", round);
		} else {
			KUNIT_EXPECT_TRUE_MSG(test, data_is_there(copy + at),
					      "round %u", round);
		}
	}
	/* What ends the nodes early is no node. */
	if (n < get(table + 36, 4))
		KUNIT_EXPECT_TRUE_MSG(test, at < FIRST || at + HEAD > size ||
				      get(table + at + 1, 2) < HEAD ||
				      at + get(table + at + 1, 2) > size,
				      "round %u", round);

	at = get(copy + 40, 4);
	for (left = n; left--; at += get(copy + at + 1, 2)) {
		if (copy[at] == 0xff)
			continue;
		KUNIT_EXPECT_TRUE_MSG(test, mappings_end(copy, at, 2),
				      "round %u", round);
		if (get(copy + at + 8, 4) != get(table + at + 8, 4))
			KUNIT_EXPECT_EQ_MSG(test, get(copy + at + 8, 4), 0u,
					    "round %u", round);
	}
}

static void __init check_table(struct kunit *test, const u8 *from, u32 size,
			       u32 round)
{
	struct acpi_table_header *copy;
	u8 *table;

	table = kunit_kzalloc(test, size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	memcpy(table, from, size);
	((struct acpi_table_header *)table)->length = size;

	copy = iort_copy((void *)table, true);
	if (size < FIRST) {
		KUNIT_EXPECT_EQ_MSG(test, PTR_ERR_OR_ZERO(copy), -EINVAL,
				    "round %u", round);
	} else {
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, copy);
		check_copy(test, table, (u8 *)copy, size, round);
	}
	if (!IS_ERR(copy))
		kfree(copy);
	kunit_kfree(test, table);
}

static void __init iort_whole(struct kunit *test)
{
	struct acpi_table_header *copy;
	u8 *table;

	KUNIT_ASSERT_EQ(test, (size_t)END, sizeof(whole_table));
	table = kunit_kzalloc(test, END, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	memcpy(table, whole_table, END);

	copy = iort_copy((void *)table, true);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, copy);
	KUNIT_EXPECT_TRUE(test, !memcmp(table, copy, END));
	kfree(copy);
}

/* Each length, whether a node ends there or not. */
static void __init iort_cut(struct kunit *test)
{
	u32 size;

	for (size = sizeof(struct acpi_table_header); size <= END; size++)
		check_table(test, (const u8 *)whole_table, size, size);
}

/* A mapping to the node itself, and two that lead to each other */
static void __init iort_cycles(struct kunit *test)
{
	static const struct {
		u32 from;
		u32 to;
	} changes[] = {
		{ ROOT, ROOT }, { SMMU_V3, SMMU_V3 }, { SMMU_V3, ROOT },
		{ SMMU, SMMU_V3 }, { ROOT, NAMED }, { ROOT, UNKNOWN },
		{ ROOT, ITS + 4 }, { ROOT, 0 }, { ROOT, END }, { ROOT, ~0u },
	};
	struct acpi_table_header *copy;
	u8 *table;
	u32 at;
	int i;

	for (i = 0; i < ARRAY_SIZE(changes); i++) {
		table = kunit_kzalloc(test, END, GFP_KERNEL);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
		memcpy(table, whole_table, END);
		at = changes[i].from + get(table + changes[i].from + 1, 2) - 8;
		*(u32 *)(table + at) = changes[i].to;

		copy = iort_copy((void *)table, true);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, copy);
		KUNIT_EXPECT_EQ_MSG(test,
				    get((u8 *)copy + changes[i].from + 8, 4),
				    0u, "%u to %u", changes[i].from,
				    changes[i].to);
		kfree(copy);
		kunit_kfree(test, table);
	}
}

static void __init iort_generated(struct kunit *test)
{
	static const u8 values[] = { 0, 1, 3, 4, 5, 8, 16, 20, 48, 0x80, 0xff };
	const struct table_damage damage = {
		.whole = whole_table,
		.size = sizeof(whole_table),
		.max_size = MAX_SIZE,
		.head = 36,
		.values = values,
		.nr_values = ARRAY_SIZE(values),
	};
	struct rnd_state rnd;
	u32 round, size;
	u8 *table;

	table = kunit_kzalloc(test, MAX_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);

	prandom_seed_state(&rnd, SEED);
	for (round = 0; round < ROUNDS; round++) {
		size = table_damage(&damage, &rnd, table);
		check_table(test, table, size, round);
	}
}

static struct kunit_case iort_cases[] __refdata = {
	KUNIT_CASE(iort_whole),
	KUNIT_CASE(iort_cut),
	KUNIT_CASE(iort_cycles),
	KUNIT_CASE(iort_generated),
	{ }
};

static struct kunit_suite iort_suite = {
	.name = "acpi_iort",
	.test_cases = iort_cases,
};

kunit_test_suites(&iort_suite);
