/* Rules for records: what else than addresses the resolver may tell of a name. They open nothing,
 * and hold for one name each: a wildcard would let a program send what it likes, a label at a time.
 */
#include "supervisor/policy/network/records.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/policy/meet/meet.h"

static const struct record_word {
	const char *word;
	uint8_t record;
} record_words[] = {
	{"MX", POLICY_RECORD_MX}, {"SRV", POLICY_RECORD_SRV}, {"TXT", POLICY_RECORD_TXT}};

uint8_t policy_name_records(const struct policy *policy, const char *name)
{
	uint8_t records = 0;

	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].kind == POLICY_RULE_RECORDS &&
			strcmp(policy->rules[i].name, name) == 0)
			records |= policy->rules[i].records;
	return records;
}

uint16_t policy_record_rule(
	const struct policy *policy, const char *name, enum policy_record record)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].kind == POLICY_RULE_RECORDS &&
			(policy->rules[i].records & record) &&
			strcmp(policy->rules[i].name, name) == 0)
			return policy->rules[i].id;
	return ABI_RULE_NONE;
}

/* ---- reading */

static int read_record(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, uint8_t *records)
{
	const char *text = json_string_value(value);

	for (size_t i = 0; text && i < ARRAY_SIZE(record_words); i++) {
		if (strcmp(text, record_words[i].word) != 0)
			continue;
		if (*records & record_words[i].record)
			return policy_fail(reader, place, -EINVAL,
				"\"%s\" is in this list twice; take one away.", text);
		*records |= record_words[i].record;
		return 0;
	}
	return policy_fail(reader, place, -EINVAL,
		"This is \"MX\", \"SRV\" or \"TXT\"; addresses come with a rule without "
		"\"records\", "
		"and nothing else is told.");
}

static int refuse_others(
	const struct policy_reader *reader, const struct policy_place *place, const json_t *rule)
{
	static const char *const others[] = {"ports", "protocol", "tls", "private"};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		const struct policy_place at = {place, others[i], 0};

		if (json_object_get(rule, others[i]))
			return policy_fail(reader, &at, -EINVAL,
				"\"%s\" does not go with \"records\", which opens no connection; "
				"make "
				"two rules of it.",
				others[i]);
	}
	return 0;
}

int policy_read_records(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, struct policy_rule *rule)
{
	const struct policy_place name = {place, "name", 0}, list = {place, "records", 0};
	const json_t *records = json_object_get(value, "records");
	int r = refuse_others(reader, place, value);

	rule->kind = POLICY_RULE_RECORDS;
	if (r == 0 && json_array_size(records) == 0)
		r = policy_fail(reader, &list, -EINVAL,
			"This must be a list of \"MX\", \"SRV\" or \"TXT\".");
	for (size_t i = 0; r == 0 && i < json_array_size(records); i++) {
		const struct policy_place at = {&list, NULL, i};

		r = read_record(reader, &at, json_array_get(records, i), &rule->records);
	}
	if (r == 0)
		r = policy_read_host(reader, &name, json_object_get(value, "name"), rule);
	if (r == 0 && rule->wildcard)
		r = policy_fail(reader, &name, -EINVAL,
			"\"records\" are for one name, not for \"*.\": each query for a name below "
			"would carry out what a program writes into it.");
	return r;
}

json_t *policy_write_records(uint8_t records)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(record_words); i++)
		if ((records & record_words[i].record) &&
			json_array_append_new(list, json_string(record_words[i].word)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

const char *policy_records_format(uint8_t records, char ret_text[POLICY_RECORDS_TEXT_SIZE])
{
	size_t length = 0;

	ret_text[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(record_words); i++)
		if (records & record_words[i].record)
			length += (size_t)snprintf(ret_text + length,
				POLICY_RECORDS_TEXT_SIZE - length, "%s%s", length ? ", " : "",
				record_words[i].word);
	return ret_text;
}

/* ---- the meet */

static int compare_names(const void *a, const void *b)
{
	const struct policy_rule *left = *(const struct policy_rule *const *)a,
				 *right = *(const struct policy_rule *const *)b;
	int order = strcmp(left->name, right->name);

	return order ? order : (int)left->id - (int)right->id;
}

/* The rules for records, by name; `ret_rules` has room for all rules. */
static size_t sort_rules(const struct policy *policy, const struct policy_rule **ret_rules)
{
	size_t n = 0;

	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].kind == POLICY_RULE_RECORDS)
			ret_rules[n++] = &policy->rules[i];
	qsort(ret_rules, n, sizeof(*ret_rules), compare_names);
	return n;
}

/* Both lists are sorted, and no name is in one of a file twice. */
int meet_records(struct meeting *meeting)
{
	_cleanup_free_ const struct policy_rule **bound =
		calloc(meeting->bound->n_rules + 1, sizeof(*bound));
	_cleanup_free_ const struct policy_rule **request =
		calloc(meeting->request->n_rules + 1, sizeof(*request));
	size_t i = 0, j = 0, n_bound, n_request;
	int r = bound && request ? 0 : -ENOMEM;

	if (r < 0)
		return r;
	n_bound = sort_rules(meeting->bound, bound);
	n_request = sort_rules(meeting->request, request);
	while (r == 0 && i < n_bound && j < n_request) {
		int order = strcmp(bound[i]->name, request[j]->name);
		struct policy_rule rule = *request[j];

		rule.records &= bound[i]->records;
		if (order == 0 && rule.records)
			r = meet_append(meeting, &rule);
		i += order <= 0;
		j += order >= 0;
	}
	return r;
}
