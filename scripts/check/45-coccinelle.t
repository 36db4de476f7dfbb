#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The semantic patches of the series report what is marked in their example and
# nothing else, convert it as stored, and find nothing in the patched tree. git
# grep has nothing to find either.
set -u
. "$(dirname "$0")/tap.sh"

rules=scripts/coccinelle/iommu
examples=scripts/check/coccinelle
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

names() { kgit ls-files "$rules" | sed -n 's|.*/\(.*\)\.cocci$|\1|p'; }
converts() { grep -qx 'virtual patch' "$linux/$rules/$1.cocci"; }

coccicheck() # MODE RULE [MAKE-ARG...]
{
	make -s -C "$linux" coccicheck MODE="$1" COCCI="$rules/$2.cocci" "${@:3}" \
		>"$tmp/out" 2>&1 && ! grep -E 'EXN|[Ee]rror' "$tmp/out" ||
		{ tail -n 20 "$tmp/out"; return 1; }
}

# What it complains about, as FILE:LINE: TEXT
reports() { sed -nE 's/^([^ :]+:[0-9]+):[0-9]+-[0-9]+: /\1: /p' "$tmp/out" | sort -u; }

fires() # RULE
{
	local example=$examples/$1.c

	grep -n 'bad \*/$' "$example" | cut -d : -f 1 >"$tmp/want"
	[ -s "$tmp/want" ] || { echo "$example marks nothing as bad"; return 1; }
	coccicheck report "$1" M="$top/$example" || return
	reports | sed 's/^[^:]*:\([0-9]*\):.*/\1/' | sort -n |
		diff -u --label "bad in $example" "$tmp/want" --label reported -
}

patches() # RULE
{
	coccicheck patch "$1" M="$top/$examples/$1.c" || return
	sed -n '/^@@/,$p' "$tmp/out" | diff -u "$examples/$1.diff" -
}

clean() # RULE
{
	coccicheck report "$1" || return
	[ -z "$(reports)" ] || { reports; return 1; }
}

# What of the tree the rules look at: files without these words are passed over.
tree_key()
{
	{ kgit ls-tree HEAD "$rules/"
	  kgit grep -lwE 'iommu_capable|irq_domain_check_msi_remap|iommu_domain_alloc|(iommu_)?enforce_cache_coherency|IOMMU_CACHE|IOMMU_CAP_CACHE_COHERENCY' \
		HEAD -- '*.[ch]' | sed 's/^HEAD://' | xargs -r git -C "$linux" ls-tree HEAD
	} | key "$@" "$(spatch --version | head -n 1)"
}

# The rule is the only place that may name them.
no_bus_wide()
{
	! kgit grep -nwE 'iommu_capable|irq_domain_check_msi_remap' HEAD -- . ":!$rules" &&
		! kgit grep -nE 'iommu_ops->capable|iommu_domain_alloc\(.*(->|\.)bus\)' HEAD -- '*.[ch]'
}

command -v spatch >/dev/null || { echo "Bail out! no spatch: install coccinelle"; exit 1; }
plan $(($(names | wc -l) * 2 + $(for n in $(names); do ! converts "$n" || echo; done | wc -l) + 1))
for name in $(names); do
	run_once "$(cat "$linux/$rules/$name.cocci" "$examples/$name".* "$0" | key fires "$name")" \
		"$name.cocci reports its bad example" fires "$name"
	! converts "$name" ||
		run_once "$(cat "$linux/$rules/$name.cocci" "$examples/$name".* "$0" | key patches "$name")" \
			"$name.cocci converts it" patches "$name"
	run_once "$(tree_key "$name" "$(cat "$0")")" "$name.cocci on the tree" clean "$name"
done
run "git grep: nobody asks a bus or the system" no_bus_wide
exit $failed
