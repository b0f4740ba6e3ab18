#include "tests/harness/check.h"

#include <errno.h>

#include "tests/unit/policy/naive.h"

static struct policy *parse(const char *rules)
{
	struct policy *policy = NULL;
	struct failure why = {0};
	char text[4096];

	snprintf(text, sizeof(text), "{\"version\":1,\"name\":\"x\",\"network\":{\"allow\":[%s]}}",
		rules);
	if (policy_parse(text, strlen(text), "test", NULL, &policy, &why) < 0)
		CHECK_FAIL("%s (%s)", why.sentence, why.location);
	return policy;
}

static struct policy_image *compile(const char *rules)
{
	struct policy *policy = parse(rules);
	struct policy_image *image = NULL;

	CHECK_INT(policy_compile(policy, &image, NULL), 0);
	policy_unref(policy);
	return image;
}

static unsigned int rule_for(const struct policy_image *image, const char *address, uint16_t port)
{
	const struct abi_address binary = naive_address(address);

	return image_rule(image, &binary, port);
}

#define CHECK_OPEN(image, address, port, rule) CHECK_INT(rule_for(image, address, port), rule)
#define CHECK_SHUT(image, address, port) CHECK_INT(rule_for(image, address, port), ABI_RULE_NONE)

TEST(compile_of_no_rule_is_empty)
{
	struct policy_image *image = compile("");

	CHECK_INT(image->n_exact, 0);
	CHECK_INT(image->n_cidr, 0);
	CHECK_SHUT(image, "203.0.113.1", 443);
	policy_image_free(image);
}

TEST(compile_puts_one_address_and_port_in_the_hash)
{
	struct policy_image *image =
		compile("{\"cidr\":\"198.51.100.1\"},"
			"{\"cidr\":\"203.0.113.1\",\"ports\":[443,80,\"8000-8001\"]}");

	CHECK_INT(image->n_exact, 2);
	CHECK_INT(image->exact_keys[0].image, 0);
	CHECK_INT(image->exact_keys[0].port, 80);
	CHECK_INT(image->exact_keys[1].port, 443);
	CHECK_INT(image->exact_keys[1].protocol, IPPROTO_TCP);
	CHECK_INT(image->exact_keys[1].reserved, 0);
	CHECK_INT(image->exact_rules[1], 1);
	CHECK_INT(image->n_cidr, 2);
	CHECK_INT(image->cidr_keys[1].prefix_bits, 128);
	CHECK_INT(image->cidr_values[1].n_ranges, 1);
	CHECK_INT(image->cidr_values[1].ranges[0].first, 8000);
	CHECK_INT(image->cidr_values[1].ranges[0].last, 8001);
	CHECK_INT(image->cidr_values[1].ranges[0].rule, 1);
	CHECK_INT(image->cidr_values[1].ranges[0].protocol, IPPROTO_TCP);
	CHECK_OPEN(image, "203.0.113.1", 443, 1);
	CHECK_OPEN(image, "203.0.113.1", 8001, 1);
	CHECK_SHUT(image, "203.0.113.1", 8002);
	CHECK_SHUT(image, "203.0.113.2", 443);
	policy_image_free(image);
}

TEST(compile_keeps_what_a_wider_rule_allows_in_a_narrower_one)
{
	struct policy_image *image = compile("{\"cidr\":\"203.0.113.0/25\",\"ports\":[22]},"
					     "{\"cidr\":\"203.0.113.0/24\",\"ports\":[443]},"
					     "{\"cidr\":\"203.0.0.0/16\",\"ports\":[80,443]}");

	CHECK_OPEN(image, "203.0.113.1", 22, 0);
	CHECK_OPEN(image, "203.0.113.1", 443, 1); /* the first of the two that allow */
	CHECK_OPEN(image, "203.0.113.1", 80, 2);
	CHECK_SHUT(image, "203.0.113.200", 22);
	CHECK_OPEN(image, "203.0.113.200", 80, 2);
	CHECK_OPEN(image, "203.0.1.1", 443, 2);
	CHECK_SHUT(image, "203.1.0.1", 443);
	policy_image_free(image);
}

