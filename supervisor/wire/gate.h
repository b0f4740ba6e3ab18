/* cloched and cloche-gate, the relay. */
#pragma once

#include "bpf/abi/flow.h"
#include "bpf/abi/ticket.h"
#include "supervisor/wire/frame.h"

#define WIRE_GATE_NAME_SIZE 256 /* a name in lower-case ASCII (A-labels), no dot at its end */
#define WIRE_GATE_RESOLVERS_MAX 3
#define WIRE_GATE_REVIEW_MAX 1024 /* connections of one sandbox */

enum wire_gate_type {
	WIRE_GATE_CONFIG = 1, /* cloched → gate, first: struct wire_gate_config, 2 fds: maps of
			       * flows and of datagrams */
	/* cloched → gate: struct wire_gate_open, 3 fds: the relay's listening socket, the
	 * resolver's UDP socket, its listening TCP socket */
	WIRE_GATE_OPEN = 2,
	WIRE_GATE_CLOSE = 3, /* cloched → gate: struct wire_gate_close */
	WIRE_GATE_FLOW = 4,  /* gate → cloched: struct wire_gate_flow, when a connection ends */
	WIRE_GATE_READY = 5, /* gate → cloched: no body, after CONFIG and confinement */
	WIRE_GATE_STATE =
		6, /* gate → cloched, once a second when changed: struct wire_gate_state */
	WIRE_GATE_NAME = 7, /* gate → cloched: struct wire_gate_name: may this name be asked for? */
	WIRE_GATE_TICKET = 8, /* cloched → gate: struct wire_gate_ticket; the answer to NAME (same
			       * cookie), or unasked (cookie 0) after OPEN and after a swap */
	WIRE_GATE_DNS = 9,    /* gate → cloched: struct wire_gate_dns, for the record */
	WIRE_GATE_SWAP = 10, /* cloched → gate: struct wire_gate_swap, after the TICKETs of the new
			      * generation: review what is open */
	WIRE_GATE_REVIEW = 11,   /* gate → cloched (cookie of SWAP): struct wire_gate_review, then
				  * n_flows times struct wire_gate_review_flow */
	WIRE_GATE_VERDICTS = 12, /* cloched → gate (same cookie): struct wire_gate_verdicts, then
				  * n_reset times __u64: connections to reset */
	WIRE_GATE_SWAPPED =
		13, /* gate → cloched (same cookie): struct wire_gate_close: all reset */
	/* cloched → gate, after OPEN: struct wire_gate_close, 1 fd: the relay's UDP socket */
	WIRE_GATE_OPEN_DATAGRAMS = 14,
	WIRE_GATE_USED = 16, /* gate → cloched, once a second: struct wire_gate_used_page, then
			      * n_rows times struct wire_gate_used */
};

struct wire_gate_resolver {
	struct abi_address address; /* may be the host's loopback */
	uint16_t port;
	uint16_t reserved[3];
};

struct wire_gate_config {
	uint32_t n_flows_max; /* in all */
	uint32_t n_flows_per_sandbox_max;
	uint32_t connect_timeout_ms;
	uint32_t idle_timeout_ms;      /* neither side sent anything for this long */
	uint32_t n_resolvers;          /* 0: no name can be resolved */
	uint32_t n_datagram_flows_max; /* in all */
	uint32_t n_datagram_flows_per_sandbox_max;
	uint32_t datagram_timeout_ms; /* as idle_timeout_ms; below ABI_DATAGRAM_IDLE_NS */
	struct wire_gate_resolver resolvers[WIRE_GATE_RESOLVERS_MAX]; /* tried in order */
};

struct wire_gate_open {
	uint64_t sandbox;
	uint64_t netns_cookie; /* of the sandbox's network namespace: key into the map of flows */
};

struct wire_gate_close {
	uint64_t sandbox; /* CLOSE: its sockets and connections are closed */
};

#define WIRE_GATE_USED_MAX 256 /* rows of one message */

/* What one sandbox's TCP connections to one destination moved since the last row about both. */
struct wire_gate_used {
	uint64_t sandbox;
	uint64_t bytes_sent, bytes_received; /* payload, seen from the sandbox */
	uint64_t connections;                /* that were made */
	char name[WIRE_GATE_NAME_SIZE]; /* or a literal address; empty: others, too many to tell */
};

struct wire_gate_used_page {
	uint32_t n_rows;
	uint32_t reserved;
};

