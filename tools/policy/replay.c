/* policy replay: what a policy would have said to what was done. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/policy/acts/trial.h"
#include "tools/cloche/call.h"
#include "tools/cloche/print.h"
#include "tools/policy/file.h"
#include "tools/policy/log/log.h"
#include "tools/policy/opinion.h"

#define EXAMPLES_DEFAULT 20 /* different acts that are shown of each change */

enum fate {
	FATE_SAME,
	FATE_DENIED,  /* was allowed, would be denied */
	FATE_ALLOWED, /* was denied, would be allowed */
	FATES,
};

static const char *const fate_words[FATES] = {"same", "would_deny", "would_allow"};

struct replay {
	const struct policy *policy;
	const struct policy_trial *trial;
	const struct log_reading *reading;
	uint64_t n[FATES], n_different[FATES];
	uint64_t *n_by_rule;    /* acts that the policy allows, by rule; owned */
	uint64_t *n_by_path;    /* changes that it allows, by the path that decides; owned */
	uint64_t *n_by_program; /* executions, likewise; owned */
	uint64_t n_calls;       /* system calls that it allows */
	json_t *changes;        /* with --json */
	uint64_t n_shown_max;
};

static enum fate fate_of(const struct tally_row *row, const struct policy_opinion *opinion)
{
	if (row->allowed == opinion->allowed)
		return FATE_SAME;
	return row->allowed ? FATE_DENIED : FATE_ALLOWED;
}

static void show(const struct replay *replay, const struct tally_row *row,
	const struct policy_opinion *opinion, enum fate fate)
{
	char act[POLICY_ACT_TEXT_SIZE], why[OPINION_TEXT_SIZE], plain[4 * POLICY_ACT_TEXT_SIZE];
	char first[PRINT_CELL_SIZE], last[PRINT_CELL_SIZE];

	if (replay->n_different[fate] > replay->n_shown_max)
		return;
	printf("%s %s\n", fate == FATE_DENIED ? "-" : "+",
		print_plain(plain, sizeof(plain), policy_act_format(&row->act, act)));
	printf("    %s\n", opinion_why(replay->policy, &row->act, opinion, why));
	printf("    %" PRIu64 "x, first %s (record %" PRIu64 " of sb-%016" PRIx64 "), last %s\n",
		row->n, print_plain(first, sizeof(first), row->first), row->sequence, row->sandbox,
		print_plain(last, sizeof(last), row->last));
}

static json_t *as_json(const struct replay *replay, const struct tally_row *row,
	const struct policy_opinion *opinion, enum fate fate)
{
	json_t *object = opinion_json(replay->policy, &row->act, opinion);
	char sandbox[32];

	snprintf(sandbox, sizeof(sandbox), "sb-%016" PRIx64, row->sandbox);
	json_object_set_new(object, "change", json_string(fate_words[fate]));
	json_object_set_new(object, "count", json_integer((json_int_t)row->n));
	json_object_set_new(object, "seq", json_integer((json_int_t)row->sequence));
	json_object_set_new(object, "sandbox", json_string(sandbox));
	json_object_set_new(object, "first_seen", json_string(row->first));
	json_object_set_new(object, "last_seen", json_string(row->last));
	return object;
}

static void count(
	struct replay *replay, const struct tally_row *row, const struct policy_opinion *opinion)
{
	const struct policy_path *path = row->act.kind == POLICY_ACT_WRITE
						 ? policy_path_at(replay->policy, row->act.name)
						 : NULL;
	const struct policy_program *program =
		row->act.kind == POLICY_ACT_EXECUTE
			? policy_program_at(replay->policy, row->act.name)
			: NULL;

	if (path)
		replay->n_by_path[path - replay->policy->paths] += row->n;
	if (program)
		replay->n_by_program[program - replay->policy->executables.programs] += row->n;
	if (row->act.kind == POLICY_ACT_SYSCALL)
		replay->n_calls += row->n;
	if (opinion->rule < POLICY_RULES_MAX)
		replay->n_by_rule[opinion->rule] += row->n;
}

static void judge_row(struct replay *replay, const struct tally_row *row, bool json)
{
	struct policy_opinion opinion = policy_trial_judge(replay->trial, &row->act);
	enum fate fate = fate_of(row, &opinion);

	replay->n[fate] += row->n;
	replay->n_different[fate]++;
	if (opinion.allowed)
		count(replay, row, &opinion);
	if (fate == FATE_SAME)
		return;
	if (json)
		json_array_append_new(replay->changes, as_json(replay, row, &opinion, fate));
	else
		show(replay, row, &opinion, fate);
}

static void print_path(const char *list, const char *path, uint64_t n)
{
	printf("  %" PRIu64 "x by \"%s\" %s%s\n", n, list, path, n ? "" : ": nothing needed it");
}

static void print_rules(const struct replay *replay)
{
	char rule[OPINION_TEXT_SIZE / 2];
	uint32_t last = UINT32_MAX;

	for (size_t i = 0; i < replay->policy->n_rules; i++) {
		uint16_t id = replay->policy->rules[i].id;

		if (id == last)
			continue;
		last = id;
		printf("  %" PRIu64 "x by %s%s\n", replay->n_by_rule[id],
			opinion_rule(replay->policy, id, rule, sizeof(rule)),
			replay->n_by_rule[id] ? "" : ": nothing needed it");
	}
	for (size_t i = 0; i < replay->policy->n_paths; i++)
		if (replay->policy->paths[i].access == POLICY_ACCESS_WRITABLE)
			print_path("files.writable", replay->policy->paths[i].path,
				replay->n_by_path[i]);
	for (size_t i = 0; i < replay->policy->executables.n_programs; i++)
		print_path("executables.allow", replay->policy->executables.programs[i].path,
			replay->n_by_program[i]);
	if (replay->n_calls)
		printf("  %" PRIu64 "x by \"syscalls\"\n", replay->n_calls);
}

