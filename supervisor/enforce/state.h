/* What the files of this room share: the handles, the free slots, the images. */
#pragma once

#include "bpf/abi/audit.h"
#include "bpf/abi/datagram.h"
#include "bpf/abi/emission.h"
#include "bpf/abi/flow.h"
#include "bpf/abi/meta.h"
#include "bpf/abi/shadow.h"
#include "supervisor/enforce/enforce.h"

struct ring_buffer;

enum slot_use {
	SLOT_FREE,
	SLOT_FOUND, /* in the kernel from an earlier process, not adopted yet */
	SLOT_TAKEN,
};

/* Free slots wait in a queue, so that a slot rests as long as possible before it is another
 * sandbox's. */
struct slot_table {
	uint8_t use[ABI_SLOTS_MAX]; /* enum slot_use */
	uint32_t queue[ABI_SLOTS_MAX];
	uint32_t first, n_free;
};

/* Which tickets of a slot may be in the map, so that they can be deleted without looking for them.
 */
struct ticket_span {
	uint32_t generation_first, generation_last; /* both inside; 0: no tickets at all */
	uint32_t n_indexes;                         /* all are below it */
};

enum image_use {
	IMAGE_EMPTY,
	IMAGE_FOUND, /* complete in the kernel from an earlier process; no reference yet */
	IMAGE_LIVE,
	IMAGE_RESTING, /* no reference; programs that run right now may still read it */
};

struct image {
	char hash[POLICY_HASH_SIZE];
	enum image_use use;
	unsigned int n_references;
	uint64_t rest_until_ns;           /* CLOCK_MONOTONIC */
	struct abi_exact_key *exact_keys; /* owned; what to delete. NULL with `scan` */
	size_t n_exact;
	bool scan; /* its exact keys are not known: look through the whole map */
};

/* What is known of one ring. */
struct event_ring {
	struct enforce *enforce;
	enum abi_class class;
	uint64_t n_consumed; /* those whose record may not be written yet included */
	uint64_t n_due;  /* seen when the ring was emptied last: to be accounted for next time */
	uint64_t n_told; /* of the reader's `unaccounted` */
};

struct events {
	struct ring_buffer *buffer; /* both, the security ring first */
	struct event_ring rings[ABI_CLASSES];
	struct abi_emitted *counts;      /* owned; room for a row of each CPU */
	uint64_t checked_ns;             /* CLOCK_MONOTONIC, of the last proof */
	uint64_t n_reported;             /* sum of `reported` of all rows */
	enforce_event_callback callback; /* while events are consumed */
	void *userdata;
	int n_batch;
};

struct audits {
	uint32_t n; /* sandboxes that are audited */
	bool attached;
	uint64_t idle_since_ns; /* CLOCK_MONOTONIC, while there are none */
};

struct enforce {
	char *pin_dir;
	char *set_dir; /* below pin_dir: the set of programs in force */
	int slots_fd, id2slot_fd, counters_fd, exact_fd, cidrs_fd, security_fd, bulk_fd,
		emissions_fd, reader_fd, emitted_fd, images_fd, tickets_fd, budgets_fd, ledgers_fd,
		datagrams_fd, destinations_fd, hands_fd, tenant_budgets_fd, audited_fd,
		audit_sets_fd, shadows_fd;
	int living_fd;        /* link of the iterator over tasks */
	uint64_t walk_due_ns; /* CLOCK_MONOTONIC */
	int n_cpus;
	struct abi_slot *rows;      /* the map `slots`, mapped */
	struct abi_budget *budgets; /* the map `budgets`, mapped */
	struct abi_budget *tenant_budgets;
	struct abi_ledger *ledgers; /* the map `ledgers`, mapped */
	struct slot_table slots;
	uint64_t cgroups[ABI_SLOTS_MAX]; /* of slots that are taken */
	struct audits audits;
	struct ticket_span tickets[ABI_SLOTS_MAX], shadow_tickets[ABI_SLOTS_MAX];
	uint32_t shadow_generations[ABI_SLOTS_MAX]; /* the last that was given out; 0: none */
	struct image images[ABI_IMAGES_MAX];
	struct abi_emission *emissions; /* the map `emissions`, mapped */
	struct abi_reader *reader;      /* the map `reader`, mapped */
	struct events events;
};

