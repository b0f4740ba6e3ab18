#include "tests/harness/api.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/calls/calls.h"
#include "api/v1/routes.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/base/loop.h"
#include "tests/harness/check.h"

#define WAIT_S 10

static void set_limit(int fd)
{
	struct timeval limit = {.tv_sec = WAIT_S};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static void on_closed(int reason, void *userdata)
{
	loop_stop(userdata, reason ? 1 : 0);
}

static void run_child(
	int supervisor_fd, int unix_fd, int tcp_fd, const struct server_limits *limits)
{
	struct server_config config = {
		.routes = v1_routes(), .limits = limits ? *limits : server_default_limits(1024)};
	struct failure why;
	struct server *server;
	struct loop *loop;
	int code;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	if (loop_new(&loop) < 0)
		_exit(70);
	config.loop = loop;
	if (calls_new(loop, supervisor_fd, on_closed, loop, &config.calls) < 0 ||
		server_new(&config, &server) < 0 || server_listen(server, unix_fd, &why) < 0 ||
		server_listen(server, tcp_fd, &why) < 0)
		_exit(71);
	code = loop_run(loop);
	server_free(server);
	calls_free(config.calls);
	loop_free(loop);
	exit(code < 0 ? 72 : code);
}

static int listen_unix(struct api *api)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t size = sizeof(address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* Autobind (unix(7)): a name of its own that nobody has to remove. */
	CHECK(fd >= 0 && bind(fd, (void *)&address, sizeof(address.sun_family)) == 0);
	CHECK(getsockname(fd, (void *)&address, &size) == 0 && listen(fd, 64) == 0);
	api->unix_name_size = size - offsetof(struct sockaddr_un, sun_path);
	memcpy(api->unix_name, address.sun_path, api->unix_name_size);
	return fd;
}

static int listen_tcp(struct api *api)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	CHECK(fd >= 0 && bind(fd, (void *)&address, size) == 0 && listen(fd, 64) == 0);
	CHECK(getsockname(fd, (void *)&address, &size) == 0);
	api->port = ntohs(address.sin_port);
	return fd;
}

void api_start(struct api *api, const struct server_limits *limits)
{
	int pair[2], unix_fd, tcp_fd;

	*api = (struct api){0};
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	unix_fd = listen_unix(api);
	tcp_fd = listen_tcp(api);
	fflush(stdout);
	api->pid = fork();
	CHECK(api->pid >= 0);
	if (api->pid == 0) {
		close(pair[0]);
		run_child(pair[1], unix_fd, tcp_fd, limits);
	}
	close(pair[1]);
	close(unix_fd);
	close(tcp_fd);
	api->cloched = pair[0];
	set_limit(api->cloched);
}

int api_stop(struct api *api)
{
	int status = -1;

	if (api->cloched >= 0)
		close(api->cloched);
	for (int i = 0; i < WAIT_S * 100; i++) {
		if (waitpid(api->pid, &status, WNOHANG) == api->pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		poll(NULL, 0, 10);
	}
	kill(api->pid, SIGKILL);
	waitpid(api->pid, &status, 0);
	CHECK_FAIL("cloche-api does not end");
}

const void *api_expect(struct api *api, struct frame *frame, uint16_t type, size_t size)
{
	do {
		struct iovec parts[] = {{&frame->header, sizeof(frame->header)},
			{frame->body, sizeof(frame->body)}};
		struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
		ssize_t got = recvmsg(api->cloched, &message, 0);

		if (got < (ssize_t)sizeof(frame->header))
			CHECK_FAIL("no question came: %s", got < 0 ? strerror(errno) : "closed");
		CHECK_INT(frame->header.size, got);
		frame->size = (size_t)got - sizeof(frame->header);
	} while (frame->header.type == WIRE_API_CALL && type != WIRE_API_CALL);
	CHECK_INT(frame->header.type, type);
	CHECK(frame->size >= size);
	return frame->body;
}

bool api_is_quiet(struct api *api)
{
	struct wire_header header;

	for (;;) {
		ssize_t got = recv(api->cloched, &header, sizeof(header), MSG_DONTWAIT | MSG_PEEK);

		if (got < (ssize_t)sizeof(header))
			return true;
		if (header.type != WIRE_API_CALL)
			return false;
		recv(api->cloched, &header, sizeof(header), MSG_DONTWAIT);
	}
}

void api_answer(struct api *api, const struct frame *question, uint16_t type, const void *body,
	size_t size, const void *tail, size_t tail_size, int *fds, size_t n_fds)
{
	struct wire_header header = {.version = WIRE_VERSION,
		.type = type,
		.size = (uint32_t)(sizeof(header) + size + tail_size),
		.cookie = question->header.cookie};
	struct iovec parts[] = {
		{&header, sizeof(header)}, {(void *)body, size}, {(void *)tail, tail_size}};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)] = {0};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};

	if (n_fds > 0) {
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		*CMSG_FIRSTHDR(&message) = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(sizeof(int) * n_fds)};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), fds, sizeof(int) * n_fds);
	}
	CHECK_INT(sendmsg(api->cloched, &message, MSG_NOSIGNAL), header.size);
	for (size_t i = 0; i < n_fds; i++)
		close(fds[i]);
}

