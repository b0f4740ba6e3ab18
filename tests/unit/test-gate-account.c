/* Traffic by destination: who moved how much, folded and bounded, and told once. */
#include "supervisor/gate/flows/account.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/gate/named.h"
#include "tests/harness/check.h"

#define NAMES_MAX 32 /* as in account.c */
#define TOLD_MAX 1024

/* A gate, with what the accounts need alone. */
static struct gate gate;
static struct listener listeners[3];
static struct wire_gate_used told[TOLD_MAX];
static size_t n_told, n_messages, n_refused, refuse_from;

static int keep(void *userdata, const struct wire_gate_used *rows, size_t n)
{
	CHECK(userdata == &gate);
	CHECK(n > 0 && n <= WIRE_GATE_USED_MAX && n_told + n <= TOLD_MAX);
	if (n_messages >= refuse_from) {
		n_refused++;
		return -EAGAIN;
	}
	memcpy(&told[n_told], rows, n * sizeof(*rows));
	n_told += n;
	n_messages++;
	return 0;
}

static void begin(void)
{
	gate = (struct gate){.config = {.report_used = keep, .report_userdata = &gate}};
	TAILQ_INIT(&gate.untold);
	CHECK_INT(table_new(ARRAY_SIZE(listeners), &gate.listeners), 0);
	for (size_t i = 0; i < ARRAY_SIZE(listeners); i++) {
		listeners[i] = (struct listener){.gate = &gate, .sandbox = i + 1};
		TAILQ_INIT(&listeners[i].flows);
		TAILQ_INIT(&listeners[i].accounts);
		CHECK_INT(table_put(gate.listeners, i + 1, &listeners[i]), 0);
	}
	memset(told, 0, sizeof(told));
	n_told = n_messages = n_refused = 0;
	refuse_from = SIZE_MAX;
}

static void end(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(listeners); i++)
		account_leave(&listeners[i]);
	account_fini(&gate);
	CHECK(TAILQ_EMPTY(&gate.untold));
	gate.listeners = table_free(gate.listeners);
}

/* A connection of `listener` to 203.0.113.`last`, or to `named`. */
static struct flow flow_of(struct listener *listener, uint8_t last, struct named *named)
{
	struct flow flow = {.listener = listener, .named = named, .is_connected = true};
	const uint8_t address[16] = {[10] = 0xff, [11] = 0xff, [12] = 203, [14] = 113, [15] = last};

	memcpy(flow.target.address.bytes, address, sizeof(address));
	return flow;
}

static void move(struct flow *flow, uint64_t sent, uint64_t received)
{
	flow->directions[INNER].bytes += sent;
	flow->directions[OUTER].bytes += received;
}

static void check_row(const struct wire_gate_used *row, uint64_t sandbox, const char *name,
	uint64_t sent, uint64_t received, uint64_t connections)
{
	CHECK_INT(row->sandbox, sandbox);
	CHECK_TEXT(row->name, name);
	CHECK_INT(row->bytes_sent, sent);
	CHECK_INT(row->bytes_received, received);
	CHECK_INT(row->connections, connections);
}

TEST(what_moved_is_told_once_by_destination)
{
	struct named pypi = {.name = "pypi.org"};
	struct flow flows[4];

	begin();
	flows[0] = flow_of(&listeners[0], 7, NULL);
	flows[1] = flow_of(&listeners[0], 7, NULL);
	flows[2] = flow_of(&listeners[0], 8, NULL);
	flows[3] = flow_of(&listeners[0], 7, &pypi);
	for (size_t i = 0; i < ARRAY_SIZE(flows); i++) {
		move(&flows[i], 10 + i, 1000 + i);
		TAILQ_INSERT_TAIL(&listeners[0].flows, &flows[i], in_listener);
	}
	account_tell(&gate);
	CHECK_INT(n_told, 3);
	check_row(&told[0], 1, "203.0.113.7", 21, 2001, 2);
	check_row(&told[1], 1, "203.0.113.8", 12, 1002, 1);
	check_row(&told[2], 1, "pypi.org", 13, 1003, 1);

	account_tell(&gate);
	CHECK_INT(n_told, 3);
	move(&flows[2], 0, 5);
	account_tell(&gate);
	CHECK_INT(n_told, 4);
	check_row(&told[3], 1, "203.0.113.8", 0, 5, 0);
	end();
}

TEST(connection_that_never_stood_is_no_connection)
{
	struct flow flow;

	begin();
	flow = flow_of(&listeners[0], 7, NULL);
	flow.is_connected = false;
	account_settle(&flow);
	CHECK(TAILQ_EMPTY(&listeners[0].accounts));
	flow.is_connected = true;
	account_settle(&flow);
	account_settle(&flow);
	account_tell(&gate);
	CHECK_INT(n_told, 1);
	check_row(&told[0], 1, "203.0.113.7", 0, 0, 1);
	end();
}

