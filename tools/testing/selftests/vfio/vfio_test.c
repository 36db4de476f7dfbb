// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the tests in this directory start from.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../kselftest.h"
#include "vfio_lib.h"
#include "vfio_test.h"

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

#define VMSTAT		"/proc/vmstat"
#define FAIL_NTH	"/proc/self/fail-nth"
#define FAILSLAB	"/sys/kernel/debug/failslab"
#define FAIL_PAGE	"/sys/kernel/debug/fail_page_alloc"

struct device test_dev;

static const char *want;
static char old_driver[DEVICE_NAME_SIZE];
static struct {
	const char *path;
	char old[32];
} params[] = {
	{ .path = VFIO_NOIOMMU_PARAM },
	{ .path = VFIO_UNSAFE_INTR_PARAM },
	{ .path = VFIO_NO_HUGEPAGES_PARAM },
	{ .path = HUGEPAGES_PARAM },
	{ .path = THP_PARAM },
};

/* Some files show all there is to choose from, with brackets around one. */
static void keep_chosen(char *text)
{
	char *start = strchr(text, '['), *end = strchr(text, ']');

	if (start && end) {
		*end = '\0';
		memmove(text, start + 1, end - start);
	}
}

static void save_params(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(params); i++) {
		if (sysfs_read(params[i].old, sizeof(params[i].old), "%s",
			       params[i].path) < 0)
			params[i].old[0] = '\0';
		keep_chosen(params[i].old);
	}
}

static void restore_params(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(params); i++) {
		if (params[i].old[0])
			sysfs_write(params[i].old, "%s", params[i].path);
	}
}

/* A test that fails does not get to its teardown. */
static void restore_all(void)
{
	if (old_driver[0])
		device_bind(&test_dev, old_driver);
	else
		device_unbind(&test_dev);
	restore_params();
}

void test_init(bool need_verdict)
{
	static const char * const words[] = {
		"dma_cc=1", "dma_cc=0", "eperm", "refused", "noiommu", "none",
	};
	const char *name = getenv("IOMMU_TEST_DEVICE");
	size_t i;

	if (!name || !*name)
		ksft_exit_skip("IOMMU_TEST_DEVICE is not set\n");
	if (device_find(&test_dev, name))
		ksft_exit_fail_msg("IOMMU_TEST_DEVICE=%s: no such device\n",
				   name);

	if (need_verdict) {
		want = getenv("IOMMU_TEST_VFIO");
		if (!want || !*want)
			ksft_exit_skip("IOMMU_TEST_VFIO is not set\n");
		for (i = 0; i < ARRAY_SIZE(words) && !test_wants(words[i]); i++)
			;
		if (i == ARRAY_SIZE(words))
			ksft_exit_fail_msg("IOMMU_TEST_VFIO=%s: no verdict\n",
					   want);
		if (test_wants("none"))
			ksft_exit_skip("VFIO is not tested here (none)\n");
	}

	device_driver(&test_dev, old_driver);
	save_params();
	atexit(restore_all);
}

bool test_wants(const char *verdict)
{
	return !strcmp(want, verdict);
}

const char *test_wanted(void)
{
	return want;
}

bool test_wants_type1(void)
{
	return !strncmp(want, "dma_cc=", strlen("dma_cc=")) ||
	       test_wants("eperm");
}

void test_init_type1(void)
{
	test_init(true);
	if (!test_wants_type1())
		ksft_exit_skip("no type1 IOMMU takes %s (%s)\n", test_dev.name,
			       want);
}

int test_reset(void)
{
	restore_params();
	return device_unbind(&test_dev);
}

int test_bind(void)
{
	int ret;

	ret = test_reset();
	if (!ret && test_wants("eperm"))
		ret = sysfs_write("Y", VFIO_UNSAFE_INTR_PARAM);
	return ret ?: device_bind(&test_dev, device_vfio_driver(&test_dev));
}

long test_locked_kb(void)
{
	return test_read_number("/proc/self/status", "VmLck");
}

int test_limit_locked(size_t bytes)
{
	struct rlimit limit = {
		.rlim_cur = test_locked_kb() * 1024 + bytes,
		.rlim_max = RLIM_INFINITY,
	};

	return setrlimit(RLIMIT_MEMLOCK, &limit) ? -errno : 0;
}

int test_drop_cap_ipc_lock(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return -errno;
	data[0].effective &= ~(1u << CAP_IPC_LOCK);
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

long test_read_number(const char *path, const char *name)
{
	size_t len = strlen(name);
	long number = -1;
	char line[256];
	FILE *file;

	file = fopen(path, "r");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, name, len) &&
		    (line[len] == ':' || line[len] == ' ')) {
			number = atol(line + len + 1);
			break;
		}
	}
	fclose(file);
	return number;
}

long test_pinned_pages(void)
{
	long acquired;

	/* Until then, each CPU keeps a part of the numbers to itself. */
	sysfs_write("1", "/proc/sys/vm/stat_refresh");
	acquired = test_read_number(VMSTAT, "nr_foll_pin_acquired");
	if (acquired < 0)
		return -1;
	return acquired - test_read_number(VMSTAT, "nr_foll_pin_released");
}

void *test_alloc(size_t size, int flags)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | flags, -1, 0);
}

int test_arm_fault(int nth)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", nth);
	return sysfs_write(text, FAIL_NTH);
}

bool test_fault_hit(void)
{
	char text[16] = "";

	sysfs_read(text, sizeof(text), FAIL_NTH);
	sysfs_write("0", FAIL_NTH);
	return atoi(text) == 0;
}

bool test_faults_ready(void)
{
	return !sysfs_write("N", FAILSLAB "/ignore-gfp-wait") &&
	       !sysfs_write("0", FAILSLAB "/verbose") &&
	       !sysfs_write("N", FAIL_PAGE "/ignore-gfp-wait") &&
	       !sysfs_write("0", FAIL_PAGE "/min-order") &&
	       !sysfs_write("0", FAIL_PAGE "/verbose") &&
	       sysfs_exists(FAIL_NTH);
}
