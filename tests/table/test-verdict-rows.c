/* Every row of tests/table/rows.h as the host judges it, and what no row can say. */
#include "supervisor/policy/matcher.h"
#include "tests/harness/check.h"
#include "tests/table/rows.h"

#define GATE_PORT 40000
#define DNS_PORT 40001
#define DATAGRAM_PORT 40002
#define SANDBOX 0x5b01

static struct decide_facts facts_of(const struct row *row)
{
	return (struct decide_facts){
		.address = row_address(row->address),
		.sandbox = SANDBOX,
		.port = row_port(row, (struct row_ports){GATE_PORT, DNS_PORT, DATAGRAM_PORT}),
		.gate_port = row->gate == ROW_NO_GATE ? 0 : GATE_PORT,
		.dns_port = row_has_resolver(row) ? DNS_PORT : 0,
		.datagram_port = row_has_datagrams(row) ? DATAGRAM_PORT : 0,
		.protocol = row_is_tcp(row) ? IPPROTO_TCP : IPPROTO_UDP,
		.live = true,
	};
}

static struct decide_verdict judge(const struct row *row, struct decide_facts *facts)
{
	const struct abi_ticket *found = row_ticket(&facts->address);
	struct policy_matcher *matcher;
	struct decide_verdict verdict;
	struct policy_image image;
	struct abi_ticket ticket;

	row_image(row->image, &image);
	CHECK_INT(policy_matcher_new(&image, &matcher), 0);
	if (found) {
		ticket = *found;
		ticket.sandbox = SANDBOX;
	}
	verdict = policy_judge(matcher, found ? &ticket : NULL, facts);
	if (row->how == ROW_UDP_CONNECT && verdict.verdict == ABI_VERDICT_DENY && found &&
		decide_needs_ticket(facts) && decide_is_probe(&ticket, facts))
		verdict.verdict = ABI_VERDICT_PROBE;
	policy_matcher_free(matcher);
	return verdict;
}

TEST(host_judges_every_row_as_written)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct decide_facts facts = facts_of(row);
		struct decide_verdict verdict = judge(row, &facts);

		if (verdict.verdict != row->verdict || verdict.reason != row->reason ||
			verdict.rule != row->rule)
			CHECK_FAIL("row %zu (%s port %u): verdict %u reason %u rule %u", i,
				row->address, row->port, verdict.verdict, verdict.reason,
				verdict.rule);
	}
}

TEST(denies_every_row_without_a_live_sandbox)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct decide_facts facts = facts_of(&rows[i]);
		struct decide_verdict verdict;

		facts.live = false;
		verdict = judge(&rows[i], &facts);
		CHECK_INT(verdict.verdict, ABI_VERDICT_DENY);
		CHECK_INT(verdict.reason, ABI_REASON_NO_SANDBOX);
	}
}

TEST(denies_protocols_other_than_tcp_and_udp_even_inside)
{
	struct decide_facts facts = {.address = row_address("127.0.0.1"), .port = 1, .live = true};

	for (int protocol = 0; protocol < 256; protocol++) {
		bool known = protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;

		facts.protocol = (uint8_t)protocol;
		CHECK_INT(decide_destination(&facts).verdict,
			known ? ABI_VERDICT_ALLOW : ABI_VERDICT_DENY);
	}
}

