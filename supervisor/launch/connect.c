/* The socket's path alone proves nothing after a restart: a pid from SO_PEERCRED is pinned by a
 * pidfd first, and only then is its cgroup read, so that a recycled pid cannot pass for PID 1. */
#include "supervisor/launch/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "supervisor/base/fd.h"

#define STAGE "connect to cloche-init"
#define CGROUP_FILE_MAX 8192

void connect_socket_name(uint64_t sandbox, char *ret_name, size_t size)
{
	snprintf(ret_name, size, "%016" PRIx64 ".sock", sandbox);
}

/* Through /proc/self/fd, because a path in a socket address is cut at 108 bytes. */
static int open_address(
	const char *socket_dir, uint64_t sandbox, struct sockaddr_un *ret_address, int *ret_dir_fd)
{
	int fd = open(socket_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[32];

	if (fd < 0)
		return -errno;
	connect_socket_name(sandbox, name, sizeof(name));
	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->sun_family = AF_UNIX;
	snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "/proc/self/fd/%d/%s", fd,
		name);
	*ret_dir_fd = fd;
	return 0;
}

/* True if the process is in the cgroup v2 directory of the sandbox itself, and not in one that has
 * been removed: /proc/<pid>/cgroup has the line "0::/base/sandboxes/sb-…". */
static bool is_in_cgroup(uint32_t pid, const struct cgroup *cgroup)
{
	_cleanup_free_ char *text = NULL;
	char path[48], wanted[384];
	const char *line;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/cgroup", pid);
	snprintf(wanted, sizeof(wanted), "0::%s/sandboxes/sb-%016" PRIx64 "\n",
		cgroup_tree_base(cgroup->tree), cgroup->sandbox);
	if (fd_read_file_at(AT_FDCWD, path, CGROUP_FILE_MAX, &text, NULL) < 0)
		return false;
	line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	if (!line)
		return false;
	line += line[0] == '\n';
	return strncmp(line, wanted, strlen(wanted)) == 0;
}

int connect_to_init(const char *socket_dir, uint64_t sandbox, const struct cgroup *cgroup,
	uint32_t pid, int *ret_socket, struct failure *why)
{
	_cleanup_close_ int fd = -1, dir_fd = -1;
	struct sockaddr_un address;
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int r = open_address(socket_dir, sandbox, &address, &dir_fd);

	if (r < 0)
		return failure_set(why, r, STAGE, "cannot open %s: %s", socket_dir, strerror(-r));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return failure_set(
			why, -errno, STAGE, "nobody answers on its socket: %s", strerror(errno));
	if (peer.pid <= 0 || (pid != 0 && (uint32_t)peer.pid != pid))
		return failure_set(why, -EPERM, STAGE,
			"process %d listens on its socket instead of %" PRIu32, peer.pid, pid);
	if (!is_in_cgroup((uint32_t)peer.pid, cgroup))
		return failure_set(why, -EPERM, STAGE,
			"process %d listens on its socket and is not in its cgroup", peer.pid);
	*ret_socket = steal_fd(&fd);
	return 0;
}

int connect_adopt(const char *socket_dir, uint64_t sandbox, const struct cgroup *cgroup,
	struct launch_result *ret_result)
{
	struct launch_result result = {.pidfd = -1, .init_socket = -1};
	struct ucred peer = {0};
	socklen_t size = sizeof(peer);
	_cleanup_close_ int pidfd = -1, fd = -1;

	result.error = connect_to_init(socket_dir, sandbox, cgroup, 0, &fd, &result.why);
	if (result.error == 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		result.error = -errno;
	if (result.error == 0) {
		pidfd = (int)syscall(SYS_pidfd_open, peer.pid, 0);
		if (pidfd < 0)
			result.error = failure_set(&result.why, -errno, STAGE,
				"process %d has ended: %s", peer.pid, strerror(errno));
	}
	/* Again, now that the pidfd keeps the pid from meaning another process. */
	if (result.error == 0 && !is_in_cgroup((uint32_t)peer.pid, cgroup))
		result.error = failure_set(&result.why, -EPERM, STAGE,
			"process %d is not in the sandbox's cgroup", peer.pid);
	if (result.error == 0) {
		result.pid = (uint32_t)peer.pid;
		result.pidfd = steal_fd(&pidfd);
		result.init_socket = steal_fd(&fd);
	}
	*ret_result = result;
	return result.error;
}

void connect_remove(const char *socket_dir, uint64_t sandbox)
{
	_cleanup_close_ int dir_fd = open(socket_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[32];

	connect_socket_name(sandbox, name, sizeof(name));
	if (dir_fd >= 0)
		unlinkat(dir_fd, name, 0);
}
