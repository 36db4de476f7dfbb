#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Each step of the series compiles for each architecture with no warning (W=1)
# that the base lacks and calls nothing that no step so far has. The end compiles
# for other architectures and without CONFIG_IOMMU_API too, sparse has nothing
# new to say, and no C file that the series touches was left out.
#
# What compiles is build.config, in each directory that has a file which the
# series touches or which uses what it changes in a header. ARCH-NAME changes
# what build.config.NAME says.
set -u
. "$(dirname "$0")/tap.sh"

src=$build/steps
archs="x86_64 arm64"
others="i386 arm powerpc powerpc-book3s s390 x86_64-noiommu arm64-noiommu"
export CCACHE_DIR=$cache/ccache CCACHE_BASEDIR=$top CCACHE_NOHASHDIR=1
export KBUILD_BUILD_TIMESTAMP=0 KBUILD_BUILD_USER=check KBUILD_BUILD_HOST=check
log=$(mktemp -d) || exit 1
trap 'rm -rf "$log"' EXIT

cross() # ARCH: the prefix of its compiler
{
	case ${1%%-*} in
	arm64) echo aarch64-linux-gnu- ;;
	arm) echo arm-linux-gnueabi- ;;
	powerpc) echo powerpc64-linux-gnu- ;;
	s390) echo s390x-linux-gnu- ;;
	esac
}

arch_dir() # ARCH: where its sources are
{
	case ${1%%-*} in
	x86_64 | i386) echo arch/x86 ;;
	*) echo "arch/${1%%-*}" ;;
	esac
}

# The last line about an option counts.
options() # ARCH
{
	local files=(scripts/check/build.config)

	[ "$1" = "${1%%-*}" ] || files+=("scripts/check/build.config.${1#*-}")
	cat "${files[@]}" | awk '
		match($0, /CONFIG_[A-Za-z0-9_]+/) && /=|is not set/ {
			line[substr($0, RSTART, RLENGTH)] = $0 }
		END { for (option in line) print line[option] }' | sort
}

checkout() # COMMIT
{
	git -C "$src" rev-parse -q --verify HEAD >/dev/null 2>&1 || {
		rm -rf "$src"
		kgit worktree prune
		kgit worktree add -q --force --detach "$src" base || return 1
	}
	git -C "$src" checkout -q --force --detach "$1"
}

kmake() # ARCH ARGS...
{
	local arch=$1 cross

	shift
	cross=$(cross "$arch")
	# Style has a look at kernel-doc, for less.
	make -s -k -j"$(nproc)" -C "$src" O="$src-$arch" ARCH="${arch%%-*}" LOCALVERSION= \
		CROSS_COMPILE="$cross" CC="ccache ${cross}gcc" HOSTCC="ccache gcc" \
		W=1 cmd_checkdoc=: "$@"
}

# The options may change where Kconfig does. The time of .config stays if they
# do not, or all would compile again.
configure() # ARCH COMMIT
{
	local out=$src-$1 from

	from=$(cat "$out/.config-from" 2>/dev/null) &&
		kgit diff --quiet "$from" "$2" -- '*Kconfig*' && return
	mkdir -p "$out"
	options "$1" >"$out/.options"
	KCONFIG_CONFIG=$out/.config-new KCONFIG_ALLCONFIG=$out/.options \
		kmake "$1" allnoconfig && off "$1" "$out/.config-new" || return
	cmp -s "$out/.config-new" "$out/.config" || mv "$out/.config-new" "$out/.config"
	echo "$2" >"$out/.config-from"
}

# What is to be off could be selected by something else.
off() # ARCH CONFIG
{
	local on

	[[ $1 == *-noiommu ]] || return 0
	! on=$(grep -E '^CONFIG_(IOMMU_API|IOMMU_SUPPORT)=' "$2") ||
		{ echo "error: $1 has $on"; return 1; }
}

