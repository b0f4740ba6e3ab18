/* create, ls, get, set, rm: sandboxes as things. */
#include <stdio.h>
#include <string.h>

#include "tools/cloche/body.h"
#include "tools/cloche/call.h"
#include "tools/cloche/print.h"

#define PAGE_LIMIT "100"

int command_create(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *body = NULL, *answer = NULL;
	struct failure why = {0};
	int code;

	if (arguments->n_words || arguments->n_rest)
		return call_misused(client, "create takes options only.");
	body = body_sandbox(arguments, &why);
	if (!body || body_env(body, arguments, &why) < 0 ||
		body_timeout(body, arguments, 0, &why) < 0)
		return call_failed(client, &why);
	code = call_json(client, "POST", "/v1/sandboxes", body, &answer);
	if (code == 0 && !client->json)
		printf("%s\n", print_member(answer, "id"));
	return code;
}

/* "a=1,b=2" */
static const char *labels_text(char *buffer, size_t size, const json_t *sandbox)
{
	json_t *labels = json_object_get(sandbox, "labels"), *value;
	size_t used = 0;
	const char *name;

	buffer[0] = '\0';
	json_object_foreach(labels, name, value)
	{
		int n = snprintf(buffer + used, size - used, "%s%s=%s", used ? "," : "", name,
			print_or_dash(json_string_value(value)));

		if (n < 0 || (size_t)n >= size - used)
			break;
		used += (size_t)n;
	}
	return print_or_dash(buffer);
}

static void sandbox_row(struct print_table *table, const json_t *sandbox)
{
	const json_t *limits = json_object_get(sandbox, "limits");
	char created[PRINT_CELL_SIZE], memory[PRINT_CELL_SIZE], labels[512], policy[128];

	print_row(table, print_member(sandbox, "id"), print_member(sandbox, "state"),
		print_member(sandbox, "template"), print_member(sandbox, "tenant"),
		print_policy(policy, sizeof(policy), json_object_get(sandbox, "policy")),
		print_bytes(memory, print_number(limits, "memory_bytes")),
		print_time(created, json_string_value(json_object_get(sandbox, "created_at"))),
		labels_text(labels, sizeof(labels), sandbox), NULL);
}

/* Fetches one page into the table. `*ret_cursor` is the next one's, NULL at the end; the caller
 * owns it. */
static int list_page(struct client *client, const struct arguments *arguments, const char *cursor,
	struct print_table *table, char **ret_cursor)
{
	_cleanup_json_ json_t *answer = NULL;
	char path[CALL_PATH_SIZE] = "/v1/sandboxes";
	const json_t *sandbox;
	const char *label, *next;
	size_t i;
	int code;

	for (i = 0; (label = arguments_each(arguments, "label", i)); i++)
		if (call_query(path, "label", label) < 0)
			return call_misused(client, "The labels are too long.");
	call_query(path, "limit", PAGE_LIMIT);
	call_query(path, "cursor", cursor);
	code = call_json(client, "GET", path, NULL, &answer);
	if (code)
		return code;
	json_array_foreach(json_object_get(answer, "sandboxes"), i, sandbox) if (!client->json)
		sandbox_row(table, sandbox);
	next = json_string_value(json_object_get(answer, "next_cursor"));
	/* the same cursor again would be a daemon that goes round in circles */
	*ret_cursor = next && (!cursor || strcmp(next, cursor) != 0) ? strdup(next) : NULL;
	return EXIT_CODE_DONE;
}

int command_list(struct client *client, const struct arguments *arguments)
{
	_cleanup_free_ char *cursor = NULL;
	struct print_table table = {.right = 1U << 5};
	int code;

	if (arguments->n_words || arguments->n_rest)
		return call_misused(client, "ls takes options only.");
	if (!client->json)
		print_row(&table, "ID", "STATE", "TEMPLATE", "TENANT", "POLICY", "MEMORY",
			"CREATED (UTC)", "LABELS", NULL);
	do {
		char *next = NULL;

		code = list_page(client, arguments, cursor, &table, &next);
		free(cursor);
		cursor = next;
	} while (code == 0 && cursor);
	if (code)
		print_table_fini(&table);
	else
		print_table_end(&table);
	return code;
}

