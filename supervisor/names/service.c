#include "supervisor/names/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"
#include "supervisor/base/fd.h"

#define DATAGRAMS_PER_WAKEUP 16 /* then it is another sandbox's turn */

/* ---- time */

static void watch_for(struct names_service *service, uint32_t events)
{
	if (service->udp_source)
		loop_source_set_events(service->udp_source, events);
	if (service->tcp_source)
		loop_source_set_events(service->tcp_source, events);
}

static void resume_all(struct names *names)
{
	struct names_service *service;
	struct stream *stream;

	while ((service = TAILQ_FIRST(&names->held))) {
		TAILQ_REMOVE(&names->held, service, in_held);
		service->is_held = false;
		watch_for(service, EPOLLIN);
		TAILQ_FOREACH(stream, &service->streams, in_service)
		stream_resume(stream);
	}
}

static void on_tick(struct loop_source *source, void *userdata)
{
	struct names *names = userdata;
	uint64_t now_ns = clock_monotonic_ns();

	resume_all(names);
	query_expire(names, now_ns);
	stream_expire(names, now_ns);
	names->tick_armed = !TAILQ_EMPTY(&names->waiting) || !TAILQ_EMPTY(&names->streams) ||
			    !TAILQ_EMPTY(&names->held);
	if (names->tick_armed)
		loop_timer_arm(source, TICK_MS, 0);
}

void names_want_tick(struct names *names)
{
	if (!names->tick_armed)
		loop_timer_arm(names->tick, TICK_MS, 0);
	names->tick_armed = true;
}

/* ---- all sandboxes */

static uint32_t or_default(uint32_t value, uint32_t by_default)
{
	return value ? value : by_default;
}

int names_new(struct loop *loop, const struct names_config *config, struct names **ret_names)
{
	struct names *names = calloc(1, sizeof(*names));
	struct names_config *own;
	int r;

	if (!names)
		return -ENOMEM;
	names->loop = loop;
	names->config = *config;
	own = &names->config;
	own->ask_timeout_ms = or_default(own->ask_timeout_ms, ASK_TIMEOUT_MS);
	own->stream_idle_ms = or_default(own->stream_idle_ms, STREAM_IDLE_MS);
	own->queries_per_second = or_default(own->queries_per_second, QUERIES_PER_SECOND);
	own->queries_burst = or_default(own->queries_burst, QUERIES_BURST);
	TAILQ_INIT(&names->waiting);
	TAILQ_INIT(&names->streams);
	TAILQ_INIT(&names->held);
	r = loop_add_timer(loop, on_tick, names, &names->tick);
	if (r < 0) {
		free(names);
		return r;
	}
	*ret_names = names;
	return 0;
}

struct names *names_free(struct names *names)
{
	if (!names)
		return NULL;
	loop_source_free(names->tick);
	free(names);
	return NULL;
}

size_t names_count_fds(const struct names *names)
{
	return names->n_streams + names->n_lookups;
}

/* ---- one sandbox */

void service_hold(struct names_service *service)
{
	if (service->is_held)
		return;
	service->is_held = true;
	TAILQ_INSERT_TAIL(&service->names->held, service, in_held);
	watch_for(service, 0);
	names_want_tick(service->names);
}

/* A client that is bound to an address, or connected, takes only what comes from where it asked;
 * the kernel alone might choose another of the sandbox's own addresses. */
static void send_datagram(struct names_service *service, const struct asker *asker,
	const uint8_t *message, size_t size_bytes)
{
	const struct in6_pktinfo source = {.ipi6_addr = asker->asked};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(source))] = {0};
	struct sockaddr_in6 address = asker->address;
	struct iovec part = {(void *)message, size_bytes};
	struct msghdr header = {.msg_name = &address,
		.msg_namelen = sizeof(address),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};

	*CMSG_FIRSTHDR(&header) = (struct cmsghdr){.cmsg_level = IPPROTO_IPV6,
		.cmsg_type = IPV6_PKTINFO,
		.cmsg_len = CMSG_LEN(sizeof(source))};
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&header)), &source, sizeof(source));
	sendmsg(service->udp_fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void service_send(struct names_service *service, const struct asker *asker, const uint8_t *message,
	size_t size_bytes)
{
	if (asker->stream)
		stream_send(asker->stream, message, size_bytes);
	else
		send_datagram(service, asker, message, size_bytes);
}

static void note_asked(struct msghdr *header, struct asker *asker)
{
	struct in6_pktinfo target;

	for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
		if (part->cmsg_level != IPPROTO_IPV6 || part->cmsg_type != IPV6_PKTINFO)
			continue;
		memcpy(&target, CMSG_DATA(part), sizeof(target));
		asker->asked = target.ipi6_addr;
	}
}

