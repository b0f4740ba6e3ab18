#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/policy/read/reader.h"

#define WORD_MAX 32

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Insertions, deletions and replacements that make `a` into `b` (Levenshtein), row by row. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1], length = strlen(b);

	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < length; j++) {
			size_t above = row[j + 1];

			row[j + 1] = smallest(above + 1, row[j] + 1, diagonal + (a[i] != b[j]));
			diagonal = above;
		}
	}
	return row[length];
}

/* A word that was cut short ("mem") is one step away. Who mistypes more than one letter has still
 * begun with the right one: "hash" is no "path". */
static size_t steps(const char *text, const char *word)
{
	size_t length = strlen(text), d;

	if (strlen(word) > WORD_MAX)
		return WORD_MAX;
	if (length >= 3 && strncmp(word, text, length) == 0)
		return 1;
	d = distance(text, word);
	return d > 1 && text[0] != word[0] ? WORD_MAX : d;
}

const char *policy_nearest(const char *text, const char *const *words)
{
	const char *nearest = NULL;
	size_t least = strlen(text) / 3 + 1;

	if (strlen(text) > WORD_MAX)
		return NULL;
	for (; *words; words++) {
		size_t d = steps(text, *words);

		if (d <= least && (!nearest || d < least)) {
			nearest = *words;
			least = d;
		}
	}
	return nearest;
}

static int refuse_key(const struct policy_reader *reader, const struct policy_place *place,
	const char *key, const char *const *keys)
{
	const struct policy_place at = {place, key, 0};
	const char *nearest = policy_nearest(key, keys);
	char brief[POLICY_SHORT_SIZE], list[224] = "";
	size_t used = 0;

	policy_shorten(key, brief);
	if (nearest)
		return policy_fail(reader, &at, -EINVAL,
			"There is no key \"%s\" here; did you mean \"%s\"?", brief, nearest);
	for (; *keys && used < sizeof(list); keys++)
		used += (size_t)snprintf(
			list + used, sizeof(list) - used, "%s\"%s\"", used ? ", " : "", *keys);
	return policy_fail(
		reader, &at, -EINVAL, "There is no key \"%s\" here, but %s.", brief, list);
}

static bool is_among(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

int policy_check_keys(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *object, const char *const *keys)
{
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return policy_fail(reader, place, -EINVAL, "This must be an object: {…}.");
	json_object_foreach((json_t *)object, key,
		value) if (!is_among(key, keys)) return refuse_key(reader, place, key, keys);
	return 0;
}
