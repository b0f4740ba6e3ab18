#include "tests/harness/check.h"

#include <errno.h>

#include "tests/unit/policy/naive-names.h"

static struct policy *parse(const char *name, const char *rules)
{
	struct policy *policy = NULL;
	struct failure why = {0};
	char text[4096];

	snprintf(text, sizeof(text), "{\"version\":1,\"name\":\"%s\",\"network\":{\"allow\":[%s]}}",
		name, rules);
	if (policy_parse(text, strlen(text), name, NULL, &policy, &why) < 0)
		CHECK_FAIL("%s (%s)", why.sentence, why.location);
	return policy;
}

/* The rules of a meet as its canonical form shows them. */
static void check_rules(const char *bound_rules, const char *request_rules, const char *expected)
{
	struct policy *bound = parse("bound", bound_rules);
	struct policy *request = parse("request", request_rules), *policy = NULL;
	char *start, *end;

	CHECK_INT(policy_meet(bound, request, &policy, NULL), 0);
	start = strstr(policy->canonical, "\"allow\":[");
	CHECK(start != NULL);
	start += strlen("\"allow\":[");
	end = strstr(start, "]},\"resources\"");
	CHECK(end != NULL);
	*end = '\0';
	CHECK_TEXT(start, expected);
	policy_unref(policy);
	policy_unref(request);
	policy_unref(bound);
}

/* In both directions: what is allowed may not depend on who asks. */
static void check_both(const char *one, const char *other, const char *expected)
{
	check_rules(one, other, expected);
	check_rules(other, one, expected);
}

#define NAME(name) "{\"name\":\"" name "\"}"
#define WITH(name, rest) "{\"name\":\"" name "\"," rest "}"
#define MET(name) "{\"name\":\"" name "\",\"ports\":[80,443],\"private\":false," TAIL
#define TAIL "\"protocol\":\"tcp\",\"rule\":0}"
#define TAIL_TLS(tls) "\"protocol\":\"tcp\",\"rule\":0,\"tls\":\"" tls "\"}"

TEST(meet_of_exact_names_is_the_name_if_both_have_it)
{
	check_both(NAME("pypi.org"), NAME("PyPI.org."), MET("pypi.org"));
	check_both(NAME("pypi.org"), NAME("npmjs.org"), "");
	check_both(NAME("pypi.org"), NAME("a.pypi.org"), "");
}

TEST(meet_of_a_wildcard_and_an_exact_name_is_the_exact_name)
{
	check_both(NAME("*.example.org"), NAME("a.example.org"), MET("a.example.org"));
	check_both(NAME("*.example.org"), NAME("b.a.example.org"), MET("b.a.example.org"));
	check_both(NAME("*.example.org"), NAME("example.org"), "");
	check_both(NAME("*.example.org"), NAME("badexample.org"), "");
}

TEST(meet_of_wildcards_is_the_longer)
{
	check_both(NAME("*.example.org"), NAME("*.example.org"), MET("*.example.org"));
	check_both(NAME("*.example.org"), NAME("*.b.a.example.org"), MET("*.b.a.example.org"));
	check_both(NAME("*.a.example.org"), NAME("*.b.example.org"), "");
	check_both(NAME("*.example.org"), NAME("*.badexample.org"), "");
}

TEST(meet_of_names_takes_the_ports_of_both)
{
	check_both(WITH("*.example.org", "\"ports\":[\"1-100\",443]"),
		WITH("a.example.org", "\"ports\":[22,\"90-443\"]"),
		"{\"name\":\"a.example.org\",\"ports\":[22,\"90-100\",443],\"private\":"
		"false," TAIL);
	check_both(WITH("a.example.org", "\"ports\":[22]"), NAME("a.example.org"), "");
}

TEST(meet_of_names_is_private_only_if_both_are)
{
	check_both(WITH("db.example.org", "\"private\":true"), NAME("db.example.org"),
		MET("db.example.org"));
	check_both(WITH("db.example.org", "\"private\":true"),
		WITH("*.example.org", "\"private\":true"),
		"{\"name\":\"db.example.org\",\"ports\":[80,443],\"private\":true," TAIL);
}

