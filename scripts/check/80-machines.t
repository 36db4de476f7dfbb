#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# What the tests say in every machine. A pass is remembered as long as kernels,
# programs, machines and QEMU stay the same: then nothing boots.
set -u
. "$(dirname "$0")/tap.sh"

inputs()
{
	cat "$build"/kernel-x86_64/arch/x86/boot/bzImage "$build"/kernel-arm64/arch/arm64/boot/Image
	find "$build"/guest-*/bin "$build"/guest-*/tests "$linux/tools/testing/selftests/iommu" \
		-type f -print0 | sort -z | xargs -0 cat
	qemu-system-x86_64 --version
	qemu-system-aarch64 --version
	dpkg-query -W qemu-efi-aarch64
}

scripts/run --build || { echo "Bail out! no kernel to boot"; exit 1; }
stamp=$passed/$(inputs | key machines)
if [ -f "$stamp" ]; then
	echo "# passed before as ${stamp##*/}, nothing changed since, no machine boots:"
	cat "$stamp"
	exit
fi

mkdir -p "$passed" || exit 1
scripts/run --test | tee "$stamp.new"
rc=${PIPESTATUS[0]}
if [ "$rc" -eq 0 ] && ! grep -q '^\(not ok\|Bail out!\)' "$stamp.new"; then
	mv "$stamp.new" "$stamp"
fi
exit "$rc"
