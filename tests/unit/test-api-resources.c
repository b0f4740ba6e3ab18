/* usage, templates, policies, tenants, keys: what is asked of cloched and what its rows become. */
#include "supervisor/wire/tenants.h"
#include "tests/harness/api.h"
#include "tests/harness/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct api_exchange exchange;

static const void *asks(
	const char *method, const char *path, const char *body, uint16_t type, size_t size)
{
	api_request(exchange.client, method, path, "", body);
	return api_expect(&exchange.api, &exchange.question, type, size);
}

static void answers(uint16_t type, const void *body, size_t size)
{
	api_answer(&exchange.api, &exchange.question, type, body, size, NULL, 0, NULL, 0);
}

/* A page of `n` equal rows; `next_cursor` 0: the last one. */
static void answers_page(
	uint16_t type, const void *row, size_t size, uint32_t n, uint64_t next_cursor)
{
	struct wire_page page = {.n_rows = n, .next_cursor = next_cursor};
	char *rows = malloc(size * n + 1);

	for (uint32_t i = 0; i < n; i++)
		memcpy(rows + i * size, row, size);
	api_answer(&exchange.api, &exchange.question, type, &page, sizeof(page), rows, size * n,
		NULL, 0);
	free(rows);
}

static void answers_rows(uint16_t type, const void *row, size_t size, uint32_t n)
{
	answers_page(type, row, size, n, 0);
}

static void reads(unsigned status, const char *body)
{
	struct response response;

	api_read(exchange.client, &response);
	if (response.status != status)
		CHECK_FAIL("%u %s", response.status, response.body);
	CHECK_TEXT(response.body, body);
	api_response_fini(&response);
}

static void is_answered(void)
{
	struct response response;

	api_read(exchange.client, &response);
	api_response_fini(&response);
}

static const struct wire_usage_row usage = {.sandbox = 0xab,
	.tenant = "acme",
	.ended = 1,
	.usage = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
		.memory_mib_ms = 1024000 * 3 + 1024, .block_read_bytes = 16,
		.block_written_bytes = 17, .dns_queries = 18, .forks = 19, .syscalls = 20,
		.syscalls_refused = 21}};

#define OF_LABEL "\"tenant\":\"acme\"," NUMBERS
#define USAGE "\"tenant\":\"acme\",\"ended\":true," NUMBERS
#define NUMBERS                                                                                    \
	"\"usage\":{\"cpu_ns\":1,\"cpu_user_ns\":2,"                                               \
	"\"cpu_system_ns\":3,\"memory_bytes\":4,\"memory_peak_bytes\":5,\"bytes_sent\":6,"         \
	"\"bytes_received\":7,\"packets_sent\":8,\"packets_received\":9,"                          \
	"\"connections_allowed\":10,\"connections_denied\":11,\"execs\":12,\"oom_kills\":13,"      \
	"\"wall_ns\":14,\"sandboxes\":15,\"memory_gib_seconds\":3.001000,"                         \
	"\"block_read_bytes\":16,\"block_written_bytes\":17,\"dns_queries\":18,\"forks\":19,"      \
	"\"syscalls\":20,\"syscalls_refused\":21}"

TEST(shows_usage_of_a_sandbox)
{
	const struct wire_usage_query *query;

	api_exchange_begin(&exchange);
	query = asks("GET", "/v1/sandboxes/sb-00000000000000ab/usage", NULL, WIRE_API_USAGE,
		sizeof(*query));
	CHECK_INT(query->scope, WIRE_USAGE_SANDBOX);
	CHECK_INT(query->sandbox, 0xab);
	answers_rows(WIRE_API_USAGES, &usage, sizeof(usage), 1);
	reads(200, "{\"sandbox\":\"sb-00000000000000ab\"," USAGE ",\"budgets\":null}");
	api_exchange_end(&exchange);
}

