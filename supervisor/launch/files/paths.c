/* A mount over a path is what a sandbox cannot take away: it has no CAP_SYS_ADMIN, its system call
 * filter has no mount(2), and the kernel does not rename or remove a mount point. Unlike Landlock
 * it also covers owners, modes and times, hides what it covers, and costs an open(2) nothing.
 *
 * /etc is a bind of a directory below /usr (mounts.c), so the same files have two paths: what is
 * said of one holds for the other. */
#include "supervisor/launch/files/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/log.h"
#include "supervisor/launch/files/cover.h"
#include "supervisor/launch/files/executables.h"
#include "supervisor/launch/spawner/root.h"

#define STAGE "files"
#define ETC "/etc"
#define ETC_TWIN "/usr/" SPAWNER_ETC_INSIDE

static int fail(struct failure *why, const char *what, const char *path)
{
	return failure_set(why, -errno, STAGE, "cannot %s %.128s: %s", what, path, strerror(errno));
}

/* /sys is an empty directory (mounts.c), /dev/null a file that a nodev mount lets nobody open. */
static int hide(int target_fd)
{
	const struct mount_attr change = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV |
						      MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID};
	struct stat status;

	if (fstat(target_fd, &status) < 0)
		return -errno;
	return cover_lay(
		AT_FDCWD, S_ISDIR(status.st_mode) ? "/sys" : "/dev/null", 0, &change, target_fd);
}

/* Nothing can be laid over the root: its mounts themselves change. /proc and /dev stay as they are.
 */
static int make_root_read_only(void)
{
	static const char *const mounts[] = {"/", "/usr", ETC, "/dev/shm"};
	struct mount_attr change = {.attr_set = MOUNT_ATTR_RDONLY};

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++)
		if (mount_setattr(AT_FDCWD, mounts[i], 0, &change, sizeof(change)) < 0)
			return -errno;
	return 0;
}

/* What is around a step comes before it, so the deepest decides. */
struct step {
	const char *path;
	enum {
		STEP_ACCESS,    /* as a path of "files" */
		STEP_DIRECTORY, /* of libraries or programs; over a path of "files" */
		STEP_PROGRAM,   /* a file: behind all others, whatever link its path goes through */
	} kind;
	enum launch_access access;
	bool optional;
	const struct launch_program *program; /* NULL: of libraries */
};

static int set_access(const struct step *step, bool limited, struct failure *why)
{
	static const char *const acts[] = {[LAUNCH_HIDDEN] = "hide",
		[LAUNCH_READ_ONLY] = "make read-only",
		[LAUNCH_WRITABLE] = "make writable"};
	const struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
	/* A part of a directory of libraries ceases to be one. */
	const struct mount_attr writable = {
		.attr_set = limited ? MOUNT_ATTR_NOEXEC : 0, .attr_clr = MOUNT_ATTR_RDONLY};
	_cleanup_close_ int target_fd = cover_find(step->path, true);
	int r = 0;

	if (step->optional && (target_fd == -ENOENT || target_fd == -ENOTDIR))
		return 0;
	if (target_fd < 0) {
		errno = -target_fd;
		return fail(why, "find", step->path);
	}
	if (step->access == LAUNCH_HIDDEN)
		r = hide(target_fd);
	else if (step->access == LAUNCH_WRITABLE)
		r = cover_lay(target_fd, "", AT_RECURSIVE, &writable, target_fd);
	else if (step->path[1] == '\0')
		r = make_root_read_only();
	else
		r = cover_lay(target_fd, "", AT_RECURSIVE, &read_only, target_fd);
	errno = -r;
	return r < 0 ? fail(why, acts[step->access], step->path) : 0;
}

static int take(const struct step *step, const struct launch_executables *executables,
	int ruleset_fd, struct failure *why)
{
	struct launch_program program;

	switch (step->kind) {
	case STEP_ACCESS:
		return set_access(step, executables, why);
	case STEP_DIRECTORY:
		return executables_open_directory(
			step->path, step->program ? ruleset_fd : -1, step->optional, why);
	case STEP_PROGRAM:
		program = (struct launch_program){step->path, step->program->sha256};
		return executables_open_file(&program, executables, ruleset_fd, why);
	}
	return -EINVAL;
}

