/* POST /v1/policies/{name} and …/rollback, and the versions, for administrators. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/text/json.h"
#include "api/v1/body.h"
#include "api/v1/routes.h"
#include "api/v1/staged.h"
#include "supervisor/wire/policies.h"
#include "supervisor/wire/strings.h"

#define HEX "0123456789abcdef"

/* "\"<hash>\"", as ETag has it; If-Match of a weak tag or of a list is none that we gave. */
static bool read_match(struct request *request, struct wire_policy_condition *condition)
{
	const char *match = request_header(request, "If-Match");
	const char *none = request_header(request, "If-None-Match");

	if (none && strcmp(none, "*") != 0) {
		respond_problem(request, WIRE_CODE_INVALID,
			"header: \"If-None-Match\" can only be *: the policy must be new");
		return false;
	}
	condition->if_new = none != NULL;
	if (!match)
		return true;
	if (none || strlen(match) != WIRE_HASH_SIZE + 1 || match[0] != '"' ||
		strspn(match + 1, HEX) != WIRE_HASH_SIZE - 1 || match[WIRE_HASH_SIZE] != '"') {
		respond_problem(request, WIRE_CODE_INVALID,
			"header: \"If-Match\" must be one ETag of the policy, and alone");
		return false;
	}
	memcpy(condition->if_hash, match + 1, WIRE_HASH_SIZE - 1);
	return true;
}

/* In a header, or as an argument. */
static bool read_commit(struct request *request, struct wire_policy_condition *condition)
{
	const char *header = request_header(request, "X-Cloche-Commit");
	const char *argument = request_argument(request, "commit", 0);
	const char *commit = header ? header : argument;
	size_t length = commit ? strlen(commit) : 0;

	if (!commit)
		return true;
	if (length < 7 || length >= WIRE_COMMIT_SIZE || strspn(commit, HEX) != length ||
		(header && argument)) {
		respond_problem(request, WIRE_CODE_INVALID,
			"%s must be 7 to 64 of 0-9 and a-f, and there once",
			header ? "header: \"X-Cloche-Commit\"" : "query: \"commit\"");
		return false;
	}
	memcpy(condition->commit, commit, length);
	return true;
}

static bool read_condition(struct request *request, struct wire_policy_condition *condition)
{
	return read_match(request, condition) && read_commit(request, condition);
}

static int on_changed(struct request *request, const struct answer *answer)
{
	const struct wire_policy_changed *changed = answer->body;
	struct writer *writer = &request->answer;

	if (answer->type != WIRE_API_POLICY_CHANGED || answer->size != sizeof(*changed) ||
		!WIRE_TEXT_VALID(changed->row.name) || !WIRE_TEXT_VALID(changed->row.hash) ||
		!WIRE_TEXT_VALID(changed->hash_before) || !WIRE_TEXT_VALID(changed->file_hash))
		return -EPROTO;
	json_write_open(writer, '{');
	json_write_text(writer, "name", changed->row.name);
	json_write_text(writer, "hash", changed->row.hash);
	json_write_text(writer, "file_hash", changed->file_hash);
	json_write_text_or_null(writer, "hash_before", changed->hash_before);
	json_write_text(writer, "mode", changed->row.learns ? "learn" : "enforce");
	json_write_number(writer, "rules", changed->row.n_rules);
	json_write_number(writer, "sandboxes", changed->row.n_sandboxes);
	json_write_text(writer, "stage", changed->is_staged ? "shadow" : "enforce");
	if (changed->is_staged) {
		json_write_number(writer, "asked", changed->n_asked);
		json_write_number(writer, "not_asked", changed->n_not_asked);
	}
	json_write_close(writer, '}');
	if (!changed->is_staged)
		respond_header(request, "ETag", "\"%s\"", changed->row.hash);
	respond_json(request, changed->is_staged || changed->hash_before[0] ? 200 : 201);
	return ANSWER_LAST;
}

/* What is put, or, without a body and with a hash, what was staged. */
static bool read_stage(struct request *request, uint32_t *ret_stage, char ret_hash[WIRE_HASH_SIZE])
{
	const char *stage = request_argument(request, "stage", 0);
	bool promotes = stage && strcmp(stage, "enforce") == 0 && request->body_size == 0;

	*ret_stage = stage && strcmp(stage, "shadow") == 0 ? WIRE_STAGE_SHADOW : WIRE_STAGE_ENFORCE;
	if (stage && *ret_stage != WIRE_STAGE_SHADOW && strcmp(stage, "enforce") != 0) {
		respond_problem(request, WIRE_CODE_INVALID,
			"query: \"stage\" must be \"shadow\" or \"enforce\"");
		return false;
	}
	if (!request_argument_text(request, "hash", ret_hash, WIRE_HASH_SIZE))
		return false;
	if (promotes != (ret_hash[0] != '\0') ||
		(promotes && (strlen(ret_hash) != WIRE_HASH_SIZE - 1 ||
				     strspn(ret_hash, HEX) != WIRE_HASH_SIZE - 1))) {
		respond_problem(request, WIRE_CODE_INVALID,
			"query: \"hash\" must be the whole hash of the staged version with "
			"\"stage=enforce\" and no body, and goes with nothing else");
		return false;
	}
	return true;
}

