/* A sandbox and its commands, as the files of this room see them.
 *
 *   making → warm → claimed → running → stopping → gone
 *                 ↘ failed ↗            (any) ↗
 * `making` and `claiming` are steps of this process; what others see is wire_sandbox_state. */
#pragma once

#include "supervisor/core/core.h"
#include "supervisor/core/shadow/candidate.h"
#include "supervisor/wire/gate.h"

enum sandbox_phase {
	PHASE_MAKING,   /* the spawner is at work */
	PHASE_WARM,     /* in the pool */
	PHASE_CLAIMING, /* limits and policy are being applied */
	PHASE_CLAIMED,  /* a tenant's, nothing ran yet */
	PHASE_RUNNING,
	PHASE_STOPPING, /* killed; waiting for the last process */
	PHASE_FAILED,   /* died by itself; its tenant may look at the reason and delete it */
};

struct shadow_asked;

struct waiter {
	struct waiter *next;
	sandbox_ended_callback callback;
	void *userdata;
};

/* What a claim needs while it waits for a cold start. */
struct claim {
	struct tenant *tenant;
	struct wire_sandbox_create request; /* its key is wiped */
	char *tail;
	size_t tail_size;
	sandbox_created_callback callback;
	void *userdata;
	uint64_t asked_ns; /* CLOCK_MONOTONIC */
};

struct sandbox {
	struct core *core;
	uint64_t id;
	enum sandbox_phase phase;
	char template[32];
	struct tenant *tenant;
	struct effective *effective;
	uint32_t generation;
	struct effective *shadow; /* a candidate that is asked too; NULL: none */
	uint32_t shadow_generation;
	struct shadow_asked *shadow_asked; /* whom its opinions are counted for */
	/* What an administrator named for this sandbox, and what its tenant did; empty: none. */
	char shadow_administrators[POLICY_NAME_SIZE], shadow_own[POLICY_NAME_SIZE];
	enum candidate_source shadow_source;
	char shadow_name[POLICY_NAME_SIZE]; /* what should be asked; empty: nothing */
	char shadow_error[192];             /* why it is not */
	struct wire_limits limits;
	char *labels, *env; /* NUL-terminated strings in a row */
	size_t labels_size, env_size;
	uint32_t n_labels, n_env;
	bool warm; /* came from the pool */
	bool stored;
	bool counted_cold; /* in core->n_cold_starts */
	struct claim *claim;
	uint32_t n_claim_answers;   /* of PID 1 that the claim waits for */
	const char *executables_by; /* what limits them, in words; NULL: nothing does */

	struct cgroup cgroup;
	bool has_cgroup, has_slot;
	bool frozen; /* by the loss of a record, for good */
	bool killed_for_loss;
	uint32_t slot, uid_first, pid;
	int pidfd;
	struct loop_source *pidfd_source;
	struct channel *init;
	bool greeted;
	struct launch_sockets sockets; /* in its network namespace; ports 0: none yet */
	struct names *names;           /* tickets; NULL: none yet */
	struct swap *swaps;            /* oldest first; the first is under way */

	uint64_t created_ns, expires_ns;
	struct loop_source *expiry, *idle;
	uint64_t oom_kills_seen, pids_hits_seen;
	uint32_t n_execs, n_earlier_execs; /* running; those of an earlier cloched */
	struct wire_usage last_usage;      /* taken when it failed */
	struct wire_usage snapshot;        /* as last read */
	uint64_t snapshot_ns;              /* CLOCK_MONOTONIC; 0: never */
	struct history history;
	char reason[WIRE_REASON_SIZE];
	struct waiter *waiters;
};

struct exec {
	struct core *core;
	struct sandbox *sandbox;
	uint64_t id;
	uint64_t started_ns, timeout_ms; /* 0: none */
	uint32_t flags;
	bool started, abandoned;
	enum wire_exec_end kill_end; /* 0: nobody killed it */
	struct loop_source *timeout;
	int output_fds[3]; /* our ends until they are handed over: stdout, stderr, stdin */
	struct exec_callbacks callbacks;
	void *userdata;
};

/* ---- spawn.c: making one, up to the greeting of PID 1 */
/* Returns the sandbox in PHASE_MAKING, or NULL with `why`. With `claim` (taken over on success) it
 * is claimed as soon as it is up, else it goes to the pool. */
struct sandbox *sandbox_spawn(
	struct core *core, const char *template, struct claim *claim, struct refusal *why);
int sandbox_spawn_for_pool(const char *template, void *userdata);
/* Takes over what the spawner or adoption gave: watches PID 1 and talks to it. */
/* Those of all tenants, after the kernel's part was opened; what was used is written down. */
int tenant_budgets_start(struct core *core, struct failure *why);
void tenant_save_budgets(struct core *core, struct tenant *tenant);
/* Gives the kernel the policy's budgets, and says whose tenant's it shares; what was used stays. 0
 * or -errno. */
