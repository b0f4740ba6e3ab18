/* A key is "clo_<id>_<secret>": the id is public and names the key in lists, the whole text's
 * SHA-256 is what is stored and looked up, so the store holds nothing that opens a door. */
#include "supervisor/core/tenants.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/table.h"
#include "supervisor/digest/sha256.h"

#define KEY_ID_BYTES 4
#define KEY_SECRET_BYTES 24

struct tenants {
	struct store *store;
	struct tenant *first;
	struct key *first_key;
	struct table *by_id;        /* tenant id → struct tenant */
	struct table *keys_by_hash; /* first 8 bytes of the hash → struct key */
	int load_error;
};

static uint64_t hash_prefix(const char *hex)
{
	char prefix[17];

	snprintf(prefix, sizeof(prefix), "%.16s", hex);
	return strtoull(prefix, NULL, 16);
}

static void add_tenant(const struct store_tenant *row, void *userdata)
{
	struct tenants *tenants = userdata;
	struct tenant *tenant = calloc(1, sizeof(*tenant));
	int r;

	if (!tenant) {
		tenants->load_error = -ENOMEM;
		return;
	}
	tenant->row = *row;
	r = table_put(tenants->by_id, row->id, tenant);
	if (r < 0) {
		free(tenant);
		tenants->load_error = r;
		return;
	}
	tenant->next = tenants->first;
	tenants->first = tenant;
	r = store_total_get(tenants->store, row->id, &tenant->ended, sizeof(tenant->ended));
	if (r < 0 && r != -ENOENT)
		tenants->load_error = r;
	r = store_tenant_shadow_get(tenants->store, row->id, tenant->shadow);
	if (r < 0 && r != -ENOENT)
		tenants->load_error = r;
}

static void add_key(const struct store_key *row, void *userdata)
{
	struct tenants *tenants = userdata;
	struct tenant *tenant = tenants_get(tenants, row->tenant);
	struct key *key;
	int r;

	if (!tenant) /* its tenant was deleted: the key opens nothing */
		return;
	key = calloc(1, sizeof(*key));
	if (!key) {
		tenants->load_error = -ENOMEM;
		return;
	}
	key->row = *row;
	key->tenant = tenant;
	r = table_put(tenants->keys_by_hash, hash_prefix(row->hash), key);
	if (r < 0) {
		free(key);
		tenants->load_error = r;
		return;
	}
	key->next = tenants->first_key;
	tenants->first_key = key;
}

static int write_admin_key(const char *path, const char *secret)
{
	char line[WIRE_KEY_SIZE + 1];
	_cleanup_close_ int fd =
		open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int n = snprintf(line, sizeof(line), "%s\n", secret);

	if (fd < 0)
		return -errno;
	return fd_write_all(fd, line, (size_t)n);
}

static int make_admin(struct tenants *tenants, const char *path, struct failure *why)
{
	struct tenant *admin = tenants_find(tenants, TENANT_ADMIN);
	char secret[WIRE_KEY_SIZE];
	const struct key *key;
	struct refusal refusal;
	int r = 0;

	if (!admin)
		r = tenants_create(
			tenants, TENANT_ADMIN, STORE_TENANT_UNBOUND, 0, &admin, &refusal);
	if (r == 0)
		r = tenants_create_key(
			tenants, admin, "made at first start", true, &key, secret, &refusal);
	if (r < 0)
		return failure_set(why, -EIO, "administrator", "%s", refusal.sentence);
	r = write_admin_key(path, secret);
	if (r < 0)
		return failure_set(why, r, "administrator", "cannot write the key to %s", path);
	return 0;
}

int tenants_open(struct store *store, const char *admin_key_path, struct tenants **ret_tenants,
	struct failure *why)
{
	struct tenants *tenants = calloc(1, sizeof(*tenants));
	int r = -ENOMEM;

