#include "supervisor/policy/read/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STAGE "read policy"

static int no_memory(const struct policy_reader *reader)
{
	return failure_set(reader->why, -ENOMEM, STAGE, "There is no memory left.");
}

static int read_json(const struct policy_reader *reader, json_t **ret_json)
{
	const struct policy_source *source = reader->source;
	json_error_t error;
	int r;

	*ret_json = json_loadb(source->text, source->size_bytes, JSON_REJECT_DUPLICATES, &error);
	if (*ret_json)
		return 0;
	if (json_error_code(&error) == json_error_duplicate_key) {
		/* Is it good JSON but for that? Only then the text can be walked. */
		json_t *json = json_loadb(source->text, source->size_bytes, 0, &error);

		if (json) {
			json_decref(json);
			r = policy_check_duplicates(reader);
			return r < 0 ? r : -EINVAL;
		}
	}
	/* jansson has a complaint about every text that is no JSON; none means no memory. */
	if (error.text[0] == '\0' || json_error_code(&error) == json_error_out_of_memory)
		return no_memory(reader);
	return policy_fail_syntax(reader, &error);
}

static int read_version(
	const struct policy_reader *reader, const struct policy_place *root, const json_t *value)
{
	const struct policy_place place = {root, "version", 0};

	if (!value)
		return policy_fail(
			reader, root, -EINVAL, "The version is missing; write \"version\": 1.");
	if (!json_is_integer(value) || json_integer_value(value) != 1)
		return policy_fail(reader, &place, -EINVAL,
			"This cloched reads version 1 of the policy language only; write 1.");
	return 0;
}

/* One file. The version comes before all else: a later one may have other keys. */
static int read_one(const struct policy_reader *reader, json_t **ret_json)
{
	const struct policy_place root = {NULL, NULL, 0};
	int r = read_json(reader, ret_json);

	if (r < 0)
		return r;
	if (!json_is_object(*ret_json))
		return policy_fail(reader, &root, -EINVAL, "This must be an object: {…}.");
	return read_version(reader, &root, json_object_get(*ret_json, "version"));
}

/* Puts what `base` says behind what `json` says. */
static int merge(json_t *json, const json_t *base)
{
	const char *key;
	json_t *value;
	int r = 0;

	json_object_foreach((json_t *)base, key, value)
	{
		json_t *own = json_object_get(json, key);

		if (!own)
			r = json_object_set(json, key, value);
		else if (json_is_object(own) && json_is_object(value))
			r = merge(own, value);
		else if (json_is_array(own) && json_is_array(value))
			r = json_array_extend(own, value);
		if (r < 0)
			return -ENOMEM;
	}
	return 0;
}

static int merge_base(const struct policy_reader *reader, json_t *json, json_t *base)
{
	static const char *const own[] = {"version", "name", "description", "extends", "mode"};

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		json_object_del(base, own[i]);
	return merge(json, base) < 0 ? no_memory(reader) : 0;
}

static int refuse_missing(const struct policy_reader *reader, const struct policy_place *place,
	const struct policy_context *context, const char *name)
{
	const char *nearest =
		context && context->names ? policy_nearest(name, context->names) : NULL;

	if (nearest)
		return policy_fail(reader, place, -EINVAL,
			"There is no policy \"%s\" to extend; did you mean \"%s\"?", name, nearest);
	return policy_fail(reader, place, -EINVAL,
		"There is no policy \"%s\" to extend; it would be %s.json in the same directory.",
		name, name);
}

/* Reads the base `name` into the next place of `document`. `reader` is of the file that names it.
 */
static int read_base(const struct policy_reader *reader, const struct policy_context *context,
	const struct policy_place *place, const char *name, struct policy_document *document)
{
	size_t i = document->n_sources;
	int r;

	for (size_t j = 0; j < i; j++)
		if (strcmp(document->names[j], name) == 0)
			return policy_fail(reader, place, -EINVAL,
				"This leads back to \"%s\": a policy cannot be its own base.",
				name);
	if (i > POLICY_EXTENDS_MAX)
		return policy_fail(reader, place, -E2BIG,
			"\"%s\" is extended over more than %d files; put some of them together.",
			document->names[0], POLICY_EXTENDS_MAX);
	r = context && context->read_base
		    ? context->read_base(context->userdata, name, &document->texts[i],
			      &document->sources[i].size_bytes, &document->files[i], reader->why)
		    : -ENOENT;
	if (r == -ENOENT)
		return refuse_missing(reader, place, context, name);
	if (r < 0)
		return r;
	document->sources[i].text = document->texts[i];
	document->sources[i].file = document->files[i];
	strcpy(document->names[i], name);
	document->n_sources++;
	return 0;
}

/* The name of what `json` extends; empty when it extends nothing. */
static int find_base(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *json, char ret_name[POLICY_NAME_SIZE])
{
	const json_t *value = json_object_get(json, "extends");
	const char *name = json_string_value(value);

	ret_name[0] = '\0';
	if (!value)
		return 0;
	if (!name || !policy_name_valid(name))
		return policy_fail(reader, place, -EINVAL,
			"This is the name of another policy, such as \"offline-build\".");
	strcpy(ret_name, name);
	return 0;
}

static int add_base(const struct policy_reader *reader, const struct policy_context *context,
	const struct policy_place *place, struct policy_document *document,
	char name[POLICY_NAME_SIZE])
{
	const struct policy_source *base = &document->sources[document->n_sources];
	struct policy_reader there = *reader, here = *reader;
	json_t *json = NULL;
	int r;

	here.source = base - 1;
	r = read_base(&here, context, place, name, document);
	if (r < 0)
		return r;
	there.source = base;
	r = read_one(&there, &json);
	if (r == 0)
		r = find_base(&there, place, json, name);
	if (r == 0)
		r = merge_base(reader, document->json, json);
	json_decref(json);
	return r;
}

int policy_document_read(const struct policy_reader *reader, const struct policy_context *context,
	struct policy_document *document)
{
	const struct policy_place root = {NULL, NULL, 0}, place = {&root, "extends", 0};
	char name[POLICY_NAME_SIZE] = "";
	const char *own_name;
	int r = read_one(reader, &document->json);

	document->n_sources = 1;
	own_name = json_string_value(json_object_get(document->json, "name"));
	if (r == 0 && own_name && policy_name_valid(own_name))
		strcpy(document->names[0], own_name);
	if (r == 0)
		r = find_base(reader, &place, document->json, name);
	while (r == 0 && name[0])
		r = add_base(reader, context, &place, document, name);
	/* Only now: until here each file's complaints were about that file alone. */
	for (size_t i = 1; i < document->n_sources; i++)
		document->sources[i - 1].base = &document->sources[i];
	return r;
}

void policy_document_fini(struct policy_document *document)
{
	json_decref(document->json);
	for (size_t i = 0; i < ARRAY_SIZE(document->texts); i++) {
		free(document->texts[i]);
		free(document->files[i]);
	}
}
