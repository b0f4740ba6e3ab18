/* /v1/sandboxes: create, list, get, patch, delete. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/text/json.h"
#include "api/v1/body.h"
#include "api/v1/ids.h"
#include "api/v1/routes.h"
#include "api/v1/shadow.h"

#define CPU_MAX 1024
#define PIDS_MAX 4194304 /* PID_MAX_LIMIT, include/linux/threads.h */
#define TIMEOUT_SECONDS_MAX (366 * 24 * 3600)
#define ENV_MAX 4096

static const char *state_name(uint32_t state)
{
	switch ((enum wire_sandbox_state)state) {
	case WIRE_SANDBOX_WARM:
		return "warm";
	case WIRE_SANDBOX_CLAIMED:
		return "claimed";
	case WIRE_SANDBOX_RUNNING:
		return "running";
	case WIRE_SANDBOX_STOPPING:
		return "stopping";
	case WIRE_SANDBOX_FAILED:
		return "failed";
	case WIRE_SANDBOX_GONE:
		return "gone";
	}
	return NULL;
}

static const char *shadow_source_name(uint8_t source)
{
	switch ((enum wire_shadow_source)source) {
	case WIRE_SHADOW_NOBODYS:
		return NULL;
	case WIRE_SHADOW_ADMINISTRATOR:
		return "administrator";
	case WIRE_SHADOW_STAGED:
		return "staged";
	case WIRE_SHADOW_TEMPLATE:
		return "template";
	case WIRE_SHADOW_TENANT:
		return "tenant";
	case WIRE_SHADOW_OWN:
		return "own";
	case WIRE_SHADOW_LEARN:
		return "learn";
	}
	return NULL;
}

static bool sandbox_is_valid(const struct wire_sandbox *sandbox)
{
	return state_name(sandbox->state) && sandbox->n_labels <= WIRE_LABELS_MAX &&
	       WIRE_TEXT_VALID(sandbox->tenant) && WIRE_TEXT_VALID(sandbox->template) &&
	       WIRE_TEXT_VALID(sandbox->policy) && WIRE_TEXT_VALID(sandbox->policy_hash) &&
	       WIRE_TEXT_VALID(sandbox->judged_by) && WIRE_TEXT_VALID(sandbox->shadow) &&
	       WIRE_TEXT_VALID(sandbox->shadow_hash) &&
	       (!sandbox->shadow[0] || shadow_source_name(sandbox->shadow_source)) &&
	       WIRE_TEXT_VALID(sandbox->reason);
}

static int write_labels(struct writer *writer, const char *labels, uint32_t n_labels)
{
	json_write_name(writer, "labels");
	json_write_open(writer, '{');
	for (uint32_t i = 0; i < n_labels; i++) {
		const char *label = wire_strings_next(&labels), *value = strchr(label, '=');

		if (!value)
			return -EPROTO;
		json_write_string(writer, label, (size_t)(value - label));
		writer_bytes(writer, ":", 1);
		json_write_string(writer, value + 1, strlen(value + 1));
	}
	json_write_close(writer, '}');
	return 0;
}

static void write_limits(struct writer *writer, const struct wire_limits *limits)
{
	json_write_name(writer, "limits");
	json_write_open(writer, '{');
	json_write_number(writer, "memory_bytes", limits->memory_bytes);
	json_write_number(writer, "disk_bytes", limits->disk_bytes);
	json_write_name(writer, "cpu");
	writer_print(writer, "%.15g", limits->cpu_millis / 1000.0);
	json_write_number(writer, "pids", limits->pids);
	json_write_close(writer, '}');
}

static void write_shadow(struct writer *writer, const struct wire_sandbox *sandbox)
{
	if (!sandbox->shadow[0]) {
		if (sandbox->shadow_source == WIRE_SHADOW_OWN ||
			sandbox->shadow_source == WIRE_SHADOW_ADMINISTRATOR)
			json_write_boolean(writer, "shadow", false);
		else
			json_write_null(writer, "shadow");
		return;
	}
	json_write_name(writer, "shadow");
	json_write_open(writer, '{');
	json_write_text(writer, "name", sandbox->shadow);
	json_write_text_or_null(writer, "hash", sandbox->shadow_hash);
	json_write_text(writer, "source", shadow_source_name(sandbox->shadow_source));
	json_write_close(writer, '}');
}

static void write_policy(struct writer *writer, const struct wire_sandbox *sandbox)
{
	json_write_name(writer, "policy");
	json_write_open(writer, '{');
	json_write_text(writer, "name", sandbox->policy);
	json_write_text(writer, "hash", sandbox->policy_hash);
	json_write_number(writer, "generation", sandbox->generation);
	json_write_text(writer, "mode", sandbox->judged_by[0] ? "learn" : "enforce");
	if (sandbox->judged_by[0])
		json_write_text(writer, "judged_by", sandbox->judged_by);
	json_write_close(writer, '}');
}

static int write_sandbox(
	struct writer *writer, const struct wire_sandbox *sandbox, const char *labels)
{
	char id[ID_SIZE];
	int r;

