/* What cloched does to a sandbox from outside, without running anything in it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/log.h"
#include "supervisor/launch/launch.h"
#include "supervisor/launch/stage.h"

#define BACKLOG 128

/* A dual-stack socket; where IPv6 is switched off, one for IPv4. Nothing but loopback is there. */
static int open_listener(int *ret_fd, uint16_t *ret_port)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_in6 any = {.sin6_family = AF_INET6};
	struct sockaddr_in loopback = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_storage bound;
	socklen_t size = sizeof(bound);
	int off = 0, r;

	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0) {
		if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
			return -errno;
		r = bind(fd, (const struct sockaddr *)&any, sizeof(any));
	} else {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0)
			return -errno;
		r = bind(fd, (const struct sockaddr *)&loopback, sizeof(loopback));
	}
	if (r < 0 || listen(fd, BACKLOG) < 0 ||
		getsockname(fd, (struct sockaddr *)&bound, &size) < 0)
		return -errno;
	*ret_port =
		ntohs(bound.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)&bound)->sin6_port
						  : ((const struct sockaddr_in *)&bound)->sin_port);
	*ret_fd = steal_fd(&fd);
	return 0;
}

int launch_listen_inside(
	int pidfd, int *ret_listen_fd, uint16_t *ret_port, uint64_t *ret_netns_cookie)
{
	_cleanup_close_ int home_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int fd = -1;
	socklen_t size = sizeof(*ret_netns_cookie);
	uint16_t port = 0;
	uint64_t cookie = 0;
	int r;

	if (home_fd < 0 || setns(pidfd, CLONE_NEWNET) < 0)
		return -errno;
	r = open_listener(&fd, &port);
	if (setns(home_fd, CLONE_NEWNET) < 0) {
		/* Going on in a tenant's network would be worse than to be started again. */
		log_error(
			"cannot come back from a sandbox's network namespace: %s", strerror(errno));
		abort();
	}
	if (r < 0)
		return r;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) < 0)
		return -errno;
	*ret_listen_fd = steal_fd(&fd);
	*ret_port = port;
	*ret_netns_cookie = cookie;
	return 0;
}

int launch_set_disk_bytes(uint32_t pid, uint64_t disk_bytes)
{
	_cleanup_close_ int fd = -1;
	char path[48], size[24], inodes[24];

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/root", pid);
	snprintf(size, sizeof(size), "%" PRIu64, disk_bytes);
	snprintf(inodes, sizeof(inodes), "%" PRIu64, stage_disk_inodes(disk_bytes));
	fd = fspick(AT_FDCWD, path, FSPICK_CLOEXEC | FSPICK_NO_AUTOMOUNT);
	if (fd < 0 || fsconfig(fd, FSCONFIG_SET_STRING, "size", size, 0) < 0 ||
		fsconfig(fd, FSCONFIG_SET_STRING, "nr_inodes", inodes, 0) < 0 ||
		fsconfig(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		return -errno;
	return 0;
}
