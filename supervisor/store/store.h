/* What must outlive the process: tenants, keys, sandboxes, usage. SQLite, WAL, one connection.
 *
 * synchronous=NORMAL: a killed process loses nothing, a power cut may lose the last commits (then
 * no sandbox is left alive either). A full disk is -ENOSPC: the caller refuses what it was asked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/base/failure.h"

struct store;

#define STORE_NAME_SIZE 64
#define STORE_HASH_SIZE 65
#define STORE_TENANT_UNBOUND "*"

#define STORE_USAGES_MAX 1000000 /* ended sandboxes whose numbers are kept; the oldest go first */
#define STORE_USAGE_KEPT_NS (30ULL * 86400 * 1000000000) /* and for this long */
#define STORE_LABEL_SIZE 256  /* of a pair "key=value" that is summed up */
#define STORE_LABELS_MAX 1024 /* pairs of one tenant that are summed up: the first ones */

/* Opens or creates `path` (mode 0600), and holds it alone until store_free() or the process's end.
 * -EPROTONOSUPPORT: a newer cloched wrote it; -EBUSY: another process has it open; -EBADMSG: it is
 * damaged; -EINVAL: another program's; other -errno. All functions below return 0 or -errno:
 * -ENOSPC (the disk is full), -EIO and the like; what failed changed nothing. */
int store_open(const char *path, struct store **ret_store, struct failure *why);
struct store *store_free(struct store *store);

/* Makes the calls up to store_commit() one change. A failed commit has undone all of them. */
int store_begin(struct store *store);
int store_commit(struct store *store);
void store_rollback(struct store *store);

struct store_tenant {
	uint32_t id; /* from 1 */
	char name[STORE_NAME_SIZE];
	char policy[STORE_NAME_SIZE]; /* outer bound; STORE_TENANT_UNBOUND */
	uint32_t n_sandboxes_max;     /* 0: none of its own */
	uint64_t created_ns;
};

/* Sets `tenant->id`. Ids are never used again. -EEXIST when the name is taken. */
int store_tenant_insert(struct store *store, struct store_tenant *tenant);
/* Its keys go with it; its usage stays. -EBUSY while it has sandboxes, -ENOENT. */
int store_tenant_delete(struct store *store, uint32_t id);
int store_tenant_each(struct store *store,
	void (*callback)(const struct store_tenant *tenant, void *userdata), void *userdata);

/* What all sandboxes of a tenant may use together, and have used when it was stored. As struct
 * wire_usage it grows at its end only. */
#define STORE_BUDGETS 4 /* as WIRE_BUDGETS */
struct store_budgets {
	uint64_t limits[STORE_BUDGETS]; /* 0: none */
	uint64_t per_seconds;           /* 0: as long as the tenant is there */
	uint64_t used[STORE_BUDGETS];
	uint64_t started_ns; /* realtime: when the window began that they were used in */
};

/* Replaces. They go with the tenant. */
int store_budgets_put(struct store *store, uint32_t tenant, const struct store_budgets *budgets);
/* -ENOENT. */
int store_budgets_get(struct store *store, uint32_t tenant, struct store_budgets *ret_budgets);

struct store_key {
	char id[STORE_NAME_SIZE];   /* public part: "ck_…" */
	char hash[STORE_HASH_SIZE]; /* SHA-256 of the whole key, hex */
	uint32_t tenant;
	bool administrator;
	char description[STORE_NAME_SIZE];
	uint64_t created_ns;
};

/* -EEXIST when id or hash is taken, -ENOENT when there is no such tenant. */
int store_key_insert(struct store *store, const struct store_key *key);
/* -ENOENT. */
int store_key_delete(struct store *store, const char *id);
int store_key_each(struct store *store,
	void (*callback)(const struct store_key *key, void *userdata), void *userdata);

struct store_sandbox {
	uint64_t id, created_ns, expires_ns;
	uint32_t tenant, slot, uid_first, state; /* enum wire_sandbox_state */
	uint64_t cgroup_id;
	uint32_t memory_index;
	uint64_t memory_bytes, disk_bytes;
	uint32_t cpu_millis, pids;
	bool warm;
	char template[STORE_NAME_SIZE];
	char policy[STORE_NAME_SIZE];
	const void *labels, *env; /* NUL-terminated strings in a row; valid during the callback */
	size_t labels_size, env_size;
	uint32_t n_labels, n_env;
};

