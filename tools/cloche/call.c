#include "tools/cloche/call.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/cloche/print.h"

int call_failed(const struct client *client, const struct failure *why)
{
	if (why->sentence[0])
		print_error("%s", why->sentence);
	else
		print_error("%s.", strerror(why->error ? -why->error : ENOMEM));
	return client->command->failure_code;
}

int call_misused(const struct client *client, const char *format, ...)
{
	const struct command *command = client->command;
	char sentence[512];
	va_list values;

	va_start(values, format);
	vsnprintf(sentence, sizeof(sentence), format, values);
	va_end(values);
	print_error("%s Usage: cloche %s %s ('cloche %s --help' says more).", sentence,
		command->name, command->usage, command->name);
	return command->failure_code == EXIT_CODE_OWN ? EXIT_CODE_OWN : EXIT_CODE_USAGE;
}

int call_refused(const struct client *client, const struct http_answer *answer)
{
	_cleanup_json_ json_t *problem = json_loadb(answer->body, answer->size, 0, NULL);
	const char *type = json_string_value(json_object_get(problem, "type"));
	const char *title = json_string_value(json_object_get(problem, "title"));
	const char *detail = json_string_value(json_object_get(problem, "detail"));

	if (client->json)
		print_verbatim(answer->body, answer->size);
	if (detail)
		print_error("%s", detail);
	else if (title)
		print_error("%s (HTTP %ld).", title, answer->status);
	else
		print_error(
			"The daemon answered with HTTP %ld and no explanation.", answer->status);
	if (answer->status == 401)
		print_error("%s", client->key.origin);
	if (type && strcmp(type, "urn:cloche:error:command") == 0 &&
		client->command->failure_code == EXIT_CODE_OWN)
		return EXIT_CODE_NOT_STARTED;
	return client->command->failure_code;
}

int call_path(char path[static CALL_PATH_SIZE], ...)
{
	bool data = false;
	const char *piece;
	va_list pieces;
	int r = 0;

	path[0] = '\0';
	va_start(pieces, path);
	while (r == 0 && (piece = va_arg(pieces, const char *))) {
		size_t used = strlen(path);

		if (data)
			r = http_encode(path, CALL_PATH_SIZE, piece);
		else if ((size_t)snprintf(path + used, CALL_PATH_SIZE - used, "%s", piece) >=
			 CALL_PATH_SIZE - used)
			r = -E2BIG;
		data = !data;
	}
	va_end(pieces);
	return r;
}

int call_query(char path[static CALL_PATH_SIZE], const char *name, const char *value)
{
	size_t used = strlen(path);
	int n;

	if (!value)
		return 0;
	n = snprintf(
		path + used, CALL_PATH_SIZE - used, "%c%s=", strchr(path, '?') ? '&' : '?', name);
	if (n < 0 || (size_t)n >= CALL_PATH_SIZE - used)
		return -E2BIG;
	return http_encode(path, CALL_PATH_SIZE, value);
}

static int send_and_read(
	const struct client *client, const struct http_request *request, json_t **ret_answer)
{
	_cleanup_(http_answer_fini) struct http_answer answer = {0};
	struct failure why = {0};
	json_error_t error;
	json_t *value;
	int r = http_send(client->http, request, &answer, &why);

	if (r < 0)
		return call_failed(client, &why);
	if (answer.status >= 300)
		return call_refused(client, &answer);
	if (client->json)
		print_verbatim(answer.body, answer.size);
	*ret_answer = NULL;
	if (answer.status == 204 || answer.size == 0)
		return EXIT_CODE_DONE;
	value = json_loadb(answer.body, answer.size, 0, &error);
	if (!value) {
		print_error("The daemon's answer is no JSON (%s): do client and daemon belong "
			    "together?",
			error.text);
		return client->command->failure_code;
	}
	*ret_answer = value;
	return EXIT_CODE_DONE;
}

int call_json(const struct client *client, const char *method, const char *path, json_t *body,
	json_t **ret_answer)
{
	_cleanup_free_ char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	const struct http_request request = {
		.method = method, .path = path, .body = text, .interrupt_fd = -1};

	if (body && !text)
		return call_failed(client, &(struct failure){.error = -ENOMEM});
	return send_and_read(client, &request, ret_answer);
}

int call_text(const struct client *client, const char *path, const char *const *headers,
	const char *body, json_t **ret_answer)
{
	const struct http_request request = {.method = "POST",
		.path = path,
		.headers = headers,
		.body = body,
		.interrupt_fd = -1};

	return send_and_read(client, &request, ret_answer);
}
