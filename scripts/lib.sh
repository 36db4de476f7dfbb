# SPDX-License-Identifier: GPL-2.0
# Shared by the scripts of this project. Sourced by bash, not run.
# shellcheck shell=bash disable=SC2034	# the variables are for those who source it

top=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd) || exit 1
base=v5.10
patches=$top/patches/$base
build=$top/build/$base
linux=$build/linux
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/linux-iommu
downloads=$cache/downloads

# Messages that grep can read, one sort order, and nothing of the make around.
export LC_ALL=C
unset MAKEFLAGS MAKEOVERRIDES MFLAGS MAKELEVEL

say() { printf '%s\n' "$*" >&2; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# base_get KEY: the value of KEY in patches/<base>/base
base_get()
{
	sed -n "s/^$1=//p" "$patches/base" | grep . ||
		die "patches/$base/base has no $1="
}

# kernel_version DIR: as its Makefile has it
kernel_version()
{
	sed -n '/^VERSION *= */{s///;h};/^PATCHLEVEL *= */{s//./;H};
		/^SUBLEVEL *= */{s//./;H;x;s/\n//g;p;q}' "$1/Makefile" 2>/dev/null
}

# need_space DIR MIB: stop early rather than half way
need_space()
{
	local free

	free=$(df --output=avail -m "$1" | tail -n 1) || die "cannot read $1"
	[ "$free" -ge "$2" ] ||
		die "$1 needs $2 MiB of free disk space but has $((free)) MiB: make room and try again"
}

# step TEXT CMD...: run CMD with its output in a log, show TEXT and the time it
# takes. Prints the end of the log and returns CMD's status when CMD fails.
step()
{
	local text=$1 log start=$SECONDS ticker rc=0

	shift
	mkdir -p "$top/build/log" || die "cannot write to $top/build"
	log=$(mktemp "$top/build/log/XXXXXX") || die "cannot write to $top/build/log"
	step_ticker "$text" &
	ticker=$!
	"$@" >"$log" 2>&1 </dev/null || rc=$?
	{ kill "$ticker"; wait "$ticker"; } 2>/dev/null
	[ ! -t 2 ] || printf '\r\033[K' >&2
	if [ "$rc" -eq 0 ]; then
		say "  $text: done in $((SECONDS - start)) s"
		rm -f "$log"
	elif [ ! -s "$log" ]; then
		say "  $text: FAILED after $((SECONDS - start)) s"
		rm -f "$log"
	else
		say "  $text: FAILED after $((SECONDS - start)) s, the last lines of ${log#"$top"/}:"
		tail -n 20 "$log" | sed 's/^/    /' >&2
	fi
	return "$rc"
}

# A terminal gets one line that counts seconds, a log a line each half minute.
step_ticker()
{
	local text=$1 t=0

	[ -t 2 ] && printf '  %s ...' "$text" >&2 || say "  $text ..."
	while sleep 1 && kill -0 $$ 2>/dev/null; do
		t=$((t + 1))
		if [ -t 2 ]; then
			printf '\r  %s ... %d s' "$text" "$t" >&2
		elif [ $((t % 30)) -eq 0 ]; then
			say "  $text ... $t s"
		fi
	done
}

# git_setup: make git deterministic, whatever the user's configuration says.
# Exports the user's identity for commits, or a neutral one.
git_setup()
{
	local id

	# shellcheck disable=SC2046
	unset $(git rev-parse --local-env-vars)
	if id=$(git -C "$top" -c user.useConfigOnly=true var GIT_AUTHOR_IDENT 2>/dev/null); then
		git_user=${id%% <*}
		git_email=${id#*<}
		git_email=${git_email%%>*}
	else
		git_user=
		git_email=
	fi
	export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
	export GIT_AUTHOR_NAME=${git_user:-linux-iommu}
	export GIT_AUTHOR_EMAIL=${git_email:-linux-iommu@localhost}
	export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
	GIT_AUTHOR_DATE=$(base_get date) || exit 1
	export GIT_AUTHOR_DATE GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
}

# kgit ...: git in the kernel tree of the series
kgit() { git -C "$linux" "$@"; }

# lock: one writer of build/<base> at a time
lock()
{
	mkdir -p "$build" || die "cannot write to $build"
	[ -z "${LINUX_IOMMU_LOCKED-}" ] || return 0
	exec 9>"$build/.lock"
	flock -w 120 9 || die "another make is at work in $build: wait for it"
	export LINUX_IOMMU_LOCKED=1
}

# read_series: "PATCH FILE..." for each patch in order
read_series()
{
	awk '
	/^[[:space:]]*(#|$)/ { next }
	NF != 1 || /\.\./ || $1 ~ /^\// { print "bad line " FNR ": " $0; exit 1 }
	/^[[:space:]]/ { if (!n) { print "line " FNR ": no patch before " $1; exit 1 }
			 line[n] = line[n] " " $1; next }
	{ line[++n] = $1 }
	END { for (i = 1; i <= n; i++) print line[i] }' "$patches/series"
}