	if (!tenants)
		return failure_set(why, -ENOMEM, "tenants", "out of memory");
	tenants->store = store;
	if (table_new(TENANTS_MAX, &tenants->by_id) < 0 ||
		table_new(KEYS_MAX, &tenants->keys_by_hash) < 0)
		goto fail;
	r = store_tenant_each(store, add_tenant, tenants);
	if (r == 0)
		r = store_key_each(store, add_key, tenants);
	if (r == 0)
		r = tenants->load_error;
	if (r < 0)
		goto fail;
	if (!tenants->first_key) {
		r = make_admin(tenants, admin_key_path, why);
		if (r < 0) {
			tenants_free(tenants);
			return r;
		}
	}
	*ret_tenants = tenants;
	return 0;
fail:
	tenants_free(tenants);
	return failure_set(why, r, "tenants", "cannot read tenants and keys from the store");
}

struct tenants *tenants_free(struct tenants *tenants)
{
	if (!tenants)
		return NULL;
	while (tenants->first_key) {
		struct key *key = tenants->first_key;

		tenants->first_key = key->next;
		free(key);
	}
	while (tenants->first) {
		struct tenant *tenant = tenants->first;

		tenants->first = tenant->next;
		history_fini(&tenant->history);
		free(tenant);
	}
	table_free(tenants->by_id);
	table_free(tenants->keys_by_hash);
	free(tenants);
	return NULL;
}

const struct key *tenants_authenticate(const struct tenants *tenants, const char *key_text)
{
	char hex[SHA256_HEX_SIZE];
	const struct key *key;

	if (!key_text[0] || sha256_hex(key_text, strlen(key_text), hex) < 0)
		return NULL;
	key = table_get(tenants->keys_by_hash, hash_prefix(hex));
	return key && strcmp(key->row.hash, hex) == 0 ? key : NULL;
}

struct tenant *tenants_first(const struct tenants *tenants)
{
	return tenants->first;
}

const struct key *tenants_first_key(const struct tenants *tenants)
{
	return tenants->first_key;
}

/* The list has the newest first, so the last that is above is the lowest. */
struct tenant *tenants_next(const struct tenants *tenants, uint64_t id)
{
	struct tenant *found = NULL;

	for (struct tenant *tenant = tenants->first; tenant && tenant->row.id > id;
		tenant = tenant->next)
		found = tenant;
	return found;
}

struct tenant *tenants_find(const struct tenants *tenants, const char *name)
{
	for (struct tenant *tenant = tenants->first; tenant; tenant = tenant->next)
		if (strcmp(tenant->row.name, name) == 0)
			return tenant;
	return NULL;
}

struct tenant *tenants_get(const struct tenants *tenants, uint32_t id)
{
	return table_get(tenants->by_id, id);
}

static bool name_is_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length >= STORE_NAME_SIZE || name[0] == '-' || name[length - 1] == '-')
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

static int store_refusal(struct refusal *why, int r, const char *what)
{
	if (r == -ENOSPC)
		return refuse(why, WIRE_CODE_UNAVAILABLE,
			"The disk that holds the state is full, so %s was not stored. Free some "
			"space "
			"and try again.",
			what);
	return refuse(why, WIRE_CODE_INTERNAL, "The store refused %s: %s.", what, strerror(-r));
}

int tenants_create(struct tenants *tenants, const char *name, const char *policy,
	uint32_t n_sandboxes_max, struct tenant **ret_tenant, struct refusal *why)
{
	struct store_tenant row = {
		.n_sandboxes_max = n_sandboxes_max, .created_ns = clock_realtime_ns()};
	int r;

	if (!name_is_valid(name))
		return refuse(why, WIRE_CODE_INVALID,
			"A tenant's name has 1 to 63 of a-z, 0-9 and '-', and no '-' at its ends.");
	if (tenants_find(tenants, name))
		return refuse(why, WIRE_CODE_CONFLICT,
			"There is a tenant \"%s\" already. Choose another name.", name);
	if (table_count(tenants->by_id) >= TENANTS_MAX)
		return refuse(why, WIRE_CODE_LIMIT,
			"There are %d tenants, the most a host may have.", TENANTS_MAX);
	snprintf(row.name, sizeof(row.name), "%s", name);
	snprintf(row.policy, sizeof(row.policy), "%s", policy);
	r = store_tenant_insert(tenants->store, &row);
	if (r < 0)
		return store_refusal(why, r, "the tenant");
	tenants->load_error = 0;
	add_tenant(&row, tenants);
	*ret_tenant = tenants_find(tenants, name);
	if (!*ret_tenant)
		return refuse(why, WIRE_CODE_INTERNAL, "Out of memory.");
	return 0;
}

