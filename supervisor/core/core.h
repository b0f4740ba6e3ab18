/* Everything that cloched owns, in one struct, and the verbs on sandboxes. One verb, one file.
 *
 * core answers to `control`, which turns wire messages into these calls. A verb that cannot answer
 * at once takes a callback that is called exactly once. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/audit/audit.h"
#include "supervisor/base/failure.h"
#include "supervisor/base/loop.h"
#include "supervisor/base/table.h"
#include "supervisor/core/policies/policies.h"
#include "supervisor/core/refusal.h"
#include "supervisor/core/tenants.h"
#include "supervisor/core/usage/history.h"
#include "supervisor/enforce/enforce.h"
#include "supervisor/launch/cgroup/cgroup.h"
#include "supervisor/launch/launch.h"
#include "supervisor/pool/pool.h"
#include "supervisor/store/store.h"
#include "supervisor/wire/channel.h"
#include "supervisor/wire/tenants.h"

#define SANDBOXES_MAX 8192
#define EXECS_MAX 16384
#define COLD_STARTS_MAX 256               /* cold starts under way at once */
#define DISK_BYTES_DEFAULT (256ULL << 20) /* writable layer of a warm sandbox before its claim */

struct core_pool_target {
	char template[32];
	uint32_t target;
};

struct core_config {
	const char *state_dir, *run_dir, *policy_dir, *instance, *cgroup_base, *libexec_dir;
	const char *gate_user;
	const char *resolver; /* ADDR[:PORT] that the gate asks; NULL: those of /etc/resolv.conf */
	const char *export_user;
	const char *webhook_ca; /* certificates that https receivers are trusted by */
	const char *syslog;     /* path of a unix socket that gets audit records; NULL: none */
	struct core_pool_target pool[POOL_TEMPLATES_MAX];
	size_t n_pool;
	struct audit_config audit; /* its directory and instance are those above */
};

struct core_template_shadow {
	char template[32];
	char policy[POLICY_NAME_SIZE]; /* a candidate for all its sandboxes; empty: none */
};

#define CORE_CREATE_BUCKETS 12
#define CORE_REASONS_MAX 32
#define CORE_FLOW_ENDS_MAX 16

/* Since this process started. */
struct core_counts {
	uint64_t warm_starts, cold_starts, failed_starts;
	uint64_t n_flows;                       /* now */
	uint64_t denials[CORE_REASONS_MAX];     /* records of the kernel, by enum abi_reason */
	uint64_t flow_ends[CORE_FLOW_ENDS_MAX]; /* by enum wire_gate_end */
	/* From the request to the sandbox, of those that were made; [i] up to the i-th bound. */
	uint64_t creates[CORE_CREATE_BUCKETS + 1], create_sum_ns;
};

struct core {
	const struct core_config *config;
	struct loop *loop;
	struct store *store;
	struct audit *audit;
	struct audit_names *call_names;
	struct enforce *enforce;
	struct cgroup_tree *tree;
	struct launch *launch;
	struct digests *digests; /* of executables; NULL: no policy asked for one yet */
	struct pool *pool;
	struct tenants *tenants;
	struct policies *policies;
	struct shadow_sums *shadow_sums; /* NULL: nothing was asked yet */
	struct staged *staged;           /* versions of policies that are to come */
	struct core_template_shadow template_shadows[POOL_TEMPLATES_MAX];
	size_t n_template_shadows;
	struct peer *gate;
	struct sinks *sinks;
	int webhook_ca_fd; /* -1: not opened */
	bool gate_up, stopping;
	bool adopted;            /* the kernel's part was there already */
	struct table *sandboxes; /* id → struct sandbox, warm ones too */
	struct table *execs;     /* id → struct exec */
	struct loop_source *events_source, *events_timer, *stock_timer, *retry_timer, *usage_timer,
		*budgets_timer;
	size_t sample_position; /* in `sandboxes` */
	struct loop_source *record_timer;
	struct history history;         /* of the host */
	struct wire_usage_point stored; /* likewise, its last in the store */
	uint32_t n_histories;           /* tenants that have one */
	uint64_t next_exec, started_ns;
	uint32_t n_cold_starts;
	struct core_counts counts;
	uint64_t programs_ns; /* monotonic: when the digest was made; 0: never */
	char programs_digest[65];
	char sandbox_socket_dir[96], spawner_dir[96], gate_program[256];
};

