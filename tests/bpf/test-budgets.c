/* Budgets: so much passes and no more, by whichever way; a swap and a restart give nothing back. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/harness/budget-scene.h"
#include "tests/harness/check.h"

#define NAME_SERVER "9.9.9.9"
#define CHUNK 1000
#define BYTES 65536

static void make(struct kernel_scene *scene, struct kernel_sandbox *ret_sandbox,
	enum abi_budget_counter counter, uint64_t most)
{
	kernel_sandbox_make(scene, ret_sandbox);
	budget_bind(scene, ret_sandbox, "budgets");
	budget_limit(scene, ret_sandbox, counter, most, 0);
	kernel_scene_events(scene);
}

TEST(so_many_connections_and_no_more)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox tight, wide;

	make(scene, &tight, ABI_BUDGET_CONNECTIONS, 3);
	make(scene, &wide, ABI_BUDGET_CONNECTIONS, 10);
	CHECK_INT(budget_connects(scene, &tight, 5), 3);
	CHECK_INT(budget_refusals(
			  scene, ABI_OPERATION_CONNECT, ABI_BUDGET_BIT(ABI_BUDGET_CONNECTIONS)),
		1);
	CHECK_INT(budget_connects(scene, &tight, 1), 0);
	CHECK_INT(budget_connects(scene, &wide, 5), 5);
	CHECK_INT(budget_used(scene, &tight, ABI_BUDGET_CONNECTIONS), 3);
	CHECK_INT(budget_used(scene, &wide, ABI_BUDGET_CONNECTIONS), 5);
	budget_end(scene, &tight);
	budget_end(scene, &wide);
}

TEST(connections_race_for_the_last_ones)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	int n = 50, pids[4], sum = 0;

	make(scene, &sandbox, ABI_BUDGET_CONNECTIONS, 60);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = kernel_sandbox_spawn(scene, &sandbox, budget_act_connect, &n);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		sum += kernel_sandbox_wait(pids[i]);
	CHECK_INT(sum, 60);
	CHECK_INT(budget_used(scene, &sandbox, ABI_BUDGET_CONNECTIONS), 60);
	budget_end(scene, &sandbox);
}

TEST(a_window_gives_back_when_it_is_over)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;

	make(scene, &sandbox, ABI_BUDGET_CONNECTIONS, 2);
	budget_limit(scene, &sandbox, ABI_BUDGET_CONNECTIONS, 2, 1000000000);
	CHECK_INT(budget_connects(scene, &sandbox, 3), 2);
	poll(NULL, 0, 1100);
	CHECK_INT(budget_used(scene, &sandbox, ABI_BUDGET_CONNECTIONS), 0);
	CHECK_INT(budget_connects(scene, &sandbox, 3), 2);
	budget_end(scene, &sandbox);
}

TEST(a_swap_gives_nothing_back)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;

	make(scene, &sandbox, ABI_BUDGET_CONNECTIONS, 2);
	CHECK_INT(budget_connects(scene, &sandbox, 2), 2);
	budget_bind(scene, &sandbox, "budgets-2");
	budget_limit(scene, &sandbox, ABI_BUDGET_CONNECTIONS, 3, 0);
	CHECK_INT(budget_connects(scene, &sandbox, 3), 1);
	/* Nor does a window of another length, not even a short one. */
	budget_limit(scene, &sandbox, ABI_BUDGET_CONNECTIONS, 3, 60000000000);
	CHECK_INT(budget_connects(scene, &sandbox, 1), 0);
	budget_limit(scene, &sandbox, ABI_BUDGET_CONNECTIONS, 0, 60000000000);
	CHECK_INT(budget_connects(scene, &sandbox, 1), 1);
	budget_limit(scene, &sandbox, ABI_BUDGET_CONNECTIONS, 3, 60000000000);
	CHECK_INT(budget_connects(scene, &sandbox, 1), 0);
	budget_end(scene, &sandbox);
}

