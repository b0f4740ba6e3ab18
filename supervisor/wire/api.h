/* cloche-api and cloched: everything that a client can ask, in fixed forms.
 *
 * Each request body starts with a struct wire_caller. cloched looks the key up itself for every
 * request, so cloche-api cannot act for a tenant whose key it was not shown. Answers carry the
 * request's cookie; WIRE_API_ERROR may answer any request. All strings in bodies are NUL-terminated
 * inside their field. */
#pragma once

#include "supervisor/wire/frame.h"

#define WIRE_KEY_SIZE 96
#define WIRE_REMOTE_SIZE 64
#define WIRE_NAME_SIZE 64 /* tenant, template, policy, key names */
#define WIRE_REASON_SIZE 192
#define WIRE_TYPES_SIZE 128 /* types of audit records */
#define WIRE_VERDICT_SIZE 16
#define WIRE_LABELS_MAX 32
#define WIRE_LABEL_BYTES_MAX 4096 /* all labels of a sandbox */
#define WIRE_ENV_BYTES_MAX 32768  /* environment set at creation */
#define WIRE_ARGV_BYTES_MAX 98304 /* argv, env and cwd of one command */
#define WIRE_PAGE_MAX 100         /* rows of one page of a list */
#define WIRE_HASH_SIZE 65         /* SHA-256 in hex */

enum wire_api_type {
	WIRE_API_ERROR = 1, /* struct wire_api_error */
	WIRE_API_DONE = 2,  /* no body: done, nothing to say */

	WIRE_API_SANDBOX_CREATE = 10, /* struct wire_sandbox_create + tail → SANDBOX */
	WIRE_API_SANDBOX_GET = 11,    /* struct wire_sandbox_ref → SANDBOX */
	WIRE_API_SANDBOX_LIST = 12,   /* struct wire_sandbox_list + tail → SANDBOXES */
	WIRE_API_SANDBOX_DELETE = 13, /* struct wire_sandbox_ref → DONE */
	WIRE_API_SANDBOX = 14,        /* struct wire_sandbox + tail of labels */
	WIRE_API_SANDBOXES = 15,      /* struct wire_page, then each: wire_sandbox + its tail */
	WIRE_API_SANDBOX_PATCH = 16, /* struct wire_sandbox_patch → SANDBOX, once it is in force */

	WIRE_API_SYSCALLS = 17,       /* struct wire_sandbox_ref → SYSCALLS_REPLY */
	WIRE_API_SYSCALLS_REPLY = 18, /* struct wire_page, then struct wire_syscall_row each */

	WIRE_API_EXEC_START = 20, /* struct wire_exec_start + tail → EXEC_STARTED, later EXITED */
	WIRE_API_EXEC_STARTED = 21, /* struct wire_exec_started, fds: stdout, stderr[, stdin] */
	WIRE_API_EXEC_EXITED = 22,  /* struct wire_exec_exited, cookie of the start */
	WIRE_API_EXEC_KILL = 23,    /* struct wire_exec_kill → DONE */

	WIRE_API_PORT_OPEN = 26,   /* struct wire_port_open → PORT, maybe PORT_CLOSED */
	WIRE_API_PORT = 27,        /* struct wire_port; one fd, unless nothing listens */
	WIRE_API_PORT_CLOSED = 28, /* struct wire_port, cookie of the open: may go on no longer */
	WIRE_API_PORT_LEFT = 29,   /* struct wire_caller, cookie of the open: is over; one way */

	WIRE_API_USAGE = 30,         /* struct wire_usage_query → USAGES */
	WIRE_API_USAGES = 31,        /* struct wire_page, then struct wire_usage_row each */
	WIRE_API_STATUS = 32,        /* struct wire_caller (key may be empty) → STATUS_REPLY */
	WIRE_API_STATUS_REPLY = 33,  /* struct wire_status */
	WIRE_API_METRICS = 35,       /* struct wire_caller (administrators) → METRICS_REPLY */
	WIRE_API_METRICS_REPLY = 36, /* struct wire_page, then struct wire_metric_row each */
	WIRE_API_HISTORY = 37,       /* struct wire_history_query → HISTORY_REPLY */
	WIRE_API_HISTORY_REPLY = 38, /* struct wire_page, then struct wire_history_row each */
	WIRE_API_CALL = 34,          /* struct wire_call, one way: an HTTP request was answered */

