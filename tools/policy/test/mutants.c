#include "tools/policy/test/mutants.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/policy/terms/term.h"
#include "tools/policy/file.h"
#include "tools/policy/test/mutation.h"

void mutation_give(const struct mutation *mutation, json_t *document, const char *what)
{
	_cleanup_free_ char *text = json_dumps(document, JSON_COMPACT);
	_cleanup_policy_ struct policy *mutant = NULL;

	json_decref(document);
	if (!text || policy_file_parse(mutation->path, text, strlen(text), &mutant, NULL) < 0)
		return;
	if (strcmp(mutant->hash, mutation->policy->hash) != 0)
		mutation->each(what, mutant, mutation->userdata);
}

/* Lists from which each element is taken in turn. A list that is then empty goes too. */
static const char *const lists[][2] = {{"network", "allow"}, {"network", "inbound"},
	{"syscalls", "deny"}, {"syscalls", "allow"}, {"files", "hidden"}, {"files", "read_only"},
	{"files", "writable"}, {"executables", "allow"}, {NULL, "secrets"}, {NULL, "devices"}};

static json_t *list_in(json_t *document, size_t which, json_t **ret_holder)
{
	json_t *section = lists[which][0] ? json_object_get(document, lists[which][0]) : document;
	json_t *value = json_object_get(section, lists[which][1]);

	*ret_holder = section;
	if (json_is_object(value)) {
		*ret_holder = value;
		value = json_object_get(value, "ports");
	}
	return value;
}

static void take_elements(const struct mutation *mutation, size_t which)
{
	json_t *holder, *list = list_in((json_t *)mutation->original, which, &holder);

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *copy = json_deep_copy(mutation->original), *from, *section;
		char what[96];

		from = list_in(copy, which, &section);
		json_array_remove(from, i);
		if (json_array_size(from) == 0 && strcmp(lists[which][1], "inbound") == 0)
			json_object_del(json_object_get(copy, "network"), "inbound");
		snprintf(what, sizeof(what), "without %s%s/%s/%zu", lists[which][0] ? "/" : "",
			lists[which][0] ? lists[which][0] : "", lists[which][1], i);
		mutation_give(mutation, copy, what);
	}
}

static json_t *rule_in(json_t *document, size_t i)
{
	return json_array_get(json_object_get(json_object_get(document, "network"), "allow"), i);
}

/* Of "ports" or "records". */
static void take_parts(const struct mutation *mutation, size_t rule, const char *key)
{
	const json_t *parts = json_object_get(rule_in((json_t *)mutation->original, rule), key);

	for (size_t i = 0; json_array_size(parts) > 1 && i < json_array_size(parts); i++) {
		json_t *copy = json_deep_copy(mutation->original);
		char what[96];

		json_array_remove(json_object_get(rule_in(copy, rule), key), i);
		snprintf(what, sizeof(what), "without /network/allow/%zu/%s/%zu", rule, key, i);
		mutation_give(mutation, copy, what);
	}
}

/* `value` NULL takes the key away. */
static void change_key(const struct mutation *mutation, size_t rule, const char *key, json_t *value)
{
	json_t *copy = json_deep_copy(mutation->original);
	char what[96];

	snprintf(what, sizeof(what), "%s /network/allow/%zu/%s", value ? "another" : "without",
		rule, key);
	if (value)
		json_object_set_new(rule_in(copy, rule), key, value);
	else
		json_object_del(rule_in(copy, rule), key);
	mutation_give(mutation, copy, what);
}

static void change_rule(const struct mutation *mutation, size_t rule)
{
	const json_t *original = rule_in((json_t *)mutation->original, rule);
	const char *name = json_string_value(json_object_get(original, "name"));
	char wildcard[512];

	take_parts(mutation, rule, "ports");
	take_parts(mutation, rule, "records");
	if (json_object_get(original, "records"))
		change_key(mutation, rule, "records", json_pack("[sss]", "MX", "SRV", "TXT"));
	change_key(mutation, rule, "ports", json_pack("[s]", "1-65535"));
	if (!name)
		return;
	change_key(mutation, rule, "tls", json_string("passthrough"));
	change_key(mutation, rule, "tls", json_string("require"));
	change_key(mutation, rule, "tls", NULL);
	change_key(mutation, rule, "private",
		json_boolean(!json_is_true(json_object_get(original, "private"))));
	snprintf(wildcard, sizeof(wildcard), "*.%s", name);
	change_key(mutation, rule, "name",
		json_string(strncmp(name, "*.", 2) == 0 ? name + 2 : wildcard));
}

/* A policy that may not learn has no such mutant: it is not parsed. */
static void change_mode(const struct mutation *mutation)
{
	json_t *copy = json_deep_copy(mutation->original);
	enum policy_mode other = mutation->policy->mode == POLICY_MODE_LEARN ? POLICY_MODE_ENFORCE
									     : POLICY_MODE_LEARN;
	char what[96];

	json_object_set_new(copy, "mode", json_string(policy_mode_names[other]));
	snprintf(what, sizeof(what), "in mode %s", policy_mode_names[other]);
	mutation_give(mutation, copy, what);
}

/* Only where the file names one: what it does not say is not its subject. */
static void change_profile(const struct mutation *mutation)
{
	static const char *const profiles[] = {"strict", "default", "debug"};

	if (!json_object_get(json_object_get(mutation->original, "syscalls"), "profile"))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		json_t *copy = json_deep_copy(mutation->original);
		char what[96];

		json_object_set_new(
			json_object_get(copy, "syscalls"), "profile", json_string(profiles[i]));
		snprintf(what, sizeof(what), "profile %s", profiles[i]);
		mutation_give(mutation, copy, what);
	}
}

