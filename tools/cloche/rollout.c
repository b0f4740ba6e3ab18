/* policy apply, promote, drop, rollback, versions, shadow: changing what is in force. For
 * administrators. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/base/fd.h"
#include "tools/cloche/call.h"
#include "tools/cloche/print.h"

#define POLICY_BYTES_MAX (1U << 20) /* the API takes less, and says so */
#define HEADER_SIZE 128

/* What goes along with a change. */
struct condition {
	char match[HEADER_SIZE], commit[HEADER_SIZE];
	const char *headers[3];
};

static int read_condition(const struct arguments *arguments, struct condition *ret_condition)
{
	const char *match = arguments_text(arguments, "if-match");
	const char *commit = arguments_text(arguments, "commit");
	size_t n = 0;

	*ret_condition = (struct condition){0};
	if (match && strcmp(match, "none") == 0)
		snprintf(ret_condition->match, HEADER_SIZE, "If-None-Match: *");
	else if (match && strlen(match) == 64)
		snprintf(ret_condition->match, HEADER_SIZE, "If-Match: \"%s\"", match);
	else if (match)
		return -EINVAL;
	if (commit && (strlen(commit) > 64 || strpbrk(commit, "\r\n")))
		return -EINVAL;
	if (commit)
		snprintf(ret_condition->commit, HEADER_SIZE, "X-Cloche-Commit: %s", commit);
	if (match)
		ret_condition->headers[n++] = ret_condition->match;
	if (commit)
		ret_condition->headers[n++] = ret_condition->commit;
	return 0;
}

/* "asked for 2 sandboxes"; and for how many it should be, and cannot. */
static void print_asked(const json_t *staged)
{
	uint64_t not_asked = print_number(staged, "not_asked");
	char asked[PRINT_CELL_SIZE];

	printf("asked for %s", print_sandboxes(asked, print_number(staged, "asked")));
	if (not_asked)
		printf(", and not for %" PRIu64 " more that it would change something for",
			not_asked);
}

static void print_change(const json_t *answer)
{
	const char *before = json_string_value(json_object_get(answer, "hash_before"));

	if (strcmp(print_member(answer, "stage"), "shadow") == 0) {
		printf("%s %s is ", print_member(answer, "name"), print_member(answer, "hash"));
		print_asked(answer);
		printf(" (in force: %s)\n", before ? before : "none");
	} else
		printf("%s %s (was %s)%s\n", print_member(answer, "name"),
			print_member(answer, "hash"), before ? before : "not there",
			strcmp(print_member(answer, "mode"), "learn") == 0
				? ": it learns, and denies nothing by itself"
				: "");
}

static int change(struct client *client, const char *path, const struct condition *condition,
	const char *body)
{
	_cleanup_json_ json_t *answer = NULL;
	int code = call_text(client, path, condition->headers, body, &answer);

	if (code == 0 && !client->json)
		print_change(answer);
	return code;
}

#define MISUSED_CONDITION "--if-match takes a whole hash or \"none\", --commit 7 to 64 of 0-9a-f."

int command_policy_apply(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *policy = NULL;
	_cleanup_free_ char *text = NULL;
	const char *stage = arguments_text(arguments, "stage");
	struct condition condition;
	char path[CALL_PATH_SIZE];
	struct failure why = {0};
	json_error_t error;
	const char *name;
	size_t size;
	int r;

	if (arguments->n_words != 1 || arguments->n_rest)
		return call_misused(client, "policy apply wants one file.");
	if (read_condition(arguments, &condition) < 0)
		return call_misused(client, MISUSED_CONDITION);
	if (stage && strcmp(stage, "shadow") != 0 && strcmp(stage, "enforce") != 0)
		return call_misused(client, "--stage is shadow or enforce.");
	r = fd_read_file_at(AT_FDCWD, arguments->words[0], POLICY_BYTES_MAX, &text, &size);
	if (r < 0) {
		failure_set(&why, r, "policy", "%s: %s.", arguments->words[0], strerror(-r));
		return call_failed(client, &why);
	}
	policy = json_loadb(text, size, 0, &error);
	name = json_string_value(json_object_get(policy, "name"));
	if (!name || strlen(text) != size || call_path(path, "/v1/policies/", name, NULL) < 0 ||
		call_query(path, "stage", stage) < 0) {
		failure_set(&why, -EINVAL, "policy",
			"%s is no policy with a name; 'cloche policy check' says more.",
			arguments->words[0]);
		return call_failed(client, &why);
	}
	return change(client, path, &condition, text);
}

#define MISUSED_HASH "A hash is whole, 64 digits, as 'cloche policy versions NAME' prints it."

int command_policy_promote(struct client *client, const struct arguments *arguments)
{
	struct condition condition;
	char path[CALL_PATH_SIZE];

	if (arguments->n_words != 2 || arguments->n_rest)
		return call_misused(client, "policy promote wants a policy's name and a hash.");
	if (read_condition(arguments, &condition) < 0)
		return call_misused(client, MISUSED_CONDITION);
	if (strlen(arguments->words[1]) != 64)
		return call_misused(client, MISUSED_HASH);
	if (call_path(path, "/v1/policies/", arguments->words[0], NULL) < 0 ||
		call_query(path, "stage", "enforce") < 0 ||
		call_query(path, "hash", arguments->words[1]) < 0)
		return call_misused(client, "That is no policy's name.");
	return change(client, path, &condition, "");
}

