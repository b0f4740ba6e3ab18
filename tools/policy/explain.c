/* policy explain: what a policy says, in sentences, or what it says to an act. */
#include <stdio.h>
#include <string.h>

#include "supervisor/policy/terms/term.h"
#include "tools/cloche/call.h"
#include "tools/cloche/print.h"
#include "tools/policy/file.h"
#include "tools/policy/opinion.h"

/* The first thing to know of such a policy: what follows is not what happens. */
static void explain_mode(const struct policy *policy)
{
	if (policy->mode != POLICY_MODE_LEARN)
		return;
	printf("\nMode: learn. It denies NOTHING by itself: a sandbox under it may do all that its "
	       "tenant's\nand its template's policies allow, and records say what would have been "
	       "denied.\nOf what follows, resources, budgets, life cycle, secrets and audit hold; "
	       "the rest is as written.\n");
}

/* `said`: the rule as the canonical form has it, which keeps what is for people. */
static void explain_rule(const struct policy_rule *rule, const json_t *said)
{
	const char *description = json_string_value(json_object_get(said, "description"));
	char what[POLICY_RULE_TEXT_SIZE];

	printf("  %u. %s", rule->id, policy_rule_format(rule, what));
	if (rule->kind == POLICY_RULE_NAME)
		printf(": %s, at %s addresses", opinion_tls(rule->tls),
			rule->is_private ? "public and private" : "public");
	printf(".%s%s%s\n", description ? " (" : "", description ? description : "",
		description ? ")" : "");
}

static void explain_network(const struct policy *policy)
{
	_cleanup_json_ json_t *canonical = json_loads(policy->canonical, 0, NULL);
	const json_t *allow = json_object_get(json_object_get(canonical, "network"), "allow");

	printf("\nNetwork: denied is the default.\n");
	if (policy->n_rules == 0)
		printf("  Nothing is allowed but the sandbox's own loopback.\n");
	else
		printf("  Allowed are the sandbox's own loopback, and:\n");
	for (size_t i = 0; i < policy->n_rules; i++)
		explain_rule(&policy->rules[i], json_array_get(allow, policy->rules[i].id));
	if (policy_has_names(policy))
		printf("  The resolver answers for these names only.\n");
	if (policy->n_inbound == 0)
		printf("  Previews reach no port inside.\n");
	for (size_t i = 0; i < policy->n_inbound; i++) {
		const struct policy_ports *ports = &policy->inbound[i];

		if (ports->first == ports->last)
			printf("  Previews reach port %u.\n", ports->first);
		else
			printf("  Previews reach ports %u to %u.\n", ports->first, ports->last);
	}
}

static void explain_budgets(const struct policy *policy)
{
	static const char *const names[ABI_BUDGET_COUNTERS] = {
		"bytes out", "bytes in", "connections", "DNS queries"};
	char text[POLICY_TERM_TEXT_SIZE];

	if (!policy_has_budgets(policy))
		return;
	printf("\nBudgets of a sandbox");
	if (policy->budgets.per_seconds)
		printf(", in each %s:\n", policy_term_format(POLICY_TERM_AUTO_STOP,
						  policy->budgets.per_seconds, text));
	else
		printf(", as long as it lives:\n");
	for (size_t i = 0; i < ABI_BUDGET_COUNTERS; i++)
		if (policy->budgets.limits[i])
			printf("  %s %s\n",
				policy_term_format(POLICY_TERM_BYTES_OUT + (enum policy_term)i,
					policy->budgets.limits[i], text),
				names[i]);
}

static void explain_limits(const struct policy *policy)
{
	char memory[POLICY_TERM_TEXT_SIZE], disk[POLICY_TERM_TEXT_SIZE];
	const struct policy_limits *limits = &policy->limits;

	printf("\nResources: at most %s of memory, %s of disk, %g CPU, %u processes, %u open files "
	       "each.\n",
		policy_term_format(POLICY_TERM_MEMORY, limits->memory_bytes, memory),
		policy_term_format(POLICY_TERM_DISK, limits->disk_bytes, disk),
		limits->cpu_millis / 1000.0, limits->pids, limits->open_files);
}

static void explain_syscalls(const struct policy *policy)
{
	static const char *const profiles[] = {"strict", "default", "debug"};

	printf("\nSystem calls: those of the profile \"%s\"", profiles[policy->profile]);
	for (size_t i = 0; i < policy->n_syscalls_allowed; i++)
		printf("%s%s", i ? ", " : ", and ", policy->syscalls_allowed[i].name);
	for (size_t i = 0; i < policy->n_syscalls_denied; i++)
		printf("%s%s", i ? ", " : ", without ", policy->syscalls_denied[i]);
	printf(".\n");
	if (policy->n_call_rules > 0)
		printf("  Denied by arguments:\n");
	for (size_t i = 0; i < policy->n_call_rules; i++) {
		char what[POLICY_CALL_RULE_TEXT_SIZE];

		printf("  %s.\n", policy_call_rule_format(&policy->call_rules[i], what));
	}
}

static void explain_files(const struct policy *policy)
{
	static const char *const words[] = {"hidden", "read-only", "writable"};

	if (policy->n_paths > 0)
		printf("\nFiles: the longest path decides; without one they are as owners and "
		       "modes "
		       "have them.\n");
	for (size_t i = 0; i < policy->n_paths; i++)
		printf("  %s is %s.\n", policy->paths[i].path, words[policy->paths[i].access]);
	if (policy->paths_best_effort)
		printf("  What is not there when the sandbox is created is passed over.\n");
	if (policy->devices == POLICY_DEVICES_ALL)
		return;
	printf("\nDevices:");
	for (size_t i = 0; i < POLICY_DEVICES; i++)
		if (policy->devices & 1U << i)
			printf(" %s", policy_device_names[i]);
	printf("%s\n", policy->devices ? "." : " none.");
}

