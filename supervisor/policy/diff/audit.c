/* What is recorded of system calls, and what follows a loss. */
#include <string.h>

#include "supervisor/policy/diff/differ.h"

static bool records(const struct policy_audit *audit, const char *name)
{
	for (size_t i = 0; i < audit->n_calls; i++)
		if (strcmp(audit->calls[i].name, name) == 0)
			return true;
	return false;
}

static void compare_calls(const struct differ *differ, const struct policy_audit *a,
	const struct policy_audit *b, const char *what)
{
	for (size_t i = 0; i < a->n_calls; i++)
		if (!records(b, a->calls[i].name))
			differ_report(differ, POLICY_CHANGE_OTHER, "audit", "%s %s", what,
				a->calls[i].name);
}

void diff_audit(const struct differ *differ)
{
	static const char *const losses[] = {[POLICY_ON_LOSS_LOG] = "log",
		[POLICY_ON_LOSS_FREEZE] = "freeze",
		[POLICY_ON_LOSS_KILL] = "kill"};
	const struct policy_audit *a = &differ->before->audit, *b = &differ->after->audit;

	if (a->defaults != b->defaults)
		differ_report(differ, POLICY_CHANGE_OTHER, "audit", "%s the default system calls",
			b->defaults ? "records" : "does not record");
	compare_calls(differ, a, b, "does not record");
	compare_calls(differ, b, a, "records");
	if (a->on_loss != b->on_loss)
		differ_report(differ, POLICY_CHANGE_OTHER, "audit", "on_loss: %s instead of %s",
			losses[b->on_loss], losses[a->on_loss]);
	if (a->rate != b->rate)
		differ_report(differ, POLICY_CHANGE_OTHER, "audit", "rate: %u instead of %u",
			b->rate, a->rate);
}