TEST(shows_budgets_of_a_sandbox)
{
	struct wire_usage_row row = usage;

	row.usage.budgets[0] = (struct wire_budget){1000, 1000};
	row.usage.budgets[3] = (struct wire_budget){5, 0};
	api_exchange_begin(&exchange);
	asks("GET", "/v1/sandboxes/sb-00000000000000ab/usage", NULL, WIRE_API_USAGE,
		sizeof(struct wire_usage_query));
	answers_rows(WIRE_API_USAGES, &row, sizeof(row), 1);
	reads(200, "{\"sandbox\":\"sb-00000000000000ab\"," USAGE
		   ",\"budgets\":{\"bytes_out\":{\"limit\":1000,\"used\":1000},"
		   "\"dns_queries\":{\"limit\":5,\"used\":0}}}");
	row.usage.budget_window_seconds = 60;
	asks("GET", "/v1/sandboxes/sb-00000000000000ab/usage", NULL, WIRE_API_USAGE,
		sizeof(struct wire_usage_query));
	answers_rows(WIRE_API_USAGES, &row, sizeof(row), 1);
	reads(200, "{\"sandbox\":\"sb-00000000000000ab\"," USAGE
		   ",\"budgets\":{\"bytes_out\":{\"limit\":1000,\"used\":1000},"
		   "\"dns_queries\":{\"limit\":5,\"used\":0},\"per_seconds\":60}}");
	api_exchange_end(&exchange);
}

TEST(shows_usage_of_tenants)
{
	struct wire_usage_row row = usage;
	const struct wire_usage_query *query;

	row.sandbox = 0;
	api_exchange_begin(&exchange);
	query = asks("GET", "/v1/usage", NULL, WIRE_API_USAGE, sizeof(*query));
	CHECK_INT(query->scope, WIRE_USAGE_TENANT);
	CHECK_TEXT(query->name, "");
	answers_rows(WIRE_API_USAGES, &row, sizeof(row), 1);
	reads(200, "{" USAGE ",\"budgets\":null}");
	query = asks("GET", "/v1/usage?tenant=acme", NULL, WIRE_API_USAGE, sizeof(*query));
	CHECK_INT(query->scope, WIRE_USAGE_TENANT);
	CHECK_TEXT(query->name, "acme");
	answers_rows(WIRE_API_USAGES, &row, sizeof(row), 1);
	reads(200, "{" USAGE ",\"budgets\":null}");
	query = asks("GET", "/v1/usage?group_by=tenant", NULL, WIRE_API_USAGE, sizeof(*query));
	CHECK_INT(query->scope, WIRE_USAGE_TENANTS);
	answers_rows(WIRE_API_USAGES, &row, sizeof(row), 2);
	reads(200, "{\"tenants\":[{" USAGE ",\"budgets\":null},{" USAGE ",\"budgets\":null}]}");
	query = asks("GET", "/v1/usage?group_by=label:job", NULL, WIRE_API_USAGE, sizeof(*query));
	CHECK_INT(query->scope, WIRE_USAGE_LABELS);
	CHECK_TEXT(query->label, "job");
	strcpy(row.label, "17");
	answers_page(WIRE_API_USAGES, &row, sizeof(row), 1, 100);
	query = (const struct wire_usage_query *)api_expect(
		&exchange.api, &exchange.question, WIRE_API_USAGE, sizeof(*query));
	CHECK_INT(query->cursor, 100);
	row.is_rest = 1;
	answers_rows(WIRE_API_USAGES, &row, sizeof(row), 1);
	reads(200, "{\"labels\":[{\"value\":\"17\"," OF_LABEL "},{\"value\":null," OF_LABEL "}]}");
	row = usage;
	query = asks("GET", "/v1/usage?group_by=sandbox&tenant=acme", NULL, WIRE_API_USAGE,
		sizeof(*query));
	CHECK_INT(query->scope, WIRE_USAGE_SANDBOXES);
	CHECK_TEXT(query->name, "acme");
	answers_rows(WIRE_API_USAGES, &row, sizeof(row), 1);
	reads(200, "{\"sandboxes\":[{\"sandbox\":\"sb-00000000000000ab\"," USAGE
		   ",\"budgets\":null}]}");
	api_exchange_end(&exchange);
}

TEST(lists_templates)
{
	struct wire_template_row row = {.name = "node",
		.reason = "no /usr/bin/node here",
		.runtime = "/usr/bin/node",
		.n_target = 2};

	api_exchange_begin(&exchange);
	asks("GET", "/v1/templates", NULL, WIRE_API_TEMPLATE_LIST, sizeof(struct wire_caller));
	answers_rows(WIRE_API_TEMPLATES, &row, sizeof(row), 1);
	reads(200, "{\"templates\":[{\"name\":\"node\",\"available\":false,"
		   "\"reason\":\"no /usr/bin/node here\",\"runtime\":\"/usr/bin/node\",\"warm\":0,"
		   "\"target\":2,\"shadow\":null}]}");
	api_exchange_end(&exchange);
}

