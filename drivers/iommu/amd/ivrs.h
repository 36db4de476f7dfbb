/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The IVRS table in a form that its parsers can rely on, see ivrs.c.
 */
#ifndef AMD_IVRS_H
#define AMD_IVRS_H

#include <linux/types.h>

struct acpi_table_header;

#define IVRS_HEADER_LENGTH	48

/* Blocks for memory: of all devices, of one, of a range of them */
#define IVMD_TYPE_ALL		0x20
#define IVMD_TYPE		0x21
#define IVMD_TYPE_RANGE		0x22

u32 ivhd_header_size(u8 type);
u32 ivhd_entry_length(const u8 *entry, u32 left);
struct acpi_table_header *ivrs_copy(const struct acpi_table_header *table,
				    bool quiet);

#endif /* AMD_IVRS_H */
