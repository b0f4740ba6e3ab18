/* The server that tests/bench measures against: GET /N is answered with N bytes, on as many
 * connections as come, by one thread. Listens on all addresses; prints its port; ends with its
 * standard input. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define FDS_MAX 4096
#define REQUEST_SIZE 2048
#define BODY_SIZE (256 << 10)
#define EVENTS_MAX 64

struct connection {
	uint64_t n_left; /* bytes of the body that are not sent yet */
	size_t size;
	char request[REQUEST_SIZE];
};

static struct connection *connections[FDS_MAX];
static const char body[BODY_SIZE];

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static void watch(int epoll_fd, int operation, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	if (epoll_ctl(epoll_fd, operation, fd, &event) < 0)
		die("epoll_ctl");
}

static int listen_all(void)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 4096) < 0 ||
		getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		die("listen");
	printf("%d\n", ntohs(address.sin6_port));
	fflush(stdout);
	return fd;
}

static void take(int epoll_fd, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1;

	if (fd < 0)
		return;
	if (fd >= FDS_MAX) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	connections[fd] = calloc(1, sizeof(*connections[fd]));
	if (!connections[fd])
		die("calloc");
	watch(epoll_fd, EPOLL_CTL_ADD, fd, EPOLLIN);
}

static void drop(int fd)
{
	free(connections[fd]);
	connections[fd] = NULL;
	close(fd);
}

/* Sends what fits of the body. */
static void push(int epoll_fd, int fd)
{
	struct connection *connection = connections[fd];

	while (connection->n_left > 0) {
		size_t size = connection->n_left < BODY_SIZE ? connection->n_left : BODY_SIZE;
		ssize_t n = send(fd, body, size, MSG_NOSIGNAL);

		if (n <= 0) {
			watch(epoll_fd, EPOLL_CTL_MOD, fd, EPOLLOUT);
			return;
		}
		connection->n_left -= (uint64_t)n;
	}
}

static void answer(int epoll_fd, int fd)
{
	struct connection *connection = connections[fd];
	char text[256 + 4096];
	uint64_t n_bytes = strtoull(connection->request + strlen("GET /"), NULL, 10);
	size_t inlined = n_bytes < 4096 ? (size_t)n_bytes : 0;
	int head = snprintf(text, 256, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n",
		(unsigned long long)n_bytes);

	memset(text + head, 0, inlined);
	if (send(fd, text, (size_t)head + inlined, MSG_NOSIGNAL) < 0) {
		drop(fd);
		return;
	}
	connection->size = 0;
	connection->n_left = n_bytes - inlined;
	push(epoll_fd, fd);
}

static void on_connection(int epoll_fd, int fd, uint32_t events)
{
	struct connection *connection = connections[fd];
	ssize_t n;

	if (connection->n_left > 0 && !(events & (EPOLLERR | EPOLLHUP))) {
		push(epoll_fd, fd);
		if (connection->n_left == 0)
			watch(epoll_fd, EPOLL_CTL_MOD, fd, EPOLLIN);
		return;
	}
	n = read(fd, connection->request + connection->size, REQUEST_SIZE - 1 - connection->size);
	if (n <= 0) {
		drop(fd);
		return;
	}
	connection->size += (size_t)n;
	connection->request[connection->size] = '\0';
	if (strstr(connection->request, "\r\n\r\n"))
		answer(epoll_fd, fd);
}

int main(void)
{
	struct rlimit files = {FDS_MAX, FDS_MAX};
	struct epoll_event events[EVENTS_MAX];
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC), listener;

	setrlimit(RLIMIT_NOFILE, &files);
	listener = listen_all();
	watch(epoll_fd, EPOLL_CTL_ADD, listener, EPOLLIN);
	watch(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN);
	for (;;) {
		int n = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (fd == STDIN_FILENO)
				return 0;
			if (fd == listener)
				take(epoll_fd, listener);
			else
				on_connection(epoll_fd, fd, events[i].events);
		}
	}
}
