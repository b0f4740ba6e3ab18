/* /v1/sandboxes between a client and a cloched that the test plays. */
#include "api/http/server.h"
#include "supervisor/wire/strings.h"
#include "tests/harness/api.h"
#include "tests/harness/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct api_exchange exchange;

static struct wire_sandbox sample(uint64_t id)
{
	return (struct wire_sandbox){.sandbox = id,
		.created_ns = 1763760000123000000,
		.state = WIRE_SANDBOX_CLAIMED,
		.generation = 3,
		.warm = 1,
		.limits = {512 << 20, 256 << 20, 1500, 64},
		.tenant = "acme",
		.template = "python",
		.policy = "deny-all",
		.policy_hash = "abc",
		.n_labels = 1,
		.tail_size = sizeof("team=red")};
}

#define SAMPLE_JSON                                                                                \
	"{\"id\":\"sb-00000000000000ab\",\"state\":\"claimed\",\"warm\":true,"                     \
	"\"template\":\"python\",\"tenant\":\"acme\",\"policy\":{\"name\":\"deny-all\","           \
	"\"hash\":\"abc\",\"generation\":3,\"mode\":\"enforce\"},\"shadow\":null,\"labels\":{"     \
	"\"team\":\"red\"},"                                                                       \
	"\"limits\":{"                                                                             \
	"\"memory_bytes\":536870912,\"disk_bytes\":268435456,\"cpu\":1.5,\"pids\":64},"            \
	"\"created_at\":\"2025-11-21T21:20:00.123Z\",\"expires_at\":null,\"reason\":null}"

TEST(creates_a_sandbox_from_every_member)
{
	const struct wire_sandbox_create *create;
	struct wire_sandbox row = sample(0xab);
	struct response response;
	const char *tail;

	api_exchange_begin(&exchange);
	api_request(exchange.client, "POST", "/v1/sandboxes", "",
		"{\"template\":\"node\",\"policy\":\"web\",\"labels\":{\"team\":\"red\"},"
		"\"env\":{\"A\":\"b=c\"},\"limits\":{\"memory\":\"512MiB\",\"disk\":1024,\"cpu\":1."
		"5,"
		"\"pids\":64},\"timeout_seconds\":0.5}");
	create = api_expect(
		&exchange.api, &exchange.question, WIRE_API_SANDBOX_CREATE, sizeof(*create));
	CHECK_TEXT(create->caller.key, API_KEY);
	CHECK(strncmp(create->caller.remote, "unix uid=", 9) == 0);
	CHECK_TEXT(create->template, "node");
	CHECK_TEXT(create->policy, "web");
	CHECK_INT(create->limits.memory_bytes, 512 << 20);
	CHECK_INT(create->limits.disk_bytes, 1024);
	CHECK_INT(create->limits.cpu_millis, 1500);
	CHECK_INT(create->limits.pids, 64);
	CHECK_INT(create->timeout_ms, 500);
	CHECK_INT(create->n_labels, 1);
	CHECK_INT(create->n_env, 1);
	tail = (const char *)(create + 1);
	CHECK(wire_strings_valid(tail, exchange.question.size - sizeof(*create), 2));
	CHECK_TEXT(wire_strings_next(&tail), "team=red");
	CHECK_TEXT(wire_strings_next(&tail), "A=b=c");
	api_answer(&exchange.api, &exchange.question, WIRE_API_SANDBOX, &row, sizeof(row),
		"team=red", 9, NULL, 0);
	api_read(exchange.client, &response);
	CHECK_INT(response.status, 201);
	CHECK(strstr(response.head, "Location: /v1/sandboxes/sb-00000000000000ab\n"));
	CHECK(strstr(response.head, "Content-Type: application/json\n"));
	CHECK_TEXT(response.body, SAMPLE_JSON);
	api_response_fini(&response);
	api_exchange_end(&exchange);
}