	WIRE_API_EVENTS = 40, /* struct wire_events_query → EVENTS_REPLY, maybe much later */
	WIRE_API_EVENTS_REPLY = 41,  /* struct wire_events_reply + tail: whole JSON lines */
	WIRE_API_EVENTS_CANCEL = 42, /* struct wire_caller, cookie of the query, one way */

	WIRE_API_AUDIT_CHECKPOINT = 44, /* struct wire_caller → AUDIT_NOTE */
	WIRE_API_AUDIT_NOTE = 45,       /* struct wire_page (one row) + tail: a note, no NUL */
	WIRE_API_AUDIT_KEYS = 46, /* struct wire_audit_keys_query (audit.h) → AUDIT_KEYS_REPLY */
	WIRE_API_AUDIT_KEYS_REPLY = 47,  /* struct wire_page, then struct wire_audit_key_row each */
	WIRE_API_AUDIT_PROOF = 48,       /* struct wire_audit_proof_query → AUDIT_PROOF_REPLY */
	WIRE_API_AUDIT_PROOF_REPLY = 49, /* struct wire_audit_proof + tail: the note, the record */

	WIRE_API_POLICY_LIST = 50,   /* struct wire_caller → POLICIES */
	WIRE_API_POLICY_GET = 51,    /* struct wire_name_ref → POLICY */
	WIRE_API_POLICY_RELOAD = 52, /* struct wire_caller → POLICIES, or ERROR naming the file */
	WIRE_API_POLICIES = 53,      /* struct wire_page, then struct wire_policy_row each */
	WIRE_API_POLICY = 54,        /* struct wire_policy_row + tail: canonical JSON, no NUL */

	WIRE_API_AUDIT_ROTATE_KEY = 56, /* struct wire_caller (administrators) → AUDIT_KEY */
	WIRE_API_AUDIT_KEY = 57,        /* struct wire_audit_key_row: in force from now on */

	WIRE_API_TEMPLATE_LIST = 60, /* struct wire_caller → TEMPLATES */
	WIRE_API_TEMPLATES =
		61, /* struct wire_page, then struct wire_template_row each (templates.h) */
	WIRE_API_TEMPLATE_PATCH = 62, /* struct wire_template_patch → TEMPLATES (one row) */

	WIRE_API_TENANT_CREATE = 70, /* struct wire_tenant_create → TENANTS (one row) */
	WIRE_API_TENANT_LIST = 71,   /* struct wire_caller → TENANTS */
	WIRE_API_TENANT_DELETE = 72, /* struct wire_name_ref → DONE; ends its sandboxes and keys */
	WIRE_API_TENANTS = 73,       /* struct wire_page, then struct wire_tenant_row each */
	WIRE_API_KEY_CREATE = 74,    /* struct wire_key_create → KEY */
	WIRE_API_KEY_LIST = 75,      /* struct wire_name_ref (tenant; empty: all) → KEYS */
	WIRE_API_KEY_REVOKE = 76,    /* struct wire_name_ref (key id) → DONE */
	WIRE_API_KEY = 77,           /* struct wire_key, the only time that the secret is shown */
	WIRE_API_KEYS = 78,          /* struct wire_page, then struct wire_key_row each */
	WIRE_API_TENANT_PATCH = 79,  /* struct wire_tenant_patch → TENANTS (one row) */

	WIRE_API_DESTINATIONS = 80, /* struct wire_usage_query of SANDBOX or TENANT → …_REPLY */
	WIRE_API_DESTINATIONS_REPLY = 81, /* struct wire_page, then struct wire_destination_row */

	WIRE_API_WEBHOOK_CREATE = 90, /* struct wire_webhook_create → WEBHOOK */
	WIRE_API_WEBHOOK_LIST = 91,   /* struct wire_caller → WEBHOOKS */
	WIRE_API_WEBHOOK_DELETE = 92, /* struct wire_webhook_ref → DONE */
	WIRE_API_WEBHOOK = 93,  /* struct wire_webhook, the only time that the secret is shown */
	WIRE_API_WEBHOOKS = 94, /* struct wire_page, then struct wire_webhook_row each */

