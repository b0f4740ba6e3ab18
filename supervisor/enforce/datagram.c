/* The destinations of datagrams are the programs' own; here they are only forgotten. */
#include <bpf/bpf.h>

#include "supervisor/enforce/state.h"

/* A program that runs right now may put another row behind our back; its sandbox is gone, so nobody
 * finds it, and it costs one of ABI_DATAGRAMS_MAX until the maps are made anew. */
void datagram_drop_all(struct enforce *enforce, uint32_t slot, uint64_t sandbox)
{
	struct abi_datagram_key key = {.sandbox = sandbox};
	struct abi_datagram row;
	uint64_t n_looked_for = 0;
	const uint64_t zero = 0;

	if (!sandbox || bpf_map_lookup_elem(enforce->hands_fd, &slot, &n_looked_for) < 0)
		return;
	if (n_looked_for > ABI_DATAGRAMS_PER_SANDBOX_MAX)
		n_looked_for = ABI_DATAGRAMS_PER_SANDBOX_MAX;
	for (key.index = 0; key.index < n_looked_for; key.index++) {
		struct abi_destination_key destination = {.sandbox = sandbox};

		if (bpf_map_lookup_elem_flags(enforce->datagrams_fd, &key, &row, BPF_F_LOCK) < 0)
			continue;
		destination.address = row.address;
		destination.port = row.port;
		bpf_map_delete_elem(enforce->destinations_fd, &destination);
		bpf_map_delete_elem(enforce->datagrams_fd, &key);
	}
	bpf_map_update_elem(enforce->hands_fd, &slot, &zero, BPF_ANY);
}
