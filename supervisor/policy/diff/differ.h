/* Inside the policy room: two policies that are compared, and who is told. */
#pragma once

#include "supervisor/policy/diff/diff.h"

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
/* The amounts of one section: more is allowed when one grows, or has no bound any more. */
void differ_report_amounts(const struct differ *differ, const char *section);

/* In diff/terms.c: the mode; files, devices, life cycle, secrets. */
void diff_mode(const struct differ *differ);
void diff_terms(const struct differ *differ);
/* In diff/addresses.c and diff/names.c. 0, -ENOMEM, or as policy_compile(). */
int diff_addresses(const struct differ *differ, struct failure *why);
int diff_names(const struct differ *differ, struct failure *why);
/* In diff/executables.c. */
void diff_executables(const struct differ *differ);
/* In diff/calls.c. */
void diff_calls(const struct differ *differ);
/* In diff/audit.c. */
void diff_audit(const struct differ *differ);
