/* policy diff: what a change of a policy would allow and deny. */
#include <stdio.h>

#include "supervisor/policy/diff/diff.h"
#include "tools/cloche/call.h"
#include "tools/cloche/print.h"
#include "tools/policy/file.h"

struct comparison {
	bool json;
	json_t *rows;
	size_t n;
};

static const char *const words[] = {[POLICY_CHANGE_ALLOWED] = "allows",
	[POLICY_CHANGE_DENIED] = "denies",
	[POLICY_CHANGE_SAME] = "same",
	[POLICY_CHANGE_OTHER] = "changes"};

static void take(const struct policy_change *change, void *userdata)
{
	static const char *const signs[] = {[POLICY_CHANGE_ALLOWED] = "+",
		[POLICY_CHANGE_DENIED] = "-",
		[POLICY_CHANGE_SAME] = "=",
		[POLICY_CHANGE_OTHER] = "~"};
	struct comparison *comparison = userdata;

	comparison->n++;
	if (comparison->json)
		json_array_append_new(comparison->rows,
			json_pack("{s:s, s:s, s:s}", "change", words[change->kind], "section",
				change->section, "what", change->what));
	else
		printf("%s %-9s %s%s\n", signs[change->kind], change->section, change->what,
			change->kind == POLICY_CHANGE_SAME ? " stays as it is" : "");
}

int command_policy_diff(struct client *client, const struct arguments *arguments)
{
	_cleanup_policy_ struct policy *before = NULL, *after = NULL;
	_cleanup_json_ json_t *rows = json_array();
	struct comparison comparison = {.json = client->json, .rows = rows};
	struct failure why = {0};

	if (arguments->n_words != 2 || arguments->n_rest)
		return call_misused(client, "policy diff wants two policy files.");
	if (policy_file_read(arguments->words[0], &before, &why) < 0 ||
		policy_file_read(arguments->words[1], &after, &why) < 0 ||
		policy_diff(before, after, take, &comparison, &why) < 0) {
		policy_file_complain("", "", &why);
		return EXIT_CODE_USAGE;
	}
	if (comparison.n && before->mode == after->mode)
		policy_file_note_mode(after);
	if (client->json)
		print_json(rows);
	else if (comparison.n == 0)
		printf("Both allow the same.\n");
	return comparison.n ? EXIT_CODE_FAILED : EXIT_CODE_DONE;
}
