#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# lsiommu on recorded and odd sysfs trees, and its manual page
set -u
. "$(dirname "$0")/tap.sh"

out=$build/lsiommu
tool=$linux/tools/iommu
mkdir -p "$out" && make -s -C "$tool" OUTPUT="$out" clean all >&2 ||
	{ echo "Bail out! tools/iommu does not build"; exit 1; }
exec "$tool/lsiommu-test.sh" "$out/lsiommu"
