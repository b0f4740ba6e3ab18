/* The kernel's maps of flows and datagrams, read by bpf(2) itself: this process needs no library
 * for one call, and its system call filter allows no other command. Linux before 5.19 refuses even
 * that to processes without CAP_BPF while kernel.unprivileged_bpf_disabled is set; every connection
 * is then refused.
 */
#pragma once

#include "bpf/abi/datagram.h"
#include "bpf/abi/flow.h"

/* A gate_lookup; `userdata` is an int *, the map's descriptor (read-only is enough). */
int flow_table_lookup(void *userdata, const struct abi_flow_key *key, struct abi_flow *ret_flow);
/* A gate_lookup_datagram; `userdata` as above, of the map of datagrams. */
int flow_table_lookup_datagram(
	void *userdata, const struct abi_datagram_key *key, struct abi_datagram *ret_row);
