/* Images: the rules of one effective policy, shared by all slots that it is in force for.
 *
 * An image changes in an order in which every step allows no more than the whole does: longer
 * prefixes, which may be holes, come first and go last. An image that nobody refers to rests before
 * it is emptied, because a program that runs right now may have read its number from a slot. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/clock.h"
#include "supervisor/enforce/state.h"

#define REST_NS NS_PER_SECOND /* a program run takes microseconds */

static int write_row(struct enforce *enforce, uint32_t image, const char *hash, bool complete)
{
	struct abi_image_row row = {.complete = complete};

	if (hash)
		memcpy(row.hash, hash, sizeof(row.hash));
	return bpf_map_update_elem(enforce->images_fd, &image, &row, BPF_ANY);
}

/* The image's trie. A descriptor or -errno. */
static int open_trie(struct enforce *enforce, uint32_t image)
{
	uint32_t id;
	int r = bpf_map_lookup_elem(enforce->cidrs_fd, &image, &id);

	return r < 0 ? r : bpf_map_get_fd_by_id(id);
}

static int by_prefix(const void *left, const void *right)
{
	const struct abi_cidr_key *a = left, *b = right;

	return a->prefix_bits < b->prefix_bits ? -1 : a->prefix_bits > b->prefix_bits;
}

/* Shortest prefix first: what falls through to a shorter one finds it gone already. */
static int empty_trie(int trie_fd)
{
	_cleanup_free_ struct abi_cidr_key *keys =
		calloc(ABI_CIDR_RULES_MAX, sizeof(struct abi_cidr_key));
	struct abi_cidr_key key, *before = NULL;
	size_t n = 0;

	if (!keys)
		return -ENOMEM;
	while (n < ABI_CIDR_RULES_MAX && bpf_map_get_next_key(trie_fd, before, &key) == 0) {
		keys[n++] = key;
		before = &key;
	}
	qsort(keys, n, sizeof(*keys), by_prefix);
	for (size_t i = 0; i < n; i++)
		bpf_map_delete_elem(trie_fd, &keys[i]);
	return 0;
}

/* Deletes the exact rules of images whose keys are not known. Only after a restart. */
static int scan_exact(struct enforce *enforce, uint32_t image)
{
	_cleanup_free_ struct abi_exact_key *keys =
		calloc(ABI_EXACT_RULES_MAX, sizeof(struct abi_exact_key));
	struct abi_exact_key key, *before = NULL;
	size_t n = 0;

	if (!keys)
		return -ENOMEM;
	while (n < ABI_EXACT_RULES_MAX &&
		bpf_map_get_next_key(enforce->exact_fd, before, &key) == 0) {
		if (key.image == image)
			keys[n++] = key;
		before = &key;
	}
	for (size_t i = 0; i < n; i++)
		bpf_map_delete_elem(enforce->exact_fd, &keys[i]);
	return 0;
}

static int empty_image(struct enforce *enforce, uint32_t index)
{
	struct image *image = &enforce->images[index];
	_cleanup_close_ int trie_fd = open_trie(enforce, index);
	int r = trie_fd < 0 ? trie_fd : 0;

	/* From here on no later process takes it for whole. */
	if (r == 0)
		r = write_row(enforce, index, image->hash, false);
	if (r == 0 && image->scan)
		r = scan_exact(enforce, index);
	if (r < 0)
		return r;
	for (size_t i = 0; i < image->n_exact; i++)
		bpf_map_delete_elem(enforce->exact_fd, &image->exact_keys[i]);
	r = empty_trie(trie_fd);
	if (r == 0)
		r = write_row(enforce, index, NULL, false);
	if (r < 0)
		return r;
	free(image->exact_keys);
	*image = (struct image){.use = IMAGE_EMPTY};
	return 0;
}

/* Remembers what to delete later. */
static int keep_keys(struct image *image, uint32_t index, const struct policy_image *policy)
{
	struct abi_exact_key *keys = NULL;

	if (policy->n_exact) {
		keys = calloc(policy->n_exact, sizeof(*keys));
		if (!keys)
			return -ENOMEM;
	}
	for (size_t i = 0; i < policy->n_exact; i++) {
		keys[i] = policy->exact_keys[i];
		keys[i].image = index;
	}
	image->exact_keys = keys;
	image->n_exact = policy->n_exact;
	image->scan = false;
	return 0;
}

/* The places of the prefixes in the order in which they go in: longest first. */
static size_t *order_prefixes(const struct policy_image *policy)
{
	size_t *order = calloc(policy->n_cidr + 1, sizeof(*order));
	size_t n_before[130] = {};

	if (!order)
		return NULL;
	for (size_t i = 0; i < policy->n_cidr; i++)
		n_before[128 - policy->cidr_keys[i].prefix_bits + 1]++;
	for (size_t i = 1; i < ARRAY_SIZE(n_before); i++)
		n_before[i] += n_before[i - 1];
	for (size_t i = 0; i < policy->n_cidr; i++)
		order[n_before[128 - policy->cidr_keys[i].prefix_bits]++] = i;
	return order;
}

static int fill_trie(struct enforce *enforce, uint32_t index, const struct policy_image *policy)
{
	_cleanup_close_ int trie_fd = open_trie(enforce, index);
	_cleanup_free_ size_t *order = NULL;
	int r = trie_fd < 0 ? trie_fd : 0;

	if (r == 0 && !(order = order_prefixes(policy)))
		r = -ENOMEM;
	for (size_t i = 0; i < policy->n_cidr && r == 0; i++)
		r = bpf_map_update_elem(trie_fd, &policy->cidr_keys[order[i]],
			&policy->cidr_values[order[i]], BPF_ANY);
	return r;
}

