#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# scripts/{fetch,tree,refresh,series} on a kernel of four files: what they do,
# and what they say when it cannot be done.
set -u
. "$(dirname "$0")/tap.sh"

house=$build/loop
patches=$house/patches/$base
mini=$house/mini
toy=$house/build/$base/linux
mkdir -p "$build" && rm -rf "$house" && mkdir -p "$house/patches/$base" "$mini/lib" "$house/bin" || exit 1
cp -r scripts "$house/" && cp "patches/$base/base" "$house/patches/$base/" || exit 1
trap 'rm -rf "$house"' EXIT
cd "$house" || exit 1
export HOME=$house XDG_CACHE_HOME=$house/cache LINUX=$mini FORCE='' SIGNOFF=''
unset GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL EMAIL
unset GIT_AUTHOR_DATE GIT_COMMITTER_DATE GIT_CONFIG_GLOBAL
export GIT_CONFIG_NOSYSTEM=1 GIT_CEILING_DIRECTORIES=$build

printf 'VERSION = 5\nPATCHLEVEL = 10\nSUBLEVEL = 7\nEXTRAVERSION =\n' >"$mini/Makefile"
seq 1 40 >"$mini/lib/numbers.c"
echo other >"$mini/lib/other.c"
echo '*.o' >"$mini/.gitignore"
: >"patches/$base/series"
printf 'Subject: A cover\n\nSome text.\n' >"patches/$base/0000-cover-letter"

tgit() { git -C "$toy" -c user.name=T -c user.email=t@example.org "$@"; }
commit() { tgit add -A && tgit commit -q -m "$1"; }
stored() { find patches lib -type f -exec ls -l --time-style=+ {} + -exec sha256sum {} + 2>/dev/null; }

# says TEXT CMD...: CMD fails, in one line or more that have TEXT
says()
{
	local text=$1 out

	shift
	out=$("$@" 2>&1) && { echo "$* did not fail: $out"; return 1; }
	grep -qF -- "$text" <<<"$out" || { echo "$* said: $out"; return 1; }
}

make_series()
{
	scripts/tree &&
	sed -i 's/^10$/ten/' "$toy/lib/numbers.c" && commit "lib: Say ten" &&
	sed -i 's/^20$/twenty/' "$toy/lib/numbers.c" && echo new >"$toy/lib/new.c" &&
	commit "lib: Add new.c

This is why." &&
	mkdir "$toy/tools" && echo '#!/bin/sh' >"$toy/tools/tool" && chmod +x "$toy/tools/tool" &&
	commit "tools: Add a tool" && scripts/refresh &&
	[ "$(patches_of_series | wc -l)" -eq 3 ] &&
	[ -x tools/tool ] && cmp lib/new.c "$toy/lib/new.c" &&
	[ ! -e lib/numbers.c ]
}

stable()
{
	local before

	before=$(stored)
	scripts/tree && scripts/refresh && [ "$(stored)" = "$before" ] && scripts/refresh --check
}

again() # from nothing: the same commits
{
	local before

	before=$(tgit rev-parse HEAD)
	rm -rf build
	scripts/tree && [ "$(tgit rev-parse HEAD)" = "$before" ]
}

# New files may be edited in the project; no other file of the tree is written.
edit_here()
{
	touch -d '2001-01-01' "$toy/lib/other.c" "$toy/lib/numbers.c"
	echo more >>lib/new.c
	says "were edited since" scripts/refresh && scripts/tree &&
		cmp lib/new.c "$toy/lib/new.c" &&
		[ "$(date -r "$toy/lib/numbers.c" +%Y)" = 2001 ] && scripts/refresh --check
}

fold()
{
	echo "more still" >>"$toy/lib/new.c"
	commit "lib: Change new.c" && scripts/refresh 2>&1 | grep -q 'is empty then: dropped' &&
		grep -q still lib/new.c && [ "$(tgit rev-list --count base..HEAD)" -eq 3 ] &&
		scripts/refresh --check
}

fixup()
{
	sed -i 's/^ten$/TEN/' "$toy/lib/numbers.c"
	commit "fixup! lib: Say ten" && scripts/refresh && grep -q '^+TEN' patches/$base/0001-* &&
		[ "$(tgit rev-list --count base..HEAD)" -eq 3 ]
}

leave()
{
	tgit reset -q --hard HEAD^ && scripts/refresh && [ ! -e tools ] &&
		! grep -q tool "patches/$base/series" && scripts/refresh --check
}

dirty()
{
	echo mine >>"$toy/lib/other.c"
	says "has uncommitted changes" scripts/refresh &&
	echo theirs >>lib/new.c &&
	says "make tree FORCE=1" scripts/tree && grep -q mine "$toy/lib/other.c" &&
	FORCE=1 scripts/tree && ! grep -q mine "$toy/lib/other.c" && grep -q theirs "$toy/lib/new.c"
}

unstored()
{
	echo mine >>"$toy/lib/other.c"
	commit "lib: Mine" && says "run make refresh" scripts/series "$house/out" &&
		echo theirs >>lib/new.c && says "make tree FORCE=1" scripts/tree &&
		FORCE=1 scripts/tree
}

