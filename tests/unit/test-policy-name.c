#include "tests/harness/check.h"

#include <errno.h>

#include "bpf/abi/ticket.h"
#include "supervisor/policy/network/name-index.h"
#include "tests/unit/policy/naive-names.h"

static struct policy *parse(const char *rules)
{
	struct policy *policy = NULL;
	struct failure why = {0};
	char text[8192];

	snprintf(text, sizeof(text), "{\"version\":1,\"name\":\"x\",\"network\":{\"allow\":[%s]}}",
		rules);
	if (policy_parse(text, strlen(text), "test", NULL, &policy, &why) < 0)
		CHECK_FAIL("%s (%s)", why.sentence, why.location);
	return policy;
}

/* The ranges as text: "443 rule 0, 8000-8010 rule 1 require private". */
static void check_ranges(const struct policy *policy, const char *name, const char *expected)
{
	static const char *const words[] = {"", " require", " passthrough"};
	struct policy_name_range ranges[ABI_TICKET_RANGES_MAX];
	size_t n = policy_name_ranges(policy, name, ranges, ABI_TICKET_RANGES_MAX);
	char text[512] = "";
	int used = 0;

	for (size_t i = 0; i < n; i++) {
		used += sprintf(text + used, "%s%u", i ? ", " : "", ranges[i].first);
		if (ranges[i].last != ranges[i].first)
			used += sprintf(text + used, "-%u", ranges[i].last);
		used += sprintf(text + used, " rule %u%s%s", ranges[i].rule, words[ranges[i].tls],
			ranges[i].is_private ? " private" : "");
	}
	CHECK_TEXT(text, expected);
}

TEST(name_of_an_exact_rule_is_that_name_alone)
{
	struct policy *policy = parse("{\"name\":\"PyPI.org.\"}");

	check_ranges(policy, "pypi.org", "80 rule 0, 443 rule 0");
	check_ranges(policy, "a.pypi.org", "");
	check_ranges(policy, "apypi.org", "");
	check_ranges(policy, "pypi.orga", "");
	check_ranges(policy, "org", "");
	policy_unref(policy);
}

TEST(name_of_a_wildcard_is_one_or_more_labels_before_it)
{
	struct policy *policy = parse("{\"name\":\"*.example.org\",\"ports\":[443]}");

	check_ranges(policy, "a.example.org", "443 rule 0");
	check_ranges(policy, "c.b.a.example.org", "443 rule 0");
	check_ranges(policy, "example.org", "");
	check_ranges(policy, "badexample.org", "");
	check_ranges(policy, "example.org.evil.net", "");
	check_ranges(policy, "a.example.org.evil.net", "");
	policy_unref(policy);
}

/* Whoever asks passes on what came from a sandbox. */
TEST(name_that_is_no_host_is_refused_even_under_a_wildcard)
{
	struct policy *policy = parse("{\"name\":\"*.example.org\"}");
	char label[128] = "", name[300] = "";

	check_ranges(policy, "_a-1._b.example.org", "80 rule 0, 443 rule 0");
	check_ranges(policy, ".example.org", "");
	check_ranges(policy, "a..example.org", "");
	check_ranges(policy, "A.example.org", "");
	check_ranges(policy, "a.example.org.", "");
	check_ranges(policy, "*.example.org", "");
	check_ranges(policy, "a b.example.org", "");
	check_ranges(policy, "a/b.example.org", "");
	check_ranges(policy, "\xc3\xbc.example.org", "");
	check_ranges(policy, "-a.example.org", "");
	check_ranges(policy, "a-.example.org", "");
	check_ranges(policy, "", "");
	check_ranges(policy, ".", "");
	memset(label, 'a', 63);
	snprintf(name, sizeof(name), "%s.example.org", label);
	check_ranges(policy, name, "80 rule 0, 443 rule 0");
	label[63] = 'a';
	snprintf(name, sizeof(name), "%s.example.org", label);
	check_ranges(policy, name, "");
	label[63] = '\0';
	snprintf(name, sizeof(name), "%s.%s.%s.%.*s.example.org", label, label, label, 49, label);
	CHECK_INT(strlen(name), 253);
	check_ranges(policy, name, "80 rule 0, 443 rule 0");
	snprintf(name, sizeof(name), "%s.%s.%s.%.*s.example.org", label, label, label, 50, label);
	check_ranges(policy, name, "");
	policy_unref(policy);
}

