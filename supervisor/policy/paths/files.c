/* Paths of a sandbox that are hidden, read-only, or writable inside what is read-only. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/plain.h"
#include "supervisor/policy/canonical.h"
#include "supervisor/policy/meet/meet.h"
#include "supervisor/policy/read/reader.h"

#define STAGE "read policy"

static const char *const words[] = {[POLICY_ACCESS_HIDDEN] = "hidden",
	[POLICY_ACCESS_READ_ONLY] = "read_only",
	[POLICY_ACCESS_WRITABLE] = "writable"};

bool policy_path_lies_in(const char *path, const char *around)
{
	size_t length = strlen(around);

	if (length == 1)
		return true;
	return strncmp(path, around, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* The longest path around `path`, other than itself if `outside`; NULL: none. */
static const struct policy_path *find_around(
	const struct policy_path *paths, size_t n, const char *path, bool outside)
{
	const struct policy_path *longest = NULL;

	for (size_t i = 0; i < n; i++)
		if (policy_path_lies_in(path, paths[i].path) &&
			!(outside && strcmp(path, paths[i].path) == 0) &&
			(!longest || strlen(paths[i].path) > strlen(longest->path)))
			longest = &paths[i];
	return longest;
}

static enum policy_access access_of(const struct policy_path *path)
{
	return path ? (enum policy_access)path->access : POLICY_ACCESS_WRITABLE;
}

enum policy_access policy_access_at(const struct policy *policy, const char *path)
{
	return access_of(policy_path_at(policy, path));
}

const struct policy_path *policy_path_at(const struct policy *policy, const char *path)
{
	return find_around(policy->paths, policy->n_paths, path, false);
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct policy_path *)a)->path, ((const struct policy_path *)b)->path);
}

/* Sorts, and takes away what only repeats what holds around it. */
static void settle(struct policy *policy)
{
	size_t n = 0;

	qsort(policy->paths, policy->n_paths, sizeof(*policy->paths), compare_paths);
	/* What is around a path is sorted before it. */
	for (size_t i = 0; i < policy->n_paths; i++) {
		const struct policy_path path = policy->paths[i];

		/* Two policies may name the same one; then both entries say what is narrower. */
		if (n > 0 && strcmp(policy->paths[n - 1].path, path.path) == 0)
			continue;
		if (access_of(find_around(policy->paths, n, path.path, true)) != path.access)
			policy->paths[n++] = path;
	}
	policy->n_paths = n;
}

bool policy_path_is_normal(const char *path)
{
	size_t length = strlen(path);

	if (path[0] != '/' || length >= POLICY_PATH_SIZE || (length > 1 && path[length - 1] == '/'))
		return false;
	for (const char *c = path; *c; c++)
		if (*c == '/' && length > 1 &&
			(c[1] == '/' || (c[1] == '.' && (c[2] == '/' || !c[2])) ||
				(c[1] == '.' && c[2] == '.' && (c[3] == '/' || !c[3]))))
			return false;
	return plain_is(path);
}

const char *policy_path_owner(const char *path)
{
	static const char *const own[] = {"/proc", "/sys", "/dev"};

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (policy_path_lies_in(path, own[i]))
			return own[i];
	return NULL;
}

static int check_path(const struct policy_reader *reader, const struct policy_place *at,
	const char *path, enum policy_access access)
{
	const char *owner = path ? policy_path_owner(path) : NULL;
	char brief[POLICY_SHORT_SIZE];

	if (!path || !policy_path_is_normal(path))
		return policy_fail(reader, at, -EINVAL,
			"A path is absolute, shorter than %d bytes, and has no \"//\", \".\", "
			"\"..\" and no / "
			"at its end.",
			POLICY_PATH_SIZE);
	if (path[1] == '\0' && access != POLICY_ACCESS_READ_ONLY)
		return policy_fail(reader, at, -EINVAL,
			"The whole file system can be made read-only; it cannot be hidden, and it "
			"is "
			"writable anyway.");
	if (owner)
		return policy_fail(reader, at, -EINVAL, "What is at %s is Cloche's own%s.",
			policy_shorten(path, brief),
			strcmp(owner, "/dev") == 0 ? "; \"devices\" says which devices are there"
						   : "");
	return 0;
}

struct origin {
	struct policy_place list;
	size_t index;
};

static int refuse_pair(const struct policy_reader *reader, const struct origin *one,
	const struct origin *other, const char *format)
{
	const struct policy_place at = {&one->list, NULL, one->index},
				  first = {&other->list, NULL, other->index};
	char text[POLICY_SPOT_SIZE];

	return policy_fail(reader, &at, -EINVAL, "%s, at %s.", format,
		policy_describe_place(reader, &first, text));
}

