#include "tools/policy/pretty.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/cleanup.h"

#define LINE_MAX_COLUMNS 100
#define TAB_COLUMNS 8
#define SCALAR_FLAGS (JSON_ENCODE_ANY | JSON_REAL_PRECISION(12))

/* In every object the keys that are here come in this order, then the others as they stood. */
static const char *const key_order[] = {"version", "name", "cidr", "extends", "description", "mode",
	"policy", "act", "verdict", "rule", "network", "allow", "ports", "protocol", "tls",
	"private", "records", "inbound", "budgets", "bytes_out", "bytes_in", "connections",
	"dns_queries", "per", "resources", "class", "memory", "cpu", "pids", "disk", "open_files",
	"syscalls", "profile", "deny", "args", "index", "mask", "files", "read_only", "writable",
	"hidden", "executables", "libraries", "path", "sha256", "devices", "lifecycle", "secrets",
	"audit", NULL};

static int write_value(FILE *stream, const json_t *value, unsigned int depth, size_t column);

/* What describes a whole document stands at its top, what describes a part of it at that one's end.
 */
static size_t place_of(const char *key, bool is_document)
{
	size_t i = 0;

	if (!is_document && strcmp(key, "description") == 0)
		return ARRAY_SIZE(key_order);

	while (key_order[i] && strcmp(key_order[i], key) != 0)
		i++;
	return i;
}

static void indent(FILE *stream, unsigned int depth)
{
	fputc('\n', stream);
	for (unsigned int i = 0; i < depth; i++)
		fputc('\t', stream);
}

static int write_scalar(FILE *stream, const json_t *value)
{
	char *text = json_dumps(value, SCALAR_FLAGS);

	if (!text)
		return -ENOMEM;
	fputs(text, stream);
	free(text);
	return 0;
}

struct member {
	const char *key;
	const json_t *value;
	size_t place, index; /* sorted by: place in key_order, then as it stood */
};

static int compare_members(const void *a, const void *b)
{
	const struct member *left = a, *right = b;

	if (left->place != right->place)
		return left->place < right->place ? -1 : 1;
	return left->index < right->index ? -1 : 1;
}

static int write_member(FILE *stream, const struct member *member, unsigned int depth, bool is_last)
{
	json_t *key = json_string(member->key);
	int r = write_scalar(stream, key);

	json_decref(key);
	if (r < 0)
		return r;
	fputs(": ", stream);
	r = write_value(stream, member->value, depth,
		depth * TAB_COLUMNS + strlen(member->key) + strlen("\"\": "));
	if (!is_last)
		fputc(',', stream);
	return r;
}

static int write_object(FILE *stream, const json_t *object, unsigned int depth)
{
	size_t n = json_object_size(object), i = 0;
	_cleanup_free_ struct member *members = calloc(n + 1, sizeof(*members));
	bool is_document = json_object_get(object, "version") != NULL;
	const char *key;
	json_t *value;
	int r = 0;

	if (!members)
		return -ENOMEM;
	json_object_foreach((json_t *)object, key, value)
	{
		members[i] = (struct member){key, value, place_of(key, is_document), i};
		i++;
	}
	qsort(members, n, sizeof(*members), compare_members);
	fputc('{', stream);
	for (i = 0; r == 0 && i < n; i++) {
		indent(stream, depth + 1);
		r = write_member(stream, &members[i], depth + 1, i + 1 == n);
	}
	if (n)
		indent(stream, depth);
	fputc('}', stream);
	return r;
}

/* Returns 1 when the list holds only scalars and fits; then it is written. */
static int write_short_list(FILE *stream, const json_t *list, size_t column)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0, i;
	FILE *line = open_memstream(&text, &size);
	const json_t *value;
	int r = 0;

	if (!line)
		return -ENOMEM;
	fputc('[', line);
	json_array_foreach(list, i, value)
	{
		if (json_is_object(value) || json_is_array(value))
			r = 1;
		if (i > 0)
			fputs(", ", line);
		if (r == 0)
			r = write_scalar(line, value);
	}
	fputc(']', line);
	if (fclose(line) != 0 || r < 0)
		return -ENOMEM;
	if (r == 1 || column + size + 1 > LINE_MAX_COLUMNS)
		return 0;
	fputs(text, stream);
	return 1;
}

static int write_list(FILE *stream, const json_t *list, unsigned int depth, size_t column)
{
	size_t i, n = json_array_size(list);
	const json_t *value;
	int r = write_short_list(stream, list, column);

	if (r != 0)
		return r < 0 ? r : 0;
	fputc('[', stream);
	json_array_foreach(list, i, value)
	{
		indent(stream, depth + 1);
		r = write_value(stream, value, depth + 1, (depth + 1) * TAB_COLUMNS);
		if (r < 0)
			return r;
		if (i + 1 < n)
			fputc(',', stream);
	}
	indent(stream, depth);
	fputc(']', stream);
	return 0;
}

/* jansson reads no deeper than 2,048 (JSON_PARSER_MAX_DEPTH). */
static int write_value(FILE *stream, const json_t *value, unsigned int depth, size_t column)
{
	if (json_is_object(value))
		return write_object(stream, value, depth);
	if (json_is_array(value))
		return write_list(stream, value, depth, column);
	return write_scalar(stream, value);
}

int policy_pretty(
	const char *text, size_t size, const char *file, char **ret_text, struct failure *why)
{
	_cleanup_free_ char *pretty = NULL;
	size_t pretty_size = 0;
	json_error_t error;
	json_t *document = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	FILE *stream;
	int r;

	if (!document) {
		failure_set(why, -EINVAL, "format policy", "This is no JSON: %s.", error.text);
		failure_at(why, "%s:%d:%d", file, error.line, error.column);
		return -EINVAL;
	}
	stream = open_memstream(&pretty, &pretty_size);
	r = stream ? write_value(stream, document, 0, 0) : -ENOMEM;
	json_decref(document);
	if (stream)
		fputc('\n', stream);
	if (stream && fclose(stream) != 0)
		r = -ENOMEM;
	if (r < 0)
		return failure_set(why, r, "format policy", "There is no memory left.");
	*ret_text = steal_ptr(&pretty);
	return 0;
}
