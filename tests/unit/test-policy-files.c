/* The meet of files, against what each path means by itself. */
#include "tests/harness/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "supervisor/policy/policy.h"

#define ROUNDS 20000

/* A small tree; names that begin alike and are not in one another, too. */
static const char *const tree[] = {
	"/", "/a", "/a/b", "/a/b/c", "/a-b", "/ab", "/a/bc", "/d", "/d/e"};
#define N ARRAY_SIZE(tree)

enum { NOT_SAID = 3 };

struct choice {
	int said[N]; /* enum policy_access, or NOT_SAID */
};

static bool lies_in(size_t inner, size_t outer)
{
	size_t length = outer == 0 ? 0 : strlen(tree[outer]);

	return strncmp(tree[inner], tree[outer], length) == 0 &&
	       (outer == 0 || tree[inner][length] == '/' || tree[inner][length] == '\0');
}

/* The longest that is said around it: the words of the page, naively. */
static int access_of(const struct choice *choice, size_t path)
{
	int access = POLICY_ACCESS_WRITABLE;
	size_t longest = 0;

	for (size_t i = 0; i < N; i++)
		if (choice->said[i] != NOT_SAID && lies_in(path, i) && strlen(tree[i]) >= longest) {
			access = choice->said[i];
			longest = strlen(tree[i]);
		}
	return access;
}

static struct policy *try_make(const struct choice *choice)
{
	static const char *const words[] = {"hidden", "read_only", "writable"};
	struct policy *policy = NULL;
	char text[512] = "{\"version\":1,\"name\":\"x\",\"files\":{\"description\":\"d\"";

	for (int access = 0; access < NOT_SAID; access++) {
		size_t n = 0;

		sprintf(text + strlen(text), ",\"%s\":[", words[access]);
		for (size_t i = 0; i < N; i++)
			if (choice->said[i] == access)
				sprintf(text + strlen(text), "%s\"%s\"", n++ ? "," : "", tree[i]);
		strcat(text, "]");
	}
	strcat(text, "}}");
	policy_parse(text, strlen(text), "x", NULL, &policy, NULL);
	return policy;
}

/* Some choices make no sense and are refused; another one then. */
static struct policy *make(struct choice *choice, unsigned int *seed)
{
	struct policy *policy;

	do {
		for (size_t i = 0; i < N; i++)
			choice->said[i] = rand_r(seed) % 3 ? NOT_SAID : rand_r(seed) % NOT_SAID;
		policy = try_make(choice);
	} while (!policy);
	return policy;
}

TEST(meet_of_files_is_the_narrower_at_each_path)
{
	unsigned int seed = 8;
	size_t n_met = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct choice left, right;
		struct policy *a = make(&left, &seed), *b = make(&right, &seed);
		struct policy *both = NULL, *reverse = NULL;

		CHECK_INT(policy_meet(a, b, &both, NULL), 0);
		CHECK_INT(policy_meet(b, a, &reverse, NULL), 0);
		CHECK_TEXT(both->hash, reverse->hash);
		for (size_t i = 0; i < N; i++) {
			int one = access_of(&left, i), other = access_of(&right, i);

			CHECK_INT(policy_access_at(a, tree[i]), one);
			if ((int)policy_access_at(both, tree[i]) != (one < other ? one : other))
				CHECK_FAIL("%s under\n%s\n%s\n%s", tree[i], a->canonical,
					b->canonical, both->canonical);
		}
		/* What is around a path comes before it, so it can be mounted in this order. */
		for (size_t i = 1; i < both->n_paths; i++)
			CHECK(strcmp(both->paths[i - 1].path, both->paths[i].path) < 0);
		n_met += both->n_paths;
		policy_unref(reverse);
		policy_unref(both);
		policy_unref(b);
		policy_unref(a);
	}
	CHECK(n_met > ROUNDS);
}

static struct policy *parse(const char *rest)
{
	struct policy *policy = NULL;
	struct failure why = {0};
	char text[512];

	snprintf(text, sizeof(text), "{\"version\":1,\"name\":\"x\"%s}", rest);
	if (policy_parse(text, strlen(text), "x", NULL, &policy, &why) < 0)
		CHECK_FAIL("%s", why.sentence);
	return policy;
}

TEST(meet_of_devices_has_those_of_both)
{
	struct policy *a = parse(",\"devices\":[\"null\",\"tty\"]");
	struct policy *b = parse(",\"devices\":[\"tty\",\"zero\"]"), *all = parse("");
	struct policy *both = NULL, *with_all = NULL;

	CHECK_INT(policy_meet(a, b, &both, NULL), 0);
	CHECK_INT(both->devices, 1 << POLICY_DEVICE_TTY);
	CHECK_INT(policy_meet(all, a, &with_all, NULL), 0);
	CHECK_INT(with_all->devices, 1 << POLICY_DEVICE_TTY | 1 << POLICY_DEVICE_NULL);
	policy_unref(with_all);
	policy_unref(both);
	policy_unref(all);
	policy_unref(b);
	policy_unref(a);
}

TEST(best_effort_holds_when_both_who_name_paths_say_so)
{
	static const struct {
		const char *a, *b;
		bool expected;
	} rows[] = {
		{",\"files\":{\"hidden\":[\"/x\"],\"best_effort\":true}", "", true},
		{",\"files\":{\"hidden\":[\"/x\"]}", "", false},
		{",\"files\":{\"hidden\":[\"/x\"],\"best_effort\":true}",
			",\"files\":{\"hidden\":[\"/y\"]}", false},
		{",\"files\":{\"hidden\":[\"/x\"],\"best_effort\":true}",
			",\"files\":{\"hidden\":[\"/y\"],\"best_effort\":true}", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy *a = parse(rows[i].a), *b = parse(rows[i].b), *both = NULL;

		CHECK_INT(policy_meet(a, b, &both, NULL), 0);
		CHECK(both->paths_best_effort == rows[i].expected);
		policy_unref(both);
		policy_unref(b);
		policy_unref(a);
	}
}