/* The parent of the sandboxes' cgroups. */
struct cgroup_place {
	uint64_t id;
	uint32_t level; /* of the sandboxes: one below the parent */
};

/* Bytes of the rows' mapping. */
size_t slot_rows_size(void);
/* Maps the budgets; unmaps them. 0 or -errno. */
int budget_table_open(struct enforce *enforce);
void budget_table_close(struct enforce *enforce);
/* No limits, nothing used. */
void budget_clear(struct enforce *enforce, uint32_t slot);
/* The limits stay, what was used is forgotten. */
void budget_restart(struct enforce *enforce, uint32_t slot);
/* Maps the ledgers and opens the iterator's link; lets go of the mapping. 0 or -errno. */
int ledger_table_open(struct enforce *enforce);
void ledger_table_close(struct enforce *enforce);
/* All zero, as for a sandbox that is nobody's yet. */
void ledger_clear(struct enforce *enforce, uint32_t slot);
/* Reads which slots are in use. 0 or -errno. */
int slot_table_read(struct enforce *enforce);
bool slot_is_taken(const struct enforce *enforce, uint32_t slot);

/* Reads which images are complete; empties what a dying process left half done. 0 or -errno. */
int image_table_read(struct enforce *enforce);
/* Empties what has rested long enough. */
void image_collect(struct enforce *enforce);
/* Puts to rest what nobody took again. */
void image_sweep(struct enforce *enforce);
void image_table_fini(struct enforce *enforce);

/* Reads which tickets are there; deletes those that no slot's policy in force has. After
 * slot_table_read(). 0 or -errno. */
int ticket_table_read(struct enforce *enforce);
/* Deletes the slot's tickets of generations up to `generation`, UINT32_MAX for all. */
void ticket_drop_until(struct enforce *enforce, uint32_t slot, uint32_t generation);
/* The same, of `generation` and later. */
void ticket_drop_since(struct enforce *enforce, uint32_t slot, uint32_t generation);

/* Deletes the tickets of the slot's candidates. */
void ticket_drop_shadows(struct enforce *enforce, uint32_t slot);
/* The slot's candidate is asked no more; its rows go. */
void shadow_drop(struct enforce *enforce, uint32_t slot);

/* Deletes the rows of the slot's datagrams and how they are found. `sandbox` is the slot's. */
void datagram_drop_all(struct enforce *enforce, uint32_t slot, uint64_t sandbox);
/* Finds who is audited, and whether the program is attached; attaches it if it should be. 0 or
 * -errno. */
int audit_table_read(struct enforce *enforce);
/* Detaches when nobody has been audited for a while. */
void audit_collect(struct enforce *enforce);
/* The sandbox of `cgroup`, if it was audited, is so no more. */
void audit_end(struct enforce *enforce, uint64_t cgroup);
void audit_add_up(const struct enforce *enforce, uint32_t slot, struct abi_counters *counters);

int events_open(struct enforce *enforce);
void events_close(struct enforce *enforce);

/* The kernel's counts of a class, all CPUs together. 0 or -errno. */
int events_read_counts(struct enforce *enforce, struct abi_emitted *ret_sum);

/* Maps the rows of shares and the reader's counts; unmaps them. 0 or -errno. */
int emission_table_open(struct enforce *enforce);
void emission_table_close(struct enforce *enforce);
/* The slot is `sandbox`'s from now on: the usual shares, nothing counted. */
void emission_take(struct enforce *enforce, uint32_t slot, uint64_t sandbox);
