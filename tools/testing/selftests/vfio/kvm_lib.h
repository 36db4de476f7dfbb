/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM with one CPU in real mode and KVM's VFIO device, and kprobes that tell
 * what KVM does for it.
 *
 * Functions return 0, or a value where they say so, or a negative errno.
 */
#ifndef SELFTESTS_VFIO_KVM_LIB_H
#define SELFTESTS_VFIO_KVM_LIB_H

#include <linux/kvm.h>
#include <linux/types.h>
#include <stddef.h>

/* Functions of the kernel, in the order of the table in kvm_lib.c. */
enum probe {
	PROBE_REGISTER,		/* non-coherent DMA starts */
	PROBE_UNREGISTER,	/* and stops */
	PROBE_WBINVD,		/* the guest's WBINVD is looked at */
	PROBE_FLUSH,		/* a CPU writes back its caches */
	PROBE_ZAP,		/* memory types are made anew */
	PROBE_SET_KVM,		/* a group learns of its VM, or of none */
	PROBES
};

/* Each file is -1 while it is not open. */
struct vm {
	int kvm;
	int vm;
	int cpu;
	int vfio;
	struct kvm_run *run;
	int run_size;
	void *mem;
};

/*
 * To be called by main() instead of test_init(). Ends the program where KVM has
 * nothing to do with VFIO, or cannot be watched.
 */
void kvm_test_init(void);

int probes_add(void);
void probes_remove(void);

/* How often the function was called since probes_add(). */
long probe_hits(enum probe probe);

/*
 * How often since probes_add() a group was told of a VM while it had one or of
 * none while it had none. There must have been one group only.
 */
int probe_disorder(void);

/* The CPU starts at the first byte of @code, of 4K at most. */
int vm_open(struct vm *vm, const void *code, size_t size);
void vm_close_vfio(struct vm *vm);
void vm_close_rest(struct vm *vm);
void vm_close(struct vm *vm);

/* @what is KVM_DEV_VFIO_GROUP_ADD or KVM_DEV_VFIO_GROUP_DEL. */
int vm_set_group(struct vm *vm, __u64 what, int group);

/* Run the VM on a CPU of the machine, up to its next HLT. */
int vm_run(struct vm *vm, int cpu);

#endif /* SELFTESTS_VFIO_KVM_LIB_H */