enum wire_gate_end {
	WIRE_GATE_END_CLOSED = 1,  /* both sides finished */
	WIRE_GATE_END_RESET = 2,   /* one side reset; passed on */
	WIRE_GATE_END_CONNECT = 3, /* the destination did not answer: `error` says why */
	WIRE_GATE_END_IDLE = 4,
	WIRE_GATE_END_LIMIT = 5,    /* too many connections: refused */
	WIRE_GATE_END_NO_FLOW = 6,  /* nobody asked for this connection: refused */
	WIRE_GATE_END_SANDBOX = 7,  /* the sandbox was closed */
	WIRE_GATE_END_NAME = 8,     /* TLS or HTTP asked for another name, see `said` */
	WIRE_GATE_END_PROTOCOL = 9, /* neither TLS nor HTTP, where the rule wants one of them */
	WIRE_GATE_END_RESOLVE = 10, /* the name has no address now; `error` */
	WIRE_GATE_END_SPECIAL = 11, /* the name points into loopback, link-local, private … space */
	WIRE_GATE_END_POLICY = 12, /* a policy that came later does not allow it */
};

struct wire_gate_flow {
	uint64_t sandbox;
	struct abi_address address;
	uint64_t policy;
	uint64_t bytes_sent, bytes_received; /* payload, seen from the sandbox */
	uint64_t duration_us;
	int32_t error; /* 0 or negative errno */
	uint16_t port, rule;
	uint16_t end;     /* enum wire_gate_end */
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	uint8_t reserved[5];
	struct abi_address
		dialled; /* what the name was resolved to; all zero: nothing was dialled */
	char name[WIRE_GATE_NAME_SIZE]; /* the ticket's name; empty for a literal address */
	char said[WIRE_GATE_NAME_SIZE]; /* the name that TLS or HTTP asked for, if another; cut */
};

struct wire_gate_state {
	uint64_t n_flows;
	uint64_t n_flows_total;
};

struct wire_gate_name {
	uint64_t sandbox;
	char name[WIRE_GATE_NAME_SIZE];
};

enum wire_gate_range_flags {
	WIRE_GATE_RANGE_PRIVATE = 1,     /* may resolve to private space */
	WIRE_GATE_RANGE_TLS = 2,         /* must be TLS that asks for the name */
	WIRE_GATE_RANGE_PASSTHROUGH = 4, /* whatever it is: not looked into */
	/* neither: TLS or HTTP, told apart by the first bytes, that asks for the name */
};

struct wire_gate_range {
	uint16_t first, last; /* ports, both inside */
	uint16_t rule;
	uint16_t flags; /* enum wire_gate_range_flags */
};

/* Types of records beside addresses. */
enum wire_gate_record {
	WIRE_GATE_RECORD_MX = 1,
	WIRE_GATE_RECORD_SRV = 2,
	WIRE_GATE_RECORD_TXT = 4,
};

struct wire_gate_ticket {
	uint64_t sandbox;
	uint64_t policy; /* ABI_SLOT_POLICY that this answer holds under */
	uint32_t index;  /* of the synthetic address */
	int32_t error;   /* 0; -EACCES: not allowed (any more); -ENOSPC: too many names */
	uint32_t n_ranges;
	uint32_t records; /* enum wire_gate_record that may be told, whatever `error` is */
	struct wire_gate_range ranges[ABI_TICKET_RANGES_MAX];
	char name[WIRE_GATE_NAME_SIZE];
	char policy_name[64]; /* for what a denied program is told */
};

/* One query of a sandbox, answered or refused. */
struct wire_gate_dns {
	uint64_t sandbox;
	uint16_t type;  /* of the question: 1 A, 28 AAAA, … */
	uint16_t rcode; /* of the answer */
	uint16_t error; /* extended DNS error (RFC 8914) that was sent, 0xffff: none */
	uint16_t over_tcp;
	uint16_t n_records, records_bytes; /* of MX, SRV and TXT that were told */
	uint32_t reserved;
	char name[WIRE_GATE_NAME_SIZE]; /* as asked, lower case, cut */
};

struct wire_gate_swap {
	uint64_t sandbox;
	uint64_t policy; /* the word now in force */
};

struct wire_gate_review {
	uint64_t sandbox;
	uint32_t n_flows;
	uint32_t reserved;
};

struct wire_gate_review_flow {
	uint64_t id; /* the gate's own */
	struct abi_address address;
	uint16_t port;
	uint8_t protocol;
	uint8_t reserved[5];
};

struct wire_gate_verdicts {
	uint64_t sandbox;
	uint32_t n_reset;
	uint32_t reserved;
};
