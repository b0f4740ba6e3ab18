#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/policy/canonical.h"
#include "supervisor/policy/reader.h"

#define STAGE "read policy"
#define MIB (1024ULL * 1024)
#define TIB (1024 * 1024 * MIB)

static const struct policy_limits default_limits = {.memory_bytes = 512 * MIB,
	.disk_bytes = 256 * MIB,
	.cpu_millis = 1000,
	.pids = 128,
	.open_files = 1024};

static void cleanup_json(json_t **value)
{
	json_decref(*value);
}

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
	for (const char *c = text; *c; c++)
		if (iscntrl((unsigned char)*c))
			return policy_fail(reader, place, -EINVAL,
				"A description is one line, without control characters.");
	if (ret_field)
		strcpy(ret_field, text);
	return 0;
}

static bool name_valid(const char *name)
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
	if (!json_is_string(value) || !name_valid(json_string_value(value)))
		return policy_fail(reader, &place, -EINVAL,
			"A name has 1 to %d of a-z, 0-9 and -, and neither begins nor ends with -.",
			POLICY_NAME_SIZE - 1);
	strcpy(policy->name, json_string_value(value));
	return 0;
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
	static const char *const keys[] = {"ports", NULL};
	const struct policy_place at = {place, "ports", 0};
	struct policy_rule list = {.kind = POLICY_RULE_CIDR};
	const json_t *ports;
	int r = policy_check_keys(reader, place, inbound, keys);

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
	static const char *const keys[] = {"allow", "inbound", NULL};
	const struct policy_place place = {root, "network", 0}, allow = {&place, "allow", 0},
				  inbound = {&place, "inbound", 0};
	const json_t *list, *member;
	int r;

	if (!network)
		return 0;
	r = policy_check_keys(reader, &place, network, keys);
	if (r < 0)
		return r;
	list = json_object_get(network, "allow");
	r = list ? read_rules(reader, &allow, list, policy) : 0;
	member = json_object_get(network, "inbound");
	return r == 0 && member ? read_inbound(reader, &inbound, member, policy) : r;
}

