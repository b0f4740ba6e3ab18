/* Measures, for tests/bench/run: one order per line on standard input, words parted by tabs; one
 * line of JSON per order on standard output. Times are in microseconds, from the first byte of a
 * request written to the last byte of its answer read, or from spawn to reaped.
 *
 *   client SOCKET KEY            ("-" "-": no daemon, spawn orders only)
 *   create N                     N times: create (timed), delete
 *   cycle N ARG…                 N times: create, exec ARG…, delete, timed as one
 *   exec ID N ARG…               N times: exec ARG… in sandbox ID
 *   fill N                       N creates, kept; their ids
 *   delete ID                    one delete
 *   burst N                      N creates at once, each on a connection of its own; then delete
 *   get PATH                     the answer's body, not timed
 *   spawn N ARG…                 N times: start a program and wait for it; "%n" is a running number
 *   spawn-burst N ARG…           N programs at once; the time until the last is gone
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/base/clock.h"

#define WORDS_MAX 64
#define ANSWER_SIZE (1 << 20)
#define BODY_SIZE 4096
#define BURST_MAX 1000

extern char **environ;

struct connection {
	int fd;
	char *answer; /* ANSWER_SIZE, NUL-terminated */
	size_t size;
	uint64_t sent_ns, done_ns;
};

struct bench {
	const char *socket, *key;
	struct connection main;
	unsigned int counter;
};

static _Noreturn void __attribute__((format(printf, 1, 2))) die(const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vfprintf(stderr, format, values);
	va_end(values);
	fputc('\n', stderr);
	exit(1);
}

static void connection_open(const struct bench *bench, struct connection *connection)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(bench->socket) >= sizeof(address.sun_path))
		die("%s: too long", bench->socket);
	strcpy(address.sun_path, bench->socket);
	connection->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	connection->answer = malloc(ANSWER_SIZE);
	if (connection->fd < 0 || !connection->answer ||
		connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("%s: %s", bench->socket, strerror(errno));
}

static void connection_close(struct connection *connection)
{
	close(connection->fd);
	free(connection->answer);
}