	WIRE_API_POLICY_PUT = 100,      /* struct wire_policy_put + tail: JSON → POLICY_CHANGED */
	WIRE_API_POLICY_ROLLBACK = 101, /* struct wire_policy_rollback → POLICY_CHANGED */
	WIRE_API_POLICY_CHANGED = 102,  /* struct wire_policy_changed */
	WIRE_API_POLICY_VERSIONS = 103, /* struct wire_name_ref → POLICY_VERSIONS_REPLY */
	/* struct wire_page, struct wire_policy_staged, then struct wire_policy_version each */
	WIRE_API_POLICY_VERSIONS_REPLY = 104,
	WIRE_API_SHADOW_SUMS = 105, /* struct wire_name_ref → SHADOW_SUMS_REPLY */
	/* struct wire_page, struct wire_policy_staged, then struct wire_shadow_sum each: those of
	 * the version in force first */
	WIRE_API_SHADOW_SUMS_REPLY = 106,
	WIRE_API_POLICY_PROMOTE = 107, /* struct wire_policy_rollback → POLICY_CHANGED */
	WIRE_API_POLICY_DROP = 108,    /* struct wire_policy_rollback, hash may be empty → DONE */
	WIRE_API_POLICY_GET_STAGED = 109, /* struct wire_name_ref → POLICY */
};

/* What went wrong, for the HTTP status and the sentence. */
enum wire_api_code {
	WIRE_CODE_INVALID = 1,         /* 400: the request makes no sense */
	WIRE_CODE_UNAUTHENTICATED = 2, /* 401: no key, or one that is not known */
	WIRE_CODE_FORBIDDEN = 3,       /* 403: the key may not do this */
	WIRE_CODE_NOT_FOUND = 4,       /* 404: no such thing, or not this tenant's */
	WIRE_CODE_CONFLICT = 5,        /* 409: the state does not allow it, or the name is taken */
	WIRE_CODE_LIMIT = 6,           /* 429: a limit of the tenant or the host is reached */
	WIRE_CODE_UNAVAILABLE = 7,     /* 503: not now: a layer is missing or a process restarts */
	WIRE_CODE_INTERNAL = 8,        /* 500 */
	WIRE_CODE_TOO_LARGE = 9,       /* 413 */
	WIRE_CODE_COMMAND = 10,        /* 422: the command could not be started */
	WIRE_CODE_PRECONDITION = 11,   /* 412: it is not as the request says it should be */
};

struct wire_api_error {
	uint32_t code; /* enum wire_api_code */
	uint32_t reserved;
	char detail[512]; /* a sentence that says what to do */
};

struct wire_caller {
	char key[WIRE_KEY_SIZE];       /* as in "Authorization: Bearer …"; may be empty */
	char remote[WIRE_REMOTE_SIZE]; /* "127.0.0.1:5123", "unix uid=0 pid=77" */
};

/* Before the rows of a list. */
struct wire_page {
	uint32_t n_rows;
	uint32_t reserved;
	uint64_t next_cursor; /* 0: no more */
};

struct wire_limits { /* 0: what the policy says */
	uint64_t memory_bytes, disk_bytes;
	uint32_t cpu_millis; /* thousandths of one CPU */
	uint32_t pids;
};

/* Tail: n_labels strings "key=value", then n_env strings "NAME=value". */
struct wire_sandbox_create {
	struct wire_caller caller;
	char template[WIRE_NAME_SIZE]; /* empty: "python" */
	char policy[WIRE_NAME_SIZE];   /* empty: the tenant's */
	struct wire_limits limits;     /* can only narrow */
	uint32_t n_labels, n_env;
	uint64_t timeout_ms; /* life span; 0: until deleted */
};

struct wire_sandbox_ref {
	struct wire_caller caller;
	uint64_t sandbox;
};

/* No name: the number has none. UINT32_MAX: all calls of foreign tables. */
struct wire_syscall_row {
	char name[32];
	uint32_t number, reserved;
	uint64_t calls, refused;
};

#define WIRE_SHADOW_NEVER "-" /* none is to be asked, whatever goes after it has */

/* Puts a sandbox under another policy. The answer shows the generation and the hash that are in
 * force: it comes after the connections that the new policy does not allow were reset. */
struct wire_sandbox_patch {
	struct wire_caller caller;
	uint64_t sandbox;
	char policy[WIRE_NAME_SIZE]; /* empty: stays, and `shadow` is changed */
	/* Empty: none of the caller's; WIRE_SHADOW_NEVER; a change of both at once is refused. */
	char shadow[WIRE_NAME_SIZE];
};

