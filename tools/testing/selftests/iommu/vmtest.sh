#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Boot test machines in QEMU, run the tests of a directory inside each of them
# and print the results as TAP. No root and no KVM is needed.
#
# A machine is a file in machines/. It sets:
#   arch          x86_64 or arm64
#   description   one line for -l
#   qemu          array of arguments for QEMU, with the device under test
#   cmdline       kernel parameters
#   memory        MiB of memory, 512 if empty
#   device        name of the device under test on its bus
#   expect        its capabilities, empty if it has no IOMMU
#   vfio          what VFIO does with it
#   late          BUS/DEVICE/DRIVER to bind before the tests, on machines whose
#                 IOMMU only appears then
#   firmware      file to boot through, for ACPI on arm64
#   edit_dtb      function that edits the device tree $1, see vm-firmware.sh
#   edit_acpi     function that edits ACPI table acpi_table, as source for iasl, $1
#   edit_table    the same with its bytes, in table
#   regions       regions that only that device has, a line for each as in sysfs
#   regions_all   regions that every device has
#   wanted        array of patterns, each of which is in one line of the kernel
#                 log; then there are no other complaints about firmware
#   tests         the tests to run, all if empty

set -u -o pipefail

readonly SELF=${0##*/}
HERE=$(realpath "$(dirname "$0")") || exit 1
readonly HERE
readonly MACHINES=$HERE/machines

# The device under test: it does any DMA it is told to.
# shellcheck disable=SC2034	# for the machines
readonly EDU=edu,dma_mask=0xffffffffffffffff
# Two functions of this share a group, and a driver takes them at once.
# shellcheck disable=SC2034
readonly RNG=virtio-rng-pci,iommu_platform=on,disable-legacy=on

# A line of the kernel log that fails a machine.
readonly BAD='WARNING:|BUG:'\
'|INFO: (possible|task .* blocked|rcu|trying to register)|Oops'\
'|Kernel panic|KASAN:|UBSAN:|cut here|Call [Tt]race'\
'|rcu:? .*(stall|self-detected)|suspicious RCU|refcount_t:'\
'|general protection|Unable to handle|Internal error:'\
'|not ok [0-9]'

# A line of a test that says nothing about a failure.
readonly PASSED='^(ok |# +(RUN|OK|SKIP) )|^$'

declare -A image=() guest=()
jobs=1 seconds=480 logs='' shell='' command='' retry='' mutants=0 icount=''

usage()
{
	cat << END
usage: $SELF [options] [machine...]

Boots each machine, by default every one whose kernel is given.

  -k ARCH=IMAGE   kernel for x86_64 or arm64 machines, patched or not
  -g ARCH=DIR     static programs for them: DIR/bin with busybox, DIR/tests
  -c COMMAND      run COMMAND in the machines and print only its output
  -s              start a shell in the machine
  -m N            boot N mutants of each machine, which needs an acpi_table, and
                  look at nothing but whether they get to init; MACHINE~K is the
                  Kth of them
  -t SECONDS      bound for one boot ($seconds)
  -j N            machines at a time ($jobs)
  -o DIR          keep MACHINE.log (kernel) and MACHINE.out (tests) there
  -i              one CPU and a clock that counts its instructions, for
                  benchmarks: an instruction takes a nanosecond
  -r              boot a machine that hangs once more, and say so: an emulated
                  CPU may lose its timer on a busy host
  -l              list the machines
  -h              this text

Exit status: 0 if all is well, 1 otherwise.
END
}

die()
{
	echo "$SELF: $*" >&2
	exit 1
}

# shellcheck source=vm-firmware.sh
. "$HERE/vm-firmware.sh" || exit 1
# shellcheck source=vm-mutants.sh
. "$HERE/vm-mutants.sh" || exit 1

# Set the variables of machine $1.
load_machine()
{
	local name=${1%~*} var

	unset -f edit_dtb edit_acpi edit_table
	arch='' description='' qemu=() cmdline='' memory='' device='' expect=''
	vfio='' late='' firmware='' acpi_table='' regions='' regions_all=''
	tests='' mutant='' wanted=()
	[[ -f $MACHINES/$name ]] || die "no machine '$name': -l lists them"
	# shellcheck source=/dev/null
	. "$MACHINES/$name" || die "$MACHINES/$name: not a machine"
	for var in arch description device vfio; do
		[[ -n ${!var} ]] || die "$MACHINES/$name: $var is not set"
	done
	[[ $name != "$1" ]] || return 0
	mutant=${1#*~}
	[[ $mutant =~ ^[1-9][0-9]*$ && -n $acpi_table ]] ||
		die "no mutant '$1': there are those of machines with acpi_table"
	wanted=()
}

machine_names()
{
	(cd "$MACHINES" && printf '%s\n' *)
}

list_machines()
{
	local name

	for name in $(machine_names); do
		load_machine "$name"
		printf '%-24s %-7s %s\n' "$name" "$arch" "$description"
	done
}

qemu_program()
{
	echo "qemu-system-${arch/arm64/aarch64}"
}

# The device under test is not the only one: NVMe and the random number
# generator do DMA through the kernel's DMA API.
add_companions()
{
	qemu+=(-device "$RNG,bus=pcie.0,addr=4"
	       -drive "if=none,id=disk,driver=null-co,size=16M,read-zeroes=on"
	       -device "nvme,bus=pcie.0,addr=5,serial=1,drive=disk")
}

set_qemu()
{
	qemu+=(-smp 2 -m "${memory:-512}" -accel tcg -nodefaults -nic none
	       -no-reboot -display none)
	# A driver that waits for DMA which never comes is not what a mutant is for.
	[[ -n $mutant ]] || add_companions
	cmdline+=" panic=-1 loglevel=8"
	case $arch in
	x86_64)
		qemu=("$(qemu_program)" -M "q35,kernel-irqchip=split" -cpu EPYC
		      "${qemu[@]}")
		# An emulated timer that is late on a busy host is no broken timer.
		cmdline+=" console=ttyS0 no_timer_check"
		channel=ttyS1
		;;
	arm64)
		qemu=("$(qemu_program)" -M "virt,gic-version=3"
		      -cpu cortex-a57 "${qemu[@]}")
		cmdline+=" console=ttyAMA0"
		channel=vport0p1
		;;
	*)
		die "$MACHINES/$name: unknown arch '$arch'"
		;;
	esac
	# Later arguments win. Room for 128 MiB of huge pages in one piece.
	[[ -z $icount ]] || qemu+=(-smp 1 -m 1G -icount shift=0)
	if [[ -n $firmware ]]; then
		[[ -f $firmware ]] ||
			die "$firmware: not found, install qemu-efi-aarch64"
		qemu+=(-bios "$firmware")
	fi
}

