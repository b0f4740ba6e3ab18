/* Every row of tests/table/rows.h, by a real system call under the real programs: its result, its
 * event, what a second policy, made at random, is asked beside it, and for what is relayed, what
 * the gate learns. */
#include "tests/table/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "supervisor/policy/matcher.h"
#include "tests/harness/check.h"
#include "tests/harness/draw.h"
#include "tests/harness/kernel-scene.h"

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))
#define ROUNDS 2 /* each row beside two candidates */

static struct row_ports ports_of(const struct kernel_scene *scene)
{
	return (struct row_ports){scene->gate_port, scene->dns_port, scene->datagram_port};
}

/* In the sandbox: does what the row says; returns 0 or errno. */
static int act_row(struct kernel_scene *scene, const void *argument)
{
	const struct row *row = argument;
	uint16_t port = row_port(row, ports_of(scene));
	struct sockaddr_storage address, inside;
	socklen_t size = kernel_address(row->address, port, &address);
	int fd = socket(address.ss_family, row_is_tcp(row) ? SOCK_STREAM : SOCK_DGRAM, 0);
	ssize_t r = -1;

	if (fd < 0)
		return errno;
	switch (row->how) {
	case ROW_TCP:
	case ROW_UDP_CONNECT:
		r = connect(fd, (struct sockaddr *)&address, size);
		break;
	case ROW_TCP_FASTOPEN:
		r = sendto(fd, "hello", 5, MSG_FASTOPEN, (struct sockaddr *)&address, size);
		break;
	case ROW_UDP_CONNECTED_SEND:
		if (connect(fd, (struct sockaddr *)&address, size) < 0)
			return 200;
		r = send(fd, "hello", 5, 0);
		break;
	case ROW_UDP_OTHER:
		size = kernel_address(
			address.ss_family == AF_INET ? "127.0.0.1" : "::ffff:127.0.0.1", 9,
			&inside);
		if (connect(fd, (struct sockaddr *)&inside, size) < 0)
			return 200;
		/* fall through */
	case ROW_UDP_SENDTO:
		r = sendto(fd, "hello", 5, 0, (struct sockaddr *)&address, size);
		break;
	}
	return r < 0 ? errno : 0;
}

static void check_flow(
	struct kernel_scene *scene, const struct row *row, const struct kernel_sandbox *sandbox)
{
	struct abi_address asked = row_address(row->address);
	struct abi_flow flow;
	int fd = kernel_scene_accept(scene, &flow);

	CHECK(fd >= 0);
	close(fd);
	CHECK(memcmp(&flow.address, &asked, sizeof(asked)) == 0);
	CHECK_INT(flow.port, row_port(row, ports_of(scene)));
	CHECK_INT(flow.protocol, IPPROTO_TCP);
	CHECK_INT(flow.rule, row->rule);
	CHECK_INT(flow.sandbox, sandbox->id);
	CHECK_INT(flow.policy, ABI_SLOT_POLICY(sandbox->generation, sandbox->image));
}

/* What the gate gets says where it was to go; of a connected socket nothing came yet. */
static void check_datagram(
	struct kernel_scene *scene, const struct row *row, const struct kernel_sandbox *sandbox)
{
	struct abi_address asked = row_address(row->address);
	struct kernel_datagram datagram;

	if (row->how == ROW_UDP_CONNECT)
		return;
	kernel_scene_datagram(scene, sandbox, &datagram);
	CHECK_INT(datagram.size, 5);
	CHECK(memcmp(&datagram.row.address, &asked, sizeof(asked)) == 0);
	CHECK_INT(datagram.row.port, row_port(row, ports_of(scene)));
	CHECK_INT(datagram.row.rule, row->rule);
	CHECK_INT(datagram.row.policy, ABI_SLOT_POLICY(sandbox->generation, sandbox->image));
}

static uint8_t operation_of(const struct row *row)
{
	return row->how == ROW_UDP_SENDTO || row->how == ROW_UDP_OTHER ||
			       row->how == ROW_UDP_CONNECTED_SEND
		       ? ABI_OPERATION_SENDMSG
		       : ABI_OPERATION_CONNECT;
}