/* -EEXIST when the id is taken. */
int store_sandbox_insert(struct store *store, const struct store_sandbox *sandbox);
/* -ENOENT. */
int store_sandbox_set_state(struct store *store, uint64_t id, uint32_t state);
int store_sandbox_set_policy(struct store *store, uint64_t id, const char *policy);
/* Removes the living row and keeps `usage` (opaque to the store: struct wire_usage) for it, in one
 * step. `usage` NULL: keeps nothing, for one that was never claimed. -ENOENT. */
int store_sandbox_end(struct store *store, uint64_t id, uint32_t tenant, uint64_t ended_ns,
	const void *usage, size_t usage_size);
/* In order of creation. The callback may end the sandbox that it was given. */
int store_sandbox_each(struct store *store,
	void (*callback)(const struct store_sandbox *sandbox, void *userdata), void *userdata);

#define STORE_HOST_SIZE 256

/* The names that a living sandbox has synthetic addresses for; they go with its row. */
int store_name_insert(struct store *store, uint64_t sandbox, uint32_t place, const char *name);
/* In order of place; stops at the first negative return of the callback, and returns it. */
typedef int (*store_name_callback)(uint32_t place, const char *name, void *userdata);
int store_name_each(
	struct store *store, uint64_t sandbox, store_name_callback callback, void *userdata);

#define STORE_COMMIT_SIZE 65
#define STORE_VERSIONS_MAX 16 /* of one policy that are kept: the newest */

struct store_version {
	char name[STORE_NAME_SIZE];
	char hash[STORE_HASH_SIZE], file_hash[STORE_HASH_SIZE];
	char commit[STORE_COMMIT_SIZE]; /* empty: none was given */
	char by_key[STORE_NAME_SIZE];   /* empty: it was found in the directory */
	uint64_t time_ns;               /* realtime */
};

/* Adds what a policy's file said from now on; the oldest go. */
int store_version_put(struct store *store, const struct store_version *version, const char *text,
	size_t size_bytes);
/* Newest first, `name` left empty. Stops at the first negative return and returns it. */
typedef int (*store_version_callback)(const struct store_version *version, void *userdata);
int store_version_each(
	struct store *store, const char *name, store_version_callback callback, void *userdata);
/* The newest text with this hash; free() it. -ENOENT. */
int store_version_text(struct store *store, const char *name, const char *hash, char **ret_text,
	size_t *ret_size_bytes);

/* A text that is to become a policy's, one for each; it replaces an earlier one. */
int store_staged_put(struct store *store, const struct store_version *version, const char *text,
	size_t size_bytes);
/* Nothing happens when there is none. */
int store_staged_delete(struct store *store, const char *name);
/* Oldest first. Stops at the first negative return and returns it. */
typedef int (*store_staged_callback)(
	const struct store_version *version, const char *text, size_t size_bytes, void *userdata);
int store_staged_each(struct store *store, store_staged_callback callback, void *userdata);

/* The policies that are to be asked beside the one in force of a living sandbox, an administrator's
 * and its tenant's; "": none. Go with the sandbox's row. */
int store_shadow_put(
	struct store *store, uint64_t sandbox, bool administrators, const char *policy);
/* -ENOENT when there is none. */
int store_shadow_get(struct store *store, uint64_t sandbox, bool administrators,
	char ret_policy[STORE_NAME_SIZE]);
/* Likewise beside those of all sandboxes of a tenant, with which it goes, and of a template. */
int store_tenant_shadow_put(struct store *store, uint32_t tenant, const char *policy);
int store_tenant_shadow_get(struct store *store, uint32_t tenant, char ret_policy[STORE_NAME_SIZE]);
int store_template_shadow_put(struct store *store, const char *template, const char *policy);
int store_template_shadow_get(
	struct store *store, const char *template, char ret_policy[STORE_NAME_SIZE]);

/* Last numbers of an ended sandbox; -ENOENT. What an older cloched stored may be shorter than
 * `usage_size`: the rest is zeros, so a usage struct grows at its end. */
int store_usage_get(struct store *store, uint64_t sandbox, uint32_t *ret_tenant, void *ret_usage,
	size_t usage_size);
int store_usage_each(struct store *store, uint32_t tenant,
	void (*callback)(uint64_t sandbox, const void *usage, size_t usage_size, void *userdata),
	void *userdata);
