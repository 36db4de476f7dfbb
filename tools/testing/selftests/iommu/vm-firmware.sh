# SPDX-License-Identifier: GPL-2.0-only
#
# What firmware tells a test machine, changed: for vmtest.sh and its machines.
# shellcheck shell=bash disable=SC2154 # vmtest.sh sets what is used here

# Write the device tree of the machine in qemu[] to $1, as edit_dtb wants it.
make_dtb()
{
	"${qemu[@]}" -machine dumpdtb="$1" > /dev/null 2>&1
	[[ -s $1 ]] || die "$name: QEMU does not write its device tree"
	command -v fdtput > /dev/null ||
		die "fdtput: not found, install device-tree-compiler"
	edit_dtb "$1" || die "$name: edit_dtb failed"
}

# Path of the one node below the root of device tree $1 whose name is $2@...
fdt_node()
{
	local nodes

	nodes=$(fdtget -l "$1" / | grep -E "^$2(@|\$)")
	[[ -n $nodes && $nodes != *$'\n'* ]] ||
		die "$name: the device tree has not one $2, but: ${nodes:-none}"
	echo "/$nodes"
}

# Remove property $3 of node $2 from device tree $1. It has to be there.
fdt_remove()
{
	local node

	node=$(fdt_node "$1" "$2") &&
	fdtget "$1" "$node" "$3" > /dev/null &&
	fdtput -d "$1" "$node" "$3"
}

# Add a device $2 at address $3 to device tree $1, and put it behind the SMMU as
# stream $4. It has nothing but a few registers, and no driver wants it.
fdt_add_device()
{
	local node="/$2@$3" smmu

	smmu=$(fdt_node "$1" smmuv3) &&
	smmu=$(fdtget -t u "$1" "$smmu" phandle) &&
	fdtput -c "$1" "$node" &&
	fdtput -t s "$1" "$node" compatible iommu-test-device &&
	fdtput -t x "$1" "$node" reg 0 "$3" 0 1000 &&
	fdtput -t x "$1" "$node" iommus "$(printf %x "$smmu")" "$4"
}

# QEMU's side of the test protocol that reads and writes memory and ports.
qtest()
{
	printf '%s\n' "$*" >&"${QTEST[1]}"
	while read -r -t 20 reply <&"${QTEST[0]}"; do
		[[ $reply == OK* ]] && return
	done
	die "$name: QEMU does not answer '$*'"
}

swap32()
{
	printf '0x%02x%02x%02x%02x' $(($1 & 0xff)) $((($1 >> 8) & 0xff)) \
		$((($1 >> 16) & 0xff)) $((($1 >> 24) & 0xff))
}

# Leave $2 bytes of fw_cfg item $1 in reply, as hexadecimal digits.
fw_cfg()
{
	local ram=0x40000000 trigger='writel 0x9020014'

	if [[ $arch == x86_64 ]]; then
		ram=0x200000 trigger='outl 0x518'
	fi
	# Select the item, read it to the page behind this request.
	qtest "write $ram 16 0x$(printf '%04x000a%08x%016x' "$1" "$2" \
		$((ram + 4096)))"
	qtest "$trigger $(swap32 $ram)"
	qtest "read $((ram + 4096)) $2"
	reply=${reply#OK 0x}
}

# Where QEMU keeps the ACPI tables it gives to firmware: sets key and size.
find_tables()
{
	local want entry at

	want=$(printf 'etc/acpi/tables' | od -An -v -tx1 | tr -d ' \n')00
	fw_cfg 0x19 4
	fw_cfg 0x19 $((4 + 64 * 0x$reply))
	for ((at = 8; at < ${#reply}; at += 128)); do
		entry=${reply:at:128}
		if [[ ${entry:16} == "$want"* ]]; then
			size=$((0x${entry:0:8})) key=$((0x${entry:8:4}))
			return
		fi
	done
	die "$name: this machine has no ACPI tables"
}

# Write ACPI table $1 of the machine in qemu[] to $2. No firmware has to run for
# that: QEMU is only asked for what it would hand over.
dump_acpi()
{
	local reply key size hex length QTEST QTEST_PID

	coproc QTEST { exec timeout 30 "${qemu[@]}" -S -qtest stdio 2> /dev/null; }
	find_tables
	fw_cfg "$key" "$size"
	kill "$QTEST_PID"

	hex=$(printf %s "$1" | od -An -v -tx1 | tr -d ' \n')
	[[ $reply == *$hex* ]] || die "$name: this machine has no $1 table"
	reply=$hex${reply#*"$hex"}
	length=$(swap32 "0x${reply:8:8}")
	printf '%b' "$(sed 's/../\\x&/g' <<< "${reply:0:2 * length}")" > "$2"
}

# Set bits $3 in the first field that is called $2 in the table source $1.
acpi_set_bits()
{
	local at line value

	line=$(grep -nE -m 1 "[]] +$2( \(decoded below\))? : [0-9A-F]+" "$1") ||
		return 1
	at=${line%%:*}
	value=${line##* : }
	sed -i "${at}s/ : $value/ : $(printf "%0${#value}X" \
		$((0x$value | $3)))/" "$1"
}

# Change ACPI table $1 for the initrd in $2: edit_acpi gets the table as source
# for iasl. The kernel takes it instead of the firmware's as it is newer.
make_acpi()
{
	local dir=$2/acpi/kernel/firmware/acpi table=$2/$1

	command -v iasl > /dev/null || die "iasl: not found, install acpica-tools"
	dump_acpi "$1" "$table.aml"
	mkdir -p "$dir" &&
	iasl -p "$table" -d "$table.aml" > "$2/iasl.log" 2>&1 &&
	sed -i '/^Raw Table Data/,$d' "$table.dsl" &&
	edit_acpi "$table.dsl" &&
	acpi_set_bits "$table.dsl" 'Oem Revision' 0x100 &&
	iasl -p "$dir/$1" "$table.dsl" >> "$2/iasl.log" 2>&1 ||
		die "$name: cannot change $1: $(cat "$2/iasl.log")"
}
