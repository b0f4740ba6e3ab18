#include "supervisor/policy/diff.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/policy/differ.h"
#include "supervisor/policy/port-set.h"

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

void differ_report_amount(const struct differ *differ, const char *section, const char *what,
	uint64_t before, uint64_t after, bool zero_is_none)
{
	char texts[2][32];
	bool more = after > before;

	if (before == after)
		return;
	snprintf(texts[0], sizeof(texts[0]), "%llu", (unsigned long long)before);
	snprintf(texts[1], sizeof(texts[1]), "%llu", (unsigned long long)after);
	if (zero_is_none && (before == 0 || after == 0)) {
		more = after == 0;
		strcpy(texts[before == 0 ? 0 : 1], "no limit");
	}
	differ_report(differ, more ? POLICY_CHANGE_ALLOWED : POLICY_CHANGE_DENIED, section,
		"%s: %s instead of %s", what, texts[1], texts[0]);
}

static void compare_limits(const struct differ *differ)
{
	const struct policy_limits *a = &differ->before->limits, *b = &differ->after->limits;

	differ_report_amount(
		differ, "resources", "memory in bytes", a->memory_bytes, b->memory_bytes, false);
	differ_report_amount(
		differ, "resources", "disk in bytes", a->disk_bytes, b->disk_bytes, false);
	differ_report_amount(
		differ, "resources", "cpu in thousandths", a->cpu_millis, b->cpu_millis, false);
	differ_report_amount(differ, "resources", "pids", a->pids, b->pids, false);
	differ_report_amount(
		differ, "resources", "open_files", a->open_files, b->open_files, false);
}

/* A longer window lets less through in the same time, and more at once: it is told, and judged by
 * the rate. */
static void compare_budgets(const struct differ *differ)
{
	static const char *const names[ABI_BUDGET_COUNTERS] = {
		"bytes_out", "bytes_in", "connections", "dns_queries"};
	const struct policy_budgets *a = &differ->before->budgets, *b = &differ->after->budgets;

	for (size_t i = 0; i < ABI_BUDGET_COUNTERS; i++)
		differ_report_amount(differ, "budgets", names[i], a->limits[i], b->limits[i], true);
	if (policy_has_budgets(differ->before) && policy_has_budgets(differ->after) &&
		a->per_seconds != b->per_seconds)
		differ_report(differ,
			b->per_seconds && (!a->per_seconds || b->per_seconds < a->per_seconds)
				? POLICY_CHANGE_ALLOWED
				: POLICY_CHANGE_DENIED,
			"budgets", "in each %u s instead of %u s (0: for life)", b->per_seconds,
			a->per_seconds);
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
	compare_limits(&differ);
	diff_calls(&differ);
	diff_executables(&differ);
	diff_terms(&differ);
	diff_audit(&differ);
	return 0;
}
