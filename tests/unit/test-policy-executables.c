/* The meet of executables, against what each list means by itself, and acts that are judged by it.
 */
#include "tests/harness/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "supervisor/policy/acts/trial.h"
#include "supervisor/policy/policy.h"

#define ROUNDS 5000

/* A small tree; names that begin alike and are not in one another, too. */
static const char *const tree[] = {
	"/a", "/a/b", "/a/b/c", "/a-b", "/ab", "/a/bc", "/d", "/d/e", "/d/e/f"};
#define N ARRAY_SIZE(tree)

static const char *const contents[] = {"",
	"1111111111111111111111111111111111111111111111111111111111111111",
	"2222222222222222222222222222222222222222222222222222222222222222"};

struct choice {
	bool limited, effort, named; /* its libraries are named */
	bool program[N], library[N];
	size_t content[N]; /* in `contents`; 0: any */
};

static bool lies_in(size_t inner, size_t outer)
{
	size_t length = strlen(tree[outer]);

	return strncmp(tree[inner], tree[outer], length) == 0 &&
	       (tree[inner][length] == '/' || tree[inner][length] == '\0');
}

/* No list may have what lies in another entry of it. */
static void thin(bool list[N])
{
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < N; j++)
			if (i != j && list[j] && lies_in(i, j))
				list[i] = false;
}

static struct choice choose(unsigned int *seed)
{
	struct choice choice = {.limited = rand_r(seed) % 5 != 0,
		.effort = rand_r(seed) % 2,
		.named = rand_r(seed) % 4 != 0};

	for (size_t i = 0; i < N; i++) {
		choice.program[i] = rand_r(seed) % 3 == 0;
		choice.library[i] = rand_r(seed) % 3 == 0;
		choice.content[i] = (size_t)rand_r(seed) % ARRAY_SIZE(contents);
	}
	thin(choice.program);
	thin(choice.library);
	return choice;
}

static struct policy *parse(const char *text)
{
	struct policy *policy = NULL;
	struct failure why = {0};

	if (policy_parse(text, strlen(text), "x", NULL, &policy, &why) < 0)
		CHECK_FAIL("%s: %s", text, why.sentence);
	return policy;
}

static struct policy *make(const struct choice *choice)
{
	char text[4096] = "{\"version\":1,\"name\":\"x\"";
	size_t n = 0;

	if (!choice->limited)
		return parse("{\"version\":1,\"name\":\"x\"}");
	strcat(text, ",\"executables\":{\"allow\":[");
	for (size_t i = 0; i < N; i++)
		if (choice->program[i])
			sprintf(text + strlen(text),
				choice->content[i] ? "%s{\"path\":\"%s\",\"sha256\":\"%s\"}"
						   : "%s\"%s%s\"",
				n++ ? "," : "", tree[i], contents[choice->content[i]]);
	strcat(text, choice->effort ? "],\"best_effort\":true" : "]");
	if (choice->named) {
		strcat(text, ",\"libraries\":[");
		n = 0;
		for (size_t i = 0; i < N; i++)
			if (choice->library[i])
				sprintf(text + strlen(text), "%s\"%s\"", n++ ? "," : "", tree[i]);
		strcat(text, "]");
	}
	strcat(text, "}}");
	return parse(text);
}

/* Whether a file of this content may be executed there: the words of the page, naively. */
static bool may(const struct choice *choice, size_t path, size_t content)
{
	for (size_t i = 0; i < N; i++)
		if (choice->program[i] &&
			(choice->content[i] == 0 ? lies_in(path, i)
						 : i == path && choice->content[i] == content))
			return true;
	return !choice->limited;
}

static bool may_map(const struct choice *choice, size_t path)
{
	for (size_t i = 0; choice->named && i < N; i++)
		if (choice->library[i] && lies_in(path, i))
			return true;
	return !choice->limited;
}

static bool met_may(const struct policy *policy, const char *path, const char *content)
{
	const struct policy_program *program = policy_program_at(policy, path);

	if (!policy->executables.limited || !program)
		return !policy->executables.limited;
	return !program->sha256[0] ||
	       (strcmp(program->path, path) == 0 && strcmp(program->sha256, content) == 0);
}

