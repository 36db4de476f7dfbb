/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests in this directory start from: the device and the verdict that
 * the environment names, and the state of the machine to go back to.
 *
 * IOMMU_TEST_DEVICE names a PCI or platform device, IOMMU_TEST_VFIO says what
 * VFIO is to do with it: dma_cc=1, dma_cc=0, eperm, refused, noiommu, or none
 * for "not tested".
 */
#ifndef SELFTESTS_VFIO_TEST_H
#define SELFTESTS_VFIO_TEST_H

#include <stdbool.h>
#include <stddef.h>

#include "../iommu/device.h"

#define SZ_4K		0x1000ul
#define SZ_2M		0x200000ul
#define SZ_1G		0x40000000ull
#define SZ_4G		0x100000000ull

/* Not reserved on any machine that is tested. */
#define TEST_IOVA	0x400000ull

#define HUGEPAGES_PARAM	"/proc/sys/vm/nr_hugepages"
#define THP_PARAM	"/sys/kernel/mm/transparent_hugepage/enabled"

extern struct device test_dev;

/*
 * To be called by main(). Ends the program where there is nothing to test;
 * arranges for the driver and the parameters to be put back at its end.
 */
void test_init(bool need_verdict);

/* The same, for programs that need a device that a type1 IOMMU takes. */
void test_init_type1(void);

/* Is this the verdict to expect? */
bool test_wants(const char *verdict);
const char *test_wanted(void);

/* Is the device one that a type1 IOMMU takes? */
bool test_wants_type1(void);

/* Parameters as they were, a device without driver. */
int test_reset(void);

/* Bind the device to its VFIO driver, after test_reset(). */
int test_bind(void);

/* Memory of this process that counts as pinned, in kB. */
long test_locked_kb(void);

/*
 * Let no more than @bytes be locked beyond what is now. It binds a mapping that
 * is made after test_drop_cap_ipc_lock().
 */
int test_limit_locked(size_t bytes);
int test_drop_cap_ipc_lock(void);

/* Pages that are pinned in the whole machine, -1 if that cannot be known. */
long test_pinned_pages(void);

/* The number that follows @name in a file of /proc, -1 if there is none. */
long test_read_number(const char *path, const char *name);

/* Like mmap() of new memory, with MAP_HUGETLB or 0. */
void *test_alloc(size_t size, int flags);

/* Can allocations be made to fail? */
bool test_faults_ready(void);

/* Let the @nth allocation of this thread from here on fail. */
int test_arm_fault(int nth);

/* Were there that many? None fails any more. */
bool test_fault_hit(void);

#endif /* SELFTESTS_VFIO_TEST_H */
