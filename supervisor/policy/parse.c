#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/plain.h"
#include "supervisor/policy/canonical.h"
#include "supervisor/policy/read/document.h"

#define STAGE "read policy"
static void cleanup_policy(struct policy **policy)
{
	policy_unref(*policy);
}

int policy_read_description(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, char *ret_field)
{
	const char *text = json_string_value(value);

	if (!text)
		return policy_fail(reader, place, -EINVAL, "A description is text.");
	if (strlen(text) >= POLICY_DESCRIPTION_SIZE)
		return policy_fail(reader, place, -EINVAL,
			"The description is too long: %zu bytes, and %d are allowed.", strlen(text),
			POLICY_DESCRIPTION_SIZE - 1);
	if (!plain_is(text))
		return policy_fail(reader, place, -EINVAL,
			"A description is one line, without control characters.");
	if (ret_field)
		strcpy(ret_field, text);
	return 0;
}

int policy_check_description(
	const struct policy_reader *reader, const struct policy_place *place, const json_t *section)
{
	const struct policy_place at = {place, "description", 0};
	const json_t *value = json_object_get(section, "description");

	return value ? policy_read_description(reader, &at, value, NULL) : 0;
}

int policy_check_section(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *section, const char *const *keys)
{
	int r = policy_check_keys(reader, place, section, keys);

	return r < 0 ? r : policy_check_description(reader, place, section);
}

bool policy_name_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length >= POLICY_NAME_SIZE || name[0] == '-' || name[length - 1] == '-')
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

static int read_name(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *value, struct policy *policy)
{
	const struct policy_place place = {root, "name", 0};

	if (!value)
		return policy_fail(reader, root, -EINVAL,
			"The policy has no name; write \"name\": \"…\", the same as the file's.");
	if (!json_is_string(value) || !policy_name_valid(json_string_value(value)))
		return policy_fail(reader, &place, -EINVAL,
			"A name has 1 to %d of a-z, 0-9 and -, and neither begins nor ends with -.",
			POLICY_NAME_SIZE - 1);
	strcpy(policy->name, json_string_value(value));
	return 0;
}

static int read_rules(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *list, struct policy *policy)
{
	size_t n = json_array_size(list);

	if (!json_is_array(list))
		return policy_fail(reader, place, -EINVAL, "This must be a list of rules: […].");
	if (n > POLICY_RULES_MAX)
		return policy_fail(reader, place, -E2BIG,
			"The policy has %zu rules, and %d are allowed.", n, POLICY_RULES_MAX);
	policy->rules = calloc(n ? n : 1, sizeof(*policy->rules));
	if (!policy->rules)
		return failure_set(reader->why, -ENOMEM, STAGE, "There is no memory left.");
	for (size_t i = 0; i < n; i++) {
		const struct policy_place at = {place, NULL, i};
		struct policy_rule *rule = &policy->rules[policy->n_rules++];
		int r = policy_read_rule(reader, &at, json_array_get(list, i), rule);

		if (r < 0)
			return r;
		rule->id = (uint16_t)i;
	}
	return policy_check(reader, place, policy);
}

static int read_inbound(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *inbound, struct policy *policy)
{
	static const char *const keys[] = {"ports", "description", NULL};
	const struct policy_place at = {place, "ports", 0};
	struct policy_rule list = {.kind = POLICY_RULE_CIDR};
	const json_t *ports;
	int r = policy_check_section(reader, place, inbound, keys);

	if (r < 0)
		return r;
	ports = json_object_get(inbound, "ports");
	if (!ports || (json_is_array(ports) && json_array_size(ports) == 0))
		return policy_fail(reader, ports ? &at : place, -EINVAL,
			"Name the ports that previews may reach, as in {\"ports\": [8000]}, or "
			"leave \"inbound\" out for none.");
	if (json_array_size(ports) > POLICY_RULE_PORTS_MAX)
		return policy_fail(reader, &at, -E2BIG,
			"\"inbound\" takes up to %d ports or ranges of ports; join some to ranges.",
			POLICY_RULE_PORTS_MAX);
	r = policy_read_ports(reader, &at, ports, &list);
	if (r < 0)
		return r;
	memcpy(policy->inbound, list.ports, sizeof(list.ports));
	policy->n_inbound = list.n_ports;
	return 0;
}

