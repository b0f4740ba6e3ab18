/* What must outlive the process: tenants, keys, sandboxes, usage. SQLite, WAL, one connection.
 *
 * synchronous=NORMAL: a killed process loses nothing, a power cut may lose the last commits (then no
 * sandbox is left alive either). A full disk is -ENOSPC: the caller refuses what it was asked. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/base/failure.h"

struct store;

#define STORE_NAME_SIZE 64
#define STORE_HASH_SIZE 65
#define STORE_TENANT_UNBOUND "*"

/* Opens or creates `path`; refuses a schema newer than it knows (-EPROTONOSUPPORT). */
int store_open(const char *path, struct store **ret_store, struct failure *why);
struct store *store_free(struct store *store);

struct store_tenant {
	uint32_t id; /* from 1 */
	char name[STORE_NAME_SIZE];
	char policy[STORE_NAME_SIZE]; /* outer bound; STORE_TENANT_UNBOUND */
	uint32_t n_sandboxes_max;     /* 0: none of its own */
	uint64_t created_ns;
};

/* Ids are never used again. -EEXIST when the name is taken. */
int store_tenant_insert(struct store *store, struct store_tenant *tenant);
int store_tenant_delete(struct store *store, uint32_t id);
int store_tenant_each(struct store *store,
	void (*callback)(const struct store_tenant *tenant, void *userdata), void *userdata);

struct store_key {
	char id[STORE_NAME_SIZE];   /* public part: "ck_…" */
	char hash[STORE_HASH_SIZE]; /* SHA-256 of the whole key, hex */
	uint32_t tenant;
	bool administrator;
	char description[STORE_NAME_SIZE];
	uint64_t created_ns;
};

int store_key_insert(struct store *store, const struct store_key *key);
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

int store_sandbox_insert(struct store *store, const struct store_sandbox *sandbox);
int store_sandbox_set_state(struct store *store, uint64_t id, uint32_t state);
/* Removes the living row and keeps `usage` (opaque to the store: struct wire_usage) for it. */
int store_sandbox_end(struct store *store, uint64_t id, uint32_t tenant, uint64_t ended_ns,
	const void *usage, size_t usage_size);
int store_sandbox_each(struct store *store,
	void (*callback)(const struct store_sandbox *sandbox, void *userdata), void *userdata);

/* Last numbers of an ended sandbox; -ENOENT. */
int store_usage_get(struct store *store, uint64_t sandbox, uint32_t *ret_tenant, void *ret_usage,
	size_t usage_size);
int store_usage_each(struct store *store, uint32_t tenant,
	void (*callback)(uint64_t sandbox, const void *usage, size_t usage_size, void *userdata),
	void *userdata);
/* Running totals of a tenant over all its ended sandboxes, replaced at each end. */
int store_total_put(
	struct store *store, uint32_t tenant, const void *usage, size_t usage_size);
int store_total_get(struct store *store, uint32_t tenant, void *ret_usage, size_t usage_size);