struct sandbox;
struct exec;

/* Opens state, enforcement and spawner, adopts what an earlier process left, fills the pool.
 * Returns 0 or -errno with `why`. */
int core_start(struct loop *loop, const struct core_config *config, struct core **ret_core,
	struct failure *why);
/* Ends every sandbox, then calls `done`. */
void core_stop(struct core *core, void (*done)(void *userdata), void *userdata);
struct core *core_free(struct core *core);
/* Fills `sentence` with why not. */
bool core_is_ready(const struct core *core, char *sentence, size_t size);

/* ---- sandboxes */
typedef void (*sandbox_created_callback)(
	struct sandbox *sandbox, const struct refusal *why, void *userdata);

/* Claims a warm sandbox for `tenant`, or starts one cold. `request` and `tail` are borrowed for the
 * call; the tail has been checked. The callback gets the sandbox or the refusal. */
void sandbox_create(struct core *core, struct tenant *tenant,
	const struct wire_sandbox_create *request, const char *tail, size_t tail_size,
	sandbox_created_callback callback, void *userdata);

/* NULL when there is none, it is warm, or it is another tenant's (`tenant` NULL: any). */
struct sandbox *sandbox_find(const struct core *core, const struct tenant *tenant, uint64_t id);

typedef void (*sandbox_ended_callback)(void *userdata);
/* Kills all in it, accounts, removes. `reason` goes into the record. The callback may be NULL; when
 * the sandbox is ending already it is called with that end. */
void sandbox_end(struct sandbox *sandbox, const char *reason, sandbox_ended_callback callback,
	void *userdata);

/* Fills a row and its labels (borrowed, `ret_row->tail_size` bytes). */
void sandbox_describe(
	const struct sandbox *sandbox, struct wire_sandbox *ret_row, const char **ret_labels);
bool sandbox_has_labels(const struct sandbox *sandbox, const char *labels, uint32_t n_labels);
void sandbox_subject(const struct sandbox *sandbox, struct audit_subject *ret_subject);
int sandbox_usage(struct sandbox *sandbox, struct wire_usage *ret_usage);
/* System calls by number. Returns 0, -ENOENT when they are not counted, -errno. */
int sandbox_syscalls(const struct sandbox *sandbox, struct abi_audited *ret_counts);
/* "" for a number without a name. */
void core_name_call(const struct core *core, uint32_t number, char ret_name[32]);
void tenant_usage(
	const struct core *core, const struct tenant *tenant, struct wire_usage *ret_usage);
/* Budgets of all of a tenant's sandboxes together: `wanted` replaces what there were (unless it is
 * not given), what was used stays. A tenant that was just made needs this call. */
int tenant_set_budgets(struct core *core, struct tenant *tenant,
	const struct wire_budget_limits *wanted, struct refusal *why);
void tenant_show_budgets(const struct core *core, const struct tenant *tenant,
	struct wire_budget ret_budgets[WIRE_BUDGETS], uint64_t *ret_window_seconds);
/* Before it is deleted; its sandboxes have ended. */
void tenant_drop_budgets(struct core *core, struct tenant *tenant);
/* Fills `now` of every tenant, in one walk. */
void tenants_usage(const struct core *core);
/* A tenant's usage by the values of one label, in order, then the rest: of sandboxes that have no
 * such label, or a value that is not summed up (store.h has the bounds). All together they are the
 * tenant's usage, but for `memory_peak_bytes` of the rest, which nobody knows: 0. Owned by the
 * caller: free(). 0 or -errno. */
struct usage_label {
	char value[STORE_LABEL_SIZE];
	bool is_rest;
	struct wire_usage usage;
};
int usage_by_label(const struct core *core, const struct tenant *tenant, const char *key,
	struct usage_label **ret_labels, size_t *ret_n);
/* Calls back for each living sandbox of `tenant` (NULL: of all). When there are hundreds, most
 * numbers may be some seconds old; they never go back. */
