/* Candidates beside the policies in force, and the counts of what they would have said. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "supervisor/enforce/state.h"

#define BATCH 4096

/* All rows of the map, in one list: its walk starts over when rows are deleted meanwhile. */
struct shadow_rows {
	struct abi_shadow_key *keys;
	uint64_t *counts;
	uint32_t n;
};

static void rows_fini(struct shadow_rows *rows)
{
	free(rows->keys);
	free(rows->counts);
}

static int read_rows(struct enforce *enforce, struct shadow_rows *rows)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options);
	uint32_t place = 0, *from = NULL;
	int r = 0;

	rows->keys = calloc(ABI_SHADOWS_MAX + BATCH, sizeof(*rows->keys));
	rows->counts = calloc(ABI_SHADOWS_MAX + BATCH, sizeof(*rows->counts));
	if (!rows->keys || !rows->counts)
		return -ENOMEM;
	while (r == 0 && rows->n < ABI_SHADOWS_MAX) {
		uint32_t n = BATCH;

		r = bpf_map_lookup_batch(enforce->shadows_fd, from, &place, rows->keys + rows->n,
			rows->counts + rows->n, &n, &options);
		if (r == 0 || r == -ENOENT)
			rows->n += n;
		from = &place;
	}
	return r == -ENOENT ? 0 : r;
}

int enforce_shadow_take(struct enforce *enforce, enforce_shadow_callback callback, void *userdata)
{
	_cleanup_(rows_fini) struct shadow_rows rows = {0};
	int r = read_rows(enforce, &rows);

	for (uint32_t i = 0; r == 0 && i < rows.n; i++)
		if (callback(&rows.keys[i], rows.counts[i], userdata))
			bpf_map_delete_elem(enforce->shadows_fd, &rows.keys[i]);
	return r;
}

void shadow_drop(struct enforce *enforce, uint32_t slot)
{
	struct abi_slot *row = &enforce->rows[slot];

	ticket_drop_shadows(enforce, slot);
	if (!row->shadow)
		return;
	/* What an earlier process gave out counts too. */
	enforce->shadow_generations[slot] = ABI_SLOT_GENERATION(row->shadow);
	__atomic_store_n(&row->shadow, 0, __ATOMIC_RELEASE);
}

void enforce_shadow_clear(struct enforce *enforce, uint32_t slot)
{
	if (slot_is_taken(enforce, slot))
		shadow_drop(enforce, slot);
}

int enforce_shadow_next(struct enforce *enforce, uint32_t slot, uint32_t *ret_generation)
{
	if (!slot_is_taken(enforce, slot))
		return -EINVAL;
	shadow_drop(enforce, slot);
	enforce->shadow_generations[slot] =
		ABI_SHADOW_GENERATION | (enforce->shadow_generations[slot] + 1);
	*ret_generation = enforce->shadow_generations[slot];
	return 0;
}

int enforce_shadow_bind(struct enforce *enforce, uint32_t slot, uint32_t image, uint32_t generation)
{
	struct abi_shadow_key key = {.slot = slot, .generation = generation, .rule = ABI_RULE_NONE};
	const uint64_t zero = 0;

	if (!slot_is_taken(enforce, slot) || image >= ABI_IMAGES_MAX || !generation ||
		generation != enforce->shadow_generations[slot])
		return -EINVAL;
	for (key.outcome = ABI_SHADOW_AGREED; key.outcome <= ABI_SHADOW_WOULD_ALLOW;
		key.outcome++) {
		int r = bpf_map_update_elem(enforce->shadows_fd, &key, &zero, BPF_ANY);

		if (r < 0) {
			while (--key.outcome >= ABI_SHADOW_AGREED)
				bpf_map_delete_elem(enforce->shadows_fd, &key);
			return r == -E2BIG ? -ENOSPC : r;
		}
	}
	__atomic_store_n(
		&enforce->rows[slot].shadow, ABI_SLOT_POLICY(generation, image), __ATOMIC_RELEASE);
	return 0;
}
