/* A call's name is looked up once, here; its level goes into the model, so that a meet needs no
 * list of calls. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/policy/calls/rules.h"
#include "supervisor/policy/canonical.h"
#include "supervisor/policy/read/reader.h"

#define STAGE "read policy"
#define NUMBERS_MAX 1024

static const char *const profiles[] = {[POLICY_CALL_STRICT] = "strict",
	[POLICY_CALL_DEFAULT] = "default",
	[POLICY_CALL_DEBUG] = "debug"};

struct call_names {
	char names[NUMBERS_MAX][POLICY_CALL_NAME_SIZE];
	const char *words[NUMBERS_MAX + 1];
};

static int refuse_unknown(
	const struct policy_reader *reader, const struct policy_place *place, const char *name)
{
	_cleanup_free_ struct call_names *all = calloc(1, sizeof(*all));
	const char *nearest = NULL;
	char brief[POLICY_SHORT_SIZE];
	size_t n = 0;

	policy_shorten(name, brief);
	for (unsigned int i = 0; reader->calls && all && i < NUMBERS_MAX; i++)
		if (reader->calls->name_at(i, all->names[n])) {
			all->words[n] = all->names[n];
			n++;
		}
	if (n > 0)
		nearest = policy_nearest(name, all->words);
	if (nearest)
		return policy_fail(reader, place, -EINVAL,
			"There is no system call \"%s\"; did you mean \"%s\"?", brief, nearest);
	return policy_fail(reader, place, -EINVAL,
		"There is no system call \"%s\"; see syscalls(2) for their names.", brief);
}

int policy_read_call(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, struct policy_call *ret_call)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	const char *name = json_string_value(value);
	int level = POLICY_CALL_OPENABLE;

	if (!name)
		return policy_fail(reader, place, -EINVAL,
			"A system call is given by its name, such as \"execveat\".");
	if (name[0] == '\0' || strlen(name) >= POLICY_CALL_NAME_SIZE ||
		strspn(name, letters) != strlen(name))
		return refuse_unknown(reader, place, name);
	if (reader->calls)
		level = reader->calls->level(name);
	if (level < 0)
		return refuse_unknown(reader, place, name);
	strcpy(ret_call->name, name);
	ret_call->level = (uint8_t)level;
	return 0;
}

static int compare_calls(const void *a, const void *b)
{
	return strcmp(((const struct policy_call *)a)->name, ((const struct policy_call *)b)->name);
}

/* Whether the call at `at` is also before it. */
static int check_twice(const struct policy_reader *reader, const struct policy_place *at,
	const struct policy_call *calls, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		const struct policy_place first = {at->outer, NULL, j};
		char text[POLICY_SPOT_SIZE];

		if (calls[i].name[0] && strcmp(calls[j].name, calls[i].name) == 0)
			return policy_fail(reader, at, -EINVAL,
				"\"%s\" is in this list twice; it is first at %s. Take one away.",
				calls[i].name, policy_describe_place(reader, &first, text));
	}
	return 0;
}

/* What a list is for: what it says of objects, and whom their rules are given to (NULL: nobody). */
struct purpose {
	const char *refusal;
	struct policy *policy;
};

static const struct purpose to_allow = {
	"Rules for arguments deny. Allow the call by its name, and write under \"deny\" with which "
	"arguments it is denied.",
	NULL};
static const struct purpose to_record = {
	"A call is recorded whatever its arguments are. Write its name.", NULL};

static int read_rule(const struct policy_reader *reader, const struct policy_place *at,
	const json_t *object, const struct purpose *purpose)
{
	struct policy *policy = purpose->policy;
	int r;

	if (!policy)
		return policy_fail(reader, at, -EINVAL, "%s", purpose->refusal);
	if (policy->n_call_rules == POLICY_CALL_RULES_MAX)
		return policy_fail(reader, at, -E2BIG, "A policy may have %d rules for arguments.",
			POLICY_CALL_RULES_MAX);
	if (!policy->call_rules)
		policy->call_rules = calloc(POLICY_CALL_RULES_MAX, sizeof(*policy->call_rules));
	if (!policy->call_rules)
		return failure_set(reader->why, -ENOMEM, STAGE, "There is no memory left.");
	r = call_rule_read(reader, at, object, &policy->call_rules[policy->n_call_rules]);
	if (r == 0)
		policy->call_rules[policy->n_call_rules++].id = (uint16_t)at->index;
	return r;
}

/* In the order of the list; those that are rules have no name. */
static int read_list(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *list, const struct purpose *purpose, struct policy_call **ret_calls,
	size_t *ret_n)
{
	size_t n = json_array_size(list);
	struct policy_call *calls;

	if (!json_is_array(list))
		return policy_fail(
			reader, place, -EINVAL, "This must be a list of names of system calls.");
	if (n > POLICY_SYSCALLS_MAX)
		return policy_fail(reader, place, -E2BIG,
			"The list has %zu system calls, and %d are allowed.", n,
			POLICY_SYSCALLS_MAX);
	calls = calloc(n ? n : 1, sizeof(*calls));
	if (!calls)
		return failure_set(reader->why, -ENOMEM, STAGE, "There is no memory left.");
	*ret_calls = calls;
	*ret_n = n;
	for (size_t i = 0; i < n; i++) {
		const struct policy_place at = {place, NULL, i};
		const json_t *value = json_array_get(list, i);
		int r = json_is_object(value) ? read_rule(reader, &at, value, purpose)
					      : policy_read_call(reader, &at, value, &calls[i]);

		if (r == 0)
			r = check_twice(reader, &at, calls, i);
		if (r < 0)
			return r;
	}
	return 0;
}

