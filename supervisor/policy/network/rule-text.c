/* Rules in words, for people. */
#include <netinet/in.h>
#include <stdio.h>

#include "supervisor/policy/model.h"
#include "supervisor/policy/network/name-index.h"
#include "supervisor/policy/network/port-set.h"
#include "supervisor/policy/network/prefix.h"
#include "supervisor/policy/network/records.h"

static const char *format_records(
	const struct policy_rule *rule, char ret_text[POLICY_RULE_TEXT_SIZE])
{
	char words[POLICY_RECORDS_TEXT_SIZE];

	snprintf(ret_text, POLICY_RULE_TEXT_SIZE, "%s records of %s",
		policy_records_format(rule->records, words), rule->name);
	return ret_text;
}

const char *policy_rule_format(const struct policy_rule *rule, char ret_text[POLICY_RULE_TEXT_SIZE])
{
	const struct abi_cidr_key prefix = prefix_of_rule(rule);
	char what[NAME_PATTERN_SIZE], ports[POLICY_RULE_TEXT_SIZE - NAME_PATTERN_SIZE - 32];
	bool one = rule->n_ports == 1 && rule->ports[0].first == rule->ports[0].last;
	struct port_set set = {0};
	bool any;

	if (rule->kind == POLICY_RULE_RECORDS)
		return format_records(rule, ret_text);
	for (size_t i = 0; i < rule->n_ports; i++)
		port_set_add(&set, rule->ports[i].first, rule->ports[i].last);
	port_set_format(&set, ports, sizeof(ports));
	any = ports[0] == 'a';
	if (rule->kind == POLICY_RULE_NAME)
		name_pattern(rule, what);
	else
		prefix_format(&prefix, what);
	snprintf(ret_text, POLICY_RULE_TEXT_SIZE, "%s%s, %s%s", what,
		rule->kind == POLICY_RULE_NAME  ? ""
		: rule->protocol == IPPROTO_UDP ? " udp"
						: " tcp",
		any   ? ""
		: one ? "port "
		      : "ports ",
		ports);
	return ret_text;
}
