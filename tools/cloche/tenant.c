/* tenant, key, template set: who may use Cloche, and how. For administrators. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cloche/call.h"
#include "tools/cloche/print.h"

/* Adds "budgets" from each --budget. Returns how many there were, or -EINVAL with a sentence. */
static int add_budgets(const struct arguments *arguments, json_t *body, struct failure *why)
{
	json_t *budgets = json_object();
	const char *text;
	size_t n = 0;

	for (; (text = arguments_each(arguments, "budget", n)); n++) {
		const char *value = strchr(text, '=');
		size_t n_digits = value ? strspn(value + 1, "0123456789") : 0;
		json_t *parsed;

		if (!value || value == text || !value[1]) {
			json_decref(budgets);
			return failure_set(why, -EINVAL, "--budget",
				"\"%s\" is no budget; write connections=1000, bytes_out=1GiB, "
				"per=1h.",
				text);
		}
		/* A number is a number, anything else is cloched's to judge. */
		parsed = value[1 + n_digits] == '\0' && n_digits < 19
				 ? json_integer(strtoll(value + 1, NULL, 10))
				 : json_string(value + 1);
		if (json_object_setn_new(budgets, text, (size_t)(value - text), parsed) < 0) {
			json_decref(budgets);
			return failure_set(why, -EINVAL, "--budget", "\"%s\" is no UTF-8.", text);
		}
	}
	if (n > 0)
		json_object_set_new(body, "budgets", budgets);
	else
		json_decref(budgets);
	return (int)n;
}

/* "red: narrow is asked for 3 sandboxes, and cannot be for 1" */
static void print_shadow(const json_t *answer)
{
	const json_t *shadow = json_object_get(answer, "shadow");
	char asked[PRINT_CELL_SIZE];

	if (!json_is_object(shadow)) {
		printf("%s\n", print_member(answer, "name"));
		return;
	}
	printf("%s: %s is asked for %s", print_member(answer, "name"), print_member(shadow, "name"),
		print_sandboxes(asked, print_number(shadow, "asked")));
	if (print_number(shadow, "not_asked"))
		printf(", and cannot be for %" PRIu64, print_number(shadow, "not_asked"));
	printf("\n");
}

static int set_shadow(struct client *client, const char *base, const char *name, const char *shadow)
{
	_cleanup_json_ json_t *answer = NULL, *body = json_pack("{s:s?}", "shadow",
						      strcmp(shadow, "-") == 0 ? NULL : shadow);
	char path[CALL_PATH_SIZE];
	int code;

	if (!body || call_path(path, base, name, NULL) < 0)
		return call_misused(client, "That is no name.");
	code = call_json(client, "PATCH", path, body, &answer);
	if (code == 0 && !client->json)
		print_shadow(answer);
	return code;
}

int command_template_set(struct client *client, const struct arguments *arguments)
{
	const char *shadow = arguments_text(arguments, "shadow");

	if (arguments->n_words != 1 || arguments->n_rest || !shadow)
		return call_misused(client, "template set wants one name, and --shadow NAME.");
	return set_shadow(client, "/v1/templates/", arguments->words[0], shadow);
}

int command_tenant_set(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *body = json_object(), *answer = NULL;
	bool none = arguments_flag(arguments, "no-budgets");
	const char *shadow = arguments_text(arguments, "shadow");
	struct failure why = {0};
	char path[CALL_PATH_SIZE];
	int code, r = add_budgets(arguments, body, &why);

	if (r < 0)
		return call_failed(client, &why);
	if (arguments->n_words != 1 || arguments->n_rest || (r > 0) + none + !!shadow != 1)
		return call_misused(client,
			"tenant set wants one name, and --budget, --no-budgets or --shadow.");
	if (shadow)
		return set_shadow(client, "/v1/tenants/", arguments->words[0], shadow);
	if (none)
		json_object_set_new(body, "budgets", json_null());
	if (call_path(path, "/v1/tenants/", arguments->words[0], NULL) < 0)
		return call_misused(client, "That is no name.");
	code = call_json(client, "PATCH", path, body, &answer);
	if (code == 0 && !client->json)
		printf("%s\n", print_member(answer, "name"));
	return code;
}

int command_tenant_create(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *body = json_object(), *answer = NULL;
	const char *policy = arguments_text(arguments, "policy");
	struct failure why = {0};
	double n_max;
	int code, r;

	if (arguments->n_words != 1 || arguments->n_rest)
		return call_misused(client, "tenant create wants one name.");
	r = arguments_number(arguments, "sandboxes-max", 1, &n_max, &why);
	if (r < 0)
		return call_failed(client, &why);
	if (r > 0)
		json_object_set_new(body, "sandboxes_max", json_integer((json_int_t)n_max));
	if (add_budgets(arguments, body, &why) < 0)
		return call_failed(client, &why);
	if (json_object_set_new(body, "name", json_string(arguments->words[0])) < 0 ||
		(policy && json_object_set_new(body, "policy", json_string(policy)) < 0))
		return call_misused(client, "The name is no UTF-8.");
	code = call_json(client, "POST", "/v1/tenants", body, &answer);
	if (code == 0 && !client->json)
		printf("%s\n", print_member(answer, "name"));
	return code;
}

