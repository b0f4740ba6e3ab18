/* Which files may be executed, and from which directories code may be mapped: libraries.
 *
 * Both are about files as they lie in the template. What the sandbox itself writes is in neither,
 * wherever it writes it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/policy/canonical.h"
#include "supervisor/policy/meet/meet.h"
#include "supervisor/policy/read/reader.h"

#define STAGE "read policy"
#define DIGITS "0123456789abcdef"

/* Where a policy names none; the real directories, not the links to them. */
static const char *const usual_libraries[] = {
	"/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib"};

const struct policy_program *policy_program_at(const struct policy *policy, const char *path)
{
	const struct policy_executables *executables = &policy->executables;

	for (size_t i = 0; i < executables->n_programs; i++)
		if (policy_path_lies_in(path, executables->programs[i].path))
			return &executables->programs[i];
	return NULL;
}

const char *policy_code_at(const struct policy *policy, const char *path)
{
	const struct policy_executables *executables = &policy->executables;
	const struct policy_path *around = policy_path_at(policy, path);
	const struct policy_program *program = policy_program_at(policy, path);
	const char *longest = program ? program->path : NULL;

	for (size_t i = 0; i < executables->n_libraries; i++) {
		const char *library = executables->libraries[i].path;

		if (policy_path_lies_in(path, library) &&
			(!longest || strlen(library) > strlen(longest)))
			longest = library;
	}
	return longest && around && strlen(around->path) > strlen(longest) ? NULL : longest;
}

bool policy_executables_equal(const struct policy *a, const struct policy *b)
{
	const struct policy_executables *one = &a->executables, *other = &b->executables;

	if (one->limited != other->limited || one->n_programs != other->n_programs ||
		one->n_libraries != other->n_libraries)
		return false;
	for (size_t i = 0; i < one->n_programs; i++)
		if (strcmp(one->programs[i].path, other->programs[i].path) != 0 ||
			strcmp(one->programs[i].sha256, other->programs[i].sha256) != 0)
			return false;
	for (size_t i = 0; i < one->n_libraries; i++)
		if (strcmp(one->libraries[i].path, other->libraries[i].path) != 0)
			return false;
	return true;
}

static int no_memory(const struct policy_reader *reader)
{
	return failure_set(reader->why, -ENOMEM, STAGE, "There is no memory left.");
}

/* A program or a directory of libraries. */
static int check_path(const struct policy_reader *reader, const struct policy_place *at,
	const char *path, const struct policy *policy)
{
	const struct policy_path *around;
	char brief[POLICY_SHORT_SIZE];

	if (!path || !policy_path_is_normal(path))
		return policy_fail(reader, at, -EINVAL,
			"A path is absolute, shorter than %d bytes, and has no \"//\", \".\", "
			"\"..\" and no / at its end.",
			POLICY_PATH_SIZE);
	if (path[1] == '\0')
		return policy_fail(reader, at, -EINVAL,
			"\"/\" would be every file. Name programs and directories, or leave "
			"\"executables\" out.");
	if (policy_path_owner(path))
		return policy_fail(reader, at, -EINVAL,
			"What is at %s is Cloche's own and is not executed.",
			policy_shorten(path, brief));
	around = policy_path_at(policy, path);
	if (around && around->access == POLICY_ACCESS_HIDDEN)
		return policy_fail(reader, at, -EINVAL,
			"Nothing is there: \"files.hidden\" has %s.",
			policy_shorten(around->path, brief));
	if (around && around->access == POLICY_ACCESS_WRITABLE && strcmp(around->path, path) == 0)
		return policy_fail(reader, at, -EINVAL,
			"\"files.writable\" has this path too. What code comes from does not "
			"change; take it away there or here.");
	return 0;
}

static int read_digest(const struct policy_reader *reader, const struct policy_place *at,
	const json_t *value, char ret_digest[POLICY_HASH_SIZE])
{
	const char *text = json_string_value(value);

	if (!text || strlen(text) != POLICY_HASH_SIZE - 1 || strspn(text, DIGITS) != strlen(text))
		return policy_fail(reader, at, -EINVAL,
			"This is the SHA-256 of the file, 64 digits as sha256sum(1) writes them.");
	strcpy(ret_digest, text);
	return 0;
}

