/* Files, devices and executables of a claim: mounts over paths, and a Landlock ruleset for PID 1.
 * Nothing has run in the sandbox yet, so the paths mean what they say. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/launch/files/digests.h"
#include "supervisor/launch/files/paths.h"
#include "supervisor/wire/init.h"

#define STAGE "files"

static int no_memory(struct failure *why)
{
	return failure_set(why, -ENOMEM, STAGE, "out of memory");
}

static int hide_devices(const struct sandbox *sandbox, struct failure *why)
{
	const struct policy *policy = sandbox->effective->policy;
	struct launch_path paths[POLICY_DEVICES];
	char names[POLICY_DEVICES][32];
	struct launch_files files = {.paths = paths};
	int no_ruleset_fd;

	for (size_t i = 0; i < POLICY_DEVICES; i++) {
		size_t n = files.n_paths;

		if (policy->devices & 1U << i)
			continue;
		snprintf(names[n], sizeof(names[0]), "/dev/%s", policy_device_names[i]);
		paths[n] = (struct launch_path){names[n], LAUNCH_HIDDEN};
		files.n_paths++;
	}
	return files.n_paths > 0 ? launch_set_files(sandbox->pidfd, &files, &no_ruleset_fd, why)
				 : 0;
}

/* PID 1 answers with WIRE_INIT_RESTRICTED. -1: there is no Landlock. */
static int restrict_init(struct sandbox *sandbox, int ruleset_fd, struct failure *why)
{
	int r = channel_send(sandbox->init, WIRE_INIT_RESTRICT, 1, NULL, 0, NULL, 0, &ruleset_fd,
		ruleset_fd >= 0);

	if (r < 0)
		return failure_set(why, r, "executables", "PID 1 cannot be asked to keep to them");
	sandbox->n_claim_answers++;
	return 0;
}

static int set_files(struct sandbox *sandbox, const struct launch_files *files, struct failure *why)
{
	_cleanup_close_ int ruleset_fd = -1;
	int r = launch_set_files(sandbox->pidfd, files, &ruleset_fd, why);

	if (r < 0 || !files->executables)
		return r;
	sandbox->executables_by = ruleset_fd >= 0 ? "mounts and Landlock" : "mounts";
	return restrict_init(sandbox, ruleset_fd, why);
}

/* What is hidden is no program; so it is in a meet. */
static size_t list_programs(const struct policy *policy, struct launch_program *programs)
{
	size_t n = 0;

	for (size_t i = 0; i < policy->executables.n_programs; i++) {
		const struct policy_program *program = &policy->executables.programs[i];

		if (policy_access_at(policy, program->path) != POLICY_ACCESS_HIDDEN)
			programs[n++] = (struct launch_program){program->path, program->sha256};
	}
	return n;
}

static size_t list_libraries(const struct policy *policy, struct launch_library *libraries)
{
	size_t n = 0;

	for (size_t i = 0; i < policy->executables.n_libraries; i++) {
		const struct policy_library *library = &policy->executables.libraries[i];

		if (policy_access_at(policy, library->path) != POLICY_ACCESS_HIDDEN)
			libraries[n++] = (struct launch_library){library->path, library->optional};
	}
	return n;
}

static int limit_executables(
	struct sandbox *sandbox, struct launch_files *files, struct failure *why)
{
	const struct policy *policy = sandbox->effective->policy;
	const struct policy_executables *limits = &policy->executables;
	_cleanup_free_ struct launch_program *programs =
		calloc(limits->n_programs + 1, sizeof(*programs));
	_cleanup_free_ struct launch_library *libraries =
		calloc(limits->n_libraries + 1, sizeof(*libraries));
	struct launch_executables executables = {
		.programs = programs, .libraries = libraries, .best_effort = limits->best_effort};

	if (!programs || !libraries)
		return no_memory(why);
	if (!sandbox->core->digests && digests_new(&sandbox->core->digests) < 0)
		return no_memory(why);
	executables.digests = sandbox->core->digests;
	executables.n_programs = list_programs(policy, programs);
	executables.n_libraries = list_libraries(policy, libraries);
	files->executables = &executables;
	return set_files(sandbox, files, why);
}

int claim_set_files(struct sandbox *sandbox, struct failure *why)
{
	const struct policy *policy = sandbox->effective->policy;
	_cleanup_free_ struct launch_path *paths = calloc(policy->n_paths + 1, sizeof(*paths));
	struct launch_files files = {.paths = paths,
		.n_paths = policy->n_paths,
		.best_effort = policy->paths_best_effort};
	int r = 0;

	if (!paths)
		return no_memory(why);
	for (size_t i = 0; i < policy->n_paths; i++)
		paths[i] = (struct launch_path){
			policy->paths[i].path, (enum launch_access)policy->paths[i].access};
	if (policy->executables.limited)
		r = limit_executables(sandbox, &files, why);
	else if (policy->n_paths > 0)
		r = set_files(sandbox, &files, why);
	return r < 0 ? r : hide_devices(sandbox, why);
}
