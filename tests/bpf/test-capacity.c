/* Every table at its limit: refused with the stated error, and what was there stays as it was. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "supervisor/base/clock.h"
#include "tests/harness/check.h"
#include "tests/harness/kernel-scene.h"
#include "tests/table/rows.h"

static void name_image(unsigned int number, char *ret_hash)
{
	snprintf(ret_hash, POLICY_HASH_SIZE, "%064x", number);
}

TEST(slots_run_out_and_come_back)
{
	struct kernel_scene *scene = kernel_scene();
	uint32_t *slots = calloc(ABI_SLOTS_MAX, sizeof(*slots)), extra;
	bool *seen = calloc(ABI_SLOTS_MAX, sizeof(*seen));

	CHECK(slots && seen);
	for (uint32_t i = 0; i < ABI_SLOTS_MAX; i++) {
		CHECK_INT(enforce_slot_take(scene->enforce, 1000 + i, 5000 + i, &slots[i]), 0);
		CHECK(slots[i] < ABI_SLOTS_MAX && !seen[slots[i]]);
		seen[slots[i]] = true;
	}
	CHECK_INT(enforce_slot_take(scene->enforce, 999, 999, &extra), -ENOSPC);
	enforce_slot_release(scene->enforce, slots[7], 1007);
	CHECK_INT(enforce_slot_take(scene->enforce, 999, 999, &extra), 0);
	CHECK_INT(extra, slots[7]);
	enforce_slot_release(scene->enforce, extra, 999);
	for (uint32_t i = 0; i < ABI_SLOTS_MAX; i++)
		if (i != 7)
			enforce_slot_release(scene->enforce, slots[i], 1000 + i);
	free(slots);
	free(seen);
}

TEST(a_cgroup_has_one_slot)
{
	struct kernel_scene *scene = kernel_scene();
	uint32_t slot, other;

	CHECK_INT(enforce_slot_take(scene->enforce, 1, 1, &slot), 0);
	CHECK_INT(enforce_slot_take(scene->enforce, 1, 2, &other), -EEXIST);
	CHECK_INT(enforce_slot_take(scene->enforce, 0, 2, &other), -EINVAL);
	CHECK_INT(enforce_slot_take(scene->enforce, 2, 0, &other), -EINVAL);
	enforce_slot_release(scene->enforce, slot, 1);
	/* Twice does nothing. */
	enforce_slot_release(scene->enforce, slot, 1);
	CHECK_INT(enforce_slot_take(scene->enforce, 1, 2, &slot), 0);
	enforce_slot_release(scene->enforce, slot, 1);
}

TEST(binds_only_a_slot_that_is_taken_to_an_image_that_can_be)
{
	struct kernel_scene *scene = kernel_scene();
	uint32_t slot, generation = 99;

	CHECK_INT(enforce_slot_take(scene->enforce, 1, 1, &slot), 0);
	CHECK_INT(enforce_slot_bind(scene->enforce, slot, 1, 1, ABI_IMAGES_MAX, &generation),
		-EINVAL);
	CHECK_INT(enforce_slot_bind(scene->enforce, ABI_SLOTS_MAX, 1, 1, 1, &generation), -EINVAL);
	CHECK_INT(generation, 99);
	enforce_slot_release(scene->enforce, slot, 1);
	CHECK_INT(enforce_slot_bind(scene->enforce, slot, 1, 1, 1, &generation), -EINVAL);
}

TEST(images_run_out_and_come_back_after_their_rest)
{
	struct kernel_scene *scene = kernel_scene();
	struct policy_image none = {0};
	char hash[POLICY_HASH_SIZE];
	uint32_t index, again, n = 0;
	uint64_t due_ns;
	int r;

	do {
		name_image(n, hash);
		r = enforce_image_take(scene->enforce, hash, &none, &index);
		n += r == 0;
	} while (r == 0);
	CHECK_INT(r, -ENOSPC);
	CHECK_INT(n, ABI_IMAGES_MAX - 1);
	name_image(n, hash);
	CHECK(!enforce_image_leaves(scene->enforce, hash, 0));
	/* One that is there is shared, not refused. */
	name_image(3, hash);
	CHECK(enforce_image_leaves(scene->enforce, hash, ABI_IMAGES_MAX));
	CHECK_INT(enforce_image_take(scene->enforce, hash, &none, &index), 0);
	enforce_image_release(scene->enforce, index);
	/* At rest its number is not given away, but the same policy may have it back. */
	enforce_image_release(scene->enforce, index);
	name_image(n, hash);
	CHECK_INT(enforce_image_take(scene->enforce, hash, &none, &again), -ENOSPC);
	name_image(3, hash);
	CHECK_INT(enforce_image_take(scene->enforce, hash, &none, &again), 0);
	CHECK_INT(again, index);
	for (uint32_t i = 1; i < ABI_IMAGES_MAX; i++)
		enforce_image_release(scene->enforce, i);
	due_ns = clock_monotonic_ns() + 5 * NS_PER_SECOND;
	name_image(n, hash);
	while ((r = enforce_image_take(scene->enforce, hash, &none, &index)) == -ENOSPC &&
		clock_monotonic_ns() < due_ns)
		kernel_scene_events(scene);
	CHECK_INT(r, 0);
	name_image(n + 1, hash);
	while (!enforce_image_leaves(scene->enforce, hash, ABI_IMAGES_MAX - 3) &&
		clock_monotonic_ns() < due_ns)
		kernel_scene_events(scene);
	CHECK(enforce_image_leaves(scene->enforce, hash, ABI_IMAGES_MAX - 3));
	CHECK(!enforce_image_leaves(scene->enforce, hash, ABI_IMAGES_MAX - 2));
	enforce_image_release(scene->enforce, index);
}