TEST(creates_with_defaults_from_an_empty_body)
{
	const struct wire_sandbox_create *create;
	struct response response;

	api_start(&exchange.api, NULL);
	exchange.client = api_connect_tcp(&exchange.api);
	api_request(exchange.client, "POST", "/v1/sandboxes", "Content-Length: 0\r\n", NULL);
	create = api_expect(
		&exchange.api, &exchange.question, WIRE_API_SANDBOX_CREATE, sizeof(*create));
	CHECK(strncmp(create->caller.remote, "127.0.0.1:", 10) == 0);
	CHECK_TEXT(create->template, "");
	CHECK_INT(create->timeout_ms, 0);
	api_answer_error(&exchange.api, &exchange.question, WIRE_CODE_LIMIT,
		"the tenant has 3 sandboxes, no more fit");
	api_read(exchange.client, &response);
	CHECK_INT(response.status, 429);
	CHECK_TEXT(response.body,
		"{\"type\":\"urn:cloche:error:limit\",\"title\":\"Limit reached\",\"status\":429,"
		"\"detail\":\"the tenant has 3 sandboxes, no more fit\"}");
	CHECK(strstr(response.head, "Content-Type: application/problem+json\n"));
	api_response_fini(&response);
	api_exchange_end(&exchange);
}

TEST(says_whose_candidate_is_asked_and_whether_it_can_be)
{
	static const char *const shown[] = {
		"\"shadow\":{\"name\":\"narrow\",\"hash\":\"def\",\"source\":\"own\"}",
		"\"shadow\":{\"name\":\"narrow\",\"hash\":null,\"source\":\"administrator\"}"};
	struct wire_sandbox row = sample(0xab);
	struct response response;

	api_exchange_begin(&exchange);
	snprintf(row.shadow, sizeof(row.shadow), "narrow");
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		snprintf(row.shadow_hash, sizeof(row.shadow_hash), "%s", i == 0 ? "def" : "");
		row.shadow_source = i == 0 ? WIRE_SHADOW_OWN : WIRE_SHADOW_ADMINISTRATOR;
		api_request(exchange.client, "GET", "/v1/sandboxes/sb-00000000000000ab", "", NULL);
		api_expect(&exchange.api, &exchange.question, WIRE_API_SANDBOX_GET,
			sizeof(struct wire_sandbox_ref));
		api_answer(&exchange.api, &exchange.question, WIRE_API_SANDBOX, &row, sizeof(row),
			"team=red", 9, NULL, 0);
		api_read(exchange.client, &response);
		CHECK_INT(response.status, 200);
		CHECK(strstr(response.body, shown[i]));
		api_response_fini(&response);
	}
	api_exchange_end(&exchange);
}

TEST(lists_by_label_and_cursor)
{
	const struct wire_sandbox_list *list;
	struct {
		struct wire_page page;
		char bytes[2 * (sizeof(struct wire_sandbox) + 9)];
	} answer = {.page = {.n_rows = 2, .next_cursor = 0x1f}};
	struct wire_sandbox row = sample(0xab);
	struct response response;
	const char *tail;

	for (size_t i = 0; i < 2; i++) {
		char *at = answer.bytes + i * (sizeof(row) + 9);

		memcpy(at, &row, sizeof(row));
		memcpy(at + sizeof(row), "team=red", 9);
	}
	api_exchange_begin(&exchange);
	api_request(exchange.client, "GET",
		"/v1/sandboxes?label=team=red&label=a=b%20c&limit=2&cursor=1e", "", NULL);
	list = api_expect(&exchange.api, &exchange.question, WIRE_API_SANDBOX_LIST, sizeof(*list));
	CHECK_INT(list->limit, 2);
	CHECK_INT(list->cursor, 0x1e);
	CHECK_INT(list->n_labels, 2);
	tail = (const char *)(list + 1);
	CHECK_TEXT(wire_strings_next(&tail), "team=red");
	CHECK_TEXT(wire_strings_next(&tail), "a=b c");
	api_answer(&exchange.api, &exchange.question, WIRE_API_SANDBOXES, &answer.page,
		sizeof(answer.page), answer.bytes, sizeof(answer.bytes), NULL, 0);
	api_read(exchange.client, &response);
	CHECK_INT(response.status, 200);
	CHECK_TEXT(response.body,
		"{\"sandboxes\":[" SAMPLE_JSON "," SAMPLE_JSON "],\"next_cursor\":\"1f\"}");
	api_response_fini(&response);
	api_exchange_end(&exchange);
}

