# SPDX-License-Identifier: GPL-2.0-only
#
# Firmware tables that are damaged in ways that firmware finds: for vmtest.sh.
# What comes out depends on the number of the mutant only.
# shellcheck shell=bash disable=SC2034,SC2154 # vmtest.sh has the other half

# A number below $1 in random_value, from a generator that random_seed is in.
random()
{
	random_seed=$((random_seed * 6364136223846793005 + 1442695040888963407))
	random_value=$(((random_seed >> 33 & 0x7fffffff) % $1))
}

# A value of $1 bytes, as they are in memory, in random_hex: more often than not
# one at which something changes.
random_bytes()
{
	local i values=(00 ff 01 80 7f 10 08 04)

	random_hex=
	random ${#values[@]}
	i=$random_value
	random 3
	case $random_value in
	0)	# the same byte all over
		while ((${#random_hex} < 2 * $1)); do
			random_hex+=${values[i]}
		done
		;;
	1)	# one that is alone
		random_hex=${values[i]}
		while ((${#random_hex} < 2 * $1)); do
			random_hex+=00
		done
		;;
	2)
		while ((${#random_hex} < 2 * $1)); do
			random 256
			random_hex+=$(le 1 "$random_value")
		done
		;;
	esac
}

# The structures of table: where they start in start[], where each has its length
# in length_at[].
find_structures()
{
	local at length

	start=() length_at=()
	case $acpi_table in
	DMAR | IVRS)	at=48 ;;
	IORT)		at=$(get 40 4) ;;
	*)		die "$name: no mutants of $acpi_table are known" ;;
	esac
	while ((at + 4 <= ${#table} / 2)); do
		start+=("$at")
		case $acpi_table in
		IORT)	length_at+=($((at + 1))) ;;
		*)	length_at+=($((at + 2))) ;;
		esac
		length=$(get "${length_at[-1]}" 2)
		((length)) || break
		at=$((at + length))
	done
}

# Damage table in one way.
mutate_once()
{
	local start length_at at length which

	find_structures
	random ${#start[@]}
	which=$random_value
	at=${start[which]}
	length=$(get "${length_at[which]}" 2)
	((length > 4)) || length=4
	random 9
	case $random_value in
	0)	# a wrong length
		local wrong=(0 1 3 4 8 $((length - 1)) $((length + 1)) \
			     $((length + 64)) 0xffff)

		random ${#wrong[@]}
		put "${length_at[which]}" "$(le 2 "${wrong[random_value]}")"
		;;
	1)	# a table that ends early
		random $((${#table} / 2 - 36))
		table=${table:0:2 * (36 + random_value)}
		;;
	2)	# a structure that is there twice
		table+=${table:2 * at:2 * length}
		;;
	3)	# bytes that are missing
		random "$length"
		at=$((at + random_value))
		random 9
		table=${table:0:2 * at}${table:2 * (at + random_value)}
		;;
	4)	# bytes too many
		random "$length"
		at=$((at + random_value))
		random 9
		random_bytes $((random_value + 1))
		table=${table:0:2 * at}$random_hex${table:2 * at}
		;;
	5)	# another value of eight bytes
		random $((length / 4))
		at=$((at + 4 * random_value))
		random_bytes 8
		put "$at" "$random_hex"
		;;
	6)	# another value in what the table starts with
		random 12
		at=$((36 + random_value))
		random_bytes 1
		put "$at" "$random_hex"
		;;
	*)	# another value of one to four
		random "$length"
		at=$((at + random_value))
		random 4
		random_bytes $((random_value + 1))
		put "$at" "$random_hex"
		;;
	esac
}

# Make mutant $1 of table.
mutate_table()
{
	local random_seed=$1 random_value random_hex i n

	# Numbers that follow each other have to end far apart.
	for ((i = 0; i < 4; i++)); do
		random 1
	done
	random 3
	n=$((random_value + 1))
	for ((i = 0; i < n && ${#table} > 2 * 52; i++)); do
		mutate_once
	done
}
