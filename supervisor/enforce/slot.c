/* Slots: which sandbox is which row, and which image judges it. The programs read the rows while we
 * write them, so each write leaves a state that denies or is whole. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/enforce/state.h"

#define NO_POLICY ABI_SLOT_POLICY(0, ABI_IMAGE_NONE)

size_t slot_rows_size(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = ABI_SLOTS_MAX * sizeof(struct abi_slot);

	return (size + page - 1) / page * page;
}

static void put_free(struct slot_table *table, uint32_t slot)
{
	table->use[slot] = SLOT_FREE;
	table->queue[(table->first + table->n_free) % ABI_SLOTS_MAX] = slot;
	table->n_free++;
}

static uint32_t take_free(struct slot_table *table)
{
	uint32_t slot = table->queue[table->first];

	table->first = (table->first + 1) % ABI_SLOTS_MAX;
	table->n_free--;
	table->use[slot] = SLOT_TAKEN;
	return slot;
}

/* Nobody's from here on: first no rule, then no owner. */
static void clear_row(struct abi_slot *row)
{
	__atomic_store_n(&row->policy, NO_POLICY, __ATOMIC_RELEASE);
	__atomic_store_n(&row->shadow, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&row->sandbox, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&row->gate_port, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&row->dns_port, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&row->datagram_port, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&row->tenant_budget, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&row->tenant, 0, __ATOMIC_RELEASE);
}

int enforce_slot_reset_counters(struct enforce *enforce, uint32_t slot)
{
	_cleanup_free_ struct abi_counters *zero =
		calloc((size_t)enforce->n_cpus, sizeof(struct abi_counters));

	if (!zero)
		return -ENOMEM;
	budget_restart(enforce, slot);
	ledger_clear(enforce, slot);
	return bpf_map_update_elem(enforce->counters_fd, &slot, zero, BPF_ANY);
}

int slot_table_read(struct enforce *enforce)
{
	struct slot_table *table = &enforce->slots;
	uint64_t key, *before = NULL;
	uint32_t slot;

	while (bpf_map_get_next_key(enforce->id2slot_fd, before, &key) == 0) {
		if (bpf_map_lookup_elem(enforce->id2slot_fd, &key, &slot) == 0 &&
			slot < ABI_SLOTS_MAX)
			table->use[slot] = SLOT_FOUND;
		before = &key;
	}
	for (slot = 0; slot < ABI_SLOTS_MAX; slot++) {
		if (enforce->rows[slot].sandbox)
			table->use[slot] = SLOT_FOUND;
		else if (table->use[slot] == SLOT_FREE)
			put_free(table, slot);
	}
	return 0;
}

int enforce_slot_take(
	struct enforce *enforce, uint64_t cgroup_id, uint64_t sandbox, uint32_t *ret_slot)
{
	struct slot_table *table = &enforce->slots;
	struct abi_slot *row;
	uint32_t slot;
	int r;

	if (!sandbox || !cgroup_id)
		return -EINVAL;
	if (!table->n_free)
		return -ENOSPC;
	slot = take_free(table);
	row = &enforce->rows[slot];
	clear_row(row);
	budget_clear(enforce, slot);
	emission_take(enforce, slot, sandbox);
	r = enforce_slot_reset_counters(enforce, slot);
	if (r == 0)
		r = bpf_map_update_elem(enforce->id2slot_fd, &cgroup_id, &slot, BPF_NOEXIST);
	if (r < 0) {
		put_free(table, slot);
		return r == -E2BIG ? -ENOSPC : r;
	}
	enforce->cgroups[slot] = cgroup_id;
	__atomic_store_n(&row->sandbox, sandbox, __ATOMIC_RELEASE);
	*ret_slot = slot;
	return 0;
}

int enforce_slot_adopt(
	struct enforce *enforce, uint64_t cgroup_id, uint64_t sandbox, uint32_t *ret_slot)
{
	uint32_t slot;
	int r = bpf_map_lookup_elem(enforce->id2slot_fd, &cgroup_id, &slot);

	if (r < 0)
		return r;
	if (slot >= ABI_SLOTS_MAX || enforce->slots.use[slot] != SLOT_FOUND || !sandbox ||
		enforce->rows[slot].sandbox != sandbox)
		return -ESTALE;
	enforce->slots.use[slot] = SLOT_TAKEN;
	enforce->cgroups[slot] = cgroup_id;
	*ret_slot = slot;
	return 0;
}

bool slot_is_taken(const struct enforce *enforce, uint32_t slot)
{
	return slot < ABI_SLOTS_MAX && enforce->slots.use[slot] == SLOT_TAKEN;
}

static void free_row(struct enforce *enforce, uint32_t slot)
{
	uint64_t sandbox = enforce->rows[slot].sandbox;

	shadow_drop(enforce, slot);
	clear_row(&enforce->rows[slot]);
	ticket_drop_until(enforce, slot, UINT32_MAX);
	datagram_drop_all(enforce, slot, sandbox);
}