/* Last numbers of a sandbox that died by itself and is still listed; they go with its row. */
int store_failed_put(struct store *store, uint64_t sandbox, const void *usage, size_t usage_size);
int store_failed_get(struct store *store, uint64_t sandbox, void *ret_usage, size_t usage_size);
/* Running totals of a label ("key=value") of a tenant over its ended sandboxes. -ENOENT. */
int store_label_get(struct store *store, uint32_t tenant, const char *label, void *ret_usage,
	size_t usage_size);
/* Replaces them. A label that is not there yet is taken in unless STORE_LABELS_MAX are: then it is
 * not summed up, and that is no error. */
int store_label_put(struct store *store, uint32_t tenant, const char *label, const void *usage,
	size_t usage_size);
/* How many are summed up for the tenant. */
int store_label_count(struct store *store, uint32_t tenant, size_t *ret_n);
/* Those that begin with `key` and '=', in order. */
int store_label_each(struct store *store, uint32_t tenant, const char *key,
	void (*callback)(const char *label, const void *usage, size_t usage_size, void *userdata),
	void *userdata);
#define STORE_DESTINATIONS_MAX 32            /* names of one sandbox */
#define STORE_DESTINATIONS_OF_TENANT_MAX 256 /* and of one tenant */
#define STORE_DESTINATIONS_KEPT 10000        /* ended sandboxes whose destinations are kept */

struct store_destination {
	char name[STORE_HOST_SIZE]; /* empty: the rest */
	uint64_t bytes_sent, bytes_received, connections;
};

/* Adds traffic to a destination of a sandbox; `sandbox` 0: of the tenant. When there are as many as
 * may be, the one with the least becomes part of the rest. */
int store_destination_add(struct store *store, uint32_t tenant, uint64_t sandbox,
	const struct store_destination *more);
/* The one with the most traffic first, the rest last. */
int store_destination_each(struct store *store, uint32_t tenant, uint64_t sandbox,
	void (*callback)(const struct store_destination *destination, void *userdata),
	void *userdata);
/* A point of a tenant's history, opaque to the store; tenant 0 is the host. */
int store_sample_put(struct store *store, uint32_t tenant, uint64_t time_ns, const void *point,
	size_t point_size);
/* The last one at `time_ns` or before, the first one after it. -ENOENT. */
int store_sample_at(
	struct store *store, uint32_t tenant, uint64_t time_ns, void *ret_point, size_t point_size);
int store_sample_after(
	struct store *store, uint32_t tenant, uint64_t time_ns, void *ret_point, size_t point_size);
/* Forgets what is older. */
int store_sample_expire(struct store *store, uint64_t time_ns);
/* Running totals of a tenant over all its ended sandboxes, replaced at each end. */
int store_total_put(struct store *store, uint32_t tenant, const void *usage, size_t usage_size);
int store_total_get(struct store *store, uint32_t tenant, void *ret_usage, size_t usage_size);

#define STORE_URL_SIZE 1024
#define STORE_SECRET_BYTES 32
#define STORE_ERROR_SIZE 192

enum store_sink_kind {
	STORE_SINK_WEBHOOK = 1,
	STORE_SINK_SYSLOG = 2, /* `url` is a path */
};

/* Whom audit records are sent to, and how far that is. */
struct store_sink {
	uint64_t id;     /* never used again */
	uint32_t kind;   /* enum store_sink_kind */
	uint32_t tenant; /* whose records; 0: everybody's */
	bool internal;   /* may be an address of this host or its networks */
	bool ocsf;
	char url[STORE_URL_SIZE];
	uint8_t secret[STORE_SECRET_BYTES]; /* in clear: each delivery is signed with it */
	char types[128], verdict[16];       /* as in struct audit_query */
	uint64_t created_ns;
	uint64_t cursor;                 /* sequence up to which all was delivered */
	uint64_t success_ns, failure_ns; /* realtime, the last of each; 0: none */
	uint64_t n_failures;             /* since the last success */
	char error[STORE_ERROR_SIZE];    /* of the last failure */
};

/* Sets `sink->id`. */
int store_sink_insert(struct store *store, struct store_sink *sink);
/* -ENOENT. */
int store_sink_delete(struct store *store, uint64_t id);
/* Those of a tenant, if there are any. */
int store_sink_delete_of_tenant(struct store *store, uint32_t tenant);
/* Replaces what follows `created_ns`. -ENOENT. */
int store_sink_progress(struct store *store, const struct store_sink *sink);
int store_sink_each(struct store *store,
	void (*callback)(const struct store_sink *sink, void *userdata), void *userdata);