static void connection_send(const struct bench *bench, struct connection *connection,
	const char *method, const char *path, const char *body)
{
	char text[BODY_SIZE + 1024];
	int size = snprintf(text, sizeof(text),
		"%s %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
		"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		method, path, bench->key, strlen(body), body);

	if (size < 0 || (size_t)size >= sizeof(text))
		die("the request is too long");
	connection->size = 0;
	connection->sent_ns = clock_monotonic_ns();
	if (write(connection->fd, text, (size_t)size) != size)
		die("write: %s", strerror(errno));
}

/* True once the answer is whole. */
static bool answer_whole(const struct connection *connection)
{
	const char *end = strstr(connection->answer, "\r\n\r\n"), *length;
	size_t head;

	if (!end)
		return false;
	if (strncmp(connection->answer + 9, "204", 3) == 0)
		return true;
	head = (size_t)(end + 4 - connection->answer);
	length = strcasestr(connection->answer, "\r\ncontent-length:");
	if (length && length < end)
		return connection->size >= head + (size_t)strtoul(length + 17, NULL, 10);
	return connection->size >= head + 5 &&
	       memcmp(connection->answer + connection->size - 5, "0\r\n\r\n", 5) == 0;
}

/* Reads what is there; true once the answer is whole. */
static bool connection_read(struct connection *connection)
{
	ssize_t n = read(connection->fd, connection->answer + connection->size,
		ANSWER_SIZE - 1 - connection->size);

	if (n <= 0)
		die("the daemon closed the connection: %s",
			n < 0 ? strerror(errno) : "end of file");
	connection->size += (size_t)n;
	connection->answer[connection->size] = '\0';
	if (!answer_whole(connection))
		return false;
	connection->done_ns = clock_monotonic_ns();
	return true;
}

/* Dies unless the answer's status is the expected one; returns its body. */
static const char *answer_check(const struct connection *connection, int status)
{
	const char *body = strstr(connection->answer, "\r\n\r\n");

	if (atoi(connection->answer + 9) != status)
		die("the daemon answered %.600s", connection->answer);
	return body + 4;
}

/* The daemon may have closed an idle connection between two orders. */
static void connection_renew(struct bench *bench)
{
	char byte;

	if (recv(bench->main.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
		return;
	connection_close(&bench->main);
	connection_open(bench, &bench->main);
}

static const char *call(
	struct bench *bench, const char *method, const char *path, const char *body, int status)
{
	connection_send(bench, &bench->main, method, path, body);
	while (!connection_read(&bench->main))
		;
	return answer_check(&bench->main, status);
}

static double elapsed_us(uint64_t from_ns, uint64_t to_ns)
{
	return (double)(to_ns - from_ns) / 1000;
}

static void id_take(const char *body, char id[64])
{
	const char *at = strstr(body, "\"id\"");

	at = at ? strstr(at, "\"sb-") : NULL;
	if (!at || sscanf(at + 1, "%63[^\"]", id) != 1)
		die("no id in %.200s", body);
}

static bool is_warm(const char *body)
{
	const char *at = strstr(body, "\"warm\"");

	return at && strncmp(at + 6 + strspn(at + 6, ": "), "true", 4) == 0;
}

static void sandbox_delete(struct bench *bench, const char *id)
{
	char path[128];

	snprintf(path, sizeof(path), "/v1/sandboxes/%s", id);
	call(bench, "DELETE", path, "", 204);
}

/* {"argv":["true"]} */
static void body_argv(char body[BODY_SIZE], char **words)
{
	size_t used = (size_t)snprintf(body, BODY_SIZE, "{\"argv\":[");

	for (size_t i = 0; words[i]; i++) {
		if (strpbrk(words[i], "\"\\"))
			die("a word with quotes is not supported here");
		used += (size_t)snprintf(
			body + used, BODY_SIZE - used, "%s\"%s\"", i ? "," : "", words[i]);
		if (used + 8 >= BODY_SIZE)
			die("the command is too long");
	}
	strcpy(body + used, "]}");
}

static void exec_once(struct bench *bench, const char *id, const char *body)
{
	char path[128];
	const char *answer;

	snprintf(path, sizeof(path), "/v1/sandboxes/%s/exec", id);
	answer = call(bench, "POST", path, body, 200);
	if (!strstr(answer, "\"exited\"") || !strstr(answer, "\"exit_code\":0"))
		die("the command failed: %.600s", answer);
}

static void order_create(struct bench *bench, int n)
{
	int n_warm = 0;

	printf("{\"samples_us\":[");
	for (int i = 0; i < n; i++) {
		const char *body = call(bench, "POST", "/v1/sandboxes", "{}", 201);
		char id[64];

		n_warm += is_warm(body);
		printf("%s%.1f", i ? "," : "",
			elapsed_us(bench->main.sent_ns, bench->main.done_ns));
		id_take(body, id);
		sandbox_delete(bench, id);
	}
	printf("],\"warm\":%d}\n", n_warm);
}

static void order_cycle(struct bench *bench, int n, char **words)
{
	char body[BODY_SIZE];
	int n_warm = 0;

	body_argv(body, words);
	printf("{\"samples_us\":[");
	for (int i = 0; i < n; i++) {
		uint64_t begin = clock_monotonic_ns();
		const char *answer = call(bench, "POST", "/v1/sandboxes", "{}", 201);
		char id[64];

		n_warm += is_warm(answer);
		id_take(answer, id);
		exec_once(bench, id, body);
		sandbox_delete(bench, id);
		printf("%s%.1f", i ? "," : "", elapsed_us(begin, clock_monotonic_ns()));
	}
	printf("],\"warm\":%d}\n", n_warm);
}

static void order_exec(struct bench *bench, const char *id, int n, char **words)
{
	char body[BODY_SIZE];

	body_argv(body, words);
	printf("{\"samples_us\":[");
	for (int i = 0; i < n; i++) {
		exec_once(bench, id, body);
		printf("%s%.1f", i ? "," : "",
			elapsed_us(bench->main.sent_ns, bench->main.done_ns));
	}
	printf("]}\n");
}

static void order_fill(struct bench *bench, int n)
{
	printf("{\"ids\":[");
	for (int i = 0; i < n; i++) {
		char id[64];

		id_take(call(bench, "POST", "/v1/sandboxes", "{}", 201), id);
		printf("%s\"%s\"", i ? "," : "", id);
	}
	printf("]}\n");
}

/* Waits until each of the connections has its answer. */
static void burst_wait(struct connection *connections, int n)
{
	struct pollfd polls[BURST_MAX];

	for (int i = 0; i < n; i++)
		polls[i] = (struct pollfd){.fd = connections[i].fd, .events = POLLIN};
	for (int left = n; left > 0;) {
		if (poll(polls, (nfds_t)n, 60000) <= 0)
			die("no answer in 60 s");
		for (int i = 0; i < n; i++)
			if (polls[i].revents && connection_read(&connections[i])) {
				polls[i].fd = -1;
				left--;
			}
	}
}

static void order_burst(struct bench *bench, int n)
{
	static struct connection connections[BURST_MAX];
	uint64_t begin, end;
	int n_warm = 0;

	if (n > BURST_MAX)
		die("at most %d at once", BURST_MAX);
	for (int i = 0; i < n; i++)
		connection_open(bench, &connections[i]);
	begin = clock_monotonic_ns();
	for (int i = 0; i < n; i++)
		connection_send(bench, &connections[i], "POST", "/v1/sandboxes", "{}");
	burst_wait(connections, n);
	end = clock_monotonic_ns();
	printf("{\"total_us\":%.1f,\"samples_us\":[", elapsed_us(begin, end));
	for (int i = 0; i < n; i++) {
		const char *body = answer_check(&connections[i], 201);
		char id[64];

		printf("%s%.1f", i ? "," : "",
			elapsed_us(connections[i].sent_ns, connections[i].done_ns));
		n_warm += is_warm(body);
		id_take(body, id);
		connection_close(&connections[i]);
		sandbox_delete(bench, id);
	}
	printf("],\"warm\":%d}\n", n_warm);
}

/* Starts a program with its output dropped; "%n" in a word becomes a number of its own. */
static pid_t program_start(struct bench *bench, char **words)
{
	posix_spawn_file_actions_t actions;
	char texts[WORDS_MAX][256], *argv[WORDS_MAX + 1] = {NULL};
	pid_t pid;
	int r;

	bench->counter++;
	for (size_t i = 0; words[i]; i++) {
		char *number = strstr(words[i], "%n");

		argv[i] = words[i];
		if (!number)
			continue;
		snprintf(texts[i], sizeof(texts[i]), "%.*s%d-%u%s", (int)(number - words[i]),
			words[i], getpid(), bench->counter, number + 2);
		argv[i] = texts[i];
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	r = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r)
		die("%s: %s", argv[0], strerror(r));
	return pid;
}

static void program_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
		die("a program failed with status %d", status);
}

static void order_spawn(struct bench *bench, int n, char **words)
{
	printf("{\"samples_us\":[");
	for (int i = 0; i < n; i++) {
		uint64_t begin = clock_monotonic_ns();

		program_wait(program_start(bench, words));
		printf("%s%.1f", i ? "," : "", elapsed_us(begin, clock_monotonic_ns()));
	}
	printf("]}\n");
}

static void order_spawn_burst(struct bench *bench, int n, char **words)
{
	uint64_t begin = clock_monotonic_ns();
	pid_t pids[BURST_MAX];

	if (n > BURST_MAX)
		die("at most %d at once", BURST_MAX);
	for (int i = 0; i < n; i++)
		pids[i] = program_start(bench, words);
	for (int i = 0; i < n; i++)
		program_wait(pids[i]);
	printf("{\"total_us\":%.1f}\n", elapsed_us(begin, clock_monotonic_ns()));
}

static void order_get(struct bench *bench, const char *path)
{
	const char *body = call(bench, "GET", path, "", 200);

	fputs(body, stdout);
	if (!strchr(body, '\n'))
		putchar('\n');
}

static void order_run(struct bench *bench, char **words, size_t n)
{
	const char *order = words[0];
	int count = n > 1 ? atoi(words[1]) : 0;

	if (strcmp(order, "create") == 0 && n == 2)
		order_create(bench, count);
	else if (strcmp(order, "cycle") == 0 && n > 2)
		order_cycle(bench, count, words + 2);
	else if (strcmp(order, "exec") == 0 && n > 3)
		order_exec(bench, words[1], atoi(words[2]), words + 3);
	else if (strcmp(order, "fill") == 0 && n == 2)
		order_fill(bench, count);
	else if (strcmp(order, "burst") == 0 && n == 2)
		order_burst(bench, count);
	else if (strcmp(order, "spawn") == 0 && n > 2)
		order_spawn(bench, count, words + 2);
	else if (strcmp(order, "spawn-burst") == 0 && n > 2)
		order_spawn_burst(bench, count, words + 2);
	else if (strcmp(order, "get") == 0 && n == 2)
		order_get(bench, words[1]);
	else if (strcmp(order, "delete") == 0 && n == 2) {
		sandbox_delete(bench, words[1]);
		printf("{}\n");
	} else
		die("no such order: %s", order);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct bench bench = {0};
	char line[8192];

	if (argc != 3)
		die("usage: client SOCKET KEY");
	bench.socket = argv[1];
	bench.key = argv[2];
	if (strcmp(bench.socket, "-") != 0)
		connection_open(&bench, &bench.main);
	while (fgets(line, sizeof(line), stdin)) {
		char *words[WORDS_MAX + 1] = {NULL}, *rest = line;
		size_t n = 0;

		line[strcspn(line, "\n")] = '\0';
		while (n < WORDS_MAX && (words[n] = strsep(&rest, "\t")))
			n++;
		if (bench.main.answer)
			connection_renew(&bench);
		if (n > 0 && *words[0])
			order_run(&bench, words, n);
	}
	return 0;
}
