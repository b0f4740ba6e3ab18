#include <string.h>

#include "supervisor/policy/diff/differ.h"

#define SECTION "executables"

/* The program of `b` that this one of `a` is or lies in, with the same content; NULL: none. */
static const struct policy_program *find(
	const struct policy_program *program, const struct policy *b)
{
	const struct policy_program *found = policy_program_at(b, program->path);

	if (!found || !found->sha256[0])
		return found;
	return strcmp(found->path, program->path) == 0 &&
			       strcmp(found->sha256, program->sha256) == 0
		       ? found
		       : NULL;
}

/* Programs of `a` that `b` does not allow. */
static void compare_programs(const struct differ *differ, const struct policy *a,
	const struct policy *b, enum policy_change_kind kind)
{
	for (size_t i = 0; i < a->executables.n_programs; i++) {
		const struct policy_program *program = &a->executables.programs[i];

		if (find(program, b))
			continue;
		differ_report(differ, kind, SECTION,
			program->sha256[0] ? "%.200s with the hash %s" : "%.200s%s", program->path,
			program->sha256);
	}
}

static void compare_libraries(const struct differ *differ, const struct policy *a,
	const struct policy *b, enum policy_change_kind kind)
{
	for (size_t i = 0; i < a->executables.n_libraries; i++) {
		const char *path = a->executables.libraries[i].path;
		bool found = false;

		for (size_t j = 0; j < b->executables.n_libraries; j++)
			found = found ||
				policy_path_lies_in(path, b->executables.libraries[j].path);
		if (!found)
			differ_report(differ, kind, SECTION, "libraries in %.200s", path);
	}
}

void diff_executables(const struct differ *differ)
{
	const struct policy *before = differ->before, *after = differ->after;
	bool limited = before->executables.limited;

	if (limited != after->executables.limited) {
		differ_report(differ, limited ? POLICY_CHANGE_ALLOWED : POLICY_CHANGE_DENIED,
			SECTION, "any program but the %zu that are listed",
			limited ? before->executables.n_programs : after->executables.n_programs);
		return;
	}
	compare_programs(differ, after, before, POLICY_CHANGE_ALLOWED);
	compare_libraries(differ, after, before, POLICY_CHANGE_ALLOWED);
	compare_programs(differ, before, after, POLICY_CHANGE_DENIED);
	compare_libraries(differ, before, after, POLICY_CHANGE_DENIED);
	if (before->executables.best_effort != after->executables.best_effort)
		differ_report(differ,
			after->executables.best_effort ? POLICY_CHANGE_ALLOWED
						       : POLICY_CHANGE_DENIED,
			SECTION, "a sandbox without some of the paths, or without Landlock");
}
