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
#include "supervisor/launch/route.h"
#include "supervisor/launch/spawner/stage.h"

#define BACKLOG 128

#define SAME_PORT_TRIES                                                                            \
	16 /* a warm sandbox has no sockets yet, so the first is nearly always free */

static uint16_t port_of(const struct sockaddr_storage *address)
{
	return ntohs(address->ss_family == AF_INET6
			     ? ((const struct sockaddr_in6 *)address)->sin6_port
			     : ((const struct sockaddr_in *)address)->sin_port);
}

/* A dual-stack socket; where IPv6 is switched off, one for IPv4. Nothing but loopback is there. */
static int open_bound(int type, uint16_t port, int *ret_fd, uint16_t *ret_port)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_storage bound;
	socklen_t size = sizeof(bound);
	int off = 0, r;

	fd = socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0) {
		if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
			return -errno;
		r = bind(fd, (const struct sockaddr *)&any, sizeof(any));
	} else {
		fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0)
			return -errno;
		r = bind(fd, (const struct sockaddr *)&any4, sizeof(any4));
	}
	if (r < 0 || (type == SOCK_STREAM && listen(fd, BACKLOG) < 0) ||
		getsockname(fd, (struct sockaddr *)&bound, &size) < 0)
		return -errno;
	*ret_port = port_of(&bound);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int open_resolver(struct launch_sockets *sockets)
{
	int r = -EADDRINUSE;

	for (int i = 0; i < SAME_PORT_TRIES && r == -EADDRINUSE; i++) {
		_cleanup_close_ int tcp_fd = -1;
		uint16_t port;

		r = open_bound(SOCK_STREAM, 0, &tcp_fd, &sockets->dns_port);
		if (r == 0)
			r = open_bound(SOCK_DGRAM, sockets->dns_port, &sockets->dns_udp_fd, &port);
		if (r == 0)
			sockets->dns_tcp_fd = steal_fd(&tcp_fd);
	}
	return r;
}

static void close_sockets(struct launch_sockets *sockets)
{
	cleanup_close(&sockets->relay_fd);
	cleanup_close(&sockets->dns_udp_fd);
	cleanup_close(&sockets->dns_tcp_fd);
}

/* Runs `open` in the sandbox's network and comes back. */
static int with_network(int pidfd, int (*open_there)(struct launch_sockets *sockets),
	struct launch_sockets *sockets)
{
	_cleanup_close_ int home_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int r;

	if (home_fd < 0 || setns(pidfd, CLONE_NEWNET) < 0)
		return -errno;
	r = open_there(sockets);
	if (setns(home_fd, CLONE_NEWNET) < 0) {
		/* Going on in a tenant's network would be worse than to be started again. */
		log_error(
			"cannot come back from a sandbox's network namespace: %s", strerror(errno));
		abort();
	}
	return r;
}

/* The addresses that stand for destinations of IPv6, and the one for names, are a route's; for IPv4
 * loopback has them. */
static int add_addresses(void)
{
	int r = route_add_datagrams();

	return r == -EAFNOSUPPORT || r == -EOPNOTSUPP ? 0 : r;
}

static int open_streams(struct launch_sockets *sockets)
{
	int r = add_addresses();

	if (r == 0)
		r = open_bound(SOCK_STREAM, 0, &sockets->relay_fd, &sockets->relay_port);
	return r == 0 ? open_resolver(sockets) : r;
}

int launch_open_inside(int pidfd, struct launch_sockets *ret_sockets)
{
	struct launch_sockets sockets = {
		.relay_fd = -1, .dns_udp_fd = -1, .dns_tcp_fd = -1, .datagram_fd = -1};
	socklen_t size = sizeof(sockets.netns_cookie);
	int r = with_network(pidfd, open_streams, &sockets);

	if (r == 0 && getsockopt(sockets.relay_fd, SOL_SOCKET, SO_NETNS_COOKIE,
			      &sockets.netns_cookie, &size) < 0)
		r = -errno;
	if (r < 0)
		close_sockets(&sockets);
	else
		*ret_sockets = sockets;
	return r;
}

static int open_datagrams(struct launch_sockets *sockets)
{
	return open_bound(SOCK_DGRAM, 0, &sockets->datagram_fd, &sockets->datagram_port);
}

int launch_open_datagrams(int pidfd, struct launch_sockets *sockets)
{
	struct launch_sockets opened = {.datagram_fd = -1};
	int r = with_network(pidfd, open_datagrams, &opened);

	if (r < 0)
		return r;
	sockets->datagram_fd = opened.datagram_fd;
	sockets->datagram_port = opened.datagram_port;
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
