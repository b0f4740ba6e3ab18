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
	ROW_UDP_CONNECTED_SEND, /* connect, which succeeds, then send */
	ROW_UDP_OTHER,          /* connected to loopback, then sendto this */
};

enum row_image { ROW_NO_RULES, ROW_IMAGE_A, ROW_IMAGE_B, ROW_IMAGE_U };

/* What the sandbox has of the gate. Its tickets it has in any case. */
enum row_gate {
	ROW_RELAY,
	ROW_NO_GATE,
	ROW_RESOLVER,  /* and the relay */
	ROW_DATAGRAMS, /* the relay takes them too */
	ROW_ALL,
};

#define ROW_GATE 0     /* as a port: the relay's */
#define ROW_DNS 2      /* as a port: the resolver's */
#define ROW_DATAGRAM 3 /* as a port: the relay's for datagrams */

struct row {
	const char *address; /* as the program writes it: decides the family of the socket */
	uint16_t port;
	enum row_how how;
	enum row_image image;
	enum row_gate gate;
	uint8_t verdict, reason;
	uint16_t rule;
	int error; /* what the call must give: 0 or errno */
};

#define RELAYED(rule) ABI_VERDICT_REDIRECT, ABI_REASON_RULE, rule, 0
#define INSIDE(error) ABI_VERDICT_ALLOW, ABI_REASON_LOOPBACK, ABI_RULE_NONE, error
#define DENIED ABI_VERDICT_DENY, ABI_REASON_DEFAULT, ABI_RULE_NONE, EPERM
#define PROBED ABI_VERDICT_PROBE, ABI_REASON_DEFAULT, ABI_RULE_NONE, 0
#define RESOLVED ABI_VERDICT_RESOLVE, ABI_REASON_RESOLVER, ABI_RULE_NONE, 0
#define NO_TICKET ABI_VERDICT_DENY, ABI_REASON_TICKET, ABI_RULE_NONE, EPERM
#define GATE_DENIED ABI_VERDICT_DENY, ABI_REASON_GATE_PORT, ABI_RULE_NONE, EPERM

/* Image A: 0: 203.0.113.7:443   1: 203.0.113.0/24:8000-8010, without 203.0.113.128/25
 *          2: 2001:db8:1::/48:443   3: [2001:db8:2::5]:80   4: 192.0.2.0/24, all ports
 *          5: 203.0.113.64/26:22 beside rule 1   6: 198.16.0.0/14, all ports
 *          7: fd43:6c6f:6368::/48, all ports
 * Image B: 0: 198.51.100.0/24:443   1: 198.18.1.9:443
 * Image U: 0: UDP 203.0.113.0/24:53, 123 and 8000-8010, without 203.0.113.128/25
 *          1: UDP 2001:db8:1::/48:443   2: UDP 198.51.100.7:9000   3: TCP 203.0.113.0/24:443
 *          4: UDP 198.16.0.0/14, all ports   5: UDP fd43:6c6f:6368::/48, all ports
 * Tickets: index 0: ports 443 (rule 20) and 80 (21)   7: 8000-8010 (22)   1023: none */
