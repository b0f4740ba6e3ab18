#include "tools/policy/test/cases.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "tools/policy/file.h"

#define STAGE "read cases"

static int fail(struct failure *why, const char *path, const char *pointer, const char *sentence)
{
	failure_set(why, -EINVAL, STAGE, "%s", sentence);
	failure_at(why, pointer[0] ? "%s: %s" : "%s%s", path, pointer);
	return -EINVAL;
}

static const char *unknown_key(const json_t *object, const char *const *keys)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		size_t i = 0;

		while (keys[i] && strcmp(keys[i], key) != 0)
			i++;
		if (!keys[i])
			return key;
	}
	return NULL;
}

static const char *read_tls(const json_t *value, struct cases_row *row)
{
	static const char *const words[] = {[POLICY_TLS_EITHER] = "either",
		[POLICY_TLS_REQUIRE] = "require",
		[POLICY_TLS_PASSTHROUGH] = "passthrough"};
	const char *text = json_string_value(value);

	if (!value)
		return NULL;
	for (size_t i = 0; text && i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i], text) == 0) {
			row->has_tls = true;
			row->tls = (enum policy_tls)i;
			return NULL;
		}
	return "\"tls\" is \"either\", \"require\" or \"passthrough\".";
}

static const char *read_terms(const json_t *object, struct cases_row *row)
{
	const json_t *rule = json_object_get(object, "rule"),
		     *private = json_object_get(object, "private");

	if (rule && (!json_is_integer(rule) || json_integer_value(rule) < 0 ||
			    json_integer_value(rule) >= ABI_RULE_NONE))
		return "\"rule\" is a rule's place in network.allow, from 0.";
	if (private && !json_is_boolean(private))
		return "\"private\" is true or false.";
	row->has_rule = rule != NULL;
	row->rule = (uint16_t)json_integer_value(rule);
	row->has_private = private != NULL;
	row->is_private = json_is_true(private);
	return read_tls(json_object_get(object, "tls"), row);
}

/* Returns a sentence about what is wrong, or NULL. `why` holds the sentence about an act. */
static const char *read_row(const json_t *object, struct cases_row *row, struct failure *why)
{
	static const char *const keys[] = {
		"act", "verdict", "rule", "tls", "private", "description", NULL};
	const char *act = json_string_value(json_object_get(object, "act")),
		   *verdict = json_string_value(json_object_get(object, "verdict"));

	if (!json_is_object(object))
		return "A case is an object.";
	if (unknown_key(object, keys))
		return "A case has act, verdict, rule, tls, private and description, and no "
		       "other key.";
	if (!act)
		return "The case has no \"act\".";
	if (!verdict || (strcmp(verdict, "allow") != 0 && strcmp(verdict, "deny") != 0))
		return "\"verdict\" is \"allow\" or \"deny\".";
	row->allow = verdict[0] == 'a';
	if (policy_act_parse(act, &policy_file_calls, &row->act, why) < 0)
		return why->sentence;
	return read_terms(object, row);
}

static bool read_mode(const json_t *value, enum policy_mode *ret_mode)
{
	const char *word = json_string_value(value);

	for (size_t i = 0; word && policy_mode_names[i]; i++)
		if (strcmp(policy_mode_names[i], word) == 0) {
			*ret_mode = (enum policy_mode)i;
			return true;
		}
	return !value;
}

static int read_document(
	const char *path, const json_t *document, struct cases *cases, struct failure *why)
{
	static const char *const keys[] = {
		"version", "policy", "mode", "description", "cases", NULL};
	const json_t *list = json_object_get(document, "cases");
	const char *policy = json_string_value(json_object_get(document, "policy"));

	if (!json_is_object(document) || unknown_key(document, keys))
		return fail(why, path, "",
			"This must be an object of version, policy, mode, description and cases.");
	if (json_integer_value(json_object_get(document, "version")) != 1)
		return fail(why, path, "/version", "Write \"version\": 1.");
	if (!policy || strlen(policy) >= sizeof(cases->policy))
		return fail(why, path, "/policy", "Name the policy that the cases are for.");
	if (!read_mode(json_object_get(document, "mode"), &cases->mode))
		return fail(why, path, "/mode",
			"\"mode\" is the policy's: \"enforce\" (also when it is left out) or "
			"\"learn\".");
	if (json_array_size(list) == 0)
		return fail(why, path, "/cases", "There are no cases.");
	strcpy(cases->policy, policy);
	cases->rows = calloc(json_array_size(list), sizeof(*cases->rows));
	if (!cases->rows)
		return failure_set(why, -ENOMEM, STAGE, "There is no memory left.");
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct failure act = {0};
		const char *sentence = read_row(json_array_get(list, i), &cases->rows[i], &act);
		char pointer[32];

		snprintf(pointer, sizeof(pointer), "/cases/%zu", i);
		if (sentence)
			return fail(why, path, pointer, sentence);
		cases->n_rows++;
	}
	return 0;
}

int cases_read(
	const char *path, policy_file_reader read, struct cases *ret_cases, struct failure *why)
{
	struct cases cases = {0};
	_cleanup_free_ char *text = NULL;
	json_error_t error;
	json_t *document;
	size_t size = 0;
	int r = read(path, &text, &size, why);

	if (r < 0)
		return r;
	document = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	if (!document) {
		failure_set(why, -EINVAL, STAGE, "This is no JSON: %s.", error.text);
		failure_at(why, "%s:%d:%d", path, error.line, error.column);
		return -EINVAL;
	}
	r = read_document(path, document, &cases, why);
	json_decref(document);
	if (r < 0) {
		cases_fini(&cases);
		return r;
	}
	*ret_cases = cases;
	return 0;
}

void cases_fini(struct cases *cases)
{
	free(cases->rows);
}

bool cases_agree(const struct cases_row *row, const struct policy_opinion *opinion)
{
	if (row->allow != opinion->allowed)
		return false;
	if (row->has_rule && row->rule != opinion->rule)
		return false;
	if (row->has_tls && (!opinion->has_terms || row->tls != opinion->tls))
		return false;
	return !row->has_private || (opinion->has_terms && row->is_private == opinion->is_private);
}