#define STATE "\"shadow\":{\"name\":\"narrow\",\"asked\":3,\"not_asked\":1}"

TEST(names_candidates_of_templates_and_tenants)
{
	const struct wire_shadow_state state = {"narrow", 3, 1};
	struct wire_template_row template = {.name = "node", .available = 1, .shadow = state};
	struct wire_tenant_row tenant = {
		.name = "acme", .policy = "web", .created_ns = 1000000000, .shadow = state};
	const struct wire_template_patch *of_template;
	const struct wire_tenant_patch *of_tenant;

	api_exchange_begin(&exchange);
	of_template = asks("PATCH", "/v1/templates/node", "{\"shadow\":\"narrow\"}",
		WIRE_API_TEMPLATE_PATCH, sizeof(*of_template));
	CHECK_TEXT(of_template->name, "node");
	CHECK_TEXT(of_template->shadow.policy, "narrow");
	CHECK_INT(of_template->shadow.is_given, 1);
	answers_rows(WIRE_API_TEMPLATES, &template, sizeof(template), 1);
	reads(200, "{\"name\":\"node\",\"available\":true,\"reason\":null,\"runtime\":\"\","
		   "\"warm\":0,\"target\":0," STATE "}");
	of_template = asks("PATCH", "/v1/templates/node", "{\"shadow\":null}",
		WIRE_API_TEMPLATE_PATCH, sizeof(*of_template));
	CHECK_TEXT(of_template->shadow.policy, "");
	CHECK_INT(of_template->shadow.is_given, 1);
	answers_rows(WIRE_API_TEMPLATES, &template, sizeof(template), 1);
	is_answered();
	of_tenant = asks("PATCH", "/v1/tenants/acme", "{\"shadow\":\"narrow\"}",
		WIRE_API_TENANT_PATCH, sizeof(*of_tenant));
	CHECK_TEXT(of_tenant->name, "acme");
	CHECK_TEXT(of_tenant->shadow.policy, "narrow");
	CHECK_INT(of_tenant->shadow.is_given, 1);
	CHECK_INT(of_tenant->budgets.is_given, 0);
	answers_rows(WIRE_API_TENANTS, &tenant, sizeof(tenant), 1);
	reads(200, "{\"name\":\"acme\",\"policy\":\"web\",\"sandboxes\":0,\"sandboxes_max\":null,"
		   "\"budgets\":null," STATE ",\"created_at\":\"1970-01-01T00:00:01.000Z\"}");
	api_exchange_end(&exchange);
}

TEST(refuses_what_is_no_candidate)
{
	static const struct {
		const char *path, *body, *detail;
	} rows[] = {
		{"templates/node", "{}", "/shadow: is missing; it is all that can be changed"},
		{"templates/node", "{\"shadow\":\"\"}", "/shadow: must be a policy's name or null"},
		{"templates/node", "{\"shadow\":\"-\"}",
			"/shadow: must be a policy's name or null"},
		{"templates/node", "{\"shadow\":false}",
			"/shadow: must be a string, not true or false"},
		{"tenants/acme", "{\"shadow\":7}", "/shadow: must be a string, not a whole number"},
		{"tenants/acme", "{\"shadow\":\"narrow\",\"budgets\":null}",
			"/budgets: or else \\\"shadow\\\": give the one to change"},
	};

	api_exchange_begin(&exchange);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char problem[400], path[64];

		snprintf(path, sizeof(path), "/v1/%s", rows[i].path);
		snprintf(problem, sizeof(problem),
			"{\"type\":\"urn:cloche:error:invalid\",\"title\":\"Invalid request\","
			"\"status\":400,\"detail\":\"%s\"}",
			rows[i].detail);
		api_request(exchange.client, "PATCH", path, "", rows[i].body);
		reads(400, problem);
	}
	api_exchange_end(&exchange);
}

static const struct wire_policy_row policy = {
	.name = "web", .hash = "abc", .n_rules = 2, .n_sandboxes = 3, .description = "the web"};

#define POLICIES                                                                                   \
	"{\"policies\":[{\"name\":\"web\",\"hash\":\"abc\",\"description\":\"the web\","           \
	"\"mode\":\"enforce\",\"rules\":2,\"sandboxes\":3}]}"

