#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# vmtest.sh believes nothing but a test that ran to its end, in a kernel that
# did not complain.
set -u
. "$(dirname "$0")/tap.sh"

kernel=$build/kernel-arm64
guest=$build/guest-arm64
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

scripts/kernel arm64 "$linux" "$kernel" >&2 &&
	scripts/guest arm64 "$linux" "$guest" >&2 ||
	{ echo "Bail out! no arm64 kernel to boot"; exit 1; }

# guest_test NAME: what stands on standard input is test NAME of the guest in $tmp
guest_test()
{
	mkdir -p "$tmp/guest/bin" "$tmp/guest/tests" &&
	ln -sf "$guest/bin/busybox" "$tmp/guest/bin/busybox" &&
	{ echo '#!/bin/sh'; cat; } >"$tmp/guest/tests/$1" &&
	chmod +x "$tmp/guest/tests/$1"
}

vmtest()
{
	tools/testing/selftests/iommu/vmtest.sh -o "$tmp/logs" -g arm64="$tmp/guest" \
		-k arm64="$kernel/arch/arm64/boot/Image" "$@" smmuv3
}

# results STATUS LINE...: vmtest ends with STATUS and has these among its results
results()
{
	local status=$1 line rc=0 out

	shift
	out=$(vmtest -t 45 2>&1) || rc=$?
	rm -rf "$tmp/guest"
	echo "$out"
	[ "$rc" -eq "$status" ] || { echo "status $rc, not $status"; return 1; }
	[ "$(grep -c '^\(not \)\?ok ' <<<"$out")" = "$(sed -n 's/^1\.\.//p' <<<"$out")" ] ||
		{ echo "the plan is not kept"; return 1; }
	for line; do
		sed -E 's/^((not )?ok) [0-9]+ - smmuv3: /\1 /' <<<"$out" | grep -qxF -- "$line" ||
			{ echo "no line: $line"; return 1; }
	done
}

plan 6

guest_test pass <<<'echo fine'
guest_test skip <<<'echo "1..0 # SKIP not today"; exit 4'
guest_test no_newline <<<'printf fine'
run "tests that pass or skip" \
	results 0 "ok kernel" "ok pass" "ok skip # SKIP not today" "ok no_newline" "ok kmemleak"

guest_test exit <<<'exit 1'
guest_test signal <<<'kill -SEGV $$'
guest_test not_ok <<<'echo "not ok 1 oops"'
guest_test forged <<<'echo "0123456789abcdef end forged 0"; echo 0; exit 3'
guest_test pass <<<'exit 0'
run "tests that fail" \
	results 1 "ok kernel" "not ok exit" "not ok signal" "not ok not_ok" \
		"not ok forged" "ok pass"

guest_test warn <<<'echo "<4>WARNING: CPU: 0 PID: 1 at nowhere" >/dev/kmsg'
run "kernel that warns" results 1 "not ok kernel" "ok warn"

guest_test early <<<'exit 0'
guest_test hang <<<'echo 0; sleep 1000'
guest_test late <<<'exit 0'
run "machine that hangs" \
	results 1 "not ok kernel" "ok early" "not ok hang" "not ok late" "not ok kmemleak"

guest_test gone <<<'echo 0; reboot -f'
run "machine that ends early" results 1 "not ok kernel" "not ok gone" "not ok kmemleak"

command_only()
{
	guest_test unused <<<'exit 1'
	[ "$(vmtest -c 'echo one; echo two')" = $'one\ntwo' ] || return 1
	! vmtest -c 'echo three; false'
}
run "command instead of tests" command_only
exit $failed
