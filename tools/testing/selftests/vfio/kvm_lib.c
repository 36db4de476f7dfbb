// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM with one CPU in real mode and KVM's VFIO device, and kprobes that tell
 * what KVM does for it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kselftest.h"
#include "kvm_lib.h"
#include "vfio_test.h"

#define TRACING		"/sys/kernel/debug/tracing"
#define EVENTS		"vfio_test"
#define GUEST_BASE	0x1000
#define TSS_BASE	0xfffbd000

static const struct {
	const char *function;
	const char *args;
} probes[PROBES] = {
	{ "kvm_arch_register_noncoherent_dma", "" },
	{ "kvm_arch_unregister_noncoherent_dma", "" },
	{ "kvm_emulate_wbinvd", "" },
	{ "wbinvd_ipi", "" },
	{ "kvm_zap_gfn_range", "" },
	{ "vfio_group_set_kvm", " kvm=$arg2" },
};

void probes_remove(void)
{
	char line[128];
	int i;

	sysfs_write("0", TRACING "/events/" EVENTS "/enable");
	for (i = 0; i < PROBES; i++) {
		snprintf(line, sizeof(line), "-:" EVENTS "/%s\n",
			 probes[i].function);
		sysfs_write(line, TRACING "/kprobe_events");
	}
}

int probes_add(void)
{
	char line[128];
	int i, ret;

	probes_remove();
	for (i = 0; i < PROBES; i++) {
		snprintf(line, sizeof(line), "p:" EVENTS "/%s %s%s\n",
			 probes[i].function, probes[i].function,
			 probes[i].args);
		ret = sysfs_write(line, TRACING "/kprobe_events");
		if (ret)
			return ret;
	}

	/* Time stamps that are in order across CPUs, and an empty trace. */
	ret = sysfs_write("counter", TRACING "/trace_clock");
	return ret ?: sysfs_write("1", TRACING "/events/" EVENTS "/enable");
}

long probe_hits(enum probe probe)
{
	const char *function = probes[probe].function;
	char text[4096], *line;

	if (sysfs_read(text, sizeof(text), TRACING "/kprobe_profile") < 0)
		return -1;
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		line += strspn(line, " ");
		if (!strncmp(line, function, strlen(function)) &&
		    line[strlen(function)] == ' ')
			return atol(line + strlen(function));
	}
	return -1;
}

int probe_disorder(void)
{
	bool told = false, tell;
	unsigned long long kvm;
	int seen = 0, bad = 0;
	char line[512], *at;
	FILE *trace;

	trace = fopen(TRACING "/trace", "r");
	if (!trace)
		return -errno;
	while (fgets(line, sizeof(line), trace)) {
		at = strstr(line, " kvm=");
		if (line[0] == '#' || !at)
			continue;
		kvm = strtoull(at + strlen(" kvm="), NULL, 16);
		tell = kvm != 0;
		bad += tell == told;
		told = tell;
		seen++;
	}
	fclose(trace);

	/* What is not in the trace any more cannot be judged. */
	return seen == probe_hits(PROBE_SET_KVM) ? bad : -EOVERFLOW;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void vm_close_vfio(struct vm *vm)
{
	close_fd(&vm->vfio);
}

/* The mapping of the CPU's state keeps its file, and so the VM. */
void vm_close_rest(struct vm *vm)
{
	if (vm->run != MAP_FAILED)
		munmap(vm->run, vm->run_size);
	vm->run = MAP_FAILED;
	close_fd(&vm->cpu);
	close_fd(&vm->vm);
	close_fd(&vm->kvm);
	if (vm->mem != MAP_FAILED)
		munmap(vm->mem, SZ_4K);
	vm->mem = MAP_FAILED;
}

void vm_close(struct vm *vm)
{
	vm_close_vfio(vm);
	vm_close_rest(vm);
}

static int open_memory(struct vm *vm, const void *code, size_t size)
{
	struct kvm_userspace_memory_region slot = {
		.guest_phys_addr = GUEST_BASE,
		.memory_size = SZ_4K,
	};

	vm->mem = test_alloc(SZ_4K, 0);
	if (vm->mem == MAP_FAILED)
		return -errno;
	memcpy(vm->mem, code, size);
	slot.userspace_addr = (unsigned long)vm->mem;
	return ioctl(vm->vm, KVM_SET_USER_MEMORY_REGION, &slot) ? -errno : 0;
}

static int open_cpu(struct vm *vm)
{
	struct kvm_regs regs = { .rip = GUEST_BASE, .rflags = 2 };
	struct kvm_sregs sregs;

	vm->cpu = ioctl(vm->vm, KVM_CREATE_VCPU, 0);
	if (vm->cpu < 0)
		return -errno;
	vm->run_size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (vm->run_size < 0)
		return -errno;
	vm->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		       vm->cpu, 0);
	if (vm->run == MAP_FAILED)
		return -errno;

	if (ioctl(vm->cpu, KVM_GET_SREGS, &sregs))
		return -errno;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(vm->cpu, KVM_SET_SREGS, &sregs) ||
	    ioctl(vm->cpu, KVM_SET_REGS, &regs))
		return -errno;
	return 0;
}

int vm_open(struct vm *vm, const void *code, size_t size)
{
	struct kvm_create_device device = { .type = KVM_DEV_TYPE_VFIO };
	int ret;

	vm->vm = -1;
	vm->cpu = -1;
	vm->vfio = -1;
	vm->run = MAP_FAILED;
	vm->mem = MAP_FAILED;
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		return -errno;

	vm->vm = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	if (vm->vm < 0 || ioctl(vm->vm, KVM_SET_TSS_ADDR, TSS_BASE)) {
		ret = -errno;
		goto err_close;
	}
	ret = open_memory(vm, code, size);
	if (!ret)
		ret = open_cpu(vm);
	if (ret)
		goto err_close;

	if (ioctl(vm->vm, KVM_CREATE_DEVICE, &device)) {
		ret = -errno;
		goto err_close;
	}
	vm->vfio = device.fd;
	return 0;

err_close:
	vm_close(vm);
	return ret;
}

int vm_set_group(struct vm *vm, __u64 what, int group)
{
	struct kvm_device_attr attr = {
		.group = KVM_DEV_VFIO_GROUP,
		.attr = what,
		.addr = (unsigned long)&group,
	};

	return ioctl(vm->vfio, KVM_SET_DEVICE_ATTR, &attr) ? -errno : 0;
}

int vm_run(struct vm *vm, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) ||
	    ioctl(vm->cpu, KVM_RUN, 0))
		return -errno;
	return vm->run->exit_reason == KVM_EXIT_HLT ? 0 : -EIO;
}

void kvm_test_init(void)
{
	test_init_type1();
	if (access("/dev/kvm", R_OK | W_OK))
		ksft_exit_skip("/dev/kvm: %s\n", strerror(errno));
	if (!sysfs_exists(TRACING "/kprobe_events"))
		ksft_exit_skip(TRACING " has no kprobe_events\n");
	atexit(probes_remove);
}