TEST(gets_and_deletes_on_one_connection)
{
	const struct wire_sandbox_ref *ref;
	struct wire_sandbox row = sample(0xab);
	struct response response;

	api_exchange_begin(&exchange);
	api_request(exchange.client, "GET", "/v1/sandboxes/sb-00000000000000ab", "", NULL);
	ref = api_expect(&exchange.api, &exchange.question, WIRE_API_SANDBOX_GET, sizeof(*ref));
	CHECK_INT(ref->sandbox, 0xab);
	api_answer(&exchange.api, &exchange.question, WIRE_API_SANDBOX, &row, sizeof(row),
		"team=red", 9, NULL, 0);
	api_read(exchange.client, &response);
	CHECK_INT(response.status, 200);
	CHECK_TEXT(response.body, SAMPLE_JSON);
	api_response_fini(&response);
	api_request(exchange.client, "DELETE", "/v1/sandboxes/sb-00000000000000ab", "", NULL);
	ref = api_expect(&exchange.api, &exchange.question, WIRE_API_SANDBOX_DELETE, sizeof(*ref));
	CHECK_INT(ref->sandbox, 0xab);
	api_answer(&exchange.api, &exchange.question, WIRE_API_DONE, NULL, 0, NULL, 0, NULL, 0);
	api_read(exchange.client, &response);
	CHECK_INT(response.status, 204);
	CHECK_INT(response.body_size, 0);
	api_response_fini(&response);
	api_exchange_end(&exchange);
}

TEST(patches_the_policy_and_shows_what_is_in_force)
{
	const struct wire_sandbox_patch *patch;
	struct wire_sandbox row = sample(0xab);
	struct response response;

	api_exchange_begin(&exchange);
	api_request(exchange.client, "PATCH", "/v1/sandboxes/sb-00000000000000ab", "",
		"{\"policy\":\"deny-all\"}");
	patch = api_expect(
		&exchange.api, &exchange.question, WIRE_API_SANDBOX_PATCH, sizeof(*patch));
	CHECK_TEXT(patch->caller.key, API_KEY);
	CHECK_INT(patch->sandbox, 0xab);
	CHECK_TEXT(patch->policy, "deny-all");
	CHECK_INT(exchange.question.size, sizeof(*patch));
	api_answer(&exchange.api, &exchange.question, WIRE_API_SANDBOX, &row, sizeof(row),
		"team=red", 9, NULL, 0);
	api_read(exchange.client, &response);
	CHECK_INT(response.status, 200);
	CHECK(strstr(response.head, "Content-Type: application/json\n"));
	CHECK_TEXT(response.body, SAMPLE_JSON);
	api_response_fini(&response);
	api_request(exchange.client, "PATCH", "/v1/sandboxes/sb-00000000000000ab", "",
		"{\"policy\":\"nowhere\"}");
	api_expect(&exchange.api, &exchange.question, WIRE_API_SANDBOX_PATCH, sizeof(*patch));
	api_answer_error(&exchange.api, &exchange.question, WIRE_CODE_NOT_FOUND,
		"there is no policy \"nowhere\"");
	api_read(exchange.client, &response);
	CHECK_INT(response.status, 404);
	CHECK(strstr(response.body, "there is no policy"));
	api_response_fini(&response);
	api_exchange_end(&exchange);
}

TEST(patches_the_candidate_with_a_name_null_or_false)
{
	static const struct {
		const char *body, *shadow;
	} rows[] = {{"{\"shadow\":\"narrow\"}", "narrow"}, {"{\"shadow\":null}", ""},
		{"{\"shadow\":false}", WIRE_SHADOW_NEVER}};
	struct wire_sandbox row = sample(0xab);
	struct response response;

	api_exchange_begin(&exchange);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct wire_sandbox_patch *patch;

		row.shadow_source = i % 2 ? WIRE_SHADOW_OWN : WIRE_SHADOW_ADMINISTRATOR;
		api_request(exchange.client, "PATCH", "/v1/sandboxes/sb-00000000000000ab", "",
			rows[i].body);
		patch = api_expect(
			&exchange.api, &exchange.question, WIRE_API_SANDBOX_PATCH, sizeof(*patch));
		CHECK_TEXT(patch->policy, "");
		CHECK_TEXT(patch->shadow, rows[i].shadow);
		api_answer(&exchange.api, &exchange.question, WIRE_API_SANDBOX, &row, sizeof(row),
			"team=red", 9, NULL, 0);
		api_read(exchange.client, &response);
		CHECK_INT(response.status, 200);
		CHECK(strstr(response.body, "\"shadow\":false,"));
		api_response_fini(&response);
	}
	api_exchange_end(&exchange);
}