TEST(lists_and_reloads_policies)
{
	api_exchange_begin(&exchange);
	asks("GET", "/v1/policies", NULL, WIRE_API_POLICY_LIST, sizeof(struct wire_caller));
	answers_rows(WIRE_API_POLICIES, &policy, sizeof(policy), 1);
	reads(200, POLICIES);
	asks("POST", "/v1/policies/reload", "{}", WIRE_API_POLICY_RELOAD,
		sizeof(struct wire_caller));
	answers_rows(WIRE_API_POLICIES, &policy, sizeof(policy), 1);
	reads(200, POLICIES);
	asks("POST", "/v1/policies/reload", "", WIRE_API_POLICY_RELOAD, sizeof(struct wire_caller));
	api_answer_error(
		&exchange.api, &exchange.question, WIRE_CODE_INVALID, "a.json:3: /network: wrong");
	reads(400, "{\"type\":\"urn:cloche:error:invalid\",\"title\":\"Invalid request\","
		   "\"status\":400,\"detail\":\"a.json:3: /network: wrong\"}");
	api_exchange_end(&exchange);
}

TEST(shows_a_policy_with_its_hash_as_tag)
{
	static const char json[] = "{\"version\":1}";
	const struct wire_name_ref *ref;
	struct response response;

	api_exchange_begin(&exchange);
	ref = asks("GET", "/v1/policies/web", NULL, WIRE_API_POLICY_GET, sizeof(*ref));
	CHECK_TEXT(ref->name, "web");
	api_answer(&exchange.api, &exchange.question, WIRE_API_POLICY, &policy, sizeof(policy),
		json, strlen(json), NULL, 0);
	api_read(exchange.client, &response);
	CHECK_INT(response.status, 200);
	CHECK(strstr(response.head, "ETag: \"abc\"\n"));
	CHECK_TEXT(response.body, json);
	api_response_fini(&response);
	api_request(exchange.client, "GET", "/v1/policies/web", "If-None-Match: \"abc\"\r\n", NULL);
	api_expect(&exchange.api, &exchange.question, WIRE_API_POLICY_GET, sizeof(*ref));
	api_answer(&exchange.api, &exchange.question, WIRE_API_POLICY, &policy, sizeof(policy),
		json, strlen(json), NULL, 0);
	api_read(exchange.client, &response);
	CHECK_INT(response.status, 304);
	CHECK_INT(response.body_size, 0);
	api_response_fini(&response);
	api_exchange_end(&exchange);
}

#define TENANT                                                                                     \
	"{\"name\":\"acme\",\"policy\":\"web\",\"sandboxes\":1,\"sandboxes_max\":5,"               \
	"\"budgets\":null,\"shadow\":null,\"created_at\":\"1970-01-01T00:00:01.000Z\"}"

TEST(creates_lists_and_deletes_tenants)
{
	struct wire_tenant_row row = {.tenant = 2,
		.n_sandboxes = 1,
		.n_sandboxes_max = 5,
		.name = "acme",
		.policy = "web",
		.created_ns = 1000000000};
	const struct wire_tenant_create *create;
	const struct wire_name_ref *ref;

	api_exchange_begin(&exchange);
	create = asks("POST", "/v1/tenants",
		"{\"name\":\"acme\",\"policy\":\"web\",\"sandboxes_max\":5}",
		WIRE_API_TENANT_CREATE, sizeof(*create));
	CHECK_TEXT(create->name, "acme");
	CHECK_TEXT(create->policy, "web");
	CHECK_INT(create->n_sandboxes_max, 5);
	answers_rows(WIRE_API_TENANTS, &row, sizeof(row), 1);
	reads(201, TENANT);
	asks("GET", "/v1/tenants", NULL, WIRE_API_TENANT_LIST, sizeof(struct wire_caller));
	answers_rows(WIRE_API_TENANTS, &row, sizeof(row), 1);
	reads(200, "{\"tenants\":[" TENANT "]}");
	ref = asks("DELETE", "/v1/tenants/acme", NULL, WIRE_API_TENANT_DELETE, sizeof(*ref));
	CHECK_TEXT(ref->name, "acme");
	answers(WIRE_API_DONE, NULL, 0);
	reads(204, "");
	api_request(exchange.client, "POST", "/v1/tenants", "", "{\"policy\":\"web\"}");
	reads(400, "{\"type\":\"urn:cloche:error:invalid\",\"title\":\"Invalid request\","
		   "\"status\":400,\"detail\":\"/name: is missing; give the tenant a name\"}");
	api_exchange_end(&exchange);
}

