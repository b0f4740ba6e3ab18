#include "tests/harness/check.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/resolve/vet.h"

static struct abi_address read_address(const char *text)
{
	struct abi_address address = {.bytes = {[10] = 0xff, [11] = 0xff}};

	if (inet_pton(AF_INET, text, &address.bytes[12]) != 1)
		CHECK_INT(inet_pton(AF_INET6, text, address.bytes), 1);
	return address;
}

enum { NEVER, PRIVATE, ALWAYS }; /* when it may be dialled */

struct row {
	const char *address;
	int when;
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct abi_address address = read_address(rows[i].address);
		bool plain = vet_address(&address, false), private = vet_address(&address, true);
		int when = plain ? ALWAYS : private ? PRIVATE : NEVER;

		if (when != rows[i].when || (plain && !private))
			CHECK_FAIL("%s: %d, wanted %d", rows[i].address, when, rows[i].when);
		CHECK((vet_refusal(&address, false) == NULL) == plain);
		CHECK((vet_refusal(&address, true) == NULL) == private);
	}
}

TEST(vet_passes_public_addresses)
{
	static const struct row rows[] = {
		{"1.1.1.1", ALWAYS},
		{"8.8.8.8", ALWAYS},
		{"9.255.255.255", ALWAYS},
		{"11.0.0.0", ALWAYS},
		{"100.63.255.255", ALWAYS},
		{"100.128.0.0", ALWAYS},
		{"126.255.255.255", ALWAYS},
		{"128.0.0.1", ALWAYS},
		{"168.63.129.15", ALWAYS},
		{"169.253.255.255", ALWAYS},
		{"169.255.0.0", ALWAYS},
		{"172.15.255.255", ALWAYS},
		{"172.32.0.0", ALWAYS},
		{"192.167.255.255", ALWAYS},
		{"198.17.255.255", ALWAYS},
		{"198.20.0.0", ALWAYS},
		{"223.255.255.255", ALWAYS},
		{"2606:4700::1111", ALWAYS},
		{"2001:1000::1", ALWAYS},
		{"2003::1", ALWAYS},
		/* Documentation. */
		{"192.0.2.1", ALWAYS},
		{"198.51.100.1", ALWAYS},
		{"203.0.113.1", ALWAYS},
		{"2001:db8::1", ALWAYS},
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

TEST(vet_refuses_special_ipv4_however_it_is_written)
{
	static const struct row rows[] = {
		{"0.0.0.0", NEVER},
		{"0.1.2.3", NEVER},
		{"127.0.0.1", NEVER},
		{"127.255.255.254", NEVER},
		{"169.254.0.1", NEVER},
		{"169.254.169.254", NEVER},
		{"168.63.129.16", NEVER},
		{"100.100.100.200", NEVER},
		{"192.0.0.192", NEVER},
		{"192.88.99.1", NEVER},
		{"224.0.0.1", NEVER},
		{"239.255.255.255", NEVER},
		{"240.0.0.1", NEVER},
		{"255.255.255.255", NEVER},
		{"::ffff:127.0.0.1", NEVER},
		{"::ffff:169.254.169.254", NEVER},
		{"::ffff:8.8.8.8", ALWAYS},
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

TEST(vet_passes_private_space_only_when_asked_to)
{
	static const struct row rows[] = {
		{"10.0.0.0", PRIVATE},
		{"10.255.255.255", PRIVATE},
		{"100.64.0.1", PRIVATE},
		{"100.127.255.255", PRIVATE},
		{"172.16.0.1", PRIVATE},
		{"172.31.255.255", PRIVATE},
		{"192.168.1.1", PRIVATE},
		{"::ffff:10.0.0.1", PRIVATE},
		{"fc00::1", PRIVATE},
		{"fd12:3456::1", PRIVATE},
		{"fdff:ffff::1", PRIVATE},
		/* Metadata services inside of it. */
		{"fd00:ec2::254", NEVER},
		{"fd20:ce::254", NEVER},
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

TEST(vet_refuses_special_and_unassigned_ipv6)
{
	static const struct row rows[] = {
		{"::", NEVER},
		{"::1", NEVER},
		{"100::1", NEVER},
		{"1fff::1", NEVER},
		{"2001:2::1", NEVER},
		{"4000::1", NEVER},
		{"5f00::1", NEVER},
		{"fe80::1", NEVER},
		{"fec0::1", NEVER},
		{"ff02::1", NEVER},
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

TEST(vet_refuses_ipv4_that_ipv6_carries)
{
	static const struct row rows[] = {
		{"::127.0.0.1", NEVER},
		{"::8.8.8.8", NEVER},
		{"::ffff:0:8.8.8.8", NEVER},
		{"2002:7f00:1::", NEVER},
		{"2002:808:808::1", NEVER},
		{"2001::1", NEVER},
		{"2001:0:808:808::f7f7:f7f7", NEVER},
		{"64:ff9b:1::8.8.8.8", NEVER},
		{"64:ff9b:1:a00:0:100::", NEVER},
		/* NAT64 with what would pass by itself, and with what would not. */
		{"64:ff9b::8.8.8.8", PRIVATE},
		{"64:ff9b::127.0.0.1", NEVER},
		{"64:ff9b::169.254.169.254", NEVER},
		{"64:ff9b::10.0.0.1", NEVER},
		{"64:ff9b::198.18.1.0", NEVER},
		{"64:ff9b:0:0:0:1:808:808", NEVER},
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

TEST(vet_refuses_addresses_that_stand_for_names)
{
	static const struct row rows[] = {
		{"198.18.0.0", NEVER},
		{"198.18.1.0", NEVER},
		{"198.19.255.255", NEVER},
		{"fd43:6c6f:6368:6500::1:0", NEVER},
		{"fd43:6c6f:6368:6500:ffff:ffff:ffff:ffff", NEVER},
		{"fd43:6c6f:6368:6501::1", PRIVATE},
		{"fd43:6c6f:6368:64ff::1", PRIVATE},
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

TEST(vet_says_which_range_it_is)
{
	struct abi_address loopback = read_address("::ffff:127.0.0.1");
	struct abi_address synthetic = read_address("198.18.1.7");
	struct abi_address private = read_address("10.1.2.3");

	CHECK_TEXT(vet_refusal(&loopback, true), "loopback");
	CHECK_TEXT(vet_refusal(&synthetic, true), "addresses that stand for names");
	CHECK_TEXT(vet_refusal(&private, false), "private");
}