/* `origins` are the places of the paths, in the same order. */
static int check_pairs(const struct policy_reader *reader, const struct policy *policy,
	const struct origin *origins)
{
	for (size_t i = 0; i < policy->n_paths; i++) {
		const struct policy_path *path = &policy->paths[i];
		const struct policy_path *around =
			find_around(policy->paths, policy->n_paths, path->path, true);
		const struct policy_place at = {&origins[i].list, NULL, origins[i].index};

		for (size_t j = 0; j < i; j++)
			if (strcmp(policy->paths[j].path, path->path) == 0)
				return refuse_pair(reader, &origins[i], &origins[j],
					"This path is here twice; it is first");
		if (around && around->access == POLICY_ACCESS_HIDDEN &&
			path->access != POLICY_ACCESS_HIDDEN)
			return refuse_pair(reader, &origins[i], &origins[around - policy->paths],
				"Nothing is there: what is around it is hidden");
		if (path->access == POLICY_ACCESS_WRITABLE &&
			access_of(around) != POLICY_ACCESS_READ_ONLY)
			return policy_fail(reader, &at, -EINVAL,
				"This is writable anyway: no path around it is in \"read_only\". "
				"For "
				"all but this to be read-only, write \"read_only\": [\"/\"].");
	}
	return 0;
}

/* "/tmp", or {"path": "/tmp", "description": "…"}. Borrowed; what is no path is left to
 * check_path(). */
static int read_element(const struct policy_reader *reader, const struct policy_place *at,
	const json_t *value, const char **ret_path)
{
	static const char *const keys[] = {"path", "description", NULL};
	int r = 0;

	if (json_is_object(value)) {
		r = policy_check_section(reader, at, value, keys);
		value = json_object_get(value, "path");
	}
	*ret_path = json_string_value(value);
	return r;
}

static int read_list(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *list, enum policy_access access, struct policy *policy,
	struct origin *origins)
{
	const struct policy_place at = {place, words[access], 0};
	json_t *each;
	size_t i;

	if (list && !json_is_array(list))
		return policy_fail(reader, &at, -EINVAL, "This must be a list of paths.");
	json_array_foreach((json_t *)list, i, each)
	{
		const struct policy_place element = {&at, NULL, i};
		const char *path;
		int r = read_element(reader, &element, each, &path);

		if (r == 0)
			r = check_path(reader, &element, path, access);
		if (r < 0)
			return r;
		if (policy->n_paths == POLICY_PATHS_MAX)
			return policy_fail(reader, &element, -E2BIG, "A policy may name %d paths.",
				POLICY_PATHS_MAX);
		origins[policy->n_paths] = (struct origin){{place, words[access], 0}, i};
		strcpy(policy->paths[policy->n_paths].path, path);
		policy->paths[policy->n_paths++].access = (uint8_t)access;
	}
	return 0;
}

int policy_read_files(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *value, struct policy *policy)
{
	static const char *const keys[] = {
		"hidden", "read_only", "writable", "best_effort", "description", NULL};
	const struct policy_place place = {root, "files", 0}, effort = {&place, "best_effort", 0};
	struct origin origins[POLICY_PATHS_MAX];
	int r;

	if (!value)
		return 0;
	r = policy_check_section(reader, &place, value, keys);
	if (r == 0)
		r = policy_read_flag(reader, &effort, json_object_get(value, "best_effort"),
			&policy->paths_best_effort);
	policy->paths = calloc(POLICY_PATHS_MAX, sizeof(*policy->paths));
	if (r == 0 && !policy->paths)
		r = failure_set(reader->why, -ENOMEM, STAGE, "There is no memory left.");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(words); i++)
		r = read_list(reader, &place, json_object_get(value, words[i]),
			(enum policy_access)i, policy, origins);
	if (r == 0)
		r = check_pairs(reader, policy, origins);
	if (r == 0)
		settle(policy);
	return r;
}

json_t *policy_write_files(const struct policy *policy)
{
	json_t *files = json_object();
	int r = files ? 0 : -1;

	for (size_t i = 0; r == 0 && i < policy->n_paths; i++) {
		const char *word = words[policy->paths[i].access];

		if (!json_object_get(files, word))
			r = json_object_set_new(files, word, json_array());
		if (r == 0)
			r = json_array_append_new(
				json_object_get(files, word), json_string(policy->paths[i].path));
	}
	if (r == 0 && policy->paths_best_effort)
		r = json_object_set_new(files, "best_effort", json_true());
	if (r < 0) {
		json_decref(files);
		return NULL;
	}
	return files;
}

/* Between two neighbouring paths of either policy nothing changes, so the paths of both are all
 * that have to be looked at. */
int meet_paths(struct meeting *meeting)
{
	const struct policy *sides[] = {meeting->bound, meeting->request};
	struct policy *both = meeting->policy;

	both->paths = calloc(sides[0]->n_paths + sides[1]->n_paths + 1, sizeof(*both->paths));
	if (!both->paths)
		return -ENOMEM;
	for (size_t side = 0; side < ARRAY_SIZE(sides); side++)
		for (size_t i = 0; i < sides[side]->n_paths; i++) {
			struct policy_path path = sides[side]->paths[i];
			enum policy_access other = policy_access_at(sides[!side], path.path);

			if (other < path.access)
				path.access = (uint8_t)other;
			both->paths[both->n_paths++] = path;
		}
	settle(both);
	if (both->n_paths > 2 * POLICY_PATHS_MAX)
		return failure_set(meeting->why, -E2BIG, "meet of policies",
			"\"%s\" and \"%s\" name more than %d paths together.", sides[0]->name,
			sides[1]->name, 2 * POLICY_PATHS_MAX);
	both->paths_best_effort = both->n_paths > 0 &&
				  (sides[0]->paths_best_effort || sides[0]->n_paths == 0) &&
				  (sides[1]->paths_best_effort || sides[1]->n_paths == 0);
	return 0;
}