int command_tenant_list(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *answer = NULL;
	struct print_table table = {.right = 12};
	const json_t *tenant;
	size_t i;
	int code;

	if (arguments->n_words || arguments->n_rest)
		return call_misused(client, "tenant ls takes options only.");
	code = call_json(client, "GET", "/v1/tenants", NULL, &answer);
	if (code || client->json)
		return code;
	print_row(&table, "NAME", "POLICY", "SANDBOXES", "MAX", "CREATED (UTC)", "SHADOW", NULL);
	json_array_foreach(json_object_get(answer, "tenants"), i, tenant)
	{
		char n[PRINT_CELL_SIZE], n_max[PRINT_CELL_SIZE], created[PRINT_CELL_SIZE];
		uint64_t limit = print_number(tenant, "sandboxes_max");

		print_row(&table, print_member(tenant, "name"), print_member(tenant, "policy"),
			print_count(n, (int64_t)print_number(tenant, "sandboxes")),
			limit ? print_count(n_max, (int64_t)limit) : "-",
			print_time(
				created, json_string_value(json_object_get(tenant, "created_at"))),
			print_member(json_object_get(tenant, "shadow"), "name"), NULL);
	}
	print_table_end(&table);
	return EXIT_CODE_DONE;
}

static int remove_each(struct client *client, const struct arguments *arguments, const char *base)
{
	int code = EXIT_CODE_DONE;

	for (size_t i = 0; i < arguments->n_words; i++) {
		_cleanup_json_ json_t *answer = NULL;
		char path[CALL_PATH_SIZE];
		int one;

		if (call_path(path, base, arguments->words[i], NULL) < 0)
			return call_misused(client, "That is no name.");
		one = call_json(client, "DELETE", path, NULL, &answer);
		if (one)
			code = one;
		else if (!client->json)
			printf("%s\n", arguments->words[i]);
	}
	return code;
}

int command_tenant_remove(struct client *client, const struct arguments *arguments)
{
	if (!arguments->n_words || arguments->n_rest)
		return call_misused(client, "tenant rm wants names of tenants.");
	return remove_each(client, arguments, "/v1/tenants/");
}

int command_key_create(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *body = json_object(), *answer = NULL;
	const char *tenant = arguments_text(arguments, "tenant");
	const char *description = arguments_text(arguments, "description");
	int code;

	if (!tenant || arguments->n_words || arguments->n_rest)
		return call_misused(client, "key create wants --tenant NAME.");
	if (json_object_set_new(body, "tenant", json_string(tenant)) < 0 ||
		(description &&
			json_object_set_new(body, "description", json_string(description)) < 0))
		return call_misused(client, "The name is no UTF-8.");
	if (arguments_flag(arguments, "administrator"))
		json_object_set_new(body, "administrator", json_true());
	code = call_json(client, "POST", "/v1/keys", body, &answer);
	if (code || client->json)
		return code;
	/* only the key on standard output, so that it can go into a file */
	printf("%s\n", print_member(answer, "key"));
	fprintf(stderr, "Key %s of tenant %s. It is shown only now: keep it.\n",
		print_member(answer, "id"), tenant);
	return EXIT_CODE_DONE;
}

int command_key_list(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *answer = NULL;
	struct print_table table = {0};
	char path[CALL_PATH_SIZE] = "/v1/keys";
	const json_t *key;
	size_t i;
	int code;

	if (arguments->n_words || arguments->n_rest)
		return call_misused(client, "key ls takes options only.");
	if (call_query(path, "tenant", arguments_text(arguments, "tenant")) < 0)
		return call_misused(client, "That is no tenant's name.");
	code = call_json(client, "GET", path, NULL, &answer);
	if (code || client->json)
		return code;
	print_row(&table, "ID", "TENANT", "ADMINISTRATOR", "CREATED (UTC)", "DESCRIPTION", NULL);
	json_array_foreach(json_object_get(answer, "keys"), i, key)
	{
		char created[PRINT_CELL_SIZE];

		print_row(&table, print_member(key, "id"), print_member(key, "tenant"),
			json_is_true(json_object_get(key, "administrator")) ? "yes" : "no",
			print_time(created, json_string_value(json_object_get(key, "created_at"))),
			print_member(key, "description"), NULL);
	}
	print_table_end(&table);
	return EXIT_CODE_DONE;
}

int command_key_remove(struct client *client, const struct arguments *arguments)
{
	if (!arguments->n_words || arguments->n_rest)
		return call_misused(
			client, "key rm wants ids of keys, as 'cloche key ls' shows them.");
	return remove_each(client, arguments, "/v1/keys/");
}
