#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The project's own files: scripts, and what no stored file may have.
set -u
. "$(dirname "$0")/tap.sh"

scripts() { grep -rlE -m 1 '^#!.*\b(ba)?sh\b' Makefile .ci scripts tools; }

lint() { scripts | xargs shellcheck -x -P SCRIPTDIR -S warning; }

stored() { { read_series | tr ' ' '\n' | sed "s|^.*\.patch$|patches/$base/&|"
	     ls "patches/$base/0000-cover-letter" scripts/* scripts/check/*; } | sort -u; }

# Where the kernel has no such line either, there is none here.
licensed()
{
	local bare

	bare=$(stored | grep -vE '^(patches|Documentation/ABI)/|/(config|settings)$' | xargs -d '\n' ls -d 2>/dev/null |
		xargs -d '\n' grep -L 'SPDX-License-Identifier:' -d skip)
	[ -z "$bare" ] || { echo "no SPDX-License-Identifier in:"; echo "$bare"; return 1; }
}

# Names of people come with the mails that their own git sends.
no_people()
{
	! stored | xargs -d '\n' grep -nEi -d skip \
		'^(From|Author|Signed-off-by|Reviewed-by|Acked-by|Tested-by): .*@' --
}

fits_screen()
{
	[ "$(make -s help | wc -l)" -le 24 ] && ! make -s help | grep -nE '.{81}'
}

plan 4
run "shellcheck" lint
run "each file names its licence" licensed
run "nobody is named in patches" no_people
run "make help fits a screen" fits_screen
exit $failed
