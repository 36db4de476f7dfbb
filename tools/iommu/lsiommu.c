// SPDX-License-Identifier: GPL-2.0-only
/*
 * lsiommu - list the devices behind IOMMUs, what their IOMMU does for them
 * and which addresses they cannot use
 *
 * Usage:
 *	lsiommu [--json] [--device DEVICE]... [--sysfs DIR]
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lsiommu.h"

#define VERSION		"1.0"

#define EXIT_USAGE	2

bool failed;

void *xrealloc(void *p, size_t nr, size_t size)
{
	if (nr > SIZE_MAX / size)
		p = NULL;
	else
		p = realloc(p, nr * size);
	if (!p) {
		fprintf(stderr, "lsiommu: out of memory\n");
		exit(EXIT_FAILURE);
	}
	return p;
}

char *xasprintf(const char *fmt, ...)
{
	va_list args;
	char *s;
	int n;

	va_start(args, fmt);
	n = vasprintf(&s, fmt, args);
	va_end(args);
	if (n < 0) {
		fprintf(stderr, "lsiommu: out of memory\n");
		exit(EXIT_FAILURE);
	}
	return s;
}

static void print_help(void)
{
	size_t i;

	puts("Usage: lsiommu [OPTION]...\n"
	     "List the devices behind IOMMUs by IOMMU, group and device.\n"
	     "\n"
	     "  -d, --device DEVICE  only this device, given as PCI address (0000:00:03.0 or\n"
	     "                       00:03.0), name on its bus or path in sysfs; repeatable\n"
	     "  -j, --json           print JSON\n"
	     "      --sysfs DIR      read a sysfs tree at DIR instead of /sys\n"
	     "  -h, --help           print this help\n"
	     "  -V, --version        print the version\n"
	     "\n"
	     "Columns with 1 for yes, 0 for no, ? if this kernel does not tell:");
	for (i = 0; i < NR_CAPS; i++)
		printf("  %-3s       %s\n", caps[i].column, caps[i].help);
	puts("  RESERVED  addresses that DMA mappings of the device must avoid, and why;\n"
	     "            (group): known only for the group of the device as a whole\n"
	     "\n"
	     "Exit status: 0 if all was read, 1 on an error, 2 on wrong usage.");
}

static int usage_error(void)
{
	fprintf(stderr, "Try 'lsiommu --help' for more information.\n");
	return EXIT_USAGE;
}

/* In words, as an empty table would leave the reader guessing. */
static void print_none(const char *sysfs, bool groups)
{
	if (!groups)
		puts("No IOMMU: this kernel is built without IOMMU support.");
	else if (has_iommu(sysfs))
		puts("No device is behind an IOMMU.");
	else
		puts("No IOMMU: the machine has none, or it is switched off.");
}

static int finish(void)
{
	if (ferror(stdout) | fclose(stdout)) {
		fprintf(stderr, "lsiommu: write error: %s\n", strerror(errno));
		failed = true;
	}
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void read_list(struct list *list, char **args, size_t nr, bool json)
{
	char *dir = xasprintf("%s/kernel", list->sysfs);
	bool groups = true;
	size_t i;

	if (check_dir(dir) != FOUND) {
		if (!failed)
			complain(list->sysfs, "no sysfs there");
	} else if (nr) {
		for (i = 0; i < nr; i++)
			list_one(list, args[i]);
	} else {
		groups = list_all(list);
	}
	free(dir);

	list_sort(list);
	if (json)
		print_json(list);
	else if (list->nr)
		print_table(list);
	else if (!nr && !failed)
		print_none(list->sysfs, groups);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "device",	required_argument,	NULL, 'd' },
		{ "json",	no_argument,		NULL, 'j' },
		{ "sysfs",	required_argument,	NULL, 's' },
		{ "help",	no_argument,		NULL, 'h' },
		{ "version",	no_argument,		NULL, 'V' },
		{ NULL, 0, NULL, 0 }
	};
	struct list list = { .sysfs = "/sys" };
	char **args = xrealloc(NULL, argc + 1, sizeof(*args));
	bool json = false;
	size_t nr = 0;
	int c, ret;

	while ((c = getopt_long(argc, argv, "d:jhV", options, NULL)) != -1) {
		switch (c) {
		case 'd':
		case 's':
			if (!*optarg) {
				fprintf(stderr, "lsiommu: empty argument of --%s\n",
					c == 'd' ? "device" : "sysfs");
				ret = usage_error();
				goto out;
			}
			if (c == 'd')
				args[nr++] = optarg;
			else
				list.sysfs = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			print_help();
			ret = finish();
			goto out;
		case 'V':
			puts("lsiommu " VERSION);
			ret = finish();
			goto out;
		default:
			ret = usage_error();
			goto out;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "lsiommu: unexpected argument '%s'\n",
			argv[optind]);
		ret = usage_error();
		goto out;
	}

	read_list(&list, args, nr, json);
	ret = finish();
	list_free(&list);
out:
	free(args);
	return ret;
}
