/* A call is an act by its name: the filter let it through, whatever came of it then, or refused it.
 * If it named files, these are acts as well, as far as the log knows what was decided and where:
 *
 * - what succeeded was allowed to change the path, or to read it;
 * - EROFS is what the read-only parts of a sandbox answer, so changing the path was denied;
 * - any other failure would be one under each policy, or it cannot be told from one: passed over.
 *
 * A path that was opened is the kernel's word. Others are the program's, and symbolic links in them
 * are not known here. A relative one goes on from a directory that is the kernel's word, if the log
 * has that. */
#include "supervisor/policy/acts/recorded-calls.h"

#include <string.h>

#include "supervisor/base/cleanup.h"

#define EXE_ROOM 128 /* ABI_EXE_SIZE, which a record's executable and script may have filled */

/* What a call does to the paths that it names. */
enum effect {
	EFFECT_NONE,
	EFFECT_READ,
	EFFECT_CHANGE, /* of the file itself */
	EFFECT_ENTRY,  /* of the directory around: something there is made, named or taken away */
	EFFECT_DIRECTORY, /* a directory is made */
};

static const struct call {
	const char *name;
	enum effect effects[2]; /* of "path", "second_path" */
} calls[] = {
	{"access", {EFFECT_READ}},
	{"bind", {EFFECT_ENTRY}},
	{"chdir", {EFFECT_READ}},
	{"chmod", {EFFECT_CHANGE}},
	{"chown", {EFFECT_CHANGE}},
	{"faccessat", {EFFECT_READ}},
	{"faccessat2", {EFFECT_READ}},
	{"fchmodat", {EFFECT_CHANGE}},
	{"fchmodat2", {EFFECT_CHANGE}},
	{"fchownat", {EFFECT_CHANGE}},
	{"lchown", {EFFECT_CHANGE}},
	{"link", {EFFECT_NONE, EFFECT_ENTRY}},
	{"linkat", {EFFECT_NONE, EFFECT_ENTRY}},
	{"lstat", {EFFECT_READ}},
	{"mkdir", {EFFECT_DIRECTORY}},
	{"mkdirat", {EFFECT_DIRECTORY}},
	{"mknod", {EFFECT_ENTRY}},
	{"mknodat", {EFFECT_ENTRY}},
	{"newfstatat", {EFFECT_READ}},
	{"readlink", {EFFECT_READ}},
	{"readlinkat", {EFFECT_READ}},
	{"rename", {EFFECT_ENTRY, EFFECT_ENTRY}},
	{"renameat", {EFFECT_ENTRY, EFFECT_ENTRY}},
	{"renameat2", {EFFECT_ENTRY, EFFECT_ENTRY}},
	{"rmdir", {EFFECT_ENTRY}},
	{"stat", {EFFECT_READ}},
	{"statx", {EFFECT_READ}},
	{"symlink", {EFFECT_NONE, EFFECT_ENTRY}},
	{"symlinkat", {EFFECT_NONE, EFFECT_ENTRY}},
	{"truncate", {EFFECT_CHANGE}},
	{"unlink", {EFFECT_ENTRY}},
	{"unlinkat", {EFFECT_ENTRY}},
};

/* Their records have another form where they succeed: "file.open". */
static const char *const opens[] = {"creat", "open", "openat", "openat2"};

static const struct call *find_call(const struct member *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (member_is(name, calls[i].name))
			return &calls[i];
	return NULL;
}

static bool is_open(const struct member *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(opens); i++)
		if (member_is(name, opens[i]))
			return true;
	return false;
}

static void pass_over(struct policy_recorded *record, enum policy_passed reason)
{
	record->passed[reason]++;
}

/* A path without what says nothing ("//", "/./", "/" at its end). */
struct normal {
	char text[2 * POLICY_PATH_SIZE]; /* not terminated; "" for "/" */
	size_t length;
};

/* Goes on by `path`. False when it leads back by ".." over a name of its own, which may have been
 * a symbolic link; what lies in front of it has none. */
static bool go_on(struct normal *normal, const struct member *path)
{
	const char *at = path->text, *end = path->text + path->length;
	size_t own = 0;

	while (at < end) {
		const char *slash = memchr(at, '/', (size_t)(end - at));
		size_t length = (size_t)((slash ? slash : end) - at);

		if (length == 2 && at[0] == '.' && at[1] == '.') {
			if (own > 0)
				return false;
			while (normal->length > 0 && normal->text[--normal->length] != '/')
				;
		} else if (length > 0 && !(length == 1 && at[0] == '.')) {
			normal->text[normal->length++] = '/';
			memcpy(normal->text + normal->length, at, length);
			normal->length += length;
			own++;
		}
		at += length + 1;
	}
	return true;
}

