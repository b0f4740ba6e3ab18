#include <string.h>

#include "supervisor/policy/diff/differ.h"

static bool names_path(const struct policy *policy, const char *path)
{
	for (size_t i = 0; i < policy->n_paths; i++)
		if (strcmp(policy->paths[i].path, path) == 0)
			return true;
	return false;
}

static void compare_path(const struct differ *differ, const char *path)
{
	static const char *const words[] = {"hidden", "read-only", "writable"};
	enum policy_access before = policy_access_at(differ->before, path);
	enum policy_access after = policy_access_at(differ->after, path);

	if (before != after)
		differ_report(differ, before < after ? POLICY_CHANGE_ALLOWED : POLICY_CHANGE_DENIED,
			"files", "%.200s %s instead of %s", path, words[after], words[before]);
}

static void compare_files(const struct differ *differ)
{
	const struct policy *a = differ->before, *b = differ->after;

	for (size_t i = 0; i < a->n_paths; i++)
		compare_path(differ, a->paths[i].path);
	for (size_t i = 0; i < b->n_paths; i++)
		if (!names_path(a, b->paths[i].path))
			compare_path(differ, b->paths[i].path);
	if (a->n_paths > 0 && b->n_paths > 0 && a->paths_best_effort != b->paths_best_effort)
		differ_report(differ,
			b->paths_best_effort ? POLICY_CHANGE_ALLOWED : POLICY_CHANGE_DENIED,
			"files", "a sandbox without some of the paths");
}

static void compare_devices(const struct differ *differ)
{
	uint32_t changed = differ->before->devices ^ differ->after->devices;

	for (size_t i = 0; i < POLICY_DEVICES; i++)
		if (changed & 1U << i)
			differ_report(differ,
				differ->after->devices & 1U << i ? POLICY_CHANGE_ALLOWED
								 : POLICY_CHANGE_DENIED,
				"devices", "%s", policy_device_names[i]);
}

/* Secrets that `a` wants and `b` does not. */
static void compare_secrets(const struct differ *differ, const struct policy *a,
	const struct policy *b, enum policy_change_kind kind)
{
	for (size_t i = 0; i < a->n_secrets; i++)
		if (!policy_wants_secret(b, a->secrets[i]))
			differ_report(
				differ, kind, "secrets", "a sandbox without %s", a->secrets[i]);
}

/* Of the two the bigger change, whatever else is another. */
void diff_mode(const struct differ *differ)
{
	if (differ->before->mode == differ->after->mode)
		return;
	if (differ->after->mode == POLICY_MODE_LEARN)
		differ_report(differ, POLICY_CHANGE_ALLOWED, "mode",
			"learn instead of enforce: ALL that the tenant's and the template's "
			"policies allow; what follows is asked for the record alone, but for "
			"amounts and secrets");
	else
		differ_report(differ, POLICY_CHANGE_DENIED, "mode",
			"enforce instead of learn: all that the policy does not allow");
}

void diff_terms(const struct differ *differ)
{
	compare_files(differ);
	compare_devices(differ);
	differ_report_amounts(differ, "lifecycle");
	compare_secrets(differ, differ->before, differ->after, POLICY_CHANGE_ALLOWED);
	compare_secrets(differ, differ->after, differ->before, POLICY_CHANGE_DENIED);
}
