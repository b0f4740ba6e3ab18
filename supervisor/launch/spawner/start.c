/* The cloched side of becoming a spawner: its program in memory, its process started. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/fd.h"
#include "supervisor/launch/spawner/spawner.h"

#define INIT_BYTES_MAX (1024 * 1024)
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3 */
#endif

/* Copies cloche-init into memory that nobody can change any more, so that neither an upgrade on
 * disk nor a sandbox that gets hold of its /proc/1/exe (CVE-2019-5736) touches what PID 1s run.
 * Others may execute but not read it: a process that runs it is undumpable from its first
 * instruction. */
int spawner_load_init(const char *path, int *ret_fd, struct failure *why)
{
	_cleanup_free_ char *bytes = NULL;
	_cleanup_close_ int fd = -1;
	size_t size;
	int r = fd_read_file_at(AT_FDCWD, path, INIT_BYTES_MAX, &bytes, &size);

	if (r < 0)
		return failure_set(why, r, "cloche-init", "cannot read %s: %s", path, strerror(-r));
	fd = memfd_create("cloche-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("cloche-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	r = fd < 0 ? -errno : fd_write_all(fd, bytes, size);
	if (r == 0 && (fchmod(fd, 0511) < 0 || fcntl(fd, F_ADD_SEALS,
						       F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
							       F_SEAL_WRITE) < 0))
		r = -errno;
	if (r < 0)
		return failure_set(
			why, r, "cloche-init", "cannot keep it in memory: %s", strerror(-r));
	*ret_fd = steal_fd(&fd);
	return 0;
}

int spawner_execute(const struct spawner_start *start, int channel_fd, pid_t *ret_pid)
{
	char *argv[] = {
		(char *)SPAWNER_NAME, (char *)start->socket_dir, (char *)start->work_dir, NULL};
	char *env[] = {NULL};
	/* Above 4, so that placing one never overwrites the other. */
	_cleanup_close_ int channel_copy = fcntl(channel_fd, F_DUPFD_CLOEXEC, 10);
	_cleanup_close_ int init_copy = fcntl(start->init_fd, F_DUPFD_CLOEXEC, 10);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int r;

	if (channel_copy < 0 || init_copy < 0)
		return -errno;
	sigemptyset(&none);
	r = posix_spawn_file_actions_init(&actions);
	if (r > 0)
		return -r;
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	r = posix_spawn_file_actions_adddup2(&actions, channel_copy, SPAWNER_CHANNEL_FD);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, init_copy, SPAWNER_INIT_FD);
	if (r == 0)
		r = posix_spawn(ret_pid, "/proc/self/exe", &actions, &attributes, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return -r;
}