/* Not decoded any more, or as long as the room that it was written to, which may have cut it. */
static bool is_cut(const struct member *path, size_t room)
{
	static const char replaced[] = "\xef\xbf\xbd", unnamed[] = "/memfd:";

	return path->length >= room - 1 ||
	       memmem(path->text, path->length, replaced, strlen(replaced)) ||
	       memchr(path->text, '\0', path->length) ||
	       (path->length > strlen(unnamed) &&
		       memcmp(path->text, unnamed, strlen(unnamed)) == 0);
}

static bool is_absolute(const struct member *path)
{
	return path->length > 0 && path->text[0] == '/';
}

/* Writes the whole path. Returns POLICY_PASSED, or why it can be asked about by nobody. */
static enum policy_passed write_whole(const struct member *path, size_t room,
	const struct member *directory, char ret_path[POLICY_PATH_SIZE])
{
	struct normal normal = {.length = 0};

	if (!path->text || is_cut(path, room))
		return POLICY_PASSED_CUT;
	if (!is_absolute(path)) {
		if (!directory->text)
			return path->length ? POLICY_PASSED_RELATIVE : POLICY_PASSED_CUT;
		if (!is_absolute(directory) || is_cut(directory, POLICY_PATH_SIZE))
			return POLICY_PASSED_CUT;
		go_on(&normal, directory);
	}
	if (!go_on(&normal, path))
		return POLICY_PASSED_RELATIVE;
	if (normal.length >= POLICY_PATH_SIZE)
		return POLICY_PASSED_CUT;
	memcpy(ret_path, normal.length ? normal.text : "/", normal.length ? normal.length : 1);
	ret_path[normal.length ? normal.length : 1] = '\0';
	if (policy_path_owner(ret_path))
		return POLICY_PASSED_OWN;
	return policy_path_is_normal(ret_path) ? POLICY_PASSED : POLICY_PASSED_CUT;
}

/* Of a path that is relative to `directory`, if it is. Returns the act, or NULL: passed over. */
static struct policy_recorded_act *add_path(struct policy_recorded *record,
	enum policy_act_kind kind, const struct member *path, size_t room,
	const struct member *directory)
{
	char whole[POLICY_PATH_SIZE];
	enum policy_passed passed = write_whole(path, room, directory, whole);
	struct policy_recorded_act *act;

	if (passed != POLICY_PASSED) {
		pass_over(record, passed);
		return NULL;
	}
	act = recorded_act_add(record, kind);
	act->act.is_name = true;
	strcpy(act->act.name, whole);
	return act;
}

static void add_effect(const struct member *list, struct policy_recorded *record,
	enum effect effect, const struct member *path, const struct member *directory)
{
	const struct member *error = &list[MEMBER_ERROR];
	struct policy_recorded_act *act;

	if (effect == EFFECT_NONE || !path->is_there)
		return;
	if (error->length > 0 && (effect == EFFECT_READ || !member_is(error, "EROFS"))) {
		pass_over(record, POLICY_PASSED_FAILED);
		return;
	}
	act = add_path(record, effect == EFFECT_READ ? POLICY_ACT_READ : POLICY_ACT_WRITE, path,
		POLICY_PATH_SIZE, directory);
	if (!act)
		return;
	act->allowed = error->length == 0;
	act->in_directory = effect == EFFECT_ENTRY || effect == EFFECT_DIRECTORY;
	act->made_directory = effect == EFFECT_DIRECTORY;
}

/* Of an open that failed, EROFS alone says what it was for. */
static void add_files(
	const struct member *list, const struct member *name, struct policy_recorded *record)
{
	const struct call *call = find_call(name);

	if (is_open(name)) {
		record->shows_opens = true;
		add_effect(
			list, record, EFFECT_CHANGE, &list[MEMBER_PATH], &list[MEMBER_DIRECTORY]);
	}
	/* A socket's name that begins with NUL is in no directory. */
	if (!call || list[MEMBER_ABSTRACT].integer)
		return;
	add_effect(list, record, call->effects[0], &list[MEMBER_PATH], &list[MEMBER_DIRECTORY]);
	add_effect(list, record, call->effects[1], &list[MEMBER_SECOND_PATH],
		&list[MEMBER_SECOND_DIRECTORY]);
}