TEST(compile_leaves_out_ranges_that_lower_rules_cover)
{
	struct policy_image *image =
		compile("{\"cidr\":\"203.0.0.0/16\",\"ports\":[\"1-99\"]},"
			"{\"cidr\":\"203.0.113.0/24\",\"ports\":[\"100-200\",\"201-300\"]},"
			"{\"cidr\":\"203.0.113.0/25\",\"ports\":[\"50-150\",\"250-301\"]}");
	const struct abi_cidr_value *value = &image->cidr_values[2];

	CHECK_INT(image->n_cidr, 3);
	CHECK_INT(value->n_ranges, 3);
	CHECK(value->ranges[0].first == 1 && value->ranges[0].last == 99);
	CHECK(value->ranges[1].first == 100 && value->ranges[1].last == 300); /* joined */
	CHECK(value->ranges[2].first == 250 && value->ranges[2].last == 301);
	CHECK_INT(value->ranges[2].rule, 2);
	policy_image_free(image);
}

TEST(compile_leaves_out_a_range_that_two_lower_rules_cover_together)
{
	struct policy_image *image = compile("{\"cidr\":\"203.0.0.0/16\",\"ports\":[\"50-99\"]},"
					     "{\"cidr\":\"203.0.113.0/24\",\"ports\":[\"1-49\"]},"
					     "{\"cidr\":\"203.0.113.0/25\",\"ports\":[\"1-99\"]}");

	CHECK_INT(image->cidr_values[2].n_ranges, 2);
	CHECK_OPEN(image, "203.0.113.1", 99, 0);
	CHECK_OPEN(image, "203.0.113.1", 1, 1);
	policy_image_free(image);
}

