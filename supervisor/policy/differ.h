/* Inside the policy room: two policies that are compared, and who is told. */
#pragma once

#include "supervisor/policy/diff.h"

struct port_set;

struct differ {
	const struct policy *before, *after;
	policy_change_callback each;
	void *userdata;
};

void differ_report(const struct differ *differ, enum policy_change_kind kind, const char *section,
	const char *format, ...) _printf_(4, 5);
/* Tells the ports that `after` has more, and those that it has less. */
void differ_report_ports(const struct differ *differ, const char *section, const char *what,
	const struct port_set *before, const struct port_set *after);

void diff_records(const struct differ *differ);
/* In diff-addresses.c and diff-names.c. 0, -ENOMEM, or as policy_compile(). */
int diff_addresses(const struct differ *differ, struct failure *why);
int diff_names(const struct differ *differ, struct failure *why);