static void sandbox_print(const json_t *sandbox)
{
	const json_t *limits = json_object_get(sandbox, "limits");
	const json_t *policy = json_object_get(sandbox, "policy");
	const json_t *shadow = json_object_get(sandbox, "shadow");
	const char *expires = json_string_value(json_object_get(sandbox, "expires_at"));
	const char *reason = json_string_value(json_object_get(sandbox, "reason"));
	struct print_table table = {0};
	char cell[PRINT_CELL_SIZE], text[512], name[128];

	print_row(&table, "id", print_member(sandbox, "id"), NULL);
	print_row(&table, "state", print_member(sandbox, "state"), NULL);
	if (reason)
		print_row(&table, "reason", reason, NULL);
	print_row(&table, "tenant", print_member(sandbox, "tenant"), NULL);
	print_row(&table, "template", print_member(sandbox, "template"), NULL);
	print_row(&table, "start", json_is_true(json_object_get(sandbox, "warm")) ? "warm" : "cold",
		NULL);
	snprintf(text, sizeof(text), "%s, generation %llu, %.16s…",
		print_policy(name, sizeof(name), policy),
		(unsigned long long)print_number(policy, "generation"),
		print_member(policy, "hash"));
	print_row(&table, "policy", text, NULL);
	if (json_object_get(policy, "judged_by"))
		print_row(&table, "judged by", print_member(policy, "judged_by"), NULL);
	if (json_is_object(shadow)) {
		const char *hash = json_string_value(json_object_get(shadow, "hash"));

		snprintf(text, sizeof(text), "%s (%s), %.16s%s", print_member(shadow, "name"),
			print_member(shadow, "source"), hash ? hash : "cannot be asked",
			hash ? "…" : "");
		print_row(&table, "shadow", text, NULL);
	} else if (json_is_false(shadow)) {
		print_row(&table, "shadow", "none at all", NULL);
	}
	print_row(&table, "memory", print_bytes(cell, print_number(limits, "memory_bytes")), NULL);
	print_row(&table, "disk", print_bytes(cell, print_number(limits, "disk_bytes")), NULL);
	snprintf(cell, sizeof(cell), "%g", json_number_value(json_object_get(limits, "cpu")));
	print_row(&table, "CPUs", cell, NULL);
	print_row(&table, "processes", print_count(cell, (int64_t)print_number(limits, "pids")),
		NULL);
	print_row(&table, "labels", labels_text(text, sizeof(text), sandbox), NULL);
	print_row(&table, "created",
		print_time(cell, json_string_value(json_object_get(sandbox, "created_at"))), NULL);
	print_row(&table, "expires", expires ? print_time(cell, expires) : "never", NULL);
	print_table_end(&table);
}

int command_get(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *answer = NULL;
	char path[CALL_PATH_SIZE];
	int code;

	if (arguments->n_words != 1 || arguments->n_rest)
		return call_misused(client, "get wants the id of one sandbox.");
	if (call_path(path, "/v1/sandboxes/", arguments->words[0], NULL) < 0)
		return call_misused(client, "That is no id.");
	code = call_json(client, "GET", path, NULL, &answer);
	if (code == 0 && !client->json)
		sandbox_print(answer);
	return code;
}

/* The URL works with the key only: `curl -H "Authorization: Bearer KEY"`. */
int command_port(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *answer = NULL;
	char path[CALL_PATH_SIZE];
	const char *url;
	int code;

	if (arguments->n_words != 2 || arguments->n_rest)
		return call_misused(client, "port wants the id of one sandbox and a port.");
	if (call_path(path, "/v1/sandboxes/", arguments->words[0], "/ports/", arguments->words[1],
		    NULL) < 0)
		return call_misused(client, "That is no id.");
	code = call_json(client, "GET", path, NULL, &answer);
	url = json_string_value(json_object_get(answer, "url"));
	if (code != 0 || client->json || !url)
		return code;
	printf("%s%s\n", http_base(client->http), url);
	if (!json_is_true(json_object_get(answer, "open")))
		fprintf(stderr, "cloche: Nothing listens on this port yet.\n");
	return 0;
}

int command_set(struct client *client, const struct arguments *arguments)
{
	const char *policy = arguments_text(arguments, "policy");
	const char *shadow = arguments_text(arguments, "shadow");
	bool never = arguments_flag(arguments, "no-shadow");
	_cleanup_json_ json_t *body = NULL, *answer = NULL;
	char path[CALL_PATH_SIZE];
	int code;

	if (arguments->n_words != 1 || arguments->n_rest || !!policy + !!shadow + never != 1)
		return call_misused(client, "set wants the id of one sandbox, and --policy NAME, "
					    "--shadow NAME or --no-shadow.");
	if (call_path(path, "/v1/sandboxes/", arguments->words[0], NULL) < 0)
		return call_misused(client, "That is no id.");
	if (policy)
		body = json_pack("{s:s}", "policy", policy);
	else if (never)
		body = json_pack("{s:b}", "shadow", 0);
	else
		body = json_pack("{s:s?}", "shadow", strcmp(shadow, "-") == 0 ? NULL : shadow);
	if (!body)
		return call_misused(client, "The policy's name is not UTF-8.");
	code = call_json(client, "PATCH", path, body, &answer);
	if (code == 0 && !client->json)
		sandbox_print(answer);
	return code;
}

/* Goes on after one that fails, and says so in the end. */
int command_remove(struct client *client, const struct arguments *arguments)
{
	int code = EXIT_CODE_DONE;

	if (!arguments->n_words || arguments->n_rest)
		return call_misused(client, "rm wants the ids of sandboxes.");
	for (size_t i = 0; i < arguments->n_words; i++) {
		_cleanup_json_ json_t *answer = NULL;
		char path[CALL_PATH_SIZE];
		int one;

		if (call_path(path, "/v1/sandboxes/", arguments->words[i], NULL) < 0)
			return call_misused(client, "That is no id.");
		one = call_json(client, "DELETE", path, NULL, &answer);
		if (one)
			code = one;
		else if (!client->json)
			printf("%s\n", arguments->words[i]);
	}
	return code;
}
