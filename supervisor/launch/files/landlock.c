/* Only accesses that nobody in a sandbox has a use for are handled, so that opening files, which
 * would otherwise walk the tree up to the root for rules, costs nothing.
 *
 * Any ruleset forbids moving files between directories unless that is granted
 * (LANDLOCK_ACCESS_FS_REFER, ABI 2); so it is handled and granted everywhere. On ABI 1 it cannot be
 * granted: no rules of files there. A process under any ruleset of files cannot mount, unmount or
 * pivot. */
#include "supervisor/launch/files/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

/* include/uapi/linux/landlock.h; newer than the headers that we may be built with. */
#define ACCESS_EXECUTE (1ULL << 0)
#define ACCESS_MAKE_CHAR (1ULL << 6)
#define ACCESS_MAKE_BLOCK (1ULL << 11)
#define ACCESS_REFER (1ULL << 13)
#define SCOPE_ABSTRACT_SOCKETS (1ULL << 0)
#define SCOPE_SIGNALS (1ULL << 1)
#define CREATE_VERSION (1U << 0)
#define RULE_PATH_BENEATH 1
#define ABI_REFER 2
#define ABI_SCOPE 6

struct ruleset {
	uint64_t handled_fs, handled_net, scoped;
};

struct path_beneath {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed)); /* as the kernel has it */

static int allow(int ruleset_fd, int fd, uint64_t access)
{
	struct path_beneath rule = {.allowed = access, .parent_fd = fd};

	return syscall(SYS_landlock_add_rule, ruleset_fd, RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno
											   : 0;
}

static int allow_refer(int ruleset_fd)
{
	_cleanup_close_ int root_fd = open("/", O_PATH | O_CLOEXEC);

	return root_fd < 0 ? -errno : allow(ruleset_fd, root_fd, ACCESS_REFER);
}

int landlock_make_execute(void)
{
	const struct ruleset ruleset = {.handled_fs = ACCESS_EXECUTE | ACCESS_REFER};
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
	_cleanup_close_ int fd = -1;
	int r;

	if (abi < ABI_REFER)
		return -EOPNOTSUPP;
	fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset.handled_fs), 0);
	r = fd < 0 ? -errno : allow_refer(fd);
	return r < 0 ? r : steal_fd(&fd);
}

int landlock_allow_execute(int ruleset_fd, int fd)
{
	return allow(ruleset_fd, fd, ACCESS_EXECUTE);
}

int landlock_restrict(struct failure *why)
{
	struct ruleset ruleset = {
		.handled_fs = ACCESS_MAKE_CHAR | ACCESS_MAKE_BLOCK | ACCESS_REFER};
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
	_cleanup_close_ int fd = -1;
	size_t size = sizeof(ruleset);
	int r;

	if (abi < ABI_REFER)
		return 0; /* not there, switched off, or too old to be of use */
	if (abi >= ABI_SCOPE)
		ruleset.scoped = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS;
	else
		size = sizeof(ruleset.handled_fs);
	fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
	r = fd < 0 ? -errno : allow_refer(fd);
	if (r == 0 && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		r = -errno;
	return r < 0 ? failure_set(
			       why, r, "landlock", "cannot restrict the sandbox: %s", strerror(-r))
		     : 0;
}
