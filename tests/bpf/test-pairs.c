/* A million pairs of a policy and an act, made at random and close to the edges of what the policy
 * says: the host's matcher and the kernel's programs give each the same verdict, reason and rule,
 * and say the same of a second policy that is asked beside the first. */
#include "tests/bpf/pairs.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/policy/matcher.h"
#include "tests/harness/check.h"
#include "tests/harness/draw.h"
#include "tests/harness/kernel-scene.h"

#define N_POLICIES 100
#define N_PAIRS (1 << 20)
#define TICKETS 8

struct subject {
	struct policy *policy;
	struct policy_matcher *matcher;
	struct kernel_sandbox sandbox;
	struct abi_ticket tickets[TICKETS];
	const struct subject *candidate; /* whose policy is the shadow; NULL: none */
	struct abi_ticket shadow_tickets[TICKETS];
	bool gate, resolver, datagrams;
};

static struct subject subjects[N_POLICIES];
static struct draw numbers = {DRAW_SEED};

static uint32_t pick(uint32_t below)
{
	return draw(&numbers, below);
}

static void put_tickets(struct kernel_scene *scene, const struct subject *subject,
	uint32_t generation, struct abi_ticket tickets[TICKETS])
{
	for (uint32_t i = 0; i < TICKETS; i++) {
		struct abi_ticket *ticket = &tickets[i];

		*ticket = (struct abi_ticket){.sandbox = subject->sandbox.id, .n_ranges = pick(4)};
		for (uint32_t j = 0; j < ticket->n_ranges; j++)
			ticket->ranges[j] =
				(struct abi_port_range){.first = (uint16_t)(80 + j * 363),
					.last = (uint16_t)(80 + j * 363 + pick(20)),
					.rule = (uint16_t)pick(100),
					.protocol = IPPROTO_TCP};
		CHECK_INT(enforce_ticket_put(
				  scene->enforce, subject->sandbox.slot, generation, i, ticket),
			0);
	}
}

/* Of one in eight, none. */
static void give_candidate(struct kernel_scene *scene, struct subject *subject)
{
	uint32_t slot = subject->sandbox.slot, generation;

	if (pick(8) == 0)
		return;
	subject->candidate = &subjects[pick(N_POLICIES)];
	CHECK_INT(enforce_shadow_next(scene->enforce, slot, &generation), 0);
	put_tickets(scene, subject, generation, subject->shadow_tickets);
	CHECK_INT(enforce_shadow_bind(
			  scene->enforce, slot, subject->candidate->sandbox.image, generation),
		0);
}

static void make_subject(struct kernel_scene *scene, struct subject *subject, unsigned int index)
{
	struct policy_image *image = NULL;
	char name[16];

	subject->policy = draw_policy(&numbers);
	CHECK_INT(policy_compile(subject->policy, &image, NULL), 0);
	CHECK_INT(policy_matcher_new(image, &subject->matcher), 0);
	kernel_sandbox_make(scene, &subject->sandbox);
	snprintf(name, sizeof(name), "%08x", index);
	subject->gate = pick(10) > 0;
	subject->resolver = subject->gate && pick(2);
	subject->datagrams = subject->gate && pick(2);
	kernel_sandbox_bind(scene, &subject->sandbox, name, image, subject->gate);
	if (subject->resolver)
		kernel_sandbox_give_resolver(scene, &subject->sandbox);
	if (subject->datagrams)
		kernel_sandbox_give_datagrams(scene, &subject->sandbox);
	put_tickets(scene, subject, subject->sandbox.generation, subject->tickets);
	policy_image_free(image);
}

/* ---- acts */

static struct abi_address draw_special(void)
{
	static const char *const texts[] = {"127.0.0.1", "0.0.0.0", "::1", "::", "::2",
		"169.254.169.254", "255.255.255.255", "224.0.0.1", "64:ff9b::7f00:1", "::127.0.0.1",
		"198.18.0.255", "198.19.255.255", "198.20.0.0", "fd43:6c6f:6368:6500::", "fe80::1",
		"100.100.100.200", "2002:7f00:1::"};
	const char *text = texts[pick(ARRAY_SIZE(texts))];
	struct abi_address address = {.bytes = {[10] = 0xff, [11] = 0xff}};

	if (inet_pton(AF_INET, text, &address.bytes[12]) != 1)
		inet_pton(AF_INET6, text, address.bytes);
	return address;
}

/* In a rule's prefix, or one bit outside it. */
static struct abi_address draw_near(const struct policy *policy)
{
	const struct policy_rule *rule = &policy->rules[pick((uint32_t)policy->n_rules)];
	struct abi_address address = rule->address;

