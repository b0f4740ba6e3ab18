/* A million pairs of a policy and an act, made at random and close to the edges of what the policy
 * says: the host's matcher and the kernel's programs give each the same verdict, reason and rule.
 */
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
#include "tests/harness/kernel-scene.h"

#define N_POLICIES 100
#define N_PAIRS (1 << 20)
#define RULES_MAX 40
#define TICKETS 8

struct subject {
	struct policy *policy;
	struct policy_matcher *matcher;
	struct kernel_sandbox sandbox;
	struct abi_ticket tickets[TICKETS];
	bool gate, resolver, datagrams;
};

static struct subject subjects[N_POLICIES];
static uint64_t state = 0x9e3779b97f4a7c15ull;

/* xorshift64*: the same pairs in each run, so that a failure can be looked at again. */
static uint32_t draw(uint32_t below)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 33) % below;
}

/* ---- policies */

static const char *const bases[] = {"203.0.113.0", "198.51.100.64", "10.0.0.0", "10.1.2.0",
	"169.254.0.0", "192.168.7.0", "100.64.0.0", "8.8.8.0",
	"2001:db8::", "2001:db8:1::", "fd00::", "fe80::", "64:ff9b::", "2002:cb00:7100::"};

static size_t write_cidr(char *text)
{
	const char *base = bases[draw(ARRAY_SIZE(bases))];
	bool ipv6 = strchr(base, ':') != NULL;
	unsigned int bits = ipv6 ? 1 + draw(128) : 1 + draw(32);
	struct in6_addr address;
	char shown[INET6_ADDRSTRLEN];
	int family = ipv6 ? AF_INET6 : AF_INET;

	if (draw(12) == 0)
		return (size_t)sprintf(text, draw(2) ? "0.0.0.0/0" : "::/0");
	inet_pton(family, base, &address);
	for (unsigned int bit = bits; bit < (ipv6 ? 128 : 32); bit++)
		address.s6_addr[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	inet_ntop(family, &address, shown, sizeof(shown));
	return (size_t)sprintf(text, "%s/%u", shown, bits);
}

static size_t write_port(char *text)
{
	static const unsigned int ports[] = {1, 53, 80, 443, 8000, 8010, 65535};
	unsigned int first = ports[draw(ARRAY_SIZE(ports))];

	if (draw(3) == 0 && first < 65000)
		return (size_t)sprintf(text, "\"%u-%u\"", first, first + 1 + draw(500));
	return (size_t)sprintf(text, "%u", first);
}

static size_t write_rule(char *text)
{
	size_t n = (size_t)sprintf(text, "{\"cidr\":\"");

	n += write_cidr(text + n);
	n += (size_t)sprintf(text + n, "\"");
	if (draw(4)) {
		n += (size_t)sprintf(text + n, ",\"ports\":[");
		n += write_port(text + n);
		n += (size_t)sprintf(text + n, "]");
	}
	if (draw(3) == 0)
		n += (size_t)sprintf(text + n, ",\"protocol\":\"udp\"");
	return n + (size_t)sprintf(text + n, "}");
}

/* Rules that contradict the language are drawn again. */
static struct policy *make_policy(void)
{
	for (;;) {
		static char text[RULES_MAX * 256];
		size_t n = (size_t)sprintf(
			text, "{\"version\":1,\"name\":\"x\",\"network\":{\"allow\":[");
		struct policy *policy = NULL;

		for (unsigned int rules = draw(RULES_MAX), i = 0; i < rules; i++) {
			n += (size_t)sprintf(text + n, "%s", i ? "," : "");
			n += write_rule(text + n);
		}
		n += (size_t)sprintf(text + n, "]}}");
		if (policy_parse(text, n, "x", NULL, &policy, NULL) == 0)
			return policy;
	}
}

static void put_tickets(struct kernel_scene *scene, struct subject *subject)
{
	for (uint32_t i = 0; i < TICKETS; i++) {
		struct abi_ticket *ticket = &subject->tickets[i];

		*ticket = (struct abi_ticket){.sandbox = subject->sandbox.id, .n_ranges = draw(4)};
		for (uint32_t j = 0; j < ticket->n_ranges; j++)
			ticket->ranges[j] =
				(struct abi_port_range){.first = (uint16_t)(80 + j * 363),
					.last = (uint16_t)(80 + j * 363 + draw(20)),
					.rule = (uint16_t)draw(100),
					.protocol = IPPROTO_TCP};
		CHECK_INT(enforce_ticket_put(scene->enforce, subject->sandbox.slot,
				  subject->sandbox.generation, i, ticket),
			0);
	}
}

static void make_subject(struct kernel_scene *scene, struct subject *subject, unsigned int index)
{
	struct policy_image *image = NULL;
	char name[16];

	subject->policy = make_policy();
	CHECK_INT(policy_compile(subject->policy, &image, NULL), 0);
	CHECK_INT(policy_matcher_new(image, &subject->matcher), 0);
	kernel_sandbox_make(scene, &subject->sandbox);
	snprintf(name, sizeof(name), "%08x", index);
	subject->gate = draw(10) > 0;
	subject->resolver = subject->gate && draw(2);
	subject->datagrams = subject->gate && draw(2);
	kernel_sandbox_bind(scene, &subject->sandbox, name, image, subject->gate);
	if (subject->resolver)
		kernel_sandbox_give_resolver(scene, &subject->sandbox);
	if (subject->datagrams)
		kernel_sandbox_give_datagrams(scene, &subject->sandbox);
	put_tickets(scene, subject);
	policy_image_free(image);
}

/* ---- acts */

static struct abi_address draw_special(void)
{
	static const char *const texts[] = {"127.0.0.1", "0.0.0.0", "::1", "::", "::2",
		"169.254.169.254", "255.255.255.255", "224.0.0.1", "64:ff9b::7f00:1", "::127.0.0.1",
		"198.18.0.255", "198.19.255.255", "198.20.0.0", "fd43:6c6f:6368:6500::", "fe80::1",
		"100.100.100.200", "2002:7f00:1::"};
	const char *text = texts[draw(ARRAY_SIZE(texts))];
	struct abi_address address = {.bytes = {[10] = 0xff, [11] = 0xff}};

	if (inet_pton(AF_INET, text, &address.bytes[12]) != 1)
		inet_pton(AF_INET6, text, address.bytes);
	return address;
}

/* In a rule's prefix, or one bit outside it. */
static struct abi_address draw_near(const struct policy *policy)
{
	const struct policy_rule *rule = &policy->rules[draw((uint32_t)policy->n_rules)];
	struct abi_address address = rule->address;

	for (unsigned int bit = rule->prefix_bits; bit < 128; bit++)
		if (draw(3) == 0)
			address.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	if (draw(3) == 0 && rule->prefix_bits > 0)
		address.bytes[(rule->prefix_bits - 1) / 8] ^=
			(uint8_t)(0x80 >> (rule->prefix_bits - 1) % 8);
	return address;
}

static struct abi_address draw_address(const struct subject *subject)
{
	uint32_t kind = draw(10);
	uint32_t ticket = draw(TICKETS + 2);

	if (kind < 2)
		return draw_special();
	if (kind == 2)
		return match_from_ipv4(htonl(ABI_SYNTHETIC4_BASE + ticket));
	if (kind > 3 && subject->policy->n_rules > 0)
		return draw_near(subject->policy);
	return match_from_ipv4(htonl(draw(UINT32_MAX >> 1) * 2 + draw(2)));
}

static uint16_t draw_port(const struct kernel_scene *scene, const struct subject *subject)
{
	const uint16_t ports[] = {53, 80, 443, 444, 806, 8000, 8010, scene->gate_port,
		scene->dns_port, scene->datagram_port, (uint16_t)draw(65536)};
	const struct policy_rule *rule;
	int near;

	if (draw(2) || subject->policy->n_rules == 0)
		return ports[draw(ARRAY_SIZE(ports))];
	rule = &subject->policy->rules[draw((uint32_t)subject->policy->n_rules)];
	near = (draw(2) ? rule->ports[0].first : rule->ports[0].last) + (int)draw(3) - 1;
	return (uint16_t)near;
}

static void draw_pair(
	const struct kernel_scene *scene, const struct subject *subject, struct pair *ret_pair)
{
	static const uint8_t protocols[] = {
		IPPROTO_TCP, IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDP, IPPROTO_ICMP};

	*ret_pair = (struct pair){.address = draw_address(subject),
		.slot = draw(50) ? subject->sandbox.slot : ABI_SLOTS_MAX - 1 - draw(2) * 5,
		.port = draw_port(scene, subject),
		.protocol = protocols[draw(ARRAY_SIZE(protocols))],
		.spent = draw(20) ? 0 : (uint8_t)draw(1 << ABI_BUDGET_COUNTERS)};
}

/* ---- both judges */

static const struct abi_ticket *find_ticket(
	const struct subject *subject, const struct abi_address *address)
{
	for (uint32_t i = 0; i < TICKETS; i++) {
		struct abi_address mine = match_from_ipv4(htonl(ABI_SYNTHETIC4_BASE + i));

		if (memcmp(&mine, address, sizeof(mine)) == 0)
			return &subject->tickets[i];
	}
	return NULL;
}

static struct decide_verdict judge_on_host(
	const struct kernel_scene *scene, const struct subject *subject, const struct pair *pair)
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
	return policy_judge(subject->matcher, find_ticket(subject, &pair->address), &facts);
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

static void compare(struct kernel_scene *scene, const struct subject *owner,
	const struct pair *pair, uint64_t n_verdicts[4])
{
	struct decide_verdict host = judge_on_host(scene, owner, pair);
	char address[INET6_ADDRSTRLEN];

	n_verdicts[host.verdict & 3]++;
	if (host.verdict == pair->verdict && host.reason == pair->reason && host.rule == pair->rule)
		return;
	inet_ntop(AF_INET6, pair->address.bytes, address, sizeof(address));
	CHECK_FAIL("%s port %u protocol %u spent %u: the host says %u %u %u, the kernel %u %u %u, "
		   "by %s",
		address, pair->port, pair->protocol, pair->spent, host.verdict, host.reason,
		host.rule, pair->verdict, pair->reason, pair->rule, owner->policy->canonical);
}

TEST(host_and_kernel_judge_a_million_pairs_alike)
{
	struct kernel_scene *scene = kernel_scene();
	static const struct subject *owners[PAIRS_MAX];
	struct bpf_object *object = NULL;
	uint64_t n_verdicts[4] = {0};
	struct pair *pairs;
	int program_fd;

	for (unsigned int i = 0; i < N_POLICIES; i++)
		make_subject(scene, &subjects[i], i);
	program_fd = load_program(scene, &object);
	pairs = mmap(NULL, PAIRS_MAX * sizeof(*pairs), PROT_READ | PROT_WRITE, MAP_SHARED,
		bpf_map__fd(bpf_object__find_map_by_name(object, "pairs")), 0);
	CHECK(pairs != MAP_FAILED);
	for (unsigned int done = 0; done < N_PAIRS; done += PAIRS_MAX) {
		for (unsigned int i = 0; i < PAIRS_MAX; i++) {
			owners[i] = &subjects[draw(N_POLICIES)];
			draw_pair(scene, owners[i], &pairs[i]);
		}
		run_program(program_fd);
		for (unsigned int i = 0; i < PAIRS_MAX; i++)
			compare(scene, owners[i], &pairs[i], n_verdicts);
	}
	/* Of each kind enough, or the pairs are not worth their name. */
	for (size_t i = 0; i < 4; i++)
		if (n_verdicts[i] < N_PAIRS / 200)
			CHECK_FAIL(
				"only %llu of verdict %zu", (unsigned long long)n_verdicts[i], i);
	munmap(pairs, PAIRS_MAX * sizeof(*pairs));
	bpf_object__close(object);
	for (unsigned int i = 0; i < N_POLICIES; i++) {
		kernel_sandbox_end(scene, &subjects[i].sandbox);
		policy_matcher_free(subjects[i].matcher);
		policy_unref(subjects[i].policy);
	}
}
