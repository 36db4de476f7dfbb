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

# Print $2, a number, as $1 bytes in hexadecimal digits, the lowest byte first.
le()
{
	local hex bytes='' i

	printf -v hex '%0*x' $((2 * $1)) "$2"
	for ((i = 2 * $1 - 2; i >= 0; i -= 2)); do
		bytes+=${hex:i:2}
	done
	printf %s "$bytes"
}

# The $2 bytes at offset $1 of table[] as a number.
get()
{
	local i value=''

	for ((i = $1; i < $1 + $2; i++)); do
		value=${table:2 * i:2}$value
	done
	printf %d "0x$value"
}

# Replace the bytes at offset $1 of table with $2.
put()
{
	table=${table:0:2 * $1}$2${table:2 * $1 + ${#2}}
}

# A structure of type $1 of a DMAR table with $2 in it.
dmar_struct()
{
	printf %s "$(le 2 "$1")$(le 2 $((4 + ${#2} / 2)))$2"
}

# A device scope of type $1 with enumeration ID $2 for device $3.$4 on bus 0.
dmar_scope()
{
	printf %s "$(le 1 "$1")080000$(le 1 "$2")00$(le 1 "$3")$(le 1 "$4")"
}

# An RMRR from $1 to $2 with the device scopes $3.
dmar_rmrr()
{
	dmar_struct 1 "00000000$(le 8 "$1")$(le 8 "$2")$3"
}

# An ANDD with number $1 and name $2.
dmar_andd()
{
	dmar_struct 4 "000000$(le 1 "$1")$(printf '%s\0' "$2" |
					   od -An -v -tx1 | tr -d ' \n')"
}

# Add the device scopes $1 to the first unit of a DMAR table.
dmar_add_scope()
{
	put 50 "$(le 2 $(($(get 50 2) + ${#1} / 2)))"
	table=${table:0:2 * 64}$1${table:2 * 64}
}

# An IVMD of type $1 with flags $2 for device ID $3 (to $4), $6 bytes from $5.
ivrs_ivmd()
{
	printf %s "$(le 1 "$1")$(le 1 "$2")2000$(le 2 "$3")$(le 2 "$4")" \
		  "$(le 8 0)$(le 8 "$5")$(le 8 "$6")"
}

# Write the bytes of table to $1. What edit_table left of length and checksum is
# mended; the kernel takes a table that is newer than the firmware's.
write_table()
{
	local i sum=0

	put 4 "$(le 4 $((${#table} / 2)))"
	put 24 "$(le 4 0x100)"
	put 9 00
	for ((i = 0; i < ${#table}; i += 2)); do
		sum=$((sum + 0x${table:i:2}))
	done
	put 9 "$(le 1 $((-sum & 0xff)))"
	printf '%b' "$(sed 's/../\\x&/g' <<< "$table")" > "$1"
}

# Change ACPI table $1 for the initrd in $2: edit_acpi gets the table as source
# for iasl, edit_table its bytes as hexadecimal digits in table. The kernel takes
# the result instead of the firmware's as it is newer.
make_acpi()
{
	local dir=$2/acpi/kernel/firmware/acpi source=$2/$1 table

	dump_acpi "$1" "$source.aml"
	mkdir -p "$dir" || exit 1
	if declare -F edit_table > /dev/null || [[ -n $mutant ]]; then
		table=$(od -An -v -tx1 "$source.aml" | tr -d ' \n')
		if declare -F edit_table > /dev/null; then
			edit_table || die "$name: edit_table failed"
		fi
		[[ -z $mutant ]] || mutate_table "$mutant"
		write_table "$dir/$1.aml"
		return
	fi
	command -v iasl > /dev/null || die "iasl: not found, install acpica-tools"
	iasl -p "$source" -d "$source.aml" > "$2/iasl.log" 2>&1 &&
	sed -i '/^Raw Table Data/,$d' "$source.dsl" &&
	edit_acpi "$source.dsl" &&
	acpi_set_bits "$source.dsl" 'Oem Revision' 0x100 &&
	iasl -p "$dir/$1" "$source.dsl" >> "$2/iasl.log" 2>&1 ||
		die "$name: cannot change $1: $(cat "$2/iasl.log")"
}
