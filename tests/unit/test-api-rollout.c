/* Putting policies and rolling back: what is asked of cloched, and what its answer becomes. */
#include "supervisor/wire/policies.h"
#include "tests/harness/api.h"
#include "tests/harness/check.h"

#include <stdio.h>
#include <string.h>

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define BODY "{\"version\":1,\"name\":\"web\"}"

static struct api_exchange exchange;

static void answers_changed(const char *before)
{
	struct wire_policy_changed changed = {
		.row = {.name = "web", .hash = HASH, .n_rules = 2, .n_sandboxes = 3},
		.file_hash = "file"};

	snprintf(changed.hash_before, sizeof(changed.hash_before), "%s", before);
	api_answer(&exchange.api, &exchange.question, WIRE_API_POLICY_CHANGED, &changed,
		sizeof(changed), NULL, 0, NULL, 0);
}

static void reads(unsigned status, const char *head, const char *body)
{
	struct response response;

	api_read(exchange.client, &response);
	if (response.status != status)
		CHECK_FAIL("%u %s", response.status, response.body);
	CHECK(strstr(response.head, head) != NULL);
	CHECK(strstr(response.body, body) != NULL);
	api_response_fini(&response);
}

TEST(puts_a_policy_as_it_came)
{
	const struct wire_policy_put *put;

	api_exchange_begin(&exchange);
	api_request(exchange.client, "POST", "/v1/policies/web",
		"If-Match: \"" HASH "\"\r\nX-Cloche-Commit: 0123abc\r\n", BODY);
	put = api_expect(&exchange.api, &exchange.question, WIRE_API_POLICY_PUT,
		sizeof(*put) + strlen(BODY));
	CHECK_TEXT(put->name, "web");
	CHECK_TEXT(put->condition.if_hash, HASH);
	CHECK_TEXT(put->condition.commit, "0123abc");
	CHECK_INT(put->condition.if_new, 0);
	CHECK(memcmp(put + 1, BODY, strlen(BODY)) == 0);
	answers_changed("before");
	reads(200, "ETag: \"" HASH "\"\n",
		"{\"name\":\"web\",\"hash\":\"" HASH "\",\"file_hash\":\"file\",\"hash_before\":"
		"\"before\",\"mode\":\"enforce\",\"rules\":2,\"sandboxes\":3,\"stage\":"
		"\"enforce\"}");
	api_request(exchange.client, "POST", "/v1/policies/web", "If-None-Match: *\r\n", BODY);
	put = api_expect(&exchange.api, &exchange.question, WIRE_API_POLICY_PUT,
		sizeof(*put) + strlen(BODY));
	CHECK_INT(put->condition.if_new, 1);
	CHECK_TEXT(put->condition.if_hash, "");
	answers_changed("");
	reads(201, "ETag: ", "\"hash_before\":null");
	api_request(exchange.client, "POST", "/v1/policies/web", "", BODY);
	api_expect(&exchange.api, &exchange.question, WIRE_API_POLICY_PUT,
		sizeof(*put) + strlen(BODY));
	api_answer_error(
		&exchange.api, &exchange.question, WIRE_CODE_PRECONDITION, "another by now");
	reads(412, "", "urn:cloche:error:precondition");
	api_exchange_end(&exchange);
}

TEST(refuses_conditions_that_are_none)
{
	static const char *const headers[] = {"If-Match: " HASH "\r\n", "If-Match: *\r\n",
		"If-Match: W/\"" HASH "\"\r\n", "If-Match: \"" HASH "\", \"" HASH "\"\r\n",
		"If-None-Match: \"" HASH "\"\r\n", "If-None-Match: *\r\nIf-Match: \"" HASH "\"\r\n",
		"X-Cloche-Commit: 012345\r\n", "X-Cloche-Commit: 0123456g\r\n",
		"X-Cloche-Commit: " HASH "0\r\n"};

	api_exchange_begin(&exchange);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		api_request(exchange.client, "POST", "/v1/policies/web", headers[i], BODY);
		reads(400, "", "header: ");
		CHECK(api_is_quiet(&exchange.api));
	}
	api_request(exchange.client, "POST", "/v1/policies/web?stage=later", "", BODY);
	reads(400, "", "stage");
	api_request(exchange.client, "POST", "/v1/policies/web", "", "");
	reads(400, "", "the body must be a policy");
	api_exchange_end(&exchange);
}