TEST(an_image_with_too_many_prefixes_is_refused_whole)
{
	struct kernel_scene *scene = kernel_scene();
	size_t n = ABI_CIDR_RULES_MAX + 1;
	struct abi_cidr_key *keys = calloc(n, sizeof(*keys));
	struct abi_cidr_value *values = calloc(n, sizeof(*values));
	struct policy_image image = {.cidr_keys = keys, .cidr_values = values, .n_cidr = n};
	char hash[POLICY_HASH_SIZE];
	uint32_t index = 4711;

	CHECK(keys && values);
	for (size_t i = 0; i < n; i++) {
		keys[i] = (struct abi_cidr_key){128, row_address("2001:db8::")};
		memcpy(&keys[i].address.bytes[8], &i, sizeof(i));
		values[i] = (struct abi_cidr_value){.n_ranges = 1, .ranges = {ROW_RANGE(1, 2, 3)}};
	}
	name_image(1 << 20, hash);
	CHECK_INT(enforce_image_take(scene->enforce, hash, &image, &index), -ENOSPC);
	CHECK_INT(index, 4711);
	/* One less fits, where the refused one had begun. */
	image.n_cidr = n - 1;
	CHECK_INT(enforce_image_take(scene->enforce, hash, &image, &index), 0);
	enforce_image_release(scene->enforce, index);
	free(keys);
	free(values);
}

TEST(a_malformed_image_is_refused)
{
	struct kernel_scene *scene = kernel_scene();
	struct abi_cidr_key key = {129, row_address("::")};
	struct abi_cidr_value value = {.n_ranges = 1};
	struct policy_image image = {.cidr_keys = &key, .cidr_values = &value, .n_cidr = 1};
	char hash[POLICY_HASH_SIZE];
	uint32_t index;

	name_image(1 << 21, hash);
	CHECK_INT(enforce_image_take(scene->enforce, hash, &image, &index), -EINVAL);
	key.prefix_bits = 128;
	value.n_ranges = ABI_PORT_RANGES_MAX + 1;
	CHECK_INT(enforce_image_take(scene->enforce, hash, &image, &index), -EINVAL);
	value.n_ranges = ABI_PORT_RANGES_MAX;
	CHECK_INT(enforce_image_take(scene->enforce, "short", &image, &index), -EINVAL);
	CHECK_INT(enforce_image_take(scene->enforce, hash, &image, &index), 0);
	enforce_image_release(scene->enforce, index);
}

TEST(probes_find_here_what_the_scene_runs_on)
{
	struct enforce_probe rows_of_kernel[64];
	size_t n;

	kernel_scene();
	n = enforce_probe(rows_of_kernel, 64);
	CHECK(n > 10);
	for (size_t i = 0; i < n; i++) {
		CHECK(rows_of_kernel[i].meaning[0]);
		if (rows_of_kernel[i].required && !rows_of_kernel[i].present)
			CHECK_FAIL("%s is said to be missing", rows_of_kernel[i].feature);
	}
	CHECK_INT(enforce_probe(rows_of_kernel, 3), 3);
}

TEST(tickets_run_out_and_come_back)
{
	const uint32_t n_slots = ABI_TICKETS_MAX / 2 / ABI_TICKETS_PER_SANDBOX_MAX;
	struct kernel_scene *scene = kernel_scene();
	struct abi_ticket ticket = {0};
	uint32_t slots[ABI_TICKETS_MAX / 2 / ABI_TICKETS_PER_SANDBOX_MAX + 1], generation;
	int r = 0;

	for (uint32_t i = 0; i <= n_slots; i++) {
		CHECK_INT(enforce_slot_take(scene->enforce, 1000 + i, 5000 + i, &slots[i]), 0);
		CHECK_INT(enforce_slot_bind(
				  scene->enforce, slots[i], 1, 1, ABI_IMAGE_NONE, &generation),
			0);
		ticket.sandbox = 5000 + i;
		for (uint32_t j = 0; j < ABI_TICKETS_PER_SANDBOX_MAX && r == 0; j++)
			r = enforce_ticket_put(scene->enforce, slots[i], 1, j, &ticket);
		CHECK_INT(r, i < n_slots ? 0 : -ENOSPC);
	}
	/* What is there can be replaced; one slot's release makes room for another's. */
	ticket.sandbox = 5000;
	CHECK_INT(enforce_ticket_put(scene->enforce, slots[0], 1, 9, &ticket), 0);
	enforce_slot_release(scene->enforce, slots[0], 1000);
	ticket.sandbox = 5000 + n_slots;
	for (uint32_t j = 0; j < ABI_TICKETS_PER_SANDBOX_MAX; j++)
		CHECK_INT(enforce_ticket_put(scene->enforce, slots[n_slots], 1, j, &ticket), 0);
	for (uint32_t i = 1; i <= n_slots; i++)
		enforce_slot_release(scene->enforce, slots[i], 1000 + i);
}
