/* Webhooks: administrators', and a tenant's own for its own records. */
#include <stdio.h>
#include <string.h>

#include "supervisor/control/request.h"
#include "supervisor/core/peers/sinks.h"
#include "supervisor/wire/strings.h"
#include "supervisor/wire/webhooks.h"

static void fill_row(
	const struct core *core, const struct sink *sink, struct wire_webhook_row *ret_row)
{
	const struct store_sink *row = &sink->row;
	const struct tenant *tenant = tenants_get(core->tenants, row->tenant);

	*ret_row = (struct wire_webhook_row){.webhook = row->id,
		.created_ns = row->created_ns,
		.cursor = row->cursor,
		.last = audit_last_sequence(core->audit),
		.success_ns = row->success_ns,
		.failure_ns = row->failure_ns,
		.n_failures = row->n_failures,
		.ocsf = row->ocsf,
		.internal = row->internal};
	memcpy(ret_row->url, row->url, sizeof(ret_row->url));
	memcpy(ret_row->type, row->types, sizeof(ret_row->type));
	memcpy(ret_row->verdict, row->verdict, sizeof(ret_row->verdict));
	memcpy(ret_row->error, row->error, sizeof(ret_row->error));
	if (tenant)
		snprintf(ret_row->tenant, sizeof(ret_row->tenant), "%s", tenant->row.name);
}

static void record(const struct request *request, const char *type, const struct store_sink *row)
{
	const struct tenant *actor = request->key->tenant;
	const struct audit_subject subject = {
		.tenant = actor->row.id, .tenant_name = actor->row.name};
	char id[32];

	snprintf(id, sizeof(id), "wh-%016lx", (unsigned long)row->id);
	audit_record(request->control->core->audit, type, &subject,
		json_pack("{s:s, s:s, s:o, s:b}", "by_key", request->key->row.id, "webhook", id,
			"url", audit_text(row->url, strlen(row->url)), "internal",
			(int)row->internal));
}

static bool texts_are_valid(const struct wire_webhook_create *create)
{
	return WIRE_TEXT_VALID(create->url) && WIRE_TEXT_VALID(create->tenant) &&
	       WIRE_TEXT_VALID(create->type) && WIRE_TEXT_VALID(create->verdict) && create->url[0];
}

/* Whose records are sent, and what only an administrator may ask for. */
static bool check_scope(
	struct request *request, const struct wire_webhook_create *create, struct store_sink *row)
{
	const struct tenant *scope = request_scope(request);
	const struct tenant *tenant =
		create->tenant[0] ? tenants_find(request->control->core->tenants, create->tenant)
				  : scope;

	if (scope && create->internal)
		request_fail(request, WIRE_CODE_FORBIDDEN,
			"Only an administrator may have records sent to this host or its networks; "
			"leave out \"internal\".");
	else if (scope && create->tenant[0] && tenant != scope)
		request_fail(request, WIRE_CODE_FORBIDDEN,
			"Only an administrator may have another tenant's records sent.");
	else if (create->tenant[0] && !tenant)
		request_fail(
			request, WIRE_CODE_NOT_FOUND, "There is no tenant \"%s\".", create->tenant);
	else {
		row->tenant = tenant ? tenant->row.id : 0;
		return true;
	}
	return false;
}

void handle_webhook_create(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_webhook_create *create = body;
	struct core *core = request->control->core;
	uint64_t last = audit_last_sequence(core->audit);
	struct store_sink row = {.kind = STORE_SINK_WEBHOOK,
		.internal = create->internal == 1,
		.ocsf = create->ocsf == 1,
		.cursor = create->has_after && create->after < last ? create->after : last};
	struct wire_webhook reply = {0};
	struct refusal why;
	struct sink *sink;

	if (!texts_are_valid(create)) {
		request_fail(request, WIRE_CODE_INVALID, "The webhook is not text.");
		return;
	}
	if (!check_scope(request, create, &row))
		return;
	memcpy(row.url, create->url, sizeof(row.url));
	memcpy(row.types, create->type, sizeof(row.types));
	memcpy(row.verdict, create->verdict, sizeof(row.verdict));
	if (sinks_create(core, &row, &sink, &why) < 0) {
		request_refuse(request, &why);
		return;
	}
	record(request, "webhook.create", &sink->row);
	fill_row(core, sink, &reply.row);
	memcpy(reply.secret, sink->row.secret, sizeof(reply.secret));
	request_answer(request, WIRE_API_WEBHOOK, &reply, sizeof(reply), NULL, 0);
	explicit_bzero(&reply, sizeof(reply));
}

void handle_webhook_list(struct request *request, const void *body _unused_,
	const char *tail _unused_, size_t tail_size _unused_)
{
	const struct core *core = request->control->core;
	const struct tenant *scope = request_scope(request);
	struct rows rows = {0};

	for (const struct sink *each = sinks_first(core); each; each = each->next) {
		struct wire_webhook_row row;

		if (each->row.kind != STORE_SINK_WEBHOOK ||
			(scope && each->row.tenant != scope->row.id))
			continue;
		fill_row(core, each, &row);
		rows_add(&rows, &row, sizeof(row), NULL, 0);
	}
	rows_answer(&rows, request, WIRE_API_WEBHOOKS);
}

void handle_webhook_delete(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_webhook_ref *ref = body;
	struct core *core = request->control->core;
	struct sink *sink = sinks_find(core, request_scope(request), ref->webhook);
	struct store_sink row;
	struct refusal why;

	if (!sink) {
		request_fail(request, WIRE_CODE_NOT_FOUND, "There is no such webhook.");
		return;
	}
	row = sink->row;
	if (sinks_delete(core, sink, &why) < 0) {
		request_refuse(request, &why);
		return;
	}
	record(request, "webhook.delete", &row);
	explicit_bzero(&row, sizeof(row));
	request_done(request);
}
