#include "tests/harness/check.h"

#include <errno.h>

#include "tests/unit/policy/naive.h"

static struct policy *parse(const char *name, const char *rest)
{
	struct policy *policy = NULL;
	struct failure why = {0};
	char text[4096];

	snprintf(text, sizeof(text), "{\"version\":1,\"name\":\"%s\",%s}", name, rest);
	if (policy_parse(text, strlen(text), name, NULL, &policy, &why) < 0)
		CHECK_FAIL("%s (%s)", why.sentence, why.location);
	return policy;
}

static struct policy *meet(const char *bound_rest, const char *request_rest)
{
	struct policy *bound = parse("bound", bound_rest);
	struct policy *request = parse("request", request_rest), *policy = NULL;

	CHECK_INT(policy_meet(bound, request, &policy, NULL), 0);
	policy_unref(bound);
	policy_unref(request);
	return policy;
}

#define ALLOW(rules) "\"network\":{\"allow\":[" rules "]}"
#define RULE(cidr) "{\"cidr\":\"" cidr "\"}"
#define RULE_PORTS(cidr, ports) "{\"cidr\":\"" cidr "\",\"ports\":[" ports "]}"

/* The rules of a meet as its canonical form shows them. */
static void check_rules(const char *bound, const char *request, const char *expected)
{
	struct policy *policy = meet(bound, request);
	char *start = strstr(policy->canonical, "\"allow\":["), *end;

	CHECK(start != NULL);
	start += strlen("\"allow\":[");
	end = strstr(start, "]},\"resources\"");
	CHECK(end != NULL);
	*end = '\0';
	CHECK_TEXT(start, expected);
	policy_unref(policy);
}

TEST(meet_without_a_bound_is_the_request_itself)
{
	struct policy *request = parse("request", ALLOW(RULE("10.0.0.0/8"))), *policy = NULL;

	CHECK_INT(policy_meet(NULL, request, &policy, NULL), 0);
	CHECK(policy == request);
	CHECK_INT(request->n_references, 2);
	policy_unref(policy);
	policy_unref(request);
}

TEST(meet_with_deny_all_allows_nothing)
{
	check_rules(ALLOW(""), ALLOW(RULE("203.0.113.0/24")), "");
	check_rules(ALLOW(RULE("203.0.113.0/24")), ALLOW(""), "");
}

TEST(meet_takes_the_longer_of_two_nested_prefixes)
{
	check_rules(ALLOW(RULE("203.0.0.0/16")), ALLOW(RULE("203.0.113.0/24")),
		"{\"cidr\":\"203.0.113.0/24\",\"protocol\":\"tcp\",\"rule\":0}");
	check_rules(ALLOW(RULE("203.0.113.0/24")),
		ALLOW(RULE("198.51.100.1") "," RULE("203.0.0.0/16")),
		"{\"cidr\":\"203.0.113.0/24\",\"protocol\":\"tcp\",\"rule\":1}");
	check_rules(ALLOW(RULE("203.0.113.0/25")), ALLOW(RULE("203.0.113.128/25")), "");
	check_rules(ALLOW(RULE("0.0.0.0/0")), ALLOW(RULE("2001:db8::/32")), "");
}

TEST(meet_takes_the_ports_of_both)
{
	check_rules(ALLOW(RULE_PORTS("203.0.113.0/24", "\"1-100\",443,\"8000-9000\"")),
		ALLOW(RULE_PORTS("203.0.113.0/24", "\"80-443\",\"8500-9500\"")),
		"{\"cidr\":\"203.0.113.0/24\",\"ports\":[\"80-100\",443,\"8500-9000\"],"
		"\"protocol\":\"tcp\",\"rule\":0}");
	check_rules(ALLOW(RULE("203.0.113.0/24")), ALLOW(RULE_PORTS("203.0.113.7", "22")),
		"{\"cidr\":\"203.0.113.7/32\",\"ports\":[22],\"protocol\":\"tcp\",\"rule\":0}");
	check_rules(ALLOW(RULE_PORTS("203.0.113.0/24", "443")),
		ALLOW(RULE_PORTS("203.0.113.7", "22")), "");
}

