/* Every command: its name, what it takes, what it does. Help, manual and completion follow this. */
#include "supervisor/base/cleanup.h"
#include "tools/cloche/body.h"
#include "tools/cloche/command.h"
#include "tools/cloche/events.h"

const struct option_form command_options[] = {
	{"url", "URL", "where the daemon listens: unix:///PATH or http://HOST:PORT ($CLOCHE_URL)",
		false},
	{"key-file", "FILE", "read the key from FILE ($CLOCHE_KEY, <state>/admin.key)", false},
	{"json", NULL, "print what the API says, unchanged", false},
	{"help", NULL, "say this", false},
	{0},
};

const struct option_form offline_options[] = {
	{"json", NULL, "print for programs, where there is a form for them", false},
	{"help", NULL, "say this", false},
	{0},
};

static const struct option_form run_options[] = {
	BODY_SANDBOX_OPTIONS,
	BODY_ENV_OPTION,
	{"timeout", "SECONDS", "kill the command after this time (exit code 124)", false},
	BODY_COMMAND_OPTIONS,
	{"keep", NULL, "leave the sandbox there afterwards", false},
	{0},
};

static const struct option_form create_options[] = {
	BODY_SANDBOX_OPTIONS,
	BODY_ENV_OPTION,
	{"timeout", "SECONDS", "end the sandbox after this time", false},
	{0},
};

static const struct option_form set_options[] = {
	{"policy", "NAME", "what it may reach from now on, within the tenant's policy", false},
	{"shadow", "NAME", "a policy to ask beside that one; \"-\": take back what you named",
		false},
	{"no-shadow", NULL, "ask none, whatever its tenant or template have", false},
	{0},
};

static const struct option_form template_set_options[] = {
	{"shadow", "NAME", "a policy to ask beside those of all its sandboxes; \"-\": none", false},
	{0},
};

static const struct option_form list_options[] = {
	{"label", "KEY=VALUE", "only those with this label", true},
	{0},
};

static const struct option_form exec_options[] = {
	BODY_ENV_OPTION,
	{"timeout", "SECONDS", "kill the command after this time (exit code 124)", false},
	BODY_COMMAND_OPTIONS,
	{"shell", "TEXT", "run TEXT with sh -c instead of a command after \"--\"", false},
	{"detach", NULL, "print the command's id and let it run; its output is dropped", false},
	{0},
};

static const struct option_form code_options[] = {
	{"language", "NAME", "python, node or shell", false},
	{"sandbox", "ID", "run it there instead of in a sandbox of its own", false},
	BODY_SANDBOX_OPTIONS,
	BODY_ENV_OPTION,
	{"timeout", "SECONDS", "kill the program after this time (exit code 124)", false},
	{0},
};

static const struct option_form logs_options[] = {
	{"follow", NULL, "go on with what comes", false},
	{0},
};

static const struct option_form events_options[] = {
	{"follow", NULL, "go on with what comes", false},
	{"after", "SEQ", "only records after this sequence number", false},
	EVENTS_FILTER_OPTIONS,
	EVENTS_UNTIL_OPTION,
	{"limit", "N", "so many records at most", false},
	{0},
};

static const struct option_form audit_export_options[] = {
	EVENTS_FILTER_OPTIONS,
	EVENTS_UNTIL_OPTION,
	{"after", "SEQ", "only records after this sequence number", false},
	{"format", "NAME", "ndjson (the records as they are in the log) or ocsf (ndjson)", false},
	{"output", "FILE", "write to FILE, which appears when it is whole", false},
	{0},
};

static const struct option_form audit_tail_options[] = {
	EVENTS_FILTER_OPTIONS,
	{0},
};

static const struct option_form audit_verify_options[] = {
	{"key", "KEY", "the log's public key, or a file with it, from elsewhere than the log",
		false},
	{"witness", "FILE", "checkpoints that somebody else kept", false},
	{"max-gap", "SECONDS", "longest time between two checkpoints", false},
	{"sealed", NULL, "no record may come after the newest checkpoint", false},
	{"sandbox", "ID", "tell of this one, too", false},
	{0},
};

static const struct option_form audit_proof_options[] = {
	{"size", "N", "in the checkpoint of this size instead of the newest", false},
	{"output", "FILE", "write it there", false},
	{0},
};