/* "/usr/bin/git", or {"path": "/usr/bin/git", "sha256": "…"}. */
static int read_program(const struct policy_reader *reader, const struct policy_place *at,
	const json_t *value, struct policy *policy, struct policy_program *ret_program)
{
	static const char *const keys[] = {"path", "sha256", "description", NULL};
	const struct policy_place path_at = {at, keys[0], 0}, digest_at = {at, keys[1], 0};
	const json_t *path = value, *digest = json_object_get(value, "sha256");
	int r = 0;

	if (!json_is_string(value) && !json_is_object(value))
		return policy_fail(reader, at, -EINVAL,
			"A program is a path, such as \"/usr/bin/git\", or an object with a "
			"\"path\" and the \"sha256\" of the file.");
	if (json_is_object(value)) {
		path = json_object_get(value, "path");
		r = policy_check_section(reader, at, value, keys);
		if (r == 0 && !path)
			r = policy_fail(
				reader, at, -EINVAL, "The \"path\" of the program is missing.");
		at = &path_at;
	}
	if (r == 0)
		r = check_path(reader, at, json_string_value(path), policy);
	if (r == 0 && digest)
		r = read_digest(reader, &digest_at, digest, ret_program->sha256);
	if (r == 0)
		strcpy(ret_program->path, json_string_value(path));
	return r;
}

/* Whether what is at `path` is in the list already, at `first`, or what is around it. */
static int refuse_overlap(const struct policy_reader *reader, const struct policy_place *at,
	const struct policy_place *first, const char *path, const char *other)
{
	char text[POLICY_SPOT_SIZE], brief[POLICY_SHORT_SIZE];

	policy_describe_place(reader, first, text);
	if (strcmp(path, other) == 0)
		return policy_fail(reader, at, -EINVAL,
			"This path is here twice; it is first at %s. Take one away.", text);
	policy_shorten(other, brief);
	if (policy_path_lies_in(path, other))
		return policy_fail(reader, at, -EINVAL,
			"This is in the list already: %s is around it, at %s.", brief, text);
	if (policy_path_lies_in(other, path))
		return policy_fail(reader, at, -EINVAL,
			"%s, at %s, lies in this and so says nothing. Take one away.", brief, text);
	return 0;
}

static int read_programs(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *list, struct policy *policy)
{
	struct policy_executables *executables = &policy->executables;
	size_t n = json_array_size(list);

	if (!json_is_array(list))
		return policy_fail(reader, place, -EINVAL, "This must be a list of programs.");
	if (n > POLICY_PROGRAMS_MAX)
		return policy_fail(reader, place, -E2BIG,
			"The list has %zu programs, and %d are allowed; name directories.", n,
			POLICY_PROGRAMS_MAX);
	executables->programs = calloc(n + 1, sizeof(*executables->programs));
	if (!executables->programs)
		return no_memory(reader);
	for (size_t i = 0; i < n; i++) {
		const struct policy_place at = {place, NULL, i};
		struct policy_program *program = &executables->programs[i];
		int r = read_program(reader, &at, json_array_get(list, i), policy, program);

		for (size_t j = 0; r == 0 && j < i; j++) {
			const struct policy_place first = {place, NULL, j};

			r = refuse_overlap(
				reader, &at, &first, program->path, executables->programs[j].path);
		}
		if (r < 0)
			return r;
		executables->n_programs++;
	}
	return 0;
}

static int read_libraries(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *list, struct policy *policy)
{
	struct policy_executables *executables = &policy->executables;
	size_t n = list ? json_array_size(list) : ARRAY_SIZE(usual_libraries);

	if (list && !json_is_array(list))
		return policy_fail(reader, place, -EINVAL, "This must be a list of directories.");
	if (n > POLICY_LIBRARIES_MAX)
		return policy_fail(reader, place, -E2BIG,
			"The list has %zu directories, and %d are allowed.", n,
			POLICY_LIBRARIES_MAX);
	executables->libraries = calloc(n + 1, sizeof(*executables->libraries));
	if (!executables->libraries)
		return no_memory(reader);
	executables->n_libraries = n;
	for (size_t i = 0; !list && i < n; i++) {
		strcpy(executables->libraries[i].path, usual_libraries[i]);
		executables->libraries[i].optional = true;
	}
	for (size_t i = 0; list && i < n; i++) {
		const struct policy_place at = {place, NULL, i};
		const char *path = json_string_value(json_array_get(list, i));
		int r = check_path(reader, &at, path, policy);

		for (size_t j = 0; r == 0 && j < i; j++) {
			const struct policy_place first = {place, NULL, j};

			r = refuse_overlap(
				reader, &at, &first, path, executables->libraries[j].path);
		}
		if (r < 0)
			return r;
		strcpy(executables->libraries[i].path, path);
	}
	return 0;
}

