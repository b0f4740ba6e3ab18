#include "supervisor/policy/acts/part.h"

#include <stdio.h>
#include <string.h>

static void name_part(char *text, const char *part, const char *entry)
{
	snprintf(text, POLICY_PART_SIZE, "%s %s", part, entry);
}

static void name_path(const struct policy_path *path, char *text)
{
	static const char *const parts[] = {[POLICY_ACCESS_HIDDEN] = "files.hidden",
		[POLICY_ACCESS_READ_ONLY] = "files.read_only",
		[POLICY_ACCESS_WRITABLE] = "files.writable"};

	name_part(text, parts[path->access], path->path);
}

static void decide_path(const struct policy *policy, const struct policy_act *act, char *text)
{
	const struct policy_path *path = policy_path_at(policy, act->name);
	const char *code = act->kind == POLICY_ACT_WRITE ? policy_code_at(policy, act->name) : NULL;

	if (code && (!path || path->access == POLICY_ACCESS_WRITABLE))
		name_part(text, "executables", code);
	else if (path)
		name_path(path, text);
	else
		strcpy(text, "files");
}

static void decide_program(const struct policy *policy, const struct policy_act *act, char *text)
{
	const struct policy_path *path = policy_path_at(policy, act->name);
	const struct policy_program *program = policy_program_at(policy, act->name);

	if (path && path->access == POLICY_ACCESS_HIDDEN)
		name_path(path, text);
	else if (program)
		name_part(text, "executables.allow", program->path);
	else
		strcpy(text, policy->executables.limited ? "executables.allow" : "executables");
}

/* Of a rule with arguments what it denies. */
static void decide_call(const struct policy *policy, const struct policy_act *act, char *text)
{
	static const char *const profiles[] = {[POLICY_CALL_STRICT] = "strict",
		[POLICY_CALL_DEFAULT] = "default",
		[POLICY_CALL_DEBUG] = "debug"};
	bool is_open =
		policy_allows_call(policy, act->name, (enum policy_call_level)act->call_level);
	const struct policy_call_rule *rule =
		is_open ? policy_find_call_rule(policy, act->name, act->arguments, act->given)
			: NULL;
	char what[POLICY_CALL_RULE_TEXT_SIZE];

	if (rule)
		name_part(text, "syscalls.deny", policy_call_rule_format(rule, what));
	else if (policy->executables.limited && strcmp(act->name, POLICY_CALL_MEMORY_FILE) == 0)
		strcpy(text, "executables");
	else if (is_open == (act->call_level <= policy->profile))
		name_part(text, "syscalls.profile", profiles[policy->profile]);
	else
		name_part(text, is_open ? "syscalls.allow" : "syscalls.deny", act->name);
}

const char *policy_part(
	const struct policy *policy, const struct policy_act *act, char ret_text[POLICY_PART_SIZE])
{
	ret_text[0] = '\0';
	switch (act->kind) {
	case POLICY_ACT_SYSCALL:
		decide_call(policy, act, ret_text);
		break;
	case POLICY_ACT_READ:
	case POLICY_ACT_WRITE:
		decide_path(policy, act, ret_text);
		break;
	case POLICY_ACT_EXECUTE:
		decide_program(policy, act, ret_text);
		break;
	case POLICY_ACT_CONNECT:
	case POLICY_ACT_SEND:
	case POLICY_ACT_RESOLVE:
	case POLICY_ACT_INBOUND:
	case POLICY_ACT_OPEN:
	case POLICY_ACT_USE:
	case POLICY_ACT_OMIT:
		break;
	}
	return ret_text;
}
