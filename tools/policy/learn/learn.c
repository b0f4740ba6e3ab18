/* policy learn: from what was done to the policy that allows just that. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/policy/acts/trial.h"
#include "tools/cloche/call.h"
#include "tools/cloche/print.h"
#include "tools/policy/file.h"
#include "tools/policy/learn/learnt.h"
#include "tools/policy/log/log.h"
#include "tools/policy/pretty.h"

#define WILDCARD_AFTER_DEFAULT 10
#define DIRECTORY_AFTER_DEFAULT 10

/* What was allowed must be allowed by what was learnt from it. What was denied is not, but where it
 * had to be. */
static int check_replay(const struct policy *policy, const struct tally *tally,
	uint64_t *ret_n_opened, struct failure *why)
{
	struct policy_trial *trial = NULL;
	int r = policy_trial_new(policy, &trial, why);

	*ret_n_opened = 0;
	for (size_t i = 0; r == 0 && i < tally->n; i++) {
		const struct tally_row *row = &tally->rows[i];
		char act[POLICY_ACT_TEXT_SIZE];
		bool allowed = row->n > 0 && policy_trial_judge(trial, &row->act).allowed;

		if (row->allowed && row->n > 0 && !allowed)
			r = failure_set(why, -EINVAL, "learn policy",
				"No rule can be written that allows \"%.200s\", which was allowed.",
				policy_act_format(&row->act, act));
		*ret_n_opened += !row->allowed && allowed;
	}
	policy_trial_free(trial);
	return r;
}

static const char *files_sentence(enum learnt_files files)
{
	switch (files) {
	case LEARNT_FILES_SAID:
		return NULL;
	case LEARNT_FILES_UNRECORDED:
		return "it may not have been recorded what was written";
	case LEARNT_FILES_ROOT:
		return "something right below / was made or taken away, so / cannot be read-only";
	case LEARNT_FILES_MANY:
		return "more paths were written than a policy may name";
	}
	return NULL;
}

static const char *programs_sentence(enum learnt_programs programs)
{
	switch (programs) {
	case LEARNT_PROGRAMS_SAID:
	case LEARNT_PROGRAMS_NONE:
		return NULL;
	case LEARNT_PROGRAMS_WRITTEN:
		return "something was executed that the run may have written itself";
	case LEARNT_PROGRAMS_UNKNOWN:
		return "something was executed whose path cannot be judged";
	case LEARNT_PROGRAMS_MANY:
		return "more programs were executed than a policy may name";
	}
	return NULL;
}

static void tell(const struct log_reading *reading, const struct learnt *learnt, uint64_t n_opened)
{
	const char *files = files_sentence(learnt->files),
		   *programs = programs_sentence(learnt->programs);

	fprintf(stderr, "cloche: %" PRIu64 " acts, %zu different, in %" PRIu64 " records.\n",
		reading->n_acts, reading->tally.n, reading->n_records);
	log_print_rest(reading, stderr);
	if (files)
		fprintf(stderr, "The policy says nothing of files: %s.\n", files);
	if (programs)
		fprintf(stderr, "The policy says nothing of executables: %s.\n", programs);
	if (n_opened)
		fprintf(stderr,
			"%" PRIu64 " different acts that were denied are allowed by it, because of "
			"what was allowed elsewhere.\n",
			n_opened);
}

static int learn(const struct log_reading *reading, const struct learnt_options *options,
	char **ret_text, struct failure *why)
{
	struct learnt learnt = {0};
	int r = learnt_policy(reading, options, &learnt);
	_cleanup_json_ json_t *document = learnt.document;
	_cleanup_free_ char *compact = document ? json_dumps(document, JSON_COMPACT) : NULL;
	_cleanup_policy_ struct policy *policy = NULL;
	uint64_t n_opened = 0;

	if (!reading->has_runs) {
		log_print_rest(reading, stderr);
		return failure_set(why, -ENOENT, "learn policy",
			"None of its %" PRIu64 " records is of a run that was asked for; are "
			"--label, --template and --sandbox right?",
			reading->n_records);
	}
	if (!compact)
		return failure_set(why, -ENOMEM, "learn policy", "There is no memory left.");
	r = policy_file_parse("learnt", compact, strlen(compact), &policy, why);
	if (r == 0)
		r = check_replay(policy, &reading->tally, &n_opened, why);
	tell(reading, &learnt, n_opened);
	return r < 0 ? r : policy_pretty(compact, strlen(compact), "learnt", ret_text, why);
}

static int give(const struct arguments *arguments, const char *text)
{
	const char *output = arguments_text(arguments, "output");
	FILE *stream;

	if (!output) {
		print_verbatim(text, strlen(text));
		return EXIT_CODE_DONE;
	}
	stream = fopen(output, "we");
	if (stream)
		fputs(text, stream);
	if (stream && fclose(stream) == 0)
		return EXIT_CODE_DONE;
	print_error("%s cannot be written: %s.", output, strerror(errno));
	return EXIT_CODE_FAILED;
}

int command_policy_learn(struct client *client, const struct arguments *arguments)
{
	const char *from = arguments_text(arguments, "from"),
		   *name = arguments_text(arguments, "name");
	double wildcard_after = WILDCARD_AFTER_DEFAULT, directory_after = DIRECTORY_AFTER_DEFAULT;
	struct learnt_options options;
	_cleanup_free_ char *text = NULL;
	struct log_reading reading;
	struct failure why = {0};
	int r;

	if (arguments->n_words || arguments->n_rest || !from)
		return call_misused(client, "policy learn wants --from LOG.");
	if (arguments_number(arguments, "wildcard-after", 0, &wildcard_after, &why) < 0 ||
		arguments_number(arguments, "directory-after", 0, &directory_after, &why) < 0)
		return call_misused(client, "%s", why.sentence);
	options = (struct learnt_options){
		name ? name : "learnt", (uint32_t)wildcard_after, (uint32_t)directory_after};
	r = log_read(from, arguments, NULL, &reading, &why);
	if (r == 0) {
		r = learn(&reading, &options, &text, &why);
		log_fini(&reading);
	}
	if (r < 0) {
		policy_file_complain(from, "", &why);
		return EXIT_CODE_FAILED;
	}
	return give(arguments, text);
}