/* Structures that begin with their path. */
static int compare_paths(const void *a, const void *b)
{
	return strcmp(a, b);
}

void executables_sort(struct policy_executables *executables)
{
	qsort(executables->programs, executables->n_programs, sizeof(*executables->programs),
		compare_paths);
	qsort(executables->libraries, executables->n_libraries, sizeof(*executables->libraries),
		compare_paths);
}

/* What a policy without a list of files would say otherwise. */
static int check_memory_files(const struct policy_reader *reader, const struct policy_place *place,
	const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_syscalls_allowed; i++)
		if (strcmp(policy->syscalls_allowed[i].name, POLICY_CALL_MEMORY_FILE) == 0)
			return policy_fail(reader, place, -EINVAL,
				"\"syscalls.allow\" has \"" POLICY_CALL_MEMORY_FILE
				"\", which makes programs of memory: with it this would limit "
				"nothing. Take one away.");
	return 0;
}

int policy_read_executables(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *value, struct policy *policy)
{
	static const char *const keys[] = {
		"allow", "libraries", "best_effort", "description", NULL};
	const struct policy_place place = {root, "executables", 0}, allow = {&place, keys[0], 0},
				  libraries = {&place, keys[1], 0}, effort = {&place, keys[2], 0};
	struct policy_executables *executables = &policy->executables;
	const json_t *member;
	int r;

	if (!value)
		return 0;
	executables->limited = true;
	r = policy_check_section(reader, &place, value, keys);
	if (r == 0)
		r = policy_read_flag(reader, &effort, json_object_get(value, "best_effort"),
			&executables->best_effort);
	member = json_object_get(value, "allow");
	if (r == 0 && !member)
		r = policy_fail(reader, &place, -EINVAL,
			"Say what may be executed, as in {\"allow\": [\"/usr/bin/python3\"]}; [] "
			"is nothing.");
	if (r == 0)
		r = read_programs(reader, &allow, member, policy);
	if (r == 0)
		r = read_libraries(reader, &libraries, json_object_get(value, "libraries"), policy);
	if (r == 0)
		r = check_memory_files(reader, &place, policy);
	if (r == 0)
		executables_sort(executables);
	return r;
}

/* The description that the file gives to a program; NULL: none. */
static json_t *description_of(const json_t *section, const char *path)
{
	const json_t *list = json_object_get(section, "allow");
	json_t *each;
	size_t i;

	json_array_foreach((json_t *)list, i, each)
	{
		const char *own = json_string_value(json_object_get(each, "path"));

		if (own && strcmp(own, path) == 0)
			return json_object_get(each, "description");
	}
	return NULL;
}

/* In its short form where that says all. */
static json_t *write_program(const struct policy_program *program, const json_t *section)
{
	json_t *description = description_of(section, program->path), *object;
	int r;

	if (!description && !program->sha256[0])
		return json_string(program->path);
	object = json_object();
	r = json_object_set_new(object, "path", json_string(program->path));
	if (program->sha256[0])
		r |= json_object_set_new(object, "sha256", json_string(program->sha256));
	if (description)
		r |= json_object_set(object, "description", description);
	if (r < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static bool are_usual(const struct policy_executables *executables)
{
	if (executables->n_libraries != ARRAY_SIZE(usual_libraries))
		return false;
	for (size_t i = 0; i < executables->n_libraries; i++)
		if (!executables->libraries[i].optional ||
			strcmp(executables->libraries[i].path, usual_libraries[i]) != 0)
			return false;
	return true;
}

json_t *policy_write_executables(
	const struct policy_executables *executables, const json_t *section)
{
	json_t *object = json_object(), *allow = json_array(), *libraries = NULL;
	int r = json_object_set_new(object, "allow", allow);

	for (size_t i = 0; r == 0 && i < executables->n_programs; i++)
		r = json_array_append_new(allow, write_program(&executables->programs[i], section));
	if (r == 0 && !are_usual(executables)) {
		libraries = json_array();
		r = json_object_set_new(object, "libraries", libraries);
	}
	for (size_t i = 0; r == 0 && libraries && i < executables->n_libraries; i++)
		r = json_array_append_new(libraries, json_string(executables->libraries[i].path));
	if (r == 0 && executables->best_effort)
		r = json_object_set_new(object, "best_effort", json_true());
	if (r == 0)
		r = policy_write_description(object, section);
	if (r < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}