/* What is hidden can be read, what is read-only is hidden or all of it can be written: with
 * "writable" inside, which alone means nothing. */
static void change_files(const struct mutation *mutation)
{
	static const char *const moves[][2] = {{"hidden", "read_only"}, {"read_only", "hidden"}};
	const json_t *files = json_object_get(mutation->original, "files");
	json_t *copy = json_deep_copy(mutation->original);

	json_object_del(copy, "files");
	mutation_give(mutation, copy, "without /files");
	for (size_t which = 0; which < ARRAY_SIZE(moves); which++) {
		const char *from = moves[which][0], *to = moves[which][1];
		size_t n = json_array_size(json_object_get(files, from));

		for (size_t i = 0; i < n; i++) {
			json_t *section, *list;
			char what[96];

			copy = json_deep_copy(mutation->original);
			section = json_object_get(copy, "files");
			list = json_object_get(section, from);
			if (!json_object_get(section, to))
				json_object_set_new(section, to, json_array());
			json_array_append(json_object_get(section, to), json_array_get(list, i));
			json_array_remove(list, i);
			snprintf(what, sizeof(what), "%s for /files/%s/%zu", to, from, i);
			mutation_give(mutation, copy, what);
		}
	}
}

/* Only where the file lists them. */
static void add_devices(const struct mutation *mutation)
{
	if (!json_object_get(mutation->original, "devices"))
		return;
	for (size_t i = 0; i < POLICY_DEVICES; i++) {
		json_t *copy = json_deep_copy(mutation->original);
		char what[96];

		json_array_append_new(
			json_object_get(copy, "devices"), json_string(policy_device_names[i]));
		snprintf(what, sizeof(what), "with %s in /devices", policy_device_names[i]);
		mutation_give(mutation, copy, what);
	}
}

static void open_executables(const struct mutation *mutation)
{
	json_t *copy = json_deep_copy(mutation->original);

	json_object_del(copy, "executables");
	mutation_give(mutation, copy, "without /executables");
}

/* `amount` 0 takes the key away. */
static void change_amount(
	const struct mutation *mutation, enum policy_term term, uint64_t amount, const char *how)
{
	const char *section = policy_term_section(term), *key = policy_term_key(term);
	json_t *copy = json_deep_copy(mutation->original), *holder = json_object_get(copy, section);
	char text[POLICY_TERM_TEXT_SIZE], what[96];
	bool is_number =
		strspn(policy_term_format(term, amount, text), "0123456789") == strlen(text);

	if (amount == 0)
		json_object_del(holder, key);
	else
		json_object_set_new(holder, key,
			is_number ? json_integer(strtoll(text, NULL, 10)) : json_string(text));
	if (json_object_size(holder) == 0)
		json_object_del(copy, section);
	snprintf(what, sizeof(what), "%s /%s/%s", how, section, key);
	mutation_give(mutation, copy, what);
}

/* Only where the file names one, or a class that does. */
static void change_term(const struct mutation *mutation, enum policy_term term)
{
	const json_t *section = json_object_get(mutation->original, policy_term_section(term));
	uint64_t limit = policy_term_limit(mutation->policy, term);

	if (!json_object_get(section, policy_term_key(term)) && !json_object_get(section, "class"))
		return;
	change_amount(mutation, term, limit * 2, "twice");
	change_amount(mutation, term, limit / 2, "half");
	change_amount(mutation, term, 0, "without");
}

static void open_inbound(const struct mutation *mutation)
{
	json_t *copy = json_deep_copy(mutation->original);

	if (!json_object_get(copy, "network"))
		json_object_set_new(copy, "network", json_object());
	json_object_set_new(json_object_get(copy, "network"), "inbound",
		json_pack("{s:[s]}", "ports", "1-65535"));
	mutation_give(mutation, copy, "with all of /network/inbound");
}

static void open_addresses(const struct mutation *mutation, const char *cidr)
{
	json_t *copy = json_deep_copy(mutation->original), *network, *allow;
	char what[96];

	if (!json_object_get(copy, "network"))
		json_object_set_new(copy, "network", json_object());
	network = json_object_get(copy, "network");
	if (!json_object_get(network, "allow"))
		json_object_set_new(network, "allow", json_array());
	allow = json_object_get(network, "allow");
	json_array_append_new(allow, json_pack("{s:s}", "cidr", cidr));
	snprintf(what, sizeof(what), "with a rule for %s", cidr);
	mutation_give(mutation, copy, what);
}

int mutants_each(const char *path, const char *text, size_t size, mutant_callback each,
	void *userdata, struct failure *why)
{
	_cleanup_policy_ struct policy *policy = NULL;
	struct mutation mutation = {.path = path, .each = each, .userdata = userdata};
	_cleanup_free_ char *whole = NULL;
	json_t *document;
	int r = policy_file_parse(path, text, size, &policy, why);

	if (r == 0)
		r = policy_file_put_together(path, text, size, &whole, why);
	if (r < 0)
		return r;
	document = json_loads(whole, 0, NULL);
	if (!document)
		return failure_set(why, -ENOMEM, "break policy", "There is no memory left.");
	mutation.original = document;
	mutation.policy = policy;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		take_elements(&mutation, i);
	for (size_t i = 0; rule_in(document, i); i++)
		change_rule(&mutation, i);
	change_mode(&mutation);
	change_profile(&mutation);
	mutate_call_rules(&mutation);
	change_files(&mutation);
	add_devices(&mutation);
	open_executables(&mutation);
	for (size_t i = 0; i < POLICY_TERMS; i++)
		change_term(&mutation, (enum policy_term)i);
	open_inbound(&mutation);
	open_addresses(&mutation, "0.0.0.0/0");
	open_addresses(&mutation, "::/0");
	json_decref(document);
	return 0;
}
