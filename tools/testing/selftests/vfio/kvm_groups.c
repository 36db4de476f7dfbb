// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's count of the VFIO groups whose DMA may be non-coherent: right at every
 * moment, whatever else happens to the groups, and zero in the end.
 *
 * What KVM does is seen with kprobes.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include "../kselftest_harness.h"
#include "kvm_lib.h"
#include "vfio_lib.h"
#include "vfio_test.h"

#define ADD		KVM_DEV_VFIO_GROUP_ADD
#define DEL		KVM_DEV_VFIO_GROUP_DEL

#define RACE_THREADS	2
#define RACE_ROUNDS	200

/* hlt */
static const unsigned char guest_code[] = { 0xf4 };

FIXTURE(groups) {
	struct vfio vfio;
	struct vm vm;
	int noncoherent;
};

FIXTURE_SETUP(groups)
{
	ASSERT_EQ(0, vm_open(&self->vm, guest_code, sizeof(guest_code)));
	ASSERT_EQ(0, test_bind());
	ASSERT_EQ(0, vfio_open_all(&self->vfio, &test_dev));
	self->noncoherent = !(test_wants("eperm") ?
			      vfio_check(&self->vfio, VFIO_DMA_CC_IOMMU) :
			      test_wants("dma_cc=1"));
	ASSERT_EQ(0, probes_add());
}

FIXTURE_TEARDOWN(groups)
{
	vm_close(&self->vm);
	vfio_close(&self->vfio);
	probes_remove();
	test_reset();
}

TEST_F(groups, same_group_again)
{
	int group = self->vfio.group;
	struct vm *vm = &self->vm;
	int i;

	EXPECT_EQ(-ENOENT, vm_set_group(vm, DEL, group));
	for (i = 1; i <= 3; i++) {
		EXPECT_EQ(0, vm_set_group(vm, ADD, group));
		EXPECT_EQ(-EEXIST, vm_set_group(vm, ADD, group));
		EXPECT_EQ(i * self->noncoherent, probe_hits(PROBE_REGISTER));
		EXPECT_EQ(0, vm_set_group(vm, DEL, group));
		EXPECT_EQ(-ENOENT, vm_set_group(vm, DEL, group));
		EXPECT_EQ(i * self->noncoherent, probe_hits(PROBE_UNREGISTER));
	}
}

/* The files of a VM with a group, in the order of their bits. */
enum file { FILE_GROUP, FILE_CONTAINER, FILE_KVM_DEVICE, FILE_VM, FILES };

static void close_file(struct vfio *v, struct vm *vm, enum file file)
{
	switch (file) {
	case FILE_GROUP:
		/* The device's file would keep the group. */
		close(v->device);
		v->device = -1;
		close(v->group);
		v->group = -1;
		break;
	case FILE_CONTAINER:
		close(v->container);
		v->container = -1;
		break;
	case FILE_KVM_DEVICE:
		vm_close_vfio(vm);
		break;
	default:
		vm_close_rest(vm);
		break;
	}
}

/* The @n-th way to order @files things. */
static void permute(enum file *order, int files, int n)
{
	bool used[FILES] = { false };
	int i, file, skip, left = 1;

	for (i = 2; i < files; i++)
		left *= i;
	for (i = 0; i < files; i++) {
		skip = n / left;
		n %= left;
		for (file = 0; used[file] || skip; file++)
			skip -= !used[file];
		used[file] = true;
		order[i] = file;
		left /= (files - 1 - i) ?: 1;
	}
}

/* The VM lives until its own file and its device's are closed, with its groups. */
TEST_F_TIMEOUT(groups, closed_in_any_order, 120)
{
	long bad = self->noncoherent;
	struct vfio *v = &self->vfio;
	struct vm *vm = &self->vm;
	enum file order[FILES];
	bool gone;
	int i, n;

	for (n = 0; n < 24; n++) {
		permute(order, FILES, n);
		ASSERT_EQ(0, vm_set_group(vm, ADD, v->group));
		EXPECT_EQ(bad, probe_hits(PROBE_REGISTER));
		for (i = 0; i < FILES; i++) {
			close_file(v, vm, order[i]);
			gone = vm->vm < 0 && vm->vfio < 0;
			EXPECT_EQ(gone * bad, probe_hits(PROBE_UNREGISTER))
				TH_LOG("order %d, file %d", n, i);
		}
		EXPECT_EQ(bad, probe_hits(PROBE_REGISTER));

		/* All is free again. */
		ASSERT_EQ(0, probes_add());
		ASSERT_EQ(0, vm_open(vm, guest_code, sizeof(guest_code)));
		ASSERT_EQ(0, vfio_open_all(v, &test_dev));
	}
}