static void check_event(struct kernel_scene *scene, const struct row *row,
	const struct kernel_sandbox *sandbox, const struct abi_network_event *event)
{
	struct abi_address asked = row_address(row->address);

	CHECK(event);
	CHECK_INT(event->header.version, ABI_VERSION);
	CHECK_INT(event->header.size, sizeof(*event));
	CHECK_INT(event->header.sandbox, sandbox->id);
	CHECK_INT(event->header.tenant, sandbox->tenant);
	CHECK_INT(event->header.slot, sandbox->slot);
	CHECK_INT(event->header.policy, ABI_SLOT_POLICY(sandbox->generation, sandbox->image));
	CHECK(memcmp(&event->address, &asked, sizeof(asked)) == 0);
	CHECK_INT(event->port, row_port(row, ports_of(scene)));
	CHECK_INT(event->family, row_family(row));
	CHECK_INT(event->protocol, row_is_tcp(row) ? IPPROTO_TCP : IPPROTO_UDP);
	CHECK_INT(event->socket_type, row_is_tcp(row) ? SOCK_STREAM : SOCK_DGRAM);
	CHECK_INT(event->operation, operation_of(row));
	CHECK_INT(event->verdict, row->verdict);
	CHECK_INT(event->reason, row->reason);
	CHECK_INT(event->rule, row->rule);
}

static void put_tickets(struct kernel_scene *scene, const struct kernel_sandbox *sandbox)
{
	for (size_t i = 0; i < ROW_N_TICKETS; i++) {
		struct abi_ticket ticket = row_tickets[i].ticket;

		ticket.sandbox = sandbox->id;
		CHECK_INT(enforce_ticket_put(scene->enforce, sandbox->slot, sandbox->generation,
				  row_tickets[i].index, &ticket),
			0);
	}
}

/* ---- shadows */

#define N_CANDIDATES 32

static struct {
	struct draw numbers;
	struct policy_matcher *matchers[N_CANDIDATES];
	uint32_t images[N_CANDIDATES];
	uint64_t n_outcomes[4];
} shadows = {.numbers = {DRAW_SEED}};

static void make_candidates(struct kernel_scene *scene)
{
	for (size_t i = 0; i < N_CANDIDATES; i++) {
		struct policy *policy = draw_policy(&shadows.numbers);
		struct policy_image *image = NULL;

		CHECK_INT(policy_compile(policy, &image, NULL), 0);
		CHECK_INT(policy_matcher_new(image, &shadows.matchers[i]), 0);
		CHECK_INT(
			enforce_image_take(scene->enforce, policy->hash, image, &shadows.images[i]),
			0);
		policy_image_free(image);
		policy_unref(policy);
	}
}

static void free_candidates(struct kernel_scene *scene)
{
	for (size_t i = 0; i < N_CANDIDATES; i++) {
		enforce_image_release(scene->enforce, shadows.images[i]);
		policy_matcher_free(shadows.matchers[i]);
	}
}

struct asked {
	uint32_t slot, generation, image;
	const struct policy_matcher *candidate;
	bool has_ticket[ROW_N_TICKETS];
	/* what was counted */
	uint64_t n;
	struct abi_shadow_key last;
};

/* Of the tickets, the candidate may have some and not others. */
static void ask_candidate(
	struct kernel_scene *scene, const struct kernel_sandbox *sandbox, struct asked *ret_asked)
{
	uint32_t which = draw(&shadows.numbers, N_CANDIDATES);

	*ret_asked = (struct asked){.slot = sandbox->slot,
		.candidate = shadows.matchers[which],
		.image = shadows.images[which]};
	CHECK_INT(enforce_shadow_next(scene->enforce, sandbox->slot, &ret_asked->generation), 0);
	for (size_t i = 0; i < ROW_N_TICKETS; i++) {
		struct abi_ticket ticket = row_tickets[i].ticket;

		ticket.sandbox = sandbox->id;
		ret_asked->has_ticket[i] = draw(&shadows.numbers, 2);
		if (ret_asked->has_ticket[i])
			CHECK_INT(enforce_ticket_put(scene->enforce, sandbox->slot,
					  ret_asked->generation, row_tickets[i].index, &ticket),
				0);
	}
	CHECK_INT(enforce_shadow_bind(
			  scene->enforce, sandbox->slot, ret_asked->image, ret_asked->generation),
		0);
}

