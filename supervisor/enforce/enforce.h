/* The kernel's part: programs attached once at the parent cgroup, maps, pins. Only this room
 * includes libbpf. Enforcement never depends on this process: programs, links and maps are pinned.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/audit.h"
#include "bpf/abi/budget.h"
#include "bpf/abi/emission.h"
#include "bpf/abi/event.h"
#include "bpf/abi/ledger.h"
#include "bpf/abi/shadow.h"
#include "bpf/abi/slot.h"
#include "bpf/abi/ticket.h"
#include "supervisor/base/failure.h"
#include "supervisor/policy/policy.h"

struct enforce;

struct enforce_config {
	const char *pin_dir;    /* on a bpffs, e.g. /sys/fs/bpf/cloche-default; made if absent */
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

/* Loads and attaches, or adopts what an earlier process pinned (`*ret_adopted`) when ABI version,
 * object file, parent cgroup and depth are the same and every link still holds. Otherwise the new
 * set is attached, knowing no sandbox and so denying all, before the old one goes. Returns 0 or
 * -errno with `why`; -EINVAL: `pin_dir` is not on a bpffs, or `cgroup_dir` not on a whole cgroup v2
 * tree. */
int enforce_open(const struct enforce_config *config, struct enforce **ret_enforce,
	bool *ret_adopted, struct failure *why);
/* The programs that are attached now, in order of their names, each with the tag by which the
 * kernel knows its code (SHA-1 over the instructions, cut to 8 bytes: bpf_prog_calc_tag()). Returns
 * 0 or -errno, also when one of the links is gone. */
#define ENFORCE_TAG_BYTES 8
typedef void (*enforce_program_callback)(
	const char *name, const uint8_t tag[ENFORCE_TAG_BYTES], void *userdata);
int enforce_programs_each(
	const struct enforce *enforce, enforce_program_callback callback, void *userdata);
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
/* Removes the map entry of `cgroup_id` and the slot's tickets, and frees the slot. */
void enforce_slot_release(struct enforce *enforce, uint32_t slot, uint64_t cgroup_id);
/* After a restart, when all were adopted and their images taken: frees every slot that nobody
 * adopted and every image that nobody took. Returns how many slots. */
size_t enforce_slot_sweep(struct enforce *enforce);

/* Installs an effective policy's image, or takes another reference to the one with the same hash:
 * also after a restart, when it gives the number that adopted slots are bound to already. -ENOSPC
 * when ABI_IMAGES_MAX are in use or a map is full, -EINVAL when `hash` is not 64 characters. */
int enforce_image_take(struct enforce *enforce, const char *hash, const struct policy_image *image,
	uint32_t *ret_image);
/* Whether it would be shared, or leave `n_left` others free. What rests is not free. */
bool enforce_image_leaves(struct enforce *enforce, const char *hash, uint32_t n_left);
/* Drops one reference. An image without any is emptied a second later, when no program that read
 * its number can still be running; taken again before that, it lives on. */
void enforce_image_release(struct enforce *enforce, uint32_t image);

/* Binds the slot: tenant and gate first, then the policy word in one store. The generation counts
 * from 1 and goes up with each call for the same slot. Tickets of the generation before become
 * stale with that store; what is older still is deleted. */
int enforce_slot_bind(struct enforce *enforce, uint32_t slot, uint32_t tenant, uint16_t gate_port,
	uint32_t image, uint32_t *ret_generation);
/* The gate's ports alone: the relay's, and the resolver's (UDP and TCP). 0: none. With a resolver,
 * whatever is sent to port 53 of any address goes there, and both ports are closed to the sandbox
 * itself; without, port 53 is a port like others. A slot that was just taken has none. Returns 0,
 * -EINVAL when the slot is not taken. */
int enforce_slot_set_ports(
	struct enforce *enforce, uint32_t slot, uint16_t gate_port, uint16_t dns_port);

/* The port where the gate takes datagrams inside; 0: none may leave. As above. */
int enforce_slot_set_datagram_port(struct enforce *enforce, uint32_t slot, uint16_t port);

/* The generation that the next bind of this slot will have, with no ticket in it: what an earlier
 * attempt put there, and never bound, is deleted. So call it once, before the first ticket of a
 * swap. Returns 0, -EINVAL when the slot is not taken. */
int enforce_slot_next_generation(struct enforce *enforce, uint32_t slot, uint32_t *ret_generation);
/* Writes the ticket with `index` (below ABI_TICKETS_PER_SANDBOX_MAX), replacing an earlier one,
 * under its address in both families (bpf/abi/ticket.h). `generation` is the slot's own, in force
 * at once, or the next. `ticket->sandbox` is the slot's. Returns 0; -ENOSPC when the map is full:
 * then there is none with this index; -EINVAL. */
int enforce_ticket_put(struct enforce *enforce, uint32_t slot, uint32_t generation, uint32_t index,
	const struct abi_ticket *ticket);