static const struct option_form audit_stream_options[] = {
	{"output", "DIR", "write it there", false},
	{0},
};

static const struct option_form audit_keys_options[] = {
	{"save", "DIR", "write keys and certificates there, for cloche-verify --keys", false},
	{0},
};

static const struct option_form webhook_add_options[] = {
	{"type", "TYPE,...", "only these types, or their first parts", false},
	{"verdict", "WORD", "only records with this verdict: allow, deny", false},
	{"tenant", "NAME", "only records of this tenant", false},
	{"format", "NAME", "ndjson or ocsf", false},
	{"after", "SEQ", "begin after this sequence number (with what comes from now on)", false},
	{"internal", NULL, "may be http, this host or its networks (administrators)", false},
	{0},
};

static const struct option_form usage_options[] = {
	{"tenant", "NAME", "of this tenant (administrators)", false},
	{"all", NULL, "a row for every tenant (administrators)", false},
	{"group-by", "WHAT",
		"a row for each: sandbox, tenant, destination, label:KEY, host (--since)", false},
	{"since", "TIME", "from then on: RFC 3339, or 90m, 6h, 7d ago", false},
	{"until", "TIME", "up to then", false},
	{"step", "SECONDS", "a row for each so many seconds", false},
	{"csv", NULL, "print rows as CSV, with a heading", false},
	{0},
};

static const struct option_form top_options[] = {
	{"tenant", "NAME", "only this tenant's (administrators)", false},
	{"sort", "KEY", "c CPU, m memory, n network, b block I/O, d denials, a age", false},
	{"interval", "SECONDS", "between two looks (1)", false},
	{"once", NULL, "print one page, also where there is no terminal", false},
	{0},
};

static const struct option_form tenant_create_options[] = {
	{"policy", "NAME", "what bounds all its sandboxes (deny-all)", false},
	{"sandboxes-max", "N", "so many sandboxes at a time", false},
	{"budget", "KEY=VALUE", "what all of them may use together: connections=1000, per=1h",
		true},
	{0},
};

static const struct option_form tenant_set_options[] = {
	{"budget", "KEY=VALUE", "what all its sandboxes may use together from now on", true},
	{"no-budgets", NULL, "what they like", false},
	{"shadow", "NAME", "a policy to ask beside those of all its sandboxes; \"-\": none", false},
	{0},
};

static const struct option_form key_create_options[] = {
	{"tenant", "NAME", "whose key", false},
	{"description", "TEXT", "shown in the list", false},
	{"administrator", NULL, "may manage tenants and keys", false},
	{0},
};

static const struct option_form key_list_options[] = {
	{"tenant", "NAME", "only this tenant's", false},
	{0},
};

#define CHANGE_OPTIONS                                                                             \
	{"if-match", "HASH", "only if this is in force now; \"none\": only if there is none",      \
		false},                                                                            \
	{                                                                                          \
		"commit", "ID", "of the change, for the record", false                             \
	}

static const struct option_form policy_show_options[] = {
	{"staged", NULL, "the staged version (administrators)", false},
	{0},
};

static const struct option_form policy_apply_options[] = {
	{"stage", "STAGE", "shadow: have it asked, not enforced (enforce)", false},
	CHANGE_OPTIONS,
	{0},
};

static const struct option_form policy_rollback_options[] = {
	CHANGE_OPTIONS,
	{0},
};

static const struct option_form policy_check_options[] = {
	{"sarif", NULL, "print findings as SARIF 2.1.0, for code review", false},
	{0},
};

static const struct option_form policy_format_options[] = {
	{"check", NULL, "write nothing; list files that are not in the form, and fail", false},
	{0},
};

static const struct option_form policy_explain_options[] = {
	{"would", "ACT",
		"judge an act, as \"connect HOST:PORT\" or \"read PATH\"; cloche(1) has them all",
		true},
	{0},
};

static const struct option_form policy_test_options[] = {
	{"mutate", NULL, "then break the policy in every way that the cases should notice", false},
	{0},
};

#define LOG_OPTIONS                                                                                \
	{"label", "KEY=VALUE", "only what sandboxes with this label did", true},                   \
		{"template", "NAME", "only what sandboxes from this template did", false},         \
	{                                                                                          \
		"sandbox", "ID", "only what this sandbox did", false                               \
	}

