# SPDX-License-Identifier: GPL-2.0
# What the tests in this directory share: TAP, and passes that are remembered.
# Sourced by bash, not run.
# shellcheck shell=bash disable=SC2034	# variables for those who source it

. "${BASH_SOURCE[0]%/*}/../lib.sh"
cd "$top" || exit 1
git_setup
exec </dev/null

nr=0
failed=0
passed=$build/passed
head=$(kgit rev-parse HEAD 2>/dev/null) || { echo "Bail out! no ${linux#"$top"/}: run make tree"; exit 1; }

plan() { echo "1..$1"; }
diag() { sed 's/^/# /'; }

result() # STATUS TEXT
{
	nr=$((nr + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $nr - $2"
	else
		failed=1
		echo "not ok $nr - $2"
	fi
}

# run NAME CMD...: passes when CMD does; what CMD prints is shown when it fails
run()
{
	local name=$1 out rc=0

	shift
	out=$("$@" 2>&1) || rc=$?
	result "$rc" "$name"
	[ "$rc" -eq 0 ] || tail -n 60 <<<"$out" | diag
	return "$rc"
}

# key WORD...: a short name for all of that, the content of standard input too
key() { { printf '%s\n' "$@"; cat; } | sha256sum | cut -c 1-16; }

# run_once KEY NAME CMD...: like run, but what passed with the same KEY does not
# run again
run_once()
{
	local stamp=$passed/$1 name=$2 start=$SECONDS

	shift
	if [ -f "$stamp" ]; then
		result 0 "$name # cached: passed before as ${stamp##*/}"
		return
	fi
	run "$@" || return
	mkdir -p "$passed" && echo "$name, $((SECONDS - start)) s" >"$stamp"
}

# What the series has, as file names
patches_of_series() { read_series | awk '{ print $1 }'; }
new_files() { kgit diff --name-only --no-renames --diff-filter=A base HEAD; }
touched_files() { kgit diff --name-only --no-renames --diff-filter=M base HEAD; }

# no_new OLD NEW WHAT: NEW has no line that OLD lacks
no_new()
{
	local new

	new=$(comm -13 <(sort -u "$1") <(sort -u "$2"))
	[ -n "$new" ] || return 0
	echo "new $3:"
	echo "$new"
	return 1
}

# Messages without line numbers, which every change moves.
messages() { grep -E '(warning|error): ' | sed -E 's/:[0-9]+(:[0-9]+)?: /: /'; }
