/* Makes connections and measures them, for tests/bench: the same program inside a sandbox and on
 * the plain network. Prints one line of JSON.
 *
 *   new ADDRESS PORT HOST N WORKERS      N times: connect, one request, its answer, close
 *   keep ADDRESS PORT HOST N WORKERS     N requests and answers, one connection for each worker
 *   bulk ADDRESS PORT HOST BYTES         one answer of BYTES on one stream
 *   hold ADDRESS PORT HOST N [FIFO]      N connections, an answer on each; then until it is killed;
 *                                        not before somebody opens FIFO to write
 *   connect ADDRESS PORT N               only connect() itself, and its close, not timed
 *   loopback N                           connect() to a listener of this very process
 *   datagram N                           connect() of a UDP socket to loopback: no packet is sent
 *
 * "connect_ns" is connect() alone, "answer_ns" from before connect() (new) or the request (keep) to
 * the last byte of the answer. connect() may be refused: "errno" is of the last one, or 0. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define BUFFER_SIZE (256 << 10)
#define ANSWER_BYTES 64
#define WARM_UP 20

struct target {
	struct sockaddr_in address;
	const char *host;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static int socket_new(int type)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		die("socket");
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static int dial(const struct target *target, uint64_t *ret_ns)
{
	int fd = socket_new(SOCK_STREAM);
	uint64_t begin = now_ns();

	if (connect(fd, (const struct sockaddr *)&target->address, sizeof(target->address)) < 0)
		die("connect");
	*ret_ns = now_ns() - begin;
	return fd;
}

/* One request for `n_bytes`; reads the answer and drops it. */
static void ask(int fd, const struct target *target, uint64_t n_bytes)
{
	static char buffer[BUFFER_SIZE];
	int size = snprintf(buffer, sizeof(buffer), "GET /%llu HTTP/1.1\r\nHost: %s\r\n\r\n",
		(unsigned long long)n_bytes, target->host);
	uint64_t total = 0, whole = UINT64_MAX;

	if (write(fd, buffer, (size_t)size) != size)
		die("write");
	while (total < whole) {
		ssize_t n = read(fd, buffer, sizeof(buffer) - 1);

		if (n <= 0)
			die("the answer ended early");
		total += (uint64_t)n;
		if (whole == UINT64_MAX) { /* the server sends its head in one piece */
			char *end;

			buffer[n] = '\0';
			end = strstr(buffer, "\r\n\r\n");
			if (!end || strncmp(buffer, "HTTP/1.1 200", 12) != 0)
				die("not a good answer");
			whole = n_bytes + (uint64_t)(end + 4 - buffer);
		}
	}
}

