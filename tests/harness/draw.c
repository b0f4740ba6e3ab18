#include "tests/harness/draw.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/base/cleanup.h"

#define RULES_MAX 40

/* xorshift64* */
uint32_t draw(struct draw *from, uint32_t below)
{
	from->state ^= from->state >> 12;
	from->state ^= from->state << 25;
	from->state ^= from->state >> 27;
	return (uint32_t)((from->state * 0x2545f4914f6cdd1dull) >> 33) % below;
}

static const char *const bases[] = {"203.0.113.0", "198.51.100.64", "10.0.0.0", "10.1.2.0",
	"169.254.0.0", "192.168.7.0", "100.64.0.0", "8.8.8.0",
	"2001:db8::", "2001:db8:1::", "fd00::", "fe80::", "64:ff9b::", "2002:cb00:7100::"};

static size_t write_cidr(struct draw *from, char *text)
{
	const char *base = bases[draw(from, ARRAY_SIZE(bases))];
	bool ipv6 = strchr(base, ':') != NULL;
	unsigned int bits = ipv6 ? 1 + draw(from, 128) : 1 + draw(from, 32);
	struct in6_addr address;
	char shown[INET6_ADDRSTRLEN];
	int family = ipv6 ? AF_INET6 : AF_INET;

	if (draw(from, 12) == 0)
		return (size_t)sprintf(text, draw(from, 2) ? "0.0.0.0/0" : "::/0");
	inet_pton(family, base, &address);
	for (unsigned int bit = bits; bit < (ipv6 ? 128 : 32); bit++)
		address.s6_addr[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	inet_ntop(family, &address, shown, sizeof(shown));
	return (size_t)sprintf(text, "%s/%u", shown, bits);
}

static size_t write_port(struct draw *from, char *text)
{
	static const unsigned int ports[] = {1, 53, 80, 443, 8000, 8010, 65535};
	unsigned int first = ports[draw(from, ARRAY_SIZE(ports))];

	if (draw(from, 3) == 0 && first < 65000)
		return (size_t)sprintf(text, "\"%u-%u\"", first, first + 1 + draw(from, 500));
	return (size_t)sprintf(text, "%u", first);
}

static size_t write_rule(struct draw *from, char *text)
{
	size_t n = (size_t)sprintf(text, "{\"cidr\":\"");

	n += write_cidr(from, text + n);
	n += (size_t)sprintf(text + n, "\"");
	if (draw(from, 4)) {
		n += (size_t)sprintf(text + n, ",\"ports\":[");
		n += write_port(from, text + n);
		n += (size_t)sprintf(text + n, "]");
	}
	if (draw(from, 3) == 0)
		n += (size_t)sprintf(text + n, ",\"protocol\":\"udp\"");
	return n + (size_t)sprintf(text + n, "}");
}

/* Rules that contradict the language are drawn again. */
struct policy *draw_policy(struct draw *from)
{
	for (;;) {
		static char text[RULES_MAX * 256];
		size_t n = (size_t)sprintf(
			text, "{\"version\":1,\"name\":\"x\",\"network\":{\"allow\":[");
		struct policy *policy = NULL;

		for (unsigned int rules = draw(from, RULES_MAX), i = 0; i < rules; i++) {
			n += (size_t)sprintf(text + n, "%s", i ? "," : "");
			n += write_rule(from, text + n);
		}
		n += (size_t)sprintf(text + n, "]}}");
		if (policy_parse(text, n, "x", NULL, &policy, NULL) == 0)
			return policy;
	}
}

uint8_t draw_shadow_expected(const struct policy_matcher *candidate,
	const struct abi_ticket *ticket, const struct decide_facts *facts,
	struct decide_verdict enforced, uint16_t *ret_rule)
{
	struct decide_facts open = *facts;
	struct decide_verdict would;
	bool allows;

	/* The candidate would have the gate that it needs, and its own budget. */
	open.gate_port = facts->gate_port ? facts->gate_port : 1;
	open.datagram_port = facts->datagram_port ? facts->datagram_port : 1;
	open.spent = 0;
	would = policy_judge(candidate, ticket, &open);
	allows = would.verdict == ABI_VERDICT_REDIRECT;
	*ret_rule = allows ? would.rule : ABI_RULE_NONE;
	if (enforced.verdict == ABI_VERDICT_REDIRECT)
		return allows ? ABI_SHADOW_AGREED : ABI_SHADOW_WOULD_DENY;
	if (enforced.reason == ABI_REASON_DEFAULT || enforced.reason == ABI_REASON_TICKET)
		return allows ? ABI_SHADOW_WOULD_ALLOW : ABI_SHADOW_AGREED;
	return ABI_SHADOW_AGREED;
}
