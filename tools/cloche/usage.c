/* usage: what a sandbox, a tenant or all tenants have used. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "supervisor/base/clock.h"
#include "tools/cloche/call.h"
#include "tools/cloche/csv.h"
#include "tools/cloche/print.h"

/* "12 of 1,000", and over what time. */
static void budgets_print(struct print_table *table, const json_t *budgets)
{
	static const struct {
		const char *key, *label;
		bool bytes;
	} rows[] = {{"bytes_out", "budget sent", true}, {"bytes_in", "budget received", true},
		{"connections", "budget connections", false},
		{"dns_queries", "budget DNS queries", false}};
	uint64_t seconds = print_number(budgets, "per_seconds");
	char one[PRINT_CELL_SIZE], two[PRINT_CELL_SIZE], per[PRINT_CELL_SIZE + 8] = "", text[256];

	if (seconds)
		snprintf(per, sizeof(per), " per %s", print_duration(one, seconds * 1000000000));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const json_t *budget = json_object_get(budgets, rows[i].key);
		uint64_t used = print_number(budget, "used"), limit = print_number(budget, "limit");

		if (!budget)
			continue;
		snprintf(text, sizeof(text), "%s of %s%s",
			rows[i].bytes ? print_bytes(one, used) : print_count(one, (int64_t)used),
			rows[i].bytes ? print_bytes(two, limit) : print_count(two, (int64_t)limit),
			per);
		print_row(table, rows[i].label, text, NULL);
	}
}

static void usage_print(const char *what, const char *name, const json_t *answer)
{
	const json_t *usage = json_object_get(answer, "usage");
	struct print_table table = {0};
	char one[PRINT_CELL_SIZE], two[PRINT_CELL_SIZE], text[256];

	snprintf(text, sizeof(text), "%s%s", name,
		json_is_true(json_object_get(answer, "ended")) ? " (ended)" : "");
	print_row(&table, what, text, NULL);
	if (print_number(usage, "sandboxes") > 1 || !json_object_get(answer, "sandbox"))
		print_row(&table, "sandboxes",
			print_count(one, (int64_t)print_number(usage, "sandboxes")), NULL);
	print_row(&table, "alive for", print_duration(one, print_number(usage, "wall_ns")), NULL);
	snprintf(text, sizeof(text), "%s (user %s",
		print_duration(one, print_number(usage, "cpu_ns")),
		print_duration(two, print_number(usage, "cpu_user_ns")));
	snprintf(text + strlen(text), sizeof(text) - strlen(text), ", system %s)",
		print_duration(one, print_number(usage, "cpu_system_ns")));
	print_row(&table, "CPU", text, NULL);
	snprintf(text, sizeof(text), "%s now, %s at most",
		print_bytes(one, print_number(usage, "memory_bytes")),
		print_bytes(two, print_number(usage, "memory_peak_bytes")));
	print_row(&table, "memory", text, NULL);
	snprintf(text, sizeof(text), "%s in %llu packets",
		print_bytes(one, print_number(usage, "bytes_sent")),
		(unsigned long long)print_number(usage, "packets_sent"));
	print_row(&table, "sent", text, NULL);
	snprintf(text, sizeof(text), "%s in %llu packets",
		print_bytes(one, print_number(usage, "bytes_received")),
		(unsigned long long)print_number(usage, "packets_received"));
	print_row(&table, "received", text, NULL);
	snprintf(text, sizeof(text), "%llu allowed, %llu denied",
		(unsigned long long)print_number(usage, "connections_allowed"),
		(unsigned long long)print_number(usage, "connections_denied"));
	print_row(&table, "connections", text, NULL);
	snprintf(text, sizeof(text), "%.3f GiB s",
		json_number_value(json_object_get(usage, "memory_gib_seconds")));
	print_row(&table, "memory over time", text, NULL);
	snprintf(text, sizeof(text), "%s read, %s written",
		print_bytes(one, print_number(usage, "block_read_bytes")),
		print_bytes(two, print_number(usage, "block_written_bytes")));
	print_row(&table, "block I/O", text, NULL);
	print_row(&table, "names asked for",
		print_count(one, (int64_t)print_number(usage, "dns_queries")), NULL);
	print_row(&table, "processes made", print_count(one, (int64_t)print_number(usage, "forks")),
		NULL);
	snprintf(text, sizeof(text), "%s, %s refused",
		print_count(one, (int64_t)print_number(usage, "syscalls")),
		print_count(two, (int64_t)print_number(usage, "syscalls_refused")));
	print_row(&table, "system calls", text, NULL);
	print_row(&table, "programs started",
		print_count(one, (int64_t)print_number(usage, "execs")), NULL);
	print_row(&table, "out of memory",
		print_count(one, (int64_t)print_number(usage, "oom_kills")), NULL);
	budgets_print(&table, json_object_get(answer, "budgets"));
	print_table_end(&table);
}

static const char *const lists[] = {"tenants", "sandboxes", "labels", "rows", "destinations"};

static const json_t *list_of(const json_t *answer)
{
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		if (json_is_array(json_object_get(answer, lists[i])))
			return json_object_get(answer, lists[i]);
	return NULL;
}

