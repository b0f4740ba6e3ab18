#include "api/v1/audit-query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/text/time.h"
#include "api/v1/ids.h"

#define LIMIT_MAX 10000

/* One of two words; absent: the first. */
static bool read_word(
	struct request *request, const char *name, const char *const words[2], bool *ret_second)
{
	const char *text = request_argument(request, name, 0);

	*ret_second = text && strcmp(text, words[1]) == 0;
	if (!text || *ret_second || strcmp(text, words[0]) == 0)
		return true;
	respond_problem(request, WIRE_CODE_INVALID, "query: \"%s\" must be %s or %s", name,
		words[1], words[0]);
	return false;
}

static bool read_sandbox(struct request *request, uint64_t *ret_sandbox)
{
	const char *text = request_argument(request, "sandbox", 0);

	if (!text || id_read_sandbox(text, ret_sandbox))
		return true;
	respond_problem(request, WIRE_CODE_INVALID,
		"query: \"sandbox\" must be a sandbox's id, like sb-0123456789abcdef");
	return false;
}

static bool read_time(struct request *request, const char *name, uint64_t *ret_ns)
{
	const char *text = request_argument(request, name, 0);

	if (!text || (time_parse(text, ret_ns) == 0 && *ret_ns > 0))
		return true;
	respond_problem(request, WIRE_CODE_INVALID,
		"query: \"%s\" must be a time like 2026-11-21T21:40:00Z (a + is written %%2B)",
		name);
	return false;
}

bool audit_types_valid(const char *types)
{
	const char *each = types;

	if (types[strspn(types, "abcdefghijklmnopqrstuvwxyz0123456789_.,")])
		return false;
	while (strcspn(each, ",") > 0 && each[strcspn(each, ",")] == ',')
		each += strcspn(each, ",") + 1;
	return strcspn(each, ",") > 0;
}

bool audit_verdict_valid(const char *verdict)
{
	return strcmp(verdict, "allow") == 0 || strcmp(verdict, "deny") == 0 ||
	       strcmp(verdict, "would_deny") == 0;
}

static bool read_types(struct request *request, char *ret_types, size_t size)
{
	if (!request_argument_text(request, "type", ret_types, size))
		return false;
	if (!request_argument(request, "type", 0) || audit_types_valid(ret_types))
		return true;
	respond_problem(request, WIRE_CODE_INVALID, "query: \"type\" must be " AUDIT_TYPES_FORM);
	return false;
}

static bool read_verdict(struct request *request, char *ret_verdict, size_t size)
{
	if (!request_argument_text(request, "verdict", ret_verdict, size))
		return false;
	if (!request_argument(request, "verdict", 0) || strcmp(ret_verdict, "allow") == 0 ||
		strcmp(ret_verdict, "deny") == 0 || strcmp(ret_verdict, "would_deny") == 0)
		return true;
	respond_problem(
		request, WIRE_CODE_INVALID, "query: \"verdict\" must be allow, deny or would_deny");
	return false;
}

/* A browser that lost its connection says which record it saw last; that wins. */
static bool read_last_event(struct request *request, uint64_t *after)
{
	const char *text = request_header(request, "Last-Event-ID");

	if (!text)
		return true;
	errno = 0;
	*after = strtoull(text, NULL, 10);
	if (text[0] && !text[strspn(text, "0123456789")] && errno == 0)
		return true;
	respond_problem(request, WIRE_CODE_INVALID, "the header Last-Event-ID must be a sequence");
	return false;
}

/* Following has no end, and a range that ends before it begins is a mistake. */
static bool check_bounds(struct request *request, const struct audit_request *query)
{
	const struct wire_events_query *wire = &query->wire;

	if (query->follow && (wire->until || wire->until_ns))
		respond_problem(request, WIRE_CODE_INVALID,
			"query: \"follow\" goes on for ever; leave out \"until\" and "
			"\"until_time\"");
	else if (wire->until && wire->until <= wire->after)
		respond_problem(request, WIRE_CODE_INVALID,
			"query: \"until\" must be larger than \"after\"");
	else if (wire->until_ns && wire->until_ns <= wire->since_ns)
		respond_problem(request, WIRE_CODE_INVALID,
			"query: \"until_time\" must be later than \"since\"");
	else
		return true;
	return false;
}

bool audit_query_read(
	struct request *request, uint64_t limit_default, struct audit_request *ret_query)
{
	static const char *const known[] = {"after", "until", "since", "until_time", "sandbox",
		"tenant", "type", "verdict", "limit", "follow", "format", NULL};
	static const char *const truth[] = {"false", "true"}, *const formats[] = {"ndjson", "ocsf"};
	struct audit_request query = {.wire.caller = request->caller, .n_left = UINT64_MAX};
	struct wire_events_query *wire = &query.wire;

	if (!request_arguments_check(request, known, NULL) ||
		!request_argument_number(request, "after", 0, UINT64_MAX, &wire->after) ||
		!request_argument_number(request, "until", 1, UINT64_MAX, &wire->until) ||
		!request_argument_number(request, "limit", 1, LIMIT_MAX, &query.n_left) ||
		!read_time(request, "since", &wire->since_ns) ||
		!read_time(request, "until_time", &wire->until_ns) ||
		!read_types(request, wire->type, sizeof(wire->type)) ||
		!request_argument_text(request, "tenant", wire->tenant, sizeof(wire->tenant)) ||
		!read_verdict(request, wire->verdict, sizeof(wire->verdict)) ||
		!read_sandbox(request, &wire->sandbox) ||
		!read_word(request, "follow", truth, &query.follow) ||
		!read_word(request, "format", formats, &query.form.ocsf) ||
		!read_last_event(request, &wire->after) || !check_bounds(request, &query))
		return false;
	request->sandbox = wire->sandbox;
	query.form.sse = request_form(request) == REQUEST_FORM_SSE;
	if (!query.follow && !request_argument(request, "limit", 0))
		query.n_left = limit_default;
	*ret_query = query;
	return true;
}