int sandbox_set_budgets(struct sandbox *sandbox, const struct policy *policy);
/* Counts its system calls if the policy has any recorded, and sets how much may be. 0 or -errno. */
int sandbox_set_audit(struct sandbox *sandbox, const struct policy *policy);
int sandbox_attach(struct sandbox *sandbox, const struct launch_result *result);
struct sandbox *sandbox_new(struct core *core, uint64_t id, const char *template);
struct sandbox *sandbox_free(struct sandbox *sandbox);
bool sandbox_is_somebodys(const struct sandbox *sandbox);

/* ---- create.c */
/* Ends the sandbox at `expires_ns`, at once when that has passed; 0: never. */
int sandbox_arm_expiry(struct sandbox *sandbox);
void claim_begin(struct sandbox *sandbox, struct claim *claim);
/* PID 1 has done what it was asked to at the claim, or not. */
void claim_answered(struct sandbox *sandbox, const char *stage, int error);
void claim_fail(struct claim *claim, const struct refusal *why);
/* A claim that did not come through: the sandbox is nobody's again, and not in the store. */
void claim_undo(struct sandbox *sandbox);
struct claim *claim_free(struct claim *claim);

/* ---- claim-files.c */
/* May ask PID 1 for an answer, which is then counted in `n_claim_answers`. 0 or -errno with `why`.
 */
int claim_set_files(struct sandbox *sandbox, struct failure *why);

/* ---- end.c */
/* PID 1 is gone, whatever the phase. */
void sandbox_died(struct sandbox *sandbox);
/* Nothing runs in it any more: accounts, takes away, frees, tells who waits. */
void sandbox_finish(struct sandbox *sandbox);
/* A cold start is no longer under way. */
void sandbox_uncount_cold(struct sandbox *sandbox);

/* ---- idle.c */
/* To be called whenever a command has begun or ended, and when the policy is another. May end the
 * sandbox later, not within the call unless there is no memory. */
void idle_watch(struct sandbox *sandbox);

/* ---- exec.c */
void exec_message(struct sandbox *sandbox, struct channel_message *message);
/* The sandbox has ended: tells everybody who waits for a command of it. */
void exec_end_all(struct sandbox *sandbox);

/* ---- usage.c */
int usage_start(struct core *core);
/* At the claim: what was used before is nobody's. The counters have been reset. */
void usage_begin(struct sandbox *sandbox);
/* Takes a sample of its memory. */
void usage_sample(struct sandbox *sandbox);

/* ---- record.c */
int history_start(struct core *core);
/* Keeps its snapshot, if the last that was kept is old enough. */
void record_sandbox(struct sandbox *sandbox);

/* ---- peers/gate.c */
int egress_start(struct core *core, struct failure *why);
/* enum wire_gate_end as records have it. */
const char *egress_end_name(uint16_t end);
void egress_open(struct sandbox *sandbox);
void egress_close(struct sandbox *sandbox);
/* Opens the relay's and the resolver's sockets inside and hands them to the gate. */
int egress_listen(struct sandbox *sandbox, const struct policy *policy, struct failure *why);
/* Sends to the gate; -EPIPE while it is not there. */
int egress_send(struct core *core, uint16_t type, uint64_t cookie, const void *body,
	size_t body_size, const void *tail, size_t tail_size);

/* ---- destinations.c */
int destinations_used(struct core *core, const struct channel_message *message);
/* UDP is told by the record of its end alone. */
void destinations_flow(struct core *core, const struct wire_gate_flow *flow);

/* ---- names.c: tickets, the synthetic addresses that stand for names */
/* The gate asks whether a program inside may have `name`; answers with a ticket or a refusal. */
void names_ask(struct sandbox *sandbox, uint64_t cookie, const char *name);
/* Before a swap: tickets of the coming generation, so that no connect is refused in between. */
int names_prepare(struct sandbox *sandbox, const struct policy *policy, uint32_t generation);
/* Tells the gate all tickets: after a swap (those of the old generation are stale by it), and a new
 * gate. */
void names_send_all(struct sandbox *sandbox);
/* The name that a synthetic address stands for in this sandbox; NULL without. Borrowed. */
const char *names_of_address(const struct sandbox *sandbox, const struct abi_address *address);
/* After a restart: the table as it was. */
int names_restore(struct sandbox *sandbox);
struct names *names_free(struct names *names);

/* ---- swap.c: another policy for a living sandbox */
int swap_review(struct core *core, const struct channel_message *message);
int swap_done(struct core *core, const struct channel_message *message);
/* The gate has gone, and every connection with it. */
void swap_gate_down(struct sandbox *sandbox);
/* The sandbox ends: whoever waits is told. */
void swap_end_all(struct sandbox *sandbox);

/* ---- events.c */
int events_start(struct core *core);

/* ---- adopt.c */
int core_adopt(struct core *core, struct failure *why);

/* ---- rebind.c: policies of living sandboxes */
void sandbox_rebind_all(struct core *core);