static bool met_may_map(const struct policy *policy, const char *path)
{
	for (size_t i = 0; i < policy->executables.n_libraries; i++)
		if (policy_path_lies_in(path, policy->executables.libraries[i].path))
			return true;
	return !policy->executables.limited;
}

TEST(meet_lets_be_executed_and_mapped_what_both_let)
{
	unsigned int seed = 9;
	size_t n_allowed = 0;

	for (int round = 0; round < ROUNDS; round++) {
		const struct choice left = choose(&seed), right = choose(&seed);
		struct policy *a = make(&left), *b = make(&right), *both = NULL, *reverse = NULL;

		CHECK_INT(policy_meet(a, b, &both, NULL), 0);
		CHECK_INT(policy_meet(b, a, &reverse, NULL), 0);
		CHECK_TEXT(both->hash, reverse->hash);
		CHECK(policy_executables_equal(both, reverse));
		CHECK_INT(both->executables.limited, left.limited || right.limited);
		CHECK_INT(both->executables.best_effort, both->executables.limited &&
								 (left.effort || !left.limited) &&
								 (right.effort || !right.limited));
		for (size_t i = 0; i < N; i++) {
			bool map = may_map(&left, i) && may_map(&right, i);

			for (size_t content = 1; content < ARRAY_SIZE(contents); content++) {
				bool run = may(&left, i, content) && may(&right, i, content);

				n_allowed += run;
				if (met_may(both, tree[i], contents[content]) != run)
					CHECK_FAIL("%s: not %d in the meet of %s and %s", tree[i],
						run, a->canonical, b->canonical);
			}
			if (met_may_map(both, tree[i]) != map)
				CHECK_FAIL("libraries in %s: not %d in the meet of %s and %s",
					tree[i], map, a->canonical, b->canonical);
		}
		policy_unref(reverse);
		policy_unref(both);
		policy_unref(b);
		policy_unref(a);
	}
	CHECK(n_allowed > ROUNDS);
}

TEST(usual_libraries_may_be_absent_and_named_ones_may_not)
{
	struct policy *usual =
		parse("{\"version\":1,\"name\":\"x\",\"executables\":{\"allow\":[]}}");
	struct policy *named = parse("{\"version\":1,\"name\":\"x\",\"executables\":{\"allow\":[],"
				     "\"libraries\":[\"/usr/lib/x\",\"/usr/local\"]}}");
	const struct policy_executables *met;
	struct policy *both = NULL;

	for (size_t i = 0; i < usual->executables.n_libraries; i++)
		CHECK(usual->executables.libraries[i].optional);
	CHECK_INT(policy_meet(usual, named, &both, NULL), 0);
	met = &both->executables;
	CHECK_INT(met->n_libraries, 2);
	CHECK_TEXT(met->libraries[0].path, "/usr/lib/x");
	CHECK(!met->libraries[0].optional);
	CHECK_TEXT(met->libraries[1].path, "/usr/local/lib");
	CHECK(met->libraries[1].optional);
	policy_unref(both);
	policy_unref(named);
	policy_unref(usual);
}

/* `first`, and 254 paths in `around`. */
static struct policy *make_long(const char *first, const char *around)
{
	char text[16384];

	sprintf(text, "{\"version\":1,\"name\":\"x\",\"executables\":{\"allow\":[%s", first);
	for (int i = 0; i < 254; i++)
		sprintf(text + strlen(text), ",\"%s/%d\"", around, i);
	strcat(text, "]}}");
	return parse(text);
}

/* Two lists of a policy always fit; of three the middle one can be cut into more. */
TEST(a_meet_of_long_lists_is_refused)
{
	struct policy *a = make_long("\"/x\"", "/y"), *b = make_long("\"/x/n\",\"/y\"", "/x/m"),
		      *c = make_long("\"/x/m\",\"/y\"", "/x/n"), *met = NULL, *all = NULL;
	struct failure why = {0};

	CHECK_INT(policy_meet(a, b, &met, &why), 0);
	CHECK_INT(met->executables.n_programs, 254 + 1 + 254);
	CHECK_INT(policy_meet(c, met, &all, &why), -E2BIG);
	CHECK_TEXT(why.sentence, "\"x\" and \"x\" name more than 512 executables or 32 directories "
				 "of libraries together.");
	policy_unref(met);
	policy_unref(c);
	policy_unref(b);
	policy_unref(a);
}

