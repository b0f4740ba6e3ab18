#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/control/request.h"
#include "supervisor/core/shadow/candidate.h"
#include "supervisor/core/shadow/shadow.h"
#include "supervisor/wire/strings.h"

static void answer_row(struct request *request, const struct sandbox *sandbox)
{
	struct wire_sandbox row;
	const char *labels;

	sandbox_describe(sandbox, &row, &labels);
	request_answer(request, WIRE_API_SANDBOX, &row, sizeof(row), labels, row.tail_size);
}

static void on_created(struct sandbox *sandbox, const struct refusal *why, void *userdata)
{
	struct request *request = userdata;

	if (sandbox && request->orphaned) { /* nobody would ever learn its name */
		sandbox_end(sandbox, "client gone", NULL, NULL);
		request_free(request);
	} else if (sandbox) {
		answer_row(request, sandbox);
	} else {
		request_refuse(request, why);
	}
}

/* cloche-api has checked sizes already and says it better; these are the limits that hold. */
static bool create_is_valid(
	const struct wire_sandbox_create *body, const char *tail, size_t tail_size)
{
	const char *cursor = tail;

	if (!WIRE_TEXT_VALID(body->template) || !WIRE_TEXT_VALID(body->policy) ||
		body->n_labels > WIRE_LABELS_MAX || body->n_env > WIRE_ENV_BYTES_MAX / 2 ||
		!wire_strings_valid(tail, tail_size, body->n_labels + body->n_env))
		return false;
	for (uint32_t i = 0; i < body->n_labels + body->n_env; i++) {
		const char *text = wire_strings_next(&cursor);

		if (text[0] == '=' || !strchr(text, '='))
			return false;
		if (i + 1 == body->n_labels && cursor - tail > WIRE_LABEL_BYTES_MAX)
			return false;
	}
	return tail_size <= WIRE_LABEL_BYTES_MAX + WIRE_ENV_BYTES_MAX;
}

void handle_sandbox_create(
	struct request *request, const void *body, const char *tail, size_t tail_size)
{
	if (!create_is_valid(body, tail, tail_size)) {
		request_fail(request, WIRE_CODE_INVALID,
			"Labels and environment must be name=value, at most %d labels in %d bytes "
			"and %d "
			"bytes of environment.",
			WIRE_LABELS_MAX, WIRE_LABEL_BYTES_MAX, WIRE_ENV_BYTES_MAX);
		return;
	}
	sandbox_create(request->control->core, request->key->tenant, body, tail, tail_size,
		on_created, request);
}

/* Answers itself when there is none: another tenant's sandbox is as absent as one that never was.
 */
static struct sandbox *find(struct request *request, uint64_t id)
{
	struct sandbox *sandbox = sandbox_find(request->control->core, request_scope(request), id);

	if (!sandbox)
		request_fail(request, WIRE_CODE_NOT_FOUND,
			"There is no sandbox sb-%016lx, or it has ended.", (unsigned long)id);
	return sandbox;
}

void handle_sandbox_get(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_sandbox_ref *ref = body;
	struct sandbox *sandbox = find(request, ref->sandbox);

	if (sandbox)
		answer_row(request, sandbox);
}

static void on_ended(void *userdata)
{
	request_done(userdata);
}

void handle_sandbox_delete(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_sandbox_ref *ref = body;
	struct sandbox *sandbox = find(request, ref->sandbox);

	if (sandbox)
		sandbox_end(sandbox, "deleted", on_ended, request);
}

_Static_assert((int)WIRE_SHADOW_NOBODYS == (int)CANDIDATE_NONE &&
		       (int)WIRE_SHADOW_ADMINISTRATOR == (int)CANDIDATE_ADMINISTRATOR &&
		       (int)WIRE_SHADOW_STAGED == (int)CANDIDATE_STAGED &&
		       (int)WIRE_SHADOW_TEMPLATE == (int)CANDIDATE_TEMPLATE &&
		       (int)WIRE_SHADOW_TENANT == (int)CANDIDATE_TENANT &&
		       (int)WIRE_SHADOW_OWN == (int)CANDIDATE_OWN &&
		       (int)WIRE_SHADOW_LEARN == (int)CANDIDATE_LEARN,
	"sources of candidates are the same numbers on the wire");

