/* usage: what a sandbox, a tenant or all tenants have used. */
#include <stdio.h>
#include <string.h>

#include "tools/cloche/call.h"
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
	print_row(&table, "programs started",
		print_count(one, (int64_t)print_number(usage, "execs")), NULL);
	print_row(&table, "out of memory",
		print_count(one, (int64_t)print_number(usage, "oom_kills")), NULL);
	budgets_print(&table, json_object_get(answer, "budgets"));
	print_table_end(&table);
}

static void tenants_print(const json_t *answer)
{
	struct print_table table = {.right = 0x1fe};
	const json_t *row;
	size_t i;

	print_row(&table, "TENANT", "SANDBOXES", "CPU", "MEMORY", "SENT", "RECEIVED", "ALLOWED",
		"DENIED", "PROGRAMS", NULL);
	json_array_foreach(json_object_get(answer, "tenants"), i, row)
	{
		const json_t *usage = json_object_get(row, "usage");
		char cells[8][PRINT_CELL_SIZE];

		print_row(&table, print_member(row, "tenant"),
			print_count(cells[0], (int64_t)print_number(usage, "sandboxes")),
			print_duration(cells[1], print_number(usage, "cpu_ns")),
			print_bytes(cells[2], print_number(usage, "memory_bytes")),
			print_bytes(cells[3], print_number(usage, "bytes_sent")),
			print_bytes(cells[4], print_number(usage, "bytes_received")),
			print_count(cells[5], (int64_t)print_number(usage, "connections_allowed")),
			print_count(cells[6], (int64_t)print_number(usage, "connections_denied")),
			print_count(cells[7], (int64_t)print_number(usage, "execs")), NULL);
	}
	print_table_end(&table);
}

int command_usage(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *answer = NULL;
	const char *tenant = arguments_text(arguments, "tenant");
	bool all = arguments_flag(arguments, "all");
	char path[CALL_PATH_SIZE] = "/v1/usage";
	int code;

	if (arguments->n_words + (tenant != NULL) + all > 1 || arguments->n_rest)
		return call_misused(client, "usage wants one of ID, --tenant or --all.");
	if (arguments->n_words &&
		call_path(path, "/v1/sandboxes/", arguments->words[0], "/usage", NULL) < 0)
		return call_misused(client, "That is no id.");
	if (call_query(path, "tenant", tenant) < 0)
		return call_misused(client, "That is no tenant's name.");
	call_query(path, "group_by", all ? "tenant" : NULL);
	code = call_json(client, "GET", path, NULL, &answer);
	if (code || client->json)
		return code;
	if (all)
		tenants_print(answer);
	else if (arguments->n_words)
		usage_print("sandbox", arguments->words[0], answer);
	else
		usage_print("tenant", print_member(answer, "tenant"), answer);
	return EXIT_CODE_DONE;
}
