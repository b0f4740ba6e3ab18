/* Destinations and what becomes of them. One table, judged by the host's build of bpf/lib
 * (tests/table/test-verdict-rows.c) and by real system calls under the real programs
 * (tests/bpf/test-verdict-rows.c). */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "bpf/abi/event.h"
#include "bpf/lib/match.h"
#include "supervisor/policy/policy.h"

enum row_how {
	ROW_TCP,          /* connect */
	ROW_TCP_FASTOPEN, /* sendto with MSG_FASTOPEN */
	ROW_UDP_CONNECT,
	ROW_UDP_SENDTO,
	ROW_UDP_OTHER, /* connected to loopback, then sendto this */
};

enum row_image { ROW_NO_RULES, ROW_IMAGE_A, ROW_IMAGE_B };

#define ROW_GATE 0 /* as a port: the gate's */

struct row {
	const char *address; /* as the program writes it: decides the family of the socket */
	uint16_t port;
	enum row_how how;
	enum row_image image;
	bool no_gate;
	uint8_t verdict, reason;
	uint16_t rule;
	int error; /* what the call must give: 0 or errno */
};

#define RELAYED(rule) ABI_VERDICT_REDIRECT, ABI_REASON_RULE, rule, 0
#define INSIDE(error) ABI_VERDICT_ALLOW, ABI_REASON_LOOPBACK, ABI_RULE_NONE, error
#define DENIED ABI_VERDICT_DENY, ABI_REASON_DEFAULT, ABI_RULE_NONE, EPERM
#define GATE_DENIED ABI_VERDICT_DENY, ABI_REASON_GATE_PORT, ABI_RULE_NONE, EPERM

/* Image A: 0: 203.0.113.7:443   1: 203.0.113.0/24:8000-8010, without 203.0.113.128/25
 *          2: 2001:db8:1::/48:443   3: [2001:db8:2::5]:80   4: 192.0.2.0/24, all ports
 *          5: 203.0.113.64/26:22 beside rule 1
 * Image B: 0: 198.51.100.0/24:443 */