# C files with a name that a touched header declares otherwise or no more. A name
# in hundreds of them is one that the header only uses.
users()
{
	local headers

	mapfile -t headers < <(touched_files | grep '\.h$')
	[ ${#headers[@]} -gt 0 ] || return
	kgit log -p --format= base..HEAD -- "${headers[@]}" | grep '^-[^-]' |
		grep -oP '\w+_\w+(?=\s*[(,;=])' | sort -u >"$log/names"
	kgit grep -whoF -f "$log/names" base -- '*.c' | sort | uniq -c |
		awk '$1 < 300 { print $2 }' >"$log/own-names"
	kgit grep -wlF -f "$log/own-names" base -- '*.c' | sed 's/^base://'
}

directories()
{
	{ all_touched | grep '\.c$'; users; } |
		xargs -r dirname | grep -v '^\(tools\|scripts\|Documentation\)\>' | sort -u
}
all_touched() { touched_files; new_files; }

# The parts of KVM that are no architecture's are compiled where one uses them.
targets() # ARCH: directories that it can have
{
	local own dir

	own=$(arch_dir "$1")
	sed "s|^virt/kvm$|$own/kvm|; s|$|/|" "$log/directories" | sort -u |
		while read -r dir; do
			[[ $dir == arch/* && $dir != "$own"/* || ! -d $src/$dir ]] || echo "$dir"
		done
}

compile() # ARCH COMMIT
{
	local dirs

	mapfile -t dirs < <(targets "$1")
	configure "$1" "$2" >"$log/out" 2>&1 && kmake "$1" "${dirs[@]}" >>"$log/out" 2>&1 ||
		{ grep -iE -A5 'error|\*\*\*' "$log/out"; return 1; }
}

# The objects of touched files that build.config has
objects() # ARCH
{
	all_touched | sed -n 's/\.c$/.o/p' | while read -r o; do
		[ ! -f "$src-$1/$o" ] || echo "$o"
	done
}

sparse() # ARCH
{
	local objects

	objects=$(objects "$1")
	[ -z "$objects" ] || kmake "$1" C=2 $objects 2>&1 | messages
}

undefined() # ARCH: what its objects want from elsewhere
{
	find "$src-$1" -name '*.o' ! -name 'built-in*' -path '*/*/*' \
		-not -path '*/scripts/*' -not -path '*/tools/*' -not -name '*.mod.o' -print0 |
		xargs -0 "$(cross "$1")nm" 2>/dev/null |
		# powerpc64 puts a dot in front of the code of a function
		sed 's/ \./ /' | awk 'NF == 2 && $1 == "U" { want[$2] }
		     NF == 3 { have[$3] }
		     END { for (s in want) if (!(s in have)) print s }' | sort
}

# A symbol that the base's objects did not want has to be somewhere in the tree.
# Where it was found once is not searched again.
symbols_exist() # ARCH COMMIT
{
	local want missing

	want=$(undefined "$1" | comm -13 "$src-$1/base-undefined" - |
		comm -23 - <(sort "$src-$1/known-symbols" 2>/dev/null))
	[ -n "$want" ] || return 0
	missing=$(kgit grep -hwF -f <(echo "$want") "$2" -- '*.c' '*.S' 'kernel/*.h' |
		grep '^[A-Za-z_]' |
		tr -cs 'A-Za-z0-9_' '\n' | sort -u | comm -13 - <(echo "$want"))
	[ -z "$missing" ] || { echo "nothing defines" $missing; return 1; }
	echo "$want" >>"$src-$1/known-symbols"
}

base_key() # ARCH
{
	{ cat "$0" "$log/directories"; options "$1"; all_touched; } |
		key "$1" "$(kgit rev-parse 'base^{tree}')" "$("$(cross "$1")gcc" --version)" \
		    "$(sparse --version 2>/dev/null)"
}

# The messages of the base are complete only when all of it compiles.
build_base() # ARCH
{
	local out=$src-$1

	rm -rf "$out"
	checkout base && compile "$1" base || return
	messages <"$log/out" >"$out/base-warnings"
	undefined "$1" >"$out/base-undefined"
	sparse "$1" >"$out/base-sparse"
}

need_base() # ARCH
{
	local out=$src-$1 want

	want=$(base_key "$1")
	[ "$(cat "$out/base-key" 2>/dev/null)" = "$want" ] && return
	build_base "$1" && echo "$want" >"$out/base-key"
}

# Whether what it changes is compiled for the architecture at all: new files,
# headers and build files may be
affects() # ARCH COMMIT
{
	local f

	while read -r f; do
		case $f in
		Documentation/* | tools/* | MAINTAINERS) ;;
		*.c)	[ ! -f "$src-$1/${f%.c}.o" ] &&
				kgit cat-file -e "base:$f" 2>/dev/null || return 0 ;;
		*)	return 0 ;;
		esac
	done < <(kgit diff --name-only "$2^" "$2")
	return 1
}

build_step() # ARCH COMMIT [FROM]
{
	need_base "$1" || return
	[ -n "${3-}" ] || affects "$1" "$2" || return 0
	# By way of its parent or FROM, so that what the step touches compiles anew.
	checkout "${3-$2^}" && checkout "$2" && compile "$1" "$2" || return
	messages <"$log/out" | no_new "$src-$1/base-warnings" /dev/stdin "warnings" &&
		symbols_exist "$1" "$2"
}

sparse_end() # ARCH
{
	need_base "$1" && checkout "$head" && compile "$1" "$head" &&
		sparse "$1" | no_new "$src-$1/base-sparse" /dev/stdin "sparse warnings"
}

build_end() # ARCH
{
	build_step "$1" "$head" base && sparse_end "$1"
}

# Objects stay where they were made, also when a step did not run again.
# By itself, or in another file that includes it: make notes what it read.
compiled()
{
	local f rc=0

	while read -r f; do
		grep -qsE "/$f( |$)" "$src"-*/"${f%/*}"/.*.o.cmd ||
			{ echo "$f: none of $archs $others compiles it, see build.config"; rc=1; }
	done < <(all_touched | grep '\.c$' | grep -vE '^(tools|scripts|Documentation)/')
	return "$rc"
}

# ---- main

directories >"$log/directories"
mapfile -t commits < <(kgit rev-list --reverse base..HEAD)
set -- $archs
plan $(($# * (${#commits[@]} + 1) + $(wc -w <<<"$others") + 1))

declare -A base_keys=()
for arch in $archs $others; do
	base_keys[$arch]=$(base_key "$arch")
done
for commit in "${commits[@]}"; do
	subject=$(kgit log -1 --format=%s "$commit")
	for arch in $archs; do
		run_once "$(key "${base_keys[$arch]}" "$(kgit rev-parse "$commit^{tree}")" </dev/null)" \
			"$arch: $subject" build_step "$arch" "$commit"
	done
done
for arch in $archs; do
	run_once "$(key sparse "${base_keys[$arch]}" "$(kgit rev-parse "$head^{tree}")" </dev/null)" \
		"$arch: sparse" sparse_end "$arch"
done
for arch in $others; do
	run_once "$(key end "${base_keys[$arch]}" "$(kgit rev-parse "$head^{tree}")" </dev/null)" \
		"$arch: all of it, and sparse" build_end "$arch"
done
run "each C file is compiled" compiled
exit $failed
