/* policy test: a policy held against a table of acts, and the table against a broken policy. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/cloche/call.h"
#include "tools/cloche/print.h"
#include "tools/policy/file.h"
#include "tools/policy/opinion.h"
#include "tools/policy/test/cases.h"
#include "tools/policy/test/mutants.h"

struct run {
	const struct cases *cases;
	json_t *rows; /* with --json */
	size_t n_failed, n_mutants, n_alive;
	bool is_of_mode; /* the policy's mode is the table's */
};

static void describe(const struct cases_row *row, char *text, size_t size)
{
	static const char *const tls[] = {"either", "require", "passthrough"};
	int used = snprintf(text, size, "%s", row->allow ? "allow" : "deny");

	if (row->has_rule)
		used += snprintf(text + used, size - (size_t)used, " by rule %u", row->rule);
	if (row->has_tls)
		used += snprintf(text + used, size - (size_t)used, ", tls %s", tls[row->tls]);
	if (row->has_private)
		snprintf(text + used, size - (size_t)used, ", private %s",
			row->is_private ? "true" : "false");
}

/* How many rows disagree; told if `run` is given. */
static size_t count_disagreeing(const struct policy *policy, const struct policy_trial *trial,
	const struct cases *cases, struct run *run)
{
	size_t n = 0;

	for (size_t i = 0; i < cases->n_rows; i++) {
		const struct cases_row *row = &cases->rows[i];
		struct policy_opinion opinion = policy_trial_judge(trial, &row->act);
		bool agrees = cases_agree(row, &opinion);
		char act[POLICY_ACT_TEXT_SIZE], why[OPINION_TEXT_SIZE], expected[96];
		json_t *told;

		n += !agrees;
		if (!run || (agrees && !run->rows))
			continue;
		describe(row, expected, sizeof(expected));
		if (!run->rows) {
			printf("not as written: %s\n  expected %s\n  found    %s: %s\n",
				policy_act_format(&row->act, act), expected,
				opinion_verdict(&opinion),
				opinion_why(policy, &row->act, &opinion, why));
			continue;
		}
		told = opinion_json(policy, &row->act, &opinion);
		json_object_set_new(told, "expected", json_string(expected));
		json_object_set_new(told, "passed", json_boolean(agrees));
		json_array_append_new(run->rows, told);
	}
	return n;
}

/* True if the policy's mode is the table's; told if not. */
static bool has_mode(const struct policy *policy, const struct cases *cases)
{
	if (policy->mode == cases->mode)
		return true;
	fprintf(stderr,
		"%s is in mode \"%s\", and its cases are for \"%s\": write \"mode\": \"%s\" "
		"in them if that is meant.\n",
		policy->name, policy_mode_names[policy->mode], policy_mode_names[cases->mode],
		policy_mode_names[policy->mode]);
	return false;
}

static void try_mutant(const char *what, const struct policy *mutant, void *userdata)
{
	struct policy_trial *trial = NULL;
	struct run *run = userdata;

	if (policy_trial_new(mutant, &trial, NULL) < 0)
		return;
	run->n_mutants++;
	if (mutant->mode == run->cases->mode &&
		count_disagreeing(mutant, trial, run->cases, NULL) == 0) {
		run->n_alive++;
		fprintf(stderr, "no case notices the policy %s\n", what);
	}
	policy_trial_free(trial);
}

/* FILE.test.json beside FILE.json. */
static int cases_path(const char *path, char *ret_path, size_t size)
{
	size_t length = strlen(path);

	if (length > 5 && strcmp(path + length - 5, ".json") == 0)
		length -= 5;
	return (size_t)snprintf(ret_path, size, "%.*s.test.json", (int)length, path) < size
		       ? 0
		       : -ENAMETOOLONG;
}

static int run_cases(const char *path, const struct cases *cases, bool mutate, struct run *run,
	struct failure *why)
{
	_cleanup_policy_ struct policy *policy = NULL;
	_cleanup_free_ char *text = NULL;
	struct policy_trial *trial = NULL;
	size_t size = 0;
	int r = policy_file_read_text(path, &text, &size, why);

	if (r == 0)
		r = policy_file_parse(path, text, size, &policy, why);
	if (r == 0 && strcmp(policy->name, cases->policy) != 0)
		return failure_set(why, -EINVAL, "test policy",
			"The cases are for \"%s\", and this is \"%s\".", cases->policy,
			policy->name);
	if (r == 0)
		r = policy_trial_new(policy, &trial, why);
	if (r < 0)
		return r;
	policy_file_note_mode(policy);
	run->n_failed = count_disagreeing(policy, trial, cases, run);
	run->is_of_mode = has_mode(policy, cases);
	policy_trial_free(trial);
	return mutate && run->n_failed == 0 && run->is_of_mode
		       ? mutants_each(path, text, size, try_mutant, run, why)
		       : 0;
}

static void conclude(
	const struct client *client, const struct cases *cases, const struct run *run, bool mutate)
{
	if (client->json) {
		print_json(run->rows);
		return;
	}
	printf("%s: %zu of %zu cases as written", cases->policy, cases->n_rows - run->n_failed,
		cases->n_rows);
	if (mutate && run->n_failed == 0 && run->is_of_mode)
		printf("; %zu of %zu broken policies noticed", run->n_mutants - run->n_alive,
			run->n_mutants);
	printf("\n");
}

int command_policy_test(struct client *client, const struct arguments *arguments)
{
	bool mutate = arguments_flag(arguments, "mutate");
	_cleanup_json_ json_t *rows = client->json ? json_array() : NULL;
	_cleanup_(cases_fini) struct cases cases = {0};
	struct run run = {.cases = &cases, .rows = rows};
	struct failure why = {0};
	char beside[4096];
	int r;

	if (arguments->n_words < 1 || arguments->n_words > 2 || arguments->n_rest)
		return call_misused(client, "policy test wants a policy file and maybe its cases.");
	if (cases_path(arguments->words[0], beside, sizeof(beside)) < 0)
		return call_misused(client, "The path is too long.");
	r = arguments->n_words == 2
		    ? cases_read(arguments->words[1], policy_file_read_text, &cases, &why)
		    : cases_read(beside, policy_file_read_found, &cases, &why);
	if (r == 0)
		r = run_cases(arguments->words[0], &cases, mutate, &run, &why);
	if (r < 0) {
		policy_file_complain(arguments->words[0], "", &why);
		return EXIT_CODE_USAGE;
	}
	conclude(client, &cases, &run, mutate);
	return run.n_failed || run.n_alive || !run.is_of_mode ? EXIT_CODE_FAILED : EXIT_CODE_DONE;
}
