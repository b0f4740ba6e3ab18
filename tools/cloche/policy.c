/* policy, templates: what sandboxes may do and start from. */
#include <stdio.h>

#include "tools/cloche/call.h"
#include "tools/cloche/print.h"

static void policies_print(const json_t *answer)
{
	struct print_table table = {.right = 6};
	const json_t *policy;
	size_t i;

	print_row(&table, "NAME", "RULES", "SANDBOXES", "HASH", "DESCRIPTION", NULL);
	json_array_foreach(json_object_get(answer, "policies"), i, policy)
	{
		char rules[PRINT_CELL_SIZE], sandboxes[PRINT_CELL_SIZE], hash[PRINT_CELL_SIZE];
		char name[PRINT_CELL_SIZE + sizeof(" (learns)")];

		snprintf(hash, sizeof(hash), "%.12s", print_member(policy, "hash"));
		print_row(&table, print_policy(name, sizeof(name), policy),
			print_count(rules, (int64_t)print_number(policy, "rules")),
			print_count(sandboxes, (int64_t)print_number(policy, "sandboxes")), hash,
			print_member(policy, "description"), NULL);
	}
	print_table_end(&table);
}

int command_policy_list(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *answer = NULL;
	int code;

	if (arguments->n_words || arguments->n_rest)
		return call_misused(client, "policy list takes options only.");
	code = call_json(client, "GET", "/v1/policies", NULL, &answer);
	if (code == 0 && !client->json)
		policies_print(answer);
	return code;
}

int command_policy_show(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *answer = NULL;
	char path[CALL_PATH_SIZE];
	int code;

	if (arguments->n_words != 1 || arguments->n_rest)
		return call_misused(client, "policy show wants the name of one policy.");
	if (call_path(path, "/v1/policies/", arguments->words[0], NULL) < 0 ||
		call_query(path, "stage", arguments_flag(arguments, "staged") ? "shadow" : NULL) <
			0)
		return call_misused(client, "That is no policy's name.");
	code = call_json(client, "GET", path, NULL, &answer);
	if (code || client->json)
		return code;
	print_json(answer);
	return EXIT_CODE_DONE;
}

int command_policy_reload(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *answer = NULL;
	int code;

	if (arguments->n_words || arguments->n_rest)
		return call_misused(client, "policy reload takes options only.");
	code = call_json(client, "POST", "/v1/policies/reload", NULL, &answer);
	if (code == 0 && !client->json)
		policies_print(answer);
	return code;
}

int command_templates(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *answer = NULL;
	struct print_table table = {.right = 12};
	const json_t *template;
	size_t i;
	int code;

	if (arguments->n_words || arguments->n_rest)
		return call_misused(client, "templates takes options only.");
	code = call_json(client, "GET", "/v1/templates", NULL, &answer);
	if (code || client->json)
		return code;
	print_row(
		&table, "NAME", "AVAILABLE", "WARM", "TARGET", "RUNTIME", "REASON", "SHADOW", NULL);
	json_array_foreach(json_object_get(answer, "templates"), i, template)
	{
		char warm[PRINT_CELL_SIZE], target[PRINT_CELL_SIZE];

		print_row(&table, print_member(template, "name"),
			json_is_true(json_object_get(template, "available")) ? "yes" : "no",
			print_count(warm, (int64_t)print_number(template, "warm")),
			print_count(target, (int64_t)print_number(template, "target")),
			print_member(template, "runtime"), print_member(template, "reason"),
			print_member(json_object_get(template, "shadow"), "name"), NULL);
	}
	print_table_end(&table);
	return EXIT_CODE_DONE;
}