TEST(sets_budgets_of_tenants)
{
	struct wire_tenant_row row = {.name = "acme",
		.policy = "web",
		.created_ns = 1000000000,
		.budgets = {{.limit = 4096, .used = 5}, [3] = {.limit = 7}},
		.budget_window_seconds = 60};
	const struct wire_tenant_create *create;
	const struct wire_tenant_patch *patch;

	api_exchange_begin(&exchange);
	patch = asks("PATCH", "/v1/tenants/acme",
		"{\"budgets\":{\"bytes_out\":\"4KiB\",\"bytes_in\":1024,\"connections\":1,"
		"\"dns_queries\":4294967295,\"per\":\"2h\"}}",
		WIRE_API_TENANT_PATCH, sizeof(*patch));
	CHECK_TEXT(patch->name, "acme");
	CHECK_INT(patch->budgets.is_given, 1);
	CHECK_INT(patch->budgets.limits[0], 4096);
	CHECK_INT(patch->budgets.limits[1], 1024);
	CHECK_INT(patch->budgets.limits[2], 1);
	CHECK_INT(patch->budgets.limits[3], 4294967295);
	CHECK_INT(patch->budgets.per_seconds, 7200);
	answers_rows(WIRE_API_TENANTS, &row, sizeof(row), 1);
	reads(200, "{\"name\":\"acme\",\"policy\":\"web\",\"sandboxes\":0,\"sandboxes_max\":null,"
		   "\"budgets\":{\"bytes_out\":{\"limit\":4096,\"used\":5},"
		   "\"dns_queries\":{\"limit\":7,\"used\":0},\"per_seconds\":60},"
		   "\"shadow\":null,\"created_at\":\"1970-01-01T00:00:01.000Z\"}");
	patch = asks("PATCH", "/v1/tenants/acme", "{\"budgets\":null}", WIRE_API_TENANT_PATCH,
		sizeof(*patch));
	CHECK_INT(patch->budgets.is_given, 1);
	CHECK_INT(patch->budgets.limits[0] | patch->budgets.limits[2], 0);
	answers_rows(WIRE_API_TENANTS, &row, sizeof(row), 1);
	is_answered();
	create = asks("POST", "/v1/tenants", "{\"name\":\"acme\"}", WIRE_API_TENANT_CREATE,
		sizeof(*create));
	CHECK_INT(create->budgets.is_given, 0);
	answers_rows(WIRE_API_TENANTS, &row, sizeof(row), 1);
	is_answered();
	api_exchange_end(&exchange);
}

TEST(refuses_budgets_that_make_no_sense)
{
	static const struct {
		const char *body, *detail;
	} rows[] = {
		{"{}", "/budgets: or else \\\"shadow\\\": give the one to change"},
		{"{\"budgets\":{\"bytes_out\":1023}}", "/budgets/bytes_out: must be 1KiB or more"},
		{"{\"budgets\":{\"per\":\"1h\"}}",
			"/budgets/per: says for how long a budget is, and there is none"},
		{"{\"budgets\":{\"connections\":1,\"per\":\"1 h\"}}",
			"/budgets/per: must be a time such as \\\"90s\\\", \\\"15m\\\", "
			"\\\"1h\\\" or \\\"7d\\\", a year at most"},
	};

	api_exchange_begin(&exchange);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char problem[400];

		snprintf(problem, sizeof(problem),
			"{\"type\":\"urn:cloche:error:invalid\",\"title\":\"Invalid request\","
			"\"status\":400,\"detail\":\"%s\"}",
			rows[i].detail);
		api_request(exchange.client, "PATCH", "/v1/tenants/acme", "", rows[i].body);
		reads(400, problem);
	}
	api_exchange_end(&exchange);
}

