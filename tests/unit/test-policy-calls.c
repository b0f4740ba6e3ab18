/* The meet of system calls, against what it is meant to be: a set of calls that both allow. */
#include "tests/harness/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "supervisor/policy/policy.h"

#define ROUNDS 20000

static const struct {
	const char *name;
	enum policy_call_level level;
} universe[] = {{"a0", POLICY_CALL_STRICT}, {"a1", POLICY_CALL_STRICT}, {"b0", POLICY_CALL_DEFAULT},
	{"b1", POLICY_CALL_DEFAULT}, {"c0", POLICY_CALL_DEBUG}, {"c1", POLICY_CALL_DEBUG},
	{"d0", POLICY_CALL_OPENABLE}, {"d1", POLICY_CALL_OPENABLE}, {"n0", POLICY_CALL_NEVER}};

static const char *const profiles[] = {"strict", "default", "debug"};

static int level_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(universe); i++)
		if (strcmp(universe[i].name, name) == 0)
			return (int)universe[i].level;
	return -ENOENT;
}

static bool name_at(unsigned int number, char ret_name[POLICY_CALL_NAME_SIZE])
{
	if (number >= ARRAY_SIZE(universe))
		return false;
	strcpy(ret_name, universe[number].name);
	return true;
}

static const struct policy_calls calls = {level_of, name_at};
static const struct policy_context context = {.calls = &calls};

struct choice {
	unsigned int profile;
	bool allowed[ARRAY_SIZE(universe)], denied[ARRAY_SIZE(universe)];
};

/* What the words of a policy mean, without a policy. */
static bool permits(const struct choice *choice, size_t i)
{
	return (universe[i].level <= choice->profile || choice->allowed[i]) && !choice->denied[i];
}

static struct choice choose(unsigned int *seed)
{
	struct choice choice = {.profile = (unsigned int)rand_r(seed) % 3};

	for (size_t i = 0; i < ARRAY_SIZE(universe); i++) {
		int dice = rand_r(seed) % 4;

		choice.allowed[i] = dice == 0 && universe[i].level != POLICY_CALL_NEVER;
		choice.denied[i] = dice == 1;
	}
	return choice;
}

static void write_list(char *text, const char *key, const bool *chosen)
{
	const char *between = "";

	sprintf(text + strlen(text), ",\"%s\":[", key);
	for (size_t i = 0; i < ARRAY_SIZE(universe); i++)
		if (chosen[i]) {
			sprintf(text + strlen(text), "%s\"%s\"", between, universe[i].name);
			between = ",";
		}
	strcat(text, "]");
}

static struct policy *make(const struct choice *choice)
{
	struct policy *policy = NULL;
	struct failure why = {0};
	char text[512];

	sprintf(text, "{\"version\":1,\"name\":\"x\",\"syscalls\":{\"profile\":\"%s\"",
		profiles[choice->profile]);
	write_list(text, "allow", choice->allowed);
	write_list(text, "deny", choice->denied);
	strcat(text, "}}");
	if (policy_parse(text, strlen(text), "x", &context, &policy, &why) < 0)
		CHECK_FAIL("%s: %s", text, why.sentence);
	return policy;
}

/* What the model says, as confine reads it. */
static bool policy_permits(const struct policy *policy, size_t i)
{
	bool allowed = universe[i].level <= policy->profile;

	for (size_t j = 0; j < policy->n_syscalls_allowed; j++)
		allowed |= strcmp(policy->syscalls_allowed[j].name, universe[i].name) == 0;
	for (size_t j = 0; j < policy->n_syscalls_denied; j++)
		if (strcmp(policy->syscalls_denied[j], universe[i].name) == 0)
			return false;
	return allowed;
}

static struct policy *meet(const struct policy *bound, const struct policy *request)
{
	struct policy *both = NULL;
	struct failure why = {0};

	if (policy_meet(bound, request, &both, &why) < 0)
		CHECK_FAIL("%s", why.sentence);
	return both;
}

TEST(meet_allows_the_calls_that_both_allow)
{
	unsigned int seed = 4;

	for (int round = 0; round < ROUNDS; round++) {
		const struct choice left = choose(&seed), right = choose(&seed);
		struct policy *a = make(&left), *b = make(&right), *both = meet(a, b);
		struct policy *reverse = meet(b, a), *again = meet(a, both);

		for (size_t i = 0; i < ARRAY_SIZE(universe); i++) {
			bool wanted = permits(&left, i) && permits(&right, i);

			if (policy_permits(both, i) != wanted)
				CHECK_FAIL("round %d: %s of\n%s and\n%s", round, universe[i].name,
					a->canonical, b->canonical);
			CHECK(policy_permits(reverse, i) == wanted);
			CHECK(policy_permits(again, i) == wanted);
		}
		CHECK_TEXT(both->hash, reverse->hash);
		CHECK_TEXT(both->hash, again->hash);
		policy_unref(again);
		policy_unref(reverse);
		policy_unref(both);
		policy_unref(b);
		policy_unref(a);
	}
}

TEST(a_request_cannot_open_what_the_bound_closes)
{
	const struct choice bound = {.profile = POLICY_CALL_DEFAULT};
	const struct choice request = {.profile = POLICY_CALL_DEBUG, .allowed = {[6] = true}};
	const struct choice wide = {
		.profile = POLICY_CALL_DEBUG, .allowed = {[6] = true, [7] = true}};
	struct policy *a = make(&bound), *b = make(&request), *c = make(&wide);
	struct policy *narrow = meet(a, b), *twin = meet(c, b);

	CHECK_INT(narrow->profile, POLICY_CALL_DEFAULT);
	CHECK_INT(narrow->n_syscalls_allowed, 0);
	CHECK_INT(twin->profile, POLICY_CALL_DEBUG);
	CHECK_INT(twin->n_syscalls_allowed, 1);
	CHECK_TEXT(twin->syscalls_allowed[0].name, "d0");
	policy_unref(twin);
	policy_unref(narrow);
	policy_unref(c);
	policy_unref(b);
	policy_unref(a);
}
