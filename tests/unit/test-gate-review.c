/* A policy that comes while connections are open: what is told about them, and which are reset. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bpf/abi/slot.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/names/tickets.h"
#include "tests/harness/check.h"
#include "tests/harness/names-scene.h"

#define NEW_POLICY ABI_SLOT_POLICY(2, 5)
#define OLD_POLICY ABI_SLOT_POLICY(1, 5)

static struct names_scene names;
static struct scene *const scene = &names.relay;
static struct wire_gate_review_flow flows[WIRE_GATE_REVIEW_MAX];
static const struct wire_gate_swap swap = {.sandbox = 1, .policy = NEW_POLICY};

static void begin(void)
{
	names_scene_prepare(&names, AF_INET);
	names_scene_add_host(&names, &(struct names_host){"a.test", {"127.0.0.1"}});
	names_scene_add_host(&names, &(struct names_host){"b.test", {"127.0.0.1"}});
	names_scene_start(&names);
	names_scene_open(&names, 1);
	names_scene_open(&names, 2);
	names_scene_ticket(&names, 1, 1, "a.test", WIRE_GATE_RANGE_PASSTHROUGH, 0);
	names_scene_ticket(&names, 1, 2, "b.test", WIRE_GATE_RANGE_PASSTHROUGH, 0);
	names_scene_ticket(&names, 2, 1, "a.test", WIRE_GATE_RANGE_PASSTHROUGH, 0);
}

static void check_works(int client, int origin)
{
	char byte;

	scene_write(scene, client, "w", 1);
	scene_read(scene, origin, &byte, 1);
}

TEST(verdicts_reset_those_connections_and_no_others)
{
	int clients[4], origins[4];
	uint64_t reset[2];

	begin();
	clients[0] = names_scene_dial(&names, 1, 1);
	origins[0] = scene_accept(scene);
	clients[1] = names_scene_dial(&names, 1, 2);
	origins[1] = scene_accept(scene);
	clients[2] = scene_dial(scene, 1);
	origins[2] = scene_accept(scene);
	clients[3] = names_scene_dial(&names, 2, 1);
	origins[3] = scene_accept(scene);
	CHECK_INT(gate_review(scene->gate, &swap, flows), 3);
	CHECK(memcmp(&flows[0].address, &(struct abi_address[]){ticket_address4(1)}, 16) == 0);
	CHECK(memcmp(&flows[2].address, &scene->origin.sin6_addr, 16) == 0);
	CHECK_INT(flows[2].port, ntohs(scene->origin.sin6_port));
	reset[0] = flows[0].id;
	reset[1] = 999; /* ended meanwhile */
	gate_take_verdicts(scene->gate, 1, reset, 2);
	CHECK_INT(scene_report(scene, 1)->end, WIRE_GATE_END_POLICY);
	CHECK_INT(scene->reports[0].error, -EACCES);
	CHECK_TEXT(scene->reports[0].name, "a.test");
	CHECK_INT(scene_read_end(scene, clients[0]), -ECONNRESET);
	CHECK_INT(scene_read_end(scene, origins[0]), -ECONNRESET);
	for (int i = 1; i < 4; i++)
		check_works(clients[i], origins[i]);
	for (int i = 0; i < 4; i++) {
		close(clients[i]);
		close(origins[i]);
	}
	names_scene_end(&names);
}

/* The address stays allowed, what may be done there does not. */
TEST(ticket_that_says_another_thing_resets_its_connections)
{
	int clients[2], origins[2];

	begin();
	for (uint32_t i = 0; i < 2; i++) {
		clients[i] = names_scene_dial(&names, 1, 1 + i);
		origins[i] = scene_accept(scene);
	}
	names_scene_ticket(&names, 1, 1, "a.test", WIRE_GATE_RANGE_TLS, 0);
	CHECK_INT(gate_review(scene->gate, &swap, flows), 2);
	gate_take_verdicts(scene->gate, 1, NULL, 0);
	CHECK_INT(scene_report(scene, 1)->end, WIRE_GATE_END_POLICY);
	CHECK_TEXT(scene->reports[0].name, "a.test");
	check_works(clients[1], origins[1]);
	for (int i = 0; i < 2; i++) {
		close(clients[i]);
		close(origins[i]);
	}
	names_scene_end(&names);
}

static int dial_under(uint64_t sandbox, uint64_t policy)
{
	struct scene_flow flow;
	int client = scene_client(scene, sandbox, AF_INET, &flow);

	flow.flow.policy = policy;
	scene_write_down(scene, &flow);
	scene_connect(scene, sandbox, client, AF_INET);
	return client;
}

TEST(connection_that_an_earlier_policy_let_pass_comes_too_late)
{
	int client, origin;

	begin();
	client = dial_under(1, OLD_POLICY);
	origin = scene_accept(scene);
	close(client);
	close(origin);
	CHECK_INT(scene_report(scene, 1)->end, WIRE_GATE_END_CLOSED);
	CHECK_INT(gate_review(scene->gate, &swap, flows), 0);
	gate_take_verdicts(scene->gate, 1, NULL, 0);
	client = dial_under(1, OLD_POLICY);
	CHECK_INT(scene_report(scene, 2)->end, WIRE_GATE_END_POLICY);
	CHECK_INT(scene_read_end(scene, client), -ECONNRESET);
	close(client);
	for (uint32_t generation = 2; generation <= 3; generation++) {
		client = dial_under(1, ABI_SLOT_POLICY(generation, 5));
		origin = scene_accept(scene);
		close(client);
		close(origin);
		CHECK_INT(scene_report(scene, 1 + generation)->end, WIRE_GATE_END_CLOSED);
	}
	/* Another sandbox's policy is its own. */
	client = dial_under(2, OLD_POLICY);
	origin = scene_accept(scene);
	close(client);
	close(origin);
	names_scene_end(&names);
}

TEST(review_of_an_unknown_sandbox_is_empty)
{
	const struct wire_gate_swap unknown = {.sandbox = 4, .policy = NEW_POLICY};

	begin();
	CHECK_INT(gate_review(scene->gate, &unknown, flows), 0);
	gate_take_verdicts(scene->gate, 4, NULL, 0);
	names_scene_end(&names);
}
