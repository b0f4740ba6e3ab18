#include "supervisor/gate/flows/table.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int look_up(int map_fd, const void *key, void *ret_value, uint64_t flags)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map_fd;
	attr.key = (uint64_t)(uintptr_t)key;
	attr.value = (uint64_t)(uintptr_t)ret_value;
	attr.flags = flags;
	return syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

int flow_table_lookup(void *userdata, const struct abi_flow_key *key, struct abi_flow *ret_flow)
{
	return look_up(*(const int *)userdata, key, ret_flow, 0);
}

int flow_table_lookup_datagram(
	void *userdata, const struct abi_datagram_key *key, struct abi_datagram *ret_row)
{
	return look_up(*(const int *)userdata, key, ret_row, BPF_F_LOCK);
}
