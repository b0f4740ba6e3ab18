/* Two lists of paths, each with what lies in them, meet in the deeper of two that lie in one
 * another. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/policy/meet/meet.h"

/* What both have of a program. False: nothing. */
static bool meet_programs(const struct policy_program *inner, const struct policy_program *outer,
	struct policy_program *ret_both)
{
	if (!policy_path_lies_in(inner->path, outer->path))
		return false;
	*ret_both = *inner;
	if (!outer->sha256[0])
		return true;
	/* A file with a hash has nothing in it, and only one content. */
	if (strcmp(inner->path, outer->path) != 0 ||
		(inner->sha256[0] && strcmp(inner->sha256, outer->sha256) != 0))
		return false;
	strcpy(ret_both->sha256, outer->sha256);
	return true;
}

static void add_programs(const struct policy_executables *inner,
	const struct policy_executables *outer, bool same, struct policy_executables *both)
{
	for (size_t i = 0; i < inner->n_programs; i++)
		for (size_t j = 0; j < outer->n_programs; j++)
			if (same == (strcmp(inner->programs[i].path, outer->programs[j].path) ==
					    0) &&
				meet_programs(&inner->programs[i], &outer->programs[j],
					&both->programs[both->n_programs]))
				both->n_programs++;
}

static void add_libraries(const struct policy_executables *inner,
	const struct policy_executables *outer, bool same, struct policy_executables *both)
{
	for (size_t i = 0; i < inner->n_libraries; i++)
		for (size_t j = 0; j < outer->n_libraries; j++) {
			const struct policy_library *deep = &inner->libraries[i],
						    *around = &outer->libraries[j];

			if (same != (strcmp(deep->path, around->path) == 0) ||
				!policy_path_lies_in(deep->path, around->path))
				continue;
			both->libraries[both->n_libraries] = *deep;
			if (same && !around->optional)
				both->libraries[both->n_libraries].optional = false;
			both->n_libraries++;
		}
}

static int copy(const struct policy_executables *from, struct policy_executables *to)
{
	*to = *from;
	to->programs = calloc(from->n_programs + 1, sizeof(*to->programs));
	to->libraries = calloc(from->n_libraries + 1, sizeof(*to->libraries));
	if (!to->programs || !to->libraries) {
		to->n_programs = to->n_libraries = 0;
		return -ENOMEM;
	}
	memcpy(to->programs, from->programs, from->n_programs * sizeof(*to->programs));
	memcpy(to->libraries, from->libraries, from->n_libraries * sizeof(*to->libraries));
	return 0;
}

int meet_executables(struct meeting *meeting)
{
	const struct policy *bound = meeting->bound, *request = meeting->request;
	const struct policy_executables *a = &bound->executables, *b = &request->executables;
	struct policy_executables *both = &meeting->policy->executables;

	if (!a->limited && !b->limited)
		return 0;
	if (!a->limited || !b->limited)
		return copy(a->limited ? a : b, both);
	both->limited = true;
	both->best_effort = a->best_effort && b->best_effort;
	/* None lies in another one of its own list, so each is at most once the deeper one. */
	both->programs = calloc(a->n_programs + b->n_programs + 1, sizeof(*both->programs));
	both->libraries = calloc(a->n_libraries + b->n_libraries + 1, sizeof(*both->libraries));
	if (!both->programs || !both->libraries)
		return -ENOMEM;
	add_programs(a, b, true, both);
	add_programs(a, b, false, both);
	add_programs(b, a, false, both);
	add_libraries(a, b, true, both);
	add_libraries(a, b, false, both);
	add_libraries(b, a, false, both);
	executables_sort(both);
	if (both->n_programs > 2 * POLICY_PROGRAMS_MAX ||
		both->n_libraries > 2 * POLICY_LIBRARIES_MAX)
		return failure_set(meeting->why, -E2BIG, "meet of policies",
			"\"%s\" and \"%s\" name more than %d executables or %d directories of "
			"libraries together.",
			bound->name, request->name, 2 * POLICY_PROGRAMS_MAX,
			2 * POLICY_LIBRARIES_MAX);
	return 0;
}
