#include "supervisor/core/sandbox/exec-message.h"

#include <errno.h>
#include <linux/filter.h>
#include <string.h>

#include "supervisor/wire/strings.h"

#define ENV_MAX 1024
#define USER_UID 1000

struct environment {
	const char *entries[ENV_MAX];
	uint32_t n;
};

/* A later entry with the same name replaces an earlier one. */
static int add_entry(struct environment *environment, const char *entry)
{
	size_t name_size = strcspn(entry, "=") + 1;

	for (uint32_t i = 0; i < environment->n; i++) {
		if (strncmp(environment->entries[i], entry, name_size) == 0) {
			environment->entries[i] = entry;
			return 0;
		}
	}
	if (environment->n == ENV_MAX)
		return -E2BIG;
	environment->entries[environment->n++] = entry;
	return 0;
}

static int collect(struct environment *environment, const struct sandbox *sandbox,
	const struct wire_exec_start *request, const char *request_env)
{
	static const char *const defaults[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
		"TMPDIR=/tmp"};
	const char *cursor = sandbox->env;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
		add_entry(environment, defaults[i]);
	add_entry(environment, request->uid == 0 ? "HOME=/root" : "HOME=/home/sandbox");
	add_entry(environment, request->uid == 0 ? "USER=root" : "USER=sandbox");
	for (uint32_t i = 0; i < sandbox->n_env && r == 0; i++)
		r = add_entry(environment, wire_strings_next(&cursor));
	cursor = request_env;
	for (uint32_t i = 0; i < request->n_env && r == 0; i++)
		r = add_entry(environment, wire_strings_next(&cursor));
	return r;
}

static int add_bytes(struct wire_strings *strings, const void *bytes, size_t size)
{
	char *larger = realloc(strings->bytes, strings->size + size + 1);

	if (!larger)
		return -ENOMEM;
	memcpy(larger + strings->size, bytes, size);
	strings->bytes = larger;
	strings->size += size;
	strings->room = strings->size + 1;
	return 0;
}

/* argv, environment, directory, filter: the order that wire/init.h states. */
static int write_tail(struct wire_strings *strings, const struct exec *exec,
	const struct wire_exec_start *request, const char *tail, uint32_t *ret_n_env)
{
	const struct effective *effective = exec->sandbox->effective;
	struct environment environment = {.n = 0};
	const char *cursor = tail, *cwd;
	int r = 0;

	for (uint32_t i = 0; i < request->argc && r == 0; i++)
		r = wire_strings_add(strings, wire_strings_next(&cursor));
	if (r == 0)
		r = collect(&environment, exec->sandbox, request, cursor);
	for (uint32_t i = 0; i < environment.n && r == 0; i++)
		r = wire_strings_add(strings, environment.entries[i]);
	for (uint32_t i = 0; i < request->n_env; i++)
		wire_strings_next(&cursor);
	cwd = wire_strings_next(&cursor);
	if (!cwd[0])
		cwd = request->uid == USER_UID ? "/home/sandbox" : "/";
	if (r == 0)
		r = wire_strings_add(strings, cwd);
	if (r == 0)
		r = add_bytes(strings, effective->filter,
			effective->n_filter * sizeof(struct sock_filter));
	*ret_n_env = environment.n;
	return r;
}

int exec_message_send(struct exec *exec, const struct wire_exec_start *request, const char *tail,
	const int theirs[3], struct refusal *why)
{
	struct wire_init_exec body = {.uid = request->uid,
		.gid = request->gid,
		.argc = request->argc,
		.open_files = exec->sandbox->effective->policy->limits.open_files,
		.n_filter = (uint32_t)exec->sandbox->effective->n_filter};
	_cleanup_(wire_strings_fini) struct wire_strings strings = {0};
	int r = write_tail(&strings, exec, request, tail, &body.n_env);

	if (r == 0)
		r = channel_send(exec->sandbox->init, WIRE_INIT_EXEC, exec->id, &body, sizeof(body),
			strings.bytes, strings.size, theirs, 3);
	if (r == -E2BIG || r == -EMSGSIZE)
		return refuse(why, WIRE_CODE_TOO_LARGE,
			"Arguments and environment are more than a command may be given (about %d "
			"KiB "
			"in all). Send large data through standard input.",
			WIRE_ARGV_BYTES_MAX / 1024);
	if (r < 0)
		return refuse(why, WIRE_CODE_CONFLICT, "The sandbox does not take commands: %s.",
			strerror(-r));
	return 0;
}

void exec_message_explain(
	const struct wire_init_refused *row, const struct policy *policy, struct refusal *ret_why)
{
	const char *text = strerror(-row->error);

	/* The kernel does not say which of the two it was. */
	if (row->stage == WIRE_INIT_STAGE_EXEC && row->error == -EACCES &&
		policy->executables.limited) {
		refuse(ret_why, WIRE_CODE_COMMAND,
			"Policy \"%s\" does not allow to execute the command, the interpreter that "
			"its first line names, or /bin/sh for a script without one: they are not "
			"in its \"executables\". Or its mode does not: %s.",
			policy->name, text);
		return;
	}

	switch ((enum wire_init_stage)row->stage) {
	case WIRE_INIT_STAGE_CWD:
		refuse(ret_why, WIRE_CODE_COMMAND, "The command's directory cannot be entered: %s.",
			text);
		return;
	case WIRE_INIT_STAGE_EXEC:
		refuse(ret_why, WIRE_CODE_COMMAND,
			row->error == -ENOENT ? "The command was not found in the sandbox "
						"(argv[0], searched in PATH)."
					      : "The command could not be executed: %s.",
			text);
		return;
	case WIRE_INIT_STAGE_FORK:
		refuse(ret_why, WIRE_CODE_LIMIT,
			"The sandbox has as many processes as it may have (limits.pids): %s.",
			text);
		return;
	case WIRE_INIT_STAGE_MESSAGE:
	case WIRE_INIT_STAGE_IDENTITY:
	case WIRE_INIT_STAGE_PRIVILEGES:
	case WIRE_INIT_STAGE_FILTER:
		break;
	}
	refuse(ret_why, WIRE_CODE_INTERNAL, "The command was not started (stage %u): %s.",
		row->stage, text);
}
