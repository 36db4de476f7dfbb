// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: copies of IVRS tables, whole and damaged.
 *
 * Tables have memory of their own size, so that KASAN tells of each read that
 * goes beyond. Copies are compared with what a second parser expects, which
 * takes one block and one entry at a time.
 */
#include <kunit/test.h>
#include <linux/acpi.h>
#include <linux/err.h>
#include <linux/slab.h>

#include "../../acpi/table-damage.h"
#include "ivrs.h"

#define SEED		20230611
#define ROUNDS		400
#define MAX_SIZE	512

/* Two IOMMUs of the simplest and of the newest type, and three kinds of memory */
static const u8 whole_table[] __initconst = {
	'I', 'V', 'R', 'S', 0, 0, 0, 0, 2, 0, 'T', 'E', 'S', 'T', ' ', ' ',
	'T', 'E', 'S', 'T', ' ', ' ', ' ', ' ', 1, 0, 0, 0, 'T', 'E', 'S', 'T',
	1, 0, 0, 0, 0x41, 0x30, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0,

	0x10, 0xb0, 56, 0, 0x02, 0x00, 0x40, 0, 0, 0, 0xd8, 0xfe, 0, 0, 0, 0,
	0, 0, 0, 0, 0x44, 0, 0, 0,
	0x03, 0x08, 0x00, 0,
	0x04, 0xfe, 0xff, 0,
	0x42, 0x00, 0x01, 0, 0, 0x20, 0x00, 0,
	0x48, 0x00, 0x00, 0, 0x04, 0xa0, 0x00, 1,
	0x48, 0x00, 0x00, 0xd7, 0x05, 0xa0, 0x00, 1,

	0x40, 0xb0, 72, 0, 0x02, 0x00, 0x40, 0, 0, 0, 0xd8, 0xfe, 0, 0, 0, 0,
	0, 0, 0, 0, 0x44, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0,
	0x02, 0x10, 0x00, 0,
	0xf0, 0xa5, 0x00, 0x40, 'A', 'M', 'D', 'I', '0', '0', '2', '0',
	0, 0, 0, 0, 0, 0, 0, 0, 2, 6, 'S', 'B', '.', 'F', 'U', 'R',

	0x20, 0x08, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0x00, 0x00, 0x10, 0x00, 0, 0, 0, 0, 0x00, 0x10, 0x00, 0x00, 0, 0, 0, 0,
	0x22, 0x07, 32, 0, 0x18, 0, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	0x00, 0x00, 0x20, 0x00, 0, 0, 0, 0, 0x00, 0x10, 0x00, 0x00, 0, 0, 0, 0,
	0x7e, 0x00, 12, 0, 1, 2, 3, 4, 5, 6, 7, 8,
};

static u32 __init get16(const u8 *p)
{
	return p[0] | p[1] << 8;
}

static void __init set_length(u8 *table, u32 length)
{
	((struct acpi_table_header *)table)->length = length;
}

static u8 *__init make_table(struct kunit *test, const u8 *from, size_t size)
{
	u8 *table = kunit_kzalloc(test, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);
	memcpy(table, from, size);
	if (size >= sizeof(struct acpi_table_header))
		set_length(table, size);
	return table;
}

/* The next entry ends there, or at 0 if it is none. */
static size_t __init expect_entry(const u8 *p, size_t at, size_t end)
{
	size_t size;

	switch (p[at]) {
	case 0x00 ... 0x3f:
		size = 4;
		break;
	case 0x40 ... 0x7f:
		size = 8;
		break;
	case 0xf0:
		if (end < at + 22)
			return 0;
		size = 22 + p[at + 21];
		break;
	default:
		return 0;
	}
	return at + size > end ? 0 : at + size;
}

/* How much of the block at @at is to be in the copy. */
static size_t __init expect_block(const u8 *p, size_t at, size_t end)
{
	size_t next, used;

	switch (p[at]) {
	case 0x10:
		used = 24;
		break;
	case 0x11:
	case 0x40:
		used = 40;
		break;
	case 0x20 ... 0x22:
		return end - at < 32 ? 0 : end - at;
	default:
		return end - at;
	}
	if (end - at < used)
		return 0;
	while (at + used < end) {
		next = expect_entry(p, at + used, end);
		if (!next)
			break;
		used = next - at;
	}
	return used;
}

