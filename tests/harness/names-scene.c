#include "tests/harness/names-scene.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"
#include "supervisor/names/tickets.h"
#include "tests/harness/check.h"

#define PATIENCE_NS (10 * NS_PER_SECOND)

/* ---- DNS on the wire, by hand: the code under test uses a library */

static size_t put16(uint8_t *bytes, unsigned int value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
	return 2;
}

static size_t put_name(uint8_t *bytes, const char *name)
{
	size_t n = 0;

	while (*name) {
		size_t label = strcspn(name, ".");

		bytes[n++] = (uint8_t)label;
		memcpy(bytes + n, name, label);
		n += label;
		name += label + (name[label] == '.');
	}
	bytes[n++] = 0;
	return n;
}

size_t names_query(uint8_t *ret_query, uint16_t id, const char *name, uint16_t type)
{
	static const uint8_t opt[11] = {0, 0, 41, 0x10, 0};
	size_t n = put16(ret_query, id);

	n += put16(ret_query + n, 0x0100);
	n += put16(ret_query + n, 1);
	n += put16(ret_query + n, 0);
	n += put16(ret_query + n, 0);
	n += put16(ret_query + n, 1);
	n += put_name(ret_query + n, name);
	n += put16(ret_query + n, type);
	n += put16(ret_query + n, 1);
	memcpy(ret_query + n, opt, sizeof(opt));
	return n + sizeof(opt);
}

bool names_answer_has(const uint8_t *answer, size_t size, const void *bytes, size_t n_bytes)
{
	return memmem(answer, size, bytes, n_bytes);
}

/* ---- the host's resolver */

static const struct names_host *find_host(const struct names_scene *it, const char *name)
{
	for (size_t i = 0; i < it->n_hosts; i++)
		if (strcasecmp(it->hosts[i].name, name) == 0)
			return &it->hosts[i];
	return NULL;
}

static size_t read_name(const uint8_t *bytes, size_t size, char *ret_name)
{
	size_t at = 0, n = 0;

	while (at < size && bytes[at]) {
		CHECK(at + bytes[at] < size);
		memcpy(ret_name + n, bytes + at + 1, bytes[at]);
		n += bytes[at];
		ret_name[n++] = '.';
		at += 1u + bytes[at];
	}
	ret_name[n ? n - 1 : 0] = '\0';
	return at + 1;
}

static size_t put_record(uint8_t *bytes, uint16_t type, const char *address)
{
	bool ipv6 = strchr(address, ':');
	size_t n;

	if (type != (ipv6 ? 28 : 1))
		return 0;
	n = put16(bytes, 0xc00c);
	n += put16(bytes + n, type);
	n += put16(bytes + n, 1);
	n += put16(bytes + n, 0);
	n += put16(bytes + n, 60);
	n += put16(bytes + n, ipv6 ? 16 : 4);
	CHECK_INT(inet_pton(ipv6 ? AF_INET6 : AF_INET, address, bytes + n), 1);
	return n + (ipv6 ? 16 : 4);
}

/* Returns 0 when it is of another type. */
static size_t put_data(uint8_t *bytes, uint16_t type, const struct names_record *record)
{
	size_t n;

	if (record->type != type)
		return 0;
	n = put16(bytes, 0xc00c);
	n += put16(bytes + n, type);
	n += put16(bytes + n, 1);
	n += put16(bytes + n, 0);
	n += put16(bytes + n, 60);
	n += put16(bytes + n, (unsigned int)record->size);
	memcpy(bytes + n, record->data, record->size);
	return n + record->size;
}

static void on_upstream(
	struct loop_source *source _unused_, uint32_t events _unused_, void *userdata)
{
	struct names_scene *it = userdata;
	uint8_t message[4096];
	char name[512];
	struct sockaddr_in from;
	socklen_t from_size = sizeof(from);
	ssize_t size = recvfrom(
		it->resolver_fd, message, 512, MSG_DONTWAIT, (struct sockaddr *)&from, &from_size);
	const struct names_host *host;
	unsigned int n_answers = 0;
	uint16_t type;
	size_t n;

	if (size < 17)
		return;
	it->n_resolver_queries++;
	n = 12 + read_name(message + 12, (size_t)size - 12, name);
	type = (uint16_t)(message[n] << 8 | message[n + 1]);
	n += 4;
	host = find_host(it, name);
	for (size_t i = 0; host && i < ARRAY_SIZE(host->addresses) && host->addresses[i]; i++) {
		size_t added = put_record(message + n, type, host->addresses[i]);

		n += added;
		n_answers += added > 0;
	}
	for (size_t i = 0; host && i < it->n_records; i++) {
		size_t added = strcmp(it->records[i].name, host->name) == 0
				       ? put_data(message + n, type, &it->records[i])
				       : 0;

		n += added;
		n_answers += added > 0;
	}
	put16(message + 2, host ? 0x8180 : 0x8183);
	put16(message + 6, n_answers);
	put16(message + 8, 0);
	put16(message + 10, 0);
	sendto(it->resolver_fd, message, n, MSG_DONTWAIT, (struct sockaddr *)&from, from_size);
}

static void start_resolver(struct names_scene *it)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct wire_gate_config *limits = &it->relay.config.limits;
	socklen_t size = sizeof(address);

	it->resolver_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CHECK_INT(bind(it->resolver_fd, (struct sockaddr *)&address, size), 0);
	CHECK_INT(getsockname(it->resolver_fd, (struct sockaddr *)&address, &size), 0);
	CHECK_INT(loop_add_fd(it->relay.loop, it->resolver_fd, EPOLLIN, on_upstream, it,
			  &it->resolver_source),
		0);
	limits->n_resolvers = 1;
	CHECK_INT(inet_pton(AF_INET6, "::ffff:127.0.0.1", limits->resolvers[0].address.bytes), 1);
	limits->resolvers[0].port = ntohs(address.sin_port);
}