TEST(rolls_back_to_a_whole_hash)
{
	const struct wire_policy_rollback *back;

	api_exchange_begin(&exchange);
	api_request(
		exchange.client, "POST", "/v1/policies/web/rollback", "", "{\"hash\":\"0123\"}");
	reads(400, "", "/hash");
	api_request(exchange.client, "POST", "/v1/policies/web/rollback", "", "{}");
	reads(400, "", "/hash");
	api_request(exchange.client, "POST", "/v1/policies/web/rollback",
		"X-Cloche-Commit: 0123abc\r\n", "{\"hash\":\"" HASH "\"}");
	back = api_expect(
		&exchange.api, &exchange.question, WIRE_API_POLICY_ROLLBACK, sizeof(*back));
	CHECK_TEXT(back->name, "web");
	CHECK_TEXT(back->hash, HASH);
	CHECK_TEXT(back->condition.commit, "0123abc");
	answers_changed("before");
	reads(200, "ETag: \"" HASH "\"\n", "\"hash_before\":\"before\"");
	api_exchange_end(&exchange);
}

TEST(lists_versions)
{
	struct {
		struct wire_policy_staged staged;
		struct wire_policy_version row;
	} rows = {.row = {.hash = HASH, .file_hash = "file", .by_key = "ck_1"}};
	struct wire_page page = {.n_rows = 2};

	api_exchange_begin(&exchange);
	api_request(exchange.client, "GET", "/v1/policies/web/versions", "", NULL);
	api_expect(&exchange.api, &exchange.question, WIRE_API_POLICY_VERSIONS,
		sizeof(struct wire_name_ref));
	api_answer(&exchange.api, &exchange.question, WIRE_API_POLICY_VERSIONS_REPLY, &page,
		sizeof(page), &rows, sizeof(rows), NULL, 0);
	reads(200, "",
		"{\"versions\":[{\"hash\":\"" HASH
		"\",\"file_hash\":\"file\",\"commit\":null,\"by_key\":\"ck_1\",\"since\":"
		"\"1970-01-01T00:00:00.000Z\"}],\"staged\":null}");
	rows.staged = (struct wire_policy_staged){.hash = HASH,
		.file_hash = "file",
		.commit = "0123abc",
		.by_key = "ck_2",
		.time_ns = 1000000000,
		.n_asked = 3,
		.n_not_asked = 1,
		.error = "why"};
	page.n_rows = 1;
	api_request(exchange.client, "GET", "/v1/policies/web/versions", "", NULL);
	api_expect(&exchange.api, &exchange.question, WIRE_API_POLICY_VERSIONS,
		sizeof(struct wire_name_ref));
	api_answer(&exchange.api, &exchange.question, WIRE_API_POLICY_VERSIONS_REPLY, &page,
		sizeof(page), &rows.staged, sizeof(rows.staged), NULL, 0);
	reads(200, "",
		"{\"versions\":[],\"staged\":{\"hash\":\"" HASH
		"\",\"file_hash\":\"file\",\"commit\":\"0123abc\",\"by_key\":\"ck_2\",\"since\":"
		"\"1970-01-01T00:00:01.000Z\",\"asked\":3,\"not_asked\":1,\"error\":\"why\"}}");
	api_exchange_end(&exchange);
}

