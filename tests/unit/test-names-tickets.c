#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/names/tickets.h"
#include "tests/harness/check.h"

static struct wire_gate_ticket ticket_of(uint32_t index, const char *name)
{
	struct wire_gate_ticket ticket = {
		.index = index, .n_ranges = 1, .ranges = {{80, 90, 1, 0}}};

	snprintf(ticket.name, sizeof(ticket.name), "%s", name);
	return ticket;
}

static struct tickets *with(uint32_t index, const char *name)
{
	struct wire_gate_ticket ticket = ticket_of(index, name);
	struct tickets *tickets;

	CHECK_INT(tickets_new(&tickets), 0);
	CHECK_INT(tickets_put(tickets, &ticket), 0);
	return tickets;
}

static const struct wire_gate_ticket *at(const struct tickets *tickets, const char *address)
{
	struct abi_address bytes;

	CHECK_INT(inet_pton(AF_INET6, address, bytes.bytes), 1);
	return tickets_by_address(tickets, &bytes);
}

TEST(ticket_is_found_by_name_and_by_both_addresses)
{
	struct tickets *tickets = with(300, "a.test");

	CHECK_TEXT(tickets_by_name(tickets, "a.test")->name, "a.test");
	CHECK(!tickets_by_name(tickets, "b.test"));
	CHECK(at(tickets, "::ffff:198.18.2.44"));
	CHECK(at(tickets, "fd43:6c6f:6368:6500::1:12c"));
	tickets_free(tickets);
}

TEST(other_addresses_are_nobodys)
{
	static const char *const others[] = {"::ffff:198.18.2.43", "::ffff:198.18.2.45",
		"::ffff:198.18.0.0", "::ffff:198.18.0.255", "::ffff:198.19.255.255",
		"::ffff:10.18.2.44", "fd43:6c6f:6368:6500::12c", "fd43:6c6f:6368:6500::2:12c",
		"fd43:6c6f:6368:6501::1:12c", "fd43:6c6f:6368:6500:1::1:12c",
		"fd43:6c6f:6368:6500:ffff:ffff:ffff:ffff"};
	struct tickets *tickets = with(300, "a.test");

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (at(tickets, others[i]))
			CHECK_FAIL("%s is somebody's", others[i]);
	tickets_free(tickets);
}

TEST(addresses_are_those_that_are_looked_up)
{
	for (uint32_t index = 0; index < ABI_TICKETS_PER_SANDBOX_MAX; index += 93) {
		struct tickets *tickets = with(index, "a.test");
		struct abi_address four = ticket_address4(index), six = ticket_address6(index);

		CHECK(tickets_by_address(tickets, &four) && tickets_by_address(tickets, &six));
		CHECK(ticket_address_is(&four) && ticket_address_is(&six));
		tickets_free(tickets);
	}
}

TEST(name_and_index_belong_to_the_last_ticket)
{
	struct tickets *tickets = with(1, "a.test");
	struct wire_gate_ticket ticket = ticket_of(2, "a.test");

	CHECK_INT(tickets_put(tickets, &ticket), 0);
	CHECK(!at(tickets, "::ffff:198.18.1.1"));
	CHECK(at(tickets, "::ffff:198.18.1.2"));
	ticket = ticket_of(2, "b.test");
	CHECK_INT(tickets_put(tickets, &ticket), 0);
	CHECK(!tickets_by_name(tickets, "a.test"));
	CHECK_TEXT(at(tickets, "::ffff:198.18.1.2")->name, "b.test");
	ticket.error = -EACCES;
	CHECK_INT(tickets_put(tickets, &ticket), 0);
	CHECK(!tickets_by_name(tickets, "b.test"));
	CHECK(!at(tickets, "::ffff:198.18.1.2"));
	CHECK_INT(tickets_put(tickets, &ticket), 0);
	tickets_free(tickets);
}

TEST(ports_are_those_of_the_ranges)
{
	struct wire_gate_ticket ticket = ticket_of(1, "a.test");

	CHECK(!ticket_range(&ticket, 79));
	CHECK(ticket_range(&ticket, 80));
	CHECK(ticket_range(&ticket, 90));
	CHECK(!ticket_range(&ticket, 91));
}

TEST(unsound_tickets_are_known)
{
	struct wire_gate_ticket good = ticket_of(ABI_TICKETS_PER_SANDBOX_MAX - 1, "a.test"), bad;

	CHECK(ticket_is_sound(&good));
	bad = good;
	bad.index++;
	CHECK(!ticket_is_sound(&bad));
	bad = good;
	bad.n_ranges = ABI_TICKET_RANGES_MAX + 1;
	CHECK(!ticket_is_sound(&bad));
	bad = good;
	bad.error = 1;
	CHECK(!ticket_is_sound(&bad));
	bad = good;
	bad.name[0] = '\0';
	CHECK(!ticket_is_sound(&bad));
	bad = good;
	memset(bad.name, 'a', sizeof(bad.name));
	CHECK(!ticket_is_sound(&bad));
	bad = good;
	memset(bad.policy_name, 'a', sizeof(bad.policy_name));
	CHECK(!ticket_is_sound(&bad));
}