int command_policy_drop(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *answer = NULL;
	char path[CALL_PATH_SIZE];
	int code;

	if (arguments->n_words < 1 || arguments->n_words > 2 || arguments->n_rest)
		return call_misused(client, "policy drop wants a policy's name, and maybe a hash.");
	if (call_path(path, "/v1/policies/", arguments->words[0], NULL) < 0 ||
		call_query(path, "stage", "shadow") < 0 ||
		call_query(path, "hash", arguments->n_words > 1 ? arguments->words[1] : NULL) < 0)
		return call_misused(client, "That is no policy's name.");
	code = call_json(client, "DELETE", path, NULL, &answer);
	if (code == 0 && !client->json)
		printf("%s\n", arguments->words[0]);
	return code;
}

int command_policy_rollback(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *body = NULL;
	_cleanup_free_ char *text = NULL;
	struct condition condition;
	char path[CALL_PATH_SIZE];

	if (arguments->n_words != 2 || arguments->n_rest)
		return call_misused(client, "policy rollback wants a policy's name and a hash.");
	if (read_condition(arguments, &condition) < 0)
		return call_misused(client, MISUSED_CONDITION);
	if (strlen(arguments->words[1]) != 64)
		return call_misused(client, MISUSED_HASH);
	if (call_path(path, "/v1/policies/", arguments->words[0], "/rollback", NULL) < 0)
		return call_misused(client, "That is no policy's name.");
	body = json_pack("{s:s}", "hash", arguments->words[1]);
	text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	if (!text)
		return call_misused(client, "That is no hash.");
	return change(client, path, &condition, text);
}

static void print_staged(const json_t *staged)
{
	const char *error = json_string_value(json_object_get(staged, "error"));
	const char *commit = json_string_value(json_object_get(staged, "commit"));

	if (!json_is_object(staged))
		return;
	printf("staged: %s, since %s by %s", print_member(staged, "hash"),
		print_member(staged, "since"), print_member(staged, "by_key"));
	printf("%s%s, ", commit ? " of commit " : "", commit ? commit : "");
	if (error)
		printf("is not asked: %s", error);
	else
		print_asked(staged);
	printf("\n");
}

int command_policy_versions(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *answer = NULL;
	struct print_table table = {0};
	char path[CALL_PATH_SIZE];
	const json_t *version;
	size_t i;
	int code;

	if (arguments->n_words != 1 || arguments->n_rest)
		return call_misused(client, "policy versions wants the name of one policy.");
	if (call_path(path, "/v1/policies/", arguments->words[0], "/versions", NULL) < 0)
		return call_misused(client, "That is no policy's name.");
	code = call_json(client, "GET", path, NULL, &answer);
	if (code || client->json)
		return code;
	print_row(&table, "SINCE", "HASH", "BY", "COMMIT", NULL);
	json_array_foreach(json_object_get(answer, "versions"), i, version)
		print_row(&table, print_member(version, "since"), print_member(version, "hash"),
			print_member(version, "by_key"), print_member(version, "commit"), NULL);
	print_table_end(&table);
	print_staged(json_object_get(answer, "staged"));
	return EXIT_CODE_DONE;
}

static void add_sums(struct print_table *table, const json_t *rules, const char *version)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rules, i, row)
	{
		const json_t *rule = json_object_get(row, "rule");
		const char *part = json_string_value(json_object_get(row, "part"));
		char count[PRINT_CELL_SIZE], number[PRINT_CELL_SIZE] = "-";

		if (json_is_integer(rule))
			print_count(number, (int64_t)json_integer_value(rule));
		print_row(table, print_member(row, "outcome"),
			print_count(count, (int64_t)print_number(row, "count")),
			part ? part : number, print_member(row, "policy"), version,
			print_member(json_object_get(row, "example"), "act"), NULL);
	}
}

int command_policy_shadow(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *answer = NULL;
	struct print_table table = {.right = 2};
	char path[CALL_PATH_SIZE];
	const json_t *staged, *rules, *staged_rules;
	int code;

	if (arguments->n_words != 1 || arguments->n_rest)
		return call_misused(client, "policy shadow wants the name of one policy.");
	if (call_path(path, "/v1/policies/", arguments->words[0], "/shadow", NULL) < 0)
		return call_misused(client, "That is no policy's name.");
	code = call_json(client, "GET", path, NULL, &answer);
	if (code || client->json)
		return code;
	staged = json_object_get(answer, "staged");
	rules = json_object_get(answer, "rules");
	staged_rules = json_object_get(staged, "rules");
	if (json_array_size(rules) + json_array_size(staged_rules) == 0) {
		printf("Nothing was decided beside it yet: it was asked for no sandbox, or about "
		       "nothing.\n");
	} else {
		print_row(&table, "OUTCOME", "COUNT", "RULE", "OF", "CANDIDATE", "EXAMPLE", NULL);
		add_sums(&table, rules, "in force");
		add_sums(&table, staged_rules, "staged");
		print_table_end(&table);
	}
	print_staged(staged);
	return EXIT_CODE_DONE;
}