signed()
{
	echo mine >>"$toy/lib/other.c"
	commit "lib: Mine

Signed-off-by: T <t@example.org>" && says "Signed-off-by" scripts/refresh &&
		tgit reset -q --hard HEAD^
}

rejected() # and the tree stays, and works again when the patch is mended
{
	local before patch

	before=$(tgit rev-parse HEAD)
	patch=$(echo "patches/$base"/0001-*)
	cp "$patch" "$house/good"
	sed -i 's/^ 9$/ nine/' "$patch"
	says "$patch does not apply" scripts/tree && says "lib/numbers.c:7" scripts/tree &&
		says "-10" scripts/tree && [ "$(tgit rev-parse HEAD)" = "$before" ] &&
		cp "$house/good" "$patch" && scripts/tree && scripts/refresh --check
}

missing()
{
	mv lib/new.c "$house/new.c"
	says "lib/new.c is missing" scripts/tree && mv "$house/new.c" lib/new.c && scripts/tree
}

am() # git am of the mails gives the same tree
{
	scripts/series "$house/out" && rm -rf "$house/am" &&
	git clone -q "$toy" "$house/am" && cd "$house/am" && git checkout -q --detach base &&
	git -c user.name=T -c user.email=t@example.org am -q "$house/out/$base.mbox" &&
	git diff --quiet HEAD series && grep -q '^Subject: \[PATCH 0/2\] A cover$' "$house/out/$base/0000"* &&
	grep -qx 'Base: v5.10.7' "$house/out/$base/0000"*
}

signoff()
{
	says "SIGNOFF=1 needs a name" env SIGNOFF=1 scripts/series "$house/out" &&
	git config -f .gitconfig user.name Toy && git config -f .gitconfig user.email t@example.org &&
	scripts/tree && SIGNOFF=1 scripts/series "$house/out" &&
	[ "$(grep -c '^Signed-off-by: Toy <t@example.org>$' "$house/out/$base.mbox")" -eq 2 ]
}

version()
{
	mkdir -p "$house/other" && sed 's/10/11/' "$mini/Makefile" >"$house/other/Makefile"
	says "is 5.11.7, the series needs 5.10.y" env LINUX="$house/other" scripts/tree &&
	says "no such tree" env LINUX="$house/none" scripts/tree &&
	says "is no kernel tree" env LINUX="$house/bin" scripts/tree && scripts/refresh --check
}

tarball()
{
	tar -C "$house" -cJf "$house/mini.tar.xz" mini &&
	LINUX=$house/mini.tar.xz scripts/tree && cmp "$mini/lib/other.c" "$toy/lib/other.c" &&
	tgit log -1 --format=%s base | grep -qx 'Linux 5.10.7' && scripts/tree
}

# A stand-in for a program says TEXT and ends with STATUS.
stand_in() # PROGRAM STATUS TEXT
{
	printf '#!/bin/sh\ncat <<END\n%s\nEND\nexit %d\n' "$3" "$2" >"$house/bin/$1"
	chmod +x "$house/bin/$1"
}

fetch_fails() # TEXT: and leaves nothing
{
	says "$1" env LINUX= PATH="$house/bin:$PATH" scripts/fetch &&
		[ -z "$(ls -A cache/linux-iommu/downloads 2>/dev/null)" ]
}

network()
{
	printf '#!/bin/sh\n[ "$1" != indextargets ] || { echo x-security http://x; exit 0; }
		echo "E: Could not resolve x" >&2; exit 100\n' >"$house/bin/apt-get"
	chmod +x "$house/bin/apt-get"
	fetch_fails "no network"
}

checksum()
{
	local f

	printf '#!/bin/sh\n[ "$1" != indextargets ] || { echo x-security http://x; exit 0; }\n' >"$house/bin/apt-get"
	for f in tarball debian; do
		echo "echo bad >$(sed -n "s/^$f=//p" "patches/$base/base")" >>"$house/bin/apt-get"
	done
	fetch_fails "other checksums"
	f=$?
	rm "$house/bin/apt-get"
	return $f
}

disk()
{
	stand_in df 0 7
	says "make room" env LINUX= PATH="$house/bin:$PATH" scripts/fetch &&
		rm -rf build && says "make room" env PATH="$house/bin:$PATH" scripts/tree &&
		[ ! -e "$toy" ] && [ ! -e "$toy.new" ] && rm "$house/bin/df" && scripts/tree
}

plan 19
run "make tree, commit, make refresh" make_series
run "nothing changed: nothing is written" stable
run "a tree made anew has the same commits" again
run "a new file is edited here; others keep their time" edit_here
run "a later change goes into the new file" fold
run "fixup! commits are squashed" fixup
run "what leaves the series leaves the project" leave
run "uncommitted changes are kept" dirty
run "unstored commits are kept" unstored
run "no Signed-off-by is stored" signed
run "a patch that does not apply is named, with file and hunk" rejected
run "a missing file is named" missing
run "git am takes the mails" am
run "SIGNOFF=1" signoff
run "wrong version" version
run "a tarball for LINUX=" tarball
run "no network" network
run "wrong checksum" checksum
run "no disk space" disk
exit $failed
