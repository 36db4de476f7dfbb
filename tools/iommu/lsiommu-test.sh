#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests of lsiommu on sysfs trees that this script makes. Prints TAP.
#
# Takes the program to test, by default lsiommu beside this script.

set -u
export LC_ALL=C
unset COLUMNS NO_COLOR
umask 022

readonly PROG=${1:-$(dirname "$0")/lsiommu}
readonly CAPS=(cache_coherency enforce_cache_coherency interrupt_isolation
	       noexec pre_boot_protection)
readonly MSI="0x00000000fee00000 0x00000000feefffff msi"
readonly RMRR="0x00000000af000000 0x00000000af0fffff direct"

if [ ! -x "$PROG" ]; then
	echo "Bail out! $PROG is not a program: run make first"
	exit 1
fi
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
chmod 755 "$tmp"

tests=0
failures=0

# Runs the program on tree $1; leaves $rc, $out and $err.
run()
{
	local tree=$1

	shift
	timeout 60 "$PROG" --sysfs "$tmp/$tree" "$@" \
		>"$tmp/out" 2>"$tmp/err" </dev/null
	rc=$?
	out=$(tr '\0' '@' <"$tmp/out")
	err=$(cat "$tmp/err")
}

# result NAME: prints one line of TAP for the status of the command before it.
result()
{
	local ok=$?

	tests=$((tests + 1))
	if [ $ok -eq 0 ]; then
		echo "ok $tests - $1"
		return
	fi
	failures=$((failures + 1))
	echo "not ok $tests - $1"
	echo "# exit status $rc"
	head -n 20 "$tmp/out" | cat -v | sed 's/^/# stdout: /'
	head -n 20 "$tmp/err" | cat -v | sed 's/^/# stderr: /'
}

# The last run exited with $1, and wrote to stderr if and only if that is not 0.
exits()
{
	[ "$rc" -eq "$1" ] || return 1
	if [ "$1" -eq 0 ]; then
		[ -z "$err" ]
	else
		[ -n "$err" ]
	fi
}

skip()
{
	tests=$((tests + 1))
	echo "ok $tests - $1 # SKIP $2"
}

# The rows of the last table: squeezed, without the header.
rows()
{
	tail -n +2 "$tmp/out" | tr -s ' ' | sed 's/ $//'
}

# True if the last output is valid JSON that satisfies all filters given.
json()
{
	local filter

	for filter; do
		jq -e "$filter" <"$tmp/out" >/dev/null 2>"$tmp/jq" || return 1
	done
}

# result for a condition that needs jq.
json_result()
{
	local name=$1

	shift
	if command -v jq >/dev/null; then
		[ "$rc" -eq "$want" ] && json "$@"
		result "$name"
	else
		skip "$name" "jq is not installed"
	fi
}

new_tree()
{
	mkdir -p "$tmp/$1"/{kernel/iommu_groups,class/iommu,devices/virtual} \
		"$tmp/$1"/bus/{pci,platform}/{devices,drivers}
}