static int read_resources(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *resources, struct policy *policy)
{
	static const char *const keys[] = {"memory", "cpu", "pids", "disk", "open_files", NULL};
	const struct policy_place place = {root, "resources", 0};
	struct policy_limits *limits = &policy->limits;
	const char *key;
	json_t *value;
	int r;

	if (!resources)
		return 0;
	r = policy_check_keys(reader, &place, resources, keys);
	if (r < 0)
		return r;
	json_object_foreach((json_t *)resources, key, value)
	{
		const struct policy_place at = {&place, key, 0};

		if (strcmp(key, "memory") == 0)
			r = policy_read_bytes(
				reader, &at, value, 8 * MIB, 16 * TIB, &limits->memory_bytes);
		else if (strcmp(key, "disk") == 0)
			r = policy_read_bytes(
				reader, &at, value, 1 * MIB, 16 * TIB, &limits->disk_bytes);
		else if (strcmp(key, "cpu") == 0)
			r = policy_read_cpu(reader, &at, value, &limits->cpu_millis);
		else if (strcmp(key, "pids") == 0)
			/* PID 1, a shell and its child; PID_MAX_LIMIT of the kernel. */
			r = policy_read_count(reader, &at, value, 4, 4194304, &limits->pids);
		else
			/* The most is the default of /proc/sys/fs/nr_open. */
			r = policy_read_count(reader, &at, value, 16, 1048576, &limits->open_files);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_syscall(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, char *ret_name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	const char *name = json_string_value(value);
	char brief[POLICY_SHORT_SIZE];

	if (!name)
		return policy_fail(reader, place, -EINVAL,
			"A system call is given by its name, such as \"execveat\".");
	if (name[0] == '\0' || strlen(name) >= 32 || strspn(name, letters) != strlen(name) ||
		(reader->known && !reader->known(name)))
		return policy_fail(reader, place, -EINVAL,
			"There is no system call \"%s\"; see syscalls(2) for their names.",
			policy_shorten(name, brief));
	strcpy(ret_name, name);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int read_denied(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *list, struct policy *policy)
{
	size_t n = json_array_size(list);

	if (!json_is_array(list))
		return policy_fail(
			reader, place, -EINVAL, "This must be a list of names of system calls.");
	if (n > POLICY_SYSCALLS_MAX)
		return policy_fail(reader, place, -E2BIG,
			"The list has %zu system calls, and %d are allowed.", n,
			POLICY_SYSCALLS_MAX);
	policy->syscalls_denied = calloc(n ? n : 1, sizeof(*policy->syscalls_denied));
	if (!policy->syscalls_denied)
		return failure_set(reader->why, -ENOMEM, STAGE, "There is no memory left.");
	for (size_t i = 0; i < n; i++) {
		const struct policy_place at = {place, NULL, i};
		char *name = policy->syscalls_denied[i];
		int r = read_syscall(reader, &at, json_array_get(list, i), name);

		if (r < 0)
			return r;
		for (size_t j = 0; j < i; j++)
			if (strcmp(policy->syscalls_denied[j], name) == 0)
				return policy_fail(reader, &at, -EINVAL,
					"\"%s\" is in this list twice; take one away.", name);
	}
	policy->n_syscalls_denied = n;
	qsort(policy->syscalls_denied, n, sizeof(*policy->syscalls_denied), compare_names);
	return 0;
}

static int read_syscalls(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *syscalls, struct policy *policy)
{
	static const char *const keys[] = {"deny", NULL};
	const struct policy_place place = {root, "syscalls", 0}, deny = {&place, "deny", 0};
	const json_t *list;
	int r;

	if (!syscalls)
		return 0;
	r = policy_check_keys(reader, &place, syscalls, keys);
	if (r < 0)
		return r;
	list = json_object_get(syscalls, "deny");
	return list ? read_denied(reader, &deny, list, policy) : 0;
}

static int read_document(
	const struct policy_reader *reader, const json_t *document, struct policy *policy)
{
	static const char *const keys[] = {"version", "name", "description", "network", "budgets",
		"resources", "syscalls", NULL};
	const struct policy_place root = {NULL, NULL, 0}, description = {&root, "description", 0};
	const json_t *text;
	int r;

	/* Before the keys: a later version may have others. */
	if (json_is_object(document)) {
		r = read_version(reader, &root, json_object_get(document, "version"));
		if (r < 0)
			return r;
	}
	r = policy_check_keys(reader, &root, document, keys);
	if (r == 0)
		r = read_name(reader, &root, json_object_get(document, "name"), policy);
	text = json_object_get(document, "description");
	if (r == 0 && text)
		r = policy_read_description(reader, &description, text, policy->description);
	if (r == 0)
		r = read_network(reader, &root, json_object_get(document, "network"), policy);
	if (r == 0)
		r = policy_read_budgets(
			reader, &root, json_object_get(document, "budgets"), &policy->budgets);
	if (r == 0)
		r = read_resources(reader, &root, json_object_get(document, "resources"), policy);
	if (r == 0)
		r = read_syscalls(reader, &root, json_object_get(document, "syscalls"), policy);
	return r;
}

static int read_json(const struct policy_reader *reader, json_t **ret_document)
{
	json_error_t error;

	*ret_document =
		json_loadb(reader->text, reader->size_bytes, JSON_REJECT_DUPLICATES, &error);
	if (*ret_document)
		return 0;
	/* jansson has a complaint about every text that is no JSON; none means no memory. */
	if (error.text[0] == '\0' || json_error_code(&error) == json_error_out_of_memory)
		return failure_set(reader->why, -ENOMEM, STAGE, "There is no memory left.");
	return policy_fail_syntax(reader, &error);
}

int policy_parse(const char *text, size_t size_bytes, const char *file, policy_syscall_known known,
	struct policy **ret_policy, struct failure *why)
{
	_cleanup_(policy_suffixes_free) struct psl_ctx_st *suffixes = NULL;
	const struct policy_reader reader = {text, size_bytes, file, known, &suffixes, why};
	_cleanup_(cleanup_json) json_t *document = NULL;
	_cleanup_(cleanup_policy) struct policy *policy = NULL;
	int r = read_json(&reader, &document);

	if (r < 0)
		return r;
	policy = calloc(1, sizeof(*policy));
	if (!policy)
		return failure_set(why, -ENOMEM, STAGE, "There is no memory left.");
	policy->n_references = 1;
	policy->limits = default_limits;
	r = read_document(&reader, document, policy);
	if (r < 0)
		return r;
	r = policy_canonicalize(
		policy, json_object_get(json_object_get(document, "network"), "allow"), why);
	if (r < 0)
		return r;
	*ret_policy = steal_ptr(&policy);
	return 0;
}
