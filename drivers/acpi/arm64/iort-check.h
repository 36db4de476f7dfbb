/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The IORT table in a form that its users can rely on, see iort-check.c.
 */
#ifndef IORT_CHECK_H
#define IORT_CHECK_H

#include <linux/types.h>

struct acpi_iort_node;
struct acpi_table_header;

struct acpi_iort_node *iort_node_at(void *table, u64 offset);
bool iort_node_is_whole(const struct acpi_iort_node *node);
struct acpi_table_header *iort_copy(const struct acpi_table_header *table,
				    bool quiet);

#endif /* IORT_CHECK_H */