# add TREE GROUP NAME [KEY=VALUE]...: add a device, GROUP may be "none".
# Keys: bus, iommu, driver, caps (five words, "-" makes no file), own
# (regions of the device), regions (of its group).
add()
{
	local tree=$tmp/$1 group=$2 name=$3
	local bus=pci iommu="" driver="" caps="" own="" regions=""
	local dev groupdir values i

	shift 3
	[ $# -eq 0 ] || local "$@"
	dev=$tree/devices/$bus/$name
	mkdir -p "$dev" "$tree/bus/$bus/devices"
	echo "DRIVER=$driver" >"$dev/uevent"
	ln -s "../../../devices/$bus/$name" "$tree/bus/$bus/devices/$name"
	if [ -n "$driver" ]; then
		ln -s "../../../bus/$bus/drivers/$driver" "$dev/driver"
	fi
	if [ -n "$iommu" ]; then
		ln -s "../../virtual/iommu/$iommu" "$dev/iommu"
	fi
	if [ -n "$own" ]; then
		printf '%b' "$own" >"$dev/iommu_reserved_regions"
	fi
	if [ -n "$caps" ]; then
		read -r -a values <<<"$caps"
		mkdir "$dev/iommu_caps"
		for i in "${!values[@]}"; do
			[ "${values[i]}" = - ] ||
				echo "${values[i]}" >"$dev/iommu_caps/${CAPS[i]}"
		done
	fi
	[ "$group" = none ] && return
	groupdir=$tree/kernel/iommu_groups/$group
	mkdir -p "$groupdir/devices"
	ln -s "../../../../devices/$bus/$name" "$groupdir/devices/$name"
	ln -s "../../../kernel/iommu_groups/$group" "$dev/iommu_group"
	if [ -n "$regions" ]; then
		printf '%b' "$regions" >"$groupdir/reserved_regions"
	fi
}

# ------------------------------------------------------------------ trees

new_tree intel
add intel 10 0000:00:1f.2 iommu=dmar0 driver=ahci caps="1 1 1 0 0" \
	own="$MSI\n" regions="$MSI\n"
add intel 2 0000:00:03.0 iommu=dmar0 driver=vfio-pci caps="1 0 1 0 1" \
	own="$RMRR\n$MSI\n" regions="$RMRR\n$MSI\n"
add intel 10 0000:00:02.0 iommu=dmar0 caps="1 1 1 0 0" own="$MSI\n"
add intel 3 10000:00:00.0 iommu=dmar10 driver=nvme caps="1 1 1 0 0" own="$MSI\n"
add intel 4 0000:ff:00.0 iommu=dmar2 driver=xhci_hcd caps="1 1 1 0 0" \
	own="$MSI\n"
add intel none 0000:00:1f.0 driver=lpc_ich
add intel none serial8250 bus=platform driver=serial8250
add intel 5 a003e00.virtio_mmio bus=platform driver=virtio-mmio \
	caps="0 0 1 1 0" own="0x0000000008000000 0x00000000080fffff msi\n"

new_tree old				# a kernel without the new files
add old 0 0000:00:00.0 iommu=dmar0 regions="$MSI\n"
add old 1 0000:00:01.0 iommu=dmar0 driver=pcieport regions="$RMRR\n$MSI\n"
add old 1 0000:01:00.0 iommu=dmar0 driver=vfio-pci
add old 2 0000:00:05.0			# no file at all, and no IOMMU's name

new_tree nogroups
new_tree hidden
mkdir -p "$tmp/hidden/class/iommu/dmar0"
new_tree nokernel
rmdir "$tmp/nokernel/kernel/iommu_groups"
new_tree noiommu
add noiommu 0 0000:00:03.0 driver=vfio-pci
echo vfio-noiommu >"$tmp/noiommu/kernel/iommu_groups/0/name"

# ------------------------------------------------------------------ table

run intel
exits 0 && [ "$(rows)" = "\
dmar0 2 0000:00:03.0 1 0 1 0 1 vfio-pci af000000-af0fffff direct
 fee00000-feefffff msi
dmar0 10 0000:00:02.0 1 1 1 0 0 - fee00000-feefffff msi
dmar0 10 0000:00:1f.2 1 1 1 0 0 ahci fee00000-feefffff msi
dmar2 4 0000:ff:00.0 1 1 1 0 0 xhci_hcd fee00000-feefffff msi
dmar10 3 10000:00:00.0 1 1 1 0 0 nvme fee00000-feefffff msi
- 5 a003e00.virtio_mmio 0 0 1 1 0 virtio-mmio 08000000-080fffff msi" ]
result "table: values, numeric order, all regions, unnamed IOMMU last"

[ "$(head -n 1 "$tmp/out" | tr -s ' ')" = \
	"IOMMU GROUP DEVICE CC ENF IRQ NX PRE DRIVER RESERVED" ]
result "table: header"

# Every word of the header starts or ends where its column does.
awk 'NR == 1 { n = index($0, "RESERVED"); d = index($0, "DRIVER")
	       c = index($0, "CC") + 1; g = index($0, "GROUP") + 4; next }
     $1 ~ /^[0-9a-f]+-/ { if (match($0, /[^ ]/) != n) exit 1; next }
     { if (substr($0, n - 1, 1) != " " || substr($0, n, 1) == " " ||
	   substr($0, d - 1, 1) != " " || substr($0, d, 1) == " " ||
	   substr($0, c, 2) !~ /[01] / || substr($0, g, 2) !~ /[0-9] /)
		exit 1; rows++ }
     END { if (rows != 6) exit 1 }' "$tmp/out"
result "table: columns are aligned"

! grep -q ' $' "$tmp/out"
result "table: no blanks at the end of lines"

cp "$tmp/out" "$tmp/first"
run intel
cmp -s "$tmp/first" "$tmp/out"
result "table: the same twice"

run old
exits 0 && [ "$(rows)" = "\
dmar0 0 0000:00:00.0 ? ? ? ? ? - fee00000-feefffff msi (group)
dmar0 1 0000:00:01.0 ? ? ? ? ? pcieport af000000-af0fffff direct (group)
 fee00000-feefffff msi (group)
dmar0 1 0000:01:00.0 ? ? ? ? ? vfio-pci af000000-af0fffff direct (group)
 fee00000-feefffff msi (group)
- 2 0000:00:05.0 ? ? ? ? ? - ?" ]
result "kernel without the new files: unknown, regions marked as the group's"

new_tree some
add some 0 0000:00:01.0 iommu=dmar0 caps="1 - 0 - -" regions="$MSI\n"
true >"$tmp/some/devices/pci/0000:00:01.0/iommu_reserved_regions"
run some
exits 0 && [ "$(rows)" = "dmar0 0 0000:00:01.0 1 ? 0 ? ? - -" ]
result "kernel with some of the capabilities; a device without regions"

# ------------------------------------------------------------------ none

run nogroups
exits 0 && [ "$(grep -c . <<<"$out")" -eq 1 ] && [[ $out = "No IOMMU: "*off. ]]
result "no IOMMU: one line says so"
run nokernel
exits 0 && [[ $out = "No IOMMU: "*"without IOMMU support." ]]
result "kernel without IOMMU support: one line says so"
run hidden
exits 0 && [ "$out" = "No device is behind an IOMMU." ]
result "IOMMU without devices: one line says so"
run noiommu
exits 0 && [[ $out = "No IOMMU: "* ]]
result "group of VFIO's no-IOMMU mode is not listed"
want=0
run nogroups --json
json_result "no IOMMU: empty JSON" '. == {"devices": []}'
run missing
exits 1 && [ -z "$out" ] && [[ $err = *missing* ]]
result "--sysfs with a directory that does not exist"
run intel/bus
exits 1 && [[ $err = *intel/bus* ]]
result "--sysfs with a directory that is not sysfs"

# ------------------------------------------------------------------ JSON

want=0
run intel --json
json_result "JSON: every value of every device" '.devices | length == 6' \
	'[.devices[].group] == [2, 10, 10, 4, 3, 5]' \
	'.devices[0] == {
		"device": "0000:00:03.0",
		"path": "'"$(realpath "$tmp")"'/intel/devices/pci/0000:00:03.0",
		"behind_iommu": true, "iommu": "dmar0", "group": 2,
		"driver": "vfio-pci", "iommu_caps": {
			"cache_coherency": true,
			"enforce_cache_coherency": false,
			"interrupt_isolation": true,
			"noexec": false,
			"pre_boot_protection": true },
		"reserved_regions_of": "device",
		"reserved_regions": [
			{"start": "0x00000000af000000",
			 "end": "0x00000000af0fffff", "type": "direct"},
			{"start": "0x00000000fee00000",
			 "end": "0x00000000feefffff", "type": "msi"} ] }' \
	'.devices[1].driver == null' '.devices[5].iommu == null' \
	'[.devices[] | keys | length] | unique == [9]'
run old --json
json_result "JSON: unknown is null, regions of the group say so" \
	'[.devices[].iommu_caps[]] | length == 20 and all(. == null)' \
	'[.devices[].reserved_regions_of] ==
	 ["group", "group", "group", null]' \
	'.devices[3].reserved_regions == null and .devices[3].iommu == null'
run some --json
json_result "JSON: no regions are an empty array" \
	'.devices[0].reserved_regions == []' \
	'.devices[0].reserved_regions_of == "device"'

# ------------------------------------------------------------------ --device

row="dmar0 2 0000:00:03.0 1 0 1 0 1 vfio-pci af000000-af0fffff direct"
for arg in 0000:00:03.0 00:03.0 0:3.0 \
	   "$tmp/intel/devices/pci/0000:00:03.0" \
	   "$tmp/intel/bus/pci/devices/0000:00:03.0/" \
	   /devices/pci/0000:00:03.0 bus/pci/devices/0000:00:03.0; do
	run intel --device "$arg"
	exits 0 && [ "$(rows | head -n 1)" = "$row" ] &&
		[ "$(rows | wc -l)" -eq 2 ]
	result "--device ${arg#"$tmp"/}"
done
run intel -d 00:1F.2
exits 0 && [[ $(rows) = "dmar0 10 0000:00:1f.2 "* ]]
result "--device with capital digits"
run intel --device=10000:00:00.0
exits 0 && [[ $(rows) = "dmar10 3 10000:00:00.0 "* ]]
result "--device with a long domain"
run intel --device a003e00.virtio_mmio
exits 0 && [[ $(rows) = "- 5 a003e00.virtio_mmio 0 0 1 1 0 "* ]]
result "--device with a platform device"
run intel --device 00:1f.2 --device 00:03.0
exits 0 && [ "$(grep -c ^dmar0 "$tmp/out")" -eq 2 ] &&
	[[ $(rows) = "dmar0 2 "* ]]
result "--device twice"
run intel --device 00:1f.0 --device serial8250
exits 0 && [ "$(rows)" = "\
- - 0000:00:1f.0 - - - - - lpc_ich not behind an IOMMU
- - serial8250 - - - - - serial8250 not behind an IOMMU" ]
result "--device without IOMMU: said clearly, exit status 0"
run nokernel --device 00:1f.0
exits 1 && [ -z "$out" ] && [[ $err = *00:1f.0:* ]]
result "--device that is not there, without IOMMU"
run noiommu --device 00:03.0
exits 0 && [[ $(rows) = "- 0 0000:00:03.0 - - - - - vfio-pci not behind"* ]]
result "--device in VFIO's no-IOMMU mode is not behind an IOMMU"
run intel --json --device 00:1f.0
json_result "JSON: device without IOMMU" '.devices | length == 1' \
	'.devices[0] | .behind_iommu == false and .group == null and
	 .iommu == null and .driver == "lpc_ich" and
	 .reserved_regions == null and .iommu_caps.noexec == null'
for arg in 00:04.0 0001:00:03.0 00:20.0 00:03.8 100000000:00:03.0 :00:03.0 \
	   nosuch 0000:00:03.0x /nosuch/device "$tmp/intel/kernel" \
	   "$tmp/intel/devices/pci/0000:00:03.0/uevent" \
	   "$tmp/intel/devices/pci/0000:00:03.0/iommu_caps" .. '*'; do
	run intel --device "$arg"
	exits 1 && [ -z "$out" ] && [[ $err = *"$arg"* ]]
	result "--device ${arg#"$tmp"/}: unknown, named, exit status 1"
done
run intel --device nosuch --device 00:03.0
exits 1 && [[ $err = *nosuch* ]] && [[ $(rows) = "$row"* ]]
result "--device unknown: the others are shown"
want=1
run intel --device nosuch --json
json_result "JSON: unknown device" '. == {"devices": []}'
add intel 7 serial8250 bus=mdev
run intel --device serial8250
exits 0 && [ "$(rows | wc -l)" -eq 2 ]
result "--device with a name on two buses shows both"

# ------------------------------------------------------------------ usage

for arg in --nosuch -x operand --device --device= --sysfs= --json=1; do
	rc=0
	"$PROG" "$arg" >"$tmp/out" 2>"$tmp/err" </dev/null || rc=$?
	[ $rc -eq 2 ] && [ ! -s "$tmp/out" ] && grep -q -e --help "$tmp/err"
	result "bad usage: $arg"
done
run intel --help
missing=0
for arg in CC ENF IRQ NX PRE RESERVED --json --device --sysfs; do
	[[ $out = *"$arg"* ]] || missing=1
done
exits 0 && [[ $out = "Usage: "* ]] && [ $missing -eq 0 ] &&
	[ "$(wc -L <"$tmp/out")" -le 80 ]
result "--help explains options and columns, fits 80 columns"
run intel --version
exits 0 && [[ $out =~ ^lsiommu\ [0-9]+\.[0-9]+$ ]]
result "--version"
if [ -w /dev/full ]; then
	for arg in --json --help --version --sysfs="$tmp/intel"; do
		rc=0
		"$PROG" --sysfs "$tmp/intel" "$arg" >/dev/full 2>"$tmp/err" ||
			rc=$?
		[ $rc -eq 1 ] && grep -q "No space left" "$tmp/err"
		result "write error: ${arg%%=*}"
	done
else
	skip "write error" "no /dev/full"
fi

# ------------------------------------------------------------------ width

new_tree wide
add wide 2 0000:00:03.0 iommu=smmu3.0x0000000009050000 driver=vfio-pci \
	caps="1 0 1 1 0" own="$RMRR\n0x0000000000000000 0xffffffffffffffff msi\n"
add wide 3 0000:00:04.0 iommu=smmu3.0x0000000009050000 caps="1 0 1 1 0" \
	own=" "
true >"$tmp/wide/devices/pci/0000:00:04.0/iommu_reserved_regions"
run wide
exits 0 && [ "$(wc -L <"$tmp/out")" -gt 80 ] && [ "$(wc -l <"$tmp/out")" -eq 4 ]
result "pipe: full width"
COLUMNS=80 run wide
exits 0 && [ "$(wc -L <"$tmp/out")" -le 80 ] && [ "$(rows)" = "\
smmu3.0x0000000009050000 2 0000:00:03.0 1 0 1 1 0 vfio-pci
 reserved af000000-af0fffff direct
 reserved 00000000-ffffffffffffffff msi
smmu3.0x0000000009050000 3 0000:00:04.0 1 0 1 1 0 -" ]
result "80 columns: regions below their device"
COLUMNS=200 run wide
exits 0 && [ "$(wc -l <"$tmp/out")" -eq 4 ]
result "200 columns: regions beside their device"
for arg in 0 -5 abc "" 1 99999999999999999999; do
	COLUMNS=$arg run wide
	exits 0 && grep -q "ffffffffffffffff msi" "$tmp/out"
	result "COLUMNS='$arg' loses nothing"
done
COLUMNS=40 run old
exits 0 && [[ $(rows) = *"
- 2 0000:00:05.0 ? ? ? ? ? -
 reserved ?" ]]
result "40 columns: unknown regions"
COLUMNS=40 run intel --device 00:1f.0
exits 0 && [ "$(rows)" = "- - 0000:00:1f.0 - - - - - lpc_ich
 not behind an IOMMU" ]
result "40 columns: not behind an IOMMU"
new_tree q35
add q35 0 0000:00:00.0 iommu=dmar0 caps="1 1 1 0 0" own="$MSI\n"
add q35 1 0000:00:02.0 iommu=dmar0 driver=edu caps="1 1 1 0 0" own="$MSI\n"
add q35 2 0000:00:03.0 iommu=dmar0 driver=vfio-pci caps="1 1 1 0 0" \
	own="$RMRR\n$MSI\n"
add q35 3 0000:00:1f.2 iommu=dmar0 driver=ahci caps="1 1 1 0 0" own="$MSI\n"
COLUMNS=80 run q35
exits 0 && [ "$(wc -L <"$tmp/out")" -le 80 ] && [[ $out = *" RESERVED"* ]]
result "80 columns: enough for an ordinary machine"

# on_terminal COLUMNS VAR=VALUE...: runs it with a terminal as stdout
on_terminal()
{
	local cols=$1

	shift
	rc=0
	timeout 60 script -qec "stty cols $cols && \
		env $* '$PROG' --sysfs '$tmp/wide'" /dev/null \
		>"$tmp/out" 2>"$tmp/err" </dev/null || rc=$?
}

if command -v script >/dev/null && command -v stty >/dev/null; then
	on_terminal 80 TERM=xterm
	[ $rc -eq 0 ] && grep -q $'\033\[1mIOMMU' "$tmp/out" &&
		grep -q $'\033\[32m1\033\[0m' "$tmp/out"
	result "terminal: colour"
	[ "$(tr -d '\r' <"$tmp/out" | sed 's/\x1b\[[0-9]*m//g' | wc -L)" -le 80 ]
	result "terminal: 80 columns"
	on_terminal 200 TERM=xterm NO_COLOR=1
	[ $rc -eq 0 ] && grep -q IOMMU "$tmp/out" && ! grep -q $'\033' "$tmp/out"
	result "terminal: NO_COLOR"
	[ "$(wc -l <"$tmp/out")" -eq 4 ]
	result "terminal: 200 columns"
	on_terminal 80 TERM=dumb
	[ $rc -eq 0 ] && grep -q IOMMU "$tmp/out" && ! grep -q $'\033' "$tmp/out"
	result "terminal: TERM=dumb"
	on_terminal 80 TERM=xterm NO_COLOR=
	[ $rc -eq 0 ] && grep -q $'\033' "$tmp/out"
	result "terminal: empty NO_COLOR means nothing"
else
	skip "terminal" "script or stty is not installed"
fi
TERM=xterm run wide
exits 0 && ! grep -q $'\033' "$tmp/out"
result "pipe: no escape codes"

# ------------------------------------------------------------------ odd names

new_tree odd
add odd 0 $'sp ace"quote\\' bus=platform iommu=$'i"\t\033[31m' \
	driver=$'d\xff\xc3\xa9\xf0\x9f\x98\x80' caps="1 1 1 1 1" \
	own="0x0 0x1 odd type\\\\ \\033]0;x\\007\\0q\"\\377\\n"
run odd
exits 0 && [ "$(rows)" = "$(printf '%s' \
	'i"\x09\x1b[31m 0 sp\x20ace"quote\x5c 1 1 1 1 1 ' \
	'd\xff\xc3\xa9\xf0\x9f\x98\x80 ' \
	'00000000-00000001 odd type\x5c \x1b]0;x\x07\x00q"\xff')" ]
result "odd names: escaped in the table"
want=0
run odd --json
json_result "odd names: escaped in JSON" \
	'.devices[0].device == "sp ace\"quote\\"' \
	'.devices[0].iommu == "i\"\t\u001b[31m"' \
	'.devices[0].driver == "d\\xff\u00e9\ud83d\ude00"' \
	'.devices[0].reserved_regions[0].type ==
	 "odd type\\ \u001b]0;x\u0007\u0000q\"\\xff"'
! tr -d '\n' <"$tmp/out" | grep -q '[^ -~]'
result "odd names: JSON is printable ASCII"
want=0
new_tree utf8
i=0
for arg in $'\xc0\x80' $'\xe0\x80\x80' $'\xed\xa0\x80' $'\xf4\x90\x80\x80' \
	   $'\xf8\x88\x80\x80' $'\xe2\x82' $'\x80' $'\xc3('; do
	i=$((i + 1))
	add utf8 $i "n$arg" bus=platform regions="$MSI\n"
done
run utf8 --json
json_result "invalid UTF-8 in JSON: overlong, surrogate, cut, out of range" \
	'[.devices[].device] == ["n\\xc0\\x80", "n\\xe0\\x80\\x80",
	 "n\\xed\\xa0\\x80", "n\\xf4\\x90\\x80\\x80", "n\\xf8\\x88\\x80\\x80",
	 "n\\xe2\\x82", "n\\x80", "n\\xc3("]'
run odd --device $'no\033[31msuch'
exits 1 && ! grep -q $'\033' "$tmp/err"
result "odd names: escaped in messages"
long=$(printf '%0200d' 7)
add odd 3 "$long" bus=platform iommu="$long" driver="$long" caps="0 0 0 0 0" \
	own="$MSI\n"
run odd
[[ $(rows) = *"$long 3 $long 0 0 0 0 0 $long fee00000-feefffff msi"* ]]
result "long names are not cut"
new_tree same			# two devices of a group with the same name
add same 0 eth bus=platform regions="$MSI\n"
mkdir -p "$tmp/same/devices/other/eth"
ln -s ../../../../devices/other/eth \
	"$tmp/same/kernel/iommu_groups/0/devices/eth.0"
run same
exits 0 && [ "$(rows | grep -c '^- 0 eth ?')" -eq 2 ]
result "link renamed by the kernel: the device keeps its name"

# ------------------------------------------------------------------ bad files

# bad NAME PATH ROW: the only error on tree bad is PATH, and ROW is there
bad()
{
	run bad
	exits 1 && [ "$(wc -l <"$tmp/err")" -eq 1 ] && [[ $err = *"/$2: "* ]] &&
		rows | grep -qxF -e "$3" &&
		rows | grep -qxF "dmar0 9 0000:00:09.0 1 1 1 1 1 - \
fee00000-feefffff msi"
	result "$1"
}

# Starts tree bad over: one device to spoil, $dev, and one that is good.
bad_tree()
{
	rm -rf "$tmp/bad"
	new_tree bad
	add bad 1 0000:00:01.0 iommu=dmar0 driver=edu caps="1 1 1 1 1" \
		own="$MSI\n" regions="$RMRR\n"
	add bad 9 0000:00:09.0 iommu=dmar0 caps="1 1 1 1 1" own="$MSI\n"
	dev=$tmp/bad/devices/pci/0000:00:01.0
	group=$tmp/bad/kernel/iommu_groups/1
}

msi="fee00000-feefffff msi"
for arg in directory dangling loop fifo empty "2\n" "1" "01\n" "1\n1\n" "\0\n"; do
	bad_tree
	rm "$dev/iommu_caps/noexec"
	case $arg in
	directory)	mkdir "$dev/iommu_caps/noexec" ;;
	dangling)	ln -s nowhere "$dev/iommu_caps/noexec" ;;
	loop)		ln -s noexec "$dev/iommu_caps/noexec" ;;
	fifo)		mkfifo "$dev/iommu_caps/noexec" ;;
	empty)		true >"$dev/iommu_caps/noexec" ;;
	*)		printf '%b' "$arg" >"$dev/iommu_caps/noexec" ;;
	esac
	bad "bad capability: $arg" iommu_caps/noexec \
		"dmar0 1 0000:00:01.0 1 1 1 ? 1 edu $msi"
done
bad_tree
rm "$dev/iommu_reserved_regions"
ln -s /dev/zero "$dev/iommu_reserved_regions"
run bad
exits 1 && [[ $err = *"/iommu_reserved_regions: not a regular file" ]]
result "regions that never end are not read"
bad_tree
rm -r "$dev/iommu_caps"
true >"$dev/iommu_caps"
bad "iommu_caps is a file" iommu_caps "dmar0 1 0000:00:01.0 ? ? ? ? ? edu $msi"

for arg in directory dangling; do
	bad_tree
	rm "$dev/iommu_reserved_regions"
	case $arg in
	directory)	mkdir "$dev/iommu_reserved_regions" ;;
	dangling)	ln -s nowhere "$dev/iommu_reserved_regions" ;;
	esac
	bad "bad regions: $arg, those of the group are shown" \
		iommu_reserved_regions \
		"dmar0 1 0000:00:01.0 1 1 1 1 1 edu af000000-af0fffff direct (group)"
