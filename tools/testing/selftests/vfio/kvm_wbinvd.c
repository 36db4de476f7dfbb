// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM carries out a guest's WBINVD, on every CPU that ran the VM, and minds the
 * memory types that the guest asks for, exactly while the VM has a VFIO group
 * whose DMA may be non-coherent.
 *
 * What KVM does is seen with kprobes. The VM has one CPU in real mode.
 */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "../kselftest_harness.h"
#include "kvm_lib.h"
#include "vfio_lib.h"
#include "vfio_test.h"

#define CR0_CD	0x40000000u

/* start: hlt; wbinvd; hlt; jmp start */
static const unsigned char wbinvd_code[] = {
	0xf4, 0x0f, 0x09, 0xf4, 0xeb, 0xfa
};

/* start: mov %cr0,%eax; xor $(CD | NW),%eax; mov %eax,%cr0; hlt; jmp start */
static const unsigned char cd_code[] = {
	0x0f, 0x20, 0xc0, 0x66, 0x35, 0x00, 0x00, 0x00, 0x60,
	0x0f, 0x22, 0xc0, 0xf4, 0xeb, 0xf1
};

FIXTURE(kvm) {
	struct vfio vfio;
	struct vm vm;
	int coherent;
};

FIXTURE_SETUP(kvm)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(_exit(255), "two CPUs are needed");

	ASSERT_EQ(0, vm_open(&self->vm, wbinvd_code, sizeof(wbinvd_code)));
	ASSERT_EQ(0, test_bind());
	ASSERT_EQ(0, vfio_open_all(&self->vfio, &test_dev));
	self->coherent = test_wants("eperm") ?
		vfio_check(&self->vfio, VFIO_DMA_CC_IOMMU) :
		test_wants("dma_cc=1");
	ASSERT_LE(0, self->coherent);
	ASSERT_EQ(0, probes_add());
}

FIXTURE_TEARDOWN(kvm)
{
	vm_close(&self->vm);
	vfio_close(&self->vfio);
	probes_remove();
	test_reset();
}

/* How many CPUs are flushed as the VM, after CPU @first, does WBINVD on CPU 1. */
static long wbinvd(struct __test_metadata *_metadata, struct vm *vm, int first)
{
	long exits = probe_hits(PROBE_WBINVD);
	long flushes = probe_hits(PROBE_FLUSH);

	ASSERT_EQ(0, vm_run(vm, first));
	ASSERT_EQ(0, vm_run(vm, 1));
	EXPECT_EQ(exits + 1, probe_hits(PROBE_WBINVD));
	return probe_hits(PROBE_FLUSH) - flushes;
}

TEST_F(kvm, wbinvd)
{
	int group = self->vfio.group;
	struct vm *vm = &self->vm;

	EXPECT_EQ(0, wbinvd(_metadata, vm, 0));
	EXPECT_EQ(0, probe_hits(PROBE_REGISTER));

	ASSERT_EQ(0, vm_set_group(vm, KVM_DEV_VFIO_GROUP_ADD, group));
	EXPECT_EQ(!self->coherent, probe_hits(PROBE_REGISTER));
	EXPECT_EQ(self->coherent ? 0 : 2, wbinvd(_metadata, vm, 0));
	EXPECT_EQ(self->coherent ? 0 : 2, wbinvd(_metadata, vm, 0));

	EXPECT_EQ(0, probe_hits(PROBE_UNREGISTER));
	ASSERT_EQ(0, vm_set_group(vm, KVM_DEV_VFIO_GROUP_DEL, group));
	EXPECT_EQ(!self->coherent, probe_hits(PROBE_UNREGISTER));
	EXPECT_EQ(0, wbinvd(_metadata, vm, 0));
}

/*
 * The CPU that the WBINVD is executed on is the only one that ran the VM since
 * the first, which also reaches the one that set up the VM.
 */
TEST_F(kvm, wbinvd_local)
{
	struct vm *vm = &self->vm;

	ASSERT_EQ(0, vm_set_group(vm, KVM_DEV_VFIO_GROUP_ADD,
				  self->vfio.group));
	wbinvd(_metadata, vm, 1);
	EXPECT_EQ(!self->coherent, wbinvd(_metadata, vm, 1));
	EXPECT_EQ(!self->coherent, wbinvd(_metadata, vm, 1));
}

/* What a CPU wrote before the device came is dirty there all the same. */
TEST_F(kvm, wbinvd_before_device)
{
	struct vm *vm = &self->vm;
	long flushes;

	ASSERT_EQ(0, vm_run(vm, 0));
	ASSERT_EQ(0, vm_set_group(vm, KVM_DEV_VFIO_GROUP_ADD,
				  self->vfio.group));
	flushes = probe_hits(PROBE_FLUSH);
	ASSERT_EQ(0, vm_run(vm, 1));
	EXPECT_EQ(self->coherent ? 0 : 2, probe_hits(PROBE_FLUSH) - flushes);
}

/* How often memory types are refreshed as the guest changes CR0.CD once. */
static long toggle_cd(struct __test_metadata *_metadata, struct vm *vm)
{
	long zaps = probe_hits(PROBE_ZAP);
	struct kvm_sregs sregs;
	__u64 cr0;

	ASSERT_EQ(0, ioctl(vm->cpu, KVM_GET_SREGS, &sregs));
	cr0 = sregs.cr0;
	ASSERT_EQ(0, vm_run(vm, 0));
	ASSERT_EQ(0, ioctl(vm->cpu, KVM_GET_SREGS, &sregs));
	EXPECT_EQ((__u64)CR0_CD, (cr0 ^ sregs.cr0) & CR0_CD);
	return probe_hits(PROBE_ZAP) - zaps;
}

TEST_F(kvm, memory_types)
{
	int group = self->vfio.group;
	struct vm *vm = &self->vm;
	int i;

	memcpy(vm->mem, cd_code, sizeof(cd_code));
	EXPECT_EQ(0, toggle_cd(_metadata, vm));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, vm_set_group(vm, KVM_DEV_VFIO_GROUP_ADD, group));
		EXPECT_EQ(self->coherent ? 0 : 4 * i + 1,
			  probe_hits(PROBE_ZAP));
		EXPECT_EQ(!self->coherent, toggle_cd(_metadata, vm));
		EXPECT_EQ(!self->coherent, toggle_cd(_metadata, vm));
		ASSERT_EQ(0, vm_set_group(vm, KVM_DEV_VFIO_GROUP_DEL, group));
		EXPECT_EQ(self->coherent ? 0 : 4 * i + 4,
			  probe_hits(PROBE_ZAP));
		EXPECT_EQ(0, toggle_cd(_metadata, vm));
	}
}

int main(int argc, char **argv)
{
	kvm_test_init();
	return test_harness_run(argc, argv);
}