/* Tail: n_labels strings "key=value" that a row must all have. */
struct wire_sandbox_list {
	struct wire_caller caller;
	uint64_t cursor;
	uint32_t limit, n_labels;
};

enum wire_sandbox_state {
	WIRE_SANDBOX_WARM = 1,    /* in the pool, nobody's */
	WIRE_SANDBOX_CLAIMED = 2, /* a tenant's, nothing has run in it */
	WIRE_SANDBOX_RUNNING = 3,
	WIRE_SANDBOX_STOPPING = 4,
	WIRE_SANDBOX_FAILED = 5, /* `reason` says why */
	WIRE_SANDBOX_GONE = 6,
};

/* Who named a sandbox's candidate: as enum candidate_source. */
enum wire_shadow_source {
	WIRE_SHADOW_NOBODYS = 0,
	WIRE_SHADOW_ADMINISTRATOR = 1,
	WIRE_SHADOW_STAGED = 2,
	WIRE_SHADOW_TEMPLATE = 3,
	WIRE_SHADOW_TENANT = 4,
	WIRE_SHADOW_OWN = 5,
	WIRE_SHADOW_LEARN = 6,
};

struct wire_sandbox {
	uint64_t sandbox;
	uint64_t created_ns;   /* realtime, when it was claimed */
	uint64_t expires_ns;   /* 0: never */
	uint32_t state;        /* enum wire_sandbox_state */
	uint32_t generation;   /* of its policy */
	uint8_t warm;          /* 1: came from the pool, 0: cold start */
	uint8_t shadow_source; /* enum wire_shadow_source */
	uint8_t reserved[6];
	struct wire_limits limits; /* in force */
	char tenant[WIRE_NAME_SIZE];
	char template[WIRE_NAME_SIZE];
	char policy[WIRE_NAME_SIZE];
	char policy_hash[WIRE_HASH_SIZE]; /* of the effective policy */
	char judged_by[WIRE_NAME_SIZE];   /* the bound, if `policy` learns; else empty */
	char shadow[WIRE_NAME_SIZE];      /* a candidate that is asked too; empty: none */
	char shadow_hash[WIRE_HASH_SIZE]; /* its effective policy; empty: it cannot be asked */
	char reason[WIRE_REASON_SIZE];
	uint8_t reserved2[6];
	uint32_t n_labels;
	uint32_t tail_size; /* bytes of the labels that follow */
};

enum wire_exec_flags {
	WIRE_EXEC_STDIN = 1,  /* a pipe for standard input is wanted; else /dev/null */
	WIRE_EXEC_DETACH = 2, /* goes on when the client goes away */
};

/* Tail: argc strings, n_env strings "NAME=value", one cwd (empty: the template's). */
struct wire_exec_start {
	struct wire_caller caller;
	uint64_t sandbox;
	uint64_t timeout_ms; /* 0: none */
	uint32_t uid, gid;   /* inside, up to 65,534 */
	uint32_t argc, n_env;
	uint32_t flags; /* enum wire_exec_flags */
	uint32_t reserved;
};

struct wire_exec_started {
	uint64_t exec; /* never reused while cloched lives */
	uint32_t pid;  /* inside */
	uint32_t reserved;
};

enum wire_exec_end {
	WIRE_EXEC_END_EXIT = 1,    /* `code` */
	WIRE_EXEC_END_SIGNAL = 2,  /* `signal` */
	WIRE_EXEC_END_TIMEOUT = 3, /* its timeout; killed */
	WIRE_EXEC_END_OOM = 4,     /* the memory limit; killed by the kernel */
	WIRE_EXEC_END_KILLED = 5,  /* EXEC_KILL, or the client went away */
	WIRE_EXEC_END_SANDBOX = 6, /* the sandbox ended under it */
};

struct wire_exec_exited {
	uint64_t exec;
	uint32_t end; /* enum wire_exec_end */
	int32_t code;
	int32_t signal;
	uint8_t pids_limit_hit; /* a fork was refused while it ran */
	uint8_t reserved[3];
	uint64_t user_us, system_us, max_rss_bytes, wall_us;
};

struct wire_exec_kill {
	struct wire_caller caller;
	uint64_t exec;
	int32_t signal;
	uint32_t reserved;
};