/* A reset leaves no TIME_WAIT that would use up the ports. */
static void close_reset(int fd)
{
	struct linger now = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

static void work(const struct target *target, bool keep, size_t n, uint64_t *ret_connect_ns,
	uint64_t *ret_answer_ns)
{
	int fd = keep ? dial(target, &ret_connect_ns[0]) : -1;

	for (size_t i = 0; i < n; i++) {
		uint64_t begin = now_ns();

		if (!keep)
			fd = dial(target, &ret_connect_ns[i]);
		ask(fd, target, ANSWER_BYTES);
		ret_answer_ns[i] = now_ns() - begin;
		if (!keep)
			close_reset(fd);
	}
	if (keep)
		close(fd);
}

static void print_samples(const char *name, const uint64_t *samples, size_t n)
{
	printf("\"%s\":[", name);
	for (size_t i = 0; i < n; i++)
		printf("%s%llu", i ? "," : "", (unsigned long long)samples[i]);
	printf("]");
}

/* Each worker is a process; their samples lie in shared memory. */
static void order_requests(const struct target *target, bool keep, size_t n, size_t n_workers)
{
	size_t each = n / n_workers;
	uint64_t *shared = mmap(NULL, 2 * n * sizeof(*shared), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t begin = now_ns(), wall_ns;
	int status;

	if (shared == MAP_FAILED)
		die("mmap");
	for (size_t i = 0; i < n_workers; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid == 0) {
			work(target, keep, each, shared + i * each, shared + n + i * each);
			_exit(0);
		}
	}
	for (size_t i = 0; i < n_workers; i++)
		if (wait(&status) < 0 || status != 0)
			die("a worker failed");
	wall_ns = now_ns() - begin;
	printf("{\"n\":%zu,\"wall_ns\":%llu,", each * n_workers, (unsigned long long)wall_ns);
	print_samples("connect_ns", shared, keep ? 0 : each * n_workers);
	printf(",");
	print_samples("answer_ns", shared + n, each * n_workers);
	printf("}\n");
}

static void order_bulk(const struct target *target, uint64_t n_bytes)
{
	uint64_t unused, begin;
	int fd = dial(target, &unused);

	ask(fd, target, ANSWER_BYTES);
	begin = now_ns();
	ask(fd, target, n_bytes);
	printf("{\"bytes\":%llu,\"wall_ns\":%llu}\n", (unsigned long long)n_bytes,
		(unsigned long long)(now_ns() - begin));
	close(fd);
}

static void order_hold(const struct target *target, size_t n, const char *fifo)
{
	uint64_t unused;

	if (fifo && (mkfifo(fifo, 0600) < 0 || close(open(fifo, O_RDONLY | O_CLOEXEC)) < 0))
		die(fifo);

	for (size_t i = 0; i < n; i++)
		ask(dial(target, &unused), target, ANSWER_BYTES);
	printf("{\"held\":%zu}\n", n);
	fflush(stdout);
	for (;;)
		pause();
}

/* connect() to `address`; what arrives at `listener`, if there is one, is taken and dropped. */
static void order_connect(const struct sockaddr_in *address, int type, int listener, size_t n)
{
	uint64_t *samples = calloc(n, sizeof(*samples));
	int error = 0;

	if (!samples)
		die("calloc");
	for (size_t i = 0; i < n + WARM_UP; i++) {
		int fd = socket_new(type);
		uint64_t begin = now_ns(), end;
		int r = connect(fd, (const struct sockaddr *)address, sizeof(*address));

		end = now_ns();
		error = r < 0 ? errno : 0;
		if (i >= WARM_UP)
			samples[i - WARM_UP] = end - begin;
		close_reset(fd);
		if (listener >= 0)
			close(accept(listener, NULL, NULL));
	}
	printf("{\"errno\":%d,", error);
	print_samples("connect_ns", samples, n);
	printf("}\n");
	free(samples);
}

static void order_loopback(int type, size_t n)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket_new(type);

	if (bind(fd, (struct sockaddr *)&address, size) < 0 ||
		(type == SOCK_STREAM && listen(fd, 16) < 0) ||
		getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		die("listen");
	order_connect(&address, type, type == SOCK_STREAM ? fd : -1, n);
}

int main(int argc, char **argv)
{
	const char *order = argc > 1 ? argv[1] : "";
	struct target target = {.address = {.sin_family = AF_INET}};

	if (argc == 3) {
		order_loopback(strcmp(order, "datagram") == 0 ? SOCK_DGRAM : SOCK_STREAM,
			strtoul(argv[2], NULL, 10));
		return 0;
	}
	if (argc < 5 || inet_pton(AF_INET, argv[2], &target.address.sin_addr) != 1)
		die("usage: see the top of tests/probe/traffic.c");
	target.address.sin_port = htons((uint16_t)atoi(argv[3]));
	target.host = argv[4];
	if (strcmp(order, "connect") == 0)
		order_connect(&target.address, SOCK_STREAM, -1, strtoul(argv[4], NULL, 10));
	else if ((argc == 6 || argc == 7) && strcmp(order, "hold") == 0)
		order_hold(&target, strtoul(argv[5], NULL, 10), argv[6]);
	else if (argc == 7)
		order_requests(&target, strcmp(order, "keep") == 0, strtoul(argv[5], NULL, 10),
			strtoul(argv[6], NULL, 10));
	else if (argc == 6 && strcmp(order, "bulk") == 0)
		order_bulk(&target, strtoull(argv[5], NULL, 10));
	else
		die("no such order");
	return 0;
}