# Tests write to a port of their own, which no kernel message gets into.
set_channels()
{
	qemu+=(-chardev "file,id=console,path=$log,append=on"
	       -serial chardev:console
	       -chardev "file,id=channel,path=$out")
	case $arch in
	x86_64)
		qemu+=(-serial chardev:channel)
		;;
	arm64)
		qemu+=(-device virtio-serial-device
		       -device "virtserialport,chardev=channel")
		;;
	esac
}

archive()
{
	(cd "$1" && find . | LC_ALL=C sort |
		cpio --quiet -o -H newc -R 0:0 --reproducible)
}

# One archive with the programs is shared by all machines of an architecture.
pack_guest()
{
	local dir=$tmp/guest-$1

	mkdir -p "$dir/tests" &&
	cp -rL "${guest[$1]}/bin" "$dir/bin" &&
	cp "$HERE/vm-init.sh" "$dir/init" || exit 1
	if [[ -d ${guest[$1]}/tests ]]; then
		cp -rL "${guest[$1]}/tests" "$dir/" || exit 1
	fi
	archive "$dir" > "$tmp/guest-$1.cpio" || die "cannot pack ${guest[$1]}"
}

# A mutant has no tests. It powers off as soon as it can.
pack_mutant()
{
	local dir=$tmp/mutant-$1

	mkdir -p "$dir/bin" &&
	cp -L "${guest[$1]}/bin/busybox" "$dir/bin/poweroff" || exit 1
	archive "$dir" > "$tmp/mutant-$1.cpio" || die "cannot pack ${guest[$1]}"
}