	for (unsigned int bit = rule->prefix_bits; bit < 128; bit++)
		if (pick(3) == 0)
			address.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	if (pick(3) == 0 && rule->prefix_bits > 0)
		address.bytes[(rule->prefix_bits - 1) / 8] ^=
			(uint8_t)(0x80 >> (rule->prefix_bits - 1) % 8);
	return address;
}

static struct abi_address draw_address(const struct subject *subject)
{
	uint32_t kind = pick(10);
	uint32_t ticket = pick(TICKETS + 2);

	if (kind < 2)
		return draw_special();
	if (kind == 2)
		return match_from_ipv4(htonl(ABI_SYNTHETIC4_BASE + ticket));
	if (kind > 3 && subject->policy->n_rules > 0)
		return draw_near(subject->policy);
	return match_from_ipv4(htonl(pick(UINT32_MAX >> 1) * 2 + pick(2)));
}

static uint16_t draw_port(const struct kernel_scene *scene, const struct subject *subject)
{
	const uint16_t ports[] = {53, 80, 443, 444, 806, 8000, 8010, scene->gate_port,
		scene->dns_port, scene->datagram_port, (uint16_t)pick(65536)};
	const struct policy_rule *rule;
	int near;

	if (pick(2) || subject->policy->n_rules == 0)
		return ports[pick(ARRAY_SIZE(ports))];
	rule = &subject->policy->rules[pick((uint32_t)subject->policy->n_rules)];
	near = (pick(2) ? rule->ports[0].first : rule->ports[0].last) + (int)pick(3) - 1;
	return (uint16_t)near;
}

static void draw_pair(
	const struct kernel_scene *scene, const struct subject *subject, struct pair *ret_pair)
{
	static const uint8_t protocols[] = {
		IPPROTO_TCP, IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDP, IPPROTO_ICMP};

	*ret_pair = (struct pair){.address = draw_address(subject),
		.slot = pick(50) ? subject->sandbox.slot : ABI_SLOTS_MAX - 1 - pick(2) * 5,
		.port = draw_port(scene, subject),
		.protocol = protocols[pick(ARRAY_SIZE(protocols))],
		.spent = pick(20) ? 0 : (uint8_t)pick(1 << ABI_BUDGET_COUNTERS)};
}

/* ---- both judges */

static const struct abi_ticket *find_ticket(
	const struct abi_ticket tickets[TICKETS], const struct abi_address *address)
{
	for (uint32_t i = 0; i < TICKETS; i++) {
		struct abi_address mine = match_from_ipv4(htonl(ABI_SYNTHETIC4_BASE + i));

		if (memcmp(&mine, address, sizeof(mine)) == 0)
			return &tickets[i];
	}
	return NULL;
}

static struct decide_verdict judge_on_host(const struct kernel_scene *scene,
	const struct subject *subject, const struct pair *pair, struct decide_facts *ret_facts)
{
	struct decide_facts facts = {.address = pair->address,
		.port = pair->port,
		.protocol = pair->protocol,
		.spent = pair->spent};

	if (pair->slot == subject->sandbox.slot) {
		facts.live = true;
		facts.sandbox = subject->sandbox.id;
		facts.gate_port = subject->gate ? scene->gate_port : 0;
		facts.dns_port = subject->resolver ? scene->dns_port : 0;
		facts.datagram_port = subject->datagrams ? scene->datagram_port : 0;
	}
	*ret_facts = facts;
	return policy_judge(
		subject->matcher, find_ticket(subject->tickets, &pair->address), &facts);
}

static int open_pin(const struct kernel_scene *scene, const char *name)
{
	char pattern[256];
	glob_t found;
	int fd;

	snprintf(pattern, sizeof(pattern), "%s/set-*/%s", scene->pins, name);
	CHECK_INT(glob(pattern, 0, NULL, &found), 0);
	fd = bpf_obj_get(found.gl_pathv[0]);
	globfree(&found);
	return fd;
}

static int load_program(const struct kernel_scene *scene, struct bpf_object **ret_object)
{
	static const char *const maps[] = {"slots", "exact", "cidrs", "tickets"};
	const char *build = getenv("B");
	struct bpf_program *program;
	char path[512];

	snprintf(path, sizeof(path), "%s/tests/bpf/pairs.bpf.o", build ? build : "build");
	*ret_object = bpf_object__open_file(path, NULL);
	CHECK(*ret_object != NULL);
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(*ret_object, maps[i]);
		_cleanup_close_ int fd = -1;

		fd = open_pin(scene, maps[i]);
		CHECK(map != NULL && fd >= 0);
		CHECK_INT(bpf_map__reuse_fd(map, fd), 0);
	}
	CHECK_INT(bpf_object__load(*ret_object), 0);
	program = bpf_object__find_program_by_name(*ret_object, "cloche_judge_pairs");
	CHECK(program != NULL);
	return bpf_program__fd(program);
}

