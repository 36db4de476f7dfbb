// SPDX-License-Identifier: GPL-2.0-only
/*
 * The IORT table in a form that its users can rely on.
 *
 * The table is a header followed by nodes. A node has data that depends on its
 * type, and ID mappings that lead to other nodes. Lengths, counts and offsets
 * come from firmware, which gets each of them wrong. What follows them, at boot
 * and later, does so in a copy in which each node is complete and each mapping
 * leads to a node that is closer to the interrupt controller.
 */
#define pr_fmt(fmt)	"ACPI: IORT: " fmt

#include <linux/acpi.h>
#include <linux/bitmap.h>
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "iort-check.h"

#define NODE_HEADER	offsetof(struct acpi_iort_node, node_data)

/* A type that nobody looks for */
#define NODE_IGNORED	0xff

#define warn_unless(quiet, fmt, ...)					\
do {									\
	if (!(quiet))							\
		pr_warn(FW_BUG fmt "; look for an update of the firmware\n", \
			##__VA_ARGS__);					\
} while (0)

static bool __init its_group_is_whole(const struct acpi_iort_node *node,
				      u32 size)
{
	const struct acpi_iort_its_group *its = (const void *)node->node_data;

	return size >= sizeof(*its) && its->its_count &&
	       its->its_count <= (size - sizeof(its->its_count)) /
				 sizeof(its->identifiers[0]);
}

static bool __init named_component_is_whole(const struct acpi_iort_node *node,
					    u32 size)
{
	size_t name = offsetof(struct acpi_iort_named_component, device_name);

	return size > name && memchr(node->node_data + name, 0, size - name);
}

static bool __init root_complex_is_whole(const struct acpi_iort_node *node,
					 u32 size)
{
	if (!node->revision)
		return size >= offsetof(struct acpi_iort_root_complex,
					memory_address_limit);
	return size >= offsetofend(struct acpi_iort_root_complex,
				   memory_address_limit);
}

/* Are there @count interrupts at @offset of a node of @length bytes? */
static bool __init interrupts_are_inside(u32 length, u32 offset, u32 count)
{
	return offset <= length && count <= (length - offset) / sizeof(u64);
}

static bool __init smmu_is_whole(const struct acpi_iort_node *node, u32 size)
{
	const struct acpi_iort_smmu *smmu = (const void *)node->node_data;

	return size >= offsetof(struct acpi_iort_smmu, interrupts) &&
	       interrupts_are_inside(node->length,
				     smmu->global_interrupt_offset, 1) &&
	       interrupts_are_inside(node->length,
				     smmu->context_interrupt_offset,
				     smmu->context_interrupt_count);
}

static bool __init smmu_v3_is_whole(const struct acpi_iort_node *node, u32 size)
{
	const struct acpi_iort_smmu_v3 *smmu = (const void *)node->node_data;

	if (size < offsetof(struct acpi_iort_smmu_v3, pxm))
		return false;
	if (!node->revision && !(smmu->flags & ACPI_IORT_SMMU_V3_PXM_VALID))
		return true;
	return size >= sizeof(*smmu);
}

static bool __init pmcg_is_whole(const struct acpi_iort_node *node, u32 size)
{
	if (!node->revision)
		return size >= offsetof(struct acpi_iort_pmcg,
					page1_base_address);
	return size >= sizeof(struct acpi_iort_pmcg);
}

/**
 * iort_node_is_whole() - Does a node have all that its type wants?
 * @node: the node, as iort_node_at() returned it
 *
 * Return: true if the data of the node can be used.
 */
bool __init iort_node_is_whole(const struct acpi_iort_node *node)
{
	u32 size = node->length - NODE_HEADER;

	switch (node->type) {
	case ACPI_IORT_NODE_ITS_GROUP:
		return its_group_is_whole(node, size);
	case ACPI_IORT_NODE_NAMED_COMPONENT:
		return named_component_is_whole(node, size);
	case ACPI_IORT_NODE_PCI_ROOT_COMPLEX:
		return root_complex_is_whole(node, size);
	case ACPI_IORT_NODE_SMMU:
		return smmu_is_whole(node, size);
	case ACPI_IORT_NODE_SMMU_V3:
		return smmu_v3_is_whole(node, size);
	case ACPI_IORT_NODE_PMCG:
		return pmcg_is_whole(node, size);
	default:
		return true;
	}
}

/**
 * iort_node_at() - A node of a table that was not checked yet
 * @table: the table
 * @offset: where in the table
 *
 * Return: the node, or NULL if what is there cannot be one. All of its bytes are
 * in the table, but that may be less than what its type wants.
 */
struct acpi_iort_node * __init iort_node_at(void *table, u64 offset)
{
	struct acpi_table_header *header = table;
	struct acpi_iort_node *node = table + offset;

	if (offset < sizeof(struct acpi_table_iort) ||
	    offset + NODE_HEADER > header->length ||
	    node->length < NODE_HEADER ||
	    offset + node->length > header->length)
		return NULL;
	return node;
}

/* How close to the interrupt controller a node is */
static unsigned int __init node_rank(const struct acpi_iort_node *node)
{
	switch (node->type) {
	case ACPI_IORT_NODE_ITS_GROUP:
		return 2;
	case ACPI_IORT_NODE_SMMU:
	case ACPI_IORT_NODE_SMMU_V3:
		return 1;
	default:
		return 0;
	}
}

static bool __init mappings_are_whole(void *table,
				      const struct acpi_iort_node *node,
				      const unsigned long *starts)
{
	const struct acpi_table_header *header = table;
	const struct acpi_iort_id_mapping *map;
	const struct acpi_iort_node *to;
	u32 i;

	if (node->mapping_offset < NODE_HEADER ||
	    node->mapping_offset > node->length ||
	    node->mapping_count > (node->length - node->mapping_offset) /
				  sizeof(*map))
		return false;

	map = (const void *)node + node->mapping_offset;
	for (i = 0; i < node->mapping_count; i++, map++) {
		if (map->output_reference >= header->length ||
		    !test_bit(map->output_reference, starts))
			return false;
		to = table + map->output_reference;
		if (to->type == NODE_IGNORED || node_rank(to) <= node_rank(node))
			return false;
	}
	return true;
}

static void __init check_nodes(struct acpi_table_iort *iort,
			       unsigned long *starts, bool quiet)
{
	struct acpi_iort_node *node;
	u64 offset = iort->node_offset;
	u32 i;

	for (i = 0; i < iort->node_count; i++, offset += node->length) {
		node = iort_node_at(iort, offset);
		if (!node) {
			warn_unless(quiet, "no node %u of %u is at %#llx, nor those that follow",
				    i, iort->node_count, offset);
			iort->node_count = i;
			break;
		}
		__set_bit(offset, starts);
		if (!iort_node_is_whole(node)) {
			warn_unless(quiet, "the node of type %u at %#llx is not complete, ignored",
				    node->type, offset);
			node->type = NODE_IGNORED;
		}
	}
}

static void __init check_mappings(struct acpi_table_iort *iort,
				  const unsigned long *starts, bool quiet)
{
	struct acpi_iort_node *node;
	u64 offset = iort->node_offset;
	u32 i;

	for (i = 0; i < iort->node_count; i++, offset += node->length) {
		node = (void *)iort + offset;
		if (node->type == NODE_IGNORED || !node->mapping_count ||
		    mappings_are_whole(iort, node, starts))
			continue;
		warn_unless(quiet, "ID mappings of the node of type %u at %#llx lead nowhere",
			    node->type, offset);
		node->mapping_count = 0;
	}
}

/**
 * iort_copy() - Copy an IORT table such that it can be relied on
 * @table: the table, all of its &acpi_table_header.length bytes readable
 * @quiet: say nothing about what is wrong with it
 *
 * In the copy a node that is not complete has a type that nobody knows, and a
 * node with mappings that lead nowhere has none. What comes after a node whose
 * length cannot be is lost. There is a line in the log for each.
 *
 * Context: Process context.
 * Return: the copy, which kfree() frees, -EINVAL if @table is too short to be
 * one, or -ENOMEM.
 */
struct acpi_table_header * __init
iort_copy(const struct acpi_table_header *table, bool quiet)
{
	struct acpi_table_iort *copy;
	unsigned long *starts;

	if (table->length < sizeof(*copy)) {
		warn_unless(quiet, "the table has %u bytes only, ignored",
			    table->length);
		return ERR_PTR(-EINVAL);
	}

	copy = kmemdup(table, table->length, GFP_KERNEL);
	if (!copy)
		return ERR_PTR(-ENOMEM);

	starts = bitmap_zalloc(table->length, GFP_KERNEL);
	if (!starts) {
		kfree(copy);
		return ERR_PTR(-ENOMEM);
	}

	check_nodes(copy, starts, quiet);
	check_mappings(copy, starts, quiet);
	bitmap_free(starts);

	return &copy->header;
}