# A second archive tells the guest which machine it is in. ACPI tables have to
# come first.
pack_initrd()
{
	local dir=$tmp/$name

	mkdir -p "$dir/own" || exit 1
	{
		printf 'export IOMMU_TEST_MACHINE=%q\n' "$name"
		printf 'export IOMMU_TEST_DEVICE=%q\n' "$device"
		printf 'export IOMMU_TEST_EXPECT=%q\n' "$expect"
		printf 'export IOMMU_TEST_VFIO=%q\n' "$vfio"
		printf 'export IOMMU_TEST_REGIONS=%q\n' "$regions"
		printf 'export IOMMU_TEST_REGIONS_ALL=%q\n' "$regions_all"
		printf 'LATE=%q CHANNEL=%q TESTS=%q\n' \
			"$late" "/dev/$channel" "$tests"
	} > "$dir/own/machine"
	[[ -z $shell ]] || touch "$dir/own/shell"
	[[ -z $command ]] || printf '%s\n' "$command" > "$dir/own/command"
	{
		[[ ! -d $dir/acpi ]] || archive "$dir/acpi"
		if [[ -n $mutant ]]; then
			cat "$tmp/mutant-$arch.cpio"
		else
			cat "$tmp/guest-$arch.cpio"
			archive "$dir/own"
		fi
	} > "$dir/initrd" || die "$name: cannot pack the initrd"
}

# Become QEMU with machine $1.
boot()
{
	local name=$1 log=$logs/$1.log out=$logs/$1.out
	local channel

	if [[ -z $shell ]]; then
		: > "$log"
		: > "$out"
		exec < /dev/null >> "$log" 2>&1
	fi
	load_machine "$name"
	mkdir -p "$tmp/$name"
	set_qemu
	if declare -F edit_dtb > /dev/null; then
		make_dtb "$tmp/$name/dtb"
		qemu+=(-dtb "$tmp/$name/dtb")
	fi
	if [[ -n $acpi_table ]]; then
		make_acpi "$acpi_table" "$tmp/$name"
	fi
	pack_initrd
	cmdline+=" vmtest.nonce=$nonce"
	[[ -z $mutant ]] || cmdline+=' rdinit=/bin/poweroff -- -f'
	qemu+=(-kernel "${image[$arch]}" -initrd "$tmp/$name/initrd"
	       -append "$cmdline")

	if [[ -n $shell ]]; then
		exec "${qemu[@]}" -serial mon:stdio
	fi
	set_channels
	exec timeout -k 5 "$seconds" "${qemu[@]}"
}

# What machine $1 printed between begin and end of section $2, and last the
# status it ended with, or "none".
section()
{
	awk -v begin="$nonce begin $2" -v end="$nonce end $2 " '
		$0 == begin { inside = 1; next }
		inside && (at = index($0, end)) {
			if (at > 1)
				print substr($0, 1, at - 1)
			print substr($0, at + length(end))
			done = 1
			exit
		}
		inside
		END { if (!done) print "none" }
	' "$logs/$1.out"
}

# The kernel log of machine $1 without time stamps, nor what QEMU says about the
# processor.
kernel_log()
{
	tr -d '\r' < "$logs/$1.log" |
		sed -E '/TCG doesn.t support/d; s/^\[ *[0-9]+\.[0-9]+\] //'
}

diagnose()
{
	sed 's/^/# /'
}

# The firmware of machine $1 has the defects that it is to have, each said once.
check_firmware_bugs()
{
	local pattern count

	for pattern in "${wanted[@]}"; do
		count=$(kernel_log "$1" | grep -cE "$pattern")
		((count == 1)) ||
			echo "$count lines for '$pattern' in $logs/$1.log"
	done
	kernel_log "$1" | grep -F '[Firmware Bug]' |
		grep -vE "$(IFS='|'; echo "${wanted[*]}")"
}

# Did machine $1 get to its end? A mutant has no test that could say so.
ended()
{
	if [[ $1 == *~* ]]; then
		kernel_log "$1" | grep -q '^reboot: Power down'
	else
		[[ $(tail -n 1 "$logs/$1.out") == "$nonce done" ]]
	fi
}