/* Whom a row is about: a sandbox, a label's value, a time of a series, a tenant or the host. */
static const char *who(const json_t *row, bool has_steps, char cell[static PRINT_CELL_SIZE])
{
	const json_t *value = json_object_get(row, "value");

	if (has_steps)
		return print_time(cell, json_string_value(json_object_get(row, "since")));
	if (value)
		return json_is_null(value) ? "(others)" : json_string_value(value);
	if (json_object_get(row, "sandbox"))
		return print_member(row, "sandbox");
	return json_is_null(json_object_get(row, "tenant")) ? "(host)"
							    : print_member(row, "tenant");
}

static void list_print(const json_t *list, bool has_steps)
{
	struct print_table table = {.right = 0x3fe};
	const json_t *row;
	size_t i;

	print_row(&table, has_steps ? "SINCE" : "NAME", "SANDBOXES", "CPU", "MEMORY", "GiB s",
		"SENT", "RECEIVED", "ALLOWED", "DENIED", "PROGRAMS", NULL);
	json_array_foreach(list, i, row)
	{
		const json_t *usage = json_object_get(row, "usage");
		char cells[10][PRINT_CELL_SIZE];

		snprintf(cells[9], PRINT_CELL_SIZE, "%.3f",
			json_number_value(json_object_get(usage, "memory_gib_seconds")));
		print_row(&table, who(row, has_steps, cells[0]),
			print_count(cells[1], (int64_t)print_number(usage, "sandboxes")),
			print_duration(cells[2], print_number(usage, "cpu_ns")),
			print_bytes(cells[3], print_number(usage, "memory_bytes")), cells[9],
			print_bytes(cells[4], print_number(usage, "bytes_sent")),
			print_bytes(cells[5], print_number(usage, "bytes_received")),
			print_count(cells[6], (int64_t)print_number(usage, "connections_allowed")),
			print_count(cells[7], (int64_t)print_number(usage, "connections_denied")),
			print_count(cells[8], (int64_t)print_number(usage, "execs")), NULL);
	}
	print_table_end(&table);
}

static void destinations_print(const json_t *list)
{
	struct print_table table = {.right = 0xe};
	const json_t *row;
	size_t i;

	print_row(&table, "DESTINATION", "SENT", "RECEIVED", "CONNECTIONS", NULL);
	json_array_foreach(list, i, row)
	{
		const json_t *name = json_object_get(row, "name");
		char cells[3][PRINT_CELL_SIZE];

		print_row(&table, json_is_null(name) ? "(others)" : print_member(row, "name"),
			print_bytes(cells[0], print_number(row, "bytes_sent")),
			print_bytes(cells[1], print_number(row, "bytes_received")),
			print_count(cells[2], (int64_t)print_number(row, "connections")), NULL);
	}
	print_table_end(&table);
}

/* "90m" becomes the time that was so long ago; what is none of the kind stays as it is. */
static const char *time_of(const char *text, char cell[static PRINT_CELL_SIZE])
{
	static const struct {
		char unit;
		double seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	char *end = NULL;
	double amount = text ? strtod(text, &end) : 0;

	for (size_t i = 0; text && i < ARRAY_SIZE(units); i++) {
		double ns = (double)clock_realtime_ns() - amount * units[i].seconds * 1e9;
		time_t seconds = (time_t)(ns / 1e9);
		struct tm utc;

		if (end == text || end[0] != units[i].unit || end[1] || !(ns >= 0) ||
			!gmtime_r(&seconds, &utc))
			continue;
		strftime(cell, PRINT_CELL_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc);
		return cell;
	}
	return text;
}

static int make_path(
	struct client *client, const struct arguments *arguments, char path[static CALL_PATH_SIZE])
{
	const char *tenant = arguments_text(arguments, "tenant");
	const char *group_by = arguments_text(arguments, "group-by");
	bool all = arguments_flag(arguments, "all");
	char since[PRINT_CELL_SIZE], until[PRINT_CELL_SIZE];

	if (arguments->n_words + (tenant != NULL) + all > 1 || arguments->n_rest ||
		(group_by && all))
		return call_misused(client, "usage wants one of ID, --tenant or --all (which is "
					    "--group-by tenant).");
	if (arguments->n_words &&
		call_path(path, "/v1/sandboxes/", arguments->words[0], "/usage", NULL) < 0)
		return call_misused(client, "That is no id.");
	if (call_query(path, "tenant", tenant) < 0 ||
		call_query(path, "group_by", all ? "tenant" : group_by) < 0 ||
		call_query(path, "since", time_of(arguments_text(arguments, "since"), since)) < 0 ||
		call_query(path, "until", time_of(arguments_text(arguments, "until"), until)) < 0 ||
		call_query(path, "step", arguments_text(arguments, "step")) < 0)
		return call_misused(client, "That is too long.");
	return EXIT_CODE_DONE;
}

int command_usage(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *answer = NULL;
	char path[CALL_PATH_SIZE] = "/v1/usage";
	const json_t *list;
	int code = make_path(client, arguments, path);

	if (code == EXIT_CODE_DONE)
		code = call_json(client, "GET", path, NULL, &answer);
	if (code || client->json)
		return code;
	list = list_of(answer);
	if (arguments_flag(arguments, "csv"))
		csv_print(list ? list : answer);
	else if (json_object_get(answer, "destinations"))
		destinations_print(list);
	else if (list)
		list_print(list, arguments_text(arguments, "step") != NULL);
	else if (arguments->n_words)
		usage_print("sandbox", arguments->words[0], answer);
	else
		usage_print("tenant", print_member(answer, "tenant"), answer);
	return EXIT_CODE_DONE;
}