/* A connection from outside to a port on the sandbox's loopback. */
struct wire_port_open {
	struct wire_caller caller;
	uint64_t sandbox;
	uint16_t port;
	uint8_t is_watched; /* 1: PORT_CLOSED may follow an answer with a descriptor, until
			       PORT_LEFT */
	uint8_t reserved[5];
};

/* The descriptor is a TCP socket that is connected, or about to be. */
struct wire_port {
	uint64_t sandbox;
	uint16_t port;
	uint16_t reserved[3];
};

enum wire_usage_scope {
	WIRE_USAGE_SANDBOX = 1, /* one, also after its end */
	WIRE_USAGE_TENANT = 2,  /* sum of the caller's tenant, or of `name` for an administrator */
	WIRE_USAGE_TENANTS = 3, /* administrators: a row for each tenant, in pages */
	WIRE_USAGE_LABELS = 4,  /* of TENANT's sandboxes, by value of label `label`, in pages */
	WIRE_USAGE_SANDBOXES = 5, /* of TENANT: each that lives, in pages */
	WIRE_USAGE_HOST = 6,      /* of HISTORY: administrators: the sum of all */
};

#define WIRE_USAGE_LABEL_SIZE 256

struct wire_usage_query {
	struct wire_caller caller;
	uint32_t scope;
	uint32_t reserved;
	uint64_t sandbox;
	uint64_t cursor; /* 0: the first page */
	char name[WIRE_NAME_SIZE];
	char label[WIRE_USAGE_LABEL_SIZE]; /* a label's key */
};

#define WIRE_BUDGETS 4 /* bytes out, bytes in, connections, DNS queries: bpf/abi/budget.h */

struct wire_budget {
	uint64_t limit; /* 0: none */
	uint64_t used;  /* in this window */
};

/* Stored as it is: it grows at its end only. */
struct wire_usage {
	uint64_t cpu_ns, cpu_user_ns, cpu_system_ns;
	uint64_t memory_bytes, memory_peak_bytes; /* of a tenant: sum now, highest of one */
	uint64_t bytes_sent, bytes_received, packets_sent, packets_received;
	uint64_t connections_allowed, connections_denied;
	uint64_t execs; /* programs that the kernel started inside */
	uint64_t oom_kills;
	uint64_t wall_ns;     /* alive since the claim */
	uint64_t n_sandboxes; /* that this row sums */
	/* Of one sandbox, or of the tenant itself: they are not the sum of its sandboxes'. */
	struct wire_budget budgets[WIRE_BUDGETS];
	uint64_t budget_window_seconds; /* 0: as long as it is there */
	uint64_t memory_mib_ms; /* memory over time: supervisor/core/usage/usage.c says how exactly
				 */
	uint64_t block_read_bytes, block_written_bytes; /* bpf/lib/block.h */
	uint64_t dns_queries; /* to the sandbox's resolver, answered or not */
	uint64_t forks;       /* processes that its processes made */
	/* While its system calls are audited: all of them, and those that were refused. */
	uint64_t syscalls, syscalls_refused;
};

struct wire_usage_row {
	uint64_t sandbox; /* 0 in a tenant's row */
	char tenant[WIRE_NAME_SIZE];
	char label[WIRE_USAGE_LABEL_SIZE]; /* a value, in rows by label */
	uint8_t ended;                     /* the sandbox is gone; these are its last numbers */
	uint8_t is_rest; /* by label: of sandboxes without it, or with a value past the bound */
	uint8_t reserved[6];
	struct wire_usage usage;
};

/* Payload that went to and came from one destination, the ones with the most first. */
struct wire_destination_row {
	uint64_t bytes_sent, bytes_received, connections;
	char name[WIRE_USAGE_LABEL_SIZE]; /* or a literal address; empty: all others */
};

/* What is kept of usage over time. All but `memory_bytes` and the time only grow. */
struct wire_usage_point {
	uint64_t time_ns; /* realtime */
	uint64_t memory_bytes;
	uint64_t cpu_ns, memory_mib_ms;
	uint64_t bytes_sent, bytes_received, connections_allowed, connections_denied;
	uint64_t execs, dns_queries, block_read_bytes, block_written_bytes;
	uint64_t n_sandboxes;
};

