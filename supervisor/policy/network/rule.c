#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "supervisor/policy/network/records.h"
#include "supervisor/policy/read/reader.h"

static int read_protocol(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, struct policy_rule *rule)
{
	const char *text = value ? json_string_value(value) : "tcp";

	rule->protocol = IPPROTO_TCP;
	if (text && strcmp(text, "tcp") == 0)
		return 0;
	if (!text || strcmp(text, "udp") != 0)
		return policy_fail(reader, place, -EINVAL,
			"The protocol is \"tcp\", which is also the default, or \"udp\".");
	if (rule->kind == POLICY_RULE_NAME)
		return policy_fail(reader, place, -EINVAL,
			"\"udp\" goes with \"cidr\": in datagrams, QUIC's too, no name can be "
			"checked.");
	rule->protocol = IPPROTO_UDP;
	return 0;
}

static int read_tls(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, struct policy_rule *rule)
{
	const char *text = json_string_value(value);

	if (text && strcmp(text, "require") == 0)
		rule->tls = POLICY_TLS_REQUIRE;
	else if (text && strcmp(text, "passthrough") == 0)
		rule->tls = POLICY_TLS_PASSTHROUGH;
	else
		return policy_fail(reader, place, -EINVAL,
			"This is \"require\" or \"passthrough\"; leave it out for TLS or plain "
			"HTTP.");
	return 0;
}

static int read_addresses(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, struct policy_rule *rule)
{
	const struct policy_place cidr = {place, "cidr", 0}, tls = {place, "tls", 0},
				  private = {place, "private", 0};

	rule->kind = POLICY_RULE_CIDR;
	if (json_object_get(value, "tls"))
		return policy_fail(reader, &tls, -EINVAL,
			"\"tls\" goes with \"name\": connections to addresses are not looked "
			"into.");
	if (json_object_get(value, "private"))
		return policy_fail(reader, &private, -EINVAL,
			"\"private\" goes with \"name\": a rule for private addresses opens what "
			"it says.");
	rule->n_ports = 1;
	rule->ports[0] = (struct policy_ports){0, UINT16_MAX};
	return policy_read_cidr(reader, &cidr, json_object_get(value, "cidr"), rule);
}

static int read_name(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, struct policy_rule *rule)
{
	const struct policy_place name = {place, "name", 0}, tls = {place, "tls", 0},
				  private = {place, "private", 0};
	const json_t *member = json_object_get(value, "tls");
	int r = 0;

	rule->kind = POLICY_RULE_NAME;
	if (member)
		r = read_tls(reader, &tls, member, rule);
	if (r == 0)
		r = policy_read_flag(
			reader, &private, json_object_get(value, "private"), &rule->is_private);
	rule->n_ports = 2;
	rule->ports[0] = (struct policy_ports){80, 80};
	rule->ports[1] = (struct policy_ports){443, 443};
	return r < 0 ? r : policy_read_host(reader, &name, json_object_get(value, "name"), rule);
}

static int read_what(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, struct policy_rule *rule)
{
	const struct policy_place name = {place, "name", 0}, records = {place, "records", 0};
	bool has_cidr = json_object_get(value, "cidr"), has_name = json_object_get(value, "name");

	if (has_cidr && has_name)
		return policy_fail(reader, &name, -EINVAL,
			"A rule is for addresses or for a name; make two rules, one with \"cidr\" "
			"and one with \"name\".");
	if (has_cidr && json_object_get(value, "records"))
		return policy_fail(reader, &records, -EINVAL,
			"\"records\" goes with \"name\": only a name has them.");
	if (has_cidr)
		return read_addresses(reader, place, value, rule);
	if (has_name && json_object_get(value, "records"))
		return policy_read_records(reader, place, value, rule);
	if (has_name)
		return read_name(reader, place, value, rule);
	return policy_fail(reader, place, -EINVAL,
		"The rule has no \"name\" and no \"cidr\"; write what it allows.");
}

int policy_read_rule(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, struct policy_rule *rule)
{
	static const char *const keys[] = {"name", "cidr", "ports", "protocol", "tls", "private",
		"records", "description", NULL};
	const struct policy_place ports = {place, "ports", 0}, protocol = {place, "protocol", 0},
				  description = {place, "description", 0};
	const json_t *member;
	int r;

	if (json_is_string(value))
		return policy_fail(reader, place, -EINVAL,
			"A rule is an object: {\"name\": \"pypi.org\"}, or {\"cidr\": "
			"\"203.0.113.0/24\"}.");
	r = policy_check_keys(reader, place, value, keys);
	if (r == 0)
		r = read_what(reader, place, value, rule);
	member = json_object_get(value, "ports");
	if (r == 0 && member)
		r = policy_read_ports(reader, &ports, member, rule);
	if (r == 0)
		r = read_protocol(reader, &protocol, json_object_get(value, "protocol"), rule);
	member = json_object_get(value, "description");
	return r == 0 && member ? policy_read_description(reader, &description, member, NULL) : r;
}
