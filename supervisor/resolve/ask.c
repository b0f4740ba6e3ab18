/* A try is: a UDP socket connected to one resolver, so that the kernel drops what comes from
 * elsewhere and chooses a random port; then, perhaps, a TCP connection to the same. */
#include "supervisor/resolve/ask.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"

#define TCP_MESSAGE_MAX 16384
#define TCP_LENGTH_SIZE 2
/* Datagrams of a try that are no answer to it: more than that is somebody guessing ids. */
#define FOREIGN_MAX 32

struct ask {
	struct loop *loop;
	const struct wire_gate_resolver *resolvers;
	size_t n_resolvers, n_tries;
	struct reply_question question;
	ask_callback callback;
	void *userdata;
	struct loop_source *timer, *source;
	int fd; /* -1: no try is under way */
	uint64_t deadline_ns;
	int error; /* of the last try */
	unsigned n_foreign;
	bool over_tcp;
	size_t n_sent, n_received;
	size_t query_size; /* in `out`, over TCP with its length */
	uint8_t out[TCP_LENGTH_SIZE + REPLY_QUERY_SIZE_MAX];
	uint8_t *in; /* over TCP: TCP_LENGTH_SIZE + TCP_MESSAGE_MAX */
};

static void on_udp(struct loop_source *source, uint32_t events, void *userdata);
static void on_tcp(struct loop_source *source, uint32_t events, void *userdata);

static void hang_up(struct ask *ask)
{
	ask->source = loop_source_free(ask->source);
	if (ask->fd >= 0)
		close(ask->fd);
	ask->fd = -1;
	free(ask->in);
	ask->in = NULL;
	ask->n_sent = ask->n_received = 0;
	ask->n_foreign = 0;
}

struct ask *ask_free(struct ask *ask)
{
	if (!ask)
		return NULL;
	hang_up(ask);
	loop_source_free(ask->timer);
	free(ask);
	return NULL;
}

/* The callback may free `ask`: nothing may follow. */
static void finish(struct ask *ask, const struct reply_answer *answer)
{
	hang_up(ask);
	loop_timer_disarm(ask->timer);
	ask->callback(ask, answer, ask->userdata);
}

static socklen_t socket_address(
	const struct wire_gate_resolver *resolver, struct sockaddr_storage *ret_address)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)ret_address;

	memset(ret_address, 0, sizeof(*ret_address));
	if (memcmp(resolver->address.bytes, mapped, sizeof(mapped)) == 0) {
		ipv4->sin_family = AF_INET;
		ipv4->sin_port = htons(resolver->port);
		memcpy(&ipv4->sin_addr, &resolver->address.bytes[12], 4);
		return sizeof(*ipv4);
	}
	ipv6->sin6_family = AF_INET6;
	ipv6->sin6_port = htons(resolver->port);
	memcpy(&ipv6->sin6_addr, resolver->address.bytes, 16);
	return sizeof(*ipv6);
}

static int dial(struct ask *ask, int type, int *ret_fd)
{
	struct sockaddr_storage address;
	socklen_t size = socket_address(&ask->resolvers[ask->n_tries % ask->n_resolvers], &address);
	_cleanup_close_ int fd = socket(address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, size) < 0 && errno != EINPROGRESS)
		return -errno;
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* Puts the query with a new id behind the two bytes that TCP wants before it. */
static int compose(struct ask *ask)
{
	int r;

	if (getrandom(&ask->question.id, sizeof(ask->question.id), 0) != sizeof(ask->question.id))
		return -EIO;
	r = reply_write_query(&ask->question, &ask->out[TCP_LENGTH_SIZE], &ask->query_size);
	if (r < 0)
		return r;
	ask->out[0] = (uint8_t)(ask->query_size >> 8);
	ask->out[1] = (uint8_t)ask->query_size;
	return 0;
}

static int watch(struct ask *ask, uint32_t events, loop_fd_callback callback)
{
	uint64_t now_ns = clock_monotonic_ns(), left_ms;
	int r = loop_add_fd(ask->loop, ask->fd, events, callback, ask, &ask->source);

	if (r < 0)
		return r;
	left_ms = ask->deadline_ns > now_ns ? (ask->deadline_ns - now_ns) / NS_PER_MS + 1 : 0;
	return loop_timer_arm(ask->timer, left_ms < ASK_TRY_MS ? left_ms : ASK_TRY_MS, 0);
}

static int try_udp(struct ask *ask)
{
	int r = compose(ask);

	ask->over_tcp = false;
	if (r == 0)
		r = dial(ask, SOCK_DGRAM, &ask->fd);
	if (r == 0 && send(ask->fd, &ask->out[TCP_LENGTH_SIZE], ask->query_size, MSG_NOSIGNAL) < 0)
		r = -errno;
	if (r == 0)
		r = watch(ask, EPOLLIN, on_udp);
	return r;
}

static int try_tcp(struct ask *ask)
{
	int r = compose(ask);

	ask->over_tcp = true;
	if (r < 0)
		return r;
	ask->in = malloc(TCP_LENGTH_SIZE + TCP_MESSAGE_MAX);
	if (!ask->in)
		return -ENOMEM;
	r = dial(ask, SOCK_STREAM, &ask->fd);
	return r < 0 ? r : watch(ask, EPOLLOUT, on_tcp);
}

static bool is_over(const struct ask *ask)
{
	return ask->n_tries >= ASK_TRIES_PER_RESOLVER * ask->n_resolvers ||
	       clock_monotonic_ns() >= ask->deadline_ns;
}

