/* Reading the audit log. A reader that waits is a request on the list, answered by the first record
 * that it may see, or empty when its time is over. */
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/clock.h"
#include "supervisor/control/request.h"
#include "supervisor/wire/strings.h"

#define EVENTS_LIMIT_MAX 1000
#define EVENTS_WAIT_MS_MAX 60000
#define EVENTS_BYTES_MAX (WIRE_FRAME_MAX - 4096)

/* Answers and frees the request when there is something, or when it must not wait any more. */
static void try_answer(struct request *request, bool may_wait)
{
	const struct wire_events_query *query = request->query;
	struct audit *audit = request->control->core->audit;
	const struct audit_query audit_query = {.after = query->after,
		.until = query->until,
		.since_ns = query->since_ns,
		.until_ns = query->until_ns,
		.sandbox = query->sandbox,
		.tenant = request->events_tenant,
		.limit = query->limit && query->limit < EVENTS_LIMIT_MAX ? query->limit
									 : EVENTS_LIMIT_MAX,
		.type = query->type,
		.verdict = query->verdict};
	struct wire_events_reply reply = {.next = query->after};
	char *buffer = malloc(EVENTS_BYTES_MAX);
	size_t used = 0;
	bool more = false;
	int r;

	if (!buffer) {
		request_fail(request, WIRE_CODE_INTERNAL, "Out of memory.");
		return;
	}
	r = audit_read(audit, &audit_query, buffer, EVENTS_BYTES_MAX, &used, &reply.n_records,
		&reply.next, &more);
	reply.more = more;
	reply.first = audit_first_sequence(audit);
	reply.last = audit_last_sequence(audit);
	if (r < 0)
		request_fail(request, WIRE_CODE_INTERNAL, "The audit log cannot be read: %s.",
			strerror(-r));
	else if (reply.n_records > 0 || more || !may_wait)
		request_answer(request, WIRE_API_EVENTS_REPLY, &reply, sizeof(reply), buffer, used);
	else
		request->query->after =
			reply.next; /* what was passed over need not be read again */
	free(buffer);
}

/* Whose records are read: all of them for an administrator, or one tenant's; a tenant's own. */
static bool find_tenant(struct request *request, const char *name)
{
	const struct tenant *scope = request_scope(request);
	const struct tenant *tenant =
		name[0] ? tenants_find(request->control->core->tenants, name) : NULL;

	if (scope && name[0] && strcmp(name, scope->row.name) != 0) {
		request_fail(request, WIRE_CODE_FORBIDDEN,
			"Only an administrator's key reads the records of another tenant; yours "
			"speaks for \"%s\".",
			scope->row.name);
		return false;
	}
	if (name[0] && !tenant) {
		request_fail(request, WIRE_CODE_NOT_FOUND, "There is no tenant \"%s\".", name);
		return false;
	}
	request->events_tenant = tenant ? tenant->row.id : request->tenant_id;
	return true;
}

void handle_events(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_events_query *query = body;
	uint32_t wait_ms =
		query->wait_ms < EVENTS_WAIT_MS_MAX ? query->wait_ms : EVENTS_WAIT_MS_MAX;

	if (!WIRE_TEXT_VALID(query->type) || !WIRE_TEXT_VALID(query->verdict) ||
		!WIRE_TEXT_VALID(query->tenant)) {
		request_fail(request, WIRE_CODE_INVALID, "The query is not text.");
		return;
	}
	if (!find_tenant(request, query->tenant))
		return;
	request->query = malloc(sizeof(*query));
	if (!request->query) {
		request_fail(request, WIRE_CODE_INTERNAL, "Out of memory.");
		return;
	}
	*request->query = *query;
	request->deadline_ns = clock_monotonic_ns() + wait_ms * NS_PER_MS;
	core_consume_events(request->control->core);
	try_answer(request, wait_ms > 0);
}

void handle_events_cancel(struct request *request, const void *body _unused_,
	const char *tail _unused_, size_t tail_size _unused_)
{
	struct request *each, *next;

	for (each = request->control->requests; each; each = next) {
		next = each->next;
		if (each->type == WIRE_API_EVENTS && each->cookie == request->cookie)
			request_free(each);
	}
	request_free(request);
}

void events_wake(struct control *control)
{
	uint64_t now_ns = clock_monotonic_ns();
	struct request *each, *next;

	for (each = control->requests; each; each = next) {
		next = each->next;
		if (each->type == WIRE_API_EVENTS)
			try_answer(each, now_ns < each->deadline_ns);
	}
}