/* What is to be in the copy of a table of @size bytes: its size. */
static size_t __init expect_table(const u8 *p, size_t size, u8 *want)
{
	size_t at = 48, to = 48, used, length;

	memcpy(want, p, 48);
	while (size - at >= 4) {
		length = get16(p + at + 2);
		if (length < 4 || length > size - at)
			break;
		used = expect_block(p, at, at + length);
		memcpy(want + to, p + at, used);
		if (used) {
			want[to + 2] = used;
			want[to + 3] = used >> 8;
		}
		to += used;
		at += length;
	}
	set_length(want, to);
	return to;
}

static void __init check_table(struct kunit *test, const u8 *from, size_t size,
			       unsigned int round)
{
	struct acpi_table_header *copy, *again;
	size_t want_size;
	u8 *table, *want;

	table = make_table(test, from, size);
	want = kunit_kzalloc(test, size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, want);
	want_size = expect_table(table, size, want);

	copy = ivrs_copy((void *)table, true);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, copy);
	KUNIT_EXPECT_EQ_MSG(test, (size_t)copy->length, want_size,
			    "round %u", round);
	if (copy->length == want_size)
		KUNIT_EXPECT_TRUE_MSG(test, !memcmp(copy, want, want_size),
				      "round %u", round);

	/* There is nothing wrong with a copy. */
	again = ivrs_copy(copy, true);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, again);
	KUNIT_EXPECT_TRUE_MSG(test, again->length == copy->length &&
			      !memcmp(copy, again, copy->length),
			      "round %u", round);
	kfree(again);
	kfree(copy);
	kunit_kfree(test, want);
	kunit_kfree(test, table);
}

static void __init ivrs_whole(struct kunit *test)
{
	u8 *table = make_table(test, whole_table, sizeof(whole_table));
	struct acpi_table_header *copy = ivrs_copy((void *)table, true);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, copy);
	KUNIT_EXPECT_EQ(test, (size_t)copy->length, sizeof(whole_table));
	KUNIT_EXPECT_TRUE(test, !memcmp(copy, table, sizeof(whole_table)));
	kfree(copy);
}

/* Each length, whether a block ends there or not. */
static void __init ivrs_cut(struct kunit *test)
{
	struct acpi_table_header *copy;
	size_t size;
	u8 *table;

	for (size = sizeof(struct acpi_table_header); size < 48; size++) {
		table = make_table(test, whole_table, size);
		copy = ivrs_copy((void *)table, true);
		KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(copy), -EINVAL);
	}
	for (; size <= sizeof(whole_table); size++)
		check_table(test, whole_table, size, size);
}

static void __init ivrs_generated(struct kunit *test)
{
	static const u8 values[] = { 0, 1, 3, 4, 8, 0x1f, 0x80, 0xf0, 0xff };
	const struct table_damage damage = {
		.whole = whole_table,
		.size = sizeof(whole_table),
		.max_size = MAX_SIZE,
		.head = 48,
		.values = values,
		.nr_values = ARRAY_SIZE(values),
	};
	struct rnd_state rnd;
	unsigned int round;
	size_t size;
	u8 *table;

	table = kunit_kzalloc(test, MAX_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, table);

	prandom_seed_state(&rnd, SEED);
	for (round = 0; round < ROUNDS; round++) {
		size = table_damage(&damage, &rnd, table);
		check_table(test, table, size, round);
	}
}

static struct kunit_case ivrs_cases[] __refdata = {
	KUNIT_CASE(ivrs_whole),
	KUNIT_CASE(ivrs_cut),
	KUNIT_CASE(ivrs_generated),
	{ }
};

static struct kunit_suite ivrs_suite = {
	.name = "amd_ivrs",
	.test_cases = ivrs_cases,
};

kunit_test_suites(&ivrs_suite);