static const struct option_form policy_replay_options[] = {
	{"audit", "LOG", "exported records, a directory of segments, or \"-\"", false},
	LOG_OPTIONS,
	{"examples", "N", "show so many different acts of each change (20)", false},
	{0},
};

static const struct option_form policy_learn_options[] = {
	{"from", "LOG", "exported records, a directory of segments, or \"-\"", false},
	LOG_OPTIONS,
	{"name", "NAME", "of the policy (learnt)", false},
	{"wildcard-after", "N", "write *.NAME once N names lie right below NAME (10; 0: never)",
		false},
	{"directory-after", "N", "write a directory once N paths lie right below it (10; 0: never)",
		false},
	{"output", "FILE", "write it there instead of to standard output", false},
	{0},
};

static const struct option_form policy_compile_options[] = {
	{"output", "FILE", "write the image there", false},
	{0},
};

const struct command command_table[] = {
	{"run", "[options] -- COMMAND…", "run a command in a sandbox made for it", run_options,
		command_run, EXIT_CODE_OWN, false},
	{"create", "[options]", "make a sandbox and print its id", create_options, command_create,
		EXIT_CODE_FAILED, false},
	{"ls", "[--label KEY=VALUE]…", "list sandboxes", list_options, command_list,
		EXIT_CODE_FAILED, false},
	{"get", "ID", "show one sandbox", NULL, command_get, EXIT_CODE_FAILED, false},
	{"set", "ID --policy NAME | --shadow NAME | --no-shadow",
		"put a sandbox under another policy", set_options, command_set, EXIT_CODE_FAILED,
		false},
	{"port", "ID PORT", "print the URL of a port inside", NULL, command_port, EXIT_CODE_FAILED,
		false},
	{"exec", "ID [options] -- COMMAND…", "run a command in a sandbox", exec_options,
		command_exec, EXIT_CODE_OWN, false},
	{"code", "--language NAME [options] [FILE|-]", "run a program's text", code_options,
		command_code, EXIT_CODE_OWN, false},
	{"rm", "ID…", "end sandboxes", NULL, command_remove, EXIT_CODE_FAILED, false},
	{"logs", "ID [--follow]", "show what a sandbox did: its audit records", logs_options,
		command_logs, EXIT_CODE_FAILED, false},
	{"events", "[options]", "show audit records", events_options, command_events,
		EXIT_CODE_FAILED, false},
	{"audit export", "[options]", "write a range of the audit log", audit_export_options,
		command_audit_export, EXIT_CODE_FAILED, false},
	{"audit tail", "[options]", "show audit records as they come", audit_tail_options,
		command_audit_tail, EXIT_CODE_FAILED, false},
	{"audit verify", "--key KEY [options] [DIR]", "check a log with cloche-verify",
		audit_verify_options, command_audit_verify, EXIT_CODE_USAGE, true},
	{"audit proof", "SEQ [options]", "prove that a record is in the signed log",
		audit_proof_options, command_audit_proof, EXIT_CODE_FAILED, false},
	{"audit stream", "ID --output DIR", "save a sandbox's records with what proves them",
		audit_stream_options, command_audit_stream, EXIT_CODE_FAILED, false},
	{"audit checkpoint", "", "print the log's newest signed checkpoint", NULL,
		command_audit_checkpoint, EXIT_CODE_FAILED, false},
	{"audit keys", "[--save DIR]", "print the log's public keys", audit_keys_options,
		command_audit_keys, EXIT_CODE_FAILED, false},
	{"audit rotate-key", "", "sign the audit log with a new key, and print it", NULL,
		command_audit_rotate_key, EXIT_CODE_FAILED, false},
	{"syscalls", "ID", "show how often each system call was made", NULL, command_syscalls,
		EXIT_CODE_FAILED, false},
	{"top", "[options]", "watch what sandboxes use now", top_options, command_top,
		EXIT_CODE_FAILED, false},
	{"usage", "[ID | --tenant NAME | --all] [options]", "show what was used: the bill",
		usage_options, command_usage, EXIT_CODE_FAILED, false},
	{"policy list", "", "list policies", NULL, command_policy_list, EXIT_CODE_FAILED, false},
	{"policy show", "NAME [--staged]", "show one policy", policy_show_options,
		command_policy_show, EXIT_CODE_FAILED, false},
	{"policy reload", "", "read the policy files again", NULL, command_policy_reload,
		EXIT_CODE_FAILED, false},
	{"policy apply", "FILE [options]", "put a policy in force", policy_apply_options,
		command_policy_apply, EXIT_CODE_FAILED, false},
	{"policy promote", "NAME HASH [options]", "put the staged version in force",
		policy_rollback_options, command_policy_promote, EXIT_CODE_FAILED, false},
	{"policy drop", "NAME [HASH]", "forget the staged version", NULL, command_policy_drop,
		EXIT_CODE_FAILED, false},
	{"policy rollback", "NAME HASH [options]", "put an earlier version in force",
		policy_rollback_options, command_policy_rollback, EXIT_CODE_FAILED, false},
	{"policy shadow", "NAME", "say what a policy would have decided otherwise", NULL,
		command_policy_shadow, EXIT_CODE_FAILED, false},
	{"policy versions", "NAME", "list what a policy has been", NULL, command_policy_versions,
		EXIT_CODE_FAILED, false},
	{"policy check", "PATH… [--sarif]", "say whether policy files are good",
		policy_check_options, command_policy_check, EXIT_CODE_FAILED, true},
	{"policy fmt", "PATH… [--check]", "write policy files in the one form",
		policy_format_options, command_policy_format, EXIT_CODE_FAILED, true},
	{"policy explain", "FILE [--would ACT]…", "say what a policy file means, or says to an act",
		policy_explain_options, command_policy_explain, EXIT_CODE_FAILED, true},
	{"policy diff", "FILE FILE", "say what a change would allow and deny", NULL,
		command_policy_diff, EXIT_CODE_USAGE, true},
	{"policy test", "FILE [CASES] [--mutate]", "hold a policy file against a table of acts",
		policy_test_options, command_policy_test, EXIT_CODE_FAILED, true},
	{"policy compile", "FILE [--output FILE]",
		"make the kernel's image of a policy, and its hash", policy_compile_options,
		command_policy_compile, EXIT_CODE_FAILED, true},
	{"policy replay", "FILE --audit LOG [options]", "say what a policy would have changed",
		policy_replay_options, command_policy_replay, EXIT_CODE_USAGE, true},
	{"policy learn", "--from LOG [options]", "write the policy that allows what was done",
		policy_learn_options, command_policy_learn, EXIT_CODE_FAILED, true},
	{"templates", "", "list what sandboxes start from", NULL, command_templates,
		EXIT_CODE_FAILED, false},
	{"template set", "NAME --shadow NAME", "have a policy asked for a template's sandboxes",
		template_set_options, command_template_set, EXIT_CODE_FAILED, false},
	{"tenant create", "NAME [options]", "make a tenant", tenant_create_options,
		command_tenant_create, EXIT_CODE_FAILED, false},
	{"tenant set", "NAME --budget KEY=VALUE… | --shadow NAME",
		"change a tenant's budgets or candidate", tenant_set_options, command_tenant_set,
		EXIT_CODE_FAILED, false},
	{"tenant ls", "", "list tenants", NULL, command_tenant_list, EXIT_CODE_FAILED, false},
	{"tenant rm", "NAME…", "end tenants, their sandboxes and keys", NULL, command_tenant_remove,
		EXIT_CODE_FAILED, false},
	{"webhook add", "URL [options]", "have audit records sent to a URL", webhook_add_options,
		command_webhook_add, EXIT_CODE_FAILED, false},
	{"webhook ls", "", "list webhooks and how far each is", NULL, command_webhook_list,
		EXIT_CODE_FAILED, false},
	{"webhook rm", "ID…", "delete webhooks", NULL, command_webhook_remove, EXIT_CODE_FAILED,
		false},
	{"key create", "--tenant NAME [options]", "make a key and print it", key_create_options,
		command_key_create, EXIT_CODE_FAILED, false},
	{"key ls", "[--tenant NAME]", "list keys", key_list_options, command_key_list,
		EXIT_CODE_FAILED, false},
	{"key rm", "ID…", "revoke keys", NULL, command_key_remove, EXIT_CODE_FAILED, false},
	{"status", "", "say whether the daemon is ready", NULL, command_status, EXIT_CODE_FAILED,
		false},
	{"version", "", "print the version", NULL, command_version, EXIT_CODE_FAILED, true},
};

const size_t command_table_size = ARRAY_SIZE(command_table);