static int read_network(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *network, struct policy *policy)
{
	static const char *const keys[] = {"allow", "inbound", "description", NULL};
	const struct policy_place place = {root, "network", 0}, allow = {&place, "allow", 0},
				  inbound = {&place, "inbound", 0};
	const json_t *list, *member;
	int r;

	if (!network)
		return 0;
	r = policy_check_section(reader, &place, network, keys);
	if (r < 0)
		return r;
	list = json_object_get(network, "allow");
	r = list ? read_rules(reader, &allow, list, policy) : 0;
	member = json_object_get(network, "inbound");
	return r == 0 && member ? read_inbound(reader, &inbound, member, policy) : r;
}

static int read_sections(
	const struct policy_reader *reader, const json_t *document, struct policy *policy)
{
	const struct policy_place root = {NULL, NULL, 0};
	int r = read_network(reader, &root, json_object_get(document, "network"), policy);

	if (r == 0)
		r = policy_read_budgets(
			reader, &root, json_object_get(document, "budgets"), &policy->budgets);
	if (r == 0)
		r = policy_read_limits(
			reader, &root, json_object_get(document, "resources"), &policy->limits);
	if (r == 0)
		r = policy_read_syscalls(
			reader, &root, json_object_get(document, "syscalls"), policy);
	if (r == 0)
		r = policy_read_files(reader, &root, json_object_get(document, "files"), policy);
	if (r == 0)
		r = policy_read_executables(
			reader, &root, json_object_get(document, "executables"), policy);
	if (r == 0)
		r = policy_read_devices(
			reader, &root, json_object_get(document, "devices"), policy);
	if (r == 0)
		r = policy_read_lifecycle(
			reader, &root, json_object_get(document, "lifecycle"), &policy->lifecycle);
	if (r == 0)
		r = policy_read_secrets(
			reader, &root, json_object_get(document, "secrets"), policy);
	if (r == 0)
		r = policy_read_audit(
			reader, &root, json_object_get(document, "audit"), &policy->audit);
	return r;
}

static int read_document(
	const struct policy_reader *reader, const json_t *document, struct policy *policy)
{
	static const char *const keys[] = {"version", "name", "description", "extends", "mode",
		"network", "budgets", "resources", "syscalls", "files", "executables", "devices",
		"lifecycle", "secrets", "audit", NULL};
	const struct policy_place root = {NULL, NULL, 0}, description = {&root, "description", 0};
	const json_t *text;
	int r = policy_check_keys(reader, &root, document, keys);

	if (r == 0)
		r = read_name(reader, &root, json_object_get(document, "name"), policy);
	text = json_object_get(document, "description");
	if (r == 0 && text)
		r = policy_read_description(reader, &description, text, policy->description);
	if (r == 0)
		r = policy_read_mode(reader, &root, json_object_get(document, "mode"), policy);
	return r < 0 ? r : read_sections(reader, document, policy);
}

int policy_put_together(const char *text, size_t size_bytes, const char *file,
	const struct policy_context *context, char **ret_text, struct failure *why)
{
	_cleanup_(policy_document_fini) struct policy_document document = {
		.sources[0] = {text, size_bytes, file, NULL}};
	const struct policy_reader reader = {document.sources, NULL, NULL, why};
	int r = policy_document_read(&reader, context, &document);
	char *together;

	if (r < 0)
		return r;
	json_object_del(document.json, "extends");
	together = json_dumps(document.json, JSON_COMPACT);
	if (!together)
		return failure_set(why, -ENOMEM, STAGE, "There is no memory left.");
	*ret_text = together;
	return 0;
}

int policy_parse(const char *text, size_t size_bytes, const char *file,
	const struct policy_context *context, struct policy **ret_policy, struct failure *why)
{
	_cleanup_(policy_suffixes_free) struct psl_ctx_st *suffixes = NULL;
	_cleanup_(policy_document_fini) struct policy_document document = {
		.sources[0] = {text, size_bytes, file, NULL}};
	const struct policy_reader reader = {
		document.sources, context ? context->calls : NULL, &suffixes, why};
	_cleanup_(cleanup_policy) struct policy *policy = NULL;
	int r = policy_document_read(&reader, context, &document);

	if (r < 0)
		return r;
	policy = calloc(1, sizeof(*policy));
	if (!policy)
		return failure_set(why, -ENOMEM, STAGE, "There is no memory left.");
	policy->n_references = 1;
	r = read_document(&reader, document.json, policy);
	if (r < 0)
		return r;
	r = policy_canonicalize(policy, document.json, why);
	if (r < 0)
		return r;
	*ret_policy = steal_ptr(&policy);
	return 0;
}