/* ---- the gate's questions and reports */

static int keep_question(void *userdata, const struct wire_gate_name *name)
{
	struct names_scene *it = userdata;

	CHECK(it->n_asked < NAMES_SCENE_LINES_MAX);
	it->asked[it->n_asked++] = *name;
	return it->ask_result;
}

static int keep_line(void *userdata, const struct wire_gate_dns *line)
{
	struct names_scene *it = userdata;

	CHECK(it->n_lines < NAMES_SCENE_LINES_MAX);
	if (it->report_result == 0)
		it->lines[it->n_lines++] = *line;
	return it->report_result;
}

/* ---- the stage */

void names_scene_prepare(struct names_scene *it, int family)
{
	memset(it, 0, sizeof(*it));
	scene_prepare(&it->relay, family);
	it->relay.config.ask = keep_question;
	it->relay.config.report_dns = keep_line;
	start_resolver(it);
}

void names_scene_start(struct names_scene *it)
{
	scene_start(&it->relay);
}

void names_scene_end(struct names_scene *it)
{
	it->relay.gate = gate_free(it->relay.gate);
	loop_source_free(it->resolver_source);
	close(it->resolver_fd);
	scene_end(&it->relay);
}

void names_scene_add_host(struct names_scene *it, const struct names_host *host)
{
	CHECK(it->n_hosts < NAMES_SCENE_HOSTS_MAX);
	it->hosts[it->n_hosts++] = *host;
}

static int dual_stack(int type, uint16_t *port)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(*port)};
	socklen_t size = sizeof(address);
	const int off = 0;
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	CHECK_INT(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)), 0);
	if (bind(fd, (struct sockaddr *)&address, size) < 0) {
		close(fd);
		return -1;
	}
	CHECK_INT(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*port = ntohs(address.sin6_port);
	return fd;
}

void names_scene_open(struct names_scene *it, uint64_t sandbox)
{
	struct gate_sockets sockets = {.dns_tcp = -1};

	/* Both on one number: another program may have the second. */
	for (int i = 0; i < 100 && sockets.dns_tcp < 0; i++) {
		uint16_t port = 0;

		sockets.dns_udp = dual_stack(SOCK_DGRAM, &port);
		sockets.dns_tcp = dual_stack(SOCK_STREAM, &port);
		it->dns_ports[sandbox] = port;
		if (sockets.dns_tcp < 0)
			close(sockets.dns_udp);
	}
	CHECK_INT(listen(sockets.dns_tcp, 64), 0);
	it->relay.ports[sandbox] = 0;
	sockets.relay = dual_stack(SOCK_STREAM, &it->relay.ports[sandbox]);
	CHECK_INT(listen(sockets.relay, 64), 0);
	CHECK_INT(gate_open(it->relay.gate, sandbox, 1000 + sandbox, &sockets), 0);
}

void names_scene_ticket(struct names_scene *it, uint64_t sandbox, uint32_t index, const char *name,
	uint16_t flags, int error)
{
	uint16_t port = ntohs(it->relay.origin.sin6_port);
	struct wire_gate_ticket ticket = {.sandbox = sandbox,
		.policy = 77,
		.index = index,
		.error = error,
		.n_ranges = error ? 0 : 1,
		.ranges = {{.first = port, .last = port, .rule = 5, .flags = flags}},
		.policy_name = "test-policy"};

	snprintf(ticket.name, sizeof(ticket.name), "%s", name);
	CHECK_INT(gate_take_ticket(it->relay.gate, &ticket), 0);
}

void names_scene_add_record(struct names_scene *it, const struct names_record *record)
{
	CHECK(it->n_records < NAMES_SCENE_RECORDS_MAX);
	it->records[it->n_records++] = *record;
}

void names_scene_ticket_for_records(
	struct names_scene *it, uint64_t sandbox, const char *name, uint32_t records, int error)
{
	struct wire_gate_ticket ticket = {.sandbox = sandbox,
		.policy = 77,
		.index = 3,
		.error = error,
		.records = records,
		.policy_name = "test-policy"};

	snprintf(ticket.name, sizeof(ticket.name), "%s", name);
	CHECK_INT(gate_take_ticket(it->relay.gate, &ticket), 0);
}

int names_scene_dial(struct names_scene *it, uint64_t sandbox, uint32_t index)
{
	struct scene *relay = &it->relay;
	struct scene_flow flow;
	int client = scene_client(relay, sandbox, AF_INET, &flow);

	flow.flow.address = ticket_address4(index);
	scene_write_down(relay, &flow);
	scene_connect(relay, sandbox, client, AF_INET);
	return client;
}

int names_scene_resolver(struct names_scene *it, uint64_t sandbox, bool over_tcp)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(it->dns_ports[sandbox])};
	int fd = socket(AF_INET, (over_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);

	CHECK_INT(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

size_t names_scene_receive(
	struct names_scene *it, int fd, bool over_tcp, uint8_t *ret_answer, size_t size)
{
	uint64_t end_ns = clock_monotonic_ns() + PATIENCE_NS;
	uint8_t length[2];
	ssize_t got;

	if (over_tcp) {
		scene_read(&it->relay, fd, length, 2);
		got = length[0] << 8 | length[1];
		CHECK(got <= (ssize_t)size);
		scene_read(&it->relay, fd, ret_answer, (size_t)got);
		return (size_t)got;
	}
	while ((got = recv(fd, ret_answer, size, MSG_DONTWAIT)) < 0) {
		CHECK_INT(errno, EAGAIN);
		CHECK(clock_monotonic_ns() < end_ns);
		scene_step(&it->relay);
	}
	return (size_t)got;
}
