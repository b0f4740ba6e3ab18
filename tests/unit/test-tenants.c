/* supervisor/core/tenants: names, keys, revocation, what survives a restart. */
#include "tests/harness/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/base/fd.h"
#include "supervisor/core/tenants.h"

#include <fcntl.h>

struct place {
	char directory[64], database[96], key_path[96];
	struct store *store;
	struct tenants *tenants;
};

static void open_place(struct place *place)
{
	struct failure why = {0};

	CHECK_INT(store_open(place->database, &place->store, &why), 0);
	CHECK_INT(tenants_open(place->store, place->key_path, &place->tenants, &why), 0);
}

static void close_place(struct place *place)
{
	place->tenants = tenants_free(place->tenants);
	place->store = store_free(place->store);
}

static void make_place(struct place *place)
{
	snprintf(place->directory, sizeof(place->directory), "/tmp/cloche-unit-XXXXXX");
	CHECK(mkdtemp(place->directory));
	snprintf(place->database, sizeof(place->database), "%s/state.db", place->directory);
	snprintf(place->key_path, sizeof(place->key_path), "%s/admin.key", place->directory);
	open_place(place);
}

static void drop_place(struct place *place)
{
	static const char *const names[] = {
		"state.db", "state.db-wal", "state.db-shm", "admin.key"};
	char path[128];

	close_place(place);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", place->directory, names[i]);
		unlink(path);
	}
	CHECK_INT(rmdir(place->directory), 0);
}

static void read_admin_key(const struct place *place, char ret_key[WIRE_KEY_SIZE])
{
	_cleanup_free_ char *text = NULL;

	CHECK_INT(fd_read_file_at(AT_FDCWD, place->key_path, 4096, &text, NULL), 0);
	text[strcspn(text, "\n")] = '\0';
	snprintf(ret_key, WIRE_KEY_SIZE, "%s", text);
}

TEST(first_start_makes_an_administrator_whose_key_file_is_private)
{
	struct place place;
	char secret[WIRE_KEY_SIZE];
	const struct key *key;
	struct stat info;

	make_place(&place);
	read_admin_key(&place, secret);
	key = tenants_authenticate(place.tenants, secret);
	CHECK(key != NULL);
	CHECK(key->row.administrator);
	CHECK_TEXT(key->tenant->row.name, "admin");
	CHECK_TEXT(key->tenant->row.policy, STORE_TENANT_UNBOUND);
	CHECK_INT(stat(place.key_path, &info), 0);
	CHECK_INT(info.st_mode & 07777, 0600);
	drop_place(&place);
}

TEST(the_store_holds_no_key_text)
{
	struct place place;
	_cleanup_free_ char *bytes = NULL;
	char secret[WIRE_KEY_SIZE];
	size_t size;

	make_place(&place);
	read_admin_key(&place, secret);
	close_place(&place);
	CHECK_INT(fd_read_file_at(AT_FDCWD, place.database, 1 << 20, &bytes, &size), 0);
	CHECK(memmem(bytes, size, secret + 13, 48) == NULL);
	open_place(&place);
	drop_place(&place);
}

TEST(an_unknown_or_altered_key_opens_nothing)
{
	struct place place;
	char secret[WIRE_KEY_SIZE];

	make_place(&place);
	read_admin_key(&place, secret);
	CHECK(tenants_authenticate(place.tenants, secret) != NULL);
	secret[strlen(secret) - 1] ^= 1;
	CHECK(tenants_authenticate(place.tenants, secret) == NULL);
	CHECK(tenants_authenticate(place.tenants, "") == NULL);
	drop_place(&place);
}