TEST(name_has_the_ports_of_the_first_rule_that_has_them)
{
	struct policy *policy =
		parse("{\"name\":\"git.example.org\",\"ports\":[22,443],\"tls\":\"passthrough\"},"
		      "{\"cidr\":\"203.0.113.0/24\"},"
		      "{\"name\":\"*.a.example.org\",\"ports\":[80],\"private\":true},"
		      "{\"name\":\"*.example.org\",\"ports\":[\"1-300\",\"301-500\"],"
		      "\"tls\":\"require\"},"
		      "{\"name\":\"git.example.org\",\"ports\":[501]}");

	check_ranges(policy, "git.example.org",
		"1-21 rule 3 require, 22 rule 0 passthrough, 23-442 rule 3 require, "
		"443 rule 0 passthrough, 444-500 rule 3 require, 501 rule 4");
	check_ranges(policy, "b.a.example.org",
		"1-79 rule 3 require, 80 rule 2 private, 81-500 rule 3 require");
	check_ranges(policy, "a.example.org", "1-500 rule 3 require");
	check_ranges(policy, "example.org", "");
	policy_unref(policy);
}

TEST(name_with_more_ranges_than_asked_for_gets_as_many_as_fit)
{
	struct policy *policy = parse("{\"name\":\"a.example.org\",\"ports\":[1,3,5]}");
	struct policy_name_range ranges[3] = {{.first = 9}, {.first = 9}, {.first = 9}};

	CHECK_INT(policy_name_ranges(policy, "a.example.org", ranges, 2), 2);
	CHECK_INT(ranges[1].first, 3);
	CHECK_INT(ranges[2].first, 9);
	CHECK_INT(policy_name_ranges(policy, "a.example.org", ranges, 0), 0);
	policy_unref(policy);
}

/* Else the sandbox would have no gate to ask. */
TEST(policy_of_names_alone_has_a_network_and_an_empty_image)
{
	struct policy *policy = parse("{\"name\":\"*.example.org\"},{\"name\":\"example.org\"}");
	struct policy_image *image = NULL;

	CHECK(policy_has_network(policy));
	CHECK(policy_has_names(policy));
	CHECK_INT(policy_compile(policy, &image, NULL), 0);
	CHECK_INT(image->n_exact, 0);
	CHECK_INT(image->n_cidr, 0);
	policy_image_free(image);
	policy_unref(policy);
	policy = parse("{\"cidr\":\"203.0.113.0/24\"}");
	CHECK(policy_has_network(policy));
	CHECK(!policy_has_names(policy));
	check_ranges(policy, "203.0.113.1", "");
	policy_unref(policy);
}

/* A rule for a name has no address: taken for one, it would be "::/0". */
TEST(names_and_addresses_in_one_policy_do_not_open_each_other)
{
	struct policy *policy = parse("{\"name\":\"example.org\",\"ports\":[\"1-65535\"]},"
				      "{\"cidr\":\"203.0.113.0/24\",\"ports\":[443]}");
	struct policy_image *image = NULL;
	const struct abi_address inside = naive_address("203.0.113.1");
	const struct abi_address outside = naive_address("2001:db8::1");

	CHECK_INT(policy_compile(policy, &image, NULL), 0);
	CHECK_INT(image_rule(image, &inside, 443), 1);
	CHECK_INT(image_rule(image, &inside, 80), ABI_RULE_NONE);
	CHECK_INT(image_rule(image, &outside, 443), ABI_RULE_NONE);
	policy_image_free(image);
	policy_unref(policy);
}

