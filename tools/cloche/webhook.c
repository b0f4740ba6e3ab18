/* webhook add, ls, rm. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "tools/cloche/call.h"
#include "tools/cloche/print.h"

static int add_text(json_t *body, const struct arguments *arguments, const char *name)
{
	const char *text = arguments_text(arguments, name);

	return text ? json_object_set_new(body, name, json_string(text)) : 0;
}

int command_webhook_add(struct client *client, const struct arguments *arguments)
{
	static const char *const names[] = {"type", "verdict", "tenant", "format"};
	_cleanup_json_ json_t *body = json_object(), *answer = NULL;
	struct failure why = {0};
	double after = 0;
	int code, r;

	if (arguments->n_words != 1 || arguments->n_rest)
		return call_misused(client, "webhook add wants one URL.");
	r = json_object_set_new(body, "url", json_string(arguments->words[0]));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		r |= add_text(body, arguments, names[i]);
	if (r < 0)
		return call_misused(client, "An option is no UTF-8.");
	r = arguments_number(arguments, "after", 0, &after, &why);
	if (r < 0)
		return call_failed(client, &why);
	if (r > 0)
		json_object_set_new(body, "after", json_integer((json_int_t)after));
	if (arguments_flag(arguments, "internal"))
		json_object_set_new(body, "internal", json_true());
	code = call_json(client, "POST", "/v1/webhooks", body, &answer);
	if (code || client->json)
		return code;
	/* only the secret on standard output, so that it can go into a file */
	printf("%s\n", print_member(answer, "secret"));
	fprintf(stderr, "Webhook %s. Its secret is shown only now: keep it.\n",
		print_member(answer, "id"));
	return EXIT_CODE_DONE;
}

static void print_webhook(struct print_table *table, const json_t *webhook)
{
	uint64_t cursor = print_number(webhook, "cursor"), last = print_number(webhook, "last");
	const char *error = json_string_value(json_object_get(webhook, "last_error"));
	char behind[PRINT_CELL_SIZE], success[PRINT_CELL_SIZE], plain[512], url[2048];
	const char *time = json_string_value(json_object_get(webhook, "last_success_at"));

	print_row(table, print_member(webhook, "id"),
		print_or_dash(json_string_value(json_object_get(webhook, "tenant"))),
		print_count(behind, last > cursor ? (int64_t)(last - cursor) : 0),
		print_time(success, time),
		print_plain(url, sizeof(url), print_member(webhook, "url")),
		error ? print_plain(plain, sizeof(plain), error) : "-", NULL);
}

int command_webhook_list(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *answer = NULL;
	struct print_table table = {.right = 1U << 2};
	const json_t *webhook;
	size_t i;
	int code;

	if (arguments->n_words || arguments->n_rest)
		return call_misused(client, "webhook ls takes no words.");
	code = call_json(client, "GET", "/v1/webhooks", NULL, &answer);
	if (code || client->json)
		return code;
	print_row(&table, "ID", "TENANT", "BEHIND", "DELIVERED (UTC)", "URL", "ERROR", NULL);
	json_array_foreach(json_object_get(answer, "webhooks"), i, webhook)
		print_webhook(&table, webhook);
	print_table_end(&table);
	return EXIT_CODE_DONE;
}

int command_webhook_remove(struct client *client, const struct arguments *arguments)
{
	int code = EXIT_CODE_DONE;

	if (!arguments->n_words || arguments->n_rest)
		return call_misused(client,
			"webhook rm wants ids of webhooks, as 'cloche webhook ls' shows them.");
	for (size_t i = 0; i < arguments->n_words; i++) {
		_cleanup_json_ json_t *answer = NULL;
		char path[CALL_PATH_SIZE];
		int r;

		if (call_path(path, "/v1/webhooks/", arguments->words[i], NULL) < 0)
			return call_misused(client, "The id is too long.");
		r = call_json(client, "DELETE", path, NULL, &answer);
		if (r)
			code = r;
	}
	return code;
}
