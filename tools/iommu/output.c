// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table, the JSON and the messages of lsiommu.
 *
 * Everything that comes from sysfs is escaped: a name must neither break the
 * output nor reach the terminal as a control sequence.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lsiommu.h"

/* Starts a line below a device when there is no room for the last column. */
#define STACKED	"    reserved "

#define BOLD	"\033[1m"
#define GREEN	"\033[32m"
#define YELLOW	"\033[33m"
#define RESET	"\033[0m"

/*
 * Print @s with each byte that is not printable ASCII, is a backslash or is
 * space but not in @keep as \xNN. Returns the width; a NULL @out only measures.
 */
static size_t put_text(FILE *out, const char *s, size_t len, const char *keep)
{
	size_t i, width = 0;
	unsigned char c;

	for (i = 0; i < len; i++) {
		c = s[i];
		if ((c > ' ' && c < 0x7f && c != '\\') ||
		    (c && strchr(keep, c))) {
			if (out)
				putc(c, out);
			width++;
		} else {
			if (out)
				fprintf(out, "\\x%02x", c);
			width += 4;
		}
	}
	return width;
}

void complain(const char *path, const char *reason)
{
	fprintf(stderr, "lsiommu: ");
	put_text(stderr, path, strlen(path), " ");
	fprintf(stderr, ": %s\n", reason);
	failed = true;
}

static size_t put_string(FILE *out, const char *s)
{
	return put_text(out, s, strlen(s), "");
}

static size_t put_name(FILE *out, const struct name *name)
{
	if (name->s)
		return put_string(out, name->s);
	return put_string(out, name->unknown ? "?" : "-");
}

static size_t put_group(FILE *out, const struct group *group)
{
	char buf[16] = "-";

	if (group)
		snprintf(buf, sizeof(buf), "%u", group->id);
	return put_string(out, buf);
}

static void pad(size_t width, size_t column)
{
	while (width++ < column)
		putchar(' ');
}

static size_t put_region(FILE *out, const struct region *r, bool of_group)
{
	char buf[40] = "? ";
	size_t width;

	if (r->valid)
		snprintf(buf, sizeof(buf), "%08llx-%08llx ", r->start, r->last);
	width = put_text(out, buf, strlen(buf), " ");
	width += put_text(out, r->type, r->type_len, " ");
	if (of_group)
		width += put_text(out, " (group)", 8, " ");
	return width;
}

/* What stands in the last column when there is no region to print. */
static const char *no_region(const struct device *dev)
{
	if (!dev->group)
		return "not behind an IOMMU";
	if (dev->group->noiommu)
		return "not behind an IOMMU (VFIO no-IOMMU group)";
	return device_regions(dev)->known ? "-" : "?";
}

/* 0: any number of columns will do. */
static size_t terminal_width(void)
{
	const char *env = getenv("COLUMNS");
	struct winsize size;
	char *end;
	long val;

	if (env && isdigit((unsigned char)*env)) {
		val = strtol(env, &end, 10);
		if (!*end && val > 0)
			return val;
	}
	if (!isatty(STDOUT_FILENO))
		return 0;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col)
		return size.ws_col;
	return 80;
}

static bool use_colour(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
	       term && *term && strcmp(term, "dumb");
}

struct layout {
	size_t iommu, group, device, driver;
	size_t indent;			/* where regions start */
	bool stacked;			/* regions below the device */
	bool colour;
};

static void widen(size_t *column, size_t width)
{
	if (width > *column)
		*column = width;
}

static void measure(const struct list *list, struct layout *lay)
{
	size_t i, j, regions = strlen("RESERVED"), columns = terminal_width();
	const struct regions *r;
	const struct device *dev;

	lay->iommu = strlen("IOMMU");
	lay->group = strlen("GROUP");
	lay->device = strlen("DEVICE");
	lay->driver = strlen("DRIVER");
	lay->colour = use_colour();

	for (i = 0; i < list->nr; i++) {
		dev = &list->devices[i];
		r = device_regions(dev);
		widen(&lay->iommu, put_name(NULL, &dev->iommu));
		widen(&lay->group, put_group(NULL, dev->group));
		widen(&lay->device, put_string(NULL, dev->name));
		widen(&lay->driver, put_name(NULL, &dev->driver));
		for (j = 0; j < r->nr; j++)
			widen(&regions, put_region(NULL, &r->v[j],
						   r != &dev->own));
		if (!r->nr)
			widen(&regions, strlen(no_region(dev)));
	}

	lay->indent = lay->iommu + lay->group + lay->device + lay->driver + 4;
	for (i = 0; i < NR_CAPS; i++)
		lay->indent += strlen(caps[i].column) + 1;
	lay->stacked = columns && lay->indent + regions > columns;
}

static void print_header(const struct layout *lay)
{
	size_t i;

	if (lay->colour)
		fputs(BOLD, stdout);
	printf("%-*s %*s %-*s ", (int)lay->iommu, "IOMMU", (int)lay->group,
	       "GROUP", (int)lay->device, "DEVICE");
	for (i = 0; i < NR_CAPS; i++)
		printf("%s ", caps[i].column);
	if (lay->stacked)
		printf("DRIVER");
	else
		printf("%-*s RESERVED", (int)lay->driver, "DRIVER");
	if (lay->colour)
		fputs(RESET, stdout);
	putchar('\n');
}