void api_answer_error(
	struct api *api, const struct frame *question, uint32_t code, const char *detail)
{
	struct wire_api_error error = {.code = code};

	snprintf(error.detail, sizeof(error.detail), "%s", detail);
	api_answer(api, question, WIRE_API_ERROR, &error, sizeof(error), NULL, 0, NULL, 0);
}

int api_connect(struct api *api)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + api->unix_name_size);

	memcpy(address.sun_path, api->unix_name, api->unix_name_size);
	CHECK(fd >= 0 && connect(fd, (void *)&address, size) == 0);
	set_limit(fd);
	return fd;
}

int api_connect_tcp(struct api *api)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(api->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0 && connect(fd, (void *)&address, sizeof(address)) == 0);
	set_limit(fd);
	return fd;
}

static void send_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);

		if (sent <= 0)
			CHECK_FAIL("send: %s", strerror(errno));
		bytes += sent;
		size -= (size_t)sent;
	}
}

void api_send(int fd, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	CHECK(length >= 0);
	send_all(fd, text, (size_t)length);
}

void api_request(
	int fd, const char *method, const char *path, const char *headers, const char *body)
{
	if (body)
		api_send(fd,
			"%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " API_KEY "\r\n"
			"Content-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n%s",
			method, path, strlen(body), headers, body);
	else
		api_send(fd,
			"%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " API_KEY "\r\n%s\r\n",
			method, path, headers);
}

static char read_byte(int fd)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, 0);

	if (got != 1)
		CHECK_FAIL("the answer ends early: %s", got < 0 ? strerror(errno) : "closed");
	return byte;
}

static void read_line(int fd, char *line, size_t size)
{
	size_t used = 0;

	while (used + 1 < size) {
		char byte = read_byte(fd);

		if (byte == '\n')
			break;
		if (byte != '\r')
			line[used++] = byte;
	}
	line[used] = '\0';
}

static void read_exactly(int fd, struct response *response, size_t size)
{
	response->body = realloc(response->body, response->body_size + size + 1);
	CHECK(response->body);
	while (size > 0) {
		ssize_t got = recv(fd, response->body + response->body_size, size, 0);

		if (got <= 0)
			CHECK_FAIL("the body ends early: %s", got < 0 ? strerror(errno) : "closed");
		response->body_size += (size_t)got;
		size -= (size_t)got;
	}
	response->body[response->body_size] = '\0';
}

static void read_chunks(int fd, struct response *response)
{
	char line[64];
	size_t size;

	do {
		read_line(fd, line, sizeof(line));
		size = strtoul(line, NULL, 16);
		read_exactly(fd, response, size);
		read_line(fd, line, sizeof(line));
	} while (size > 0);
}

void api_read(int fd, struct response *response)
{
	size_t used = 0, length = 0;
	bool chunked = false;
	char line[2048];

	*response = (struct response){0};
	read_line(fd, line, sizeof(line));
	if (sscanf(line, "HTTP/1.1 %u", &response->status) != 1)
		CHECK_FAIL("no answer of HTTP: \"%s\"", line);
	for (;;) {
		read_line(fd, line, sizeof(line));
		if (!line[0])
			break;
		if (strncasecmp(line, "Content-Length: ", 16) == 0)
			length = strtoul(line + 16, NULL, 10);
		if (strcasecmp(line, "Transfer-Encoding: chunked") == 0)
			chunked = true;
		used += (size_t)snprintf(
			response->head + used, sizeof(response->head) - used, "%s\n", line);
	}
	if (chunked)
		read_chunks(fd, response);
	else
		read_exactly(fd, response, length);
}

void api_response_fini(struct response *response)
{
	free(response->body);
	*response = (struct response){0};
}

void api_read_until(int fd, const char *text, char *buffer, size_t size)
{
	size_t used = 0;

	buffer[0] = '\0';
	while (!strstr(buffer, text)) {
		if (used + 1 == size)
			CHECK_FAIL("\"%s\" did not come", text);
		buffer[used++] = read_byte(fd);
		buffer[used] = '\0';
	}
}

bool api_is_closed(int fd)
{
	char byte;
	ssize_t got;

	do
		got = recv(fd, &byte, 1, 0);
	while (got > 0);
	return got == 0 || errno == ECONNRESET;
}

void api_exchange_begin(struct api_exchange *exchange)
{
	api_start(&exchange->api, NULL);
	exchange->client = api_connect(&exchange->api);
}

void api_exchange_end(struct api_exchange *exchange)
{
	close(exchange->client);
	CHECK_INT(api_stop(&exchange->api), 0);
}
