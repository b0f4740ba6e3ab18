#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/policy/canonical.h"
#include "supervisor/policy/meet/meet.h"
#include "supervisor/policy/read/reader.h"

#define STAGE "meet of policies"
#define KIB 1024ULL
#define PIB (1ULL << 50)
#define PER_SECONDS_MAX (366 * 86400)

static const char *const names[ABI_BUDGET_COUNTERS] = {
	[ABI_BUDGET_BYTES_OUT] = "bytes_out",
	[ABI_BUDGET_BYTES_IN] = "bytes_in",
	[ABI_BUDGET_CONNECTIONS] = "connections",
	[ABI_BUDGET_DNS_QUERIES] = "dns_queries",
};

static bool is_bytes(unsigned int counter)
{
	return counter == ABI_BUDGET_BYTES_OUT || counter == ABI_BUDGET_BYTES_IN;
}

static int read_counter(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, unsigned int counter, uint64_t *ret_limit)
{
	uint32_t count;
	int r;

	/* Less than a kibibyte opens no connection. */
	if (is_bytes(counter))
		return policy_read_bytes(reader, place, value, KIB, PIB, ret_limit);
	r = policy_read_count(reader, place, value, 1, UINT32_MAX, &count);
	if (r == 0)
		*ret_limit = count;
	return r;
}

int policy_read_budgets(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *value, struct policy_budgets *ret_budgets)
{
	static const char *const keys[] = {
		"bytes_out", "bytes_in", "connections", "dns_queries", "per", "description", NULL};
	const struct policy_place place = {root, "budgets", 0}, per = {&place, "per", 0};
	const json_t *member;
	size_t n = 0;
	int r;

	if (!value)
		return 0;
	r = policy_check_section(reader, &place, value, keys);
	for (unsigned int i = 0; r == 0 && i < ABI_BUDGET_COUNTERS; i++) {
		const struct policy_place at = {&place, names[i], 0};

		member = json_object_get(value, names[i]);
		if (!member)
			continue;
		n++;
		r = read_counter(reader, &at, member, i, &ret_budgets->limits[i]);
	}
	member = json_object_get(value, "per");
	if (r < 0 || !member)
		return r;
	if (n == 0)
		return policy_fail(reader, &per, -EINVAL,
			"\"per\" says for how long a budget is; write what the budget is, such as "
			"\"connections\": 1000.");
	return policy_read_duration(
		reader, &per, member, 1, PER_SECONDS_MAX, &ret_budgets->per_seconds);
}

json_t *policy_write_budgets(const struct policy_budgets *budgets, const json_t *section)
{
	json_t *object = json_object();
	int r = object ? 0 : -1;

	for (size_t i = 0; i < ABI_BUDGET_COUNTERS; i++)
		if (budgets->limits[i])
			r |= json_object_set_new(
				object, names[i], json_integer((json_int_t)budgets->limits[i]));
	if (budgets->per_seconds)
		r |= json_object_set_new(
			object, "per", json_sprintf("%us", (unsigned int)budgets->per_seconds));
	r |= policy_write_description(object, section);
	if (r < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

int meet_budgets(struct meeting *meeting)
{
	const struct policy *a = meeting->bound, *b = meeting->request;
	struct policy_budgets *both = &meeting->policy->budgets;

	if (policy_has_budgets(a) && policy_has_budgets(b) &&
		a->budgets.per_seconds != b->budgets.per_seconds)
		return failure_set(meeting->why, -EINVAL, STAGE,
			"The budgets of \"%s\" and \"%s\" are for different times; give both the "
			"same \"per\".",
			a->name, b->name);
	*both = policy_has_budgets(a) ? a->budgets : b->budgets;
	for (size_t i = 0; i < ABI_BUDGET_COUNTERS; i++) {
		uint64_t other = b->budgets.limits[i];

		if (other && (!both->limits[i] || other < both->limits[i]))
			both->limits[i] = other;
	}
	return 0;
}