TEST(a_restart_gives_nothing_back_and_a_claim_begins_anew)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	uint32_t slot;

	make(scene, &sandbox, ABI_BUDGET_CONNECTIONS, 2);
	CHECK_INT(budget_connects(scene, &sandbox, 1), 1);
	CHECK(kernel_scene_reopen(scene));
	CHECK_INT(budget_connects(scene, &sandbox, 3), 1);
	CHECK_INT(enforce_slot_adopt(scene->enforce, sandbox.cgroup_id, sandbox.id, &slot), 0);
	CHECK_INT(slot, sandbox.slot);
	CHECK_INT(budget_used(scene, &sandbox, ABI_BUDGET_CONNECTIONS), 2);
	budget_limit(scene, &sandbox, ABI_BUDGET_CONNECTIONS, 2, 0);
	CHECK_INT(budget_connects(scene, &sandbox, 1), 0);
	CHECK_INT(enforce_slot_reset_counters(scene->enforce, slot), 0);
	CHECK_INT(budget_connects(scene, &sandbox, 3), 2);
	sandbox.image = 0; /* its reference went with the process before */
	budget_end(scene, &sandbox);
}

/* ---- bytes */

/* Writes BYTES, as far as it can within a second. */
static int act_send(struct kernel_scene *scene, const void *argument)
{
	static const char chunk[CHUNK];
	int fd = budget_dial(BUDGET_ORIGIN, 443, SOCK_STREAM);

	(void)scene;
	(void)argument;
	if (fd < 0)
		return 1;
	for (size_t i = 0; i < BYTES; i += CHUNK)
		if (send(fd, chunk, sizeof(chunk), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
	poll(NULL, 0, 500);
	return 0;
}

/* How many bytes arrive until nothing does for 300 ms. */
static size_t read_all(int fd)
{
	struct pollfd waiting = {.fd = fd, .events = POLLIN};
	char buffer[8192];
	size_t sum = 0;
	ssize_t n;

	while (poll(&waiting, 1, 300) == 1 && (n = read(fd, buffer, sizeof(buffer))) > 0)
		sum += (size_t)n;
	return sum;
}

static size_t receive_sent(struct kernel_scene *scene, const struct kernel_sandbox *sandbox)
{
	int pid = kernel_sandbox_spawn(scene, sandbox, act_send, NULL);
	struct abi_flow flow;
	int fd = kernel_scene_accept(scene, &flow);
	size_t n;

	CHECK(fd >= 0);
	n = read_all(fd);
	CHECK_INT(kernel_sandbox_wait(pid), 0);
	close(fd);
	return n;
}

TEST(an_open_connection_sends_no_more_than_the_budget)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox tight, wide;
	size_t n;

	make(scene, &tight, ABI_BUDGET_BYTES_OUT, 20000);
	make(scene, &wide, ABI_BUDGET_BYTES_OUT, 1 << 20);
	n = receive_sent(scene, &tight);
	CHECK(n < 20000);
	CHECK_INT(
		budget_refusals(scene, ABI_OPERATION_PACKET, ABI_BUDGET_BIT(ABI_BUDGET_BYTES_OUT)),
		1);
	CHECK_INT(budget_used(scene, &tight, ABI_BUDGET_BYTES_OUT), 20000);
	/* And no new one is made. */
	CHECK_INT(budget_connects(scene, &tight, 1), 0);
	CHECK_INT(
		budget_refusals(scene, ABI_OPERATION_CONNECT, ABI_BUDGET_BIT(ABI_BUDGET_BYTES_OUT)),
		1);
	CHECK_INT(receive_sent(scene, &wide), BYTES / CHUNK * CHUNK + CHUNK);
	CHECK_INT(budget_refusals(scene, 0, 0), 0);
	budget_end(scene, &tight);
	budget_end(scene, &wide);
}

static int act_receive(struct kernel_scene *scene, const void *argument)
{
	int fd = budget_dial(BUDGET_ORIGIN, 443, SOCK_STREAM);

	(void)argument;
	if (fd < 0)
		return 1;
	*(size_t *)scene->report = read_all(fd);
	return 0;
}

static size_t send_to(struct kernel_scene *scene, const struct kernel_sandbox *sandbox)
{
	static const char bytes[BYTES];
	int pid = kernel_sandbox_spawn(scene, sandbox, act_receive, NULL);
	struct abi_flow flow;
	int fd = kernel_scene_accept(scene, &flow);

	CHECK(fd >= 0);
	for (size_t i = 0; i < BYTES; i += CHUNK)
		if (send(fd, bytes, CHUNK, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
	CHECK_INT(kernel_sandbox_wait(pid), 0);
	close(fd);
	return *(size_t *)scene->report;
}

TEST(an_open_connection_receives_no_more_than_the_budget)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox tight, wide;

	make(scene, &tight, ABI_BUDGET_BYTES_IN, 20000);
	make(scene, &wide, ABI_BUDGET_BYTES_IN, 1 << 20);
	CHECK(send_to(scene, &tight) < 20000);
	CHECK_INT(budget_refusals(scene, ABI_OPERATION_PACKET, ABI_BUDGET_BIT(ABI_BUDGET_BYTES_IN)),
		1);
	CHECK_INT(budget_connects(scene, &tight, 1), 0);
	budget_refusals(scene, ABI_OPERATION_CONNECT, ABI_BUDGET_BIT(ABI_BUDGET_BYTES_IN));
	CHECK_INT(send_to(scene, &wide), BYTES / CHUNK * CHUNK + CHUNK);
	budget_end(scene, &tight);
	budget_end(scene, &wide);
}

/* ---- queries */

/* Five datagrams to a name server by a connected socket, or each with its address; how many left.
 */
static int act_ask(struct kernel_scene *scene, const void *argument)
{
	bool connected = *(const bool *)argument;
	struct sockaddr_storage address;
	socklen_t size = kernel_address(NAME_SERVER, 53, &address);
	int fd = socket(address.ss_family, SOCK_DGRAM, 0);

	(void)scene;
	if (connected && connect(fd, (struct sockaddr *)&address, size) < 0)
		return errno == EPERM ? 0 : 100;
	for (int i = 0; i < 5; i++)
		if (sendto(fd, "query", 5, 0, connected ? NULL : (struct sockaddr *)&address,
			    connected ? 0 : size) < 0)
			return errno == EPERM ? i : 100;
	return 5;
}

static void check_queries(bool connected, uint8_t operation)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox tight, wide;

	make(scene, &tight, ABI_BUDGET_DNS_QUERIES, 3);
	make(scene, &wide, ABI_BUDGET_DNS_QUERIES, 5);
	CHECK_INT(kernel_sandbox_run(scene, &tight, act_ask, &connected), 3);
	CHECK_INT(budget_refusals(scene, operation, ABI_BUDGET_BIT(ABI_BUDGET_DNS_QUERIES)), 1);
	CHECK_INT(kernel_sandbox_run(scene, &tight, act_ask, &connected), 0);
	/* Names cost no connections, nor the other way round. */
	CHECK_INT(budget_connects(scene, &tight, 2), 2);
	CHECK_INT(kernel_sandbox_run(scene, &wide, act_ask, &connected), 5);
	CHECK_INT(budget_used(scene, &wide, ABI_BUDGET_DNS_QUERIES), 5);
	budget_end(scene, &tight);
	budget_end(scene, &wide);
}

TEST(so_many_queries_by_a_connected_socket)
{
	check_queries(true, ABI_OPERATION_PACKET);
}

TEST(so_many_queries_that_name_their_server)
{
	check_queries(false, ABI_OPERATION_SENDMSG);
}

/* Over TCP bytes count: 64 of them, or less, are a query. */
static int act_ask_stream(struct kernel_scene *scene, const void *argument)
{
	static const char bytes[256];
	int fd = budget_dial(NAME_SERVER, 53, SOCK_STREAM);

	(void)scene;
	(void)argument;
	if (fd < 0)
		return 1;
	return send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) == sizeof(bytes) ? 0 : 2;
}