/* Deletes it; nothing happens if there is none. */
void enforce_ticket_drop(
	struct enforce *enforce, uint32_t slot, uint32_t generation, uint32_t index);

/* The index of the ticket that lies, or would lie, under a synthetic address of either family.
 * Returns 0, -EINVAL when the address is none. */
int enforce_ticket_index(const struct abi_address *address, uint32_t *ret_index);

/* Whether the policy now in force for the slot lets `protocol` (IPPROTO_TCP, IPPROTO_UDP) to
 * `address` through the relay, by its
 * rules or its tickets: judged by the host's build of what the programs judge by, over the same
 * maps. For connections that are open: port 53 counts as any other. */
bool enforce_slot_would_allow(struct enforce *enforce, uint32_t slot, uint8_t protocol,
	const struct abi_address *address, uint16_t port);

/* A candidate beside the policy in force: its opinion of each network decision is counted, and is
 * in the record where it is another. It changes no verdict. The generation under which the next
 * one's tickets are to be put; the last one is asked no more. A generation is given out once, also
 * when the slot is another's by then. Returns 0, -EINVAL when the slot is not taken. */
int enforce_shadow_next(struct enforce *enforce, uint32_t slot, uint32_t *ret_generation);
/* Has `image` asked from now on. -ENOSPC when there is no room for its counts, -EINVAL unless
 * `generation` is what enforce_shadow_next() gave last. */
int enforce_shadow_bind(
	struct enforce *enforce, uint32_t slot, uint32_t image, uint32_t generation);
/* None is asked any more; its counts stay until they are taken. */
void enforce_shadow_clear(struct enforce *enforce, uint32_t slot);
/* Calls back for each count of every slot, also of candidates that are asked no more. True: it is
 * taken, and is gone. Returns 0 or -errno. */
typedef bool (*enforce_shadow_callback)(
	const struct abi_shadow_key *key, uint64_t n, void *userdata);
int enforce_shadow_take(struct enforce *enforce, enforce_shadow_callback callback, void *userdata);

/* Budgets: a limit for each counter, 0 for none; `window_ns` 0 for one as long as the sandbox
 * lives. What is used stays. A window of another length begins now, with what the last one had
 * used; so no change gives anything back. A slot that was just taken has no budgets. Returns 0,
 * -EINVAL. */
int enforce_slot_set_budgets(struct enforce *enforce, uint32_t slot,
	const uint64_t limits[ABI_BUDGET_COUNTERS], uint64_t window_ns);
struct enforce_budgets {
	uint64_t limits[ABI_BUDGET_COUNTERS]; /* 0: none */
	uint64_t used[ABI_BUDGET_COUNTERS];   /* in this window, never more than the limit */
	uint64_t window_ns;
	uint64_t age_ns; /* since the window began; a window that is over is rolled by its next use
			  */
};
/* Returns 0, -EINVAL when the slot is not taken. */
int enforce_slot_budgets(
	const struct enforce *enforce, uint32_t slot, struct enforce_budgets *ret_budgets);

/* A tenant's row of budgets, which lives as long as the maps: found again after a restart with what
 * was used, or new and without limits. -ENOSPC, -EINVAL (tenant 0). */
int enforce_tenant_take(
	struct enforce *enforce, uint32_t tenant, uint32_t *ret_row, bool *ret_found);
/* No slot may name it any more. */
void enforce_tenant_release(struct enforce *enforce, uint32_t row);
/* Releases the rows of all tenants that are not known. */
void enforce_tenant_sweep(
	struct enforce *enforce, bool (*is_known)(uint32_t tenant, void *userdata), void *userdata);
/* As for slots. */
int enforce_tenant_set_budgets(struct enforce *enforce, uint32_t row,
	const uint64_t limits[ABI_BUDGET_COUNTERS], uint64_t window_ns);
int enforce_tenant_budgets(
	const struct enforce *enforce, uint32_t row, struct enforce_budgets *ret_budgets);
/* Says what was used in a window that began `age_ns` ago: for a new row of a tenant that had one in
 * other maps. Set its limits first. */
int enforce_tenant_restore(struct enforce *enforce, uint32_t row,
	const uint64_t used[ABI_BUDGET_COUNTERS], uint64_t age_ns);
/* Whose budgets the slot's sandbox shares; 0: nobody's. A slot that was just taken has none. */
int enforce_slot_set_tenant(struct enforce *enforce, uint32_t slot, uint32_t row);

/* Sets the counters to zero, and what is used of the budgets, as of a claim: what it took to make
 * the sandbox is nobody's. */
int enforce_slot_reset_counters(struct enforce *enforce, uint32_t slot);

/* Sums the per-CPU counters of a slot. */
int enforce_slot_counters(
	struct enforce *enforce, uint32_t slot, struct abi_counters *ret_counters);

