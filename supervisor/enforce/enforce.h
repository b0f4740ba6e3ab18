/* The kernel's part: programs attached once at the parent cgroup, maps, pins. Only this room includes
 * libbpf. Enforcement never depends on this process: programs, links and maps are pinned. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bpf/abi/event.h"
#include "bpf/abi/slot.h"
#include "supervisor/base/failure.h"
#include "supervisor/policy/policy.h"

struct enforce;

struct enforce_config {
	const char *pin_dir;	/* on a bpffs, e.g. /sys/fs/bpf/cloche-default; made if absent */
	const char *cgroup_dir; /* cgroup v2 directory whose children are the sandboxes */
};

/* One line of `cloched --check`. */
struct enforce_probe {
	const char *feature; /* "cgroup connect4 programs" */
	bool present, required;
	char meaning[160]; /* what its absence means for a user */
};

/* Probes the kernel: fills at most `n_max` rows, returns how many. Changes nothing. */
size_t enforce_probe(struct enforce_probe *ret_probes, size_t n_max);

/* Loads and attaches, or adopts what an earlier process pinned (`*ret_adopted`) when its ABI version
 * is this one's; replaces it otherwise, denying in between. Returns 0 or -errno with `why`. */
int enforce_open(const struct enforce_config *config, struct enforce **ret_enforce,
	bool *ret_adopted, struct failure *why);
/* Lets go of this process's handles; enforcement stays. Takes NULL, returns NULL. */
struct enforce *enforce_free(struct enforce *enforce);
/* Detaches and unpins everything: only when no sandbox is left. */
int enforce_remove(struct enforce *enforce);

/* Takes a free slot for the sandbox whose cgroup v2 directory has inode `cgroup_id`: deny all, no
 * gate, counters zero. -ENOSPC when all are taken. */
int enforce_slot_take(
	struct enforce *enforce, uint64_t cgroup_id, uint64_t sandbox, uint32_t *ret_slot);
/* After a restart: takes over the slot that the kernel already has for `cgroup_id`. -ENOENT,
 * -ESTALE when it holds another sandbox. */
int enforce_slot_adopt(
	struct enforce *enforce, uint64_t cgroup_id, uint64_t sandbox, uint32_t *ret_slot);
/* Removes the map entry of `cgroup_id` and frees the slot. */
void enforce_slot_release(struct enforce *enforce, uint32_t slot, uint64_t cgroup_id);
/* After a restart, when all were adopted: frees every slot that nobody adopted. Returns how many. */
size_t enforce_slot_sweep(struct enforce *enforce);

/* Installs an effective policy's image, or takes another reference to the one with the same hash.
 * -ENOSPC when ABI_IMAGES_MAX are in use or a map is full. */
int enforce_image_take(struct enforce *enforce, const char *hash, const struct policy_image *image,
	uint32_t *ret_image);
/* Drops one reference; the last empties the image after in-flight programs are done. */
void enforce_image_release(struct enforce *enforce, uint32_t image);

/* Binds the slot: tenant and gate first, then the policy word in one store. The generation counts
 * from 1 and goes up with each call for the same slot. */
int enforce_slot_bind(struct enforce *enforce, uint32_t slot, uint32_t tenant, uint16_t gate_port,
	uint32_t image, uint32_t *ret_generation);
/* The gate's port alone, after the gate came back. */
void enforce_slot_set_gate(struct enforce *enforce, uint32_t slot, uint16_t gate_port);

/* Sums the per-CPU counters of a slot. */
int enforce_slot_counters(
	struct enforce *enforce, uint32_t slot, struct abi_counters *ret_counters);

/* A read-only descriptor of the map of flows, for the gate. Owned by the caller. */
int enforce_flows_fd(struct enforce *enforce, int *ret_fd);

/* Events: poll `enforce_events_fd` or call from a timer. Each record goes to `callback`, borrowed.
 * Returns how many, or -errno. */
typedef void (*enforce_event_callback)(const struct abi_event_header *event, void *userdata);
int enforce_events_fd(const struct enforce *enforce);
int enforce_events_consume(
	struct enforce *enforce, enforce_event_callback callback, void *userdata);
/* Events that found no room since the maps were made; monotonic. */
uint64_t enforce_events_lost(const struct enforce *enforce);
