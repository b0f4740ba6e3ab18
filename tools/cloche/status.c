/* status, version. */
#include <stdio.h>
#include <string.h>

#include "tools/cloche/call.h"
#include "tools/cloche/print.h"

int command_status(struct client *client, const struct arguments *arguments)
{
	_cleanup_(http_answer_fini) struct http_answer answer = {0};
	_cleanup_json_ json_t *body = NULL;
	struct http_request request = {.method = "GET", .path = "/readyz", .interrupt_fd = -1};
	struct print_table table = {0};
	struct failure why = {0};
	const char *name;
	json_t *value;

	if (arguments->n_words || arguments->n_rest)
		return call_misused(client, "status takes options only.");
	if (http_send(client->http, &request, &answer, &why) < 0)
		return call_failed(client, &why);
	if (answer.status >= 300)
		return call_refused(client, &answer);
	if (client->json) {
		print_verbatim(answer.body, answer.size);
		return EXIT_CODE_DONE;
	}
	body = json_loadb(answer.body, answer.size, 0, NULL);
	if (!json_is_object(body)) {
		printf("ready\n");
		return EXIT_CODE_DONE;
	}
	json_object_foreach(body, name, value)
	{
		_cleanup_free_ char *text =
			json_is_string(value) ? strdup(json_string_value(value))
					      : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

		print_row(&table, name, text ? text : "-", NULL);
	}
	print_table_end(&table);
	return EXIT_CODE_DONE;
}

int command_version(struct client *client, const struct arguments *arguments)
{
	if (arguments->n_words || arguments->n_rest)
		return call_misused(client, "version takes no arguments.");
	if (client->json)
		printf("{\"version\":\"%s\"}\n", CLOCHE_VERSION);
	else
		printf("cloche %s\n", CLOCHE_VERSION);
	return EXIT_CODE_DONE;
}