static void drop_key(struct tenants *tenants, struct key **link)
{
	struct key *key = *link;

	*link = key->next;
	table_take(tenants->keys_by_hash, hash_prefix(key->row.hash));
	free(key);
}

int tenants_delete(struct tenants *tenants, struct tenant *tenant, struct refusal *why)
{
	struct key **link = &tenants->first_key;
	struct tenant **place = &tenants->first;
	int r = store_tenant_delete(tenants->store, tenant->row.id);

	if (r < 0)
		return store_refusal(why, r, "the removal");
	while (*link) {
		if ((*link)->tenant == tenant) {
			store_key_delete(tenants->store, (*link)->row.id);
			drop_key(tenants, link);
		} else {
			link = &(*link)->next;
		}
	}
	while (*place != tenant)
		place = &(*place)->next;
	*place = tenant->next;
	table_take(tenants->by_id, tenant->row.id);
	history_fini(&tenant->history);
	free(tenant);
	return 0;
}

static int random_hex(size_t n_bytes, char *ret_hex)
{
	uint8_t bytes[32];

	if (getrandom(bytes, n_bytes, 0) != (ssize_t)n_bytes)
		return -EIO;
	for (size_t i = 0; i < n_bytes; i++)
		snprintf(ret_hex + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

int tenants_create_key(struct tenants *tenants, struct tenant *tenant, const char *description,
	bool administrator, const struct key **ret_key, char ret_secret[WIRE_KEY_SIZE],
	struct refusal *why)
{
	struct store_key row = {.tenant = tenant->row.id,
		.administrator = administrator,
		.created_ns = clock_realtime_ns()};
	char id[2 * KEY_ID_BYTES + 1], secret[2 * KEY_SECRET_BYTES + 1];
	int r;

	if (table_count(tenants->keys_by_hash) >= KEYS_MAX)
		return refuse(why, WIRE_CODE_LIMIT, "There are %d keys, the most a host may have.",
			KEYS_MAX);
	r = random_hex(KEY_ID_BYTES, id);
	if (r == 0)
		r = random_hex(KEY_SECRET_BYTES, secret);
	snprintf(ret_secret, WIRE_KEY_SIZE, "clo_%s_%s", id, secret);
	snprintf(row.id, sizeof(row.id), "ck_%s", id);
	snprintf(row.description, sizeof(row.description), "%s", description);
	if (r == 0)
		r = sha256_hex(ret_secret, strlen(ret_secret), row.hash);
	if (r == 0)
		r = store_key_insert(tenants->store, &row);
	if (r < 0)
		return store_refusal(why, r, "the key");
	tenants->load_error = 0;
	add_key(&row, tenants);
	if (tenants->load_error < 0)
		return refuse(why, WIRE_CODE_INTERNAL, "Out of memory.");
	*ret_key = tenants->first_key;
	return 0;
}

int tenants_revoke_key(struct tenants *tenants, const char *id, struct refusal *why)
{
	struct key **link = &tenants->first_key;
	int r;

	while (*link && strcmp((*link)->row.id, id) != 0)
		link = &(*link)->next;
	if (!*link)
		return refuse(why, WIRE_CODE_NOT_FOUND, "There is no key \"%s\".", id);
	r = store_key_delete(tenants->store, id);
	if (r < 0)
		return store_refusal(why, r, "the revocation");
	drop_key(tenants, link);
	return 0;
}

int tenants_add_usage(
	struct tenants *tenants, struct tenant *tenant, const struct wire_usage *usage)
{
	usage_add(&tenant->ended, usage);
	tenant->ended.memory_bytes = 0; /* what has ended holds none */
	return store_total_put(
		tenants->store, tenant->row.id, &tenant->ended, sizeof(tenant->ended));
}