static const struct row rows[] = {
	/* exact rules */
	{"203.0.113.7", 443, ROW_TCP, ROW_IMAGE_A, false, RELAYED(0)},
	{"::ffff:203.0.113.7", 443, ROW_TCP, ROW_IMAGE_A, false, RELAYED(0)},
	{"203.0.113.7", 444, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	{"::ffff:203.0.113.7", 444, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	{"203.0.113.8", 443, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	{"2001:db8:2::5", 80, ROW_TCP, ROW_IMAGE_A, false, RELAYED(3)},
	{"2001:db8:2::6", 80, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	/* prefixes: edges of addresses and ports, holes, overlap */
	{"203.0.113.0", 8000, ROW_TCP, ROW_IMAGE_A, false, RELAYED(1)},
	{"203.0.113.63", 8010, ROW_TCP, ROW_IMAGE_A, false, RELAYED(1)},
	{"::ffff:203.0.113.63", 8010, ROW_TCP, ROW_IMAGE_A, false, RELAYED(1)},
	{"203.0.113.63", 7999, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	{"203.0.113.63", 8011, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	{"203.0.112.255", 8000, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	{"203.0.114.0", 8000, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	{"203.0.113.128", 8000, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	{"203.0.113.127", 22, ROW_TCP, ROW_IMAGE_A, false, RELAYED(5)},
	{"203.0.113.127", 8005, ROW_TCP, ROW_IMAGE_A, false, RELAYED(1)},
	{"203.0.113.63", 22, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	{"192.0.2.1", 1, ROW_TCP, ROW_IMAGE_A, false, RELAYED(4)},
	{"192.0.2.1", 65535, ROW_TCP, ROW_IMAGE_A, false, RELAYED(4)},
	{"2001:db8:1:ffff::1", 443, ROW_TCP, ROW_IMAGE_A, false, RELAYED(2)},
	{"2001:db8:1:ffff::1", 80, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	{"2001:db8:3::1", 443, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	/* forms of IPv6 that hold an IPv4 address but are not it */
	{"::203.0.113.7", 443, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	{"64:ff9b::203.0.113.7", 443, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	{"2002:cb00:7107::1", 443, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	/* another image, no image, no gate */
	{"198.51.100.9", 443, ROW_TCP, ROW_IMAGE_B, false, RELAYED(0)},
	{"198.51.100.9", 443, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	{"203.0.113.7", 443, ROW_TCP, ROW_IMAGE_B, false, DENIED},
	{"203.0.113.7", 443, ROW_TCP, ROW_NO_RULES, false, DENIED},
	{"203.0.113.7", 443, ROW_TCP, ROW_IMAGE_A, true, ABI_VERDICT_DENY, ABI_REASON_NO_GATE, 0,
		EPERM},
	/* loopback stays inside: nobody listens on port 1 */
	{"127.0.0.1", 1, ROW_TCP, ROW_IMAGE_A, false, INSIDE(ECONNREFUSED)},
	{"127.0.0.1", 1, ROW_TCP, ROW_NO_RULES, true, INSIDE(ECONNREFUSED)},
	{"127.255.255.254", 1, ROW_TCP, ROW_IMAGE_A, false, INSIDE(ECONNREFUSED)},
	{"126.255.255.255", 1, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	{"128.0.0.0", 1, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	{"::ffff:127.0.0.1", 1, ROW_TCP, ROW_IMAGE_A, false, INSIDE(ECONNREFUSED)},
	{"::1", 1, ROW_TCP, ROW_IMAGE_A, false, INSIDE(ECONNREFUSED)},
	{"::", 1, ROW_TCP, ROW_IMAGE_A, false, INSIDE(ECONNREFUSED)},
	{"0.0.0.0", 1, ROW_TCP, ROW_IMAGE_A, false, INSIDE(ECONNREFUSED)},
	{"::ffff:0.0.0.0", 1, ROW_TCP, ROW_IMAGE_A, false, INSIDE(ECONNREFUSED)},
	{"0.0.0.1", 1, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	{"::2", 1, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	{"::127.0.0.1", 1, ROW_TCP, ROW_IMAGE_A, false, DENIED},
	/* the relay's own port, by each name of it */
	{"127.0.0.1", ROW_GATE, ROW_TCP, ROW_IMAGE_A, false, GATE_DENIED},
	{"127.9.9.9", ROW_GATE, ROW_TCP, ROW_IMAGE_A, false, GATE_DENIED},
	{"0.0.0.0", ROW_GATE, ROW_TCP, ROW_IMAGE_A, false, GATE_DENIED},
	{"::1", ROW_GATE, ROW_TCP, ROW_IMAGE_A, false, GATE_DENIED},
	{"::", ROW_GATE, ROW_TCP, ROW_IMAGE_A, false, GATE_DENIED},
	{"::ffff:127.0.0.1", ROW_GATE, ROW_TCP, ROW_IMAGE_A, false, GATE_DENIED},
	{"::ffff:0.0.0.0", ROW_GATE, ROW_TCP, ROW_IMAGE_A, false, GATE_DENIED},
	{"127.0.0.1", ROW_GATE, ROW_TCP_FASTOPEN, ROW_IMAGE_A, false, GATE_DENIED},
	{"192.0.2.1", ROW_GATE, ROW_TCP, ROW_IMAGE_A, false, RELAYED(4)},
	/* TCP Fast Open is a connect */
	{"203.0.113.7", 443, ROW_TCP_FASTOPEN, ROW_IMAGE_A, false, RELAYED(0)},
	{"203.0.113.7", 444, ROW_TCP_FASTOPEN, ROW_IMAGE_A, false, DENIED},
	{"2001:db8:2::5", 80, ROW_TCP_FASTOPEN, ROW_IMAGE_A, false, RELAYED(3)},
	{"2001:db8:2::6", 80, ROW_TCP_FASTOPEN, ROW_IMAGE_A, false, DENIED},
	/* UDP: inside or not at all, also where a rule for TCP matches */
	{"203.0.113.7", 443, ROW_UDP_CONNECT, ROW_IMAGE_A, false, DENIED},
	{"192.0.2.1", 53, ROW_UDP_SENDTO, ROW_IMAGE_A, false, DENIED},
	{"192.0.2.1", 53, ROW_UDP_OTHER, ROW_IMAGE_A, false, DENIED},
	{"::ffff:192.0.2.1", 53, ROW_UDP_SENDTO, ROW_IMAGE_A, false, DENIED},
	{"::ffff:192.0.2.1", 53, ROW_UDP_CONNECT, ROW_IMAGE_A, false, DENIED},
	{"::ffff:192.0.2.1", 53, ROW_UDP_OTHER, ROW_IMAGE_A, false, DENIED},
	{"2001:db8:1::1", 443, ROW_UDP_SENDTO, ROW_IMAGE_A, false, DENIED},
	{"2001:db8:1::1", 443, ROW_UDP_CONNECT, ROW_IMAGE_A, false, DENIED},
	{"255.255.255.255", 67, ROW_UDP_SENDTO, ROW_IMAGE_A, false, DENIED},
	{"224.0.0.251", 5353, ROW_UDP_SENDTO, ROW_IMAGE_A, false, DENIED},
	{"127.0.0.1", 1, ROW_UDP_SENDTO, ROW_NO_RULES, true, INSIDE(0)},
	{"127.0.0.2", 1, ROW_UDP_OTHER, ROW_NO_RULES, true, INSIDE(0)},
	{"127.0.0.1", 1, ROW_UDP_CONNECT, ROW_NO_RULES, true, INSIDE(0)},
	{"0.0.0.0", 1, ROW_UDP_SENDTO, ROW_NO_RULES, true, INSIDE(0)},
	{"::1", 1, ROW_UDP_SENDTO, ROW_NO_RULES, true, INSIDE(0)},
	{"::", 1, ROW_UDP_SENDTO, ROW_NO_RULES, true, INSIDE(0)},
	{"::ffff:127.0.0.1", 1, ROW_UDP_SENDTO, ROW_NO_RULES, true, INSIDE(0)},
	/* the gate listens for TCP: the same number in UDP is the sandbox's own */
	{"127.0.0.1", ROW_GATE, ROW_UDP_SENDTO, ROW_IMAGE_A, false, INSIDE(0)},
};

static inline bool row_is_tcp(const struct row *row)
{
	return row->how == ROW_TCP || row->how == ROW_TCP_FASTOPEN;
}

static inline int row_family(const struct row *row)
{
	return strchr(row->address, ':') ? AF_INET6 : AF_INET;
}

/* In the one 16-byte form. */
static inline struct abi_address row_address(const char *text)
{
	struct abi_address address;
	struct in_addr ipv4;

	if (inet_pton(AF_INET, text, &ipv4) == 1)
		return match_from_ipv4(ipv4.s_addr);
	inet_pton(AF_INET6, text, &address);
	return address;
}

#define ROW_RANGE(from, to, id)                                                                    \
	{                                                                                          \
		.first = from, .last = to, .rule = id, .protocol = IPPROTO_TCP                     \
	}

/* Fills `ret_image` with one of the images above; its parts live in static storage. */
static inline void row_image(enum row_image which, struct policy_image *ret_image)
{
	static struct abi_exact_key exact[2];
	static uint32_t exact_rules[2] = {0, 3};
	static struct abi_cidr_key prefixes[5], prefix_b[1];
	static struct abi_cidr_value values[5] = {
		{.n_ranges = 1, .ranges = {ROW_RANGE(8000, 8010, 1)}},
		{.n_ranges = 0},
		{.n_ranges = 1, .ranges = {ROW_RANGE(443, 443, 2)}},
		{.n_ranges = 1, .ranges = {ROW_RANGE(0, 65535, 4)}},
		{.n_ranges = 2, .ranges = {ROW_RANGE(8000, 8010, 1), ROW_RANGE(22, 22, 5)}},
	};
	static struct abi_cidr_value value_b[1] = {
		{.n_ranges = 1, .ranges = {ROW_RANGE(443, 443, 0)}}};

	exact[0] = (struct abi_exact_key){
		.address = row_address("203.0.113.7"), .port = 443, .protocol = IPPROTO_TCP};
	exact[1] = (struct abi_exact_key){
		.address = row_address("2001:db8:2::5"), .port = 80, .protocol = IPPROTO_TCP};
	prefixes[0] = (struct abi_cidr_key){120, row_address("203.0.113.0")};
	prefixes[1] = (struct abi_cidr_key){121, row_address("203.0.113.128")};
	prefixes[2] = (struct abi_cidr_key){48, row_address("2001:db8:1::")};
	prefixes[3] = (struct abi_cidr_key){120, row_address("192.0.2.0")};
	prefixes[4] = (struct abi_cidr_key){122, row_address("203.0.113.64")};
	prefix_b[0] = (struct abi_cidr_key){120, row_address("198.51.100.0")};
	*ret_image = (struct policy_image){0};
	if (which == ROW_IMAGE_A)
		*ret_image = (struct policy_image){exact, exact_rules, 2, prefixes, values, 5};
	if (which == ROW_IMAGE_B)
		*ret_image = (struct policy_image){NULL, NULL, 0, prefix_b, value_b, 1};
}