TEST(stages_promotes_and_drops)
{
	struct wire_policy_changed changed = {.row = {.name = "web", .hash = HASH},
		.hash_before = "before",
		.is_staged = 1,
		.n_asked = 3,
		.n_not_asked = 1};
	const struct wire_policy_rollback *by_hash;
	const struct wire_policy_put *put;

	api_exchange_begin(&exchange);
	api_request(exchange.client, "POST", "/v1/policies/web?stage=shadow&commit=0123abc",
		"If-Match: \"" HASH "\"\r\n", BODY);
	put = api_expect(&exchange.api, &exchange.question, WIRE_API_POLICY_PUT,
		sizeof(*put) + strlen(BODY));
	CHECK_INT(put->stage, WIRE_STAGE_SHADOW);
	CHECK_TEXT(put->condition.if_hash, HASH);
	CHECK_TEXT(put->condition.commit, "0123abc");
	api_answer(&exchange.api, &exchange.question, WIRE_API_POLICY_CHANGED, &changed,
		sizeof(changed), NULL, 0, NULL, 0);
	reads(200, "", "\"stage\":\"shadow\",\"asked\":3,\"not_asked\":1}");
	api_request(exchange.client, "POST", "/v1/policies/web?stage=enforce", "", BODY);
	put = api_expect(&exchange.api, &exchange.question, WIRE_API_POLICY_PUT,
		sizeof(*put) + strlen(BODY));
	CHECK_INT(put->stage, WIRE_STAGE_ENFORCE);
	answers_changed("before");
	reads(200, "ETag: ", "\"stage\":\"enforce\"}");
	api_request(exchange.client, "POST", "/v1/policies/web?stage=enforce&hash=" HASH,
		"If-Match: \"" HASH "\"\r\nX-Cloche-Commit: 0123abc\r\n", "");
	by_hash = api_expect(
		&exchange.api, &exchange.question, WIRE_API_POLICY_PROMOTE, sizeof(*by_hash));
	CHECK_TEXT(by_hash->name, "web");
	CHECK_TEXT(by_hash->hash, HASH);
	CHECK_TEXT(by_hash->condition.if_hash, HASH);
	CHECK_TEXT(by_hash->condition.commit, "0123abc");
	answers_changed("before");
	reads(200, "ETag: ", "\"stage\":\"enforce\"}");
	api_request(
		exchange.client, "DELETE", "/v1/policies/web?stage=shadow&hash=" HASH, "", NULL);
	by_hash = api_expect(
		&exchange.api, &exchange.question, WIRE_API_POLICY_DROP, sizeof(*by_hash));
	CHECK_TEXT(by_hash->name, "web");
	CHECK_TEXT(by_hash->hash, HASH);
	api_answer(&exchange.api, &exchange.question, WIRE_API_DONE, NULL, 0, NULL, 0, NULL, 0);
	reads(204, "", "");
	api_request(exchange.client, "GET", "/v1/policies/web?stage=shadow", "", NULL);
	api_expect(&exchange.api, &exchange.question, WIRE_API_POLICY_GET_STAGED,
		sizeof(struct wire_name_ref));
	api_answer_error(&exchange.api, &exchange.question, WIRE_CODE_NOT_FOUND, "none is staged");
	reads(404, "", "none is staged");
	api_exchange_end(&exchange);
}

TEST(refuses_stages_that_are_none)
{
	static const struct {
		const char *method, *query, *body, *detail;
	} rows[] = {
		{"POST", "?stage=later", BODY, "\\\"stage\\\" must be"},
		{"POST", "?stage=shadow&hash=" HASH, BODY, "\\\"hash\\\" must be"},
		{"POST", "?stage=enforce&hash=" HASH, BODY, "\\\"hash\\\" must be"},
		{"POST", "?hash=" HASH, "", "\\\"hash\\\" must be"},
		{"POST", "?stage=enforce", "", "\\\"hash\\\" must be"},
		{"POST", "?stage=enforce&hash=abc", "", "\\\"hash\\\" must be"},
		{"POST", "?stage=shadow", "", "the body must be a policy"},
		{"POST", "?commit=012345", BODY, "query: \\\"commit\\\""},
		{"POST", "?stage=shadow&stage=shadow", BODY, "there twice"},
		{"POST", "?stages=shadow", BODY, "unknown argument"},
		{"DELETE", "", NULL, "only a staged version can be dropped"},
		{"DELETE", "?stage=enforce", NULL, "only a staged version can be dropped"},
		{"DELETE", "?stage=shadow&x=1", NULL, "unknown argument"},
		{"GET", "?stage=later", NULL, "\\\"stage\\\" must be"},
		{"GET", "?x=1", NULL, "unknown argument"},
	};

	api_exchange_begin(&exchange);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[200];

		snprintf(path, sizeof(path), "/v1/policies/web%s", rows[i].query);
		api_request(exchange.client, rows[i].method, path, "", rows[i].body);
		reads(400, "", rows[i].detail);
		CHECK(api_is_quiet(&exchange.api));
	}
	api_exchange_end(&exchange);
}