static void explain_executables(const struct policy_executables *executables)
{
	if (!executables->limited)
		return;
	printf("\nExecutables: nothing that the sandbox itself writes; of the template's files "
	       "%s\n",
		executables->n_programs ? "these:" : "none.");
	for (size_t i = 0; i < executables->n_programs; i++) {
		const struct policy_program *program = &executables->programs[i];

		printf(program->sha256[0] ? "  %s, if its SHA-256 is %s.\n" : "  %s%s.\n",
			program->path, program->sha256);
	}
	printf("  Code is mapped from them, and from libraries in");
	for (size_t i = 0; i < executables->n_libraries; i++)
		printf("%s %s", i ? "," : "", executables->libraries[i].path);
	printf("%s.\n", executables->n_libraries ? "" : " no directory");
	if (executables->best_effort)
		printf("  What is not there is passed over. Without Landlock programs in those "
		       "directories can be executed, too.\n");
}

static void explain_terms(const struct policy *policy)
{
	char text[POLICY_TERM_TEXT_SIZE];

	if (policy->lifecycle.time_to_live_s)
		printf("\nA sandbox ends %s after it was created.\n",
			policy_term_format(
				POLICY_TERM_TIME_TO_LIVE, policy->lifecycle.time_to_live_s, text));
	if (policy->lifecycle.auto_stop_s)
		printf("\nA sandbox ends when no command has run in it for %s.\n",
			policy_term_format(
				POLICY_TERM_AUTO_STOP, policy->lifecycle.auto_stop_s, text));
	for (size_t i = 0; i < policy->n_secrets; i++)
		printf("%s%s%s",
			i ? ", " : "\nA request must give these variables: ", policy->secrets[i],
			i + 1 == policy->n_secrets ? ".\n" : "");
}

static void explain_audit(const struct policy_audit *audit)
{
	static const char *const losses[] = {[POLICY_ON_LOSS_LOG] = "that is recorded",
		[POLICY_ON_LOSS_FREEZE] = "the sandbox is frozen",
		[POLICY_ON_LOSS_KILL] = "the sandbox ends"};

	printf("\nAudit: connections, programs and denials are recorded always");
	if (audit->defaults)
		printf(", the default system calls too");
	for (size_t i = 0; i < audit->n_calls; i++)
		printf("%s%s", i ? ", " : ", and ", audit->calls[i].name);
	printf(", up to %u records a second of what was allowed. When a record of a denial is "
	       "lost, "
	       "%s.\n",
		audit->rate, losses[audit->on_loss]);
}

static void explain(const struct policy *policy)
{
	printf("%s%s%s\n", policy->name, policy->description[0] ? ": " : "", policy->description);
	explain_mode(policy);
	explain_network(policy);
	explain_budgets(policy);
	explain_limits(policy);
	explain_syscalls(policy);
	explain_files(policy);
	explain_executables(&policy->executables);
	explain_terms(policy);
	explain_audit(&policy->audit);
	printf("\nHash: %s\n", policy->hash);
}

/* Returns how many are denied, or an exit code below zero after having said why. */
static int explain_acts(const struct client *client, const struct arguments *arguments,
	const struct policy *policy, const struct policy_trial *trial)
{
	_cleanup_json_ json_t *rows = json_array();
	int n_denied = 0;

	for (size_t i = 0;; i++) {
		const char *text = arguments_each(arguments, "would", i);
		struct failure why = {0};
		struct policy_opinion opinion;
		char shown[POLICY_ACT_TEXT_SIZE], sentence[OPINION_TEXT_SIZE];
		struct policy_act act;

		if (!text)
			break;
		if (policy_act_parse(text, &policy_file_calls, &act, &why) < 0) {
			print_error("%s", why.sentence);
			return -EXIT_CODE_USAGE;
		}
		opinion = policy_trial_judge(trial, &act);
		n_denied += !opinion.allowed;
		if (client->json)
			json_array_append_new(rows, opinion_json(policy, &act, &opinion));
		else
			printf("%-5s  %s\n       %s\n", opinion_verdict(&opinion),
				policy_act_format(&act, shown),
				opinion_why(policy, &act, &opinion, sentence));
	}
	if (client->json)
		print_json(rows);
	return n_denied;
}

int command_policy_explain(struct client *client, const struct arguments *arguments)
{
	_cleanup_policy_ struct policy *policy = NULL;
	struct policy_trial *trial = NULL;
	struct failure why = {0};
	int n_denied;

	if (arguments->n_words != 1 || arguments->n_rest)
		return call_misused(client, "policy explain wants one policy file.");
	if (policy_file_read(arguments->words[0], &policy, &why) < 0 ||
		policy_trial_new(policy, &trial, &why) < 0) {
		policy_file_complain("", "", &why);
		return EXIT_CODE_FAILED;
	}
	n_denied = 0;
	if (arguments_text(arguments, "would"))
		policy_file_note_mode(policy);
	if (arguments_text(arguments, "would"))
		n_denied = explain_acts(client, arguments, policy, trial);
	else if (client->json)
		print_verbatim(policy->canonical, strlen(policy->canonical));
	else
		explain(policy);
	policy_trial_free(trial);
	if (n_denied < 0)
		return -n_denied;
	return n_denied ? EXIT_CODE_FAILED : EXIT_CODE_DONE;
}
