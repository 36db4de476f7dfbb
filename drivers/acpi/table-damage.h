/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For KUnit: damaged firmware tables, the same ones for the same seed.
 */

#ifndef _TABLE_DAMAGE_H
#define _TABLE_DAMAGE_H

#include <linux/kernel.h>
#include <linux/prandom.h>
#include <linux/string.h>

/**
 * struct table_damage - What to damage, and how
 * @whole: table without a defect
 * @size: bytes in @whole
 * @max_size: bytes that a table may grow to, at least @size
 * @head: bytes at the start that stay as they are
 * @values: bytes that are likely to make a length another one
 * @nr_values: number of @values
 */
struct table_damage {
	const void *whole;
	size_t size;
	size_t max_size;
	size_t head;
	const u8 *values;
	size_t nr_values;
};

/* Change, remove or add bytes, mostly such that a length is another one */
static inline size_t table_damage_once(const struct table_damage *d,
				       struct rnd_state *rnd, u8 *table,
				       size_t size)
{
	size_t at = d->head + prandom_u32_state(rnd) % (size - d->head), n;

	switch (prandom_u32_state(rnd) % 6) {
	case 0:
		table[at] = prandom_u32_state(rnd);
		break;
	case 1:
		n = min_t(size_t, prandom_u32_state(rnd) % 9, size - at);
		memmove(table + at, table + at + n, size - at - n);
		size -= n;
		break;
	case 2:
		n = min_t(size_t, prandom_u32_state(rnd) % 9,
			  d->max_size - size);
		memmove(table + at + n, table + at, size - at);
		size += n;
		break;
	case 3:
		size = at;
		break;
	default:
		table[at] = d->values[prandom_u32_state(rnd) % d->nr_values];
	}

	return size;
}

/**
 * table_damage() - Make a table with one to four defects
 * @d: what to damage
 * @rnd: decides on the defects
 * @table: gets the table, has room for d->max_size bytes
 *
 * Return: bytes in @table, which may be no more than those of d->head.
 */
static inline size_t table_damage(const struct table_damage *d,
				  struct rnd_state *rnd, u8 *table)
{
	size_t size = d->size;
	unsigned int i;

	memcpy(table, d->whole, size);
	i = prandom_u32_state(rnd) % 4;
	do {
		if (size > d->head)
			size = table_damage_once(d, rnd, table, size);
	} while (i--);

	return size;
}

#endif /* _TABLE_DAMAGE_H */
