/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps, their types and the knobs. bpf/maps.bpf.c defines them; every program shares them. */
#pragma once

#include "bpf/abi/audit.h"
#include "bpf/abi/budget.h"
#include "bpf/abi/datagram.h"
#include "bpf/abi/emission.h"
#include "bpf/abi/event.h"
#include "bpf/abi/flow.h"
#include "bpf/abi/ledger.h"
#include "bpf/abi/meta.h"
#include "bpf/abi/rule.h"
#include "bpf/abi/shadow.h"
#include "bpf/abi/slot.h"
#include "bpf/abi/ticket.h"

#include <bpf/bpf_helpers.h>

#define SECURITY_RING_BYTES (4 << 20)
#define BULK_RING_BYTES (16 << 20)

/* Where connect(2) led a socket instead of where it was asked to. */
enum socket_redirected {
	SOCKET_DIRECT = 0,
	SOCKET_TO_RELAY,
	SOCKET_TO_RESOLVER,
	SOCKET_PROBE, /* a datagram socket, to a name: see ABI_DATAGRAM_PROBE */
};

/* What a socket of a sandbox knows of itself. Made by sock_create, copied to accepted sockets. A
 * socket without it is nobody's: nothing passes. */
struct socket_state {
	__u64 sandbox; /* compared with the slot's: a slot that was reused is another sandbox */
	__u64 policy;  /* ABI_SLOT_POLICY under which `address` was last allowed */
	struct abi_address address; /* what connect(2) asked for, when `redirected` */
	__u32 slot;
	__u16 port; /* host order */
	__u16 rule;
	__u8 redirected;      /* enum socket_redirected */
	__u8 published;       /* the gate can find out where it was to go */
	__u8 reported;        /* a refused packet of it was reported under `policy` */
	__u8 protocol;        /* of the socket: IPPROTO_TCP or IPPROTO_UDP */
	__u16 resolver_port;  /* where its datagrams to a name server went; 0: it sent none */
	__u16 datagram_index; /* the row that a datagram socket is connected to */
	struct abi_address resolver; /* the name server that the last of them was meant for */
};

struct slots_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ABI_SLOTS_MAX);
	__type(key, __u32);
	__type(value, struct abi_slot);
};

struct id2slot_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ABI_SLOTS_MAX);
	__type(key, __u64); /* id of the sandbox's cgroup */
	__type(value, __u32);
};

struct counters_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ABI_SLOTS_MAX);
	__type(key, __u32);
	__type(value, struct abi_counters);
};

struct budgets_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ABI_SLOTS_MAX);
	__type(key, __u32);
	__type(value, struct abi_budget);
};

struct ledgers_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ABI_SLOTS_MAX);
	__type(key, __u32);
	__type(value, struct abi_ledger);
};

struct tenant_budgets_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ABI_TENANT_BUDGETS_MAX);
	__type(key, __u32);
	__type(value, struct abi_budget);
};

struct exact_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, ABI_EXACT_RULES_MAX);
	__type(key, struct abi_exact_key);
	__type(value, __u32);
};

/* Sizes, not types: clang leaves the types of an inner map out of a file that only declares it. */
struct cidr_trie {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, ABI_CIDR_RULES_MAX);
	__uint(key_size, sizeof(struct abi_cidr_key));
	__uint(value_size, sizeof(struct abi_cidr_value));
};

struct cidrs_map {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, ABI_IMAGES_MAX);
	__type(key, __u32);
	__array(values, struct cidr_trie);
};

/* Least recently used goes first: an entry is needed only until the gate has accepted, and a client
 * that sends and exits may be gone before that, so closing must not delete it; and a sandbox that
 * holds many connections cannot fill it for the others. An entry that has outlived its connection
 * is overwritten before the next SYN from that port. */
struct flows_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, ABI_FLOWS_MAX);
	__type(key, struct abi_flow_key);
	__type(value, struct abi_flow);
};

struct sockets_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct socket_state);
};

struct tickets_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, ABI_TICKETS_MAX);
	__type(key, struct abi_ticket_key);
	__type(value, struct abi_ticket);
};

struct datagrams_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, ABI_DATAGRAMS_MAX);
	__type(key, struct abi_datagram_key);
	__type(value, struct abi_datagram);
};

struct destinations_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, ABI_DATAGRAMS_MAX);
	__type(key, struct abi_destination_key);
	__type(value, __u32);
};

/* By slot: how often a row was looked for. */
struct datagram_hands_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ABI_SLOTS_MAX);
	__type(key, __u32);
	__type(value, __u64);
};

struct shadows_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, ABI_SHADOWS_MAX);
	__type(key, struct abi_shadow_key);
	__type(value, __u64);
};

struct security_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SECURITY_RING_BYTES);
};

struct bulk_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, BULK_RING_BYTES);
};

struct emissions_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ABI_SLOTS_MAX + 1);
	__type(key, __u32);
	__type(value, struct abi_emission);
};

struct reader_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct abi_reader);
};

struct emitted_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct abi_emitted);
};

/* Entries are made and deleted by user space; most sandboxes of a busy host have one, and each is
 * 8 KiB, so none is allocated before. */
struct audited_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, ABI_SLOTS_MAX);
	__type(key, __u64);
	__type(value, struct abi_audited);
};

struct audit_sets_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ABI_IMAGES_MAX);
	__type(key, __u32);
	__type(value, struct abi_audit_set);
};

struct images_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ABI_IMAGES_MAX);
	__type(key, __u32);
	__type(value, struct abi_image_row);
};

struct meta_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct abi_meta);
};

extern struct slots_map slots SEC(".maps");
extern struct id2slot_map id2slot SEC(".maps");
extern struct counters_map counters SEC(".maps");
extern struct budgets_map budgets SEC(".maps");
extern struct tenant_budgets_map tenant_budgets SEC(".maps");
extern struct ledgers_map ledgers SEC(".maps");
extern struct exact_map exact SEC(".maps");
extern struct cidrs_map cidrs SEC(".maps");
extern struct flows_map flows SEC(".maps");
extern struct tickets_map tickets SEC(".maps");
extern struct datagrams_map datagrams SEC(".maps");
extern struct destinations_map destinations SEC(".maps");
extern struct datagram_hands_map datagram_hands SEC(".maps");
extern struct shadows_map shadows SEC(".maps");
extern struct sockets_map sockets SEC(".maps");
extern struct security_map security SEC(".maps");
extern struct bulk_map bulk SEC(".maps");
extern struct emissions_map emissions SEC(".maps");
extern struct emitted_map emitted SEC(".maps");
extern struct audited_map audited SEC(".maps");
extern struct audit_sets_map audit_sets SEC(".maps");

/* Depth of a sandbox's cgroup below the root of the hierarchy; set before load. */
extern const volatile __u32 sandbox_level;
/* Id of the cgroup whose children are the sandboxes'; the same. */
extern const volatile __u64 sandbox_parent;
