#include "tests/harness/relay-scene.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/base/clock.h"
#include "supervisor/gate/destination.h"
#include "tests/harness/check.h"

#define PATIENCE_NS (10 * NS_PER_SECOND)

static int look_up(void *userdata, const struct abi_flow_key *key, struct abi_flow *ret_flow)
{
	const struct scene *scene = userdata;

	for (size_t i = 0; i < scene->n_flows; i++) {
		if (memcmp(&scene->flows[i].key, key, sizeof(*key)) == 0) {
			*ret_flow = scene->flows[i].flow;
			return 0;
		}
	}
	return -ENOENT;
}

static int keep_report(void *userdata, const struct wire_gate_flow *flow)
{
	struct scene *scene = userdata;

	scene->reports[scene->n_reports++ % SCENE_FLOWS_MAX] = *flow;
	return 0;
}

static struct sockaddr_in6 loopback_of(int family, uint16_t port)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT};

	if (family == AF_INET)
		inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr);
	return address;
}

static int bound_socket(const struct sockaddr_in6 *address, uint16_t *ret_port)
{
	struct sockaddr_in6 bound;
	socklen_t size = sizeof(bound);
	const int off = 0;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	CHECK(fd >= 0);
	CHECK_INT(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)), 0);
	CHECK_INT(bind(fd, (const struct sockaddr *)address, sizeof(*address)), 0);
	CHECK_INT(getsockname(fd, (struct sockaddr *)&bound, &size), 0);
	*ret_port = ntohs(bound.sin6_port);
	return fd;
}

void scene_prepare(struct scene *scene, int family)
{
	struct sockaddr_in6 address = loopback_of(family, 0);
	uint16_t port;

	signal(SIGPIPE, SIG_IGN);
	memset(scene, 0, sizeof(*scene));
	scene->config = (struct gate_config){.limits = {.n_flows_max = 1024,
						     .n_flows_per_sandbox_max = 512,
						     .connect_timeout_ms = 5000,
						     .idle_timeout_ms = 60000},
		.n_fds_max = 4096,
		.lookup = look_up,
		.lookup_userdata = scene,
		.report = keep_report,
		.report_userdata = scene,
		.allow_loopback = true};
	CHECK_INT(loop_new(&scene->loop), 0);
	scene->origin_family = family;
	scene->origin_fd = bound_socket(&address, &port);
	CHECK_INT(listen(scene->origin_fd, 512), 0);
	scene->origin = loopback_of(family, port);
}

void scene_start(struct scene *scene)
{
	CHECK_INT(gate_new(scene->loop, &scene->config, &scene->gate), 0);
}

void scene_end(struct scene *scene)
{
	gate_free(scene->gate);
	loop_free(scene->loop);
	close(scene->origin_fd);
}

void scene_open(struct scene *scene, uint64_t sandbox)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6};
	int fd = bound_socket(&any, &scene->ports[sandbox]);

	CHECK_INT(listen(fd, 512), 0);
	CHECK_INT(gate_open(scene->gate, sandbox, 1000 + sandbox,
			  &(struct gate_sockets){.relay = fd, .dns_udp = -1, .dns_tcp = -1}),
		0);
}

int scene_client(struct scene *scene, uint64_t sandbox, int family, struct scene_flow *ret_flow)
{
	struct sockaddr_in6 address = loopback_of(family, 0);
	uint16_t port;
	int fd = bound_socket(&address, &port);

	memset(ret_flow, 0, sizeof(*ret_flow));
	ret_flow->key.netns_cookie = 1000 + sandbox;
	memcpy(ret_flow->key.local_address.bytes, &address.sin6_addr, 16);
	ret_flow->key.local_port = port;
	ret_flow->flow.sandbox = sandbox;
	ret_flow->flow.protocol = IPPROTO_TCP;
	ret_flow->flow.rule = 7;
	ret_flow->flow.policy = 77;
	memcpy(ret_flow->flow.address.bytes, &scene->origin.sin6_addr, 16);
	ret_flow->flow.port = ntohs(scene->origin.sin6_port);
	return fd;
}

void scene_write_down(struct scene *scene, const struct scene_flow *flow)
{
	CHECK(scene->n_flows < SCENE_FLOWS_MAX);
	scene->flows[scene->n_flows++] = *flow;
}

void scene_connect(struct scene *scene, uint64_t sandbox, int client, int family)
{
	struct sockaddr_in6 address = loopback_of(family, scene->ports[sandbox]);
	int r = connect(client, (struct sockaddr *)&address, sizeof(address));

	CHECK(r == 0 || errno == EINPROGRESS);
}

int scene_dial(struct scene *scene, uint64_t sandbox)
{
	struct scene_flow flow;
	int client = scene_client(scene, sandbox, scene->origin_family, &flow);

	scene_write_down(scene, &flow);
	scene_connect(scene, sandbox, client, scene->origin_family);
	return client;
}

void scene_step(struct scene *scene)
{
	CHECK_INT(loop_run_once(scene->loop, 5), 0);
}

int scene_accept(struct scene *scene)
{
	uint64_t end_ns = clock_monotonic_ns() + PATIENCE_NS;
	int fd;

	while ((fd = accept4(scene->origin_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) < 0) {
		CHECK_INT(errno, EAGAIN);
		CHECK(clock_monotonic_ns() < end_ns);
		scene_step(scene);
	}
	return fd;
}

void scene_write(struct scene *scene, int fd, const void *data, size_t size)
{
	uint64_t end_ns = clock_monotonic_ns() + PATIENCE_NS;

	for (size_t used = 0; used < size;) {
		ssize_t sent = send(
			fd, (const char *)data + used, size - used, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0) {
			used += (size_t)sent;
			continue;
		}
		CHECK_INT(errno, EAGAIN);
		CHECK(clock_monotonic_ns() < end_ns);
		scene_step(scene);
	}
}

void scene_read(struct scene *scene, int fd, void *data, size_t size)
{
	uint64_t end_ns = clock_monotonic_ns() + PATIENCE_NS;

	for (size_t used = 0; used < size;) {
		ssize_t got = recv(fd, (char *)data + used, size - used, MSG_DONTWAIT);

		if (got > 0) {
			used += (size_t)got;
			continue;
		}
		CHECK(got < 0);
		CHECK_INT(errno, EAGAIN);
		CHECK(clock_monotonic_ns() < end_ns);
		scene_step(scene);
	}
}

int scene_read_end(struct scene *scene, int fd)
{
	uint64_t end_ns = clock_monotonic_ns() + PATIENCE_NS;
	char byte;

	for (;;) {
		ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);

		CHECK(got <= 0);
		if (got == 0 || (errno != EAGAIN && errno != ENOTCONN))
			return got == 0 ? 0 : -errno;
		CHECK(clock_monotonic_ns() < end_ns);
		scene_step(scene);
	}
}

const struct wire_gate_flow *scene_report(struct scene *scene, size_t n)
{
	uint64_t end_ns = clock_monotonic_ns() + PATIENCE_NS;

	while (scene->n_reports < n) {
		CHECK(clock_monotonic_ns() < end_ns);
		scene_step(scene);
	}
	CHECK_INT(scene->n_reports, n);
	return &scene->reports[n - 1];
}

uint8_t scene_byte(uint64_t position)
{
	position *= 0x9e3779b97f4a7c15ULL;
	return (uint8_t)(position >> 56);
}

void scene_bytes(uint64_t position, uint8_t *ret_bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		ret_bytes[i] = scene_byte(position + i);
}
