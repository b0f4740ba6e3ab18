/* A candidate: asked for by PATCH, and the sums of what it would have decided otherwise. */
#include "supervisor/wire/policies.h"
#include "tests/harness/api.h"
#include "tests/harness/check.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"

#define SANDBOX "/v1/sandboxes/sb-00000000000000ab"

static struct api_exchange exchange;

static void reads(unsigned status, const char *body)
{
	struct response response;

	api_read(exchange.client, &response);
	if (response.status != status || !strstr(response.body, body))
		CHECK_FAIL("%u %s, not %u %s", response.status, response.body, status, body);
	api_response_fini(&response);
}

struct sums {
	struct wire_page page;
	struct wire_policy_staged staged;
	struct wire_shadow_sum rows[4];
};

static void asks(const struct sums *sums, size_t size)
{
	const struct wire_name_ref *ref;

	api_request(exchange.client, "GET", "/v1/policies/narrow/shadow", "", NULL);
	ref = api_expect(&exchange.api, &exchange.question, WIRE_API_SHADOW_SUMS, sizeof(*ref));
	CHECK_TEXT(ref->name, "narrow");
	api_answer(&exchange.api, &exchange.question, WIRE_API_SHADOW_SUMS_REPLY, sums, size, NULL,
		0, NULL, 0);
}

TEST(sums_are_told_by_rule_and_added_up_by_outcome)
{
	struct sums sums = {.page = {.n_rows = 5},
		.rows = {{.outcome = WIRE_SHADOW_AGREED, .rule = 0, .policy = "web", .n = 7},
			{.outcome = WIRE_SHADOW_AGREED,
				.rule = 0xffff,
				.policy = "web",
				.n = 5,
				.part = "files.hidden /etc/ssl"},
			{.outcome = WIRE_SHADOW_WOULD_DENY,
				.rule = 2,
				.policy = "web",
				.n = 3,
				.example_sandbox = 0xab,
				.example_ns = 1700000000123456789,
				.example = "connect a.org:443"},
			{.outcome = WIRE_SHADOW_WOULD_ALLOW,
				.rule = 1,
				.policy = "narrow",
				.n = 18446744073709551615u}}};

	api_exchange_begin(&exchange);
	asks(&sums, sizeof(sums));
	reads(200, "{\"name\":\"narrow\",\"rules\":["
		   "{\"outcome\":\"agreed\",\"policy\":\"web\",\"rule\":0,\"part\":null,\"count\":"
		   "7,\"example\":"
		   "null},"
		   "{\"outcome\":\"agreed\",\"policy\":\"web\",\"rule\":null,\"part\":\"files."
		   "hidden /etc/ssl\",\"count\":5,\"example\":"
		   "null},"
		   "{\"outcome\":\"would_deny\",\"policy\":\"web\",\"rule\":2,\"part\":null,"
		   "\"count\":3,\"example\":"
		   "{\"act\":\"connect a.org:443\",\"sandbox\":\"sb-00000000000000ab\",\"at\":"
		   "\"2023-11-14T22:13:20.123Z\"}},"
		   "{\"outcome\":\"would_allow\",\"policy\":\"narrow\",\"rule\":1,\"part\":null,"
		   "\"count\":"
		   "18446744073709551615,\"example\":null}],"
		   "\"truncated\":false,\"agreed\":12,\"would_deny\":3,\"would_allow\":"
		   "18446744073709551615,\"staged\":null}");
	sums.page = (struct wire_page){.n_rows = 1, .next_cursor = 1};
	asks(&sums, sizeof(sums.page) + sizeof(sums.staged));
	reads(200, "\"rules\":[],\"truncated\":true,\"agreed\":0,\"would_deny\":0,\"would_allow\":"
		   "0,\"staged\":null}");
	api_exchange_end(&exchange);
}

