/* cloched and cloche-gate, the relay. */
#pragma once

#include "bpf/abi/flow.h"
#include "supervisor/wire/frame.h"

enum wire_gate_type {
	WIRE_GATE_CONFIG =
		1, /* cloched → gate, first: struct wire_gate_config, 1 fd: map of flows */
	WIRE_GATE_OPEN = 2,  /* cloched → gate: struct wire_gate_open, 1 fd: listening socket */
	WIRE_GATE_CLOSE = 3, /* cloched → gate: struct wire_gate_close */
	WIRE_GATE_FLOW = 4,  /* gate → cloched: struct wire_gate_flow, when a connection ends */
	WIRE_GATE_READY = 5, /* gate → cloched: no body, after CONFIG and confinement */
	WIRE_GATE_STATE =
		6, /* gate → cloched, once a second when changed: struct wire_gate_state */
};

struct wire_gate_config {
	uint32_t n_flows_max; /* in all */
	uint32_t n_flows_per_sandbox_max;
	uint32_t connect_timeout_ms;
	uint32_t idle_timeout_ms; /* neither side sent anything for this long */
};

struct wire_gate_open {
	uint64_t sandbox;
	uint64_t netns_cookie; /* of the sandbox's network namespace: key into the map of flows */
};

struct wire_gate_close {
	uint64_t sandbox; /* its listening socket and connections are closed */
};

enum wire_gate_end {
	WIRE_GATE_END_CLOSED = 1,  /* both sides finished */
	WIRE_GATE_END_RESET = 2,   /* one side reset; passed on */
	WIRE_GATE_END_CONNECT = 3, /* the destination did not answer: `error` says why */
	WIRE_GATE_END_IDLE = 4,
	WIRE_GATE_END_LIMIT = 5,   /* too many connections: refused */
	WIRE_GATE_END_NO_FLOW = 6, /* nobody asked for this connection: refused */
	WIRE_GATE_END_SANDBOX = 7, /* the sandbox was closed */
};

struct wire_gate_flow {
	uint64_t sandbox;
	struct abi_address address;
	uint64_t policy;
	uint64_t bytes_sent, bytes_received; /* payload, seen from the sandbox */
	uint64_t duration_us;
	int32_t error; /* 0 or negative errno */
	uint16_t port, rule;
	uint16_t end; /* enum wire_gate_end */
	uint16_t reserved[3];
};

struct wire_gate_state {
	uint64_t n_flows;
	uint64_t n_flows_total;
};