/* Begins tries until one is under way; gives up after the last. May free `ask`. */
static void begin_try(struct ask *ask)
{
	while (!is_over(ask)) {
		int r;

		ask->question.edns = true;
		r = try_udp(ask);
		if (r == 0)
			return;
		hang_up(ask);
		ask->error = r;
		ask->n_tries++;
	}
	finish(ask, &(struct reply_answer){
			    .error = ask->error, .ttl_seconds = REPLY_TTL_NEGATIVE_SECONDS});
}

/* May free `ask`. */
static void fail_try(struct ask *ask, int error)
{
	hang_up(ask);
	ask->error = error;
	ask->n_tries++;
	begin_try(ask);
}

/* The same resolver again, in another way. May free `ask`. */
static void try_again(struct ask *ask, bool over_tcp)
{
	int r;

	hang_up(ask);
	r = over_tcp ? try_tcp(ask) : try_udp(ask);
	if (r < 0)
		fail_try(ask, r);
}

/* Returns false for a message that is not for us, which changes nothing. Otherwise `ask` may be
 * freed. */
static bool take(struct ask *ask, const uint8_t *message, size_t size)
{
	struct reply_answer answer;

	switch (reply_read(&ask->question, message, size, &answer)) {
	case REPLY_FOREIGN:
		return false;
	case REPLY_ANSWER:
		finish(ask, &answer);
		break;
	case REPLY_TRUNCATED:
		if (ask->over_tcp)
			fail_try(ask, -EREMOTEIO);
		else
			try_again(ask, true);
		break;
	case REPLY_NO_EDNS:
		ask->question.edns = false;
		try_again(ask, ask->over_tcp);
		break;
	case REPLY_FAILED:
		fail_try(ask, -EREMOTEIO);
		break;
	}
	return true;
}

static void on_udp(struct loop_source *source _unused_, uint32_t events _unused_, void *userdata)
{
	struct ask *ask = userdata;
	uint8_t message[4096];

	while (ask->n_foreign < FOREIGN_MAX) {
		ssize_t size = recv(ask->fd, message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);

		if (size < 0 && errno == EAGAIN)
			return;
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0) {
			fail_try(ask, -errno);
			return;
		}
		/* More than we offered to take, so not from who read our query. */
		if ((size_t)size <= sizeof(message) && take(ask, message, (size_t)size))
			return;
		ask->n_foreign++;
	}
	fail_try(ask, -EREMOTEIO);
}

/* Returns 1 when the whole query is sent, 0 when it is not yet, -errno. */
static int send_over_tcp(struct ask *ask)
{
	size_t size = TCP_LENGTH_SIZE + ask->query_size;
	ssize_t sent;

	if (ask->n_sent == size)
		return 1;
	sent = send(
		ask->fd, &ask->out[ask->n_sent], size - ask->n_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	ask->n_sent += (size_t)sent;
	if (ask->n_sent < size)
		return 0;
	return loop_source_set_events(ask->source, EPOLLIN) < 0 ? -EIO : 1;
}

/* Returns the size of the message when it is whole, 0 when it is not yet, -errno. */
static int receive_over_tcp(struct ask *ask)
{
	for (;;) {
		size_t wanted = TCP_LENGTH_SIZE;
		ssize_t got;

		if (ask->n_received >= TCP_LENGTH_SIZE)
			wanted += (size_t)ask->in[0] << 8 | ask->in[1];
		if (wanted > TCP_LENGTH_SIZE + TCP_MESSAGE_MAX)
			return -EMSGSIZE;
		if (ask->n_received == wanted && wanted > TCP_LENGTH_SIZE)
			return (int)(wanted - TCP_LENGTH_SIZE);
		/* A length of nothing is followed by nothing to wait for. */
		if (ask->n_received == wanted)
			return -EBADMSG;
		got = recv(
			ask->fd, &ask->in[ask->n_received], wanted - ask->n_received, MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (got <= 0)
			return got < 0 ? -errno : -ECONNRESET;
		ask->n_received += (size_t)got;
	}
}

static void on_tcp(struct loop_source *source _unused_, uint32_t events, void *userdata)
{
	struct ask *ask = userdata;
	int r = send_over_tcp(ask);

	if (r > 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		r = receive_over_tcp(ask);
	else if (r > 0)
		r = 0;
	if (r < 0)
		fail_try(ask, r);
	else if (r > 0 && !take(ask, &ask->in[TCP_LENGTH_SIZE], (size_t)r))
		fail_try(ask, -EREMOTEIO);
}

static void on_timer(struct loop_source *source _unused_, void *userdata)
{
	struct ask *ask = userdata;

	if (ask->fd >= 0)
		fail_try(ask, -ETIMEDOUT);
	else
		begin_try(ask);
}

int ask_new(struct loop *loop, const struct wire_gate_resolver *resolvers, size_t n_resolvers,
	const char *name, uint16_t type, ask_callback callback, void *userdata,
	struct ask **ret_ask)
{
	struct ask *ask = calloc(1, sizeof(*ask));
	int r;

	if (!ask)
		return -ENOMEM;
	ask->loop = loop;
	ask->resolvers = resolvers;
	ask->n_resolvers = n_resolvers;
	ask->question = (struct reply_question){.name = name, .type = type};
	ask->callback = callback;
	ask->userdata = userdata;
	ask->fd = -1;
	ask->error = -ENETUNREACH;
	ask->deadline_ns = clock_monotonic_ns() + ASK_TOTAL_MS * NS_PER_MS;
	r = loop_add_timer(loop, on_timer, ask, &ask->timer);
	if (r < 0) {
		free(ask);
		return r;
	}
	/* The first try begins in the next round: its failure may be the end already. */
	loop_timer_arm(ask->timer, 0, 0);
	*ret_ask = ask;
	return 0;
}

void ask_want_records(struct ask *ask, struct reply_records *ret_records)
{
	ask->question.records = ret_records;
}
