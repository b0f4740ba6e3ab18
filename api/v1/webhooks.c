/* /v1/webhooks: whom audit records are sent to. */
#include <errno.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/text/base64.h"
#include "api/text/json.h"
#include "api/text/url.h"
#include "api/v1/audit-query.h"
#include "api/v1/body.h"
#include "api/v1/ids.h"
#include "api/v1/list.h"
#include "api/v1/routes.h"
#include "supervisor/wire/webhooks.h"

#define SECRET_PREFIX "whsec_" /* as Standard Webhooks has it */

static bool row_is_valid(const struct wire_webhook_row *row)
{
	return WIRE_TEXT_VALID(row->url) && WIRE_TEXT_VALID(row->tenant) &&
	       WIRE_TEXT_VALID(row->type) && WIRE_TEXT_VALID(row->verdict) &&
	       WIRE_TEXT_VALID(row->error);
}

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

static void write_time_or_null(struct writer *writer, const char *name, uint64_t ns)
{
	if (ns)
		json_write_time(writer, name, ns);
	else
		json_write_null(writer, name);
}

/* `secret` NULL: not shown. */
static void write_webhook(
	struct writer *writer, const struct wire_webhook_row *row, const uint8_t *secret)
{
	char id[ID_SIZE];

	id_write_webhook(row->webhook, id);
	json_write_open(writer, '{');
	json_write_text(writer, "id", id);
	json_write_text(writer, "url", row->url);
	json_write_text_or_null(writer, "tenant", or_null(row->tenant));
	json_write_text_or_null(writer, "type", or_null(row->type));
	json_write_text_or_null(writer, "verdict", or_null(row->verdict));
	json_write_text(writer, "format", row->ocsf ? "ocsf" : "ndjson");
	json_write_boolean(writer, "internal", row->internal);
	if (secret) {
		char text[sizeof(SECRET_PREFIX) + WIRE_WEBHOOK_SECRET_BYTES * 2] = SECRET_PREFIX;

		base64_encode(secret, WIRE_WEBHOOK_SECRET_BYTES, text + sizeof(SECRET_PREFIX) - 1);
		json_write_text(writer, "secret", text);
		explicit_bzero(text, sizeof(text));
	}
	json_write_time(writer, "created_at", row->created_ns);
	json_write_number(writer, "cursor", row->cursor);
	json_write_number(writer, "last", row->last);
	write_time_or_null(writer, "last_success_at", row->success_ns);
	write_time_or_null(writer, "last_failure_at", row->failure_ns);
	json_write_number(writer, "failures", row->n_failures);
	json_write_text_or_null(writer, "last_error", or_null(row->error));
	json_write_close(writer, '}');
}

static int take_webhook(struct writer *writer, struct answer_rows *rows)
{
	struct wire_webhook_row row;

	if (answer_rows_take(rows, &row, sizeof(row)) < 0 || !row_is_valid(&row))
		return -EPROTO;
	write_webhook(writer, &row, NULL);
	return 0;
}

static int on_listed(struct request *request, const struct answer *answer)
{
	return list_respond(request, answer, WIRE_API_WEBHOOKS, "webhooks", take_webhook);
}

void webhooks_list(struct request *request)
{
	request_ask(request, WIRE_API_WEBHOOK_LIST, &request->caller, sizeof(request->caller), NULL,
		0, on_listed);
}

static int on_created(struct request *request, const struct answer *answer)
{
	const struct wire_webhook *webhook = answer->body;

	if (answer->type != WIRE_API_WEBHOOK || answer->size != sizeof(*webhook) ||
		!row_is_valid(&webhook->row))
		return -EPROTO;
	write_webhook(&request->answer, &webhook->row, webhook->secret);
	respond_header(request, "Cache-Control", "no-store");
	respond_json(request, 201);
	return ANSWER_LAST;
}

static void read_url(struct fields *fields, struct wire_webhook_create *create)
{
	struct url url;
	const char *wrong;

	fields_text(fields, "url", create->url, sizeof(create->url));
	if (!create->url[0]) {
		fields_refuse(fields, "url", "is missing; say where the records go");
		return;
	}
	wrong = url_parse(create->url, &url);
	if (wrong)
		fields_refuse(fields, "url", "%s", wrong);
	else if (!create->internal && !url.secure)
		fields_refuse(fields, "url",
			"must begin with https://; http:// is for \"internal\" receivers only");
	else if (!create->internal && url.is_address)
		fields_refuse(fields, "url",
			"must name its host; an address is for \"internal\" receivers only");
}

static void read_filters(struct fields *fields, struct wire_webhook_create *create)
{
	const char *format = NULL;
	size_t size;

	fields_text(fields, "tenant", create->tenant, sizeof(create->tenant));
	if (fields_text(fields, "type", create->type, sizeof(create->type)) &&
		!audit_types_valid(create->type))
		fields_refuse(fields, "type", "must be " AUDIT_TYPES_FORM);
	if (fields_text(fields, "verdict", create->verdict, sizeof(create->verdict)) &&
		!audit_verdict_valid(create->verdict))
		fields_refuse(fields, "verdict", "must be " AUDIT_VERDICT_FORM);
	if (fields_string(fields, "format", &format, &size)) {
		create->ocsf = strcmp(format, "ocsf") == 0;
		if (!create->ocsf && strcmp(format, "ndjson") != 0)
			fields_refuse(fields, "format", "must be ndjson or ocsf");
	}
	if (create->ocsf && strstr(create->type, "audit.checkpoint"))
		fields_refuse(fields, "format",
			"must be ndjson: OCSF has no class for \"audit.checkpoint\"");
	create->has_after = fields_integer(fields, "after", 0, INT64_MAX, &create->after);
}

void webhooks_create(struct request *request)
{
	struct wire_webhook_create create = {.caller = request->caller};
	_cleanup_json_ json_t *object = NULL;
	struct wire_api_error error = {0};
	struct fields fields;
	bool internal;

	if (!body_parse(request, &object))
		return;
	fields_begin(&fields, object, "", &error);
	if (fields_boolean(&fields, "internal", &internal))
		create.internal = internal;
	read_url(&fields, &create);
	read_filters(&fields, &create);
	fields_end(&fields);
	if (body_accept(request, &error))
		request_ask(request, WIRE_API_WEBHOOK_CREATE, &create, sizeof(create), NULL, 0,
			on_created);
}

static int on_deleted(struct request *request, const struct answer *answer)
{
	if (answer->type != WIRE_API_DONE || answer->size != 0)
		return -EPROTO;
	respond_empty(request, 204);
	return ANSWER_LAST;
}

void webhooks_delete(struct request *request)
{
	struct wire_webhook_ref ref = {.caller = request->caller};

	if (id_read_webhook(request->parameters[0], &ref.webhook))
		request_ask(
			request, WIRE_API_WEBHOOK_DELETE, &ref, sizeof(ref), NULL, 0, on_deleted);
	else
		respond_problem(request, WIRE_CODE_NOT_FOUND,
			"there is no such webhook; ids are like wh-0123456789abcdef");
}