void usage_each(const struct core *core, const struct tenant *tenant,
	void (*callback)(
		const struct sandbox *sandbox, const struct wire_usage *usage, void *userdata),
	void *userdata);
uint64_t sandbox_id(const struct sandbox *sandbox);
/* The ids above `cursor` of those that sandbox_find() finds, in order, so that a page can be cut.
 * Owned by the caller; NULL when memory is out. */
uint64_t *sandbox_ids(
	const struct core *core, const struct tenant *tenant, uint64_t cursor, size_t *ret_n);
const struct tenant *sandbox_tenant(const struct sandbox *sandbox);

/* Another policy for a living sandbox; see swap.c. The callback gets the sandbox or the refusal. */
typedef void (*sandbox_swapped_callback)(
	struct sandbox *sandbox, const struct refusal *why, void *userdata);
void sandbox_set_policy(struct sandbox *sandbox, const char *name,
	sandbox_swapped_callback callback, void *userdata);

/* A connection to a port inside, on behalf of the key `key_id` at `remote`; recorded. Returns 0
 * with `*ret_fd` (-1: nothing listens), or a refusal. */
int sandbox_connect_port(struct sandbox *sandbox, uint16_t port, const char *key_id,
	const char *remote, int *ret_fd, struct refusal *why);
/* Whether the policy of now allows what was connected before, and the sandbox is up. */
bool sandbox_port_is_open(const struct sandbox *sandbox, uint16_t port);

/* ---- record.c: usage over time. `now` is what it is now; what was at a time in between points is
 * that of the last point before, and of a time before all points that of the first one, with its
 * time. 0 or -errno of the store. */
int record_tenant_at(const struct core *core, const struct tenant *tenant, uint64_t time_ns,
	const struct wire_usage_point *now, struct wire_usage_point *ret_point);
int record_host_at(const struct core *core, uint64_t time_ns, const struct wire_usage_point *now,
	struct wire_usage_point *ret_point);
void record_sandbox_at(const struct sandbox *sandbox, uint64_t time_ns,
	const struct wire_usage_point *now, struct wire_usage_point *ret_point);

/* ---- metrics.c: numbers of the host and of this process, for a monitor */
void core_metrics(const struct core *core,
	void (*callback)(const struct wire_metric_row *row, void *userdata), void *userdata);
void core_count_create(struct core *core, uint64_t took_ns);

/* ---- commands */
struct exec_callbacks {
	/* One of the two first; `fds`: stdout, stderr, and stdin (or -1), owned by the receiver. */
	void (*started)(struct exec *exec, const struct wire_exec_started *row, const int fds[3],
		void *userdata);
	void (*refused)(const struct refusal *why, void *userdata);
	void (*exited)(const struct wire_exec_exited *row, void *userdata);
};

/* Starts a command. `tail` has been checked. Returns 0: `started` or `refused` is called later. */
void exec_start(struct sandbox *sandbox, const struct wire_exec_start *request, const char *tail,
	const struct exec_callbacks *callbacks, void *userdata);
/* NULL when it has ended or is another tenant's. */
struct exec *exec_find(const struct core *core, const struct tenant *tenant, uint64_t id);
int exec_kill(struct exec *exec, int signal, struct refusal *why);
/* Whoever started it is gone: nothing is called any more; kills it unless it is detached. */
void exec_abandon(struct exec *exec);

/* ---- policies */
/* Reads the policy directory again; on error all stays and `why` names the place. */
int core_reload_policies(struct core *core, struct failure *why);
/* -EINVAL, with the tenant and its policy, when a draft has a tenant's policy learn. */
int core_check_draft(
	const struct core *core, const struct policies_draft *draft, struct failure *why);
/* Puts a draft in force, for living sandboxes too, and records what changed. Takes it over. */
void core_enforce_draft(struct core *core, struct policies_draft *draft);

/* ---- events */
/* Tells the audit log what its checkpoints say; `userdata` is the core. */
void core_describe_enforcement(struct audit_enforcement *ret_state, void *userdata);
/* Takes what is in the kernel's rings now: before an answer that must not miss it. */
void core_consume_events(struct core *core);