/* What user space notes of a sandbox, for as long as its slot is taken: also over a restart. Zero
 * when the slot is taken, and when its counters are reset. NULL when the slot is not taken. Of the
 * members, `dead_…`, `living_…` and `block_…` are this room's. */
struct abi_ledger *enforce_slot_ledger(struct enforce *enforce, uint32_t slot);
/* Block I/O of a sandbox so far. Never goes back. Walks all tasks of the host unless that was done
 * less than ENFORCE_WALK_NS ago, or so lately that walking would take more than a fiftieth of the
 * time; so what the living did since then may be missing. Returns 0, -EINVAL, -errno. */
#define ENFORCE_WALK_NS 1000000000ULL
int enforce_slot_block(struct enforce *enforce, uint32_t slot, uint64_t *ret_read_bytes,
	uint64_t *ret_written_bytes);

/* The audit of system calls. Which of them become events is a matter of the image, like all that a
 * policy says: call it before the image is bound to a slot. Returns 0, -EINVAL, -errno. */
int enforce_image_set_audit(
	struct enforce *enforce, uint32_t image, const struct abi_audit_set *set);
/* Counts the slot's system calls from now on, until it is released, and lets its image's set make
 * events. The first one attaches the program that this takes (some milliseconds, once), and it is
 * detached when nobody has been audited for two seconds: it costs every system call of the host.
 * Nothing happens when it is audited already. Returns 0, -EINVAL, -ENOSPC, -ENOMEM, -errno. */
int enforce_audit_begin(struct enforce *enforce, uint32_t slot);
/* Calls and refusals by number. Returns 0, -EINVAL, -ENOENT when the slot is not audited. */
int enforce_slot_syscalls(
	const struct enforce *enforce, uint32_t slot, struct abi_audited *ret_counts);
bool enforce_audit_attached(const struct enforce *enforce);

/* A read-only descriptor of the map of flows (abi_flow_key to abi_flow), for the gate. Entries are
 * overwritten by the next connection from the same port, never deleted at close: the client may be
 * gone before the gate accepts. Owned by the caller. */
int enforce_flows_fd(struct enforce *enforce, int *ret_fd);
/* The same of the map of datagrams (abi_datagram_key to abi_datagram). Read it with BPF_F_LOCK. */
int enforce_datagrams_fd(struct enforce *enforce, int *ret_fd);

/* Events: call from a timer; `enforce_events_fd` becomes readable only when a sixteenth of a ring
 * is waiting. Each record goes to `callback`, borrowed: those of the security class first, so
 * records of the two classes are not in the order of their times. Returns how many, or -errno;
 * ENFORCE_EVENTS_BATCH means that more are waiting and that it should be called again after the
 * loop has seen to others. Also empties images that have rested, and detaches what nobody needs, so
 * call it even if nobody reads events. No verdict depends on any of it. */
#define ENFORCE_EVENTS_BATCH 4096
typedef void (*enforce_event_callback)(const struct abi_event_header *event, void *userdata);
int enforce_events_fd(const struct enforce *enforce);
int enforce_events_consume(
	struct enforce *enforce, enforce_event_callback callback, void *userdata);

/* How many records a second each sandbox may make in the long run, and how many at once: above that
 * they are counted instead. So no sandbox can use up a ring. */
#define ENFORCE_SECURITY_RATE 10000
#define ENFORCE_SECURITY_BURST 1500
#define ENFORCE_BULK_RATE 20000
#define ENFORCE_BULK_BURST_PART 4 /* of a second's records */
/* Another rate for the bulk class of a slot, 1 to 1,000,000 a second, in force at once; a burst is
 * a quarter of a second of it, and at least 100. A slot that was just taken has the rate above.
 * Returns 0, -EINVAL. */
int enforce_slot_set_rate(struct enforce *enforce, uint32_t slot, uint32_t per_second);

/* Events without a record. Calls back for each sandbox (0: none could be named), class and reason
 * that lost some since the last call, also over a restart: a loss is told once. Costs nothing when
 * nothing was lost. */
typedef void (*enforce_loss_callback)(
	uint64_t sandbox, enum abi_class class, enum abi_loss loss, uint64_t n, void *userdata);
void enforce_events_losses(struct enforce *enforce, enforce_loss_callback callback, void *userdata);

/* Since the maps were made, so over restarts; monotonic, but for `unaccounted` of the kind that a
 * program which was cut off in the middle makes good later. At rest seen == consumed + dropped in
 * all; whenever a ring was emptied, what had been seen when it was emptied the time before must
 * have been consumed or dropped, or the difference is added to `unaccounted`. */
struct enforce_events_class {
	uint64_t seen, emitted, consumed, unaccounted;
	uint64_t dropped[ABI_LOSSES];
};
struct enforce_events_totals {
	struct enforce_events_class classes[ABI_CLASSES];
};
/* Returns 0 or -errno. */
int enforce_events_totals(struct enforce *enforce, struct enforce_events_totals *ret_totals);