/* Else a bound of "the public internet" would let each tenant open the private one by asking. */
TEST(meet_does_not_open_a_special_range_that_the_bound_leaves_shut)
{
	check_rules(ALLOW(RULE("0.0.0.0/0")), ALLOW(RULE("10.0.0.0/8")), "");
	check_rules(ALLOW(RULE("0.0.0.0/0")), ALLOW(RULE("169.254.169.254")), "");
	check_rules(ALLOW(RULE("::/0")), ALLOW(RULE("fd00:ec2::254")), "");
	check_rules(ALLOW(RULE("::/0")), ALLOW(RULE("203.0.113.1")), "");
	check_rules(ALLOW(RULE("10.0.0.0/8")), ALLOW(RULE("0.0.0.0/0")), "");
	check_rules(ALLOW(RULE("10.0.0.0/8")), ALLOW(RULE("10.1.0.0/16")),
		"{\"cidr\":\"10.1.0.0/16\",\"protocol\":\"tcp\",\"rule\":0}");
	check_rules(ALLOW(RULE("0.0.0.0/0") "," RULE("10.1.0.0/16")), ALLOW(RULE("10.1.2.0/24")),
		"{\"cidr\":\"10.1.2.0/24\",\"protocol\":\"tcp\",\"rule\":0}");
}

TEST(meet_keeps_the_ids_of_the_request)
{
	check_rules(ALLOW(RULE("203.0.113.0/26") "," RULE("203.0.113.64/26")),
		ALLOW(RULE("198.51.100.1") "," RULE("203.0.113.0/24")),
		"{\"cidr\":\"203.0.113.0/26\",\"protocol\":\"tcp\",\"rule\":1},"
		"{\"cidr\":\"203.0.113.64/26\",\"protocol\":\"tcp\",\"rule\":1}");
}

static void check_inbound(const char *bound, const char *request, const char *expected)
{
	char left[256], right[256];
	struct policy *policy;

	snprintf(left, sizeof(left), "\"network\":{\"inbound\":{\"ports\":[%s]}}", bound);
	snprintf(right, sizeof(right), "\"network\":{\"inbound\":{\"ports\":[%s]}}", request);
	policy = meet(left, right);
	CHECK(!policy_has_network(policy));
	if (*expected)
		CHECK(strstr(policy->canonical, expected));
	else
		CHECK(!strstr(policy->canonical, "inbound"));
	policy_unref(policy);
}

TEST(meet_opens_the_inbound_ports_that_both_open)
{
	struct policy *policy;

	check_inbound("8000", "8000", "\"inbound\":{\"ports\":[8000]}");
	check_inbound("8000", "8001", "");
	check_inbound("\"1-65535\"", "3,\"5-7\"", "{\"ports\":[3,\"5-7\"]}");
	check_inbound("\"10-20\",\"30-40\",50", "\"15-35\",\"40-50\"",
		"{\"ports\":[\"15-20\",\"30-35\",40,50]}");
	policy = meet("\"network\":{\"inbound\":{\"ports\":[1]}}", ALLOW(RULE("10.0.0.0/8")));
	CHECK_INT(policy->n_inbound, 0);
	CHECK(!policy_allows_inbound(policy, 1));
	policy_unref(policy);
	policy = meet("\"network\":{\"inbound\":{\"ports\":[\"5-9\"]}}",
		"\"network\":{\"inbound\":{\"ports\":[\"7-11\"]}}");
	CHECK(policy_allows_inbound(policy, 7) && policy_allows_inbound(policy, 9));
	CHECK(!policy_allows_inbound(policy, 6) && !policy_allows_inbound(policy, 10));
	CHECK(!policy_allows_inbound(policy, 0));
	policy_unref(policy);
}

TEST(meet_takes_the_smaller_limits)
{
	struct policy *policy = meet(
		"\"resources\":{\"memory\":\"1GiB\",\"disk\":\"10MiB\",\"cpu\":4,"
		"\"pids\":10,\"open_files\":2000}",
		"\"resources\":{\"memory\":\"2GiB\",\"disk\":\"5MiB\",\"cpu\":2.5,\"pids\":20,"
		"\"open_files\":100}");

	CHECK_INT(policy->limits.memory_bytes, 1 << 30);
	CHECK_INT(policy->limits.disk_bytes, 5 << 20);
	CHECK_INT(policy->limits.cpu_millis, 2500);
	CHECK_INT(policy->limits.pids, 10);
	CHECK_INT(policy->limits.open_files, 100);
	CHECK_TEXT(policy->name, "request");
	policy_unref(policy);
}

