#include "supervisor/policy/diff/diff.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/policy/diff/differ.h"
#include "supervisor/policy/network/port-set.h"
#include "supervisor/policy/read/reader.h"
#include "supervisor/policy/terms/term.h"

void differ_report(const struct differ *differ, enum policy_change_kind kind, const char *section,
	const char *format, ...)
{
	struct policy_change change = {.kind = kind, .section = section};
	va_list list;

	va_start(list, format);
	vsnprintf(change.what, sizeof(change.what), format, list);
	va_end(list);
	differ->each(&change, differ->userdata);
}

void differ_report_ports(const struct differ *differ, const char *section, const char *what,
	const struct port_set *before, const struct port_set *after)
{
	struct port_set gained, lost;
	char text[128];

	port_set_minus(after, before, &gained);
	port_set_minus(before, after, &lost);
	if (!port_set_is_empty(&gained))
		differ_report(differ, POLICY_CHANGE_ALLOWED, section, "%s %s", what,
			port_set_format(&gained, text, sizeof(text)));
	if (!port_set_is_empty(&lost))
		differ_report(differ, POLICY_CHANGE_DENIED, section, "%s %s", what,
			port_set_format(&lost, text, sizeof(text)));
}

static void compare_inbound(const struct differ *differ)
{
	const struct policy *policies[] = {differ->before, differ->after};
	struct port_set sets[2] = {0};

	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; j < policies[i]->n_inbound; j++)
			port_set_add(&sets[i], policies[i]->inbound[j].first,
				policies[i]->inbound[j].last);
	differ_report_ports(differ, "network", "inbound", &sets[0], &sets[1]);
}

void differ_report_amounts(const struct differ *differ, const char *section)
{
	for (size_t i = 0; i < POLICY_TERMS; i++) {
		enum policy_term term = (enum policy_term)i;
		uint64_t before = policy_term_limit(differ->before, term);
		uint64_t after = policy_term_limit(differ->after, term);
		char texts[2][POLICY_TERM_TEXT_SIZE];

		if (before == after || strcmp(policy_term_section(term), section) != 0)
			continue;
		differ_report(differ,
			before != 0 && (after == 0 || after > before) ? POLICY_CHANGE_ALLOWED
								      : POLICY_CHANGE_DENIED,
			section, "%s: %s instead of %s", policy_term_key(term),
			after ? policy_term_format(term, after, texts[0]) : "no limit",
			before ? policy_term_format(term, before, texts[1]) : "no limit");
	}
}

static const char *window(uint32_t per_seconds, char text[16])
{
	return per_seconds ? policy_format_duration(per_seconds, text) : "all its life";
}

/* A longer window lets less through in the same time, and more at once: it is told, and judged by
 * the rate. */
static void compare_budgets(const struct differ *differ)
{
	const struct policy_budgets *a = &differ->before->budgets, *b = &differ->after->budgets;
	char texts[2][16];

	differ_report_amounts(differ, "budgets");
	if (policy_has_budgets(differ->before) && policy_has_budgets(differ->after) &&
		a->per_seconds != b->per_seconds)
		differ_report(differ,
			b->per_seconds && (!a->per_seconds || b->per_seconds < a->per_seconds)
				? POLICY_CHANGE_ALLOWED
				: POLICY_CHANGE_DENIED,
			"budgets", "in %s instead of %s", window(b->per_seconds, texts[0]),
			window(a->per_seconds, texts[1]));
}

int policy_diff(const struct policy *before, const struct policy *after,
	policy_change_callback each, void *userdata, struct failure *why)
{
	const struct differ differ = {before, after, each, userdata};
	int r;

	diff_mode(&differ);
	r = diff_addresses(&differ, why);
	if (r == 0)
		r = diff_names(&differ, why);
	if (r < 0)
		return r;
	diff_records(&differ);
	compare_inbound(&differ);
	compare_budgets(&differ);
	differ_report_amounts(&differ, "resources");
	diff_calls(&differ);
	diff_executables(&differ);
	diff_terms(&differ);
	diff_audit(&differ);
	return 0;
}