static int keep_denied(const struct policy_reader *reader, struct policy *policy,
	struct policy_call *calls, size_t n)
{
	policy->syscalls_denied = calloc(n ? n : 1, sizeof(*policy->syscalls_denied));
	if (!policy->syscalls_denied)
		return failure_set(reader->why, -ENOMEM, STAGE, "There is no memory left.");
	qsort(calls, n, sizeof(*calls), compare_calls);
	for (size_t i = 0; i < n; i++)
		if (calls[i].name[0])
			strcpy(policy->syscalls_denied[policy->n_syscalls_denied++], calls[i].name);
	return 0;
}

static int read_denied(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *list, struct policy *policy)
{
	const struct purpose purpose = {.policy = policy};
	_cleanup_free_ struct policy_call *calls = NULL;
	size_t n = 0;
	int r = read_list(reader, place, list, &purpose, &calls, &n);

	return r < 0 ? r : keep_denied(reader, policy, calls, n);
}

/* `deny` is the list that was read already, for its places. */
static int check_allowed(const struct policy_reader *reader, const struct policy_place *at,
	const struct policy_call *call, const json_t *deny)
{
	const struct policy_place other = {at->outer->outer, "deny", 0};
	char text[POLICY_SPOT_SIZE];
	json_t *each;
	size_t i;

	if (call->level == POLICY_CALL_NEVER)
		return policy_fail(reader, at, -EINVAL,
			"\"%s\" is never allowed in a sandbox; policies/README.md has the list of "
			"those that can be, and why.",
			call->name);
	json_array_foreach((json_t *)deny, i, each)
	{
		const struct policy_place first = {&other, NULL, i};

		if (json_is_string(each) && strcmp(json_string_value(each), call->name) == 0)
			return policy_fail(reader, at, -EINVAL,
				"\"%s\" is denied too, at %s. Take one away.", call->name,
				policy_describe_place(reader, &first, text));
	}
	return 0;
}

static int read_allowed(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *list, const json_t *deny, struct policy *policy)
{
	int r = read_list(reader, place, list, &to_allow, &policy->syscalls_allowed,
		&policy->n_syscalls_allowed);

	for (size_t i = 0; r == 0 && i < policy->n_syscalls_allowed; i++) {
		const struct policy_place at = {place, NULL, i};

		r = check_allowed(reader, &at, &policy->syscalls_allowed[i], deny);
	}
	if (r == 0)
		qsort(policy->syscalls_allowed, policy->n_syscalls_allowed,
			sizeof(*policy->syscalls_allowed), compare_calls);
	return r;
}

int policy_read_calls(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *list, struct policy_call **ret_calls, size_t *ret_n)
{
	int r = read_list(reader, place, list, &to_record, ret_calls, ret_n);

	if (r == 0)
		qsort(*ret_calls, *ret_n, sizeof(**ret_calls), compare_calls);
	return r;
}

static int read_profile(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, enum policy_call_level *ret_profile)
{
	const char *name = json_string_value(value);

	for (size_t i = 0; name && i < ARRAY_SIZE(profiles); i++) {
		if (strcmp(name, profiles[i]) != 0)
			continue;
		*ret_profile = (enum policy_call_level)i;
		return 0;
	}
	return policy_fail(
		reader, place, -EINVAL, "A profile is \"strict\", \"default\" or \"debug\".");
}

int policy_read_syscalls(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *syscalls, struct policy *policy)
{
	static const char *const keys[] = {"profile", "deny", "allow", "description", NULL};
	const struct policy_place place = {root, "syscalls", 0}, deny = {&place, "deny", 0},
				  allow = {&place, "allow", 0}, profile = {&place, "profile", 0};
	const json_t *denied, *member;
	int r;

	policy->profile = POLICY_CALL_DEFAULT;
	if (!syscalls)
		return 0;
	r = policy_check_section(reader, &place, syscalls, keys);
	member = json_object_get(syscalls, "profile");
	if (r == 0 && member)
		r = read_profile(reader, &profile, member, &policy->profile);
	denied = json_object_get(syscalls, "deny");
	if (r == 0 && denied)
		r = read_denied(reader, &deny, denied, policy);
	member = json_object_get(syscalls, "allow");
	if (r == 0 && member)
		r = read_allowed(reader, &allow, member, denied, policy);
	return r < 0 ? r : call_rules_check(reader, &deny, denied, policy);
}

json_t *policy_write_syscalls(const struct policy *policy, const json_t *section)
{
	const json_t *list = json_object_get(section, "deny");
	json_t *syscalls = json_object(), *denied = json_array(), *allowed = json_array();
	int r = json_object_set_new(syscalls, "deny", denied);

	for (size_t i = 0; r == 0 && i < policy->n_syscalls_denied; i++)
		r = json_array_append_new(denied, json_string(policy->syscalls_denied[i]));
	for (size_t i = 0; r == 0 && i < policy->n_call_rules; i++)
		r = json_array_append_new(
			denied, call_rule_write(&policy->call_rules[i],
					json_array_get(list, policy->call_rules[i].id)));
	for (size_t i = 0; r == 0 && i < policy->n_syscalls_allowed; i++)
		r = json_array_append_new(allowed, json_string(policy->syscalls_allowed[i].name));
	if (r == 0 && policy->profile != POLICY_CALL_DEFAULT)
		r = json_object_set_new(
			syscalls, "profile", json_string(profiles[policy->profile]));
	if (r == 0 && policy->n_syscalls_allowed > 0)
		r = json_object_set(syscalls, "allow", allowed);
	if (!allowed)
		r = -1;
	json_decref(allowed);
	if (r < 0) {
		json_decref(syscalls);
		return NULL;
	}
	return syscalls;
}