TEST(compile_does_not_open_special_ranges_by_a_wider_rule)
{
	struct policy_image *image = compile("{\"cidr\":\"0.0.0.0/0\"},{\"cidr\":\"::/0\"}");
	static const char *const shut[] = {"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255",
		"100.64.0.0", "100.127.255.255", "127.0.0.1", "168.63.129.16", "169.254.169.254",
		"172.16.0.0", "172.31.255.255", "192.0.0.192", "192.168.0.1", "198.18.0.0",
		"198.19.255.255", "224.0.0.1", "239.255.255.255", "240.0.0.0", "255.255.255.255",
		"::", "::1", "::2", "::8.8.8.8", "::ffff:0:8.8.8.8", "64:ff9b::8.8.8.8",
		"64:ff9b:1::1", "100::1", "2001::1", "2001:2::1", "2002:808:808::", "5f00::1",
		"fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "ffff::"};
	static const char *const open[] = {"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255",
		"100.128.0.0", "126.255.255.255", "128.0.0.0", "168.63.129.15", "168.63.129.17",
		"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0",
		"192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "203.0.113.1",
		"223.255.255.255"};

	for (size_t i = 0; i < ARRAY_SIZE(shut); i++)
		if (rule_for(image, shut[i], 443) != ABI_RULE_NONE)
			CHECK_FAIL("%s is open", shut[i]);
	for (size_t i = 0; i < ARRAY_SIZE(open); i++)
		if (rule_for(image, open[i], 443) != 0)
			CHECK_FAIL("%s is shut", open[i]);
	CHECK_OPEN(image, "64:ff9c::1", 443, 1);
	CHECK_OPEN(image, "2001:db8::1", 443, 1);
	CHECK_OPEN(image, "2001:1::1", 443, 1);
	CHECK_OPEN(image, "2003::1", 443, 1);
	CHECK_OPEN(image, "fbff::1", 443, 1);
	policy_image_free(image);
}

TEST(compile_of_all_of_ipv6_does_not_open_ipv4)
{
	struct policy_image *image = compile("{\"cidr\":\"::/0\"}");

	CHECK_SHUT(image, "203.0.113.1", 443);
	CHECK_SHUT(image, "::ffff:203.0.113.1", 443);
	CHECK_OPEN(image, "2a00::1", 443, 0);
	policy_image_free(image);
}

TEST(compile_opens_a_special_range_by_a_rule_inside_it)
{
	struct policy_image *image = compile("{\"cidr\":\"0.0.0.0/0\",\"ports\":[80]},"
					     "{\"cidr\":\"10.0.0.0/8\",\"ports\":[443]},"
					     "{\"cidr\":\"169.254.169.254\",\"ports\":[80]},"
					     "{\"cidr\":\"192.168.1.0/24\",\"ports\":[\"1-10\"]},"
					     "{\"cidr\":\"172.16.0.1\",\"ports\":[\"5-6\"]}");

	CHECK_OPEN(image, "10.1.1.1", 443, 1);
	CHECK_SHUT(image, "10.1.1.1", 80); /* the wider rule still stops at the range */
	CHECK_OPEN(image, "169.254.169.254", 80, 2);
	CHECK_SHUT(image, "169.254.169.254", 443);
	CHECK_SHUT(image, "169.254.169.253", 80);
	CHECK_OPEN(image, "192.168.1.255", 10, 3);
	CHECK_SHUT(image, "192.168.1.255", 80);
	CHECK_SHUT(image, "192.168.2.0", 10);
	CHECK_SHUT(image, "192.168.2.0", 80);
	CHECK_OPEN(image, "172.16.0.1", 6, 4);
	CHECK_SHUT(image, "172.16.0.1", 80);
	CHECK_OPEN(image, "8.8.8.8", 80, 0);
	policy_image_free(image);
}

TEST(compile_keeps_a_special_range_inside_another_shut)
{
	struct policy_image *image = compile("{\"cidr\":\"::/96\"}");

	CHECK_OPEN(image, "::8.8.8.8", 443, 0);
	CHECK_SHUT(image, "::1", 443);
	CHECK_SHUT(image, "::", 443);
	policy_image_free(image);
}

TEST(compile_takes_sixteen_ranges_at_one_prefix_and_no_more)
{
	struct policy_rule rules[17] = {{.protocol = IPPROTO_TCP}};
	struct policy policy = {.rules = rules, .n_rules = 16, .n_references = 1};
	struct policy_image *image = NULL;
	struct failure why = {0};

	for (unsigned int i = 0; i < 17; i++) {
		rules[i] = (struct policy_rule){.address = naive_address("203.0.113.0"),
			.prefix_bits = 120,
			.protocol = IPPROTO_TCP,
			.n_ports = 1,
			.id = (uint16_t)i,
			.ports = {{(uint16_t)(10 * i + 1), (uint16_t)(10 * i + 2)}}};
	}
	CHECK_INT(policy_compile(&policy, &image, &why), 0);
	CHECK_INT(image->cidr_values[0].n_ranges, 16);
	CHECK_OPEN(image, "203.0.113.5", 152, 15);
	image = policy_image_free(image);
	policy.n_rules = 17;
	CHECK_INT(policy_compile(&policy, &image, &why), -E2BIG);
	CHECK(image == NULL);
	CHECK_TEXT(why.sentence,
		"More than 16 ranges of ports come together at 203.0.113.0/24 with this rule; join "
		"ranges, or let fewer rules overlap.");
	CHECK_TEXT(why.location, "/network/allow/16");
}

TEST(compile_names_the_lowest_of_rules_for_one_address_and_port)
{
	struct policy_rule rules[3];
	struct policy policy = {.rules = rules, .n_rules = 3, .n_references = 1};
	struct policy_image *image = NULL;

	for (unsigned int i = 0; i < 3; i++)
		rules[i] = (struct policy_rule){.address = naive_address("203.0.113.1"),
			.prefix_bits = 128,
			.protocol = IPPROTO_TCP,
			.n_ports = 1,
			.id = (uint16_t)(9 - i),
			.ports = {{443, 443}}};
	CHECK_INT(policy_compile(&policy, &image, NULL), 0);
	CHECK_INT(image->n_exact, 1);
	CHECK_OPEN(image, "203.0.113.1", 443, 7);
	policy_image_free(image);
}

TEST(compile_fills_no_more_prefixes_than_the_kernel_holds)
{
	struct policy_rule *rules = calloc(POLICY_RULES_MAX, sizeof(*rules));
	struct policy policy = {.rules = rules, .n_rules = POLICY_RULES_MAX, .n_references = 1};
	struct policy_image *image = NULL;
	struct failure why = {0};

	CHECK(rules != NULL);
	for (unsigned int i = 0; i < POLICY_RULES_MAX; i++) {
		rules[i] = (struct policy_rule){.address = naive_address("20.0.0.0"),
			.prefix_bits = 128,
			.protocol = IPPROTO_TCP,
			.n_ports = 1,
			.id = (uint16_t)i,
			.ports = {{0, 65535}}};
		rules[i].address.bytes[14] = (uint8_t)(i >> 8);
		rules[i].address.bytes[15] = (uint8_t)i;
	}
	CHECK_INT(policy_compile(&policy, &image, &why), 0);
	CHECK_INT(image->n_cidr, ABI_CIDR_RULES_MAX);
	image = policy_image_free(image);
	/* The same number of rules, but all of IPv4 needs its holes beside it. */
	rules[0].prefix_bits = 96;
	rules[0].address = naive_address("0.0.0.0");
	CHECK_INT(policy_compile(&policy, &image, &why), -E2BIG);
	CHECK_TEXT(why.sentence,
		"The policy needs more than 16384 prefixes, special ranges included; join some.");
	free(rules);
}

/* Each prefix once, or the kernel would keep the last of two. */
static void check_keys_unique(const struct policy_image *image)
{
	for (size_t i = 1; i < image->n_cidr; i++)
		CHECK(memcmp(&image->cidr_keys[i - 1], &image->cidr_keys[i],
			      sizeof(image->cidr_keys[0])) != 0);
	for (size_t i = 1; i < image->n_exact; i++)
		CHECK(memcmp(&image->exact_keys[i - 1], &image->exact_keys[i],
			      sizeof(image->exact_keys[0])) != 0);
}

TEST(compile_agrees_with_the_rules_on_drawn_policies)
{
	struct policy_rule rules[10];
	uint64_t state = 20261121;
	size_t n_compiled = 0, n_open = 0, n_shut = 0;

	for (int round = 0; round < 2000; round++) {
		struct policy policy = draw_policy(&state, rules, ARRAY_SIZE(rules));
		struct policy_image *image = NULL;

		if (policy_compile(&policy, &image, NULL) == -E2BIG)
			continue;
		CHECK(image != NULL);
		check_keys_unique(image);
		n_compiled++;
		for (int i = 0; i < 100; i++) {
			struct abi_address address = draw_address(&state, &policy);
			uint32_t port = draw_port(&state);
			unsigned int want = naive_rule(&policy, &address, port);
			unsigned int got = image_rule(image, &address, port);
			char text[INET6_ADDRSTRLEN];

			if (got != want)
				CHECK_FAIL("round %d: %s port %u: rule %u, expected %u", round,
					naive_text(&address, text), port, got, want);
			n_shut += want == ABI_RULE_NONE;
			n_open += want != ABI_RULE_NONE;
		}
		policy_image_free(image);
	}
	/* The draw is worth something only if both come up often. */
	CHECK(n_compiled > 1800 && n_open > 20000 && n_shut > 20000);
}
