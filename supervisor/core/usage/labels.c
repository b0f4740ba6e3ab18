/* Usage by label: totals of the ended from the store, and the living on top. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/wire/strings.h"

struct collection {
	const char *key;
	struct usage_label *labels; /* STORE_LABELS_MAX and the rest */
	size_t n, n_stored;
	struct wire_usage living; /* of all, with the label or without */
};

static struct usage_label *find(struct collection *all, const char *value)
{
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->labels[i].value, value) == 0)
			return &all->labels[i];
	return NULL;
}

/* NULL past the bound: it would not be summed up at its end either. */
static struct usage_label *take(struct collection *all, const char *value)
{
	struct usage_label *label;

	if (all->n >= STORE_LABELS_MAX)
		return NULL;
	label = &all->labels[all->n++];
	snprintf(label->value, sizeof(label->value), "%s", value);
	return label;
}

static void take_stored(const char *pair, const void *usage, size_t usage_size, void *userdata)
{
	struct collection *all = userdata;
	struct usage_label *label = take(all, pair + strlen(all->key) + 1);

	if (!label)
		return;
	if (usage_size > sizeof(label->usage))
		usage_size = sizeof(label->usage);
	memcpy(&label->usage, usage, usage_size);
}

static const char *value_of(const struct sandbox *sandbox, const char *key)
{
	const char *cursor = sandbox->labels;
	size_t length = strlen(key);

	for (uint32_t i = 0; i < sandbox->n_labels; i++) {
		const char *pair = wire_strings_next(&cursor);

		if (strncmp(pair, key, length) == 0 && pair[length] == '=')
			return strlen(pair) < STORE_LABEL_SIZE ? pair + length + 1 : NULL;
	}
	return NULL;
}

static void take_living(
	const struct sandbox *sandbox, const struct wire_usage *usage, void *userdata)
{
	struct collection *all = userdata;
	const char *value = value_of(sandbox, all->key);
	struct usage_label *label = value ? find(all, value) : NULL;

	usage_add(&all->living, usage);
	if (value && !label && all->n_stored < STORE_LABELS_MAX)
		label = take(all, value);
	if (label)
		usage_add(&label->usage, usage);
}

static int by_value(const void *a, const void *b)
{
	return strcmp(
		((const struct usage_label *)a)->value, ((const struct usage_label *)b)->value);
}

int usage_by_label(const struct core *core, const struct tenant *tenant, const char *key,
	struct usage_label **ret_labels, size_t *ret_n)
{
	struct collection all = {.key = key};
	struct wire_usage listed = {0};
	struct usage_label *rest;
	int r;

	if (strlen(key) >= STORE_LABEL_SIZE - 1)
		return -EINVAL;
	all.labels = calloc(STORE_LABELS_MAX + 1, sizeof(*all.labels));
	if (!all.labels)
		return -ENOMEM;
	r = store_label_count(core->store, tenant->row.id, &all.n_stored);
	if (r == 0)
		r = store_label_each(core->store, tenant->row.id, key, take_stored, &all);
	if (r < 0) {
		free(all.labels);
		return r;
	}
	usage_each(core, tenant, take_living, &all);
	qsort(all.labels, all.n, sizeof(*all.labels), by_value);
	for (size_t i = 0; i < all.n; i++)
		usage_add(&listed, &all.labels[i].usage);
	rest = &all.labels[all.n++];
	rest->is_rest = true;
	rest->usage = tenant->ended;
	usage_add(&rest->usage, &all.living);
	usage_subtract(&rest->usage, &listed);
	*ret_labels = all.labels;
	*ret_n = all.n;
	return 0;
}