TEST(creates_lists_and_revokes_keys)
{
	struct wire_key key = {.row = {.id = "ck_1",
				       .tenant = "acme",
				       .description = "ci",
				       .administrator = 0,
				       .created_ns = 1000000000},
		.secret = "clo_1_2"};
	const struct wire_key_create *create;
	const struct wire_name_ref *ref;

	api_exchange_begin(&exchange);
	create = asks("POST", "/v1/keys",
		"{\"tenant\":\"acme\",\"description\":\"ci\",\"administrator\":true}",
		WIRE_API_KEY_CREATE, sizeof(*create));
	CHECK_TEXT(create->tenant, "acme");
	CHECK_TEXT(create->description, "ci");
	CHECK_INT(create->administrator, 1);
	answers(WIRE_API_KEY, &key, sizeof(key));
	reads(201,
		"{\"id\":\"ck_1\",\"tenant\":\"acme\",\"key\":\"clo_1_2\",\"description\":\"ci\","
		"\"administrator\":false,\"created_at\":\"1970-01-01T00:00:01.000Z\"}");
	ref = asks("GET", "/v1/keys?tenant=acme", NULL, WIRE_API_KEY_LIST, sizeof(*ref));
	CHECK_TEXT(ref->name, "acme");
	answers_rows(WIRE_API_KEYS, &key.row, sizeof(key.row), 1);
	reads(200, "{\"keys\":[{\"id\":\"ck_1\",\"tenant\":\"acme\",\"description\":\"ci\","
		   "\"administrator\":false,\"created_at\":\"1970-01-01T00:00:01.000Z\"}]}");
	ref = asks("DELETE", "/v1/keys/ck_1", NULL, WIRE_API_KEY_REVOKE, sizeof(*ref));
	CHECK_TEXT(ref->name, "ck_1");
	answers(WIRE_API_DONE, NULL, 0);
	reads(204, "");
	api_exchange_end(&exchange);
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		CHECK_FAIL("\"%s\" is not in:\n%s", part, text);
}

TEST(shows_an_administrator_all_metrics)
{
	struct wire_usage_row row = usage;
	struct wire_status status = {.ready = 1,
		.n_sandboxes = 4,
		.warm_starts = 9,
		.cold_starts = 1,
		.started_ns = 1500000000};
	const struct wire_metric_row metrics[] = {
		{.metric = WIRE_METRIC_HOST_CPU_BUSY_NS, .value = 2500000000},
		{.metric = WIRE_METRIC_CREATE_BUCKET, .label = "0.1", .value = 3},
		{.metric = WIRE_METRIC_CREATE_BUCKET, .label = "+Inf", .value = 4},
		{.metric = WIRE_METRIC_CREATE_SUM_NS, .value = 1000000000},
		{.metric = WIRE_METRIC_CREATE_COUNT, .value = 4}};
	const struct wire_page page = {.n_rows = ARRAY_SIZE(metrics)};
	struct response response;

	row.sandbox = 0;
	row.usage.cpu_ns = 12345678901;
	strcpy(row.tenant, "a\"\\\nb");
	api_exchange_begin(&exchange);
	asks("GET", "/metrics", NULL, WIRE_API_TENANT_LIST, sizeof(struct wire_caller));
	answers_rows(WIRE_API_TENANTS, &row, sizeof(struct wire_tenant_row), 1);
	CHECK_INT(((const struct wire_usage_query *)api_expect(&exchange.api, &exchange.question,
			   WIRE_API_USAGE, sizeof(struct wire_usage_query)))
			  ->scope,
		WIRE_USAGE_TENANTS);
	answers_rows(WIRE_API_USAGES, &row, sizeof(row), 1);
	api_expect(&exchange.api, &exchange.question, WIRE_API_STATUS, sizeof(struct wire_caller));
	answers(WIRE_API_STATUS_REPLY, &status, sizeof(status));
	api_expect(&exchange.api, &exchange.question, WIRE_API_METRICS, sizeof(struct wire_caller));
	api_answer(&exchange.api, &exchange.question, WIRE_API_METRICS_REPLY, &page, sizeof(page),
		metrics, sizeof(metrics), NULL, 0);
	api_read(exchange.client, &response);
	CHECK_INT(response.status, 200);
	has(response.body, "# TYPE cloche_host_cpu_busy_seconds_total counter\n"
			   "cloche_host_cpu_busy_seconds_total 2.500000000\n");
	has(response.body, "# TYPE cloche_sandbox_create_seconds histogram\n"
			   "cloche_sandbox_create_seconds_bucket{le=\"0.1\"} 3\n"
			   "cloche_sandbox_create_seconds_bucket{le=\"+Inf\"} 4\n"
			   "cloche_sandbox_create_seconds_sum 1.000000000\n"
			   "cloche_sandbox_create_seconds_count 4\n");
	has(response.body, "cloche_tenant_memory_byte_seconds_total{tenant=\"a\\\"\\\\\\nb\"} "
			   "3222299213.824\n");
	has(response.head, "Content-Type: text/plain; version=0.0.4; charset=utf-8\n");
	has(response.body,
		"# HELP cloche_ready 1 if sandboxes can be had.\n# TYPE cloche_ready gauge\n"
		"cloche_ready 1\n");
	has(response.body, "cloche_start_time_seconds 1.500000000\n");
	has(response.body, "cloche_sandbox_starts_total{kind=\"warm\"} 9\n"
			   "cloche_sandbox_starts_total{kind=\"cold\"} 1\n");
	has(response.body,
		"# TYPE cloche_tenant_cpu_seconds_total counter\n"
		"cloche_tenant_cpu_seconds_total{tenant=\"a\\\"\\\\\\nb\"} 12.345678901\n");
	has(response.body, "cloche_tenant_memory_bytes{tenant=\"a\\\"\\\\\\nb\"} 4\n");
	CHECK(response.body[response.body_size - 1] == '\n');
	api_response_fini(&response);
	api_exchange_end(&exchange);
}

