#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# checkpatch --strict on each patch with its new files, kernel-doc, MAINTAINERS
set -u
. "$(dirname "$0")/tap.sh"

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

# Who signs off is not known yet, and the MAINTAINERS entry comes with one patch.
mail() { kgit format-patch -1 --stdout --zero-commit --no-renames "$1"; }

style() # COMMIT
{
	mail "$1" >"$tmp/mail" &&
	(cd "$linux" && scripts/checkpatch.pl --strict --quiet --show-types --no-signoff \
		--ignore FILE_PATH_CHANGES "$tmp/mail" 2>/dev/null)
}

new_docs()
{
	local out

	out=$(cd "$linux" && new_files | grep '\.[ch]$' |
		xargs -r -d '\n' scripts/kernel-doc -none 2>&1)
	[ -z "$out" ] || { echo "$out"; return 1; }
}

docs_of() # FILE NAME
{
	"$linux/scripts/kernel-doc" -none "$1" 2>&1 | sed -E "s|^[^:]*:[0-9]+:|$2:|"
}

touched_docs()
{
	local f

	touched_files | grep '\.[ch]$' | while read -r f; do
		kgit show "base:$f" >"$tmp/old.${f##*.}" || exit
		docs_of "$tmp/old.${f##*.}" "$f" >>"$tmp/old"
		docs_of "$linux/$f" "$f" >>"$tmp/new"
	done
	[ ! -f "$tmp/new" ] || no_new "$tmp/old" "$tmp/new" "kernel-doc warnings"
}

# The project's MAINTAINERS is text, then one entry as the kernel has it.
entry() { sed -n '/^[A-Z][A-Z -]*$/,$p' MAINTAINERS; }

maintained()
{
	local title f rc=0

	title=$(entry | head -n 1)
	awk -v title="$title" '$0 == title { on = 1 } on && /^$/ { exit } on' "$linux/MAINTAINERS" |
		diff -u - <(entry) || { echo "the series has to add this entry to MAINTAINERS"; rc=1; }
	for f in $(new_files); do
		(cd "$linux" && scripts/get_maintainer.pl --nogit --nogit-fallback --sections -f "$f") |
			grep -qxF "$title" || { echo "$f is not in it"; rc=1; }
	done
	for f in $(entry | sed -n 's/^F:[[:space:]]*//p'); do
		compgen -G "$linux/$f" >/dev/null || { echo "$f matches no file"; rc=1; }
	done
	return "$rc"
}

mapfile -t commits < <(kgit rev-list --reverse base..HEAD)
checkpatch=$(cat "$linux/scripts/checkpatch.pl" "$0" | key)
series=$(key "$checkpatch" "$(kgit rev-parse 'base^{tree}' "$head^{tree}")" <MAINTAINERS)

plan $((${#commits[@]} + 3))
for commit in "${commits[@]}"; do
	run_once "$(mail "$commit" | key "$checkpatch")" \
		"checkpatch: $(kgit log -1 --format=%s "$commit")" style "$commit"
done
run_once "$(key new "$series" </dev/null)" "kernel-doc of new files" new_docs
run_once "$(key touched "$series" </dev/null)" "kernel-doc of touched files" touched_docs
run_once "$(key maintained "$series" </dev/null)" "MAINTAINERS has each new file" maintained
exit $failed