TEST(memory_files_are_closed_where_executables_are_limited)
{
	static const struct {
		const char *text;
		bool allowed;
	} rows[] = {
		{"{\"version\":1,\"name\":\"x\"}", true},
		{"{\"version\":1,\"name\":\"x\",\"executables\":{\"allow\":[\"/bin\"]}}", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy *policy = parse(rows[i].text);

		CHECK_INT(policy_allows_call(policy, "memfd_create", POLICY_CALL_DEFAULT),
			rows[i].allowed);
		CHECK(policy_allows_call(policy, "execveat", POLICY_CALL_DEFAULT));
		policy_unref(policy);
	}
}

TEST(what_code_comes_from_cannot_be_written)
{
	static const struct {
		const char *act;
		bool allowed;
	} rows[] = {
		{"write /usr/lib/x", false},
		{"write /usr/lib", false},
		{"read /usr/lib/x", true},
		{"write /usr/lib/python/x", true},
		{"write /usr/lib/python/bin/x", false},
		{"write /usr/bin/git", false},
		{"write /usr/bin/git-x", true},
		{"write /opt/x", true},
		{"write /usr/share/x", false},
	};
	struct policy *policy = parse(
		"{\"version\":1,\"name\":\"x\",\"executables\":{\"allow\":[\"/usr/bin/git\","
		"\"/usr/lib/python/bin\"]},\"files\":{\"read_only\":[\"/usr/lib\",\"/usr/share\"],"
		"\"writable\":[\"/usr/lib/python\"]}}");
	struct policy_trial *trial;

	CHECK_INT(policy_trial_new(policy, &trial, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy_act act;

		CHECK_INT(policy_act_parse(rows[i].act, NULL, &act, NULL), 0);
		if (policy_trial_judge(trial, &act).allowed != rows[i].allowed)
			CHECK_FAIL("%s: not %d", rows[i].act, rows[i].allowed);
	}
	policy_trial_free(trial);
	policy_unref(policy);
}

TEST(acts_are_judged_by_the_list_and_by_what_is_hidden)
{
	static const struct {
		const char *act;
		bool limited, hidden, free;
	} rows[] = {
		{"execute /usr/bin/git", true, true, true},
		{"execute /usr/bin/git-x", false, false, true},
		{"execute /usr/bin", false, false, true},
		{"execute /opt/tools/a/b", true, false, true},
		{"execute /opt/tools", true, true, true},
		{"execute /opt/toolsx", false, false, true},
	};
	struct policy *policies[] = {
		parse("{\"version\":1,\"name\":\"x\",\"executables\":{\"allow\":[\"/usr/bin/git\","
		      "\"/opt/tools\"]}}"),
		parse("{\"version\":1,\"name\":\"x\",\"executables\":{\"allow\":[\"/usr/bin/git\","
		      "\"/opt/tools\"]},\"files\":{\"hidden\":[\"/opt/tools/a\"]}}"),
		parse("{\"version\":1,\"name\":\"x\"}")};

	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		struct policy_trial *trial;

		CHECK_INT(policy_trial_new(policies[i], &trial, NULL), 0);
		for (size_t j = 0; j < ARRAY_SIZE(rows); j++) {
			const bool expected[] = {rows[j].limited, rows[j].hidden, rows[j].free};
			struct policy_act act;
			struct policy_opinion opinion;

			CHECK_INT(policy_act_parse(rows[j].act, NULL, &act, NULL), 0);
			opinion = policy_trial_judge(trial, &act);
			if (opinion.allowed != expected[i])
				CHECK_FAIL("%s: %d", rows[j].act, opinion.allowed);
			CHECK_INT(opinion.layer, POLICY_LAYER_MOUNTS);
		}
		policy_trial_free(trial);
		policy_unref(policies[i]);
	}
}
