// SPDX-License-Identifier: GPL-2.0-only
/*
 * What VFIO's type1 IOMMU costs: a line "NAME<tab>NANOSECONDS" for each thing
 * that userspace asks of it.
 *
 * Under QEMU's -icount shift=0 an instruction takes a nanosecond of the guest's
 * time, so the figures are instructions there, and repeat.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest.h"
#include "vfio_lib.h"
#include "vfio_test.h"

#define SZ_BIG		(128 * 1024 * 1024ul)
#define BIG_IOVA	0x40000000ull
#define SINGLE_PAGES	64
#define ROUNDS		16

static void fail(const char *what, long long err)
{
	fprintf(stderr, "vfio_bench: %s: %s\n", what, strerror(-err));
	exit(KSFT_FAIL);
}

static void must(const char *what, long long ret)
{
	if (ret < 0)
		fail(what, ret);
}

static unsigned long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void print(const char *name, unsigned long long ns, unsigned int units)
{
	printf("%s\t%llu\n", name, (ns + units / 2) / units);
}

static void skip(const char *name, const char *reason)
{
	printf("%s\t- %s\n", name, reason);
}

/* All of it at once, from memory that is there already. */
static void bench_big(struct vfio *v, void *mem, const char *map_name,
		      const char *unmap_name, size_t unit)
{
	unsigned int units = SZ_BIG / unit;
	unsigned long long start, mapped, unmapped;

	start = now();
	must(map_name, vfio_map(v, BIG_IOVA, mem, SZ_BIG, VFIO_RW));
	mapped = now();
	must(unmap_name, vfio_unmap(v, BIG_IOVA, SZ_BIG));
	unmapped = now();

	print(map_name, mapped - start, units);
	print(unmap_name, unmapped - mapped, units);
}

/* Kilobytes of transparent huge pages that the process has. */
static long huge_kb(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "re");
	char line[128];
	long kb = 0;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "AnonHugePages: %ld", &kb);
	if (f)
		fclose(f);
	return kb;
}

static void bench_hugetlb(struct vfio *v)
{
	char pages[16];
	void *mem;

	snprintf(pages, sizeof(pages), "%lu", SZ_BIG / SZ_2M);
	must(HUGEPAGES_PARAM, sysfs_write(pages, HUGEPAGES_PARAM));
	mem = test_alloc(SZ_BIG, MAP_HUGETLB);
	if (mem == MAP_FAILED) {
		skip("map_2m_hugetlb", "not enough huge pages");
	} else {
		memset(mem, 1, SZ_BIG);
		bench_big(v, mem, "map_2m_hugetlb", "unmap_2m_hugetlb", SZ_2M);
		munmap(mem, SZ_BIG);
	}
	must(HUGEPAGES_PARAM, sysfs_write("0", HUGEPAGES_PARAM));
}

static void bench_anonymous(struct vfio *v)
{
	void *mem, *aligned;

	mem = mmap(NULL, SZ_BIG + SZ_2M, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		fail("mmap", -errno);
	aligned = (void *)(((unsigned long)mem + SZ_2M - 1) & ~(SZ_2M - 1));

	madvise(aligned, SZ_BIG, MADV_HUGEPAGE);
	memset(aligned, 1, SZ_BIG);
	if (huge_kb() >= (long)(SZ_BIG / 1024))
		bench_big(v, aligned, "map_2m_thp", "unmap_2m_thp", SZ_2M);
	else
		skip("map_2m_thp", "no transparent huge pages");

	madvise(aligned, SZ_BIG, MADV_DONTNEED);
	madvise(aligned, SZ_BIG, MADV_NOHUGEPAGE);
	memset(aligned, 1, SZ_BIG);
	bench_big(v, aligned, "map_4k_many", "unmap_4k_many", SZ_4K);
	munmap(mem, SZ_BIG + SZ_2M);
}

static void bench_single(struct vfio *v)
{
	unsigned long long start, mapped, unmapped;
	unsigned char *mem = test_alloc(SINGLE_PAGES * SZ_4K, 0);
	int i;

	memset(mem, 1, SINGLE_PAGES * SZ_4K);
	/* The first page of a table costs more than the others. */
	must("map", vfio_map(v, BIG_IOVA, mem, SZ_4K, VFIO_RW));

	start = now();
	for (i = 1; i < SINGLE_PAGES; i++)
		must("map", vfio_map(v, BIG_IOVA + i * SZ_4K, mem + i * SZ_4K,
				     SZ_4K, VFIO_RW));
	mapped = now();
	for (i = 1; i < SINGLE_PAGES; i++)
		must("unmap", vfio_unmap(v, BIG_IOVA + i * SZ_4K, SZ_4K));
	unmapped = now();

	print("map_4k_one", mapped - start, SINGLE_PAGES - 1);
	print("unmap_4k_one", unmapped - mapped, SINGLE_PAGES - 1);
	must("unmap", vfio_unmap(v, BIG_IOVA, SZ_4K));
	munmap(mem, SINGLE_PAGES * SZ_4K);
}

/* From a container without an IOMMU, and to closing it, with nothing mapped. */
static void bench_container(void)
{
	unsigned long long start, attach = 0, ns = 0;
	struct vfio v;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		v.device = -1;
		v.container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
		v.group = vfio_open_group(&test_dev);
		must("/dev/vfio/vfio", v.container);
		must("group", v.group);

		start = now();
		if (ioctl(v.group, VFIO_GROUP_SET_CONTAINER, &v.container))
			fail("VFIO_GROUP_SET_CONTAINER", -errno);
		must("VFIO_SET_IOMMU", vfio_set_iommu(&v, VFIO_TYPE1v2_IOMMU));
		attach += now() - start;

		start = now();
		close(v.group);
		close(v.container);
		ns += now() - start;
	}
	print("attach", attach, ROUNDS);
	print("close", ns, ROUNDS);
}

static void bench_reserved_regions(void)
{
	unsigned long long start, ns = 0;
	char path[PATH_MAX], buf[4096];
	int i, fd, len;

	snprintf(path, sizeof(path), "%s/iommu_group/reserved_regions",
		 test_dev.path);
	for (i = 0; i < ROUNDS; i++) {
		start = now();
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			fail(path, -errno);
		do {
			len = read(fd, buf, sizeof(buf));
		} while (len > 0);
		close(fd);
		ns += now() - start;
		must(path, len);
	}
	print("reserved_regions", ns, ROUNDS);
}

int main(void)
{
	struct vfio v;

	test_init_type1();
	must("bind", test_bind());

	bench_reserved_regions();
	bench_container();

	must("open", vfio_open(&v, &test_dev));
	must("VFIO_SET_IOMMU", vfio_set_iommu(&v, VFIO_TYPE1v2_IOMMU));
	bench_single(&v);
	bench_hugetlb(&v);
	bench_anonymous(&v);
	vfio_close(&v);
	return KSFT_PASS;
}