# Why machine $1, which QEMU left with status $2, is not to be trusted; nothing
# if all is well.
complaint()
{
	local name=$1 rc=$2 lines

	lines=$(kernel_log "$name" | grep -nE -m 20 "$BAD")
	if [[ -n $lines ]]; then
		echo "the kernel complains in $logs/$name.log:"
		echo "$lines"
	fi
	if ((rc == 124 || rc == 137)); then
		echo "no end within ${seconds}s"
	elif ((rc != 0)); then
		echo "QEMU ended with status $rc"
	fi
	((${#wanted[@]} == 0)) || check_firmware_bugs "$name"
	if ! ended "$name"; then
		echo "the guest did not get to its end; last lines of $logs/$name.log:"
		kernel_log "$name" | tail -n 10
	fi
}

# Sets result to ok, not ok or a reason to skip, and lines to what explains it.
kernel_result()
{
	lines=$(complaint "$1" "$2")
	result=ok
	[[ -z $lines ]] || result="not ok"
}

# The kernel runs its suites at boot and prints TAP: a plan, then a line each.
kunit_result()
{
	local plan passed

	result="not ok"
	lines=$(kernel_log "$1" | grep -E -m 20 '^ *not ok ')
	plan=$(kernel_log "$1" |
		sed -n '/^TAP version 14$/,$s/^1\.\.\([0-9]*\)$/\1/p' | head -n 1)
	# A suite that its driver runs itself comes before the plan.
	passed=$(kernel_log "$1" |
		sed -n '/^TAP version 14$/,$p' | grep -cE '^ok [0-9]+ - ')
	if [[ -n $lines ]]; then
		lines="failed, see $logs/$1.log:"$'\n'$lines
	elif [[ -z $plan ]] && ! kernel_log "$1" | grep -q '^Run /init '; then
		lines="no boot, no result: see $logs/$1.log"
	elif [[ -z $plan || $plan -eq 0 ]]; then
		result="ok # SKIP this kernel has no KUnit suite"
	elif ((passed != plan)); then
		lines="$passed of $plan suites passed: see $logs/$1.log"
	else
		result=ok
	fi
}

# A test that says it passed must not have printed a failure.
test_result()
{
	local name=$1 test=$2 text status

	text=$(section "$name" "$test")
	status=${text##*$'\n'}
	text=$(head -n -1 <<< "$text")
	lines=
	if [[ $status == 0 ]] && ! grep -q '^not ok ' <<< "$text"; then
		result=ok
	elif [[ $status == 4 ]]; then
		result="ok # SKIP $(sed -n 's/.*# SKIP *//p' <<< "$text" |
				    head -n 1)"
	else
		result="not ok"
		lines=$(
			echo "exit status: $status; $logs/$name.out without what passed:"
			grep -vE "$PASSED" <<< "$text" | tail -n 40
		)
	fi
}

# What there is a result for on the current machine.
result_names()
{
	echo kernel
	[[ -z $mutant ]] || return
	echo kunit
	if [[ -n $tests ]]; then
		tr ' ' '\n' <<< "$tests"
	else
		(cd "$tmp/guest-$arch/tests" && ls)
	fi
	echo kmemleak
}

report()
{
	local name=$1 rc=$2 test result lines

	load_machine "$name"
	for test in $(result_names); do
		case $test in
		kernel)	kernel_result "$name" "$rc" ;;
		kunit)	kunit_result "$name" ;;
		*)	test_result "$name" "$test" ;;
		esac
		number=$((number + 1))
		case $result in
		ok*)
			echo "ok $number - $name: $test${result#ok}"
			;;
		*)
			echo "not ok $number - $name: $test"
			diagnose <<< "$lines"
			failed=1
			;;
		esac
	done
}

