#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# First program of a test machine, see vmtest.sh. It runs the tests, says on a
# channel of its own how each went, and powers off.
#
# Each line for vmtest.sh starts with the number this boot was given, which no
# test prints by accident.

busybox mkdir -p /proc /sys /dev /tmp /root /sbin
busybox mount -t proc none /proc
busybox mount -t sysfs none /sys
busybox mount -t devtmpfs none /dev
busybox mount -t debugfs none /sys/kernel/debug
busybox mount -t tmpfs none /tmp
busybox mkdir -p /dev/pts /dev/hugepages
busybox mount -t devpts none /dev/pts
busybox mount -t hugetlbfs none /dev/hugepages
busybox --install -s /bin

export HOME=/root PATH=/bin:/tests
# shellcheck source=/dev/null
. /machine

nonce=$(sed -n 's/.*\bvmtest\.nonce=\([0-9a-f]*\).*/\1/p' /proc/cmdline)

# Let the IOMMU appear, which waits for $1, BUS/DEVICE/DRIVER, to be bound.
bring_iommu()
{
	local bus=/sys/bus/${1%%/*} driver=${1##*/} device

	device=${1#*/}
	device=${device%/*}
	if [ -e "/sys/bus/pci/devices/$IOMMU_TEST_DEVICE/iommu_group" ] ||
	   [ -e "/sys/bus/platform/devices/$IOMMU_TEST_DEVICE/iommu_group" ]
	then
		echo "vm-init: the IOMMU is there, it was to appear now" >&2
		exit 1
	fi
	echo "$driver" > "$bus/devices/$device/driver_override" || exit 1
	[ ! -e "$bus/devices/$device/driver" ] ||
		echo "$device" > "$bus/devices/$device/driver/unbind" || exit 1
	echo "$device" > "$bus/drivers_probe" || exit 1
}

section()
{
	local name=$1

	shift
	echo "$nonce begin $name"
	"$@"
	echo "$nonce end $name $?"
}

# An object is reported when it is 5 seconds old and two scans in a row find no
# pointer to it.
check_leaks()
{
	local file=/sys/kernel/debug/kmemleak

	if [ ! -w "$file" ] || grep -qw kmemleak=off /proc/cmdline; then
		echo "1..0 # SKIP this kernel has no kmemleak, or it is off"
		return 4
	fi
	sleep 5
	echo scan > "$file" && echo scan > "$file" || return 1
	cat "$file"
	[ -z "$(cat "$file")" ]
}

run()
{
	if [ -e /command ]; then
		section command sh /command
	else
		for test in ${TESTS:-$(ls /tests)}; do
			section "$test" "/tests/$test"
		done
		section kmemleak check_leaks
	fi
}

# An IOMMU reports each fault that a test provokes, thousands of them, as info.
dmesg -n 6

[ -z "$LATE" ] || bring_iommu "$LATE"

if [ -e /shell ]; then
	setsid cttyhack sh -l
else
	stty -F "$CHANNEL" raw 2> /dev/null
	cd /tmp || exit 1
	{
		run
		echo "$nonce done"
	} < /dev/null 2>&1 | cat > "$CHANNEL"
fi
sync
poweroff -f