static bool add_asked(const struct abi_shadow_key *key, uint64_t n, void *userdata)
{
	struct asked *asked = userdata;

	/* Taken are those of candidates that are asked no more: the map has room for some rows. */
	if (key->slot != asked->slot || key->generation != asked->generation)
		return true;
	if (n == 0)
		return false;
	asked->n += n;
	asked->last = *key;
	return false;
}

static struct decide_facts facts_of(const struct kernel_scene *scene, const struct row *row,
	const struct kernel_sandbox *sandbox)
{
	return (struct decide_facts){.address = row_address(row->address),
		.sandbox = sandbox->id,
		.port = row_port(row, ports_of(scene)),
		.gate_port = row->gate == ROW_NO_GATE ? 0 : scene->gate_port,
		.dns_port = row_has_resolver(row) ? scene->dns_port : 0,
		.datagram_port = row_has_datagrams(row) ? scene->datagram_port : 0,
		.protocol = row_is_tcp(row) ? IPPROTO_TCP : IPPROTO_UDP,
		.live = true};
}

static uint8_t expected_of(struct kernel_scene *scene, const struct row *row,
	const struct kernel_sandbox *sandbox, const struct asked *asked, uint16_t *ret_rule)
{
	struct decide_facts facts = facts_of(scene, row, sandbox);
	const struct abi_ticket *found = row_ticket(&facts.address);
	struct abi_ticket ticket;

	for (size_t i = 0; found && i < ROW_N_TICKETS; i++)
		if (found == &row_tickets[i].ticket && !asked->has_ticket[i])
			found = NULL;
	if (found) {
		ticket = *found;
		ticket.sandbox = sandbox->id;
	}
	return draw_shadow_expected(asked->candidate, found ? &ticket : NULL, &facts,
		(struct decide_verdict){row->verdict, row->reason, row->rule}, ret_rule);
}

static bool is_tickets_reason(const struct row *row)
{
	struct abi_address address = row_address(row->address);

	return row_is_tcp(row) && match_is_synthetic(&address);
}

/* Beside the verdict, which check_event() has seen: the same in the record and in the sums. */
static void check_shadow(struct kernel_scene *scene, const struct row *row,
	const struct kernel_sandbox *sandbox, struct asked *asked,
	const struct abi_network_event *event)
{
	uint16_t rule;
	uint8_t outcome = expected_of(scene, row, sandbox, asked, &rule);

	CHECK_INT(enforce_shadow_take(scene->enforce, add_asked, asked), 0);
	if (!event || event->reason == ABI_REASON_GATE_PORT) {
		CHECK_INT(asked->n, 0);
		return;
	}
	shadows.n_outcomes[outcome]++;
	CHECK_INT(asked->n, 1);
	CHECK_INT(asked->last.outcome, outcome);
	CHECK_INT(asked->last.rule, outcome == ABI_SHADOW_WOULD_DENY ? row->rule : rule);
	CHECK_INT(event->shadow, outcome == ABI_SHADOW_AGREED
					 ? 0
					 : ABI_SLOT_POLICY(asked->generation, asked->image));
	if (outcome == ABI_SHADOW_AGREED)
		return;
	CHECK_INT(event->shadow_rule, rule);
	CHECK_INT(event->shadow_verdict,
		outcome == ABI_SHADOW_WOULD_ALLOW ? ABI_VERDICT_REDIRECT : ABI_VERDICT_DENY);
	CHECK_INT(event->shadow_reason, outcome == ABI_SHADOW_WOULD_ALLOW ? ABI_REASON_RULE
					: is_tickets_reason(row)          ? ABI_REASON_TICKET
									  : ABI_REASON_DEFAULT);
}

/* ---- */

/* That the query came to the resolver; a connected datagram socket has sent nothing yet. */
static void check_query(struct kernel_scene *scene, const struct row *row)
{
	char bytes[16];
	int fd;

	if (row_is_tcp(row)) {
		fd = kernel_scene_accept_query(scene);
		CHECK(fd >= 0);
		close(fd);
	} else if (row->how != ROW_UDP_CONNECT) {
		CHECK_INT(kernel_scene_answer(scene, bytes, sizeof(bytes), "yes"), 5);
	}
}

/* For connections that are open, which are no queries. */
static void check_would_allow(
	struct kernel_scene *scene, const struct row *row, const struct kernel_sandbox *sandbox)
{
	struct abi_address address = row_address(row->address);
	uint16_t port = row_port(row, ports_of(scene));