static void on_swapped(struct sandbox *sandbox, const struct refusal *why, void *userdata)
{
	struct request *request = userdata;

	if (!sandbox) {
		request_refuse(request, why);
		return;
	}
	ports_review(request->control);
	answer_row(request, sandbox);
}

void handle_sandbox_patch(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_sandbox_patch *patch = body;
	struct sandbox *sandbox;
	struct refusal why;

	if (!WIRE_TEXT_VALID(patch->policy) || !WIRE_TEXT_VALID(patch->shadow) ||
		(patch->policy[0] && patch->shadow[0])) {
		request_fail(request, WIRE_CODE_INVALID,
			"Change the policy or the shadow, one at a time.");
		return;
	}
	sandbox = find(request, patch->sandbox);
	if (!sandbox)
		return;
	if (patch->policy[0])
		sandbox_set_policy(sandbox, patch->policy, on_swapped, request);
	else if (sandbox_set_shadow(sandbox, !request_scope(request), patch->shadow, &why) < 0)
		request_refuse(request, &why);
	else
		answer_row(request, sandbox);
}

static int by_id(const void *a, const void *b)
{
	uint64_t left = sandbox_id(*(struct sandbox *const *)a);
	uint64_t right = sandbox_id(*(struct sandbox *const *)b);

	return left < right ? -1 : left > right;
}

/* Pages are in order of id, so that a cursor (the last id seen) stays good while others come and
 * go. */
static size_t collect(const struct request *request, const struct wire_sandbox_list *query,
	const char *labels, struct sandbox **ret_found)
{
	const struct core *core = request->control->core;
	struct sandbox *sandbox;
	size_t position = 0, n = 0;

	while ((sandbox = table_next(core->sandboxes, &position))) {
		uint64_t id = sandbox_id(sandbox);

		if (id > query->cursor && sandbox_find(core, request_scope(request), id) &&
			sandbox_has_labels(sandbox, labels, query->n_labels))
			ret_found[n++] = sandbox;
	}
	qsort(ret_found, n, sizeof(struct sandbox *), by_id);
	return n;
}

void handle_sandbox_list(
	struct request *request, const void *body, const char *tail, size_t tail_size)
{
	const struct wire_sandbox_list *query = body;
	size_t limit = query->limit && query->limit < WIRE_PAGE_MAX ? query->limit : WIRE_PAGE_MAX;
	struct sandbox **found;
	struct rows rows = {0};
	size_t n;

	if (query->n_labels > WIRE_LABELS_MAX ||
		!wire_strings_valid(tail, tail_size, query->n_labels)) {
		request_fail(request, WIRE_CODE_INVALID, "At most %d labels can be asked for.",
			WIRE_LABELS_MAX);
		return;
	}
	found = calloc(table_count(request->control->core->sandboxes) + 1, sizeof(*found));
	if (!found) {
		request_fail(request, WIRE_CODE_INTERNAL, "Out of memory.");
		return;
	}
	n = collect(request, query, tail, found);
	for (size_t i = 0; i < n && i < limit; i++) {
		struct wire_sandbox row;
		const char *labels;

		sandbox_describe(found[i], &row, &labels);
		if (sizeof(rows.page) + rows.size + sizeof(row) + row.tail_size >
			WIRE_FRAME_MAX - sizeof(struct wire_header))
			limit = i;
		else
			rows_add(&rows, &row, sizeof(row), labels, row.tail_size);
	}
	if (limit < n)
		rows.page.next_cursor = sandbox_id(found[limit - 1]);
	free(found);
	rows_answer(&rows, request, WIRE_API_SANDBOXES);
}
