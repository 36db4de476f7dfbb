#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The stored series is what the tree has, and git am takes its mails on the base
# and on the base with Debian's own patches, with the same result.
set -u
. "$(dirname "$0")/tap.sh"

am=$build/am
mails=$(mktemp -d) || exit 1
trap 'rm -rf "$mails"' EXIT

checkout() # COMMIT
{
	git -C "$am" rev-parse -q --verify HEAD >/dev/null 2>&1 || {
		rm -rf "$am"
		kgit worktree prune
		kgit worktree add -q --force --detach "$am" base || return 1
	}
	git -C "$am" am --abort >/dev/null 2>&1
	git -C "$am" checkout -q --force --detach "$1" && git -C "$am" clean -fdxq
}

# Two dates of the same mails differ in nothing that git am keeps.
mails_key() { grep -hvE '^(Message-Id|In-Reply-To|References): ' "$mails/$base.mbox" | key "$@"; }

pristine()
{
	checkout base && git -C "$am" am -q "$mails/$base.mbox" &&
		git -C "$am" diff --stat --exit-code HEAD "$head"
}

apply_debian()
{
	local dir=$mails/debian p

	mkdir -p "$dir" && tar -C "$dir" -xJf "$downloads/$(base_get debian)" debian/patches || return
	while read -r p; do
		patch -d "$am" -p1 -s -t -F 0 -i "$dir/debian/patches/$p" || return
	done < <(sed 's/[ #].*//; /^$/d' "$dir/debian/patches/series")
	find "$am" -name '*.orig' -newer "$dir" -delete
	git -C "$am" add -A && git -C "$am" commit -q -m "Debian's patches"
}

# What a series changes, without line numbers
change() { git -C "$am" diff "$1" "$2" | git patch-id --stable | cut -d ' ' -f 1; }

debian()
{
	local below

	checkout base && apply_debian && below=$(git -C "$am" rev-parse HEAD) &&
		git -C "$am" am -q "$mails/$base.mbox" || return
	[ "$(change "$below" HEAD)" = "$(change base "$head")" ] ||
		{ echo "the series changes other lines there"; return 1; }
}

plan 4
run "the tree has what is stored, and refresh changes nothing" scripts/refresh --check
run "make series" scripts/series "$mails" || { echo "Bail out! no mails"; exit 1; }
run_once "$(mails_key pristine "$(kgit rev-parse 'base^{tree}' "$head^{tree}")")" \
	"git am on $(kgit log -1 --format=%s base)" pristine
if [ -n "${LINUX-}" ]; then
	result 0 "git am with Debian's patches # SKIP they are for $(base_get version), not for LINUX="
else
	run_once "$(mails_key "$(kgit rev-parse 'base^{tree}')" "$(base_get debian_sha256)")" \
		"git am with Debian's patches" debian
fi
exit $failed