	if (row->verdict != ABI_VERDICT_RESOLVE)
		CHECK_INT(enforce_slot_would_allow(scene->enforce, sandbox->slot,
				  row_is_tcp(row) ? IPPROTO_TCP : IPPROTO_UDP, &address, port),
			row->verdict == ABI_VERDICT_REDIRECT);
}

static void check_row(struct kernel_scene *scene, const struct row *row)
{
	static const char *const names[] = {"rows-none", "rows-a", "rows-b", "rows-u"};
	struct kernel_sandbox sandbox;
	struct policy_image image;
	const struct abi_network_event *event;
	struct abi_counters counters;
	struct asked asked;

	row_image(row->image, &image);
	kernel_sandbox_make(scene, &sandbox);
	kernel_sandbox_bind(scene, &sandbox, names[row->image], &image, row->gate != ROW_NO_GATE);
	if (row_has_resolver(row))
		kernel_sandbox_give_resolver(scene, &sandbox);
	if (row_has_datagrams(row))
		kernel_sandbox_give_datagrams(scene, &sandbox);
	put_tickets(scene, &sandbox);
	ask_candidate(scene, &sandbox, &asked);
	kernel_scene_events(scene);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_row, row), row->error);
	kernel_scene_events(scene);
	event = kernel_scene_network_event(scene);
	if (row->verdict == ABI_VERDICT_ALLOW || row->verdict == ABI_VERDICT_RESOLVE ||
		row->verdict == ABI_VERDICT_PROBE)
		CHECK(!event);
	else
		check_event(scene, row, &sandbox, event);
	check_shadow(scene, row, &sandbox, &asked, event);
	if (row->verdict == ABI_VERDICT_REDIRECT && row_is_tcp(row))
		check_flow(scene, row, &sandbox);
	else if (row->verdict == ABI_VERDICT_REDIRECT)
		check_datagram(scene, row, &sandbox);
	if (row->verdict == ABI_VERDICT_RESOLVE)
		check_query(scene, row);
	check_would_allow(scene, row, &sandbox);
	CHECK_INT(enforce_slot_counters(scene->enforce, sandbox.slot, &counters), 0);
	CHECK_INT(counters.connections_denied, row->verdict == ABI_VERDICT_DENY);
	CHECK_INT(counters.connections_allowed, row->verdict == ABI_VERDICT_REDIRECT);
	kernel_sandbox_end(scene, &sandbox);
}

/* A check's message has the line of the code only. */
static const struct row *judged_row;

static void name_failed_row(void)
{
	if (judged_row)
		printf("# failed at row %zu: %s port %u how %d\n", (size_t)(judged_row - rows),
			judged_row->address, judged_row->port, (int)judged_row->how);
}

TEST(kernel_judges_every_row_as_the_host_does)
{
	struct kernel_scene *scene = kernel_scene();

	atexit(name_failed_row);
	make_candidates(scene);
	for (unsigned int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < N_ROWS; i++) {
			judged_row = &rows[i];
			check_row(scene, &rows[i]);
		}
	judged_row = NULL;
	free_candidates(scene);
	/* Of each some, or the policies are not worth drawing. */
	for (size_t i = ABI_SHADOW_AGREED; i <= ABI_SHADOW_WOULD_ALLOW; i++)
		CHECK(shadows.n_outcomes[i] >= 10);
}

/* The same calls, but the cgroup has no slot: not even a socket. */
TEST(denies_every_row_in_a_cgroup_without_a_slot)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox nobody;
	const struct abi_network_event *event;

	kernel_sandbox_make_bare(scene, &nobody);
	for (size_t i = 0; i < N_ROWS; i++) {
		kernel_scene_events(scene);
		CHECK_INT(kernel_sandbox_run(scene, &nobody, act_row, &rows[i]), EPERM);
		kernel_scene_events(scene);
		event = kernel_scene_network_event(scene);
		CHECK(event);
		CHECK_INT(event->reason, ABI_REASON_NO_SANDBOX);
		CHECK_INT(event->operation, ABI_OPERATION_SOCKET);
		CHECK_INT(event->header.sandbox, 0);
	}
	kernel_sandbox_end(scene, &nobody);
}