	id_write_sandbox(sandbox->sandbox, id);
	json_write_open(writer, '{');
	json_write_text(writer, "id", id);
	json_write_text(writer, "state", state_name(sandbox->state));
	json_write_boolean(writer, "warm", sandbox->warm);
	json_write_text(writer, "template", sandbox->template);
	json_write_text(writer, "tenant", sandbox->tenant);
	write_policy(writer, sandbox);
	write_shadow(writer, sandbox);
	r = write_labels(writer, labels, sandbox->n_labels);
	if (r < 0)
		return r;
	write_limits(writer, &sandbox->limits);
	json_write_time(writer, "created_at", sandbox->created_ns);
	if (sandbox->expires_ns)
		json_write_time(writer, "expires_at", sandbox->expires_ns);
	else
		json_write_null(writer, "expires_at");
	json_write_text_or_null(writer, "reason", sandbox->reason);
	json_write_close(writer, '}');
	return 0;
}

/* Writes the one sandbox of an answer and notes its id. */
static int take_sandbox(struct request *request, const struct answer *answer)
{
	const struct wire_sandbox *sandbox = answer->body;
	const char *labels = (const char *)(sandbox + 1);

	if (answer->type != WIRE_API_SANDBOX || answer->size < sizeof(*sandbox) ||
		!sandbox_is_valid(sandbox) ||
		sandbox->tail_size != answer->size - sizeof(*sandbox) ||
		!wire_strings_valid(labels, sandbox->tail_size, sandbox->n_labels))
		return -EPROTO;
	request->sandbox = sandbox->sandbox;
	return write_sandbox(&request->answer, sandbox, labels);
}

static int on_created(struct request *request, const struct answer *answer)
{
	char id[ID_SIZE];
	int r = take_sandbox(request, answer);

	if (r < 0)
		return r;
	id_write_sandbox(request->sandbox, id);
	respond_header(request, "Location", "/v1/sandboxes/%s", id);
	respond_json(request, 201);
	return ANSWER_LAST;
}

static void read_limits(struct fields *body, struct wire_limits *limits)
{
	const json_t *object = fields_get(body, "limits");
	struct fields fields;
	uint64_t number;

	if (!object)
		return;
	fields_begin(&fields, object, "/limits", body->error);
	fields_bytes(&fields, "memory", &limits->memory_bytes);
	fields_bytes(&fields, "disk", &limits->disk_bytes);
	if (fields_thousandths(&fields, "cpu", "CPUs", CPU_MAX, &number))
		limits->cpu_millis = (uint32_t)number;
	if (fields_integer(&fields, "pids", 1, PIDS_MAX, &number))
		limits->pids = (uint32_t)number;
	fields_end(&fields);
}

static void read_create(const json_t *object, struct wire_sandbox_create *create,
	struct wire_strings *tail, struct wire_api_error *error)
{
	struct fields fields;

	fields_begin(&fields, object, "", error);
	fields_text(&fields, "template", create->template, sizeof(create->template));
	fields_text(&fields, "policy", create->policy, sizeof(create->policy));
	fields_pairs(&fields, "labels", "label", WIRE_LABELS_MAX, WIRE_LABEL_BYTES_MAX, tail);
	create->n_labels = tail->count;
	fields_pairs(&fields, "env", "variable", ENV_MAX, WIRE_ENV_BYTES_MAX, tail);
	create->n_env = tail->count - create->n_labels;
	read_limits(&fields, &create->limits);
	fields_thousandths(
		&fields, "timeout_seconds", "seconds", TIMEOUT_SECONDS_MAX, &create->timeout_ms);
	fields_end(&fields);
}

void sandboxes_create(struct request *request)
{
	struct wire_sandbox_create create = {.caller = request->caller};
	_cleanup_(wire_strings_fini) struct wire_strings tail = {0};
	struct wire_api_error error = {0};
	_cleanup_json_ json_t *object = NULL;

	if (!body_parse(request, &object))
		return;
	read_create(object, &create, &tail, &error);
	if (!body_accept(request, &error))
		return;
	request_ask(request, WIRE_API_SANDBOX_CREATE, &create, sizeof(create), tail.bytes,
		tail.size, on_created);
}

static int on_listed(struct request *request, const struct answer *answer)
{
	struct writer *writer = &request->answer;
	struct answer_rows rows;
	int r = answer_rows_begin(&rows, answer, WIRE_API_SANDBOXES);

	if (r < 0)
		return r;
	json_write_open(writer, '{');
	json_write_name(writer, "sandboxes");
	json_write_open(writer, '[');
	for (uint32_t i = 0; i < rows.page.n_rows; i++) {
		struct wire_sandbox sandbox;
		const char *labels;

		if (answer_rows_take(&rows, &sandbox, sizeof(sandbox)) < 0 ||
			!sandbox_is_valid(&sandbox))
			return -EPROTO;
		labels = answer_rows_tail(&rows, sandbox.tail_size);
		if (!labels || !wire_strings_valid(labels, sandbox.tail_size, sandbox.n_labels) ||
			write_sandbox(writer, &sandbox, labels) < 0)
			return -EPROTO;
	}
	json_write_close(writer, ']');
	json_write_name(writer, "next_cursor");
	if (rows.page.next_cursor)
		writer_print(writer, "\"%" PRIx64 "\"", rows.page.next_cursor);
	else
		writer_text(writer, "null");
	json_write_close(writer, '}');
	if (rows.left)
		return -EPROTO;
	respond_json(request, 200);
	return ANSWER_LAST;
}

