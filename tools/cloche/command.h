/* The commands of the client: one table, one form, and what every handler is given. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "tools/cloche/arguments.h"
#include "tools/cloche/http.h"
#include "tools/cloche/key.h"

/* Exit codes of our own; run, exec and code otherwise pass on the command's. */
enum exit_code {
	EXIT_CODE_DONE = 0,
	EXIT_CODE_FAILED = 1,
	EXIT_CODE_USAGE = 2,
	EXIT_CODE_TIMEOUT = 124,     /* as timeout(1) */
	EXIT_CODE_OWN = 125,         /* run, exec, code: Cloche failed, not the command */
	EXIT_CODE_NOT_STARTED = 127, /* run, exec, code: the command could not be started */
	EXIT_CODE_SIGNAL = 128,      /* plus the signal's number */
};

struct command;

struct client {
	struct http *http;
	struct key key;
	bool json; /* print what the API said, verbatim */
	const struct command *command;
};

struct command {
	const char *name; /* one word or two: "policy show" */
	const char *usage;
	const char *summary;
	const struct option_form *options; /* ends with a zeroed row; NULL: none of its own */
	int (*handler)(struct client *client, const struct arguments *arguments);
	int failure_code; /* for what Cloche itself gets wrong */
	bool offline;     /* needs neither daemon nor key */
};

extern const struct command command_table[];
extern const size_t command_table_size;
/* Options that every command takes. */
extern const struct option_form command_options[];
/* The ones of these that mean something to commands that are offline; for --help alone. */
extern const struct option_form offline_options[];

/* Handlers; each returns the exit code of the program. */
int command_run(struct client *client, const struct arguments *arguments);
int command_exec(struct client *client, const struct arguments *arguments);
int command_code(struct client *client, const struct arguments *arguments);
int command_create(struct client *client, const struct arguments *arguments);
int command_list(struct client *client, const struct arguments *arguments);
int command_get(struct client *client, const struct arguments *arguments);
int command_set(struct client *client, const struct arguments *arguments);
int command_port(struct client *client, const struct arguments *arguments);
int command_remove(struct client *client, const struct arguments *arguments);
int command_logs(struct client *client, const struct arguments *arguments);
int command_events(struct client *client, const struct arguments *arguments);
int command_audit_export(struct client *client, const struct arguments *arguments);
int command_audit_tail(struct client *client, const struct arguments *arguments);
int command_audit_verify(struct client *client, const struct arguments *arguments);
int command_audit_proof(struct client *client, const struct arguments *arguments);
int command_audit_stream(struct client *client, const struct arguments *arguments);
int command_audit_checkpoint(struct client *client, const struct arguments *arguments);
int command_audit_keys(struct client *client, const struct arguments *arguments);
int command_top(struct client *client, const struct arguments *arguments);
int command_syscalls(struct client *client, const struct arguments *arguments);
int command_usage(struct client *client, const struct arguments *arguments);
int command_policy_list(struct client *client, const struct arguments *arguments);
int command_policy_show(struct client *client, const struct arguments *arguments);
int command_audit_rotate_key(struct client *client, const struct arguments *arguments);
int command_policy_reload(struct client *client, const struct arguments *arguments);
int command_policy_apply(struct client *client, const struct arguments *arguments);
int command_policy_promote(struct client *client, const struct arguments *arguments);
int command_policy_drop(struct client *client, const struct arguments *arguments);
int command_policy_rollback(struct client *client, const struct arguments *arguments);
int command_policy_shadow(struct client *client, const struct arguments *arguments);
int command_policy_versions(struct client *client, const struct arguments *arguments);
int command_policy_check(struct client *client, const struct arguments *arguments);
int command_policy_format(struct client *client, const struct arguments *arguments);
int command_policy_explain(struct client *client, const struct arguments *arguments);
int command_policy_diff(struct client *client, const struct arguments *arguments);
int command_policy_test(struct client *client, const struct arguments *arguments);
int command_policy_compile(struct client *client, const struct arguments *arguments);
int command_policy_replay(struct client *client, const struct arguments *arguments);
int command_policy_learn(struct client *client, const struct arguments *arguments);
int command_templates(struct client *client, const struct arguments *arguments);
int command_template_set(struct client *client, const struct arguments *arguments);
int command_tenant_create(struct client *client, const struct arguments *arguments);
int command_tenant_set(struct client *client, const struct arguments *arguments);
int command_tenant_list(struct client *client, const struct arguments *arguments);
int command_tenant_remove(struct client *client, const struct arguments *arguments);
int command_key_create(struct client *client, const struct arguments *arguments);
int command_key_list(struct client *client, const struct arguments *arguments);
int command_key_remove(struct client *client, const struct arguments *arguments);
int command_webhook_add(struct client *client, const struct arguments *arguments);
int command_webhook_list(struct client *client, const struct arguments *arguments);
int command_webhook_remove(struct client *client, const struct arguments *arguments);
int command_status(struct client *client, const struct arguments *arguments);
int command_version(struct client *client, const struct arguments *arguments);
