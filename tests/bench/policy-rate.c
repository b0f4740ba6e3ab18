/* How long a policy of many rules takes to read and to compile, and one decision by it on the host.
 *
 * policy-rate [RULES]: rules of every kind in the first (10,000), half of them networks, a quarter
 * addresses and a quarter names. Decisions are about addresses, half of which some rule allows, by
 * policies of 10, 1,000 and RULES rules. Each figure is the best of ROUNDS. Prints one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/clock.h"
#include "supervisor/policy/matcher.h"

#define ROUNDS 5
#define DECISIONS 2000000
#define ADDRESSES 65536 /* a power of two: asked about in turn */

static void die(const struct failure *why)
{
	fprintf(stderr, "policy-rate: %s (%s)\n", why->sentence, why->location);
	exit(1);
}

/* On the heap. Networks and addresses lie in 11.0.0.0/8, which is not special. */
static char *write_policy(size_t n_rules, size_t *ret_size)
{
	char *text = NULL;
	FILE *stream = open_memstream(&text, ret_size);

	if (!stream)
		exit(1);
	fprintf(stream, "{\"version\":1,\"name\":\"many\",\"network\":{\"allow\":[");
	for (size_t i = 0; i < n_rules; i++) {
		const char *comma = i ? "," : "";

		if (i % 4 < 2)
			fprintf(stream, "%s{\"cidr\":\"11.%zu.%zu.0/25\",\"ports\":[443]}", comma,
				i >> 8 & 255, i & 255);
		else if (i % 4 == 2)
			fprintf(stream, "%s{\"cidr\":\"11.%zu.%zu.200\",\"ports\":[443]}", comma,
				i >> 8 & 255, i & 255);
		else
			fprintf(stream, "%s{\"name\":\"host%zu.example.org\",\"ports\":[443]}",
				comma, i);
	}
	fprintf(stream, "]}}");
	fclose(stream);
	return text;
}

static struct policy *read_policy(size_t n_rules, uint64_t *ret_ns)
{
	struct policy *policy = NULL;
	struct failure why = {0};
	size_t size = 0;
	char *text = write_policy(n_rules, &size);
	uint64_t begin_ns = clock_monotonic_ns();

	if (policy_parse(text, size, "many.json", NULL, &policy, &why) < 0)
		die(&why);
	*ret_ns = clock_monotonic_ns() - begin_ns;
	free(text);
	return policy;
}

static struct policy_image *compile(const struct policy *policy, uint64_t *ret_ns)
{
	struct policy_image *image = NULL;
	struct failure why = {0};
	uint64_t begin_ns = clock_monotonic_ns();

	if (policy_compile(policy, &image, &why) < 0)
		die(&why);
	*ret_ns = clock_monotonic_ns() - begin_ns;
	return image;
}

/* Every second one lies in a /25 or is a whole address of a rule, as far as there are so many. */
static struct abi_address address_for(size_t i, size_t n_rules)
{
	size_t rule = i * 2654435761U % n_rules;
	uint32_t host = i % 2 ? (rule % 4 == 2 ? 200 : 7) : 201;

	return match_from_ipv4(htonl(11U << 24 | (uint32_t)(rule & 0xffff) << 8 | host));
}

static uint64_t decide_many(const struct policy_matcher *matcher,
	const struct abi_address *addresses, size_t *ret_allowed)
{
	uint64_t begin_ns = clock_monotonic_ns();

	*ret_allowed = 0;
	for (size_t i = 0; i < DECISIONS; i++) {
		struct decide_facts facts = {.address = addresses[i & (ADDRESSES - 1)],
			.sandbox = 1,
			.port = 443,
			.gate_port = 1,
			.dns_port = 2,
			.protocol = IPPROTO_TCP,
			.live = true};

		*ret_allowed += policy_judge(matcher, NULL, &facts).verdict != ABI_VERDICT_DENY;
	}
	return clock_monotonic_ns() - begin_ns;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a && a < b ? a : b;
}

static void measure(size_t n_rules)
{
	static struct abi_address addresses[ADDRESSES];
	uint64_t check_ns = 0, compile_ns = 0, decide_ns = 0, ns;
	size_t n_allowed = 0;

	for (size_t i = 0; i < ADDRESSES; i++)
		addresses[i] = address_for(i, n_rules);
	for (size_t round = 0; round < ROUNDS; round++) {
		struct policy *policy = read_policy(n_rules, &ns);
		struct policy_matcher *matcher = NULL;
		struct policy_image *image;

		check_ns = least(check_ns, ns);
		image = compile(policy, &ns);
		compile_ns = least(compile_ns, ns);
		if (policy_matcher_new(image, &matcher) < 0)
			exit(1);
		decide_ns = least(decide_ns, decide_many(matcher, addresses, &n_allowed));
		policy_matcher_free(matcher);
		policy_image_free(image);
		policy_unref(policy);
	}
	printf("{\"rules\": %zu, \"check_ms\": %.2f, \"compile_ms\": %.2f, \"decide_ns\": %.1f, "
	       "\"allowed_share\": %.2f}",
		n_rules, (double)check_ns / 1e6, (double)compile_ns / 1e6,
		(double)decide_ns / DECISIONS, (double)n_allowed / DECISIONS);
}

int main(int argc, char **argv)
{
	size_t n_rules = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;

	if (n_rules < 1 || n_rules > POLICY_RULES_MAX) {
		fprintf(stderr, "policy-rate [RULES]: up to %d\n", POLICY_RULES_MAX);
		return 2;
	}
	printf("[");
	measure(10);
	printf(", ");
	measure(1000);
	printf(", ");
	measure(n_rules);
	printf("]\n");
	return 0;
}