struct racer {
	pthread_t thread;
	struct vm *vm;
	int group;
	int added;
	int deleted;
	int error;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	int i, ret;

	for (i = 0; i < RACE_ROUNDS; i++) {
		ret = vm_set_group(r->vm, ADD, r->group);
		r->added += !ret;
		if (ret && ret != -EEXIST)
			r->error = ret;
		ret = vm_set_group(r->vm, DEL, r->group);
		r->deleted += !ret;
		if (ret && ret != -ENOENT)
			r->error = ret;
	}
	return NULL;
}

/* A report of KASAN or of lockdep taints the kernel. */
static long taint(void)
{
	char text[32];

	return sysfs_read(text, sizeof(text), "/proc/sys/kernel/tainted") > 0 ?
	       atol(text) : -1;
}

/* A group that is deleted must not be told of the VM afterwards. */
TEST_F_TIMEOUT(groups, race, 120)
{
	struct racer racers[RACE_THREADS] = { { .thread = 0 } };
	int i, added = 0, deleted = 0;
	long tainted = taint();

	for (i = 0; i < RACE_THREADS; i++) {
		racers[i].vm = &self->vm;
		racers[i].group = self->vfio.group;
		ASSERT_EQ(0, pthread_create(&racers[i].thread, NULL, race,
					    &racers[i]));
	}
	for (i = 0; i < RACE_THREADS; i++) {
		ASSERT_EQ(0, pthread_join(racers[i].thread, NULL));
		EXPECT_EQ(0, racers[i].error);
		added += racers[i].added;
		deleted += racers[i].deleted;
	}

	EXPECT_LT(0, added);
	EXPECT_EQ(added, deleted);
	EXPECT_EQ(-ENOENT, vm_set_group(&self->vm, DEL, self->vfio.group));
	EXPECT_EQ(added + deleted, probe_hits(PROBE_SET_KVM));
	EXPECT_EQ(0, probe_disorder());
	EXPECT_EQ(added * self->noncoherent, probe_hits(PROBE_REGISTER));
	EXPECT_EQ(deleted * self->noncoherent, probe_hits(PROBE_UNREGISTER));

	vm_close(&self->vm);
	vfio_close(&self->vfio);
	EXPECT_EQ(tainted, taint());
}

/* A second device, with its own driver, alone in a group. */
static struct device second;
static char second_driver[DEVICE_NAME_SIZE];

