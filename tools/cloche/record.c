#include "tools/cloche/record.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tools/cloche/print.h"

/* Text that grows in a fixed buffer; what does not fit is cut. */
struct text {
	char *buffer;
	size_t size, used;
};

static void _printf_(2, 3) text_add(struct text *text, const char *format, ...)
{
	va_list values;
	int n;

	va_start(values, format);
	n = vsnprintf(text->buffer + text->used, text->size - text->used, format, values);
	va_end(values);
	if (n > 0)
		text->used = text->used + (size_t)n < text->size ? text->used + (size_t)n
								 : text->size - 1;
}

static bool text_is(const json_t *record, const char *name, const char *value)
{
	const char *text = json_string_value(json_object_get(record, name));

	return text && strcmp(text, value) == 0;
}

static void add_argv(struct text *text, const json_t *record)
{
	const json_t *argv = json_object_get(record, "argv"), *word;
	size_t i;

	json_array_foreach(argv, i, word)
	{
		const char *plain = json_string_value(word);

		if (plain && *plain && !strpbrk(plain, " \t\n\"'\\$"))
			text_add(text, "%s%s", i ? " " : "", plain);
		else
			text_add(text, "%s\"%s\"", i ? " " : "", plain ? plain : "?");
	}
	if (json_is_true(json_object_get(record, "argv_truncated")))
		text_add(text, " …");
}

static void add_process(struct text *text, const json_t *record)
{
	const json_t *process = json_object_get(record, "process");

	if (process)
		text_add(text, " by pid %" PRIu64 " %s", print_number(process, "pid"),
			print_member(process, "exe"));
}

static void describe_network(struct text *text, const json_t *record)
{
	const char *address = json_string_value(json_object_get(record, "address"));
	bool six = address && strchr(address, ':');

	text_add(text, "%s ", text_is(record, "verdict", "deny") ? "DENIED" : "allowed");
	if (address)
		text_add(text, six ? "[%s]" : "%s", address);
	else
		text_add(text, "%s %s", print_member(record, "family"),
			print_member(record, "socket_type"));
	if (json_object_get(record, "port"))
		text_add(text, ":%" PRIu64, print_number(record, "port"));
	text_add(text, " %s", print_member(record, "protocol"));
	if (json_is_integer(json_object_get(record, "rule")))
		text_add(text, ", rule %" PRIu64, print_number(record, "rule"));
	else
		text_add(text, ", %s", print_member(record, "reason"));
	if (text_is(record, "via", "gate"))
		text_add(text, ", through the gate");
	add_process(text, record);
}

static void add_end(struct text *text, const json_t *record)
{
	const json_t *code = json_object_get(record, "exit_code");
	const json_t *killer = json_object_get(record, "signal");
	const char *reason = json_string_value(json_object_get(record, "reason"));

	if (json_is_string(killer))
		text_add(text, "killed by %s", json_string_value(killer));
	else if (json_is_integer(killer) && json_integer_value(killer) > 0)
		text_add(text, "killed by signal %lld", (long long)json_integer_value(killer));
	else
		text_add(text, "exit code %lld", (long long)json_integer_value(code));
	if (json_is_true(json_object_get(record, "oom_killed")) ||
		(reason && !strcmp(reason, "oom")))
		text_add(text, ", out of memory");
	else if (reason && strcmp(reason, "exited") != 0 && strcmp(reason, "signaled") != 0)
		text_add(text, ", %s", reason);
}

static void describe_exit(struct text *text, const json_t *record)
{
	char cell[PRINT_CELL_SIZE];

	add_end(text, record);
	if (json_object_get(record, "lifetime_ns"))
		text_add(text, " after %s",
			print_duration(cell, print_number(record, "lifetime_ns")));
	add_process(text, record);
}

static void describe_exec(struct text *text, const json_t *record)
{
	const json_t *process = json_object_get(record, "process");

	add_argv(text, record);
	if (process)
		text_add(text, " (pid %" PRIu64 ", %s)", print_number(process, "pid"),
			print_member(process, "exe"));
}

static void describe_call(struct text *text, const json_t *record)
{
	char cell[PRINT_CELL_SIZE];

	text_add(text, "%s %s → %" PRIu64, print_member(record, "method"),
		print_member(record, "path"), print_number(record, "status"));
	if (json_object_get(record, "duration_us"))
		text_add(text, " in %s",
			print_duration(cell, print_number(record, "duration_us") * 1000));
	if (json_object_get(record, "remote"))
		text_add(text, " from %s", print_member(record, "remote"));
}

/* Members common to all records, shown elsewhere in the line or not at all. */
static bool is_common(const char *name)
{
	static const char *const common[] = {
		"v", "seq", "time", "type", "sandbox", "tenant", "tenant_id", "process"};

	for (size_t i = 0; i < ARRAY_SIZE(common); i++)
		if (strcmp(name, common[i]) == 0)
			return true;
	return false;
}

static void describe_members(struct text *text, const json_t *record)
{
	const char *name;
	json_t *value;
	size_t begin = text->used;

	json_object_foreach((json_t *)record, name, value)
	{
		_cleanup_free_ char *dumped = NULL;

		if (is_common(name) || json_is_null(value))
			continue;
		if (strcmp(name, "policy") == 0 && json_is_object(value)) {
			text_add(text, "%spolicy=%s", text->used > begin ? " " : "",
				print_member(value, "name"));
			continue;
		}
		dumped = json_is_string(value) ? strdup(json_string_value(value))
					       : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
		text_add(text, "%s%s=%s", text->used > begin ? " " : "", name,
			dumped ? dumped : "?");
	}
}

static const struct {
	const char *type; /* a whole type, or a prefix that ends in a dot */
	void (*describe)(struct text *text, const json_t *record);
} forms[] = {
	{"network.flow", describe_members},
	{"network.", describe_network},
	{"process.exec", describe_exec},
	{"process.exit", describe_exit},
	{"exec.end", describe_members},
	{"api.call", describe_call},
	{"", describe_members},
};

const char *record_describe(char *line, size_t size, const json_t *record)
{
	const char *time = print_member(record, "time");
	const char *type = print_member(record, "type");
	struct text text = {.buffer = line, .size = size};
	size_t i = 0;

	line[0] = '\0';
	text_add(&text, "%-12.12s  %-19s  %-15s  ", strlen(time) > 23 ? time + 11 : time,
		print_member(record, "sandbox"), type);
	while (strncmp(type, forms[i].type, strlen(forms[i].type)) != 0)
		i++;
	forms[i].describe(&text, record);
	return line;
}