done
for arg in garbage "0x1 0x2" "0x1 0x2 " "0x1  0x2 msi" "1 2 msi" "0x 0x2 msi" \
	   "0x10000000000000000 0x2 msi" "-0x1 0x2 msi" ""; do
	bad_tree
	printf '%b' "$RMRR\n$arg\n$MSI\n" >"$dev/iommu_reserved_regions"
	run bad
	exits 1 && [[ $err = *"/iommu_reserved_regions: line 2 "* ]] &&
		[ "$(rows | head -n 3)" = "\
dmar0 1 0000:00:01.0 1 1 1 1 1 edu af000000-af0fffff direct
$(tr -s ' ' <<<" ? $arg" | sed 's/ $//')
 $msi" ]
	result "bad line of regions: '$arg'"
done
want=1
run bad --json
json_result "JSON: bad line of regions" \
	'[.devices[0].reserved_regions[].type] == ["direct", "", "msi"]' \
	'.devices[0].reserved_regions[1] |
	 has("start") and .start == null and .end == null'
bad_tree
printf '%s' "$MSI" >"$dev/iommu_reserved_regions"
bad "regions cut off at a page" iommu_reserved_regions \
	"dmar0 1 0000:00:01.0 1 1 1 1 1 edu ? $MSI"

bad_tree
rm "$dev/driver"
mkdir "$dev/driver"
bad "driver is no link" driver "dmar0 1 0000:00:01.0 1 1 1 1 1 ? $msi"
bad_tree
rm "$dev/iommu"
true >"$dev/iommu"
bad "iommu is no link" iommu "? 1 0000:00:01.0 1 1 1 1 1 edu $msi"
bad_tree
rm -r "$dev"
bad "link to a device that is gone" devices/0000:00:01.0 \
	"? 1 0000:00:01.0 ? ? ? ? ? ? af000000-af0fffff direct (group)"
want=1
run bad --json
json_result "JSON: link to a device that is gone" \
	'.devices[1] | .device == "0000:00:01.0" and .path == null and
	 .behind_iommu and .group == 1 and .reserved_regions_of == "group"'
run bad --device 00:01.0
exits 1 && [ -z "$out" ] && [[ $err = *0000:00:01.0:* ]]
result "--device with a link to a device that is gone"
bad_tree
mkdir "$group/../1x"
bad "group that is no number" iommu_groups/1x \
	"dmar0 1 0000:00:01.0 1 1 1 1 1 edu $msi"
bad_tree
rm -r "$tmp/bad/kernel/iommu_groups/1/devices"
run bad
exits 1 && [[ $err = */1/devices:* ]] && [[ $(rows) = "dmar0 9 "* ]]
result "group without devices directory"
bad_tree
mkdir -p "$group/../2/devices"
run bad
exits 0 && [ "$(rows | wc -l)" -eq 2 ]
result "empty group"
rm -r "$tmp/bad/kernel/iommu_groups"
true >"$tmp/bad/kernel/iommu_groups"
run bad
exits 1 && [ -z "$out" ] && [[ $err = */kernel/iommu_groups:* ]]
result "iommu_groups is a file"
bad_tree
rm "$dev/iommu_group"
ln -s ../../../kernel/iommu_groups/x "$dev/iommu_group"
run bad --device 00:01.0
exits 1 && [ -z "$out" ] && [[ $err = */iommu_group:* ]]
result "--device with an odd iommu_group"

# Modes mean nothing to root, so these run as nobody then.
as_user=()
if [ "$(id -u)" -eq 0 ]; then
	as_user=(setpriv --reuid 65534 --regid 65534 --clear-groups)
fi
cp "$PROG" "$tmp/lsiommu"
chmod 755 "$tmp/lsiommu"
if "${as_user[@]}" "$tmp/lsiommu" --version >/dev/null 2>&1; then
	run_user()
	{
		rc=0
		timeout 60 "${as_user[@]}" "$tmp/lsiommu" --sysfs "$tmp/bad" \
			>"$tmp/out" 2>"$tmp/err" || rc=$?
		err=$(cat "$tmp/err")
	}
	bad_tree
	run_user
	exits 0 && [ "$(rows | wc -l)" -eq 2 ]
	result "no root: everything is shown"
	for arg in iommu_caps/noexec iommu_caps .; do
		bad_tree
		case $arg in
		*/noexec)	row="dmar0 1 0000:00:01.0 1 1 1 ? 1 edu $msi" ;;
		iommu_caps)	row="dmar0 1 0000:00:01.0 ? ? ? ? ? edu $msi" ;;
		*)		row="? 1 0000:00:01.0 ? ? ? ? ? ? "
				row+="af000000-af0fffff direct (group)" ;;
		esac
		chmod 0 "$dev/$arg"
		run_user
		chmod 755 "$dev/$arg"
		exits 1 && [ "$(wc -l <"$tmp/err")" -eq 1 ] &&
			[[ $err = *": Permission denied" ]] &&
			rows | grep -qxF -e "$row" &&
			rows | grep -q "^dmar0 9 "
		result "no root: $arg of a device cannot be read"
	done
	bad_tree
	chmod 0 "$group/devices"
	run_user
	chmod 755 "$group/devices"
	exits 1 && [[ $err = */1/devices:* ]] && [[ $(rows) = "dmar0 9 "* ]]
	result "no root: a group cannot be read"
	bad_tree
	chmod 0 "$group/.."
	run_user
	chmod 755 "$group/.."
	exits 1 && [ ! -s "$tmp/out" ] && [[ $err = */iommu_groups:* ]]
	result "no root: groups cannot be read"