static void print_cap(const struct layout *lay, const struct device *dev,
		      size_t cap)
{
	signed char val = dev->caps[cap];
	const char *colour = "";
	char c = '?';

	pad(1, strlen(caps[cap].column));
	if (!behind_iommu(dev))
		c = '-';
	else if (val != CAP_UNKNOWN)
		c = '0' + val;

	if (lay->colour && c == '1')
		colour = GREEN;
	else if (lay->colour && c == '?')
		colour = YELLOW;
	printf("%s%c%s ", colour, c, *colour ? RESET : "");
}

static void print_row(const struct layout *lay, const struct device *dev)
{
	const struct regions *r = device_regions(dev);
	size_t i, width;

	pad(put_name(stdout, &dev->iommu), lay->iommu + 1);
	pad(put_group(NULL, dev->group), lay->group);
	put_group(stdout, dev->group);
	putchar(' ');
	pad(put_string(stdout, dev->name), lay->device + 1);
	for (i = 0; i < NR_CAPS; i++)
		print_cap(lay, dev, i);
	width = put_name(stdout, &dev->driver);
	if (lay->stacked)
		putchar('\n');
	else
		pad(width, lay->driver + 1);

	for (i = 0; i < r->nr; i++) {
		if (lay->stacked)
			fputs(STACKED, stdout);
		else if (i)
			pad(0, lay->indent);
		put_region(stdout, &r->v[i], r != &dev->own);
		putchar('\n');
	}
	if (r->nr || (lay->stacked && r->known))
		return;
	if (lay->stacked)
		fputs(behind_iommu(dev) ? STACKED : "    ", stdout);
	puts(no_region(dev));
}

void print_table(const struct list *list)
{
	struct layout lay;
	size_t i;

	measure(list, &lay);
	print_header(&lay);
	for (i = 0; i < list->nr; i++)
		print_row(&lay, &list->devices[i]);
}

/*
 * Length of the UTF-8 sequence at @s and its code point, 0 if the bytes are
 * none: cut short, overlong, a surrogate or out of range.
 */
static size_t parse_utf8(const char *s, size_t len, unsigned long *code)
{
	static const unsigned long least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = *s;
	size_t i, n;

	if (c >= 0xf0 && c < 0xf8)
		n = 4;
	else if (c >= 0xe0 && c < 0xf0)
		n = 3;
	else if (c >= 0xc0 && c < 0xe0)
		n = 2;
	else
		return 0;
	if (n > len)
		return 0;

	*code = c & (0x7f >> n);
	for (i = 1; i < n; i++) {
		c = s[i];
		if ((c & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (c & 0x3f);
	}
	if (*code < least[n] || *code > 0x10ffff ||
	    (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return n;
}

/* Pure ASCII. A byte that is not UTF-8 becomes the text \xNN. */
static void json_text(const char *s, size_t len)
{
	unsigned long code;
	unsigned char c;
	size_t i, n;

	putchar('"');
	for (i = 0; i < len; i += n) {
		n = 1;
		c = s[i];
		if (c == '"' || c == '\\') {
			printf("\\%c", c);
		} else if (c >= ' ' && c < 0x7f) {
			putchar(c);
		} else if (c < 0x80) {
			printf("\\u%04x", c);
		} else {
			n = parse_utf8(s + i, len - i, &code);
			if (!n) {
				n = 1;
				printf("\\\\x%02x", c);
			} else if (code < 0x10000) {
				printf("\\u%04lx", code);
			} else {
				code -= 0x10000;
				printf("\\u%04lx\\u%04lx", 0xd800 + (code >> 10),
				       0xdc00 + (code & 0x3ff));
			}
		}
	}
	putchar('"');
}

static void json_member(const char *key, const char *s)
{
	printf("      \"%s\": ", key);
	if (s)
		json_text(s, strlen(s));
	else
		printf("null");
	printf(",\n");
}

static void json_regions(const struct regions *r)
{
	size_t i;

	if (!r->known) {
		printf("null");
		return;
	}
	putchar('[');
	for (i = 0; i < r->nr; i++) {
		printf("%s\n        {\"start\": ", i ? "," : "");
		if (r->v[i].valid)
			printf("\"0x%016llx\", \"end\": \"0x%016llx\"",
			       r->v[i].start, r->v[i].last);
		else
			printf("null, \"end\": null");
		printf(", \"type\": ");
		json_text(r->v[i].type, r->v[i].type_len);
		putchar('}');
	}
	printf("%s]", r->nr ? "\n      " : "");
}

static void json_device(const struct device *dev)
{
	static const char * const bools[] = { "null", "false", "true" };
	const struct regions *r = device_regions(dev);
	const char *source = NULL;
	size_t i;

	printf("    {\n");
	json_member("device", dev->name);
	json_member("path", dev->path);
	printf("      \"behind_iommu\": %s,\n", bools[behind_iommu(dev) + 1]);
	json_member("iommu", dev->iommu.s);
	if (dev->group)
		printf("      \"group\": %u,\n", dev->group->id);
	else
		printf("      \"group\": null,\n");
	json_member("driver", dev->driver.s);

	printf("      \"iommu_caps\": {");
	for (i = 0; i < NR_CAPS; i++)
		printf("%s\n        \"%s\": %s", i ? "," : "", caps[i].file,
		       bools[dev->caps[i] + 1]);
	printf("\n      },\n");

	if (r->known)
		source = r == &dev->own ? "device" : "group";
	json_member("reserved_regions_of", source);
	printf("      \"reserved_regions\": ");
	json_regions(r);
	printf("\n    }");
}

void print_json(const struct list *list)
{
	size_t i;

	printf("{\n  \"devices\": [");
	for (i = 0; i < list->nr; i++) {
		printf("%s\n", i ? "," : "");
		json_device(&list->devices[i]);
	}
	printf("%s]\n}\n", list->nr ? "\n  " : "");
}