TEST(queries_over_a_stream_count_by_their_bytes)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;

	make(scene, &sandbox, ABI_BUDGET_DNS_QUERIES, 100);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_ask_stream, NULL), 0);
	CHECK_INT(budget_used(scene, &sandbox, ABI_BUDGET_DNS_QUERIES), 4);
	budget_limit(scene, &sandbox, ABI_BUDGET_DNS_QUERIES, 4, 0);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_ask_stream, NULL), 1);
	budget_end(scene, &sandbox);
}

TEST(a_slot_that_was_just_taken_has_no_budgets)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	struct enforce_budgets budgets;
	const uint64_t too_much[ABI_BUDGET_COUNTERS] = {UINT64_MAX};

	kernel_sandbox_make(scene, &sandbox);
	CHECK_INT(enforce_slot_budgets(scene->enforce, sandbox.slot, &budgets), 0);
	for (size_t i = 0; i < ABI_BUDGET_COUNTERS; i++)
		CHECK_INT(budgets.limits[i] + budgets.used[i], 0);
	CHECK_INT(budgets.window_ns, 0);
	CHECK_INT(enforce_slot_set_budgets(scene->enforce, sandbox.slot, too_much, 0), -EINVAL);
	CHECK_INT(enforce_slot_set_budgets(scene->enforce, ABI_SLOTS_MAX, too_much, 0), -EINVAL);
	budget_end(scene, &sandbox);
}
