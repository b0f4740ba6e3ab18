/* Which files can be executed, by two locks.
 *
 * The first is noexec on every mount of the sandbox but those of listed programs and of library
 * directories, which are read-only in turn: no file can both be written and become code. noexec
 * refuses execve(2) and execveat(2) of any descriptor (EACCES), mmap(2) with PROT_EXEC (EPERM) and
 * mprotect(2) to it (EACCES), so a loader that is called by hand finds nothing to load either.
 *
 * The second is Landlock, which knows inodes: with it what merely lies in a library directory
 * cannot be executed. It does not look at mmap(2), so `ld.so /usr/lib/PROGRAM` is left; whoever
 * minds names narrower directories. */
#include "supervisor/launch/files/executables.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/launch/files/cover.h"
#include "supervisor/launch/files/digests.h"
#include "supervisor/launch/files/landlock.h"

#define STAGE "executables"

static const struct mount_attr is_code = {
	.attr_set = MOUNT_ATTR_RDONLY, .attr_clr = MOUNT_ATTR_NOEXEC};

static int fail(struct failure *why, int error, const char *what, const char *path)
{
	return failure_set(why, error, STAGE, "cannot %s %.128s: %s", what, path, strerror(-error));
}

static bool is_absent(int error)
{
	return error == -ENOENT || error == -ENOTDIR;
}

int executables_close(struct failure *why)
{
	struct mount_attr change = {.attr_set = MOUNT_ATTR_NOEXEC};

	if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &change, sizeof(change)) < 0)
		return fail(why, -errno, "close", "/");
	return 0;
}

int executables_make_ruleset(bool best_effort, int *ret_fd, struct failure *why)
{
	int fd = landlock_make_execute();

	if (fd == -EOPNOTSUPP && best_effort) {
		*ret_fd = -1;
		return 0;
	}
	if (fd == -EOPNOTSUPP)
		return failure_set(why, fd, STAGE,
			"this kernel has no Landlock, so programs in library directories could be "
			"executed; \"best_effort\" takes that");
	if (fd < 0)
		return failure_set(
			why, fd, STAGE, "cannot make a Landlock ruleset: %s", strerror(-fd));
	*ret_fd = fd;
	return 0;
}

bool executables_is_directory(const struct launch_program *program)
{
	_cleanup_close_ int fd = cover_find(program->path, true);
	struct stat status;

	return fd >= 0 && fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

static int allow(int ruleset_fd, int fd, const char *path, struct failure *why)
{
	int r = ruleset_fd < 0 ? 0 : landlock_allow_execute(ruleset_fd, fd);

	return r < 0 ? fail(why, r, "allow to execute", path) : 0;
}

int executables_open_directory(const char *path, int ruleset_fd, bool optional, struct failure *why)
{
	_cleanup_close_ int fd = cover_find(path, false);
	struct stat status;
	int r;

	if (optional && is_absent(fd))
		return 0;
	/* The order of what is laid over what is that of the paths as they are written. */
	if (fd == -ELOOP)
		return failure_set(why, fd, STAGE,
			"%.128s is or has a symbolic link; name the directory that it leads to",
			path);
	if (fd < 0)
		return fail(why, fd, "find", path);
	if (fstat(fd, &status) < 0)
		return fail(why, -errno, "look at", path);
	if (!S_ISDIR(status.st_mode))
		return failure_set(why, -ENOTDIR, STAGE, "%.128s is no directory", path);
	r = cover_lay(fd, "", AT_RECURSIVE, &is_code, fd);
	return r < 0 ? fail(why, r, "open", path) : allow(ruleset_fd, fd, path, why);
}

/* The content that can be executed, after the mount that protects it was made. */
static int check_digest(
	const struct launch_program *program, struct digests *digests, struct failure *why)
{
	const struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	_cleanup_close_ int fd = -1;
	char hex[SHA256_HEX_SIZE];
	int r;

	fd = (int)syscall(SYS_openat2, AT_FDCWD, program->path, &how, sizeof(how));
	r = fd < 0 ? -errno : digests_get(digests, fd, hex);
	if (r < 0)
		return fail(why, r, "read", program->path);
	if (strcmp(hex, program->sha256) != 0)
		return failure_set(why, -EKEYREJECTED, STAGE,
			"%.128s is another file than the policy has: its SHA-256 is %s",
			program->path, hex);
	return 0;
}

int executables_open_file(const struct launch_program *program,
	const struct launch_executables *executables, int ruleset_fd, struct failure *why)
{
	_cleanup_close_ int fd = cover_find(program->path, true);
	struct stat status;
	int r;

	if (executables->best_effort && is_absent(fd))
		return 0;
	if (fd < 0)
		return fail(why, fd, "find", program->path);
	if (fstat(fd, &status) < 0)
		return fail(why, -errno, "look at", program->path);
	if (!S_ISREG(status.st_mode))
		return failure_set(why, -EINVAL, STAGE, "%.128s is no file that can be executed",
			program->path);
	r = cover_lay(fd, "", 0, &is_code, fd);
	if (r < 0)
		return fail(why, r, "open", program->path);
	r = program->sha256[0] ? check_digest(program, executables->digests, why) : 0;
	return r < 0 ? r : allow(ruleset_fd, fd, program->path, why);
}

int executables_open_loaders(int ruleset_fd, struct failure *why)
{
	/* As compilers write them into programs (PT_INTERP); of the native ABI, for there is no
	 * other in a sandbox. */
	static const char *const loaders[] = {
#if defined(__x86_64__)
		"/lib64/ld-linux-x86-64.so.2",
		"/lib/ld-musl-x86_64.so.1"
#elif defined(__aarch64__)
		"/lib/ld-linux-aarch64.so.1",
		"/lib/ld-musl-aarch64.so.1"
#endif
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(loaders); i++) {
		_cleanup_close_ int fd = cover_find(loaders[i], true);
		struct stat status;

		if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
			continue;
		r = cover_lay(fd, "", 0, &is_code, fd);
		r = r < 0 ? fail(why, r, "open", loaders[i])
			  : allow(ruleset_fd, fd, loaders[i], why);
	}
	return r;
}