static void run_program(int program_fd)
{
	char packet[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof(packet));

	CHECK_INT(bpf_prog_test_run_opts(program_fd, &options), 0);
}

struct tally {
	uint64_t verdicts[4], outcomes[4];
};

static void compare_shadow(const struct subject *owner, const struct pair *pair,
	const struct decide_facts *facts, struct decide_verdict enforced, struct tally *tally)
{
	uint8_t outcome = ABI_SHADOW_AGREED;
	uint16_t rule = ABI_RULE_NONE;
	char address[INET6_ADDRSTRLEN];

	if (owner->candidate && facts->live)
		outcome = draw_shadow_expected(owner->candidate->matcher,
			find_ticket(owner->shadow_tickets, &pair->address), facts, enforced, &rule);
	tally->outcomes[outcome]++;
	if (outcome == pair->shadow_outcome &&
		(outcome == ABI_SHADOW_AGREED || rule == pair->shadow_rule))
		return;
	inet_ntop(AF_INET6, pair->address.bytes, address, sizeof(address));
	CHECK_FAIL("%s port %u protocol %u spent %u, %u %u %u: the host says of the shadow %u %u, "
		   "the kernel %u %u, by %s",
		address, pair->port, pair->protocol, pair->spent, enforced.verdict, enforced.reason,
		enforced.rule, outcome, rule, pair->shadow_outcome, pair->shadow_rule,
		owner->candidate ? owner->candidate->policy->canonical : "none");
}

static void compare(struct kernel_scene *scene, const struct subject *owner,
	const struct pair *pair, struct tally *tally)
{
	struct decide_facts facts;
	struct decide_verdict host = judge_on_host(scene, owner, pair, &facts);
	char address[INET6_ADDRSTRLEN];

	tally->verdicts[host.verdict & 3]++;
	compare_shadow(owner, pair, &facts, host, tally);
	if (host.verdict == pair->verdict && host.reason == pair->reason && host.rule == pair->rule)
		return;
	inet_ntop(AF_INET6, pair->address.bytes, address, sizeof(address));
	CHECK_FAIL("%s port %u protocol %u spent %u: the host says %u %u %u, the kernel %u %u %u, "
		   "by %s",
		address, pair->port, pair->protocol, pair->spent, host.verdict, host.reason,
		host.rule, pair->verdict, pair->reason, pair->rule, owner->policy->canonical);
}

/* Of each kind enough, or the pairs are not worth their name. */
static void check_tally(const struct tally *tally)
{
	for (size_t i = 0; i < ARRAY_SIZE(tally->verdicts); i++)
		if (tally->verdicts[i] < N_PAIRS / 200)
			CHECK_FAIL("only %llu of verdict %zu",
				(unsigned long long)tally->verdicts[i], i);
	for (size_t i = ABI_SHADOW_AGREED; i <= ABI_SHADOW_WOULD_ALLOW; i++)
		if (tally->outcomes[i] < N_PAIRS / 200)
			CHECK_FAIL("only %llu of outcome %zu",
				(unsigned long long)tally->outcomes[i], i);
}

TEST(host_and_kernel_judge_a_million_pairs_alike)
{
	struct kernel_scene *scene = kernel_scene();
	static const struct subject *owners[PAIRS_MAX];
	struct bpf_object *object = NULL;
	struct tally tally = {0};
	struct pair *pairs;
	int program_fd;

	for (unsigned int i = 0; i < N_POLICIES; i++)
		make_subject(scene, &subjects[i], i);
	for (unsigned int i = 0; i < N_POLICIES; i++)
		give_candidate(scene, &subjects[i]);
	program_fd = load_program(scene, &object);
	pairs = mmap(NULL, PAIRS_MAX * sizeof(*pairs), PROT_READ | PROT_WRITE, MAP_SHARED,
		bpf_map__fd(bpf_object__find_map_by_name(object, "pairs")), 0);
	CHECK(pairs != MAP_FAILED);
	for (unsigned int done = 0; done < N_PAIRS; done += PAIRS_MAX) {
		for (unsigned int i = 0; i < PAIRS_MAX; i++) {
			owners[i] = &subjects[pick(N_POLICIES)];
			draw_pair(scene, owners[i], &pairs[i]);
		}
		run_program(program_fd);
		for (unsigned int i = 0; i < PAIRS_MAX; i++)
			compare(scene, owners[i], &pairs[i], &tally);
	}
	check_tally(&tally);
	munmap(pairs, PAIRS_MAX * sizeof(*pairs));
	bpf_object__close(object);
	for (unsigned int i = 0; i < N_POLICIES; i++) {
		kernel_sandbox_end(scene, &subjects[i].sandbox);
		policy_matcher_free(subjects[i].matcher);
		policy_unref(subjects[i].policy);
	}
}