/* The other path of the same file; false when it has none. */
static bool find_twin(const char *path, char *ret_twin, size_t size)
{
	static const char *const pairs[][2] = {{ETC, ETC_TWIN}, {ETC_TWIN, ETC}};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		size_t length = strlen(pairs[i][0]);

		if (strncmp(path, pairs[i][0], length) == 0 &&
			(path[length] == '/' || path[length] == '\0'))
			return (size_t)snprintf(
				       ret_twin, size, "%s%s", pairs[i][1], path + length) < size;
	}
	return false;
}

static int compare_steps(const void *a, const void *b)
{
	const struct step *left = a, *right = b;
	int order = (left->kind == STEP_PROGRAM) - (right->kind == STEP_PROGRAM);

	if (order == 0)
		order = strcmp(left->path, right->path);
	return order ? order : (int)left->kind - (int)right->kind;
}

static int add_programs(const struct launch_executables *executables, struct step *steps, size_t *n,
	struct failure *why)
{
	for (size_t i = 0; i < executables->n_libraries; i++) {
		const struct launch_library *library = &executables->libraries[i];

		steps[(*n)++] = (struct step){.path = library->path,
			.kind = STEP_DIRECTORY,
			.optional = library->optional || executables->best_effort};
	}
	for (size_t i = 0; i < executables->n_programs; i++) {
		const struct launch_program *program = &executables->programs[i];
		bool is_directory = executables_is_directory(program);

		if (is_directory && program->sha256[0])
			return failure_set(why, -EISDIR, STAGE,
				"%.128s is a directory, which has no SHA-256", program->path);
		steps[(*n)++] = (struct step){.path = program->path,
			.kind = is_directory ? STEP_DIRECTORY : STEP_PROGRAM,
			.program = program};
	}
	return 0;
}

static int list_steps(
	const struct launch_files *files, struct step *steps, size_t *ret_n, struct failure *why)
{
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < files->n_paths; i++)
		steps[n++] = (struct step){.path = files->paths[i].path,
			.access = files->paths[i].access,
			.optional = files->best_effort};
	if (files->executables) {
		r = add_programs(files->executables, steps, &n, why);
		qsort(steps, n, sizeof(*steps), compare_steps);
	}
	*ret_n = n;
	return r;
}

static int take_all(struct step *steps, size_t n, const struct launch_files *files, int ruleset_fd,
	struct failure *why)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct step other = steps[i];
		char twin[PATH_MAX];

		r = take(&steps[i], files->executables, ruleset_fd, why);
		if (r < 0 || !find_twin(steps[i].path, twin, sizeof(twin)))
			continue;
		other.path = twin;
		r = take(&other, files->executables, ruleset_fd, why);
	}
	return r;
}

/* Runs inside. */
static int set_files(const struct launch_files *files, int *ret_ruleset_fd, struct failure *why)
{
	const struct launch_executables *executables = files->executables;
	size_t n = files->n_paths +
		   (executables ? executables->n_programs + executables->n_libraries : 0);
	_cleanup_free_ struct step *steps = calloc(n + 1, sizeof(*steps));
	_cleanup_close_ int ruleset_fd = -1;
	int r = steps ? list_steps(files, steps, &n, why)
		      : failure_set(why, -ENOMEM, STAGE, "out of memory");

	if (r == 0 && executables)
		r = executables_make_ruleset(executables->best_effort, &ruleset_fd, why);
	if (r == 0 && executables)
		r = executables_close(why);
	if (r == 0)
		r = take_all(steps, n, files, ruleset_fd, why);
	if (r == 0 && executables)
		r = executables_open_loaders(ruleset_fd, why);
	if (r == 0)
		*ret_ruleset_fd = steal_fd(&ruleset_fd);
	return r;
}

int launch_set_files(
	int pidfd, const struct launch_files *files, int *ret_ruleset_fd, struct failure *why)
{
	_cleanup_close_ int home_fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int cwd_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (home_fd < 0 || root_fd < 0 || cwd_fd < 0 || setns(pidfd, CLONE_NEWNS) < 0)
		return fail(why, "enter", "the sandbox's mounts");
	r = set_files(files, ret_ruleset_fd, why);
	if (setns(home_fd, CLONE_NEWNS) < 0 || fchdir(root_fd) < 0 || chroot(".") < 0 ||
		fchdir(cwd_fd) < 0) {
		/* Going on among a tenant's files would be worse than to be started again. */
		log_error("cannot come back from a sandbox's mount namespace: %s", strerror(errno));
		abort();
	}
	return r;
}
