#include "supervisor/policy/terms/term.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/policy/read/reader.h"

#define STAGE "read act"

enum unit {
	UNIT_BYTES,
	UNIT_COUNT,
	UNIT_CPU,
	UNIT_TIME,
};

static const struct {
	const char *section, *key;
	enum unit unit;
} terms[POLICY_TERMS] = {
	[POLICY_TERM_MEMORY] = {"resources", "memory", UNIT_BYTES},
	[POLICY_TERM_DISK] = {"resources", "disk", UNIT_BYTES},
	[POLICY_TERM_CPU] = {"resources", "cpu", UNIT_CPU},
	[POLICY_TERM_PIDS] = {"resources", "pids", UNIT_COUNT},
	[POLICY_TERM_OPEN_FILES] = {"resources", "open_files", UNIT_COUNT},
	[POLICY_TERM_BYTES_OUT] = {"budgets", "bytes_out", UNIT_BYTES},
	[POLICY_TERM_BYTES_IN] = {"budgets", "bytes_in", UNIT_BYTES},
	[POLICY_TERM_CONNECTIONS] = {"budgets", "connections", UNIT_COUNT},
	[POLICY_TERM_DNS_QUERIES] = {"budgets", "dns_queries", UNIT_COUNT},
	[POLICY_TERM_TIME_TO_LIVE] = {"lifecycle", "time_to_live", UNIT_TIME},
	[POLICY_TERM_AUTO_STOP] = {"lifecycle", "auto_stop", UNIT_TIME},
};

const char *policy_term_section(enum policy_term term)
{
	return terms[term].section;
}

const char *policy_term_key(enum policy_term term)
{
	return terms[term].key;
}

static int read_amount(
	enum unit unit, const json_t *value, uint64_t *ret_amount, struct failure *why)
{
	const struct policy_source nothing = {"", 0, "", NULL};
	const struct policy_reader reader = {&nothing, NULL, NULL, why};
	const struct policy_place place = {NULL, NULL, 0};
	uint32_t amount = 0;
	int r = -EINVAL;

	switch (unit) {
	case UNIT_BYTES:
		return policy_read_bytes(&reader, &place, value, 1, INT64_MAX, ret_amount);
	case UNIT_COUNT:
		r = policy_read_count(&reader, &place, value, 1, UINT32_MAX, &amount);
		break;
	case UNIT_CPU:
		r = policy_read_cpu(&reader, &place, value, &amount);
		break;
	case UNIT_TIME:
		r = policy_read_duration(&reader, &place, value, 1, UINT32_MAX, &amount);
		break;
	}
	if (r == 0)
		*ret_amount = amount;
	return r;
}

static int read_text(const char *text, enum unit unit, uint64_t *ret_amount, struct failure *why)
{
	bool is_number = *text && text[strspn(text, "0123456789")] == '\0' && strlen(text) < 19;
	json_t *value = is_number ? json_integer(strtoll(text, NULL, 10)) : json_string(text);
	int r = value ? read_amount(unit, value, ret_amount, why)
		      : failure_set(why, -EINVAL, STAGE, "The amount is no text.");

	json_decref(value);
	if (r < 0 && why) /* it is about no file */
		why->location[0] = '\0';
	return r;
}

int policy_term_parse(
	const char *text, enum policy_term *ret_term, uint64_t *ret_amount, struct failure *why)
{
	size_t length = strcspn(text, " ");
	const char *amount = text + length + strspn(text + length, " ");

	for (size_t i = 0; i < POLICY_TERMS; i++) {
		if (strlen(terms[i].key) != length || strncmp(terms[i].key, text, length) != 0)
			continue;
		*ret_term = (enum policy_term)i;
		return read_text(amount, terms[i].unit, ret_amount, why);
	}
	return failure_set(why, -EINVAL, STAGE,
		"What is used is a key of resources, budgets or lifecycle and how much of it. "
		"Write, "
		"for example, \"use memory 512MiB\".");
}

const char *policy_term_format(
	enum policy_term term, uint64_t amount, char ret_text[POLICY_TERM_TEXT_SIZE])
{
	switch (terms[term].unit) {
	case UNIT_BYTES:
		return policy_format_size(amount, ret_text);
	case UNIT_TIME:
		return policy_format_duration((uint32_t)amount, ret_text);
	case UNIT_CPU:
		snprintf(ret_text, POLICY_TERM_TEXT_SIZE, "%.7g", (double)amount / 1000);
		break;
	case UNIT_COUNT:
		snprintf(ret_text, POLICY_TERM_TEXT_SIZE, "%llu", (unsigned long long)amount);
		break;
	}
	return ret_text;
}

uint64_t policy_term_limit(const struct policy *policy, enum policy_term term)
{
	switch (term) {
	case POLICY_TERM_MEMORY:
		return policy->limits.memory_bytes;
	case POLICY_TERM_DISK:
		return policy->limits.disk_bytes;
	case POLICY_TERM_CPU:
		return policy->limits.cpu_millis;
	case POLICY_TERM_PIDS:
		return policy->limits.pids;
	case POLICY_TERM_OPEN_FILES:
		return policy->limits.open_files;
	case POLICY_TERM_BYTES_OUT:
		return policy->budgets.limits[ABI_BUDGET_BYTES_OUT];
	case POLICY_TERM_BYTES_IN:
		return policy->budgets.limits[ABI_BUDGET_BYTES_IN];
	case POLICY_TERM_CONNECTIONS:
		return policy->budgets.limits[ABI_BUDGET_CONNECTIONS];
	case POLICY_TERM_DNS_QUERIES:
		return policy->budgets.limits[ABI_BUDGET_DNS_QUERIES];
	case POLICY_TERM_TIME_TO_LIVE:
		return policy->lifecycle.time_to_live_s;
	case POLICY_TERM_AUTO_STOP:
		return policy->lifecycle.auto_stop_s;
	case POLICY_TERMS:
		break;
	}
	return 0;
}
