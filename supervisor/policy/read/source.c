/* jansson tells line and column of syntax errors only. For all others the text is walked again,
 * along the chain of keys and indexes, to the value that was meant. The text is known to be good
 * JSON by then; whatever else it may be, the walk stays inside it. */
#include "supervisor/policy/read/source.h"

#include <string.h>

size_t policy_skip_space(const struct policy_source *source, size_t at)
{
	while (at < source->size_bytes && source->text[at] && strchr(" \t\r\n", source->text[at]))
		at++;
	return at;
}

size_t policy_skip_string(const struct policy_source *source, size_t at)
{
	for (at++; at < source->size_bytes && source->text[at] != '"'; at++)
		if (source->text[at] == '\\')
			at++;
	return at + 1;
}

size_t policy_skip_value(const struct policy_source *source, size_t at)
{
	size_t depth = 0;

	while (at < source->size_bytes) {
		char c = source->text[at];

		if (c == '"') {
			at = policy_skip_string(source, at);
			if (depth == 0)
				return at;
			continue;
		}
		if (depth == 0 && (c == ',' || c == ']' || c == '}'))
			return at;
		if (c == '{' || c == '[')
			depth++;
		if ((c == '}' || c == ']') && --depth == 0)
			return at + 1;
		at++;
	}
	return at;
}

/* Compares a key as it is written, escapes and all, with the one meant. */
static bool key_is(const struct policy_source *source, size_t from, size_t to, const char *key)
{
	json_t *written;
	bool same;

	if (to > source->size_bytes)
		return false;
	written = json_loadb(source->text + from, to - from, JSON_DECODE_ANY, NULL);
	same = json_is_string(written) && strcmp(json_string_value(written), key) == 0;
	json_decref(written);
	return same;
}

static bool stands(const struct policy_source *source, size_t at, char c)
{
	return at < source->size_bytes && source->text[at] == c;
}

/* From the end of a value to the next one of the same list or object, or its end. */
static size_t skip_comma(const struct policy_source *source, size_t at)
{
	at = policy_skip_space(source, at);
	return stands(source, at, ',') ? policy_skip_space(source, at + 1) : at;
}

static bool find_member(const struct policy_source *source, size_t at, const char *key,
	size_t *ret_key, size_t *ret_value)
{
	if (!stands(source, at, '{'))
		return false;
	for (at = policy_skip_space(source, at + 1); stands(source, at, '"');) {
		size_t start = at, end = policy_skip_string(source, at);

		at = policy_skip_space(source, policy_skip_space(source, end) + 1);
		if (key_is(source, start, end, key)) {
			*ret_key = start;
			*ret_value = at;
			return true;
		}
		at = skip_comma(source, policy_skip_value(source, at));
	}
	return false;
}

/* Returns how many elements it passed: `index` when there is such a one, else as many as there are.
 */
static size_t find_element(
	const struct policy_source *source, size_t at, size_t index, size_t *ret_value)
{
	size_t n = 0;

	if (!stands(source, at, '['))
		return 0;
	at = policy_skip_space(source, at + 1);
	for (; n < index && at < source->size_bytes && source->text[at] != ']'; n++)
		at = skip_comma(source, policy_skip_value(source, at));
	*ret_value = at;
	return n;
}

static bool is_inside_list(const struct policy_place *place)
{
	for (; place; place = place->outer)
		if (place->outer && !place->key)
			return true;
	return false;
}

/* In this file alone. Elements of a list that is not itself inside another are counted behind
 * `*n_before` of other files; when there are too few here, those here are added to it. */
static bool find_here(const struct policy_source *source, const struct policy_place *place,
	size_t *n_before, size_t *ret_at, size_t *ret_value)
{
	size_t outer, list, index, n;

	if (!place->outer) {
		*ret_at = *ret_value = policy_skip_space(source, 0);
		return true;
	}
	if (!find_here(source, place->outer, n_before, &outer, &list))
		return false;
	if (place->key)
		return find_member(source, list, place->key, ret_at, ret_value);
	index = place->index - (is_inside_list(place->outer) ? 0 : *n_before);
	*ret_value = source->size_bytes;
	n = find_element(source, list, index, ret_value);
	*ret_at = *ret_value;
	if (n == index && *ret_at < source->size_bytes && source->text[*ret_at] != ']')
		return true;
	*n_before += n;
	return false;
}

struct policy_spot policy_find(const struct policy_source *source, const struct policy_place *place)
{
	size_t n_before = 0, at, value;

	for (const struct policy_source *each = source; each; each = each->base)
		if (find_here(each, place, &n_before, &at, &value))
			return (struct policy_spot){each, at, n_before};
	return (struct policy_spot){source, policy_skip_space(source, 0), 0};
}

/* Bytes that continue a character of UTF-8 are no column. */
void policy_count_lines(
	const struct policy_spot *spot, unsigned int *ret_line, unsigned int *ret_column)
{
	*ret_line = 1;
	*ret_column = 1;
	for (size_t i = 0; i < spot->offset && i < spot->source->size_bytes; i++) {
		if (spot->source->text[i] == '\n') {
			++*ret_line;
			*ret_column = 1;
		} else if ((spot->source->text[i] & 0xc0) != 0x80) {
			++*ret_column;
		}
	}
}
