# SPDX-License-Identifier: GPL-2.0
#= The IOMMU answers for a device: a patch series for Linux 5.10
#=
#=  make run               boot the patched kernel in every machine and show what
#=                         lsiommu and VFIO say there (about 20 minutes at first)
#=  make run MACHINE=intel the same for some machines: MACHINE="intel amd"
#=  make check             run every test (about an hour at first, then 5 min)
#=  make check GATE=style  only the tests in scripts/check/*style*
#=
#=  make bench             what VFIO costs on the base and with the series, in
#=                         instructions; KERNEL=IMAGE measures a third kernel
#=
#=  make tree              build/v5.10/linux: a git tree, one commit a patch
#=  make refresh           store its commits as patches/v5.10/ and new files;
#=                         fixup! and squash! commits are squashed first
#=  make series            out/v5.10.mbox for git am, and mails with cover letter
#=  make deps              install the Debian packages that all of it needs
#=  make clean             remove build/ and out/; downloads stay in the cache
#=
#=  LINUX=PATH    take another 5.10.y tree or tarball; it is only read
#=  FORCE=1       tree: drop what is not stored; refresh: overwrite what is
#=  SIGNOFF=1     series: add your Signed-off-by from git config
#=
#= Change a file: edit and commit in build/v5.10/linux, then make refresh; or
#= edit a new file or a patch right here, then make tree.

.PHONY: help deps tree refresh series run check bench clean
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory
export LINUX FORCE SIGNOFF KERNEL

help:
	@sed -n 's/^#= \{0,1\}//p' Makefile

deps:
	@scripts/deps

tree:
	@scripts/deps tree
	@scripts/tree

refresh:
	@scripts/refresh

series: tree
	@scripts/series

run:
	@scripts/run $(MACHINE)

check:
	@scripts/check/run $(GATE)

bench:
	@scripts/bench $(MACHINE)

clean:
	rm -rf build out