static const struct row rows[] = {
	/* exact rules */
	{"203.0.113.7", 443, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, RELAYED(0)},
	{"::ffff:203.0.113.7", 443, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, RELAYED(0)},
	{"203.0.113.7", 444, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"::ffff:203.0.113.7", 444, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"203.0.113.8", 443, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"2001:db8:2::5", 80, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, RELAYED(3)},
	{"2001:db8:2::6", 80, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	/* prefixes: edges of addresses and ports, holes, overlap */
	{"203.0.113.0", 8000, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, RELAYED(1)},
	{"203.0.113.63", 8010, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, RELAYED(1)},
	{"::ffff:203.0.113.63", 8010, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, RELAYED(1)},
	{"203.0.113.63", 7999, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"203.0.113.63", 8011, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"203.0.112.255", 8000, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"203.0.114.0", 8000, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"203.0.113.128", 8000, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"203.0.113.127", 22, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, RELAYED(5)},
	{"203.0.113.127", 8005, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, RELAYED(1)},
	{"203.0.113.63", 22, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"192.0.2.1", 1, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, RELAYED(4)},
	{"192.0.2.1", 65535, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, RELAYED(4)},
	{"2001:db8:1:ffff::1", 443, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, RELAYED(2)},
	{"2001:db8:1:ffff::1", 80, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"2001:db8:3::1", 443, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	/* forms of IPv6 that hold an IPv4 address but are not it */
	{"::203.0.113.7", 443, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"64:ff9b::203.0.113.7", 443, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"2002:cb00:7107::1", 443, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	/* another image, no image, no gate */
	{"198.51.100.9", 443, ROW_TCP, ROW_IMAGE_B, ROW_RELAY, RELAYED(0)},
	{"198.51.100.9", 443, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"203.0.113.7", 443, ROW_TCP, ROW_IMAGE_B, ROW_RELAY, DENIED},
	{"203.0.113.7", 443, ROW_TCP, ROW_NO_RULES, ROW_RELAY, DENIED},
	{"203.0.113.7", 443, ROW_TCP, ROW_IMAGE_A, ROW_NO_GATE, ABI_VERDICT_DENY,
		ABI_REASON_NO_GATE, 0, EPERM},
	/* loopback stays inside: nobody listens on port 1 */
	{"127.0.0.1", 1, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, INSIDE(ECONNREFUSED)},
	{"127.0.0.1", 1, ROW_TCP, ROW_NO_RULES, ROW_NO_GATE, INSIDE(ECONNREFUSED)},
	{"127.255.255.254", 1, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, INSIDE(ECONNREFUSED)},
	{"126.255.255.255", 1, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"128.0.0.0", 1, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"::ffff:127.0.0.1", 1, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, INSIDE(ECONNREFUSED)},
	{"::1", 1, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, INSIDE(ECONNREFUSED)},
	{"::", 1, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, INSIDE(ECONNREFUSED)},
	{"0.0.0.0", 1, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, INSIDE(ECONNREFUSED)},
	{"::ffff:0.0.0.0", 1, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, INSIDE(ECONNREFUSED)},
	{"0.0.0.1", 1, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"::2", 1, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"::127.0.0.1", 1, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	/* the relay's own port, by each name of it */
	{"127.0.0.1", ROW_GATE, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, GATE_DENIED},
	{"127.9.9.9", ROW_GATE, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, GATE_DENIED},
	{"0.0.0.0", ROW_GATE, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, GATE_DENIED},
	{"::1", ROW_GATE, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, GATE_DENIED},
	{"::", ROW_GATE, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, GATE_DENIED},
	{"::ffff:127.0.0.1", ROW_GATE, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, GATE_DENIED},
	{"::ffff:0.0.0.0", ROW_GATE, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, GATE_DENIED},
	{"127.0.0.1", ROW_GATE, ROW_TCP_FASTOPEN, ROW_IMAGE_A, ROW_RELAY, GATE_DENIED},
	{"192.0.2.1", ROW_GATE, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, RELAYED(4)},
	/* TCP Fast Open is a connect */
	{"203.0.113.7", 443, ROW_TCP_FASTOPEN, ROW_IMAGE_A, ROW_RELAY, RELAYED(0)},
	{"203.0.113.7", 444, ROW_TCP_FASTOPEN, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"2001:db8:2::5", 80, ROW_TCP_FASTOPEN, ROW_IMAGE_A, ROW_RELAY, RELAYED(3)},
	{"2001:db8:2::6", 80, ROW_TCP_FASTOPEN, ROW_IMAGE_A, ROW_RELAY, DENIED},
	/* UDP where a rule for UDP matches */
	{"203.0.113.7", 123, ROW_UDP_CONNECT, ROW_IMAGE_U, ROW_DATAGRAMS, RELAYED(0)},
	{"203.0.113.7", 123, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_DATAGRAMS, RELAYED(0)},
	{"203.0.113.7", 123, ROW_UDP_OTHER, ROW_IMAGE_U, ROW_DATAGRAMS, RELAYED(0)},
	{"::ffff:203.0.113.7", 123, ROW_UDP_CONNECT, ROW_IMAGE_U, ROW_DATAGRAMS, RELAYED(0)},
	{"::ffff:203.0.113.7", 123, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_DATAGRAMS, RELAYED(0)},
	{"::ffff:203.0.113.7", 123, ROW_UDP_OTHER, ROW_IMAGE_U, ROW_DATAGRAMS, RELAYED(0)},
	{"203.0.113.7", 8010, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_DATAGRAMS, RELAYED(0)},
	{"203.0.113.7", 8011, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_DATAGRAMS, DENIED},
	{"203.0.113.7", 124, ROW_UDP_CONNECT, ROW_IMAGE_U, ROW_DATAGRAMS, DENIED},
	{"203.0.113.129", 123, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_DATAGRAMS, DENIED},
	{"203.0.114.0", 123, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_DATAGRAMS, DENIED},
	{"2001:db8:1::9", 443, ROW_UDP_CONNECT, ROW_IMAGE_U, ROW_DATAGRAMS, RELAYED(1)},
	{"2001:db8:1::9", 443, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_DATAGRAMS, RELAYED(1)},
	{"2001:db8:2::9", 443, ROW_UDP_CONNECT, ROW_IMAGE_U, ROW_DATAGRAMS, DENIED},
	{"2001:db8:2::9", 443, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_DATAGRAMS, DENIED},
	{"198.51.100.7", 9000, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_DATAGRAMS, RELAYED(2)},
	{"198.51.100.8", 9000, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_DATAGRAMS, DENIED},
	/* neither protocol opens the other */
	{"203.0.113.7", 443, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_DATAGRAMS, DENIED},
	{"203.0.113.7", 443, ROW_TCP, ROW_IMAGE_U, ROW_DATAGRAMS, RELAYED(3)},
	{"203.0.113.7", 123, ROW_TCP, ROW_IMAGE_U, ROW_DATAGRAMS, DENIED},
	{"198.51.100.7", 9000, ROW_TCP, ROW_IMAGE_U, ROW_DATAGRAMS, DENIED},
	/* a gate that takes no datagrams */
	{"203.0.113.7", 123, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_RELAY, ABI_VERDICT_DENY,
		ABI_REASON_NO_GATE, 0, EPERM},
	{"203.0.113.7", 123, ROW_UDP_CONNECT, ROW_IMAGE_U, ROW_NO_GATE, ABI_VERDICT_DENY,
		ABI_REASON_NO_GATE, 0, EPERM},
	/* port 53: the sandbox's own resolver, whatever a rule says */
	{"203.0.113.7", 53, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_DATAGRAMS, RELAYED(0)},
	{"203.0.113.7", 53, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_ALL, RESOLVED},
	{"203.0.113.7", 53, ROW_UDP_CONNECT, ROW_IMAGE_U, ROW_ALL, RESOLVED},
	{"203.0.113.7", 123, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_ALL, RELAYED(0)},
	/* the relay's own port, by the addresses that stand for destinations and by others */
	{"127.0.0.1", ROW_DATAGRAM, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_DATAGRAMS, GATE_DENIED},
	{"127.64.0.0", ROW_DATAGRAM, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_DATAGRAMS, GATE_DENIED},
	{"127.64.0.0", ROW_DATAGRAM, ROW_UDP_CONNECT, ROW_IMAGE_U, ROW_DATAGRAMS, GATE_DENIED},
	{"127.64.0.0", ROW_DATAGRAM, ROW_UDP_OTHER, ROW_IMAGE_U, ROW_DATAGRAMS, GATE_DENIED},
	{"::ffff:127.64.0.0", ROW_DATAGRAM, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_DATAGRAMS,
		GATE_DENIED},
	{"0.0.0.0", ROW_DATAGRAM, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_DATAGRAMS, GATE_DENIED},
	{"::1", ROW_DATAGRAM, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_DATAGRAMS, GATE_DENIED},
	{"::", ROW_DATAGRAM, ROW_UDP_CONNECT, ROW_IMAGE_U, ROW_DATAGRAMS, GATE_DENIED},
	{"127.64.0.0", 9, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_DATAGRAMS, INSIDE(0)},
	{"fd43:6c6f:6368:6500:7564:7000::", ROW_DATAGRAM, ROW_UDP_SENDTO, ROW_IMAGE_U,
		ROW_DATAGRAMS, DENIED},
	{"fd43:6c6f:6368:6500:7564:7000::", ROW_DATAGRAM, ROW_UDP_CONNECT, ROW_IMAGE_U,
		ROW_DATAGRAMS, DENIED},
	{"fd43:6c6f:6368:6500:7564:7000::", 443, ROW_TCP, ROW_IMAGE_A, ROW_DATAGRAMS, NO_TICKET},
	{"127.0.0.1", ROW_DATAGRAM, ROW_TCP, ROW_IMAGE_U, ROW_DATAGRAMS, INSIDE(ECONNREFUSED)},
	/* names are for TCP only, and no rule for addresses opens their tickets */
	{"198.18.1.0", 443, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_ALL, DENIED},
	{"198.18.1.0", 443, ROW_UDP_CONNECT, ROW_IMAGE_U, ROW_ALL, PROBED},
	{"198.18.1.0", 443, ROW_UDP_CONNECTED_SEND, ROW_IMAGE_U, ROW_ALL, DENIED},
	{"fd43:6c6f:6368:6500::1:0", 443, ROW_UDP_CONNECTED_SEND, ROW_IMAGE_U, ROW_ALL, DENIED},
	{"fd43:6c6f:6368:6500::1:0", 443, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_ALL, DENIED},
	{"198.17.255.255", 443, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_ALL, RELAYED(4)},
	{"fd43:6c6f:6368:6501::1:0", 443, ROW_UDP_SENDTO, ROW_IMAGE_U, ROW_ALL, RELAYED(5)},
	/* UDP: inside or not at all where no rule for UDP matches */
	{"203.0.113.7", 443, ROW_UDP_CONNECT, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"192.0.2.1", 53, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"192.0.2.1", 53, ROW_UDP_OTHER, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"::ffff:192.0.2.1", 53, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"::ffff:192.0.2.1", 53, ROW_UDP_CONNECT, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"::ffff:192.0.2.1", 53, ROW_UDP_OTHER, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"2001:db8:1::1", 443, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"2001:db8:1::1", 443, ROW_UDP_CONNECT, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"255.255.255.255", 67, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"224.0.0.251", 5353, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"127.0.0.1", 1, ROW_UDP_SENDTO, ROW_NO_RULES, ROW_NO_GATE, INSIDE(0)},
	{"127.0.0.2", 1, ROW_UDP_OTHER, ROW_NO_RULES, ROW_NO_GATE, INSIDE(0)},
	{"127.0.0.1", 1, ROW_UDP_CONNECT, ROW_NO_RULES, ROW_NO_GATE, INSIDE(0)},
	{"0.0.0.0", 1, ROW_UDP_SENDTO, ROW_NO_RULES, ROW_NO_GATE, INSIDE(0)},
	{"::1", 1, ROW_UDP_SENDTO, ROW_NO_RULES, ROW_NO_GATE, INSIDE(0)},
	{"::", 1, ROW_UDP_SENDTO, ROW_NO_RULES, ROW_NO_GATE, INSIDE(0)},
	{"::ffff:127.0.0.1", 1, ROW_UDP_SENDTO, ROW_NO_RULES, ROW_NO_GATE, INSIDE(0)},
	/* the gate listens for TCP: the same number in UDP is the sandbox's own */
	{"127.0.0.1", ROW_GATE, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RELAY, INSIDE(0)},
	/* port 53 without a resolver is a port like others */
	{"192.0.2.1", 53, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, RELAYED(4)},
	{"8.8.8.8", 53, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"8.8.8.8", 53, ROW_UDP_CONNECT, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"8.8.8.8", 53, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_NO_GATE, DENIED},
	{"127.0.0.53", 53, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, INSIDE(ECONNREFUSED)},
	{"127.0.0.53", 53, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RELAY, INSIDE(0)},
	/* with one, whatever it is meant for goes there, and no other port does */
	{"8.8.8.8", 53, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"8.8.8.8", 53, ROW_UDP_CONNECT, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"8.8.8.8", 53, ROW_UDP_OTHER, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"8.8.8.8", 53, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"8.8.8.8", 53, ROW_TCP_FASTOPEN, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"8.8.8.8", 53, ROW_UDP_SENDTO, ROW_NO_RULES, ROW_RESOLVER, RESOLVED},
	{"192.0.2.1", 53, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"198.18.1.0", 53, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"127.0.0.53", 53, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"127.0.0.1", 53, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"0.0.0.0", 53, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"255.255.255.255", 53, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"224.0.0.251", 53, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"::ffff:8.8.8.8", 53, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"::ffff:8.8.8.8", 53, ROW_UDP_CONNECT, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"::ffff:8.8.8.8", 53, ROW_UDP_OTHER, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"::ffff:8.8.8.8", 53, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"2001:4860:4860::8888", 53, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"2001:4860:4860::8888", 53, ROW_UDP_CONNECT, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"2001:4860:4860::8888", 53, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"::1", 53, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"::1", 53, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"::", 53, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RESOLVER, RESOLVED},
	{"8.8.8.8", 54, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RESOLVER, DENIED},
	{"8.8.8.8", 52, ROW_UDP_CONNECT, ROW_IMAGE_A, ROW_RESOLVER, DENIED},
	{"8.8.8.8", 853, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, DENIED},
	{"8.8.8.8", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, DENIED},
	/* the resolver's own port, which is the same for UDP and TCP */
	{"127.0.0.1", ROW_DNS, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, GATE_DENIED},
	{"::1", ROW_DNS, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, GATE_DENIED},
	{"::ffff:127.0.0.1", ROW_DNS, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, GATE_DENIED},
	{"127.0.0.1", ROW_DNS, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RESOLVER, GATE_DENIED},
	{"127.0.0.1", ROW_DNS, ROW_UDP_CONNECT, ROW_IMAGE_A, ROW_RESOLVER, GATE_DENIED},
	{"127.0.0.1", ROW_DNS, ROW_UDP_OTHER, ROW_IMAGE_A, ROW_RESOLVER, GATE_DENIED},
	{"0.0.0.0", ROW_DNS, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RESOLVER, GATE_DENIED},
	{"::1", ROW_DNS, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RESOLVER, GATE_DENIED},
	{"::", ROW_DNS, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RESOLVER, GATE_DENIED},
	{"192.0.2.1", ROW_DNS, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, RELAYED(4)},
	{"127.0.0.1", ROW_GATE, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, GATE_DENIED},
	{"127.0.0.1", ROW_GATE, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RESOLVER, INSIDE(0)},
	/* tickets: each by its addresses, for its ports only */
	{"198.18.1.0", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, RELAYED(20)},
	{"::ffff:198.18.1.0", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, RELAYED(20)},
	{"fd43:6c6f:6368:6500::1:0", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, RELAYED(20)},
	{"198.18.1.0", 80, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, RELAYED(21)},
	{"fd43:6c6f:6368:6500::1:0", 80, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, RELAYED(21)},
	{"198.18.1.0", 81, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, NO_TICKET},
	{"::ffff:198.18.1.0", 81, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, NO_TICKET},
	{"fd43:6c6f:6368:6500::1:0", 81, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, NO_TICKET},
	{"198.18.1.7", 8000, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, RELAYED(22)},
	{"198.18.1.7", 8010, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, RELAYED(22)},
	{"fd43:6c6f:6368:6500::1:7", 8010, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, RELAYED(22)},
	{"198.18.1.7", 7999, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, NO_TICKET},
	{"198.18.1.7", 8011, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, NO_TICKET},
	{"198.18.1.7", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, NO_TICKET},
	{"198.18.4.255", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, NO_TICKET},
	{"fd43:6c6f:6368:6500::1:3ff", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, NO_TICKET},
	{"198.18.1.0", 443, ROW_TCP_FASTOPEN, ROW_IMAGE_A, ROW_RESOLVER, RELAYED(20)},
	{"198.18.1.0", 444, ROW_TCP_FASTOPEN, ROW_IMAGE_A, ROW_RESOLVER, NO_TICKET},
	{"198.18.1.0", 443, ROW_TCP, ROW_NO_RULES, ROW_RESOLVER, RELAYED(20)},
	{"198.18.1.0", 443, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, RELAYED(20)},
	{"198.18.1.0", 443, ROW_TCP, ROW_IMAGE_A, ROW_NO_GATE, ABI_VERDICT_DENY, ABI_REASON_NO_GATE,
		20, EPERM},
	/* a datagram socket may be connected to a ticket of the sandbox, at any port, and not send
	 */
	{"198.18.1.0", 443, ROW_UDP_CONNECT, ROW_IMAGE_A, ROW_RESOLVER, PROBED},
	{"198.18.1.0", 1, ROW_UDP_CONNECT, ROW_NO_RULES, ROW_RESOLVER, PROBED},
	{"198.18.1.7", 9999, ROW_UDP_CONNECT, ROW_IMAGE_A, ROW_RESOLVER, PROBED},
	{"198.18.4.255", 65535, ROW_UDP_CONNECT, ROW_IMAGE_A, ROW_RESOLVER, PROBED},
	{"::ffff:198.18.1.0", 443, ROW_UDP_CONNECT, ROW_IMAGE_A, ROW_RESOLVER, PROBED},
	{"fd43:6c6f:6368:6500::1:0", 443, ROW_UDP_CONNECT, ROW_IMAGE_A, ROW_RESOLVER, PROBED},
	{"198.18.1.1", 443, ROW_UDP_CONNECT, ROW_IMAGE_A, ROW_RESOLVER, DENIED},
	{"fd43:6c6f:6368:6500::1:1", 443, ROW_UDP_CONNECT, ROW_IMAGE_A, ROW_RESOLVER, DENIED},
	{"198.18.1.0", 443, ROW_UDP_CONNECT, ROW_IMAGE_A, ROW_RELAY, DENIED},
	{"198.18.1.0", 443, ROW_UDP_CONNECT, ROW_IMAGE_A, ROW_NO_GATE, DENIED},
	{"198.18.1.0", 443, ROW_UDP_CONNECTED_SEND, ROW_IMAGE_A, ROW_RESOLVER, DENIED},
	{"::ffff:198.18.1.0", 443, ROW_UDP_CONNECTED_SEND, ROW_IMAGE_A, ROW_RESOLVER, DENIED},
	{"fd43:6c6f:6368:6500::1:0", 443, ROW_UDP_CONNECTED_SEND, ROW_IMAGE_A, ROW_RESOLVER,
		DENIED},
	/* where it is connected to meanwhile opens nothing */
	{"127.64.2.0", ROW_DNS, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RESOLVER, GATE_DENIED},
	{"127.64.2.0", ROW_DNS, ROW_UDP_CONNECT, ROW_IMAGE_A, ROW_RESOLVER, GATE_DENIED},
	{"fd43:6c6f:6368:6500:7564:7000::200", ROW_DNS, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RESOLVER,
		DENIED},
	{"fd43:6c6f:6368:6500:7564:7000::200", ROW_DNS, ROW_UDP_CONNECT, ROW_IMAGE_A, ROW_RESOLVER,
		DENIED},
	{"198.18.1.0", 443, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RESOLVER, DENIED},
	{"fd43:6c6f:6368:6500::1:0", 443, ROW_UDP_SENDTO, ROW_IMAGE_A, ROW_RESOLVER, DENIED},
	/* synthetic and nobody's, though rules 6 and 7 and one of B lie over them */
	{"198.18.1.1", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, NO_TICKET},
	{"::ffff:198.18.1.1", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, NO_TICKET},
	{"fd43:6c6f:6368:6500::1:1", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, NO_TICKET},
	{"198.18.1.9", 443, ROW_TCP, ROW_IMAGE_B, ROW_RESOLVER, NO_TICKET},
	{"198.18.1.9", 443, ROW_TCP, ROW_IMAGE_B, ROW_RELAY, NO_TICKET},
	{"198.18.0.0", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, NO_TICKET},
	{"198.18.0.255", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, NO_TICKET},
	{"198.18.5.0", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, NO_TICKET},
	{"198.19.255.255", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, NO_TICKET},
	{"198.19.255.255", 443, ROW_TCP, ROW_IMAGE_A, ROW_RELAY, NO_TICKET},
	{"198.17.255.255", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, RELAYED(6)},
	{"198.20.0.0", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, DENIED},
	{"fd43:6c6f:6368:6500::", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, NO_TICKET},
	{"fd43:6c6f:6368:6500::ffff", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, NO_TICKET},
	{"fd43:6c6f:6368:6500::1:400", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, NO_TICKET},
	{"fd43:6c6f:6368:6500:1::1:0", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, NO_TICKET},
	{"fd43:6c6f:6368:6500:ffff:ffff:ffff:ffff", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER,
		NO_TICKET},
	{"fd43:6c6f:6368:64ff:ffff:ffff:ffff:ffff", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER,
		RELAYED(7)},
	{"fd43:6c6f:6368:6501::1:0", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, RELAYED(7)},
	{"::198.18.1.0", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, DENIED},
	{"64:ff9b::198.18.1.0", 443, ROW_TCP, ROW_IMAGE_A, ROW_RESOLVER, DENIED},
};

static inline bool row_is_tcp(const struct row *row)
{
	return row->how == ROW_TCP || row->how == ROW_TCP_FASTOPEN;
}

struct row_ports {
	uint16_t gate, dns, datagram;
};

static inline uint16_t row_port(const struct row *row, struct row_ports ports)
{
	switch (row->port) {
	case ROW_GATE:
		return ports.gate;
	case ROW_DNS:
		return ports.dns;
	case ROW_DATAGRAM:
		return ports.datagram;
	}
	return row->port;
}

static inline bool row_has_resolver(const struct row *row)
{
	return row->gate == ROW_RESOLVER || row->gate == ROW_ALL;
}

static inline bool row_has_datagrams(const struct row *row)
{
	return row->gate == ROW_DATAGRAMS || row->gate == ROW_ALL;
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

#define ROW_UDP_RANGE(from, to, id)                                                                \
	{                                                                                          \
		.first = from, .last = to, .rule = id, .protocol = IPPROTO_UDP                     \
	}

static inline void row_image_u(struct policy_image *ret_image)
{
	static struct abi_exact_key exact[1];
	static uint32_t rules[1] = {2};
	static struct abi_cidr_key prefixes[5];
	static struct abi_cidr_value values[5] = {
		{.n_ranges = 4,
			.ranges = {ROW_UDP_RANGE(53, 53, 0), ROW_UDP_RANGE(123, 123, 0),
				ROW_UDP_RANGE(8000, 8010, 0), ROW_RANGE(443, 443, 3)}},
		{.n_ranges = 0},
		{.n_ranges = 1, .ranges = {ROW_UDP_RANGE(443, 443, 1)}},
		{.n_ranges = 1, .ranges = {ROW_UDP_RANGE(0, 65535, 4)}},
		{.n_ranges = 1, .ranges = {ROW_UDP_RANGE(0, 65535, 5)}},
	};

	exact[0] = (struct abi_exact_key){
		.address = row_address("198.51.100.7"), .port = 9000, .protocol = IPPROTO_UDP};
	prefixes[0] = (struct abi_cidr_key){120, row_address("203.0.113.0")};
	prefixes[1] = (struct abi_cidr_key){121, row_address("203.0.113.128")};
	prefixes[2] = (struct abi_cidr_key){48, row_address("2001:db8:1::")};
	prefixes[3] = (struct abi_cidr_key){110, row_address("198.16.0.0")};
	prefixes[4] = (struct abi_cidr_key){48, row_address("fd43:6c6f:6368::")};
	*ret_image = (struct policy_image){exact, rules, 1, prefixes, values, 5};
}

/* Fills `ret_image` with one of the images above; its parts live in static storage. */
static inline void row_image(enum row_image which, struct policy_image *ret_image)
{
	static struct abi_exact_key exact[2];
	static uint32_t exact_rules[2] = {0, 3};
	static struct abi_exact_key exact_b[1];
	static uint32_t exact_rules_b[1] = {1};
	static struct abi_cidr_key prefixes[7], prefix_b[1];
	static struct abi_cidr_value values[7] = {
		{.n_ranges = 1, .ranges = {ROW_RANGE(8000, 8010, 1)}},
		{.n_ranges = 0},
		{.n_ranges = 1, .ranges = {ROW_RANGE(443, 443, 2)}},
		{.n_ranges = 1, .ranges = {ROW_RANGE(0, 65535, 4)}},
		{.n_ranges = 2, .ranges = {ROW_RANGE(8000, 8010, 1), ROW_RANGE(22, 22, 5)}},
		{.n_ranges = 1, .ranges = {ROW_RANGE(0, 65535, 6)}},
		{.n_ranges = 1, .ranges = {ROW_RANGE(0, 65535, 7)}},
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
	prefixes[5] = (struct abi_cidr_key){110, row_address("198.16.0.0")};
	prefixes[6] = (struct abi_cidr_key){48, row_address("fd43:6c6f:6368::")};
	exact_b[0] = (struct abi_exact_key){
		.address = row_address("198.18.1.9"), .port = 443, .protocol = IPPROTO_TCP};
	prefix_b[0] = (struct abi_cidr_key){120, row_address("198.51.100.0")};
	*ret_image = (struct policy_image){0};
	if (which == ROW_IMAGE_A)
		*ret_image = (struct policy_image){exact, exact_rules, 2, prefixes, values, 7};
	if (which == ROW_IMAGE_B)
		*ret_image = (struct policy_image){exact_b, exact_rules_b, 1, prefix_b, value_b, 1};
	if (which == ROW_IMAGE_U)
		row_image_u(ret_image);
}

struct row_ticket {
	uint32_t index;
	const char *ipv4, *ipv6;
	struct abi_ticket ticket; /* `sandbox` is to be filled in */
};

static const struct row_ticket row_tickets[] = {
	{0, "198.18.1.0", "fd43:6c6f:6368:6500::1:0",
		{.n_ranges = 2, .ranges = {ROW_RANGE(443, 443, 20), ROW_RANGE(80, 80, 21)}}},
	{7, "198.18.1.7", "fd43:6c6f:6368:6500::1:7",
		{.n_ranges = 1, .ranges = {ROW_RANGE(8000, 8010, 22)}}},
	{1023, "198.18.4.255", "fd43:6c6f:6368:6500::1:3ff", {.n_ranges = 0}},
};

#define ROW_N_TICKETS (sizeof(row_tickets) / sizeof(row_tickets[0]))

/* The ticket under an address, NULL without. */
static inline const struct abi_ticket *row_ticket(const struct abi_address *address)
{
	for (size_t i = 0; i < ROW_N_TICKETS; i++) {
		struct abi_address ipv4 = row_address(row_tickets[i].ipv4);
		struct abi_address ipv6 = row_address(row_tickets[i].ipv6);

		if (memcmp(address, &ipv4, sizeof(ipv4)) == 0 ||
			memcmp(address, &ipv6, sizeof(ipv6)) == 0)
			return &row_tickets[i].ticket;
	}
	return NULL;
}
