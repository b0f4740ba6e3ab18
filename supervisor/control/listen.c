#include "supervisor/control/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "supervisor/base/log.h"

#define BACKLOG 1024

int lock_run_dir(const char *run_dir, int *ret_fd, struct failure *why)
{
	_cleanup_close_ int fd = -1;
	char path[128];

	snprintf(path, sizeof(path), "%s/lock", run_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return failure_set(why, -errno, "lock", "cannot open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return failure_set(why, errno == EWOULDBLOCK ? -EADDRINUSE : -errno, "lock",
			"another cloched runs in %s: end it, or give --instance, --state-dir and "
			"--run-dir",
			run_dir);
	*ret_fd = steal_fd(&fd);
	return 0;
}

int listen_unix(const char *path, int *ret_fd, struct failure *why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return failure_set(why, -errno, "listen", "no unix socket");
	if (strlen(path) >= sizeof(address.sun_path))
		return failure_set(
			why, -ENAMETOOLONG, "listen", "%s is too long for a socket", path);
	strcpy(address.sun_path, path);
	unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0666) < 0 ||
		listen(fd, BACKLOG) < 0)
		return failure_set(why, -errno, "listen", "cannot listen on %s", path);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int parse_address(
	const char *text, struct sockaddr_storage *ret_address, socklen_t *ret_size)
{
	const char *colon = strrchr(text, ':');
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;
	char host[64], *end;
	unsigned long port;

	if (!colon || !colon[1] || (size_t)(colon - text) >= sizeof(host))
		return -EINVAL;
	port = strtoul(colon + 1, &end, 10);
	if (*end || port > 65535)
		return -EINVAL;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	memset(ret_address, 0, sizeof(*ret_address));
	if (host[0] == '[' && host[strlen(host) - 1] == ']') {
		host[strlen(host) - 1] = '\0';
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		*ret_size = sizeof(*v6);
		return inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1 ? 0 : -EINVAL;
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)port);
	*ret_size = sizeof(*v4);
	return inet_pton(AF_INET, host, &v4->sin_addr) == 1 ? 0 : -EINVAL;
}

int listen_tcp(const char *text, int *ret_fd, struct failure *why)
{
	struct sockaddr_storage address;
	_cleanup_close_ int fd = -1;
	socklen_t size;
	int on = 1;

	if (parse_address(text, &address, &size) < 0)
		return failure_set(why, -EINVAL, "listen",
			"--listen %s: wants an address and a port, as 127.0.0.1:8750 or [::1]:8750",
			text);
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, BACKLOG) < 0)
		return failure_set(why, -errno, "listen", "cannot listen on %s", text);
	if (getsockname(fd, (struct sockaddr *)&address, &size) == 0)
		log_info("serving http on port %u",
			ntohs(((struct sockaddr_in *)&address)->sin_port));
	*ret_fd = steal_fd(&fd);
	return 0;
}