static void conclude(const struct replay *replay)
{
	const struct log_reading *reading = replay->reading;

	for (size_t fate = FATE_DENIED; fate < FATES; fate++)
		if (replay->n_different[fate] > replay->n_shown_max)
			printf("  and %" PRIu64 " more that %s\n",
				replay->n_different[fate] - replay->n_shown_max,
				fate == FATE_DENIED ? "would be denied" : "would be allowed");
	printf("%" PRIu64 " acts in %" PRIu64 " records: %" PRIu64 " as they were, %" PRIu64
	       " would be denied, %" PRIu64 " would be allowed.\n",
		reading->n_acts, reading->n_records, replay->n[FATE_SAME], replay->n[FATE_DENIED],
		replay->n[FATE_ALLOWED]);
	log_print_rest(reading, stdout);
	print_rules(replay);
}

static void add_path(json_t *list, const char *path, uint64_t n)
{
	json_array_append_new(list, json_pack("{s:s, s:I}", "path", path, "count", (json_int_t)n));
}

static void conclude_json(const struct replay *replay)
{
	const struct log_reading *reading = replay->reading;
	json_t *rules = json_array(), *paths = json_array(), *programs = json_array(), *root;

	for (size_t i = 0; i < replay->policy->n_rules; i++)
		json_array_append_new(rules,
			json_pack("{s:i, s:I}", "rule", (int)replay->policy->rules[i].id, "count",
				(json_int_t)replay->n_by_rule[replay->policy->rules[i].id]));
	for (size_t i = 0; i < replay->policy->n_paths; i++)
		if (replay->policy->paths[i].access == POLICY_ACCESS_WRITABLE)
			add_path(paths, replay->policy->paths[i].path, replay->n_by_path[i]);
	for (size_t i = 0; i < replay->policy->executables.n_programs; i++)
		add_path(programs, replay->policy->executables.programs[i].path,
			replay->n_by_program[i]);
	root = json_pack(
		"{s:s, s:s, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:O, s:o, s:o, s:o, s:I}",
		"policy", replay->policy->name, "hash", replay->policy->hash, "records",
		(json_int_t)reading->n_records, "malformed", (json_int_t)reading->n_malformed,
		"lost", (json_int_t)reading->n_lost, "passed_over", log_rest_json(reading), "acts",
		(json_int_t)reading->n_acts, fate_words[FATE_SAME],
		(json_int_t)replay->n[FATE_SAME], fate_words[FATE_DENIED],
		(json_int_t)replay->n[FATE_DENIED], fate_words[FATE_ALLOWED],
		(json_int_t)replay->n[FATE_ALLOWED], "changes", replay->changes, "rules", rules,
		"writable", paths, "programs", programs, "calls", (json_int_t)replay->n_calls);
	print_json(root);
	json_decref(root);
}

static int replay_all(const struct client *client, struct replay *replay)
{
	replay->n_by_rule = calloc(POLICY_RULES_MAX, sizeof(*replay->n_by_rule));
	replay->n_by_path = calloc(POLICY_PATHS_MAX + 1, sizeof(*replay->n_by_path));
	replay->n_by_program = calloc(POLICY_PROGRAMS_MAX + 1, sizeof(*replay->n_by_program));
	if (!replay->n_by_rule || !replay->n_by_path || !replay->n_by_program) {
		print_error("There is no memory left.");
		return EXIT_CODE_USAGE;
	}
	for (size_t i = 0; i < replay->reading->tally.n; i++)
		if (replay->reading->tally.rows[i].n > 0)
			judge_row(replay, &replay->reading->tally.rows[i], client->json);
	if (client->json)
		conclude_json(replay);
	else
		conclude(replay);
	free(replay->n_by_rule);
	free(replay->n_by_path);
	free(replay->n_by_program);
	return replay->n[FATE_DENIED] || replay->n[FATE_ALLOWED] ? EXIT_CODE_FAILED
								 : EXIT_CODE_DONE;
}

int command_policy_replay(struct client *client, const struct arguments *arguments)
{
	_cleanup_policy_ struct policy *policy = NULL;
	_cleanup_json_ json_t *changes = json_array();
	struct replay replay = {.changes = changes};
	struct policy_trial *trial = NULL;
	struct log_reading reading;
	double shown = EXAMPLES_DEFAULT;
	struct failure why = {0};
	int code;

	if (arguments->n_words != 1 || arguments->n_rest || !arguments_text(arguments, "audit"))
		return call_misused(client, "policy replay wants a policy file and --audit LOG.");
	if (arguments_number(arguments, "examples", 0, &shown, &why) < 0)
		return call_misused(client, "%s", why.sentence);
	if (policy_file_read(arguments->words[0], &policy, &why) < 0 ||
		policy_trial_new(policy, &trial, &why) < 0 ||
		log_read(arguments_text(arguments, "audit"), arguments, policy, &reading, &why) <
			0) {
		policy_trial_free(trial);
		policy_file_complain("", "", &why);
		return EXIT_CODE_USAGE;
	}
	policy_file_note_mode(policy);
	replay.policy = policy;
	replay.trial = trial;
	replay.reading = &reading;
	replay.n_shown_max = (uint64_t)shown;
	code = replay_all(client, &replay);
	log_fini(&reading);
	policy_trial_free(trial);
	return code;
}