static void promote(
	struct request *request, const char *hash, const struct wire_policy_condition *condition)
{
	struct wire_policy_rollback promoted = {.caller = request->caller, .condition = *condition};

	memcpy(promoted.name, request->parameters[0], sizeof(promoted.name));
	memcpy(promoted.hash, hash, sizeof(promoted.hash));
	request_ask(
		request, WIRE_API_POLICY_PROMOTE, &promoted, sizeof(promoted), NULL, 0, on_changed);
}

void policies_put(struct request *request)
{
	static const char *const known[] = {"stage", "hash", "commit", NULL};
	struct wire_policy_put put = {.caller = request->caller};
	char hash[WIRE_HASH_SIZE] = "";

	if (!request_arguments_check(request, known, NULL) ||
		!read_condition(request, &put.condition) || !read_stage(request, &put.stage, hash))
		return;
	if (hash[0]) {
		promote(request, hash, &put.condition);
		return;
	}
	if (request->body_size == 0) {
		respond_problem(request, WIRE_CODE_INVALID, "the body must be a policy");
		return;
	}
	if (request->body_size > WIRE_POLICY_BYTES_MAX) {
		respond_problem(request, WIRE_CODE_TOO_LARGE,
			"the policy has %zu bytes, and this call takes at most %d; put its file "
			"into the policy directory and reload",
			request->body_size, WIRE_POLICY_BYTES_MAX);
		return;
	}
	memcpy(put.name, request->parameters[0], sizeof(put.name));
	request_ask(request, WIRE_API_POLICY_PUT, &put, sizeof(put), request->body,
		request->body_size, on_changed);
}

void policies_rollback(struct request *request)
{
	struct wire_policy_rollback back = {.caller = request->caller};
	_cleanup_json_ json_t *object = NULL;
	struct wire_api_error error = {0};
	struct fields fields;

	if (!body_parse(request, &object) || !read_condition(request, &back.condition))
		return;
	memcpy(back.name, request->parameters[0], sizeof(back.name));
	fields_begin(&fields, object, "", &error);
	fields_text(&fields, "hash", back.hash, sizeof(back.hash));
	if (strlen(back.hash) != WIRE_HASH_SIZE - 1 || strspn(back.hash, HEX) != WIRE_HASH_SIZE - 1)
		fields_refuse(&fields, "hash",
			"must be the whole hash of an earlier version: 64 of 0-9 and a-f");
	fields_end(&fields);
	if (body_accept(request, &error))
		request_ask(request, WIRE_API_POLICY_ROLLBACK, &back, sizeof(back), NULL, 0,
			on_changed);
}

static int take_version(struct writer *writer, struct answer_rows *rows)
{
	struct wire_policy_version row;

	if (answer_rows_take(rows, &row, sizeof(row)) < 0 || !WIRE_TEXT_VALID(row.hash) ||
		!WIRE_TEXT_VALID(row.file_hash) || !WIRE_TEXT_VALID(row.commit) ||
		!WIRE_TEXT_VALID(row.by_key))
		return -EPROTO;
	json_write_open(writer, '{');
	json_write_text(writer, "hash", row.hash);
	json_write_text(writer, "file_hash", row.file_hash);
	json_write_text_or_null(writer, "commit", row.commit);
	json_write_text_or_null(writer, "by_key", row.by_key);
	json_write_time(writer, "since", row.time_ns);
	json_write_close(writer, '}');
	return 0;
}

static int on_versions(struct request *request, const struct answer *answer)
{
	struct writer *writer = &request->answer;
	struct wire_policy_staged staged;
	struct answer_rows rows;

	if (answer_rows_begin(&rows, answer, WIRE_API_POLICY_VERSIONS_REPLY) < 0 ||
		staged_take(&rows, &staged) < 0)
		return -EPROTO;
	json_write_open(writer, '{');
	json_write_name(writer, "versions");
	json_write_open(writer, '[');
	for (uint32_t i = 0; i < rows.page.n_rows; i++)
		if (take_version(writer, &rows) < 0)
			return -EPROTO;
	json_write_close(writer, ']');
	if (staged.hash[0]) {
		json_write_name(writer, "staged");
		json_write_open(writer, '{');
		staged_write(writer, &staged);
		json_write_close(writer, '}');
	} else {
		json_write_null(writer, "staged");
	}
	json_write_close(writer, '}');
	if (rows.left)
		return -EPROTO;
	respond_json(request, 200);
	return ANSWER_LAST;
}

void policies_versions(struct request *request)
{
	struct wire_name_ref ref = {.caller = request->caller};

	memcpy(ref.name, request->parameters[0], sizeof(ref.name));
	request_ask(request, WIRE_API_POLICY_VERSIONS, &ref, sizeof(ref), NULL, 0, on_versions);
}