TEST(reports_each_answered_request)
{
	const struct wire_call *call;
	struct response response;

	api_exchange_begin(&exchange);
	api_request(exchange.client, "DELETE", "/v1/sandboxes/sb-00000000000000ab", "", NULL);
	api_expect(&exchange.api, &exchange.question, WIRE_API_SANDBOX_DELETE,
		sizeof(struct wire_sandbox_ref));
	api_answer(&exchange.api, &exchange.question, WIRE_API_DONE, NULL, 0, NULL, 0, NULL, 0);
	api_read(exchange.client, &response);
	api_response_fini(&response);
	call = api_expect(&exchange.api, &exchange.question, WIRE_API_CALL, sizeof(*call));
	CHECK_TEXT(call->method, "DELETE");
	CHECK_TEXT(call->path, "/v1/sandboxes/sb-00000000000000ab");
	CHECK_TEXT(call->caller.key, API_KEY);
	CHECK_INT(call->status, 204);
	CHECK_INT(call->sandbox, 0xab);
	api_request(exchange.client, "GET", "/healthz", "", NULL);
	api_read(exchange.client, &response);
	CHECK_INT(response.status, 200);
	api_response_fini(&response);
	api_request(exchange.client, "GET", "/v1/nothing", "", NULL);
	call = api_expect(&exchange.api, &exchange.question, WIRE_API_CALL, sizeof(*call));
	CHECK_TEXT(call->path, "/v1/nothing");
	CHECK_INT(call->status, 404);
	api_exchange_end(&exchange);
}

struct refused {
	const char *body, *detail;
};

TEST(refuses_what_a_create_may_not_hold)
{
	static const struct refused rows[] = {
		{"{\"templat\":\"x\"}",
			"/templat: unknown key \\\"templat\\\"; the keys here are template, "
			"policy, labels, env, limits, timeout_seconds"},
		{"{\"limits\":{\"memroy\":1}}",
			"/limits/memroy: unknown key \\\"memroy\\\"; the keys here "
			"are memory, disk, cpu, pids"},
		{"{\"a/b~\":1}", "/a~1b~0: unknown key"},
		{"{\"template\":1}", "/template: must be a string, not a whole number"},
		{"{\"template\":null}", "/template: must be a string, not null"},
		{"{\"template\":\""
		 "0123456789012345678901234567890123456789012345678901234567890123"
		 "\"}",
			"/template: is 64 bytes long; at most 63 are allowed"},
		{"{\"labels\":[]}", "/labels: must be an object of strings, not an array"},
		{"{\"labels\":{\"a\":1}}", "/labels/a: the value of a label must be a string"},
		{"{\"labels\":{\"a=b\":\"\"}}",
			"/labels/a=b: the name of a label must not be empty"},
		{"{\"env\":{\"\":\"\"}}", "/env/: the name of a variable must not be empty"},
		{"{\"limits\":{\"memory\":\"512MB\"}}",
			"/limits/memory: must be a whole number of bytes"},
		{"{\"limits\":{\"memory\":-1}}", "/limits/memory: must be a whole number of bytes"},
		{"{\"limits\":{\"memory\":0}}", "/limits/memory: must be a whole number of bytes"},
		{"{\"limits\":{\"cpu\":\"1\"}}",
			"/limits/cpu: must be a number of CPUs, not a string"},
		{"{\"limits\":{\"cpu\":0}}",
			"/limits/cpu: must be a number of CPUs from 0.001 to 1024"},
		{"{\"limits\":{\"pids\":1.5}}",
			"/limits/pids: must be a whole number, not a number with"},
		{"{\"timeout_seconds\":0}",
			"/timeout_seconds: must be a number of seconds from 0.001"},
		{"{\"template\":\"a\",\"template\":\"b\"}", "the body is not JSON: line 1, column"},
		{"{", "the body is not JSON: line 1, column 1"},
		{"[]", "the body must be a JSON object"},
	};
	struct response response;

	api_exchange_begin(&exchange);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		api_request(exchange.client, "POST", "/v1/sandboxes", "", rows[i].body);
		api_read(exchange.client, &response);
		if (response.status != 400 || !strstr(response.body, rows[i].detail))
			CHECK_FAIL("%s: %u %s", rows[i].body, response.status, response.body);
		api_response_fini(&response);
	}
	CHECK(api_is_quiet(&exchange.api));
	api_exchange_end(&exchange);
}

