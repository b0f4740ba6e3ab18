/* /v1/keys, for administrators: list, create, revoke. */
#include <errno.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/text/json.h"
#include "api/v1/body.h"
#include "api/v1/list.h"
#include "api/v1/routes.h"
#include "supervisor/wire/tenants.h"

static bool row_is_valid(const struct wire_key_row *row)
{
	return WIRE_TEXT_VALID(row->id) && WIRE_TEXT_VALID(row->tenant) &&
	       WIRE_TEXT_VALID(row->description);
}

/* `secret` NULL: not shown. */
static void write_key(struct writer *writer, const struct wire_key_row *row, const char *secret)
{
	json_write_open(writer, '{');
	json_write_text(writer, "id", row->id);
	json_write_text(writer, "tenant", row->tenant);
	if (secret)
		json_write_text(writer, "key", secret);
	json_write_text(writer, "description", row->description);
	json_write_boolean(writer, "administrator", row->administrator);
	json_write_time(writer, "created_at", row->created_ns);
	json_write_close(writer, '}');
}

static int take_key(struct writer *writer, struct answer_rows *rows)
{
	struct wire_key_row row;

	if (answer_rows_take(rows, &row, sizeof(row)) < 0 || !row_is_valid(&row))
		return -EPROTO;
	write_key(writer, &row, NULL);
	return 0;
}

static int on_listed(struct request *request, const struct answer *answer)
{
	return list_respond(request, answer, WIRE_API_KEYS, "keys", take_key);
}

void keys_list(struct request *request)
{
	static const char *const known[] = {"tenant", NULL};
	struct wire_name_ref ref = {.caller = request->caller};

	if (request_arguments_check(request, known, NULL) &&
		request_argument_text(request, "tenant", ref.name, sizeof(ref.name)))
		request_ask(request, WIRE_API_KEY_LIST, &ref, sizeof(ref), NULL, 0, on_listed);
}

static int on_created(struct request *request, const struct answer *answer)
{
	const struct wire_key *key = answer->body;

	if (answer->type != WIRE_API_KEY || answer->size != sizeof(*key) ||
		!row_is_valid(&key->row) || !WIRE_TEXT_VALID(key->secret))
		return -EPROTO;
	write_key(&request->answer, &key->row, key->secret);
	respond_header(request, "Cache-Control", "no-store");
	respond_json(request, 201);
	return ANSWER_LAST;
}

void keys_create(struct request *request)
{
	struct wire_key_create create = {.caller = request->caller};
	_cleanup_json_ json_t *object = NULL;
	struct wire_api_error error = {0};
	struct fields fields;
	bool administrator;

	if (!body_parse(request, &object))
		return;
	fields_begin(&fields, object, "", &error);
	fields_text(&fields, "tenant", create.tenant, sizeof(create.tenant));
	if (!create.tenant[0])
		fields_refuse(&fields, "tenant", "is missing; name the tenant that the key is for");
	fields_text(&fields, "description", create.description, sizeof(create.description));
	if (fields_boolean(&fields, "administrator", &administrator))
		create.administrator = administrator;
	fields_end(&fields);
	if (body_accept(request, &error))
		request_ask(
			request, WIRE_API_KEY_CREATE, &create, sizeof(create), NULL, 0, on_created);
}

static int on_revoked(struct request *request, const struct answer *answer)
{
	if (answer->type != WIRE_API_DONE || answer->size != 0)
		return -EPROTO;
	respond_empty(request, 204);
	return ANSWER_LAST;
}

void keys_revoke(struct request *request)
{
	struct wire_name_ref ref = {.caller = request->caller};

	memcpy(ref.name, request->parameters[0], sizeof(ref.name));
	request_ask(request, WIRE_API_KEY_REVOKE, &ref, sizeof(ref), NULL, 0, on_revoked);
}
