#include "api/v1/budgets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/text/json.h"

static const char *const names[WIRE_BUDGETS] = {
	"bytes_out", "bytes_in", "connections", "dns_queries"};

static bool is_bytes(size_t budget)
{
	return budget < 2;
}

/* Null without any: not an object that says nothing. */
void budgets_write(struct writer *writer, const struct wire_budget budgets[WIRE_BUDGETS],
	uint64_t window_seconds)
{
	bool any = false;

	for (size_t i = 0; i < WIRE_BUDGETS; i++)
		any = any || budgets[i].limit;
	if (!any) {
		json_write_null(writer, "budgets");
		return;
	}
	json_write_name(writer, "budgets");
	json_write_open(writer, '{');
	for (size_t i = 0; i < WIRE_BUDGETS; i++) {
		if (!budgets[i].limit)
			continue;
		json_write_name(writer, names[i]);
		json_write_open(writer, '{');
		json_write_number(writer, "limit", budgets[i].limit);
		json_write_number(writer, "used", budgets[i].used);
		json_write_close(writer, '}');
	}
	if (window_seconds)
		json_write_number(writer, "per_seconds", window_seconds);
	json_write_close(writer, '}');
}

/* "90s", "15m", "1h", "7d": as policies have it. */
static bool parse_duration(const char *text, uint32_t *ret_seconds)
{
	static const struct {
		char unit;
		unsigned long seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	unsigned long number;
	char *end;

	if (text[0] < '1' || text[0] > '9')
		return false;
	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno || end[0] == '\0' || end[1] != '\0')
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (end[0] != units[i].unit)
			continue;
		if (number > WIRE_BUDGET_SECONDS_MAX / units[i].seconds)
			return false;
		*ret_seconds = (uint32_t)(number * units[i].seconds);
		return true;
	}
	return false;
}

static bool read_limit(struct fields *fields, size_t budget, uint64_t *ret_limit)
{
	if (!is_bytes(budget))
		return fields_integer(fields, names[budget], 1, WIRE_BUDGET_COUNT_MAX, ret_limit);
	if (!fields_bytes(fields, names[budget], ret_limit))
		return false;
	if (*ret_limit >= WIRE_BUDGET_BYTES_MIN)
		return true;
	fields_refuse(fields, names[budget], "must be 1KiB or more");
	return false;
}

bool budgets_read(struct fields *fields, struct wire_budget_limits *ret_budgets)
{
	const json_t *member = fields_get(fields, "budgets");
	struct wire_budget_limits budgets = {.is_given = 1};
	struct fields inner;
	const char *per;
	size_t size;
	bool any = false;

	if (!member)
		return false;
	fields_begin(&inner, json_is_null(member) ? NULL : member, "/budgets", fields->error);
	for (size_t i = 0; i < WIRE_BUDGETS; i++)
		any = read_limit(&inner, i, &budgets.limits[i]) || any;
	if (fields_string(&inner, "per", &per, &size)) {
		if (!any)
			fields_refuse(
				&inner, "per", "says for how long a budget is, and there is none");
		else if (strlen(per) != size || !parse_duration(per, &budgets.per_seconds))
			fields_refuse(&inner, "per",
				"must be a time such as \"90s\", \"15m\", \"1h\" or \"7d\", a year "
				"at "
				"most");
	}
	if (!fields_end(&inner))
		return false;
	*ret_budgets = budgets;
	return true;
}