static void restore_second(void)
{
	char driver[DEVICE_NAME_SIZE];

	device_driver(&second, driver);
	if (second_driver[0] && strcmp(driver, second_driver))
		device_bind(&second, second_driver);
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void find_second(void)
{
	struct dirent **names;
	struct device dev;
	int i, n;

	n = scandir("/sys/bus/pci/devices", &names, visible, alphasort);
	for (i = 0; i < n; i++) {
		if (!second_driver[0] && strcmp(names[i]->d_name, test_dev.name) &&
		    !device_find(&dev, names[i]->d_name) && device_alone(&dev)) {
			device_driver(&dev, second_driver);
			second = dev;
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

FIXTURE(two) {
	struct vfio vfio;
	struct vm vm;
	int second;
	int noncoherent;
};

FIXTURE_SETUP(two)
{
	if (!second_driver[0])
		SKIP(_exit(255), "no second device is alone in a group");

	ASSERT_EQ(0, vm_open(&self->vm, guest_code, sizeof(guest_code)));
	ASSERT_EQ(0, test_bind());
	ASSERT_EQ(0, device_bind(&second, device_vfio_driver(&second)));
	ASSERT_EQ(0, vfio_open_all(&self->vfio, &test_dev));
	self->second = vfio_open_group(&second);
	ASSERT_LE(0, self->second);
	self->noncoherent = !(test_wants("eperm") ?
			      vfio_check(&self->vfio, VFIO_DMA_CC_IOMMU) :
			      test_wants("dma_cc=1"));
	ASSERT_EQ(0, probes_add());
}

FIXTURE_TEARDOWN(two)
{
	vm_close(&self->vm);
	close(self->second);
	vfio_close(&self->vfio);
	probes_remove();
	test_reset();
	restore_second();
}

static int join(struct vfio *v, int group)
{
	return ioctl(group, VFIO_GROUP_SET_CONTAINER, &v->container) ?
	       -errno : 0;
}

static int leave(int group)
{
	return ioctl(group, VFIO_GROUP_UNSET_CONTAINER) ? -errno : 0;
}

/* KVM must not be told, and needs not be. */
TEST_F(two, container_changes)
{
	long bad = self->noncoherent;
	struct vfio *v = &self->vfio;
	struct vm *vm = &self->vm;
	int i;

	ASSERT_EQ(0, vm_set_group(vm, ADD, v->group));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, join(v, self->second));
		EXPECT_EQ(!bad, vfio_check(v, VFIO_DMA_CC_IOMMU));
		EXPECT_EQ(bad, probe_hits(PROBE_REGISTER));
		EXPECT_EQ(0, probe_hits(PROBE_UNREGISTER));
		EXPECT_EQ(-EEXIST, vm_set_group(vm, ADD, v->group));
		EXPECT_EQ(-ENOENT, vm_set_group(vm, DEL, self->second));

		ASSERT_EQ(0, leave(self->second));
		EXPECT_EQ(!bad, vfio_check(v, VFIO_DMA_CC_IOMMU));
		EXPECT_EQ(bad, probe_hits(PROBE_REGISTER));
		EXPECT_EQ(0, probe_hits(PROBE_UNREGISTER));
	}

	ASSERT_EQ(0, join(v, self->second));
	ASSERT_EQ(0, vm_set_group(vm, DEL, v->group));
	EXPECT_EQ(bad, probe_hits(PROBE_UNREGISTER));

	/* The group that came second stays, and the first one leaves. */
	ASSERT_EQ(0, vm_set_group(vm, ADD, self->second));
	EXPECT_EQ(2 * bad, probe_hits(PROBE_REGISTER));
	close(v->device);
	v->device = -1;
	ASSERT_EQ(0, leave(v->group));
	EXPECT_EQ(!bad, vfio_check(v, VFIO_DMA_CC_IOMMU));
	EXPECT_EQ(bad, probe_hits(PROBE_UNREGISTER));
	EXPECT_EQ(-EBUSY, leave(self->second));
	vm_close(vm);
	EXPECT_EQ(2 * bad, probe_hits(PROBE_UNREGISTER));
	EXPECT_EQ(0, leave(self->second));
}

/* The first one registers for both, the last one undoes that. */
TEST_F(two, added_and_deleted)
{
	long bad = self->noncoherent;
	struct vfio *v = &self->vfio;
	struct vm *vm = &self->vm;
	int i, groups[] = { v->group, self->second };

	ASSERT_EQ(0, join(v, self->second));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, vm_set_group(vm, ADD, groups[i & 1]));
		EXPECT_EQ((i + 1) * bad, probe_hits(PROBE_REGISTER));
		ASSERT_EQ(0, vm_set_group(vm, ADD, groups[~i & 1]));
		EXPECT_EQ((i + 1) * bad, probe_hits(PROBE_REGISTER));

		ASSERT_EQ(0, vm_set_group(vm, DEL, groups[i >> 1]));
		EXPECT_EQ(i * bad, probe_hits(PROBE_UNREGISTER));
		ASSERT_EQ(0, vm_set_group(vm, DEL, groups[~i >> 1 & 1]));
		EXPECT_EQ((i + 1) * bad, probe_hits(PROBE_UNREGISTER));
	}
}

int main(int argc, char **argv)
{
	kvm_test_init();
	find_second();
	atexit(restore_second);
	return test_harness_run(argc, argv);
}