TEST(meet_of_names_has_the_stricter_check_of_tls)
{
	static const char start[] = "{\"name\":\"a.example.org\",\"ports\":[80,443],\"private\":"
				    "false,";
	static const char *const rows[][3] = {
		{"", "", TAIL},
		{"", ",\"tls\":\"require\"", TAIL_TLS("require")},
		{"", ",\"tls\":\"passthrough\"", TAIL},
		{",\"tls\":\"require\"", ",\"tls\":\"require\"", TAIL_TLS("require")},
		{",\"tls\":\"require\"", ",\"tls\":\"passthrough\"", TAIL_TLS("require")},
		{",\"tls\":\"passthrough\"", ",\"tls\":\"passthrough\"", TAIL_TLS("passthrough")},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char one[128], other[128], expected[192];

		snprintf(one, sizeof(one), "{\"name\":\"a.example.org\"%s}", rows[i][0]);
		snprintf(other, sizeof(other), "{\"name\":\"*.example.org\"%s}", rows[i][1]);
		snprintf(expected, sizeof(expected), "%s%s", start, rows[i][2]);
		check_both(one, other, expected);
	}
}

/* Else a name could be had at an address that the bound leaves shut, or an address without the
 * check of the name. */
TEST(meet_of_a_name_and_an_address_allows_nothing)
{
	check_both("{\"cidr\":\"0.0.0.0/0\"},{\"cidr\":\"::/0\"}", NAME("pypi.org"), "");
	check_both("{\"cidr\":\"::/0\"}", WITH("*.example.org", "\"ports\":[\"1-65535\"]"), "");
	check_both("{\"cidr\":\"203.0.113.0/24\"}," NAME("pypi.org"),
		"{\"cidr\":\"198.51.100.0/24\"}," NAME("npmjs.org"), "");
	check_rules("{\"cidr\":\"203.0.113.0/24\"}," NAME("pypi.org"),
		NAME("pypi.org") ",{\"cidr\":\"203.0.113.1\"}",
		"{\"cidr\":\"203.0.113.1/32\",\"protocol\":\"tcp\",\"rule\":1}," MET("pypi.org"));
}

TEST(meet_of_names_keeps_the_ids_of_the_request)
{
	check_rules(NAME("*.b.example.org") "," NAME("a.example.org"),
		NAME("npmjs.org") "," NAME("*.example.org"),
		"{\"name\":\"*.b.example.org\",\"ports\":[80,443],\"private\":false,"
		"\"protocol\":\"tcp\",\"rule\":1},"
		"{\"name\":\"a.example.org\",\"ports\":[80,443],\"private\":false,"
		"\"protocol\":\"tcp\",\"rule\":1}");
}

/* The bound's own order counts where one rule of the request meets several of its rules. */
TEST(meet_of_names_decides_as_the_rules_that_decide)
{
	struct policy *bound = parse("bound",
		WITH("git.example.org", "\"tls\":\"passthrough\"") "," NAME("*.example.org"));
	struct policy *request = parse("request", WITH("*.example.org", "\"tls\":\"passthrough\"")),
		      *policy = NULL;
	struct policy_name_range range;

	CHECK_INT(policy_meet(bound, request, &policy, NULL), 0);
	CHECK_INT(policy_name_ranges(policy, "git.example.org", &range, 1), 1);
	CHECK_INT(range.tls, POLICY_TLS_PASSTHROUGH);
	CHECK_INT(policy_name_ranges(policy, "a.example.org", &range, 1), 1);
	CHECK_INT(range.tls, POLICY_TLS_EITHER);
	policy_unref(policy);
	policy_unref(request);
	policy_unref(bound);
}

TEST(meet_with_more_ranges_than_a_ticket_holds_is_refused)
{
	struct policy *bound = parse(
		"bound", WITH("*.example.org",
				 "\"ports\":[\"1-8\",\"11-18\",\"21-28\",\"31-38\",\"41-48\"]"));
	struct policy *request = parse(
		"request", WITH("a.example.org",
				   "\"ports\":[\"6-13\",\"16-23\",\"26-33\",\"36-43\",\"46-53\"]"));
	struct policy *policy = NULL;
	struct failure why = {0};

	CHECK_INT(policy_meet(bound, request, &policy, &why), -E2BIG);
	CHECK(policy == NULL);
	CHECK_TEXT(why.sentence,
		"\"bound\" and \"request\" meet in more than 8 ranges of ports for a.example.org; "
		"make one of them simpler.");
	CHECK_INT(policy_meet(bound, request, &policy, NULL), -E2BIG);
	policy_unref(request);
	policy_unref(bound);
}