void enforce_slot_release(struct enforce *enforce, uint32_t slot, uint64_t cgroup_id)
{
	if (!slot_is_taken(enforce, slot))
		return;
	free_row(enforce, slot);
	audit_end(enforce, cgroup_id);
	bpf_map_delete_elem(enforce->id2slot_fd, &cgroup_id);
	put_free(&enforce->slots, slot);
}

/* Deletes the entries of cgroups whose slot nobody adopted. The keys are gathered first: deleting
 * while walking a hash makes the walk start over. */
static void sweep_cgroups(struct enforce *enforce)
{
	_cleanup_free_ uint64_t *keys = calloc(ABI_SLOTS_MAX, sizeof(uint64_t));
	uint64_t key, *before = NULL;
	size_t n = 0;
	uint32_t slot;

	if (!keys)
		return;
	while (n < ABI_SLOTS_MAX && bpf_map_get_next_key(enforce->id2slot_fd, before, &key) == 0) {
		if (bpf_map_lookup_elem(enforce->id2slot_fd, &key, &slot) == 0 &&
			!slot_is_taken(enforce, slot))
			keys[n++] = key;
		before = &key;
	}
	for (size_t i = 0; i < n; i++) {
		audit_end(enforce, keys[i]);
		bpf_map_delete_elem(enforce->id2slot_fd, &keys[i]);
	}
}

size_t enforce_slot_sweep(struct enforce *enforce)
{
	size_t n_swept = 0;

	for (uint32_t slot = 0; slot < ABI_SLOTS_MAX; slot++) {
		if (enforce->slots.use[slot] != SLOT_FOUND)
			continue;
		free_row(enforce, slot);
		n_swept++;
	}
	sweep_cgroups(enforce);
	for (uint32_t slot = 0; slot < ABI_SLOTS_MAX; slot++)
		if (enforce->slots.use[slot] == SLOT_FOUND)
			put_free(&enforce->slots, slot);
	image_sweep(enforce);
	return n_swept;
}

int enforce_slot_bind(struct enforce *enforce, uint32_t slot, uint32_t tenant, uint16_t gate_port,
	uint32_t image, uint32_t *ret_generation)
{
	struct abi_slot *row;
	uint32_t generation;

	if (!slot_is_taken(enforce, slot) || image >= ABI_IMAGES_MAX)
		return -EINVAL;
	row = &enforce->rows[slot];
	generation = ABI_SLOT_GENERATION(row->policy) + 1;
	__atomic_store_n(&row->tenant, tenant, __ATOMIC_RELEASE);
	__atomic_store_n(&row->gate_port, gate_port, __ATOMIC_RELEASE);
	__atomic_store_n(&row->policy, ABI_SLOT_POLICY(generation, image), __ATOMIC_RELEASE);
	/* A program that runs right now may have read the word before and look for its ticket yet:
	 * the generation that just ended stays until the next swap. */
	if (generation > 1)
		ticket_drop_until(enforce, slot, generation - 2);
	*ret_generation = generation;
	return 0;
}

int enforce_slot_next_generation(struct enforce *enforce, uint32_t slot, uint32_t *ret_generation)
{
	uint32_t generation;

	if (!slot_is_taken(enforce, slot))
		return -EINVAL;
	generation = ABI_SLOT_GENERATION(enforce->rows[slot].policy) + 1;
	ticket_drop_since(enforce, slot, generation);
	*ret_generation = generation;
	return 0;
}

int enforce_slot_set_ports(
	struct enforce *enforce, uint32_t slot, uint16_t gate_port, uint16_t dns_port)
{
	if (!slot_is_taken(enforce, slot))
		return -EINVAL;
	__atomic_store_n(&enforce->rows[slot].gate_port, gate_port, __ATOMIC_RELEASE);
	__atomic_store_n(&enforce->rows[slot].dns_port, dns_port, __ATOMIC_RELEASE);
	return 0;
}

int enforce_slot_set_datagram_port(struct enforce *enforce, uint32_t slot, uint16_t port)
{
	if (!slot_is_taken(enforce, slot))
		return -EINVAL;
	__atomic_store_n(&enforce->rows[slot].datagram_port, port, __ATOMIC_RELEASE);
	return 0;
}

int enforce_slot_counters(struct enforce *enforce, uint32_t slot, struct abi_counters *ret_counters)
{
	_cleanup_free_ struct abi_counters *rows =
		calloc((size_t)enforce->n_cpus, sizeof(struct abi_counters));
	struct abi_counters sum = {};
	int r;

	if (!rows)
		return -ENOMEM;
	r = bpf_map_lookup_elem(enforce->counters_fd, &slot, rows);
	if (r < 0)
		return r;
	for (int i = 0; i < enforce->n_cpus; i++) {
		sum.bytes_sent += rows[i].bytes_sent;
		sum.bytes_received += rows[i].bytes_received;
		sum.packets_sent += rows[i].packets_sent;
		sum.packets_received += rows[i].packets_received;
		sum.connections_allowed += rows[i].connections_allowed;
		sum.connections_denied += rows[i].connections_denied;
		sum.execs += rows[i].execs;
		sum.dns_queries += rows[i].dns_queries;
		sum.n_forks += rows[i].n_forks;
	}
	audit_add_up(enforce, slot, &sum);
	*ret_counters = sum;
	return 0;
}
