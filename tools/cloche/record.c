#include "tools/cloche/record.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tools/cloche/print.h"

#define WORD_MAX 60 /* bytes of an argument that are shown */

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

static bool has_text(const json_t *record, const char *name)
{
	const char *text = json_string_value(json_object_get(record, name));

	return text && *text;
}

/* A word as a shell would need it; programs given as text are cut after their first line. */
static void add_word(struct text *text, const char *word)
{
	size_t length = strcspn(word, "\n");
	bool whole;

	if (length > WORD_MAX) {
		length = WORD_MAX;
		while (length > 0 && ((unsigned char)word[length] >> 6) == 2)
			length--; /* not inside a character */
	}
	whole = word[length] == '\0';
	if (*word && whole && !strpbrk(word, " \t\"'\\$"))
		text_add(text, "%s", word);
	else
		text_add(text, "\"%.*s%s\"", (int)length, word, whole ? "" : "…");
}

static void add_argv(struct text *text, const json_t *record)
{
	const json_t *argv = json_object_get(record, "argv"), *word;
	size_t i;

	json_array_foreach(argv, i, word)
	{
		if (i)
			text_add(text, " ");
		add_word(text, json_is_string(word) ? json_string_value(word) : "?");
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

static void add_address(struct text *text, const json_t *record)
{
	const char *address = print_member(record, "address");

	text_add(text, strchr(address, ':') ? "[%s]" : "%s", address);
	if (json_object_get(record, "port"))
		text_add(text, ":%" PRIu64, print_number(record, "port"));
}

static void describe_network(struct text *text, const json_t *record)
{
	text_add(text, "%s ", text_is(record, "verdict", "deny") ? "DENIED" : "allowed");
	if (json_object_get(record, "address"))
		add_address(text, record);
	else
		text_add(text, "%s %s", print_member(record, "family"),
			print_member(record, "socket_type"));
	text_add(text, " %s", print_member(record, "protocol"));
	if (json_is_integer(json_object_get(record, "rule")))
		text_add(text, ", rule %" PRIu64, print_number(record, "rule"));
	else
		text_add(text, ", %s", print_member(record, "reason"));
	if (text_is(record, "via", "gate"))
		text_add(text, ", through the gate");
	add_process(text, record);
}

struct numbered {
	int number;
	const char *word;
};

/* The word for the number in member `name`; other numbers as they are. */
static void add_numbered(struct text *text, const json_t *record, const char *name,
	const struct numbered *rows, size_t n_rows)
{
	json_int_t number = json_integer_value(json_object_get(record, name));

	for (size_t i = 0; i < n_rows; i++)
		if (rows[i].number == number) {
			text_add(text, "%s", rows[i].word);
			return;
		}
	text_add(text, "%lld", (long long)number);
}

/* A query of a sandbox to its resolver. */
static void describe_query(struct text *text, const json_t *record)
{
	/* RFC 1035, 3.2.2 and later; RFC 1035, 4.1.1; RFC 8914, 5.2 */
	static const struct numbered types[] = {{1, "A"}, {2, "NS"}, {5, "CNAME"}, {6, "SOA"},
		{10, "NULL"}, {12, "PTR"}, {15, "MX"}, {16, "TXT"}, {28, "AAAA"}, {33, "SRV"},
		{64, "SVCB"}, {65, "HTTPS"}, {252, "AXFR"}, {255, "ANY"}};
	static const struct numbered codes[] = {{0, "answered"}, {1, "malformed"},
		{2, "server failure"}, {3, "no such name"}, {4, "not implemented"}, {5, "refused"}};
	static const struct numbered errors[] = {{0, "another reason"}, {14, "not ready"},
		{15, "blocked"}, {18, "prohibited"}, {21, "not supported"}};

	text_add(text, "%s %s, type ", text_is(record, "verdict", "deny") ? "DENIED" : "allowed",
		print_member(record, "name"));
	add_numbered(text, record, "qtype", types, ARRAY_SIZE(types));
	text_add(text, ": ");
	add_numbered(text, record, "rcode", codes, ARRAY_SIZE(codes));
	if (json_is_integer(json_object_get(record, "extended_error"))) {
		text_add(text, ", ");
		add_numbered(text, record, "extended_error", errors, ARRAY_SIZE(errors));
	}
	if (json_is_true(json_object_get(record, "tcp")))
		text_add(text, ", over TCP");
}

/* How a connection ended, where one word does not say it. */
static void add_flow_end(struct text *text, const json_t *record)
{
	static const struct {
		const char *end, *sentence;
	} rows[] = {
		{"connect_failed", "did not answer"},
		{"limit", "refused, too many connections are open"},
		{"not_asked_for", "refused, nobody asked for it"},
		{"other_protocol", "stopped, neither TLS nor HTTP was spoken"},
		{"not_resolved", "stopped, the name has no address now"},
		{"special_address", "stopped, the name points to an address that is not public"},
		{"policy_changed", "reset, the policy no longer allows it"},
	};

	if (text_is(record, "end", "other_name")) {
		if (has_text(record, "said"))
			text_add(text, " stopped, it asked for %s", print_member(record, "said"));
		else
			text_add(text, " stopped, it did not say which name it asks for");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (text_is(record, "end", rows[i].end)) {
			text_add(text, " %s", rows[i].sentence);
			return;
		}
	text_add(text, " %s", print_member(record, "end"));
}

static void describe_flow(struct text *text, const json_t *record)
{
	char sent[PRINT_CELL_SIZE], received[PRINT_CELL_SIZE], time[PRINT_CELL_SIZE];
	json_int_t error = json_integer_value(json_object_get(record, "error"));

	if (has_text(record, "name"))
		text_add(text, "%s:%" PRIu64, print_member(record, "name"),
			print_number(record, "port"));
	else
		add_address(text, record);
	if (has_text(record, "dialled"))
		text_add(text, " at %s", print_member(record, "dialled"));
	add_flow_end(text, record);
	text_add(text, ": %s sent, %s received in %s",
		print_bytes(sent, print_number(record, "bytes_sent")),
		print_bytes(received, print_number(record, "bytes_received")),
		print_duration(time, print_number(record, "duration_us") * 1000));
	if (error)
		text_add(text, ", %s", strerror(error < 0 ? (int)-error : (int)error));
}

static void describe_inbound(struct text *text, const json_t *record)
{
	text_add(text, "%s port %" PRIu64 " to key %s from %s",
		text_is(record, "verdict", "deny") ? "DENIED" : "allowed",
		print_number(record, "port"), print_member(record, "key"),
		print_member(record, "remote"));
}

static void describe_create(struct text *text, const json_t *record)
{
	const json_t *policy = json_object_get(record, "policy");
	const char *learns = json_string_value(json_object_get(policy, "learns"));
	char memory[PRINT_CELL_SIZE];

	text_add(text, "%s, %s, policy %s%s%s, %s, %g CPUs, %" PRIu64 " processes",
		print_member(record, "template"),
		json_is_true(json_object_get(record, "warm")) ? "warm" : "cold",
		print_member(policy, "name"), learns ? ", learns " : "", learns ? learns : "",
		print_bytes(memory, print_number(record, "memory_bytes")),
		(double)print_number(record, "cpu_millis") / 1000, print_number(record, "pids"));
}

static void describe_order(struct text *text, const json_t *record)
{
	add_argv(text, record);
	text_add(text, " as uid %" PRIu64, print_number(record, "uid"));
}

static void describe_outcome(struct text *text, const json_t *record)
{
	char time[PRINT_CELL_SIZE];

	if (print_number(record, "signal"))
		text_add(text, "%s, signal %" PRIu64, print_member(record, "reason"),
			print_number(record, "signal"));
	else
		text_add(text, "%s, code %lld", print_member(record, "reason"),
			(long long)json_integer_value(json_object_get(record, "code")));
	text_add(text, " after %s, ", print_duration(time, print_number(record, "wall_us") * 1000));
	text_add(text, "CPU %s",
		print_duration(time,
			(print_number(record, "user_us") + print_number(record, "system_us")) *
				1000));
}

static void add_end(struct text *text, const json_t *record)
{
	const json_t *code = json_object_get(record, "exit_code");
	const json_t *killer = json_object_get(record, "signal");

	if (json_is_string(killer))
		text_add(text, "killed by %s", json_string_value(killer));
	else if (json_is_integer(killer) && json_integer_value(killer) > 0)
		text_add(text, "killed by signal %lld", (long long)json_integer_value(killer));
	else
		text_add(text, "exit code %lld", (long long)json_integer_value(code));
	if (json_is_true(json_object_get(record, "oom_killed")))
		text_add(text, ", out of memory");
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

/* A path, and what it is relative to. */
static void add_path(struct text *text, const json_t *record, const char *path, const char *around)
{
	text_add(text, " ");
	add_word(text, print_member(record, path));
	if (has_text(record, around))
		text_add(text, " in %s", print_member(record, around));
}

/* As numbers, up to the last that is not 0. */
static void add_arguments(struct text *text, const json_t *record)
{
	const json_t *arguments = json_object_get(record, "arguments");
	size_t n = json_array_size(arguments);
	const char *word;

	while (n > 0 && (word = json_string_value(json_array_get(arguments, n - 1))) &&
		strcmp(word, "0x0") == 0)
		n--;
	for (size_t i = 0; i < n; i++)
		text_add(text, "%s%s", i ? ", " : " ",
			print_or_dash(json_string_value(json_array_get(arguments, i))));
}

static void describe_syscall(struct text *text, const json_t *record)
{
	bool is_denied = text_is(record, "verdict", "deny");

	if (is_denied)
		text_add(text, "DENIED by %s", print_member(record, "refused_by"));
	if (has_text(record, "error"))
		text_add(text, "%s%s", is_denied ? ", " : "", print_member(record, "error"));
	else if (!is_denied)
		text_add(text, "gave %lld",
			(long long)json_integer_value(json_object_get(record, "result")));
	if (json_object_get(record, "address")) {
		text_add(text, " ");
		add_address(text, record);
	} else if (json_object_get(record, "path")) {
		add_path(text, record, "path", "directory");
	} else {
		add_arguments(text, record);
	}
	if (json_object_get(record, "second_path"))
		add_path(text, record, "second_path", "second_directory");
	add_process(text, record);
}

static void describe_open(struct text *text, const json_t *record)
{
	text_add(text, "%s",
		json_is_true(json_object_get(record, "created"))    ? "made"
		: json_is_true(json_object_get(record, "writable")) ? "to write"
								    : "to read");
	add_path(text, record, "path", "directory");
	add_process(text, record);
}

/* What the candidate says otherwise. */
static void add_shadow(struct text *text, const json_t *record)
{
	const json_t *shadow = json_object_get(record, "shadow");

	if (!json_is_object(shadow))
		return;
	text_add(text, "; %s would %s", print_member(shadow, "policy"),
		text_is(shadow, "verdict", "deny") ? "deny" : "allow");
	if (has_text(shadow, "part"))
		text_add(text, ", %s", print_member(shadow, "part"));
	else if (json_is_integer(json_object_get(shadow, "rule")))
		text_add(text, ", rule %" PRIu64, print_number(shadow, "rule"));
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
			if (json_object_get(value, "learns"))
				text_add(text, " learns=%s", print_member(value, "learns"));
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
	{"network.dns", describe_query},
	{"network.flow", describe_flow},
	{"network.inbound", describe_inbound},
	{"network.", describe_network},
	{"process.exec", describe_exec},
	{"process.exit", describe_exit},
	{"exec.start", describe_order},
	{"exec.end", describe_outcome},
	{"sandbox.create", describe_create},
	{"api.call", describe_call},
	{"file.open", describe_open},
	{"syscall.", describe_syscall},
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
	if (forms[i].describe != describe_members)
		add_shadow(&text, record);
	return line;
}
