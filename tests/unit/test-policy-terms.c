/* The meet of life cycles and secrets, against sets and least numbers. */
#include "tests/harness/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "supervisor/policy/policy.h"

#define ROUNDS 5000
#define NAMES_MAX 6

struct choice {
	unsigned int live, stop; /* 0: not said */
	bool secrets[NAMES_MAX];
};

static struct choice choose(unsigned int *seed)
{
	struct choice choice = {
		(unsigned int)rand_r(seed) % 4, (unsigned int)rand_r(seed) % 4, {0}};

	for (size_t i = 0; i < NAMES_MAX; i++)
		choice.secrets[i] = rand_r(seed) % 2;
	return choice;
}

static struct policy *make(const struct choice *choice)
{
	struct policy *policy = NULL;
	struct failure why = {0};
	char text[512] = "{\"version\":1,\"name\":\"x\",\"lifecycle\":{\"description\":\"d\"";

	if (choice->live)
		sprintf(text + strlen(text), ",\"time_to_live\":\"%us\"", choice->live);
	if (choice->stop)
		sprintf(text + strlen(text), ",\"auto_stop\":\"%um\"", choice->stop);
	strcat(text, "},\"secrets\":[");
	for (size_t i = 0, n = 0; i < NAMES_MAX; i++)
		if (choice->secrets[i])
			sprintf(text + strlen(text), "%s\"S%zu\"", n++ ? "," : "", i);
	strcat(text, "]}");
	if (policy_parse(text, strlen(text), "x", NULL, &policy, &why) < 0)
		CHECK_FAIL("%s: %s", text, why.sentence);
	return policy;
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a == 0 ? b : b == 0 ? a : a < b ? a : b;
}

TEST(meet_of_life_cycles_and_secrets_narrows)
{
	unsigned int seed = 6;

	for (int round = 0; round < ROUNDS; round++) {
		const struct choice left = choose(&seed), right = choose(&seed);
		struct policy *a = make(&left), *b = make(&right), *both = NULL, *reverse = NULL;
		size_t n = 0;

		CHECK_INT(policy_meet(a, b, &both, NULL), 0);
		CHECK_INT(policy_meet(b, a, &reverse, NULL), 0);
		CHECK_TEXT(both->hash, reverse->hash);
		CHECK_INT(both->lifecycle.time_to_live_s, least(left.live, right.live));
		CHECK_INT(both->lifecycle.auto_stop_s, least(left.stop, right.stop) * 60);
		for (size_t i = 0; i < NAMES_MAX; i++) {
			char name[8];

			sprintf(name, "S%zu", i);
			CHECK(policy_wants_secret(both, name) ==
				(left.secrets[i] || right.secrets[i]));
			n += left.secrets[i] || right.secrets[i];
		}
		CHECK_INT(both->n_secrets, n);
		policy_unref(reverse);
		policy_unref(both);
		policy_unref(b);
		policy_unref(a);
	}
}
