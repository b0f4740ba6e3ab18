/* Lines of the log as acts: what counts, and what does not. */
#include "tests/harness/check.h"

#include <errno.h>
#include <stdio.h>

#include "supervisor/policy/tally.h"

static struct policy_recorded read_line(const char *line)
{
	struct policy_recorded record;

	CHECK_INT(policy_recorded_read(line, strlen(line), &record), 0);
	return record;
}

#define HEAD(type)                                                                                 \
	"{\"v\":1,\"seq\":7,\"time\":\"2026-11-27T10:00:00.000000000Z\",\"type\":\"" type          \
	"\",\"sandbox\":\"sb-00000000000000ff\","

TEST(record_of_an_act_is_that_act)
{
	static const struct {
		const char *line, *act;
		bool allowed;
	} rows[] = {
		{HEAD("network.connect") "\"verdict\":\"allow\",\"reason\":\"rule\",\"address\":"
					 "\"203.0.113.7\",\"port\":443,\"protocol\":\"tcp\"}",
			"connect 203.0.113.7:443", true},
		{HEAD("network.connect") "\"verdict\":\"deny\",\"reason\":\"default\",\"address\":"
					 "\"2001:db8::1\",\"port\":443,\"protocol\":\"tcp\"}",
			"connect [2001:db8::1]:443", false},
		{HEAD("network.connect") "\"verdict\":\"deny\",\"reason\":\"ticket\",\"name\":"
					 "\"a.org\",\"address\":\"198.18.1.0\",\"port\":22,"
					 "\"protocol\":\"tcp\"}",
			"connect a.org:22", false},
		{HEAD("network.send") "\"verdict\":\"deny\",\"reason\":\"default\",\"address\":"
				      "\"203.0.113.7\",\"port\":123,\"protocol\":\"udp\"}",
			"send 203.0.113.7:123", false},
		{HEAD("network.dns") "\"verdict\":\"deny\",\"name\":\"evil.org\",\"qtype\":28}",
			"resolve evil.org", false},
		{HEAD("network.inbound") "\"verdict\":\"allow\",\"port\":8000}", "inbound 8000",
			true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy_recorded record = read_line(rows[i].line);
		char text[POLICY_ACT_TEXT_SIZE];

		CHECK_INT(record.kind, POLICY_RECORDED_ACT);
		CHECK_TEXT(policy_act_format(&record.act, text), rows[i].act);
		CHECK_INT(record.allowed, rows[i].allowed);
		CHECK_INT(record.sequence, 7);
		CHECK_INT(record.sandbox, 255);
	}
}

TEST(record_that_no_policy_decides_is_no_act)
{
	static const char *const lines[] = {
		HEAD("process.exec") "\"argv\":[\"x\"]}",
		HEAD("network.connect") "\"verdict\":\"deny\",\"reason\":\"budget\",\"address\":"
					"\"203.0.113.7\",\"port\":443,\"protocol\":\"tcp\"}",
		HEAD("network.connect") "\"verdict\":\"deny\",\"reason\":\"no_gate\",\"address\":"
					"\"203.0.113.7\",\"port\":443,\"protocol\":\"tcp\"}",
		/* whose name the log does not say */
		HEAD("network.connect") "\"verdict\":\"allow\",\"reason\":\"rule\",\"address\":"
					"\"198.18.1.0\",\"port\":443,\"protocol\":\"tcp\"}",
		HEAD("network.dns") "\"verdict\":\"allow\",\"name\":\"a.org\",\"qtype\":16}",
		HEAD("network.connect") "\"verdict\":\"allow\",\"address\":\"203.0.113.7\","
					"\"port\":70000,\"protocol\":\"tcp\"}",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		CHECK_INT(read_line(lines[i]).kind, POLICY_RECORDED_OTHER);
}

TEST(record_that_is_none_is_refused)
{
	static const char *const lines[] = {"", "\n", "x", "[1]", "{\"type\":\"network.connect\"",
		/* a type in the text of another field */
		"{\"a\":\"\\\"type\\\":\\\"network.connect\\\"\",\"x\":{\"type\":\"network."
		"connect\"},\"type\":\"process.exec\"}"};
	struct policy_recorded record;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		CHECK_INT(policy_recorded_read(lines[i], strlen(lines[i]), &record), -EBADMSG);
}

TEST(record_of_a_creation_has_its_labels)
{
	struct policy_recorded record = read_line(
		HEAD("sandbox.create") "\"labels\":{\"job\":\"17\"},\"template\":\"python\"}");

	CHECK_INT(record.kind, POLICY_RECORDED_CREATE);
	CHECK_TEXT(record.template, "python");
	CHECK(policy_recorded_has_label(&record, "job=17"));
	CHECK(!policy_recorded_has_label(&record, "job=18"));
	CHECK(!policy_recorded_has_label(&record, "other=17"));
	CHECK(!policy_recorded_has_label(&record, "job"));
}

TEST(tally_counts_what_is_the_same_once_with_its_times)
{
	struct policy_recorded record = {
		.kind = POLICY_RECORDED_ACT, .allowed = true, .sequence = 3};
	struct tally tally = {0};

	for (int i = 0; i < 3000; i++) {
		record.act = (struct policy_act){
			.kind = POLICY_ACT_CONNECT, .port = (uint16_t)(1 + i % 1500)};
		snprintf(record.time, sizeof(record.time), "%04d", i);
		CHECK_INT(tally_add(&tally, &record), 0);
	}
	CHECK_INT(tally.n, 1500);
	CHECK_INT(tally.rows[1499].n, 2);
	CHECK_TEXT(tally.rows[1499].first, "1499");
	CHECK_TEXT(tally.rows[1499].last, "2999");
	record.allowed = false;
	CHECK_INT(tally_add(&tally, &record), 0);
	CHECK_INT(tally.n, 1501);
	tally_fini(&tally);
}

TEST(tally_notes_private_addresses_of_names_alone)
{
	static const struct {
		const char *dialled;
		bool is_private;
	} rows[] = {{"\"10.0.0.1\"", true}, {"\"fd00::1\"", true}, {"\"203.0.113.1\"", false}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tally tally = {0};
		struct policy_recorded act,
			record = read_line(HEAD("network.connect") "\"verdict\":\"allow\","
								   "\"reason\":\"rule\",\"name\":"
								   "\"a.org\",\"address\":\"198.18."
								   "1.0\",\"port\":443,"
								   "\"protocol\":\"tcp\"}");
		char line[512];

		/* the relay's record may come first */
		if (i % 2)
			CHECK_INT(tally_add(&tally, &record), 0);
		act = record;
		snprintf(line, sizeof(line),
			HEAD("network.flow") "\"name\":\"a.org\",\"port\":443,\"address\":"
					     "\"198.18.1.0\",\"dialled\":%s}",
			rows[i].dialled);
		record = read_line(line);
		CHECK_INT(record.kind, POLICY_RECORDED_DIAL);
		CHECK_INT(tally_note_dial(&tally, &record), 0);
		if (i % 2 == 0)
			CHECK_INT(tally_add(&tally, &act), 0);
		CHECK_INT(tally.n, 1);
		CHECK_INT(tally.rows[0].n, 1);
		CHECK_TEXT(tally.rows[0].first, act.time);
		CHECK_INT(tally.rows[0].is_private, rows[i].is_private);
		tally_fini(&tally);
	}
}
