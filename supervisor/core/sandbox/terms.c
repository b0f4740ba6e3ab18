#include "supervisor/core/sandbox/terms.h"

#include <string.h>

#include "supervisor/wire/strings.h"

#define MEMORY_BYTES_MIN (16ULL << 20)
#define DISK_BYTES_MIN (1ULL << 20)
#define CPU_MILLIS_MIN 10
#define PIDS_MIN 2

static uint64_t memory_of(const struct policy *policy)
{
	return policy->limits.memory_bytes;
}

static uint64_t disk_of(const struct policy *policy)
{
	return policy->limits.disk_bytes;
}

static uint64_t cpu_of(const struct policy *policy)
{
	return policy->limits.cpu_millis;
}

static uint64_t pids_of(const struct policy *policy)
{
	return policy->limits.pids;
}

static uint64_t life_of(const struct policy *policy)
{
	uint32_t life_s = policy->lifecycle.time_to_live_s;

	return life_s ? life_s * 1000ULL : UINT64_MAX;
}

static int narrow(const struct effective *effective, policy_amount amount, uint64_t wanted,
	uint64_t least, const char *what, uint64_t *ret_value, struct refusal *why)
{
	uint64_t allowed = amount(effective->policy);
	char layer[POLICY_LAYER_SIZE];

	if (wanted == 0)
		wanted = allowed;
	else if (wanted > allowed)
		return refuse(why, WIRE_CODE_FORBIDDEN,
			"%s %llu is more than %s allows (%llu). A request can only narrow.", what,
			(unsigned long long)wanted, effective_find_layer(effective, amount, layer),
			(unsigned long long)allowed);
	else if (wanted < least)
		return refuse(why, WIRE_CODE_INVALID,
			"%s %llu is less than a sandbox needs (%llu).", what,
			(unsigned long long)wanted, (unsigned long long)least);
	*ret_value = wanted;
	return 0;
}

static int settle_limits(
	const struct effective *effective, struct wire_limits *limits, struct refusal *why)
{
	uint64_t cpu_millis = 0, pids = 0;
	int r = narrow(effective, memory_of, limits->memory_bytes, MEMORY_BYTES_MIN,
		"limits.memory", &limits->memory_bytes, why);

	if (r == 0)
		r = narrow(effective, disk_of, limits->disk_bytes, DISK_BYTES_MIN, "limits.disk",
			&limits->disk_bytes, why);
	if (r == 0)
		r = narrow(effective, cpu_of, limits->cpu_millis, CPU_MILLIS_MIN,
			"limits.cpu (thousandths)", &cpu_millis, why);
	if (r == 0)
		r = narrow(effective, pids_of, limits->pids, PIDS_MIN, "limits.pids", &pids, why);
	if (r < 0)
		return r;
	limits->cpu_millis = (uint32_t)cpu_millis;
	limits->pids = (uint32_t)pids;
	return 0;
}

static int settle_life(const struct effective *effective, uint64_t *timeout_ms, struct refusal *why)
{
	uint64_t life_ms = 0;
	int r = narrow(
		effective, life_of, *timeout_ms, 0, "timeout_seconds (in ms)", &life_ms, why);

	if (r == 0 && life_ms != UINT64_MAX)
		*timeout_ms = life_ms;
	return r;
}

/* One that is there and empty does not count: what reads it would find nothing. */
static bool is_given(const char *name, const char *env, uint32_t n_env)
{
	size_t length = strlen(name);

	for (uint32_t i = 0; i < n_env; i++) {
		const char *entry = wire_strings_next(&env);

		if (strncmp(entry, name, length) == 0 && entry[length] == '=')
			return entry[length + 1] != '\0';
	}
	return false;
}

static int check_secrets(const struct effective *effective,
	const struct wire_sandbox_create *request, const char *tail, struct refusal *why)
{
	const struct policy *policy = effective->policy;

	for (uint32_t i = 0; i < request->n_labels; i++)
		wire_strings_next(&tail);
	for (size_t i = 0; i < policy->n_secrets; i++)
		if (!is_given(policy->secrets[i], tail, request->n_env))
			return refuse(why, WIRE_CODE_INVALID,
				"The sandbox's policy \"%s\" wants the secret %s, and \"env\" has "
				"no value "
				"for it.",
				effective->name, policy->secrets[i]);
	return 0;
}

int terms_settle(const struct effective *effective, struct wire_sandbox_create *request,
	const char *tail, struct refusal *why)
{
	int r = settle_limits(effective, &request->limits, why);

	if (r == 0)
		r = settle_life(effective, &request->timeout_ms, why);
	return r < 0 ? r : check_secrets(effective, request, tail, why);
}