TEST(meet_of_too_many_overlapping_names_is_refused)
{
	static struct policy_rule rules[600];
	struct policy policy = {.name = "wide", .rules = rules, .n_rules = 600, .n_references = 1};
	struct policy *met = NULL;
	struct failure why = {0};

	for (unsigned int i = 0; i < 600; i++)
		rules[i] = (struct policy_rule){.kind = POLICY_RULE_NAME,
			.protocol = IPPROTO_TCP,
			.name = (char *)"example.org",
			.n_ports = 1,
			.id = (uint16_t)i,
			.ports = {{(uint16_t)(i + 1), (uint16_t)(i + 1)}}};
	CHECK_INT(policy_meet(&policy, &policy, &met, &why), -E2BIG);
	CHECK_TEXT(why.sentence,
		"Too many rules of \"wide\" and \"wide\" overlap; make one of them simpler.");
	policy.n_rules = 8;
	CHECK_INT(policy_meet(&policy, &policy, &met, &why), 0);
	CHECK_INT(met->n_rules, 8);
	policy_unref(met);
}

static enum policy_tls stricter(enum policy_tls a, enum policy_tls b)
{
	static const enum policy_tls order[] = {
		POLICY_TLS_REQUIRE, POLICY_TLS_EITHER, POLICY_TLS_PASSTHROUGH};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (a == order[i] || b == order[i])
			return order[i];
	return POLICY_TLS_REQUIRE;
}

static void compare(const struct policy *bound, const struct policy *request,
	const struct policy *policy, const char *name, uint16_t port, size_t *n_open)
{
	const struct policy_rule *by_bound = naive_decides(bound, name, port);
	const struct policy_rule *by_request = naive_decides(request, name, port);
	struct policy_name_range ranges[8], *range = NULL;
	size_t n = policy_name_ranges(policy, name, ranges, ARRAY_SIZE(ranges));

	for (size_t i = 0; i < n; i++)
		if (ranges[i].first <= port && port <= ranges[i].last)
			range = &ranges[i];
	if ((range != NULL) != (by_bound && by_request))
		CHECK_FAIL("%s port %u: %s", name, port, range ? "open" : "shut");
	if (!range)
		return;
	++*n_open;
	CHECK_INT(range->rule, by_request->id);
	CHECK_INT(range->tls, stricter(by_bound->tls, by_request->tls));
	CHECK_INT(range->is_private, by_bound->is_private && by_request->is_private);
}

/* Eight ports: no name can have more ranges than a ticket holds. */
TEST(meet_of_names_allows_what_both_allow_on_drawn_policies)
{
	struct policy_rule rules[2][10];
	uint64_t state = 20261121;
	size_t n_open = 0;

	for (int round = 0; round < 3000; round++) {
		struct policy bound = draw_names(&state, rules[0], 10, 8);
		struct policy request = draw_names(&state, rules[1], 10, 8), *policy = NULL;

		CHECK_INT(policy_meet(&bound, &request, &policy, NULL), 0);
		for (size_t i = 0; i < DRAWN_NAMES; i++)
			for (uint16_t port = 0; port < 10; port++)
				compare(&bound, &request, policy, drawn_names[i], port, &n_open);
		policy_unref(policy);
	}
	if (n_open < 15000)
		CHECK_FAIL("%zu open", n_open);
}

TEST(meet_of_records_is_what_both_have_of_one_name)
{
	check_both("{\"name\":\"example.org\",\"records\":[\"TXT\",\"MX\"]}",
		"{\"name\":\"example.org\",\"records\":[\"SRV\",\"TXT\"]}",
		"{\"name\":\"example.org\",\"records\":[\"TXT\"],\"rule\":0}");
	check_both("{\"name\":\"example.org\",\"records\":[\"MX\"]}",
		"{\"name\":\"example.org\",\"records\":[\"SRV\"]}", "");
	/* Neither a wildcard nor the name itself has them in it, nor the other way round. */
	check_both("{\"name\":\"a.example.org\",\"records\":[\"MX\"]}", NAME("*.example.org"), "");
	check_both("{\"name\":\"example.org\",\"records\":[\"MX\"]}", NAME("example.org"), "");
}

TEST(records_are_of_the_name_alone)
{
	struct policy *policy = parse("p",
		"{\"name\":\"example.org\",\"records\":[\"TXT\",\"MX\"]}," NAME("*.example.org"));
	struct policy_name_range range;

	CHECK_INT(policy_name_records(policy, "example.org"), POLICY_RECORD_TXT | POLICY_RECORD_MX);
	CHECK_INT(policy_name_records(policy, "a.example.org"), 0);
	CHECK_INT(policy_name_ranges(policy, "example.org", &range, 1), 0);
	CHECK_INT(policy_name_ranges(policy, "a.example.org", &range, 1), 1);
	policy_unref(policy);
}