TEST(sums_of_the_staged_version_are_told_apart)
{
	struct sums sums = {.page = {.n_rows = 3},
		.staged = {.hash = "abc",
			.file_hash = "file",
			.time_ns = 1000000000,
			.n_asked = 2,
			.n_not_asked = 1},
		.rows = {{.outcome = WIRE_SHADOW_AGREED, .rule = 0, .policy = "web", .n = 7},
			{.outcome = WIRE_SHADOW_WOULD_DENY,
				.rule = 1,
				.policy = "heir",
				.n = 3,
				.is_staged = 1}}};

	api_exchange_begin(&exchange);
	asks(&sums, sizeof(sums) - 2 * sizeof(sums.rows[0]));
	reads(200, "\"rules\":[{\"outcome\":\"agreed\",\"policy\":\"web\",\"rule\":0,\"part\":null,"
		   "\"count\":7,"
		   "\"example\":null}],\"truncated\":false,\"agreed\":7,\"would_deny\":0,"
		   "\"would_allow\":0,\"staged\":{\"hash\":\"abc\",\"file_hash\":\"file\","
		   "\"commit\":null,\"by_key\":null,\"since\":\"1970-01-01T00:00:01.000Z\","
		   "\"asked\":2,\"not_asked\":1,\"error\":null,\"rules\":[{\"outcome\":"
		   "\"would_deny\",\"policy\":\"heir\",\"rule\":1,\"part\":null,\"count\":3,"
		   "\"example\":null}],"
		   "\"truncated\":false,\"agreed\":0,\"would_deny\":3,\"would_allow\":0}}");
	api_exchange_end(&exchange);
}

/* Our own peer process: what it may not send ends the connection to it, and is no answer. */
TEST(sums_that_are_malformed_are_no_answer)
{
	struct sums sums = {.page = {.n_rows = 2}, .rows = {{.outcome = 1, .policy = "web"}}};

	for (int i = 0; i < 8; i++) {
		struct sums wrong = sums;
		size_t size = sizeof(wrong.page) + sizeof(wrong.staged) + sizeof(wrong.rows[0]);

		switch (i) {
		case 0:
			wrong.rows[0].outcome = WIRE_SHADOW_WOULD_ALLOW + 1;
			break;
		case 1:
			memset(wrong.rows[0].policy, 'p', sizeof(wrong.rows[0].policy));
			break;
		case 2:
			memset(wrong.rows[0].example, 'e', sizeof(wrong.rows[0].example));
			break;
		case 3:
			wrong.page.n_rows = 3;
			break;
		case 4:
			size += sizeof(wrong.rows[1]);
			break;
		case 5:
			wrong.rows[0].is_staged = 2;
			break;
		case 6:
			memset(wrong.staged.hash, 'h', sizeof(wrong.staged.hash));
			break;
		case 7:
			wrong.page.n_rows = 0;
			size = sizeof(wrong.page);
			break;
		}
		api_exchange_begin(&exchange);
		asks(&wrong, size);
		CHECK(api_is_closed(exchange.client));
		close(exchange.client);
		CHECK(api_stop(&exchange.api) != 0);
	}
}

TEST(patch_names_a_candidate_or_none)
{
	static const struct {
		const char *body, *policy, *shadow;
	} rows[] = {
		{"{\"shadow\":\"narrow\"}", "", "narrow"},
		{"{\"shadow\":null}", "", ""},
		{"{\"policy\":\"web\"}", "web", ""},
	};
	const struct wire_sandbox_patch *patch;

	api_exchange_begin(&exchange);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		api_request(exchange.client, "PATCH", SANDBOX, "", rows[i].body);
		patch = api_expect(
			&exchange.api, &exchange.question, WIRE_API_SANDBOX_PATCH, sizeof(*patch));
		CHECK_INT(patch->sandbox, 0xab);
		CHECK_TEXT(patch->policy, rows[i].policy);
		CHECK_TEXT(patch->shadow, rows[i].shadow);
		api_answer_error(&exchange.api, &exchange.question, WIRE_CODE_CONFLICT, "not now");
		reads(409, "not now");
	}
	api_exchange_end(&exchange);
}

TEST(patch_that_changes_nothing_or_both_is_refused)
{
	static const char *const rows[][2] = {
		{"{}", "/policy: name the policy"},
		{"{\"shadow\":\"\"}", "/shadow: must be a policy's name or null"},
		{"{\"shadow\":\"narrow\",\"policy\":\"web\"}", "not be changed together"},
		{"{\"shadow\":null,\"policy\":\"web\"}", "not be changed together"},
		{"{\"shadow\":3}", "/shadow"},
		{"{\"shadow\":[]}", "/shadow"},
		{"{\"shadows\":\"narrow\"}", "/shadows"},
	};

	api_exchange_begin(&exchange);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		api_request(exchange.client, "PATCH", SANDBOX, "", rows[i][0]);
		reads(400, rows[i][1]);
		CHECK(api_is_quiet(&exchange.api));
	}
	api_exchange_end(&exchange);
}
