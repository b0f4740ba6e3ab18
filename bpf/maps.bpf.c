/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Defines what bpf/lib/maps.h declares. */
#include "bpf/lib/maps.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 sandbox_level = 0;
const volatile __u64 sandbox_parent = 0;

struct slots_map slots SEC(".maps");
struct id2slot_map id2slot SEC(".maps");
struct counters_map counters SEC(".maps");
struct budgets_map budgets SEC(".maps");
struct tenant_budgets_map tenant_budgets SEC(".maps");
struct ledgers_map ledgers SEC(".maps");
struct exact_map exact SEC(".maps");
struct cidrs_map cidrs SEC(".maps");
struct flows_map flows SEC(".maps");
struct tickets_map tickets SEC(".maps");
struct datagrams_map datagrams SEC(".maps");
struct destinations_map destinations SEC(".maps");
struct datagram_hands_map datagram_hands SEC(".maps");
struct shadows_map shadows SEC(".maps");
struct sockets_map sockets SEC(".maps");
struct security_map security SEC(".maps");
struct bulk_map bulk SEC(".maps");
struct emissions_map emissions SEC(".maps");
struct reader_map reader SEC(".maps");
struct emitted_map emitted SEC(".maps");
struct audited_map audited SEC(".maps");
struct audit_sets_map audit_sets SEC(".maps");
struct images_map images SEC(".maps");
struct meta_map meta SEC(".maps");