TEST(allows_only_stream_and_datagram_sockets_of_tcp_and_udp)
{
	static const struct {
		uint32_t family, type, protocol;
		bool live;
		uint8_t verdict, reason;
	} kinds[] = {
		{AF_INET, SOCK_STREAM, IPPROTO_TCP, true, ABI_VERDICT_ALLOW, ABI_REASON_LOOPBACK},
		{AF_INET6, SOCK_STREAM, IPPROTO_TCP, true, ABI_VERDICT_ALLOW, ABI_REASON_LOOPBACK},
		{AF_INET, SOCK_DGRAM, IPPROTO_UDP, true, ABI_VERDICT_ALLOW, ABI_REASON_LOOPBACK},
		{AF_INET6, SOCK_DGRAM, IPPROTO_UDP, true, ABI_VERDICT_ALLOW, ABI_REASON_LOOPBACK},
		{AF_INET, SOCK_STREAM, IPPROTO_TCP, false, ABI_VERDICT_DENY, ABI_REASON_NO_SANDBOX},
		{AF_INET, SOCK_STREAM, 262, true, ABI_VERDICT_DENY, ABI_REASON_SOCKET_TYPE},
		{AF_INET, SOCK_STREAM, 256, true, ABI_VERDICT_DENY, ABI_REASON_SOCKET_TYPE},
		{AF_INET, SOCK_STREAM, IPPROTO_UDP, true, ABI_VERDICT_DENY, ABI_REASON_SOCKET_TYPE},
		{AF_INET, SOCK_DGRAM, IPPROTO_ICMP, true, ABI_VERDICT_DENY, ABI_REASON_SOCKET_TYPE},
		{AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, true, ABI_VERDICT_DENY,
			ABI_REASON_SOCKET_TYPE},
		{AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, true, ABI_VERDICT_DENY,
			ABI_REASON_SOCKET_TYPE},
		{AF_INET, SOCK_RAW, IPPROTO_TCP, true, ABI_VERDICT_DENY, ABI_REASON_SOCKET_TYPE},
		{AF_INET, SOCK_RAW, IPPROTO_UDP, true, ABI_VERDICT_DENY, ABI_REASON_SOCKET_TYPE},
		{AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP, true, ABI_VERDICT_DENY,
			ABI_REASON_SOCKET_TYPE},
		{AF_PACKET, SOCK_DGRAM, IPPROTO_UDP, true, ABI_VERDICT_DENY, ABI_REASON_FAMILY},
		{AF_VSOCK, SOCK_STREAM, IPPROTO_TCP, true, ABI_VERDICT_DENY, ABI_REASON_FAMILY},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct decide_verdict verdict = decide_socket(
			kinds[i].live, kinds[i].family, kinds[i].type, kinds[i].protocol);

		CHECK_INT(verdict.verdict, kinds[i].verdict);
		CHECK_INT(verdict.reason, kinds[i].reason);
	}
}

TEST(binds_only_inside_and_never_the_gates_ports)
{
	static const struct {
		const char *address;
		uint16_t port;
		uint8_t protocol, verdict, reason;
	} binds[] = {
		{"0.0.0.0", 0, IPPROTO_TCP, ABI_VERDICT_ALLOW, ABI_REASON_LOOPBACK},
		{"::", 80, IPPROTO_TCP, ABI_VERDICT_ALLOW, ABI_REASON_LOOPBACK},
		{"127.0.0.9", 80, IPPROTO_UDP, ABI_VERDICT_ALLOW, ABI_REASON_LOOPBACK},
		{"8.8.8.8", 80, IPPROTO_TCP, ABI_VERDICT_DENY, ABI_REASON_BIND},
		{"2001:db8::1", 80, IPPROTO_UDP, ABI_VERDICT_DENY, ABI_REASON_BIND},
		{"0.0.0.0", GATE_PORT, IPPROTO_TCP, ABI_VERDICT_DENY, ABI_REASON_GATE_PORT},
		{"0.0.0.0", GATE_PORT, IPPROTO_UDP, ABI_VERDICT_ALLOW, ABI_REASON_LOOPBACK},
		{"0.0.0.0", DNS_PORT, IPPROTO_TCP, ABI_VERDICT_DENY, ABI_REASON_GATE_PORT},
		{"::1", DNS_PORT, IPPROTO_UDP, ABI_VERDICT_DENY, ABI_REASON_GATE_PORT},
		{"127.0.0.1", 53, IPPROTO_UDP, ABI_VERDICT_ALLOW, ABI_REASON_LOOPBACK},
		{"127.64.0.1", DATAGRAM_PORT, IPPROTO_UDP, ABI_VERDICT_DENY, ABI_REASON_GATE_PORT},
		{"127.64.0.1", DATAGRAM_PORT, IPPROTO_TCP, ABI_VERDICT_ALLOW, ABI_REASON_LOOPBACK},
		{"fd43:6c6f:6368:6500:7564:7000::1", 80, IPPROTO_UDP, ABI_VERDICT_DENY,
			ABI_REASON_BIND},
	};

	for (size_t i = 0; i < sizeof(binds) / sizeof(binds[0]); i++) {
		struct decide_facts facts = {.address = row_address(binds[i].address),
			.port = binds[i].port,
			.gate_port = GATE_PORT,
			.dns_port = DNS_PORT,
			.datagram_port = DATAGRAM_PORT,
			.protocol = binds[i].protocol,
			.live = true};
		struct decide_verdict verdict = decide_bind(&facts);

		CHECK_INT(verdict.verdict, binds[i].verdict);
		CHECK_INT(verdict.reason, binds[i].reason);
	}
}