static bool read_cursor(struct request *request, uint64_t *ret_cursor)
{
	const char *text = request_argument(request, "cursor", 0);
	char *end;

	if (!text)
		return true;
	errno = 0;
	*ret_cursor = strtoull(text, &end, 16);
	if (text[0] && strspn(text, "0123456789abcdef") == strlen(text) && errno == 0)
		return true;
	respond_problem(request, WIRE_CODE_INVALID,
		"query: \"cursor\" must be the next_cursor of an earlier answer");
	return false;
}

static bool read_label_filter(struct request *request, struct wire_strings *tail)
{
	const char *label;

	while ((label = request_argument(request, "label", tail->count))) {
		const char *equals = strchr(label, '=');

		if (!equals || equals == label) {
			respond_problem(request, WIRE_CODE_INVALID,
				"query: \"label\" must be key=value, as in ?label=team=red");
			return false;
		}
		if (tail->count == WIRE_LABELS_MAX || wire_strings_add(tail, label) < 0 ||
			tail->size > WIRE_LABEL_BYTES_MAX) {
			respond_problem(request, WIRE_CODE_INVALID,
				"query: at most %d labels of %d bytes together", WIRE_LABELS_MAX,
				WIRE_LABEL_BYTES_MAX);
			return false;
		}
	}
	return true;
}

void sandboxes_list(struct request *request)
{
	static const char *const known[] = {"label", "limit", "cursor", NULL};
	struct wire_sandbox_list list = {.caller = request->caller};
	_cleanup_(wire_strings_fini) struct wire_strings tail = {0};
	uint64_t limit = WIRE_PAGE_MAX;

	if (!request_arguments_check(request, known, "label") ||
		!request_argument_number(request, "limit", 1, WIRE_PAGE_MAX, &limit) ||
		!read_cursor(request, &list.cursor) || !read_label_filter(request, &tail))
		return;
	list.limit = (uint32_t)limit;
	list.n_labels = tail.count;
	request_ask(request, WIRE_API_SANDBOX_LIST, &list, sizeof(list), tail.bytes, tail.size,
		on_listed);
}

static int on_got(struct request *request, const struct answer *answer)
{
	int r = take_sandbox(request, answer);

	if (r < 0)
		return r;
	respond_json(request, 200);
	return ANSWER_LAST;
}

void sandboxes_get(struct request *request)
{
	struct wire_sandbox_ref ref = {.caller = request->caller};

	if (!body_take_sandbox(request))
		return;
	ref.sandbox = request->sandbox;
	request_ask(request, WIRE_API_SANDBOX_GET, &ref, sizeof(ref), NULL, 0, on_got);
}

/* What can be changed while a sandbox lives. At least one member must be there, so that a change
 * that is not one is never answered as if it were done. */
void sandboxes_patch(struct request *request)
{
	struct wire_sandbox_patch patch = {.caller = request->caller};
	struct wire_api_error error = {0};
	_cleanup_json_ json_t *object = NULL;
	struct fields fields;
	bool is_shadow;

	if (!body_take_sandbox(request) || !body_parse(request, &object))
		return;
	patch.sandbox = request->sandbox;
	fields_begin(&fields, object, "", &error);
	fields_text(&fields, "policy", patch.policy, sizeof(patch.policy));
	if (json_is_false(json_object_get(object, "shadow"))) {
		fields_get(&fields, "shadow");
		snprintf(patch.shadow, sizeof(patch.shadow), "%s", WIRE_SHADOW_NEVER);
		is_shadow = true;
	} else {
		is_shadow = shadow_read(&fields, patch.shadow);
	}
	if (fields_end(&fields) && !patch.policy[0] && !is_shadow)
		fields_refuse(&fields, "policy", "name the policy that is to be in force");
	else if (is_shadow && patch.policy[0])
		fields_refuse(&fields, "shadow", "must not be changed together with \"policy\"");
	if (body_accept(request, &error))
		request_ask(
			request, WIRE_API_SANDBOX_PATCH, &patch, sizeof(patch), NULL, 0, on_got);
}

static int on_deleted(struct request *request, const struct answer *answer)
{
	if (answer->type != WIRE_API_DONE || answer->size != 0)
		return -EPROTO;
	respond_empty(request, 204);
	return ANSWER_LAST;
}

void sandboxes_delete(struct request *request)
{
	struct wire_sandbox_ref ref = {.caller = request->caller};

	if (!body_take_sandbox(request))
		return;
	ref.sandbox = request->sandbox;
	request_ask(request, WIRE_API_SANDBOX_DELETE, &ref, sizeof(ref), NULL, 0, on_deleted);
}