# -c: print what the command printed, and nothing else unless it went wrong.
show()
{
	local name=$1 rc=$2 text status lines

	text=$(section "$name" command)
	status=${text##*$'\n'}
	if ((${#machines[@]} > 1)); then
		load_machine "$name"
		printf '== %s: %s\n' "$name" "$description"
	fi
	head -n -1 <<< "$text"
	lines=$(complaint "$name" "$rc")
	if [[ -n $lines ]]; then
		echo "$SELF: $name: $lines" >&2
		failed=1
	elif [[ $status != 0 ]]; then
		echo "$SELF: $name: the command ended with status $status" >&2
		failed=1
	fi
}

# Handle the machines that are done, in the order in which they were given.
finish()
{
	local name rc

	while ((finished < started)); do
		name=${machines[finished]}
		if [[ ${1-} != wait ]] && kill -0 "${pid[$name]}" 2> /dev/null; then
			return
		fi
		wait "${pid[$name]}"
		rc=$?
		if [[ -n $retry && ($rc -eq 124 || $rc -eq 137) ]]; then
			cp "$logs/$name.log" "$logs/$name.hung.log"
			echo "# $name: no end within ${seconds}s, boots once more:" \
			     "$logs/$name.hung.log"
			boot "$name" &
			wait $!
			rc=$?
		fi
		if [[ -n $command ]]; then
			show "$name" "$rc"
		else
			report "$name" "$rc"
		fi
		finished=$((finished + 1))
	done
}

cleanup()
{
	local running

	running=$(jobs -rp)
	# shellcheck disable=SC2086
	[[ -z $running ]] || kill $running 2> /dev/null
	wait
	rm -rf "$tmp"
}

while getopts k:g:c:ism:t:j:o:rlh opt; do
	case $opt in
	k)	image[${OPTARG%%=*}]=${OPTARG#*=} ;;
	g)	guest[${OPTARG%%=*}]=${OPTARG#*=} ;;
	c)	command=$OPTARG ;;
	i)	icount=1 ;;
	s)	shell=1 ;;
	m)	mutants=$OPTARG ;;
	t)	seconds=$OPTARG ;;
	j)	jobs=$OPTARG ;;
	o)	logs=$OPTARG ;;
	r)	retry=1 ;;
	l)	list_machines; exit ;;
	h)	usage; exit ;;
	*)	usage >&2; exit 1 ;;
	esac
done
shift $((OPTIND - 1))

machines=("$@")
[[ $jobs =~ ^[1-9][0-9]*$ ]] || die "-j $jobs: give a number from 1"
[[ $seconds =~ ^[1-9][0-9]*$ ]] || die "-t $seconds: give a number from 1"
((${#image[@]})) || die "give a kernel with -k ARCH=IMAGE; -h for help"
for arch in "${!image[@]}"; do
	[[ -f ${image[$arch]} ]] || die "-k $arch: no file ${image[$arch]}"
	[[ -x ${guest[$arch]-}/bin/busybox ]] ||
		die "-g $arch: ${guest[$arch]:-not given}: no bin/busybox there"
done

if ((${#machines[@]} == 0)); then
	for name in $(machine_names); do
		load_machine "$name"
		[[ -z ${image[$arch]-} ]] || machines+=("$name")
	done
fi
[[ $mutants =~ ^(0|[1-9][0-9]*)$ ]] || die "-m $mutants: give a number"
if ((mutants)); then
	names=("${machines[@]}")
	machines=()
	for ((i = 1; i <= mutants; i++)); do
		machines+=("${names[@]/%/~$i}")
	done
fi
[[ -z $shell || ${#machines[@]} -eq 1 ]] || die "-s: name one machine"

tmp=$(mktemp -d "${TMPDIR:-/tmp}/vmtest.XXXXXX") || exit 1
trap cleanup EXIT
trap 'exit 1' INT TERM HUP
nonce=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
plan=0
for name in "${machines[@]}"; do
	load_machine "$name"
	[[ -n ${image[$arch]-} ]] || die "$name: give its kernel with -k $arch=IMAGE"
	if [[ -n $mutant ]]; then
		[[ -f $tmp/mutant-$arch.cpio ]] || pack_mutant "$arch"
	else
		[[ -f $tmp/guest-$arch.cpio ]] || pack_guest "$arch"
	fi
	for tool in cpio "$(qemu_program)"; do
		command -v "$tool" > /dev/null || die "$tool: not found, install it"
	done
	plan=$((plan + $(result_names | wc -l)))
done

if [[ -n $shell ]]; then
	(boot "${machines[0]}")
	exit
fi

if [[ -n $logs ]]; then
	mkdir -p "$logs" || die "-o $logs: cannot create"
	keep=1
else
	logs=$(mktemp -d "${TMPDIR:-/tmp}/vmtest-logs.XXXXXX") || exit 1
	keep=
fi
logs=$(realpath "$logs")

if [[ -z $command ]]; then
	echo "TAP version 13"
	echo "1..$plan"
fi
declare -A pid=()
started=0 finished=0 number=0 failed=0
for name in "${machines[@]}"; do
	while (($(jobs -rp | wc -l) >= jobs)); do
		wait -n
	done
	boot "$name" &
	pid[$name]=$!
	started=$((started + 1))
	finish
done
finish wait
[[ -n $keep || $failed -ne 0 ]] || rm -rf "$logs"
exit "$failed"