TEST(meet_denies_the_system_calls_that_either_denies)
{
	struct policy *policy = meet("\"syscalls\":{\"deny\":[\"c\",\"a\",\"e\"]}",
		"\"syscalls\":{\"deny\":[\"b\",\"c\",\"f\"]}");
	static const char *const expected[] = {"a", "b", "c", "e", "f"};

	CHECK_INT(policy->n_syscalls_denied, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		CHECK_TEXT(policy->syscalls_denied[i], expected[i]);
	policy_unref(policy);
}

TEST(meet_records_what_either_records)
{
	struct policy *policy = meet("\"audit\":{\"syscalls\":[\"b\",\"c\"],\"rate\":200}",
		"\"audit\":{\"syscalls\":[\"a\",\"b\"],\"on_loss\":\"freeze\",\"rate\":300}");

	CHECK(!policy->audit.defaults);
	CHECK_INT(policy->audit.n_calls, 3);
	CHECK_TEXT(policy->audit.calls[0].name, "a");
	CHECK_TEXT(policy->audit.calls[2].name, "c");
	CHECK_INT(policy->audit.on_loss, POLICY_ON_LOSS_FREEZE);
	CHECK_INT(policy->audit.rate, 300);
	policy_unref(policy);
	/* A request cannot ask for less than its bound, and none said is the usual. */
	policy = meet("\"description\":\"\"", "\"audit\":{\"syscalls\":\"none\",\"rate\":100}");
	CHECK(policy->audit.defaults);
	CHECK_INT(policy->audit.rate, POLICY_AUDIT_RATE);
	policy_unref(policy);
	policy = meet("\"audit\":{\"syscalls\":\"none\",\"on_loss\":\"kill\"}",
		"\"audit\":{\"syscalls\":\"none\"}");
	CHECK(!policy_audits_calls(policy));
	CHECK_INT(policy->audit.on_loss, POLICY_ON_LOSS_KILL);
	policy_unref(policy);
	policy = meet("\"description\":\"\"", "\"audit\":{\"syscalls\":[\"a\"]}");
	CHECK(policy->audit.defaults);
	CHECK(strstr(policy->canonical, "\"syscalls\":[\"default\",\"a\"]"));
	policy_unref(policy);
}

/* Images are shared by hash, and a record names a rule's id: the same addresses under other ids are
 * another policy. */
TEST(meet_hash_tells_rule_ids_apart)
{
	struct policy *first = meet(ALLOW(RULE("203.0.113.0/24")), ALLOW(RULE("203.0.113.1")));
	struct policy *same = meet(ALLOW(RULE("203.0.0.0/16")), ALLOW(RULE("203.0.113.1")));
	struct policy *second = meet(
		ALLOW(RULE("203.0.113.0/24")), ALLOW(RULE("198.51.100.1") "," RULE("203.0.113.1")));

	CHECK_TEXT(first->hash, same->hash);
	CHECK(strcmp(first->hash, second->hash) != 0);
	policy_unref(first);
	policy_unref(same);
	policy_unref(second);
}

static struct policy wide_policy(struct policy_rule *rules, size_t n, unsigned int step)
{
	for (size_t i = 0; i < n; i++)
		rules[i] = (struct policy_rule){.address = naive_address("203.0.113.7"),
			.prefix_bits = 128,
			.protocol = IPPROTO_TCP,
			.n_ports = 1,
			.id = (uint16_t)i,
			.ports = {{(uint16_t)(i * step), (uint16_t)(i * step)}}};
	return (struct policy){.name = "wide", .rules = rules, .n_rules = n, .n_references = 1};
}

TEST(meet_of_too_many_overlapping_rules_is_refused)
{
	static struct policy_rule rules[2][600];
	struct policy bound = wide_policy(rules[0], 600, 1),
		      request = wide_policy(rules[1], 600, 2);
	struct policy *policy = NULL;
	struct failure why = {0};

	CHECK_INT(policy_meet(&bound, &request, &policy, &why), -E2BIG);
	CHECK(policy == NULL);
	CHECK_TEXT(why.sentence,
		"Too many rules of \"wide\" and \"wide\" overlap; make one of them simpler.");
	bound.n_rules = request.n_rules = 200;
	CHECK_INT(policy_meet(&bound, &request, &policy, &why), 0);
	CHECK_INT(policy->n_rules, 100);
	policy_unref(policy);
}

TEST(meet_of_more_ranges_than_a_rule_holds_makes_several_rules)
{
	struct policy_rule rules[2];
	struct policy bound, request, *policy = NULL;

	bound = wide_policy(&rules[0], 1, 0);
	request = wide_policy(&rules[1], 1, 0);
	rules[0].n_ports = rules[1].n_ports = 16;
	for (unsigned int i = 0; i < 16; i++) {
		rules[0].ports[i] =
			(struct policy_ports){(uint16_t)(i * 20 + 1), (uint16_t)(i * 20 + 15)};
		rules[1].ports[i] =
			(struct policy_ports){(uint16_t)(i * 20 + 11), (uint16_t)(i * 20 + 25)};
	}
	CHECK_INT(policy_meet(&bound, &request, &policy, NULL), 0);
	CHECK_INT(policy->n_rules, 2);
	CHECK_INT(policy->rules[0].n_ports + policy->rules[1].n_ports, 31);
	policy_unref(policy);
}

TEST(meet_allows_what_both_allow_on_drawn_policies)
{
	struct policy_rule rules[2][10];
	uint64_t state = 11202621;
	size_t n_open = 0, n_one = 0;

	for (int round = 0; round < 3000; round++) {
		struct policy bound = draw_policy(&state, rules[0], 10);
		struct policy request = draw_policy(&state, rules[1], 10), *policy = NULL;

		/* Else the two would seldom have anything in common. */
		for (size_t i = 0; i < request.n_rules && i < bound.n_rules; i += 2) {
			rules[1][i].address = rules[0][i].address;
			rules[1][i].prefix_bits = rules[0][i].prefix_bits;
		}
		CHECK_INT(policy_meet(&bound, &request, &policy, NULL), 0);
		for (int i = 0; i < 60; i++) {
			struct abi_address address =
				draw_address(&state, i % 2 ? &bound : &request);
			uint32_t port = draw_port(&state);
			bool by_bound = naive_rule(&bound, &address, port) != ABI_RULE_NONE;
			bool by_request = naive_rule(&request, &address, port) != ABI_RULE_NONE;
			unsigned int rule = naive_rule(policy, &address, port);
			char text[INET6_ADDRSTRLEN];

			if ((rule != ABI_RULE_NONE) != (by_bound && by_request))
				CHECK_FAIL("round %d: %s port %u: rule %u, bound %d, request %d",
					round, naive_text(&address, text), port, rule, by_bound,
					by_request);
			if (rule == ABI_RULE_NONE) {
				n_one += by_bound || by_request;
				continue;
			}
			/* What a record names is a rule of the request that says so by itself. */
			n_open++;
			const struct policy alone = {.rules = &request.rules[rule], .n_rules = 1};

			CHECK_INT(naive_rule(&alone, &address, port), rule);
		}
		policy_unref(policy);
	}
	if (n_open < 5000 || n_one < 20000)
		CHECK_FAIL("%zu open, %zu by one of the two only", n_open, n_one);
}

/* ---- budgets */

static void check_budgets(const char *bound, const char *request, const char *expected)
{
	struct policy *policy = meet(bound, request);
	char *start = strstr(policy->canonical, "\"budgets\":"), *end;

	CHECK((start != NULL) == (expected != NULL));
	if (start) {
		end = strchr(start, '}');
		end[1] = '\0';
		CHECK_TEXT(start + strlen("\"budgets\":"), expected);
	}
	policy_unref(policy);
}

#define BUDGETS(members) "\"budgets\":{" members "}"

TEST(meet_takes_the_smaller_of_each_budget)
{
	check_budgets(BUDGETS("\"connections\":10,\"bytes_out\":2048"),
		BUDGETS("\"connections\":20,\"bytes_out\":1024,\"dns_queries\":5"),
		"{\"bytes_out\":1024,\"connections\":10,\"dns_queries\":5}");
	check_budgets(BUDGETS("\"bytes_in\":4096,\"per\":\"1h\""),
		BUDGETS("\"connections\":3,\"per\":\"60m\""),
		"{\"bytes_in\":4096,\"connections\":3,\"per\":\"3600s\"}");
	check_budgets(BUDGETS(""), BUDGETS(""), NULL);
}

TEST(meet_with_one_that_has_no_budgets_keeps_those_of_the_other)
{
	check_budgets(BUDGETS("\"connections\":10,\"per\":\"1h\""), ALLOW(""),
		"{\"connections\":10,\"per\":\"3600s\"}");
	check_budgets(ALLOW(""), BUDGETS("\"connections\":10,\"per\":\"1h\""),
		"{\"connections\":10,\"per\":\"3600s\"}");
}

/* 10 in an hour and 100 in a day: neither holds the other. */
TEST(meet_refuses_budgets_for_different_times)
{
	static const char *const pairs[][2] = {
		{BUDGETS("\"connections\":10,\"per\":\"1h\""),
			BUDGETS("\"connections\":100,\"per\":\"1d\"")},
		{BUDGETS("\"connections\":10"), BUDGETS("\"connections\":10,\"per\":\"1d\"")},
		{BUDGETS("\"connections\":10,\"per\":\"1d\""), BUDGETS("\"bytes_in\":1024")},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct policy *bound = parse("bound", pairs[i][0]);
		struct policy *request = parse("request", pairs[i][1]), *policy = NULL;
		struct failure why = {0};

		CHECK_INT(policy_meet(bound, request, &policy, &why), -EINVAL);
		CHECK(!policy);
		CHECK_TEXT(why.sentence,
			"The budgets of \"bound\" and \"request\" are for different times; give "
			"both the same \"per\".");
		policy_unref(bound);
		policy_unref(request);
	}
}
