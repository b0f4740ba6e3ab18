/* Both images cut the address space into prefixes, in each of which all addresses fare alike but
 * for those in narrower ones. So the prefixes of both together are walked from wide to narrow, and
 * a change is told where it differs from that of the prefix around. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/lib/match.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/policy/diff/differ.h"
#include "supervisor/policy/matcher.h"
#include "supervisor/policy/network/port-set.h"
#include "supervisor/policy/network/prefix.h"

#define DEPTH_MAX 130 /* prefixes around one another: lengths 0 to 128 */
#define SIDES 2       /* before and after */
#define IPV4_BITS 96  /* length of ::ffff:0:0/96, which IPv4 lies in */

static const struct protocol {
	uint8_t number;
	const char *name;
} protocols[] = {{IPPROTO_TCP, "tcp"}, {IPPROTO_UDP, "udp"}};

#define PROTOCOLS ARRAY_SIZE(protocols)

/* What changes in one prefix. */
struct level {
	struct abi_cidr_key key;
	struct port_set gained[PROTOCOLS], lost[PROTOCOLS];
};

struct walk {
	const struct differ *differ;
	struct policy_image *images[SIDES];
	struct policy_matcher *matchers[SIDES];
	struct abi_cidr_key *keys; /* of both, sorted, each once */
	size_t n_keys;
	struct level *levels; /* those around the present one, and it */
	size_t depth;
};

static int compare_keys(const void *a, const void *b)
{
	return prefix_compare(a, b);
}

static int gather_keys(struct walk *walk)
{
	size_t n = 0, n_all = 0;

	for (size_t i = 0; i < SIDES; i++)
		n_all += walk->images[i]->n_cidr + walk->images[i]->n_exact;
	walk->keys = calloc(n_all + 1, sizeof(*walk->keys));
	if (!walk->keys)
		return -ENOMEM;
	for (size_t i = 0; i < SIDES; i++) {
		const struct policy_image *image = walk->images[i];

		for (size_t j = 0; j < image->n_cidr; j++)
			walk->keys[n++] = image->cidr_keys[j];
		for (size_t j = 0; j < image->n_exact; j++)
			walk->keys[n++] = (struct abi_cidr_key){128, image->exact_keys[j].address};
	}
	qsort(walk->keys, n, sizeof(*walk->keys), compare_keys);
	for (size_t i = 0; i < n; i++)
		if (walk->n_keys == 0 ||
			prefix_compare(&walk->keys[walk->n_keys - 1], &walk->keys[i]) != 0)
			walk->keys[walk->n_keys++] = walk->keys[i];
	return 0;
}

/* Exact rules are sorted by address. */
static void add_exact(const struct policy_image *image, const struct abi_cidr_key *key,
	uint8_t protocol, struct port_set *set)
{
	size_t from = 0, to = image->n_exact;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (memcmp(&image->exact_keys[middle].address, &key->address,
			    sizeof(key->address)) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	for (; from < image->n_exact; from++) {
		const struct abi_exact_key *exact = &image->exact_keys[from];

		if (memcmp(&exact->address, &key->address, sizeof(key->address)) != 0)
			break;
		if (exact->protocol == protocol)
			port_set_add(set, exact->port, exact->port);
	}
}

static void fill_ports(const struct walk *walk, size_t side, const struct abi_cidr_key *key,
	uint8_t protocol, struct port_set *ret_set)
{
	const struct abi_cidr_value *value = policy_matcher_longest(walk->matchers[side], key);

	memset(ret_set, 0, sizeof(*ret_set));
	for (uint32_t i = 0; value && i < value->n_ranges; i++)
		if (value->ranges[i].protocol == protocol)
			port_set_add(ret_set, value->ranges[i].first, value->ranges[i].last);
	if (key->prefix_bits == 128)
		add_exact(walk->images[side], key, protocol, ret_set);
}

/* IPv4 lies in IPv6's space, but a rule for the one is none for the other. */
static bool is_apart(const struct abi_cidr_key *outer, const struct abi_cidr_key *inner)
{
	return outer->prefix_bits < IPV4_BITS && inner->prefix_bits >= IPV4_BITS &&
	       match_is_ipv4(&inner->address);
}

static void tell(const struct walk *walk, const struct level *level, const struct level *around,
	size_t protocol)
{
	static const struct port_set empty;
	const struct port_set *gained = &level->gained[protocol], *lost = &level->lost[protocol];
	char prefix[POLICY_PREFIX_TEXT_SIZE], what[96];

	if (port_set_same(gained, around ? &around->gained[protocol] : &empty) &&
		port_set_same(lost, around ? &around->lost[protocol] : &empty))
		return;
	prefix_format(&level->key, prefix);
	snprintf(what, sizeof(what), "%s %s", prefix, protocols[protocol].name);
	if (port_set_is_empty(gained) && port_set_is_empty(lost)) {
		/* Everybody who writes a wide rule is told of these by the language. */
		if (!special_is(&level->key))
			differ_report(walk->differ, POLICY_CHANGE_SAME, "network", "%s", what);
		return;
	}
	differ_report_ports(walk->differ, "network", what, lost, gained);
}

static void visit(struct walk *walk, const struct abi_cidr_key *key)
{
	struct level *level, *around;

	while (walk->depth > 0 && !prefix_contains(&walk->levels[walk->depth - 1].key, key))
		walk->depth--;
	level = &walk->levels[walk->depth];
	around = walk->depth > 0 && !is_apart(&level[-1].key, key) ? level - 1 : NULL;
	walk->depth++;
	level->key = *key;
	for (size_t i = 0; i < PROTOCOLS; i++) {
		struct port_set before, after;

		fill_ports(walk, 0, key, protocols[i].number, &before);
		fill_ports(walk, 1, key, protocols[i].number, &after);
		port_set_minus(&after, &before, &level->gained[i]);
		port_set_minus(&before, &after, &level->lost[i]);
		tell(walk, level, around, i);
	}
}

static int prepare(struct walk *walk)
{
	int r;

	walk->levels = calloc(DEPTH_MAX, sizeof(*walk->levels));
	r = walk->levels ? gather_keys(walk) : -ENOMEM;
	for (size_t i = 0; r == 0 && i < SIDES; i++)
		r = policy_matcher_new(walk->images[i], &walk->matchers[i]);
	return r;
}

int diff_addresses(const struct differ *differ, struct failure *why)
{
	struct walk walk = {.differ = differ};
	int r = policy_compile(differ->before, &walk.images[0], why);

	if (r == 0)
		r = policy_compile(differ->after, &walk.images[1], why);
	if (r == 0) {
		r = prepare(&walk);
		if (r < 0)
			failure_set(why, r, "compare policies", "There is no memory left.");
	}
	for (size_t i = 0; r == 0 && i < walk.n_keys; i++)
		visit(&walk, &walk.keys[i]);
	free(walk.levels);
	free(walk.keys);
	for (size_t i = 0; i < SIDES; i++) {
		policy_matcher_free(walk.matchers[i]);
		policy_image_free(walk.images[i]);
	}
	return r;
}