TEST(a_value_that_claims_too_many_ranges_allows_none_beyond_them)
{
	struct abi_cidr_value value = {.n_ranges = UINT32_MAX};

	for (int i = 0; i < ABI_PORT_RANGES_MAX; i++)
		value.ranges[i] = (struct abi_port_range)ROW_RANGE(100, 100, 7);
	CHECK_INT(match_ranges(value.ranges, value.n_ranges, ABI_PORT_RANGES_MAX, IPPROTO_TCP, 100),
		7);
	CHECK_INT(match_ranges(value.ranges, UINT32_MAX, ABI_PORT_RANGES_MAX, IPPROTO_TCP, 101),
		ABI_RULE_NONE);
	CHECK_INT(match_ranges(value.ranges, UINT32_MAX, ABI_PORT_RANGES_MAX, IPPROTO_UDP, 100),
		ABI_RULE_NONE);
}

/* What the kernel shows when an IPv6 socket sends that is connected to a mapped address. */
TEST(only_a_socket_that_asks_may_name_the_resolver)
{
	struct decide_facts facts = {.address = row_address("127.0.0.1"),
		.port = DNS_PORT,
		.dns_port = DNS_PORT,
		.protocol = IPPROTO_UDP,
		.rule = ABI_RULE_NONE,
		.live = true,
		.asks = true};

	CHECK_INT(decide_destination(&facts).verdict, ABI_VERDICT_RESOLVE);
	facts.address = row_address("203.0.113.7");
	CHECK_INT(decide_destination(&facts).reason, ABI_REASON_DEFAULT);
	facts.address = row_address("127.0.0.1");
	facts.asks = false;
	CHECK_INT(decide_destination(&facts).reason, ABI_REASON_GATE_PORT);
	facts.asks = true;
	facts.dns_port = 0;
	CHECK_INT(decide_destination(&facts).verdict, ABI_VERDICT_ALLOW);
}

TEST(a_ticket_is_good_for_its_sandbox_and_its_protocol)
{
	struct abi_ticket ticket = {
		.sandbox = SANDBOX, .n_ranges = 1, .ranges = {ROW_RANGE(443, 443, 9)}};
	struct decide_facts facts = {.sandbox = SANDBOX, .port = 443, .protocol = IPPROTO_TCP};

	CHECK_INT(decide_ticket(&ticket, &facts), 9);
	facts.protocol = IPPROTO_UDP;
	CHECK_INT(decide_ticket(&ticket, &facts), ABI_RULE_NONE);
	facts.protocol = IPPROTO_TCP;
	facts.sandbox = SANDBOX + 1;
	CHECK_INT(decide_ticket(&ticket, &facts), ABI_RULE_NONE);
	facts.sandbox = ticket.sandbox = 0;
	CHECK_INT(decide_ticket(&ticket, &facts), ABI_RULE_NONE);
}

TEST(a_ticket_that_claims_too_many_ranges_opens_none_beyond_them)
{
	struct abi_ticket ticket = {.sandbox = SANDBOX, .n_ranges = UINT32_MAX};
	struct decide_facts facts = {.sandbox = SANDBOX, .port = 101, .protocol = IPPROTO_TCP};

	for (int i = 0; i < ABI_TICKET_RANGES_MAX; i++)
		ticket.ranges[i] = (struct abi_port_range)ROW_RANGE(100, 100, 7);
	CHECK_INT(decide_ticket(&ticket, &facts), ABI_RULE_NONE);
	facts.port = 100;
	CHECK_INT(decide_ticket(&ticket, &facts), 7);
}
