#include "supervisor/policy/canonical.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/digest/sha256.h"
#include "supervisor/policy/network/name-index.h"
#include "supervisor/policy/network/prefix.h"
#include "supervisor/policy/network/records.h"

#define STAGE "hash policy"

_Static_assert(POLICY_HASH_SIZE == SHA256_HEX_SIZE, "a policy's hash is a SHA-256 in hex");

/* jansson's _new functions take NULL and give NULL, so only the last of a chain is checked. */

static json_t *write_ports(const struct policy_ports *ports, size_t n_ports)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n_ports; i++) {
		unsigned int first = ports[i].first, last = ports[i].last;
		json_t *item =
			first == last ? json_integer(first) : json_sprintf("%u-%u", first, last);

		if (json_array_append_new(list, item) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static bool any_port(const struct policy_rule *rule)
{
	return rule->n_ports == 1 && rule->ports[0].first == 0 && rule->ports[0].last == UINT16_MAX;
}

/* What a rule for addresses says of itself. */
static int write_addresses(json_t *object, const struct policy_rule *rule)
{
	const struct abi_cidr_key prefix = prefix_of_rule(rule);
	char text[POLICY_PREFIX_TEXT_SIZE];

	return json_object_set_new(object, "cidr", json_string(prefix_format(&prefix, text)));
}

static int write_name(json_t *object, const struct policy_rule *rule)
{
	static const char *const words[] = {
		[POLICY_TLS_REQUIRE] = "require", [POLICY_TLS_PASSTHROUGH] = "passthrough"};
	char text[NAME_PATTERN_SIZE];
	int r = json_object_set_new(object, "name", json_string(name_pattern(rule, text)));

	r |= json_object_set_new(object, "private", json_boolean(rule->is_private));
	if (rule->tls != POLICY_TLS_EITHER)
		r |= json_object_set_new(object, "tls", json_string(words[rule->tls]));
	return r;
}

static int write_connections(json_t *object, const struct policy_rule *rule)
{
	int r = rule->kind == POLICY_RULE_NAME ? write_name(object, rule)
					       : write_addresses(object, rule);

	r |= json_object_set_new(
		object, "protocol", json_string(rule->protocol == IPPROTO_UDP ? "udp" : "tcp"));
	if (!any_port(rule))
		r |= json_object_set_new(object, "ports", write_ports(rule->ports, rule->n_ports));
	return r;
}

static int write_records(json_t *object, const struct policy_rule *rule)
{
	int r = json_object_set_new(object, "name", json_string(rule->name));

	return r | json_object_set_new(object, "records", policy_write_records(rule->records));
}

int policy_write_description(json_t *object, const json_t *section)
{
	json_t *description = json_object_get(section, "description");

	return description ? json_object_set(object, "description", description) : 0;
}

static json_t *write_rule(const struct policy_rule *rule, const json_t *allow)
{
	json_t *object = json_object();
	int r = rule->kind == POLICY_RULE_RECORDS ? write_records(object, rule)
						  : write_connections(object, rule);

	if (allow)
		r |= policy_write_description(object, json_array_get(allow, rule->id));
	else
		r |= json_object_set_new(object, "rule", json_integer(rule->id));
	if (r < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

/* Left out when nothing is open: hashes stay what they were before there were previews. */
static json_t *write_inbound(const struct policy *policy, const json_t *section)
{
	json_t *inbound = json_object();
	int r = json_object_set_new(
		inbound, "ports", write_ports(policy->inbound, policy->n_inbound));

	r |= policy_write_description(inbound, section);
	if (r < 0) {
		json_decref(inbound);
		return NULL;
	}
	return inbound;
}

static json_t *write_network(const struct policy *policy, const json_t *section)
{
	const json_t *allow = json_object_get(section, "allow");
	json_t *network = json_object(), *list = json_array();
	int r = json_object_set_new(network, "allow", list);

	for (size_t i = 0; r == 0 && i < policy->n_rules; i++)
		r = json_array_append_new(list, write_rule(&policy->rules[i], allow));
	if (r == 0 && policy->n_inbound > 0)
		r = json_object_set_new(network, "inbound",
			write_inbound(policy, json_object_get(section, "inbound")));
	if (r == 0)
		r = policy_write_description(network, section);
	if (r < 0) {
		json_decref(network);
		return NULL;
	}
	return network;
}

static json_t *write_cpu(uint32_t millis)
{
	return millis % 1000 ? json_real(millis / 1000.0) : json_integer(millis / 1000);
}

static json_t *write_resources(const struct policy_limits *limits, const json_t *section)
{
	json_t *resources = json_object();
	int r = json_object_set_new(
		resources, "memory", json_integer((json_int_t)limits->memory_bytes));

	r |= json_object_set_new(resources, "disk", json_integer((json_int_t)limits->disk_bytes));
	r |= json_object_set_new(resources, "cpu", write_cpu(limits->cpu_millis));
	r |= json_object_set_new(resources, "pids", json_integer(limits->pids));
	r |= json_object_set_new(resources, "open_files", json_integer(limits->open_files));
	r |= policy_write_description(resources, section);
	if (r < 0) {
		json_decref(resources);
		return NULL;
	}
	return resources;
}

static json_t *write_syscalls(const struct policy *policy, const json_t *section)
{
	json_t *syscalls = policy_write_syscalls(policy, section);

	if (policy_write_description(syscalls, section) < 0) {
		json_decref(syscalls);
		return NULL;
	}
	return syscalls;
}

static json_t *write_lifecycle(const struct policy *policy, const json_t *section)
{
	json_t *lifecycle = policy_write_lifecycle(&policy->lifecycle);

	if (policy_write_description(lifecycle, section) < 0) {
		json_decref(lifecycle);
		return NULL;
	}
	return lifecycle;
}

static json_t *write_files(const struct policy *policy, const json_t *section)
{
	json_t *files = policy_write_files(policy);

	if (policy_write_description(files, section) < 0) {
		json_decref(files);
		return NULL;
	}
	return files;
}

/* Sections that a policy need not have are left out: hashes of policies without them stay what they
 * were before those sections were known. */
static int write_sections(json_t *root, const struct policy *policy, const json_t *document)
{
	bool usual = false;
	json_t *audit;
	int r = json_object_set_new(
		root, "network", write_network(policy, json_object_get(document, "network")));

	if (policy_has_budgets(policy))
		r |= json_object_set_new(root, "budgets",
			policy_write_budgets(
				&policy->budgets, json_object_get(document, "budgets")));
	r |= json_object_set_new(root, "resources",
		write_resources(&policy->limits, json_object_get(document, "resources")));
	r |= json_object_set_new(
		root, "syscalls", write_syscalls(policy, json_object_get(document, "syscalls")));
	if (policy->n_paths > 0)
		r |= json_object_set_new(
			root, "files", write_files(policy, json_object_get(document, "files")));
	if (policy->executables.limited)
		r |= json_object_set_new(root, "executables",
			policy_write_executables(
				&policy->executables, json_object_get(document, "executables")));
	if (policy->devices != POLICY_DEVICES_ALL)
		r |= json_object_set_new(root, "devices", policy_write_devices(policy));
	if (policy->lifecycle.time_to_live_s || policy->lifecycle.auto_stop_s)
		r |= json_object_set_new(root, "lifecycle",
			write_lifecycle(policy, json_object_get(document, "lifecycle")));
	if (policy->n_secrets > 0)
		r |= json_object_set_new(root, "secrets", policy_write_secrets(policy));
	audit = policy_write_audit(&policy->audit, json_object_get(document, "audit"), &usual);
	if (!usual)
		r |= json_object_set_new(root, "audit", audit);
	return r;
}

int policy_canonicalize(struct policy *policy, const json_t *document, struct failure *why)
{
	_cleanup_free_ char *text = NULL;
	json_t *root = json_object();
	int r = json_object_set_new(root, "version", json_integer(1));

	r |= json_object_set_new(root, "name", json_string(policy->name));
	if (policy->description[0])
		r |= json_object_set_new(root, "description", json_string(policy->description));
	/* Left out otherwise: hashes stay what they were before there were modes. */
	if (policy->mode != POLICY_MODE_ENFORCE)
		r |= json_object_set_new(
			root, "mode", json_string(policy_mode_names[policy->mode]));
	r |= write_sections(root, policy, document);
	/* 12 digits: thousandths of a CPU as they are written, not as they are stored. */
	if (r == 0)
		text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(12));
	json_decref(root);
	if (!text)
		return failure_set(why, -ENOMEM, STAGE, "There is no memory left.");
	r = sha256_hex(text, strlen(text), policy->hash);
	if (r < 0)
		return failure_set(why, r, STAGE, "libcrypto computes no SHA-256.");
	free(policy->canonical);
	policy->canonical = steal_ptr(&text);
	return 0;
}