TEST(a_revoked_key_stays_revoked_after_a_restart)
{
	struct place place;
	char kept[WIRE_KEY_SIZE], revoked[WIRE_KEY_SIZE], id[STORE_NAME_SIZE];
	struct tenant *tenant;
	const struct key *key;
	struct refusal why;

	make_place(&place);
	CHECK_INT(tenants_create(place.tenants, "acme", "deny-all", 3, &tenant, &why), 0);
	CHECK_INT(tenants_create_key(place.tenants, tenant, "kept", false, &key, kept, &why), 0);
	CHECK_INT(tenants_create_key(place.tenants, tenant, "", false, &key, revoked, &why), 0);
	snprintf(id, sizeof(id), "%s", key->row.id);
	CHECK_INT(tenants_revoke_key(place.tenants, id, &why), 0);
	CHECK(tenants_authenticate(place.tenants, revoked) == NULL);
	close_place(&place);
	open_place(&place);
	CHECK(tenants_authenticate(place.tenants, revoked) == NULL);
	key = tenants_authenticate(place.tenants, kept);
	CHECK(key != NULL);
	CHECK_INT(key->row.administrator, 0);
	CHECK_INT(key->tenant->row.n_sandboxes_max, 3);
	CHECK(tenants_revoke_key(place.tenants, id, &why) < 0);
	CHECK_INT(why.code, WIRE_CODE_NOT_FOUND);
	drop_place(&place);
}

TEST(a_deleted_tenant_takes_its_keys_along)
{
	struct place place;
	char secret[WIRE_KEY_SIZE], other[WIRE_KEY_SIZE];
	struct tenant *tenant, *neighbour;
	const struct key *key;
	struct refusal why;

	make_place(&place);
	CHECK_INT(tenants_create(place.tenants, "acme", "deny-all", 0, &tenant, &why), 0);
	CHECK_INT(tenants_create(place.tenants, "beta", "deny-all", 0, &neighbour, &why), 0);
	CHECK_INT(tenants_create_key(place.tenants, tenant, "", false, &key, secret, &why), 0);
	CHECK_INT(tenants_create_key(place.tenants, neighbour, "", false, &key, other, &why), 0);
	CHECK_INT(tenants_delete(place.tenants, tenant, &why), 0);
	CHECK(tenants_authenticate(place.tenants, secret) == NULL);
	CHECK(tenants_authenticate(place.tenants, other) != NULL);
	CHECK(tenants_find(place.tenants, "acme") == NULL);
	drop_place(&place);
}

TEST(names_are_checked_and_unique)
{
	static const char *const bad[] = {"", "-a", "a-", "Acme", "a b", "a/b", "ä"};
	struct place place;
	struct tenant *tenant;
	struct refusal why;

	make_place(&place);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK(tenants_create(place.tenants, bad[i], "deny-all", 0, &tenant, &why) < 0);
		CHECK_INT(why.code, WIRE_CODE_INVALID);
	}
	CHECK_INT(tenants_create(place.tenants, "a-1", "deny-all", 0, &tenant, &why), 0);
	CHECK(tenants_create(place.tenants, "a-1", "deny-all", 0, &tenant, &why) < 0);
	CHECK_INT(why.code, WIRE_CODE_CONFLICT);
	drop_place(&place);
}

TEST(usage_of_ended_sandboxes_adds_up_and_survives)
{
	const struct wire_usage part = {.cpu_ns = 5,
		.memory_bytes = 100,
		.memory_peak_bytes = 900,
		.bytes_sent = 7,
		.n_sandboxes = 1};
	struct wire_usage smaller = part;
	struct place place;
	struct tenant *tenant;
	struct refusal why;

	make_place(&place);
	CHECK_INT(tenants_create(place.tenants, "acme", "deny-all", 0, &tenant, &why), 0);
	smaller.memory_peak_bytes = 300;
	CHECK_INT(tenants_add_usage(place.tenants, tenant, &part), 0);
	CHECK_INT(tenants_add_usage(place.tenants, tenant, &smaller), 0);
	close_place(&place);
	open_place(&place);
	tenant = tenants_find(place.tenants, "acme");
	CHECK(tenant != NULL);
	CHECK_INT(tenant->ended.cpu_ns, 10);
	CHECK_INT(tenant->ended.bytes_sent, 14);
	CHECK_INT(tenant->ended.memory_peak_bytes, 900);
	CHECK_INT(tenant->ended.memory_bytes, 0);
	CHECK_INT(tenant->ended.n_sandboxes, 2);
	drop_place(&place);
}
