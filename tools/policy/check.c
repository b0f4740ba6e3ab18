/* policy check: whether cloched would take these files. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/policy/read/reader.h"
#include "tools/cloche/call.h"
#include "tools/cloche/print.h"
#include "tools/policy/file.h"
#include "tools/policy/findings.h"

struct file {
	const char *path, *text;
	size_t size_bytes;
	const struct policy *policy;
};

/* Completes `why` by "file:line:column: /key", of what the language takes and this file should not
 * say all the same. */
static int place_at_key(const struct file *file, const char *key, struct failure *why)
{
	const struct policy_source source = {file->text, file->size_bytes, file->path, NULL};
	const struct policy_reader reader = {&source, NULL, NULL, why};
	const struct policy_place root = {NULL, NULL, 0}, place = {&root, key, 0};
	char sentence[sizeof(why->sentence)];

	snprintf(sentence, sizeof(sentence), "%s", why->sentence);
	return policy_fail(&reader, &place, -EINVAL, "%s", sentence);
}

/* The file's name must be the policy's: what reviewers read is what requests name. */
static int check_name(const struct file *file, struct failure *why)
{
	const char *name = file->policy->name;
	_cleanup_free_ char *copy = strdup(file->path);
	char expected[POLICY_NAME_SIZE + sizeof(".json")];

	if (!copy)
		return failure_set(why, -ENOMEM, "check policy", "There is no memory left.");
	snprintf(expected, sizeof(expected), "%s.json", name);
	if (strcmp(file->path, "-") == 0 || strcmp(basename(copy), expected) == 0)
		return 0;
	failure_set(why, -EINVAL, "check policy",
		"The policy's name is \"%s\", so its file must be \"%s\".", name, expected);
	return place_at_key(file, "name", why);
}

static int warn_of_mode(struct findings *findings, const struct file *file)
{
	struct failure why = {0};

	failure_set(&why, 0, "check policy",
		"The policy is in mode \"learn\": it denies nothing by itself. Take \"mode\" away "
		"to enforce it.");
	place_at_key(file, "mode", &why);
	return findings_warn(findings, file->path, &why);
}

static int check_file(const char *path, policy_file_reader read, void *userdata)
{
	_cleanup_policy_ struct policy *policy = NULL;
	struct findings *findings = userdata;
	_cleanup_free_ char *text = NULL;
	struct failure why = {0};
	struct file file;
	size_t size = 0;
	int r = read(path, &text, &size, &why);

	if (r == 0)
		r = policy_file_parse(path, text, size, &policy, &why);
	file = (struct file){path, text, size, policy};
	findings->n_files++;
	if (r == 0)
		r = check_name(&file, &why);
	if (r < 0)
		return findings_add(findings, path, &why);
	return policy->mode == POLICY_MODE_LEARN ? warn_of_mode(findings, &file) : 0;
}

/* A directory without policies is a wrong one, and "0 policies are good" would pass every review.
 */
static int check_path(const char *path, struct findings *findings)
{
	size_t n_before = findings->n_files;
	struct failure why = {0};
	int r = policy_file_each(path, check_file, findings, &why);

	if (r == 0 && findings->n_files == n_before)
		r = failure_set(
			&why, -ENOENT, "check policy", "There is no policy in this directory.");
	return r < 0 && r != -ENOMEM ? findings_add(findings, path, &why) : r;
}

int command_policy_check(struct client *client, const struct arguments *arguments)
{
	_cleanup_(findings_fini) struct findings findings = {0};
	enum findings_form form = arguments_flag(arguments, "sarif") ? FINDINGS_SARIF
				  : client->json                     ? FINDINGS_JSON
								     : FINDINGS_TEXT;
	int r;

	if (arguments->n_words == 0 || arguments->n_rest)
		return call_misused(client, "policy check wants policy files or directories.");
	r = findings_init(&findings, form);
	for (size_t i = 0; r == 0 && i < arguments->n_words; i++)
		r = check_path(arguments->words[i], &findings);
	if (r == 0)
		r = findings_print(&findings);
	if (r < 0) {
		print_error("%s.", strerror(-r));
		return EXIT_CODE_FAILED;
	}
	if (form == FINDINGS_TEXT && findings.n == 0)
		printf(findings.n_files == 1 ? "%zu policy is good.\n" : "%zu policies are good.\n",
			findings.n_files);
	return findings.n ? EXIT_CODE_FAILED : EXIT_CODE_DONE;
}