TEST(refuses_what_a_patch_may_not_hold)
{
	static const struct refused rows[] = {
		{"", "/policy: name the policy that is to be in force"},
		{"{}", "/policy: name the policy that is to be in force"},
		{"{\"policy\":\"\"}", "/policy: name the policy that is to be in force"},
		{"{\"policy\":null}", "/policy: must be a string, not null"},
		{"{\"shadow\":true}", "/shadow: must be a string, not true"},
		{"{\"shadow\":\"\"}", "/shadow: must be a policy's name or null"},
		{"{\"shadow\":\"-\"}", "/shadow: must be a policy's name or null"},
		{"{\"shadow\":null,\"policy\":\"a\"}",
			"/shadow: must not be changed together with \\\"policy\\\""},
		{"{\"policy\":\"a\",\"limits\":{}}",
			"/limits: unknown key \\\"limits\\\"; the keys here are policy"},
		{"{\"polic\":\"a\"}", "/polic: unknown key"},
		{"{\"policy\":\""
		 "0123456789012345678901234567890123456789012345678901234567890123"
		 "\"}",
			"/policy: is 64 bytes long; at most 63 are allowed"},
	};
	struct response response;

	api_exchange_begin(&exchange);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		api_request(exchange.client, "PATCH", "/v1/sandboxes/sb-00000000000000ab", "",
			rows[i].body);
		api_read(exchange.client, &response);
		if (response.status != 400 || !strstr(response.body, rows[i].detail))
			CHECK_FAIL("%s: %u %s", rows[i].body, response.status, response.body);
		api_response_fini(&response);
	}
	api_request(exchange.client, "PATCH", "/v1/sandboxes/7", "", "{\"policy\":\"a\"}");
	api_read(exchange.client, &response);
	CHECK_INT(response.status, 404);
	api_response_fini(&response);
	CHECK(api_is_quiet(&exchange.api));
	api_exchange_end(&exchange);
}

TEST(refuses_wrong_queries)
{
	static const struct refused rows[] = {
		{"/v1/sandboxes?limi=1",
			"unknown argument \\\"limi\\\"; those taken here are label, limit, "
			"cursor"},
		{"/v1/sandboxes?limit=0", "\\\"limit\\\" must be a whole number from 1 to 100"},
		{"/v1/sandboxes?limit=101", "\\\"limit\\\" must be a whole number from 1 to 100"},
		{"/v1/sandboxes?limit=1&limit=2", "\\\"limit\\\" is there twice"},
		{"/v1/sandboxes?label=x", "\\\"label\\\" must be key=value"},
		{"/v1/sandboxes?cursor=zz", "\\\"cursor\\\" must be the next_cursor"},
		{"/v1/sandboxes/sb-00000000000000ab?x=1",
			"unknown argument \\\"x\\\"; none are taken here"},
		{"/v1/usage?group_by=day", "\\\"group_by\\\" must be \\\"tenant\\\""},
		{"/v1/events?follow=yes", "\\\"follow\\\" must be true or false"},
		{"/v1/events?sandbox=7", "\\\"sandbox\\\" must be a sandbox's id"},
	};
	struct response response;

	api_exchange_begin(&exchange);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		api_request(exchange.client, "GET", rows[i].body, "", NULL);
		api_read(exchange.client, &response);
		if (response.status != 400 || !strstr(response.body, rows[i].detail))
			CHECK_FAIL("%s: %u %s", rows[i].body, response.status, response.body);
		api_response_fini(&response);
	}
	CHECK(api_is_quiet(&exchange.api));
	api_exchange_end(&exchange);
}