/* Returns whether there was a datagram; what is no query is dropped. */
static bool take_datagram(struct names_service *service)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct asker asker = {.address = {.sin6_family = AF_UNSPEC}};
	uint8_t message[QUESTION_MESSAGE_MAX];
	struct iovec part = {message, sizeof(message)};
	struct msghdr header = {.msg_name = &asker.address,
		.msg_namelen = sizeof(asker.address),
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t size_bytes = recvmsg(service->udp_fd, &header, MSG_DONTWAIT);

	if (size_bytes < 0)
		return errno != EAGAIN;
	if ((header.msg_flags & MSG_TRUNC) || asker.address.sin6_family != AF_INET6)
		return true;
	note_asked(&header, &asker);
	query_take(service, &asker, message, (size_t)size_bytes);
	return true;
}

static void on_datagram(struct loop_source *source, uint32_t events, void *userdata)
{
	struct names_service *service = userdata;
	socklen_t size = sizeof(int);
	int error;

	/* An ICMP error for an earlier answer: reading it clears it. */
	if (events & EPOLLERR)
		getsockopt(service->udp_fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (events & EPOLLHUP) {
		loop_source_free(source);
		service->udp_source = NULL;
		return;
	}
	for (int i = 0; i < DATAGRAMS_PER_WAKEUP && !service->is_held; i++)
		if (!take_datagram(service))
			return;
}

static void on_stream(struct loop_source *source _unused_, uint32_t events, void *userdata)
{
	struct names_service *service = userdata;

	if (events & EPOLLHUP) /* no longer listening */
		service->tcp_source = loop_source_free(service->tcp_source);
	else
		stream_accept(service);
}

static int watch(struct names_service *service)
{
	struct loop *loop = service->names->loop;
	const int on = 1;
	int r;

	if (service->udp_fd < 0)
		return 0;
	if (setsockopt(service->udp_fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) < 0)
		return -errno;
	r = fd_set_nonblocking(service->udp_fd, true);
	if (r == 0)
		r = fd_set_nonblocking(service->tcp_fd, true);
	if (r == 0)
		r = loop_add_fd(
			loop, service->udp_fd, EPOLLIN, on_datagram, service, &service->udp_source);
	if (r == 0)
		r = loop_add_fd(
			loop, service->tcp_fd, EPOLLIN, on_stream, service, &service->tcp_source);
	return r;
}

int names_open(struct names *names, uint64_t sandbox, int udp_fd, int tcp_fd,
	struct names_service **ret_service)
{
	_cleanup_close_ int udp = udp_fd, tcp = tcp_fd;
	struct names_service *service;
	int r;

	if ((udp < 0) != (tcp < 0))
		return -EINVAL;
	service = calloc(1, sizeof(*service));
	if (!service)
		return -ENOMEM;
	service->names = names;
	service->sandbox = sandbox;
	service->udp_fd = steal_fd(&udp);
	service->tcp_fd = steal_fd(&tcp);
	TAILQ_INIT(&service->waiting);
	TAILQ_INIT(&service->streams);
	TAILQ_INIT(&service->lookups);
	r = tickets_new(&service->tickets);
	if (r == 0)
		r = watch(service);
	if (r < 0) {
		names_close(service);
		return r;
	}
	*ret_service = service;
	return 0;
}

struct names_service *names_close(struct names_service *service)
{
	if (!service)
		return NULL;
	while (!TAILQ_EMPTY(&service->streams))
		stream_free(TAILQ_FIRST(&service->streams));
	query_forget(service, NULL);
	records_forget(service, NULL);
	if (service->is_held)
		TAILQ_REMOVE(&service->names->held, service, in_held);
	loop_source_free(service->udp_source);
	loop_source_free(service->tcp_source);
	cleanup_close(&service->udp_fd);
	cleanup_close(&service->tcp_fd);
	tickets_free(service->tickets);
	free(service);
	return NULL;
}

void names_take_ticket(struct names_service *service, const struct wire_gate_ticket *ticket)
{
	struct wire_gate_ticket failed;

	if (tickets_put(service->tickets, ticket) < 0) {
		failed = *ticket;
		failed.error = -ENOMEM;
		ticket = &failed;
	}
	query_take_ticket(service, ticket);
}

const struct tickets *names_tickets(const struct names_service *service)
{
	return service->tickets;
}