TEST(shows_a_tenant_its_own_metrics_only)
{
	struct response response;

	api_exchange_begin(&exchange);
	asks("GET", "/metrics", NULL, WIRE_API_TENANT_LIST, sizeof(struct wire_caller));
	api_answer_error(
		&exchange.api, &exchange.question, WIRE_CODE_FORBIDDEN, "administrators only");
	CHECK_INT(((const struct wire_usage_query *)api_expect(&exchange.api, &exchange.question,
			   WIRE_API_USAGE, sizeof(struct wire_usage_query)))
			  ->scope,
		WIRE_USAGE_TENANT);
	answers_rows(WIRE_API_USAGES, &usage, sizeof(usage), 1);
	api_read(exchange.client, &response);
	CHECK_INT(response.status, 200);
	has(response.body, "cloche_tenant_execs_total{tenant=\"acme\"} 12\n");
	CHECK(!strstr(response.body, "cloche_ready"));
	CHECK(!strstr(response.body, "cloche_sandboxes_warm"));
	api_response_fini(&response);
	asks("GET", "/metrics", NULL, WIRE_API_TENANT_LIST, sizeof(struct wire_caller));
	api_answer_error(
		&exchange.api, &exchange.question, WIRE_CODE_UNAUTHENTICATED, "unknown key");
	api_read(exchange.client, &response);
	CHECK_INT(response.status, 401);
	api_response_fini(&response);
	api_exchange_end(&exchange);
}

struct list {
	const char *path;
	uint16_t question, answer;
	size_t row_size;
};

TEST(ends_on_lists_that_do_not_fit_their_count)
{
	static const struct list rows[] = {
		{"/v1/usage", WIRE_API_USAGE, WIRE_API_USAGES, sizeof(struct wire_usage_row)},
		{"/v1/templates", WIRE_API_TEMPLATE_LIST, WIRE_API_TEMPLATES,
			sizeof(struct wire_template_row)},
		{"/v1/policies", WIRE_API_POLICY_LIST, WIRE_API_POLICIES,
			sizeof(struct wire_policy_row)},
		{"/v1/tenants", WIRE_API_TENANT_LIST, WIRE_API_TENANTS,
			sizeof(struct wire_tenant_row)},
		{"/v1/keys", WIRE_API_KEY_LIST, WIRE_API_KEYS, sizeof(struct wire_key_row)},
		{"/v1/sandboxes", WIRE_API_SANDBOX_LIST, WIRE_API_SANDBOXES,
			sizeof(struct wire_sandbox)},
	};
	static const char zeroes[2048];
	static const int differences[] = {-1, 1};

	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		const struct list *list = &rows[i / 2];
		struct wire_page page = {.n_rows = 1};

		api_exchange_begin(&exchange);
		asks("GET", list->path, NULL, list->question, sizeof(struct wire_caller));
		api_answer(&exchange.api, &exchange.question, list->answer, &page, sizeof(page),
			zeroes, list->row_size + (size_t)differences[i % 2], NULL, 0);
		CHECK(api_is_closed(exchange.client));
		close(exchange.client);
		CHECK_INT(api_stop(&exchange.api), 1);
	}
}