else
	skip "no root" "cannot run a program as another user"
fi

# ------------------------------------------------------------------ many

new_tree many
template=$tmp/many/devices/template
mkdir -p "$tmp/many/devices/pci" "$template/iommu_caps"
ln -s ../../virtual/iommu/dmar0 "$template/iommu"
ln -s ../../../bus/pci/drivers/edu "$template/driver"
for arg in "${CAPS[@]}"; do
	echo 1 >"$template/iommu_caps/$arg"
done
for ((i = 0; i < 300; i++)); do		# 200 lines are three pages
	printf '0x%016x 0x%016x direct\n' $((i << 20)) $((i << 20 | 0xfff))
done >"$template/iommu_reserved_regions"
for ((i = 0; i < 600; i++)); do
	printf -v arg '0000:%02x:%02x.%x' $((i >> 8)) $((i >> 3 & 31)) $((i & 7))
	cp -a "$template" "$tmp/many/devices/pci/$arg"
	mkdir -p "$tmp/many/kernel/iommu_groups/$i/devices"
	ln -s "../../../../devices/pci/$arg" \
		"$tmp/many/kernel/iommu_groups/$i/devices/$arg"
done
run many
exits 0 && awk 'NR > 1 && $1 == "dmar0" { if ($2 != n++) exit 1 }
		END { if (n != 600 || NR != 1 + 600 * 300) exit 1 }' "$tmp/out"
result "600 devices with 300 regions each: all shown, in order"
[ "$(sed -n '2p' "$tmp/out" | tr -s ' ')" = \
  "dmar0 0 0000:00:00.0 1 1 1 1 1 edu 00000000-00000fff direct" ] &&
	[ "$(tail -n 1 "$tmp/out" | tr -d ' ')" = 12b00000-12b00fffdirect ]
result "600 devices: first and last line"
want=0
run many --json
json_result "600 devices: JSON is complete" \
	'.devices | length == 600 and all(.reserved_regions | length == 300)'
rm -rf "$tmp/many"

# ------------------------------------------------------------------ this host

rc=0
"$PROG" >"$tmp/out" 2>"$tmp/err" || rc=$?
if [ -d /sys/kernel ]; then
	[ $rc -le 1 ] && { [ -s "$tmp/out" ] || [ -s "$tmp/err" ]; }
	result "sysfs of this host"
else
	skip "sysfs of this host" "no sysfs"
fi

echo "1..$tests"
[ $failures -eq 0 ]
