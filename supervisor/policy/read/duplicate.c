/* Every parser of JSON keeps one of two members with the same key, and not always the same one; so
 * what a person reads there need not be what holds. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "supervisor/policy/read/reader.h"

#define STAGE "read policy"
#define DEPTH_MAX 2048 /* jansson's own limit, JSON_PARSER_MAX_DEPTH */

static int walk(const struct policy_reader *reader, const struct policy_place *place, size_t depth,
	size_t *at);

static size_t skip_comma(const struct policy_source *source, size_t at)
{
	at = policy_skip_space(source, at);
	if (at < source->size_bytes && source->text[at] == ',')
		at = policy_skip_space(source, at + 1);
	return at;
}

static int refuse(const struct policy_reader *reader, const struct policy_place *place,
	size_t first, size_t second)
{
	const struct policy_spot one = {reader->source, first, 0},
				 other = {reader->source, second, 0};
	char text[POLICY_SPOT_SIZE], brief[POLICY_SHORT_SIZE];

	return policy_fail_at(reader, place, &other, -EINVAL,
		"The key \"%s\" is here a second time; it is first at %s. Take one away.",
		policy_shorten(place->key, brief), policy_describe_spot(reader, &one, text));
}

/* `seen` has the offset of each key. */
static int walk_member(const struct policy_reader *reader, const struct policy_place *place,
	size_t depth, json_t *seen, size_t *at)
{
	const struct policy_source *source = reader->source;
	size_t start = *at, end = policy_skip_string(source, start);
	json_t *key, *first;
	int r = 0;

	if (end > source->size_bytes)
		return -EINVAL;
	key = json_loadb(source->text + start, end - start, JSON_DECODE_ANY, NULL);
	if (!json_is_string(key)) {
		json_decref(key);
		return failure_set(reader->why, -ENOMEM, STAGE, "There is no memory left.");
	}
	{
		const struct policy_place member = {place, json_string_value(key), 0};

		first = json_object_get(seen, member.key);
		if (first)
			r = refuse(reader, &member, (size_t)json_integer_value(first), start);
		else if (json_object_set_new(seen, member.key, json_integer((json_int_t)start)) < 0)
			r = failure_set(reader->why, -ENOMEM, STAGE, "There is no memory left.");
		*at = policy_skip_space(source, policy_skip_space(source, end) + 1);
		if (r == 0)
			r = walk(reader, &member, depth + 1, at);
	}
	json_decref(key);
	*at = skip_comma(source, *at);
	return r;
}

static int walk_object(const struct policy_reader *reader, const struct policy_place *place,
	size_t depth, size_t *at)
{
	const struct policy_source *source = reader->source;
	json_t *seen = json_object();
	int r = 0;

	if (!seen)
		return failure_set(reader->why, -ENOMEM, STAGE, "There is no memory left.");
	*at = policy_skip_space(source, *at + 1);
	while (r == 0 && *at < source->size_bytes && source->text[*at] == '"')
		r = walk_member(reader, place, depth, seen, at);
	json_decref(seen);
	++*at;
	return r;
}

static int walk_list(const struct policy_reader *reader, const struct policy_place *place,
	size_t depth, size_t *at)
{
	const struct policy_source *source = reader->source;
	struct policy_place element = {place, NULL, 0};
	int r = 0;

	*at = policy_skip_space(source, *at + 1);
	while (r == 0 && *at < source->size_bytes && source->text[*at] != ']') {
		r = walk(reader, &element, depth + 1, at);
		*at = skip_comma(source, *at);
		element.index++;
	}
	++*at;
	return r;
}

/* Moves `*at` from the beginning of a value to its end. */
static int walk(const struct policy_reader *reader, const struct policy_place *place, size_t depth,
	size_t *at)
{
	const struct policy_source *source = reader->source;

	if (depth > DEPTH_MAX || *at >= source->size_bytes)
		return -EINVAL;
	if (source->text[*at] == '{')
		return walk_object(reader, place, depth, at);
	if (source->text[*at] == '[')
		return walk_list(reader, place, depth, at);
	*at = policy_skip_value(source, *at);
	return 0;
}

int policy_check_duplicates(const struct policy_reader *reader)
{
	const struct policy_place root = {NULL, NULL, 0};
	size_t at = policy_skip_space(reader->source, 0);

	return walk(reader, &root, 0, &at);
}
