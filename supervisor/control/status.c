#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/control/request.h"
#include "supervisor/wire/strings.h"

void handle_status(struct request *request, const void *body _unused_, const char *tail _unused_,
	size_t tail_size _unused_)
{
	struct core *core = request->control->core;
	struct wire_status status = {.gate_up = core->gate_up,
		.spawner_up = launch_is_up(core->launch),
		.started_ns = core->started_ns,
		.n_warm = core->pool ? pool_total(core->pool) : 0,
		.warm_starts = core->counts.warm_starts,
		.cold_starts = core->counts.cold_starts,
		.failed_starts = core->counts.failed_starts,
		.audit_records = audit_last_sequence(core->audit),
		.audit_lost = audit_n_lost(core->audit),
		.n_flows = core->counts.n_flows};

	for (const struct tenant *each = tenants_first(core->tenants); each; each = each->next)
		status.n_sandboxes += each->n_sandboxes;
	status.ready = core_is_ready(core, status.sentence, sizeof(status.sentence));
	request_answer(request, WIRE_API_STATUS_REPLY, &status, sizeof(status), NULL, 0);
}

static void add_metric(const struct wire_metric_row *row, void *userdata)
{
	rows_add(userdata, row, sizeof(*row), NULL, 0);
}

void handle_metrics(struct request *request, const void *body _unused_, const char *tail _unused_,
	size_t tail_size _unused_)
{
	struct rows rows = {0};

	core_metrics(request->control->core, add_metric, &rows);
	rows_answer(&rows, request, WIRE_API_METRICS_REPLY);
}

static json_t *text(const char *field)
{
	return audit_text(field, strlen(field));
}

/* One way: an HTTP request was answered. */
void handle_call(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_call *call = body;
	struct core *core = request->control->core;
	struct audit_subject subject = {.sandbox = call->sandbox};
	const struct key *key = request->key;

	if (key) {
		subject.tenant = key->tenant->row.id;
		subject.tenant_name = key->tenant->row.name;
	}
	if (WIRE_TEXT_VALID(call->method) && WIRE_TEXT_VALID(call->path))
		audit_record(core->audit, "api.call", &subject,
			json_pack("{s:s?, s:o, s:o, s:o, s:i, s:I}", "key",
				key ? key->row.id : NULL, "remote", text(call->caller.remote),
				"method", text(call->method), "path", text(call->path), "status",
				(int)call->status, "duration_us", (json_int_t)call->duration_us));
	request_free(request);
}