static int fill_image(struct enforce *enforce, uint32_t index, const char *hash,
	const struct policy_image *policy)
{
	struct image *image = &enforce->images[index];
	int r = keep_keys(image, index, policy);

	if (r == 0)
		r = write_row(enforce, index, hash, false);
	if (r == 0)
		r = fill_trie(enforce, index, policy);
	for (size_t i = 0; i < policy->n_exact && r == 0; i++)
		r = bpf_map_update_elem(
			enforce->exact_fd, &image->exact_keys[i], &policy->exact_rules[i], BPF_ANY);
	if (r == 0)
		r = write_row(enforce, index, hash, true);
	return r == -E2BIG ? -ENOSPC : r;
}

static bool is_valid(const struct policy_image *policy)
{
	for (size_t i = 0; i < policy->n_cidr; i++)
		if (policy->cidr_keys[i].prefix_bits > 128 ||
			policy->cidr_values[i].n_ranges > ABI_PORT_RANGES_MAX)
			return false;
	return true;
}

static uint32_t find_hash(const struct enforce *enforce, const char *hash)
{
	for (uint32_t i = ABI_IMAGE_NONE + 1; i < ABI_IMAGES_MAX; i++)
		if (enforce->images[i].use != IMAGE_EMPTY &&
			strcmp(enforce->images[i].hash, hash) == 0)
			return i;
	return ABI_IMAGE_NONE;
}

static uint32_t find_empty(const struct enforce *enforce)
{
	for (uint32_t i = ABI_IMAGE_NONE + 1; i < ABI_IMAGES_MAX; i++)
		if (enforce->images[i].use == IMAGE_EMPTY)
			return i;
	return ABI_IMAGE_NONE;
}

bool enforce_image_leaves(struct enforce *enforce, const char *hash, uint32_t n_left)
{
	uint32_t n_empty = 0;

	image_collect(enforce);
	for (uint32_t i = ABI_IMAGE_NONE + 1; i < ABI_IMAGES_MAX; i++)
		n_empty += enforce->images[i].use == IMAGE_EMPTY;
	return n_empty > n_left || find_hash(enforce, hash) != ABI_IMAGE_NONE;
}

static int reuse(struct enforce *enforce, uint32_t index, const struct policy_image *policy)
{
	struct image *image = &enforce->images[index];

	/* Found after a restart: the same hash has the same keys. */
	if (image->scan) {
		int r = keep_keys(image, index, policy);

		if (r < 0)
			return r;
	}
	image->use = IMAGE_LIVE;
	image->n_references++;
	return 0;
}

int enforce_image_take(struct enforce *enforce, const char *hash, const struct policy_image *image,
	uint32_t *ret_image)
{
	uint32_t index;
	int r;

	if (strlen(hash) != POLICY_HASH_SIZE - 1 || !is_valid(image))
		return -EINVAL;
	image_collect(enforce);
	index = find_hash(enforce, hash);
	if (index != ABI_IMAGE_NONE) {
		r = reuse(enforce, index, image);
		if (r == 0)
			*ret_image = index;
		return r;
	}
	index = find_empty(enforce);
	if (index == ABI_IMAGE_NONE)
		return -ENOSPC;
	memcpy(enforce->images[index].hash, hash, POLICY_HASH_SIZE);
	r = fill_image(enforce, index, hash, image);
	if (r < 0) {
		/* Nobody was told of it, so it need not rest; if this fails too, it is retried. */
		enforce->images[index].use = IMAGE_RESTING;
		empty_image(enforce, index);
		return r;
	}
	enforce->images[index].use = IMAGE_LIVE;
	enforce->images[index].n_references = 1;
	*ret_image = index;
	return 0;
}

static void rest(struct image *image)
{
	image->use = IMAGE_RESTING;
	image->rest_until_ns = clock_monotonic_ns() + REST_NS;
}

void enforce_image_release(struct enforce *enforce, uint32_t image)
{
	struct image *held;

	if (image == ABI_IMAGE_NONE || image >= ABI_IMAGES_MAX)
		return;
	held = &enforce->images[image];
	if (held->use == IMAGE_LIVE && --held->n_references == 0)
		rest(held);
}

void image_collect(struct enforce *enforce)
{
	uint64_t now_ns = 0;

	for (uint32_t i = ABI_IMAGE_NONE + 1; i < ABI_IMAGES_MAX; i++) {
		if (enforce->images[i].use != IMAGE_RESTING)
			continue;
		if (!now_ns)
			now_ns = clock_monotonic_ns();
		if (enforce->images[i].rest_until_ns <= now_ns)
			empty_image(enforce, i);
	}
}

void image_sweep(struct enforce *enforce)
{
	for (uint32_t i = ABI_IMAGE_NONE + 1; i < ABI_IMAGES_MAX; i++)
		if (enforce->images[i].use == IMAGE_FOUND)
			rest(&enforce->images[i]);
}

int image_table_read(struct enforce *enforce)
{
	for (uint32_t i = ABI_IMAGE_NONE + 1; i < ABI_IMAGES_MAX; i++) {
		struct image *image = &enforce->images[i];
		struct abi_image_row row;
		int r = bpf_map_lookup_elem(enforce->images_fd, &i, &row);

		if (r < 0)
			return r;
		if (!row.hash[0])
			continue;
		memcpy(image->hash, row.hash, sizeof(row.hash));
		image->scan = true;
		image->use = IMAGE_FOUND;
		if (!row.complete)
			rest(image);
	}
	return 0;
}

void image_table_fini(struct enforce *enforce)
{
	for (uint32_t i = 0; i < ABI_IMAGES_MAX; i++)
		free(enforce->images[i].exact_keys);
}
