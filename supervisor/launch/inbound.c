/* A connection to a port inside a sandbox, begun by cloched: the socket belongs to cloched's own
 * cgroup, so the sandbox's programs in the kernel have no say in it. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/log.h"
#include "supervisor/launch/launch.h"

/* Over loopback the refusal is there when connect(2) returns; whatever takes longer is left to the
 * receiver of the socket, as this process waits for nobody. */
static int check_begun(int fd)
{
	struct pollfd polled = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(int);
	int error = 0;

	if (poll(&polled, 1, 0) > 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return -errno;
	return -error;
}

static int begin(const void *address, socklen_t size, int *ret_fd)
{
	const struct sockaddr *generic = address;
	_cleanup_close_ int fd =
		socket(generic->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0 || (connect(fd, generic, size) < 0 && errno != EINPROGRESS))
		return -errno;
	r = check_begun(fd);
	if (r == 0)
		*ret_fd = steal_fd(&fd);
	return r;
}

static int connect_loopback(uint16_t port, int *ret_fd)
{
	const struct sockaddr_in v4 = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int r = begin(&v4, sizeof(v4), ret_fd);

	if (r == -ECONNREFUSED && begin(&v6, sizeof(v6), ret_fd) == 0)
		return 0;
	return r;
}

int launch_connect_inside(int pidfd, uint16_t port, int *ret_fd)
{
	_cleanup_close_ int home_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int r;

	if (home_fd < 0 || setns(pidfd, CLONE_NEWNET) < 0)
		return -errno;
	r = connect_loopback(port, ret_fd);
	if (setns(home_fd, CLONE_NEWNET) < 0) {
		/* Going on in a tenant's network would be worse than to be started again. */
		log_error(
			"cannot come back from a sandbox's network namespace: %s", strerror(errno));
		abort();
	}
	return r;
}
