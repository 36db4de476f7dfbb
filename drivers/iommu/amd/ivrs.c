// SPDX-License-Identifier: GPL-2.0-only
/*
 * The IVRS table in a form that its parsers can rely on.
 *
 * The table is a header followed by blocks. A block that describes an IOMMU
 * (IVHD) is a header followed by entries for devices, one that describes memory
 * (IVMD) has a fixed size. Blocks carry their own length and entries have one
 * that follows from their first bytes, and firmware gets either wrong. What
 * parses the table several times over gets a copy in which each length is right
 * and each block and entry is complete.
 */
#define pr_fmt(fmt)	"AMD-Vi: " fmt

#include <linux/acpi.h>
#include <linux/err.h>
#include <linux/slab.h>

#include "ivrs.h"

#define IVMD_SIZE		32

#define ENTRY_TYPE_HID		0xf0
#define ENTRY_HID_SIZE		22
#define ENTRY_HID_UID_LENGTH	21

/* Structures that are laid over a short entry may end after the table does. */
#define SLACK			32

#define warn_unless(quiet, fmt, ...)					\
do {									\
	if (!(quiet))							\
		pr_warn(FW_BUG "IVRS: " fmt "; look for an update of the firmware\n", \
			##__VA_ARGS__);					\
} while (0)

struct ivrs_block {
	u8 type;
	u8 flags;
	u16 length;
} __packed;

/**
 * ivhd_header_size() - Bytes before the first entry of a block for an IOMMU
 * @type: type of a block
 *
 * Return: the size, or 0 if blocks of this type are not for an IOMMU or not
 * known.
 */
u32 __init ivhd_header_size(u8 type)
{
	switch (type) {
	case 0x10:
		return 24;
	case 0x11:
	case 0x40:
		return 40;
	default:
		return 0;
	}
}

/**
 * ivhd_entry_length() - Bytes of an entry for a device
 * @entry: the entry
 * @left: bytes from there to the end of the block, at least 1
 *
 * Return: the length, or 0 if it cannot be known or is more than @left.
 */
u32 __init ivhd_entry_length(const u8 *entry, u32 left)
{
	u32 length = 0;

	if (entry[0] < 0x80)
		length = 4 << (entry[0] >> 6);
	else if (entry[0] == ENTRY_TYPE_HID && left >= ENTRY_HID_SIZE)
		length = ENTRY_HID_SIZE + entry[ENTRY_HID_UID_LENGTH];

	return length <= left ? length : 0;
}

static u32 __init ivhd_length(const struct ivrs_block *block, bool quiet)
{
	u32 at = ivhd_header_size(block->type);
	u32 length;

	while (at < block->length) {
		length = ivhd_entry_length((const u8 *)block + at, block->length - at);
		if (!length) {
			warn_unless(quiet, "the last %u bytes of an IVHD of type %#x are no entry",
				    block->length - at, block->type);
			break;
		}
		at += length;
	}
	return at;
}

/* What can be used of a block that is all there. */
static u32 __init block_length(const struct ivrs_block *block, bool quiet)
{
	u32 min = ivhd_header_size(block->type);

	if (block->type >= IVMD_TYPE_ALL && block->type <= IVMD_TYPE_RANGE)
		min = IVMD_SIZE;
	if (block->length < min) {
		warn_unless(quiet, "a block of type %#x has %u bytes only, ignored",
			    block->type, block->length);
		return 0;
	}
	if (!ivhd_header_size(block->type))
		return block->length;
	return ivhd_length(block, quiet);
}

/**
 * ivrs_copy() - Copy what is well-formed of an IVRS table
 * @table: the table, all of its &acpi_table_header.length bytes readable
 * @quiet: say nothing about what is not
 *
 * A block that is too short is left out, and an IVHD ends where its entries
 * stop making sense. What comes after a block whose length cannot be is lost.
 * There is a line in the log for each. No value other than a length is looked at
 * or changed, but for the checksum, which is that of @table still.
 *
 * Context: Process context.
 * Return: the copy, which kfree() frees, -EINVAL if @table is too short to be
 * one, or -ENOMEM.
 */
struct acpi_table_header * __init
ivrs_copy(const struct acpi_table_header *table, bool quiet)
{
	const u8 *from = (const u8 *)table + IVRS_HEADER_LENGTH;
	const u8 *end = (const u8 *)table + table->length;
	struct acpi_table_header *copy;
	u8 *to;

	if (table->length < IVRS_HEADER_LENGTH) {
		warn_unless(quiet, "the table has %u bytes only, ignored",
			    table->length);
		return ERR_PTR(-EINVAL);
	}

	copy = kzalloc(table->length + SLACK, GFP_KERNEL);
	if (!copy)
		return ERR_PTR(-ENOMEM);

	memcpy(copy, table, IVRS_HEADER_LENGTH);
	to = (u8 *)copy + IVRS_HEADER_LENGTH;

	while (from < end) {
		const struct ivrs_block *block = (const void *)from;
		struct ivrs_block *copied = (void *)to;
		u32 length;

		if (end - from < sizeof(*block) ||
		    block->length < sizeof(*block) ||
		    block->length > end - from) {
			warn_unless(quiet, "the last %td bytes are no block, ignored",
				    end - from);
			break;
		}

		length = block_length(block, quiet);
		if (length) {
			memcpy(to, from, length);
			copied->length = length;
		}
		to += length;
		from += block->length;
	}

	copy->length = to - (u8 *)copy;
	return copy;
}