/* 198.18.0.0/15 and the prefix in bpf/abi/ticket.h are for names alone. */
TEST(tickets_are_holes_in_wider_rules)
{
	struct policy *policy =
		parse("{\"cidr\":\"198.16.0.0/12\"},{\"cidr\":\"fd43:6c6f:6368::/48\"}");
	struct policy_image *image = NULL;
	struct {
		const char *address;
		unsigned int rule;
	} rows[] = {{"198.17.255.255", 0}, {"198.18.0.0", ABI_RULE_NONE},
		{"198.18.1.0", ABI_RULE_NONE}, {"198.19.255.255", ABI_RULE_NONE}, {"198.20.0.0", 0},
		{"fd43:6c6f:6368:64ff::1", 1}, {"fd43:6c6f:6368:6500::1:0", ABI_RULE_NONE},
		{"fd43:6c6f:6368:6500::", ABI_RULE_NONE}, {"fd43:6c6f:6368:6501::", 1}};

	CHECK_INT(policy_compile(policy, &image, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct abi_address address = naive_address(rows[i].address);

		if (image_rule(image, &address, 443) != rows[i].rule)
			CHECK_FAIL(
				"%s: rule %u", rows[i].address, image_rule(image, &address, 443));
	}
	policy_image_free(image);
	policy_unref(policy);
}

static void compare(const struct policy *policy, const char *name, size_t *n_open)
{
	struct policy_name_range ranges[64];
	size_t n = policy_name_ranges(policy, name, ranges, ARRAY_SIZE(ranges)), i = 0;

	for (size_t j = 0; j < n; j++)
		CHECK(ranges[j].first <= ranges[j].last &&
			(j == 0 || ranges[j - 1].last < ranges[j].first));
	for (uint16_t port = 0; port < 30; port++) {
		const struct policy_rule *rule = naive_decides(policy, name, port);

		while (i < n && ranges[i].last < port)
			i++;
		if ((i < n && ranges[i].first <= port) != (rule != NULL))
			CHECK_FAIL("%s port %u: %s", name, port, rule ? "shut" : "open");
		if (!rule)
			continue;
		CHECK_INT(ranges[i].rule, rule->id);
		CHECK_INT(ranges[i].tls, rule->tls);
		CHECK_INT(ranges[i].is_private, rule->is_private);
		++*n_open;
	}
}

/* By the index it is the same, also when there is no room for all. */
static void compare_indexed(const struct policy *policy, const char *name)
{
	struct policy_name_range ranges[64], indexed[64];
	size_t places[64], n, n_max;
	struct name_index index;

	CHECK(policy->n_rules <= ARRAY_SIZE(places));
	CHECK_INT(name_index_init(&index, policy), 0);
	for (n_max = 0; n_max <= ARRAY_SIZE(ranges); n_max = n_max ? n_max * 4 : 1) {
		n = policy_name_ranges(policy, name, ranges, n_max);
		CHECK_INT(name_index_ranges(&index, name, places, indexed, n_max), n);
		for (size_t i = 0; i < n; i++)
			CHECK(ranges[i].first == indexed[i].first &&
				ranges[i].last == indexed[i].last &&
				ranges[i].rule == indexed[i].rule &&
				ranges[i].tls == indexed[i].tls &&
				ranges[i].is_private == indexed[i].is_private);
	}
	name_index_fini(&index);
}

TEST(name_ranges_are_what_the_rules_say_on_drawn_policies)
{
	struct policy_rule rules[12];
	uint64_t state = 11212026;
	size_t n_open = 0;

	for (int round = 0; round < 3000; round++) {
		struct policy policy = draw_names(&state, rules, ARRAY_SIZE(rules), 24);

		for (size_t i = 0; i < DRAWN_NAMES; i++)
			compare(&policy, drawn_names[i], &n_open);
		for (size_t i = 0; i < DRAWN_NAMES; i++)
			compare_indexed(&policy, drawn_names[i]);
	}
	if (n_open < 100000)
		CHECK_FAIL("%zu open", n_open);
}

/* What is refused when it is read is what would not fit a ticket, and nothing else. */
TEST(policy_is_refused_just_when_a_name_has_too_many_ranges)
{
	struct policy_rule rules[7];
	uint64_t state = 1035;
	size_t n_refused = 0, n_taken = 0;

	for (int round = 0; round < 8000; round++) {
		struct policy drawn = draw_names(&state, rules, ARRAY_SIZE(rules), 24);
		struct policy *policy = NULL;
		char text[4096];
		int used = sprintf(text, "{\"version\":1,\"name\":\"x\",\"network\":{\"allow\":[");
		size_t most = 0;
		struct failure why = {0};
		int r;

		for (size_t i = 0; i < drawn.n_rules; i++) {
			struct policy_rule *rule = &rules[i];

			rule->is_private = false;
			rule->tls = POLICY_TLS_EITHER;
			if (rule->kind == POLICY_RULE_CIDR || strcmp(rule->name, "org") == 0)
				*rule = (struct policy_rule){.kind = POLICY_RULE_NAME,
					.name = (char *)"example.org",
					.n_ports = 1,
					.ports = {{7, 7}}};
			rule->id = (uint16_t)i;
			used += sprintf(text + used, "%s{\"name\":\"%s%s\",\"ports\":[",
				i ? "," : "", rule->wildcard ? "*." : "", rule->name);
			for (size_t j = 0; j < rule->n_ports; j++)
				used += sprintf(text + used, "%s\"%u-%u\"", j ? "," : "",
					rule->ports[j].first, rule->ports[j].last);
			used += sprintf(text + used, "]}");
		}
		sprintf(text + used, "]}}");
		for (size_t i = 0; i < DRAWN_NAMES; i++) {
			struct policy_name_range ranges[64];
			size_t n = policy_name_ranges(
				&drawn, drawn_names[i], ranges, ARRAY_SIZE(ranges));

			most = n > most ? n : most;
		}
		r = policy_parse(text, strlen(text), "x", NULL, &policy, &why);
		if (r == -EINVAL)
			continue; /* two rules with one port */
		if ((r == -E2BIG) != (most > ABI_TICKET_RANGES_MAX))
			CHECK_FAIL("%zu ranges: %d, %s; %s", most, r, why.sentence, text);
		n_refused += r != 0;
		n_taken += r == 0;
		policy_unref(policy);
	}
	if (n_refused < 50 || n_taken < 1000)
		CHECK_FAIL("%zu refused, %zu taken", n_refused, n_taken);
}