static void add_opened(const struct member *list, struct policy_recorded *record)
{
	bool created = list[MEMBER_CREATED].integer;
	struct policy_recorded_act *act = add_path(record,
		created || list[MEMBER_WRITABLE].integer ? POLICY_ACT_WRITE : POLICY_ACT_READ,
		&list[MEMBER_PATH], POLICY_PATH_SIZE, &list[MEMBER_DIRECTORY]);

	record->shows_opens = true;
	if (!act)
		return;
	act->allowed = true;
	act->in_directory = created;
}

/* The file that became the program, by the kernel's word, and the script that it was to read, by
 * the caller's. */
bool recorded_read_exec(const struct member *list, struct policy_recorded *record)
{
	static const struct member none;
	const struct member *texts[] = {&list[MEMBER_PROCESS_EXE], &list[MEMBER_SCRIPT]};
	const struct member *directories[] = {&none, &list[MEMBER_SCRIPT_DIRECTORY]};

	if (member_is(texts[0], "/memfd:cloche-init")) /* a sandbox's PID 1, under each policy */
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct policy_recorded_act *act;

		if (i > 0 && !texts[i]->is_there)
			continue;
		act = add_path(record, POLICY_ACT_EXECUTE, texts[i], EXE_ROOM, directories[i]);
		if (act)
			act->allowed = true;
		else
			record->executes_unknown = true;
	}
	return true;
}

/* No program of the policy, or none by its mode, which the kernel does not tell apart. What was to
 * be mapped as code is no act. */
static void add_refused_program(
	const struct member *list, const struct member *name, struct policy_recorded *record)
{
	if (member_is(name, "execve") || member_is(name, "execveat"))
		add_path(record, POLICY_ACT_EXECUTE, &list[MEMBER_PATH], POLICY_PATH_SIZE,
			&list[MEMBER_DIRECTORY]);
	else
		pass_over(record, POLICY_PASSED_UNCLEAR);
}

/* 16 and above: no hexadecimal digit, as they are written. */
static unsigned int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	return c >= 'a' && c <= 'f' ? (unsigned int)(c - 'a') + 10 : 16;
}

/* "0x5412"; what is none is not known, and then no condition on it holds. */
static void add_argument(const struct member *text, unsigned int index, struct policy_act *act)
{
	uint64_t value = 0;

	if (text->length < 3 || text->length > 18 || memcmp(text->text, "0x", 2) != 0)
		return;
	for (size_t i = 2; i < text->length; i++) {
		unsigned int digit = digit_of(text->text[i]);

		if (digit > 15)
			return;
		value = value << 4 | digit;
	}
	act->arguments[index] = value;
	act->given |= (uint8_t)(1U << index);
}

/* Returns whether the call got past the filter. Refusals that may have been the kernel's, and
 * numbers of foreign tables, are passed over. */
static bool add_call(
	const struct member *list, const struct member *name, struct policy_recorded *record)
{
	const struct member *refused = &list[MEMBER_REFUSED_BY];
	struct policy_recorded_act *act;

	if (name->length == 0 || name->length >= POLICY_CALL_NAME_SIZE ||
		(list[MEMBER_ABI].length > 0 && !member_is(&list[MEMBER_ABI], "native"))) {
		pass_over(record, POLICY_PASSED_CALL);
		return false;
	}
	if (member_is(refused, "seccomp or kernel")) {
		pass_over(record, POLICY_PASSED_UNCLEAR);
		return false;
	}
	act = recorded_act_add(record, POLICY_ACT_SYSCALL);
	act->act.is_name = true;
	act->allowed =
		!member_is(refused, "seccomp") && !member_is(refused, "seccomp, by a signal");
	member_copy(name, act->act.name, POLICY_CALL_NAME_SIZE);
	for (unsigned int i = 0; i < POLICY_CALL_ARGUMENTS; i++)
		add_argument(&list[MEMBER_ARGUMENT + i], i, &act->act);
	return act->allowed;
}

bool recorded_read_call(const struct member *list, struct policy_recorded *record)
{
	const struct member *name = &list[MEMBER_SYSCALL];

	if (!add_call(list, name, record))
		return true;
	if (member_is(&list[MEMBER_REFUSED_BY], "executables or mode"))
		add_refused_program(list, name, record);
	else if (member_is(&list[MEMBER_TYPE], "file.open"))
		add_opened(list, record);
	else
		add_files(list, name, record);
	return true;
}