struct wire_history_query {
	struct wire_caller caller;
	uint32_t scope; /* enum wire_usage_scope, but LABELS */
	uint32_t reserved;
	uint64_t sandbox;
	uint64_t since_ns, until_ns; /* until 0: now */
	uint64_t step_ns;            /* 0: one row; else of TENANT, SANDBOX and HOST only */
	uint64_t cursor;
	char name[WIRE_NAME_SIZE];
};

struct wire_history_row {
	uint64_t sandbox;
	char tenant[WIRE_NAME_SIZE];
	struct wire_usage_point begin, end;
};

/* Numbers of the host and the daemon; rows come in this order. Those that count begin again when
 * cloched does. */
enum wire_metric {
	WIRE_METRIC_HOST_CPUS = 1,
	WIRE_METRIC_HOST_CPU_BUSY_NS = 2, /* all CPUs, everything on the host */
	WIRE_METRIC_HOST_MEMORY_BYTES = 3,
	WIRE_METRIC_HOST_MEMORY_AVAILABLE_BYTES = 4,
	WIRE_METRIC_POOL_WARM = 5,   /* label: the template */
	WIRE_METRIC_POOL_TARGET = 6, /* likewise */
	WIRE_METRIC_AUDIT_WRITABLE = 7,
	WIRE_METRIC_DENIALS = 8,        /* label: the reason */
	WIRE_METRIC_FLOW_ENDS = 9,      /* label: how it ended */
	WIRE_METRIC_CREATE_BUCKET = 10, /* label: the upper bound in seconds; cumulative */
	WIRE_METRIC_CREATE_SUM_NS = 11,
	WIRE_METRIC_CREATE_COUNT = 12,
	WIRE_METRIC_END = 13,
};

struct wire_metric_row {
	uint32_t metric; /* enum wire_metric */
	uint32_t reserved;
	char label[WIRE_NAME_SIZE]; /* empty: none */
	uint64_t value;
};

struct wire_status {
	uint8_t ready; /* enforcement is on, gate and spawner live */
	uint8_t gate_up, spawner_up;
	uint8_t reserved[5];
	uint64_t started_ns; /* realtime */
	uint64_t n_sandboxes, n_warm;
	uint64_t warm_starts, cold_starts, failed_starts;
	uint64_t audit_records, audit_lost;
	uint64_t n_flows;
	char sentence[WIRE_REASON_SIZE]; /* why not ready */
};

/* An HTTP request that was answered; cloched audits it. */
struct wire_call {
	struct wire_caller caller;
	uint64_t duration_us;
	uint64_t sandbox; /* 0 if none */
	uint32_t status;
	uint32_t reserved;
	char method[16];
	char path[256]; /* shortened with "…" */
};

struct wire_events_query {
	struct wire_caller caller;
	uint64_t after;    /* records with a larger sequence */
	uint64_t until;    /* none with a larger one; 0: to the end */
	uint64_t since_ns; /* realtime: not before; 0: no bound */
	uint64_t until_ns; /* realtime: before; 0: no bound */
	uint64_t sandbox;  /* 0: all that the key may see */
	uint32_t limit;    /* records */
	uint32_t wait_ms;  /* 0: answer at once, else wait for the first record this long */
	/* Empty: all; types, separated by commas; a prefix up to a dot is enough: "network" */
	char type[WIRE_TYPES_SIZE];
	char verdict[WIRE_VERDICT_SIZE]; /* empty: all; "deny" */
	char tenant[WIRE_NAME_SIZE];     /* empty: all that the key may see */
};

struct wire_events_reply {
	uint64_t next;  /* pass as `after` next time */
	uint64_t first; /* the oldest sequence that is still there; 0: none is */
	uint64_t last;  /* the newest */
	uint32_t n_records;
	uint8_t more; /* 1: ask again at once */
	uint8_t reserved[3];
};

struct wire_name_ref {
	struct wire_caller caller;
	char name[WIRE_NAME_SIZE];
};

struct wire_policy_row {
	char name[WIRE_NAME_SIZE];
	char hash[WIRE_HASH_SIZE]; /* SHA-256 of the canonical JSON */
	uint8_t learns;            /* 1: in mode "learn" */
	uint8_t reserved[6];
	uint32_t n_rules;
	uint32_t n_sandboxes; /* the caller's sandboxes that use it */
	char description[WIRE_REASON_SIZE];
};