TEST(sandboxes_are_told_apart)
{
	struct flow flows[2];

	begin();
	for (size_t i = 0; i < ARRAY_SIZE(flows); i++) {
		flows[i] = flow_of(&listeners[i], 7, NULL);
		move(&flows[i], i + 1, 0);
		account_settle(&flows[i]);
	}
	account_tell(&gate);
	CHECK_INT(n_told, 2);
	CHECK(told[0].sandbox != told[1].sandbox);
	for (size_t i = 0; i < 2; i++)
		check_row(&told[i], told[i].sandbox, "203.0.113.7", told[i].sandbox, 0, 1);
	end();
}

/* A program may connect to as many names as it likes; the gate keeps a short list of them. */
TEST(destinations_beyond_the_bound_are_one_row_without_a_name)
{
	uint64_t sent = 0;

	begin();
	for (size_t round = 0; round < 2; round++)
		for (uint8_t i = 0; i < NAMES_MAX + 8; i++) {
			struct flow flow = flow_of(&listeners[0], i, NULL);

			move(&flow, 1, 2);
			account_settle(&flow);
		}
	account_tell(&gate);
	CHECK_INT(n_told, NAMES_MAX + 1);
	for (size_t i = 0; i < n_told; i++)
		sent += told[i].bytes_sent;
	CHECK_INT(sent, 2 * (NAMES_MAX + 8));
	check_row(&told[NAMES_MAX - 1], 1, "203.0.113.31", 2, 4, 2);
	check_row(&told[NAMES_MAX], 1, "", 16, 32, 16);

	/* Told, the list is empty again. */
	struct flow late = flow_of(&listeners[0], 200, NULL);

	account_settle(&late);
	account_tell(&gate);
	check_row(&told[n_told - 1], 1, "203.0.113.200", 0, 0, 1);
	end();
}

TEST(what_was_not_taken_waits_and_nothing_is_lost)
{
	struct flow flow;

	begin();
	refuse_from = 0;
	flow = flow_of(&listeners[0], 7, NULL);
	TAILQ_INSERT_TAIL(&listeners[0].flows, &flow, in_listener);
	move(&flow, 1, 0);
	account_tell(&gate);
	CHECK_INT(n_told, 0);
	CHECK_INT(n_refused, 1);
	move(&flow, 10, 0);
	account_tell(&gate);
	CHECK_INT(n_refused, 2);
	/* While it waits nothing is collected, so that what waits does not grow. */
	CHECK_INT(flow.told.bytes_sent, 1);

	refuse_from = SIZE_MAX;
	account_tell(&gate);
	account_tell(&gate);
	CHECK_INT(n_told, 2);
	check_row(&told[0], 1, "203.0.113.7", 1, 0, 1);
	check_row(&told[1], 1, "203.0.113.7", 10, 0, 0);
	end();
}

TEST(more_than_a_message_holds_goes_in_several)
{
	begin();
	for (size_t round = 0; round < 9; round++) {
		for (uint8_t i = 0; i < NAMES_MAX; i++) {
			struct flow flow = flow_of(&listeners[0], i, NULL);

			account_settle(&flow);
		}
		account_leave(&listeners[0]);
		CHECK(TAILQ_EMPTY(&listeners[0].accounts));
	}
	refuse_from = 1;
	account_tell(&gate);
	CHECK_INT(n_told, WIRE_GATE_USED_MAX);
	CHECK_INT(n_refused, 1);
	refuse_from = SIZE_MAX;
	account_tell(&gate);
	CHECK_INT(n_messages, 2);
	CHECK_INT(n_told, 9 * NAMES_MAX);
	end();
}

TEST(closed_listeners_account_is_still_told)
{
	struct flow flow;

	begin();
	flow = flow_of(&listeners[1], 7, NULL);
	move(&flow, 3, 4);
	account_settle(&flow);
	account_leave(&listeners[1]);
	CHECK(table_take(gate.listeners, 2) == &listeners[1]);
	account_tell(&gate);
	CHECK_INT(n_told, 1);
	check_row(&told[0], 2, "203.0.113.7", 3, 4, 1);
	end();
}

TEST(nobody_who_wants_to_know_is_told_nothing)
{
	struct flow flow;

	begin();
	gate.config.report_used = NULL;
	flow = flow_of(&listeners[0], 7, NULL);
	TAILQ_INSERT_TAIL(&listeners[0].flows, &flow, in_listener);
	move(&flow, 1, 1);
	account_tell(&gate);
	CHECK(TAILQ_EMPTY(&gate.untold));
	CHECK_INT(flow.told.bytes_sent, 0);
	end();
}
