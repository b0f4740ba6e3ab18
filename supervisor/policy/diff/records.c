#include <string.h>

#include "supervisor/policy/diff/differ.h"
#include "supervisor/policy/network/records.h"

static void report(const struct differ *differ, enum policy_change_kind kind, const char *name,
	uint8_t records)
{
	char words[POLICY_RECORDS_TEXT_SIZE];

	if (records)
		differ_report(differ, kind, "network", "%s records of %s",
			policy_records_format(records, words), name);
}

/* Each name once: in a file no name has two of these rules, and a meet makes no more. */
void diff_records(const struct differ *differ)
{
	const struct policy *before = differ->before, *after = differ->after;

	for (size_t i = 0; i < after->n_rules; i++) {
		const struct policy_rule *rule = &after->rules[i];

		if (rule->kind == POLICY_RULE_RECORDS)
			report(differ, POLICY_CHANGE_ALLOWED, rule->name,
				rule->records & (uint8_t)~policy_name_records(before, rule->name));
	}
	for (size_t i = 0; i < before->n_rules; i++) {
		const struct policy_rule *rule = &before->rules[i];

		if (rule->kind == POLICY_RULE_RECORDS)
			report(differ, POLICY_CHANGE_DENIED, rule->name,
				rule->records & (uint8_t)~policy_name_records(after, rule->name));
	}
}
