/* Tenants and the keys that speak for them: the store's rows, kept in memory. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/core/refusal.h"
#include "supervisor/core/usage/history.h"
#include "supervisor/store/store.h"

#define TENANTS_MAX 4096
#define KEYS_MAX 65536
#define TENANT_ADMIN "admin"
#define TENANT_POLICY_DEFAULT POLICY_DENY_ALL

struct tenant {
	struct store_tenant row;
	char shadow[STORE_NAME_SIZE]; /* a candidate for all its sandboxes; empty: none */
	uint32_t n_sandboxes;         /* alive */
	uint32_t budget_row;          /* the kernel's; 0: not taken yet */
	struct store_budgets budgets;
	struct wire_usage ended; /* sum over its ended sandboxes */
	struct wire_usage now;   /* with the living, by tenants_usage() */
	struct history history;
	struct wire_usage_point stored; /* its last in the store; time 0: not known */
	struct tenant *next;
};

struct key {
	struct store_key row;
	struct tenant *tenant;
	struct key *next;
};

struct tenants;

/* Reads all rows. At first start makes the tenant "admin", not bound by a policy, and writes its
 * key to `admin_key_path` (0600). */
int tenants_open(struct store *store, const char *admin_key_path, struct tenants **ret_tenants,
	struct failure *why);
struct tenants *tenants_free(struct tenants *tenants);

/* The key's row, or NULL: unknown, revoked, or empty text. */
const struct key *tenants_authenticate(const struct tenants *tenants, const char *key_text);

struct tenant *tenants_first(const struct tenants *tenants);
/* The one with the lowest id above `id`, NULL at the end. */
struct tenant *tenants_next(const struct tenants *tenants, uint64_t id);
struct tenant *tenants_find(const struct tenants *tenants, const char *name);
struct tenant *tenants_get(const struct tenants *tenants, uint32_t id);
const struct key *tenants_first_key(const struct tenants *tenants);

int tenants_create(struct tenants *tenants, const char *name, const char *policy,
	uint32_t n_sandboxes_max, struct tenant **ret_tenant, struct refusal *why);
/* Its keys go too; the caller has ended its sandboxes. */
int tenants_delete(struct tenants *tenants, struct tenant *tenant, struct refusal *why);
int tenants_create_key(struct tenants *tenants, struct tenant *tenant, const char *description,
	bool administrator, const struct key **ret_key, char ret_secret[WIRE_KEY_SIZE],
	struct refusal *why);
int tenants_revoke_key(struct tenants *tenants, const char *id, struct refusal *why);

/* Adds an ended sandbox's numbers to its tenant's totals, also on disk. */
int tenants_add_usage(
	struct tenants *tenants, struct tenant *tenant, const struct wire_usage *usage);
/* `*sum += *part`; of memory_peak_bytes the larger. Budgets stay as they are. */
void usage_add(struct wire_usage *sum, const struct wire_usage *part);
/* `*sum -= *part`, not below 0; memory_peak_bytes becomes 0. */
void usage_subtract(struct wire_usage *sum, const struct wire_usage *part);
