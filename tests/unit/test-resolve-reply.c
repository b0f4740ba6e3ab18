#include "tests/harness/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/resolve/question.h"
#include "supervisor/resolve/reply.h"
#include "tests/harness/name-server.h"

static const uint8_t v4[4] = {203, 0, 113, 7};
static const uint8_t v6[16] = {0x20, 1, 0xd, 0xb8, [15] = 7};
static const struct reply_question www = {
	.name = "www.example.com", .type = QUESTION_A, .id = 0x1234, .edns = true};

/* An answer in the making to `question`. */
static struct name_server_query *answer_to(const struct reply_question *question, uint16_t flags)
{
	static struct name_server_query query;
	static uint8_t bytes[REPLY_QUERY_SIZE_MAX];

	CHECK_INT(reply_write_query(question, bytes, &query.size), 0);
	query.bytes = bytes;
	name_server_begin(&query, flags);
	return &query;
}

/* From memory of just that size. */
static enum reply_meaning read_reply(const struct reply_question *question, const uint8_t *bytes,
	size_t size, struct reply_answer *ret_answer)
{
	uint8_t *copy = malloc(size ? size : 1);
	enum reply_meaning meaning;

	memcpy(copy, bytes, size);
	memset(ret_answer, 0xee, sizeof(*ret_answer));
	meaning = reply_read(question, copy, size, ret_answer);
	free(copy);
	return meaning;
}

static enum reply_meaning read_answer(
	const struct name_server_query *query, struct reply_answer *ret_answer)
{
	return read_reply(&www, query->answer, query->answer_size, ret_answer);
}

TEST(reply_writes_a_query)
{
	static const char plain[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0"
				    "\3www\7example\3com\0\0\1\0\1";
	static const char edns[] = "\x12\x34\1\0\0\1\0\0\0\0\0\1"
				   "\3www\7example\3com\0\0\1\0\1\0\0\x29\4\xd0\0\0\0\0\0\0";
	struct reply_question question = www;
	uint8_t bytes[REPLY_QUERY_SIZE_MAX];
	size_t size;

	CHECK_INT(reply_write_query(&question, bytes, &size), 0);
	CHECK_INT(size, sizeof(edns) - 1);
	CHECK(memcmp(bytes, edns, size) == 0);
	question.edns = false;
	CHECK_INT(reply_write_query(&question, bytes, &size), 0);
	CHECK_INT(size, sizeof(plain) - 1);
	CHECK(memcmp(bytes, plain, size) == 0);
	question.name = "no..name";
	CHECK_INT(reply_write_query(&question, bytes, &size), -EINVAL);
}

TEST(reply_knows_which_names_can_be_asked_for)
{
	static const char *const valid[] = {"a", "a.b", "xn--bcher-kva.example", "_x.a-b.c1",
		"1.2.3.4.in-addr.arpa", "127.0.0.1x", "0x7f"};
	static const char *const invalid[] = {"", ".", "a.", ".a", "a..b", "A", "a b", "a\\.b",
		"*.a", "b\xc3\xbc", "127.0.0.1", "a.1", "2130706433"};
	char name[300];

	for (size_t i = 0; i < ARRAY_SIZE(valid); i++)
		if (!reply_name_is_valid(valid[i]))
			CHECK_FAIL("\"%s\" is refused", valid[i]);
	for (size_t i = 0; i < ARRAY_SIZE(invalid); i++)
		if (reply_name_is_valid(invalid[i]))
			CHECK_FAIL("\"%s\" is taken", invalid[i]);
	memset(name, 'a', sizeof(name));
	for (int i = 63; i < 250; i += 64)
		name[i] = '.';
	name[253] = '\0';
	CHECK(reply_name_is_valid(name));
	name[253] = 'a';
	name[254] = '\0';
	CHECK(!reply_name_is_valid(name));
	memset(name, 'a', 64);
	name[64] = '\0';
	CHECK(!reply_name_is_valid(name));
	CHECK(reply_name_is_valid(&name[1]));
}

TEST(reply_reads_addresses_and_the_least_time_to_live)
{
	struct name_server_query *query = answer_to(&www, 0x8180);
	struct reply_answer answer;

	name_server_add(query, "WWW.example.com", 1, 300, v4, 4);
	name_server_add(query, "www.example.com", 1, 60, "\1\2\3\4", 4);
	CHECK_INT(read_answer(query, &answer), REPLY_ANSWER);
	CHECK_INT(answer.error, 0);
	CHECK_INT(answer.n_addresses, 2);
	CHECK_INT(answer.ttl_seconds, 60);
	CHECK(memcmp(&answer.addresses[0].bytes[12], v4, 4) == 0);
	CHECK_INT(answer.addresses[0].bytes[11], 0xff);
	CHECK_INT(answer.addresses[0].bytes[9], 0);
}

TEST(reply_reads_ipv6)
{
	struct reply_question question = www;
	struct name_server_query *query;
	struct reply_answer answer;

	question.type = QUESTION_AAAA;
	query = answer_to(&question, 0x8180);
	name_server_add(query, "www.example.com", 28, 0, v6, 16);
	CHECK_INT(read_reply(&question, query->answer, query->answer_size, &answer), REPLY_ANSWER);
	CHECK_INT(answer.n_addresses, 1);
	CHECK_INT(answer.ttl_seconds, 1);
	CHECK(memcmp(answer.addresses[0].bytes, v6, 16) == 0);
}

struct ttl_row {
	uint32_t sent, wanted;
};

TEST(reply_bounds_the_time_to_live)
{
	static const struct ttl_row rows[] = {{0, 1}, {1, 1}, {2, 2}, {3600, 3600}, {3601, 3600},
		{0x7fffffff, 3600}, {0x80000000, 1}, {0xffffffff, 1}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct name_server_query *query = answer_to(&www, 0x8180);
		struct reply_answer answer;

		name_server_add(query, "www.example.com", 1, rows[i].sent, v4, 4);
		CHECK_INT(read_answer(query, &answer), REPLY_ANSWER);
		CHECK_INT(answer.ttl_seconds, rows[i].wanted);
	}
}

TEST(reply_follows_aliases_in_any_order_of_the_records)
{
	struct name_server_query *query = answer_to(&www, 0x8180);
	struct reply_answer answer;

	name_server_add(query, "c.net", 1, 300, v4, 4);
	name_server_add_alias(query, "b.example.com", 30, "C.net");
	name_server_add_alias(query, "www.example.com", 200, "b.example.com");
	CHECK_INT(read_answer(query, &answer), REPLY_ANSWER);
	CHECK_INT(answer.error, 0);
	CHECK_INT(answer.n_addresses, 1);
	CHECK_INT(answer.ttl_seconds, 30);
}

/* A chain of `n` aliases to an address. */
static enum reply_meaning read_chain(int n, struct reply_answer *ret_answer)
{
	struct name_server_query *query = answer_to(&www, 0x8180);
	char owner[32] = "www.example.com", target[32];

	for (int i = 0; i < n; i++) {
		snprintf(target, sizeof(target), "n%d.example.com", i);
		name_server_add_alias(query, owner, 300, target);
		memcpy(owner, target, sizeof(owner));
	}
	name_server_add(query, owner, 1, 300, v4, 4);
	return read_answer(query, ret_answer);
}

TEST(reply_follows_eight_aliases_and_no_more)
{
	struct reply_answer answer;

	CHECK_INT(read_chain(8, &answer), REPLY_ANSWER);
	CHECK_INT(answer.n_addresses, 1);
	CHECK_INT(read_chain(9, &answer), REPLY_FAILED);
}

TEST(reply_ends_in_a_circle_of_aliases)
{
	struct name_server_query *query = answer_to(&www, 0x8180);
	struct reply_answer answer;

	name_server_add_alias(query, "www.example.com", 1, "a.example.com");
	name_server_add_alias(query, "a.example.com", 1, "www.example.com");
	CHECK_INT(read_answer(query, &answer), REPLY_FAILED);
}

TEST(reply_ignores_what_was_not_asked_for)
{
	struct name_server_query *query = answer_to(&www, 0x8180);
	struct reply_answer answer;
	uint8_t *last;

	/* Another name, another type, an alias that nobody points to, an address behind it. */
	name_server_add(query, "evil.example.com", 1, 300, v4, 4);
	name_server_add(query, "www.example.com", 28, 300, v6, 16);
	name_server_add(query, "www.example.com", 16, 300, "\1x", 2);
	name_server_add_alias(query, "x.example.com", 300, "evil.example.com");
	/* And one of the right name and type, but of class CHAOS. */
	name_server_add(query, "www.example.com", 1, 300, v4, 4);
	last = &query->answer[query->answer_size - 4 - 10];
	last[3] = 3;
	CHECK_INT(read_answer(query, &answer), REPLY_ANSWER);
	CHECK_INT(answer.error, -ENODATA);
	CHECK_INT(answer.n_addresses, 0);
	CHECK_INT(answer.ttl_seconds, 5);
}

TEST(reply_does_not_read_addresses_from_other_sections)
{
	struct name_server_query *query = answer_to(&www, 0x8180);
	struct reply_answer answer;

	name_server_add(query, "www.example.com", 1, 300, v4, 4);
	/* The same record, counted as additional. */
	query->answer[7] = 0;
	query->answer[11] = 1;
	CHECK_INT(read_answer(query, &answer), REPLY_ANSWER);
	CHECK_INT(answer.error, -ENODATA);
}

TEST(reply_takes_eight_addresses_at_most)
{
	struct name_server_query *query = answer_to(&www, 0x8180);
	struct reply_answer answer;

	for (int i = 0; i < 200; i++)
		name_server_add(query, "www.example.com", 1, 300, v4, 4);
	CHECK_INT(read_answer(query, &answer), REPLY_ANSWER);
	CHECK_INT(answer.n_addresses, 8);
}

struct flags_row {
	uint16_t flags;
	enum reply_meaning with_edns, without_edns;
	int error;
};

TEST(reply_understands_refusals)
{
	static const struct flags_row rows[] = {
		{0x8180, REPLY_ANSWER, REPLY_ANSWER, -ENODATA},
		{0x8183, REPLY_ANSWER, REPLY_ANSWER, -ENOENT},
		{0x8380, REPLY_TRUNCATED, REPLY_TRUNCATED, 0},
		{0x8181, REPLY_NO_EDNS, REPLY_FAILED, 0}, {0x8184, REPLY_NO_EDNS, REPLY_FAILED, 0},
		{0x8182, REPLY_FAILED, REPLY_FAILED, 0}, {0x8185, REPLY_FAILED, REPLY_FAILED, 0},
		{0x818f, REPLY_FAILED, REPLY_FAILED, 0},
		{0x0100, REPLY_FOREIGN, REPLY_FOREIGN, 0}, /* a query */
		{0xa180, REPLY_FOREIGN, REPLY_FOREIGN, 0}, /* a notification */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct name_server_query *query = answer_to(&www, rows[i].flags);
		struct reply_question question = www;
		struct reply_answer answer;

		CHECK_INT(read_answer(query, &answer), rows[i].with_edns);
		if (rows[i].with_edns == REPLY_ANSWER)
			CHECK_INT(answer.error, rows[i].error);
		question.edns = false;
		CHECK_INT(read_reply(&question, query->answer, query->answer_size, &answer),
			rows[i].without_edns);
	}
}

TEST(reply_takes_a_referral_for_a_failure)
{
	struct name_server_query *query = answer_to(&www, 0x8100);
	struct reply_answer answer;

	query->answer[9] = 1; /* an NS record is said to follow */
	CHECK_INT(read_answer(query, &answer), REPLY_FAILED);
	query->answer[2] |= 4; /* but this server is the authority: there is nothing */
	CHECK_INT(read_answer(query, &answer), REPLY_ANSWER);
}

TEST(reply_ignores_answers_to_other_questions)
{
	struct reply_question questions[] = {www, www, www, www};
	struct reply_answer answer;

	questions[1].id = 0x1235;
	questions[2].name = "wwx.example.com";
	questions[3].type = QUESTION_AAAA;
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		struct name_server_query *query = answer_to(&questions[i], 0x8180);

		name_server_add(query, questions[i].name, 1, 300, v4, 4);
		CHECK_INT(read_answer(query, &answer), i == 0 ? REPLY_ANSWER : REPLY_FOREIGN);
	}
}

TEST(reply_takes_an_error_without_a_question)
{
	static const uint8_t bytes[] = {0x12, 0x34, 0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0};
	struct reply_answer answer;

	CHECK_INT(read_reply(&www, bytes, sizeof(bytes), &answer), REPLY_NO_EDNS);
}

TEST(reply_survives_being_cut_and_changed_anywhere)
{
	struct name_server_query *query = answer_to(&www, 0x8180);
	struct reply_answer answer;

	name_server_add_alias(query, "www.example.com", 300, "a.net");
	name_server_add(query, "a.net", 1, 300, v4, 4);
	for (size_t size = 0; size < query->answer_size; size++) {
		enum reply_meaning meaning = read_reply(&www, query->answer, size, &answer);

		CHECK(meaning == REPLY_FOREIGN || meaning == REPLY_FAILED);
	}
	for (size_t i = 0; i < query->answer_size; i++) {
		uint8_t before = query->answer[i];

		for (int byte = 0; byte < 256; byte++) {
			query->answer[i] = (uint8_t)byte;
			if (read_answer(query, &answer) == REPLY_ANSWER)
				CHECK((answer.error == 0) == (answer.n_addresses > 0));
		}
		query->answer[i] = before;
	}
}

/* ---- records */

static struct reply_records records;

static enum reply_meaning read_records(
	struct name_server_query *query, uint16_t type, struct reply_answer *ret_answer)
{
	struct reply_question question = www;

	question.type = type;
	question.records = &records;
	memset(&records, 0xee, sizeof(records));
	return read_reply(&question, query->answer, query->answer_size, ret_answer);
}

static struct name_server_query *answer_for(uint16_t type)
{
	struct reply_question question = www;

	question.type = type;
	return answer_to(&question, 0x8180);
}

#define ADD(query, type, data)                                                                     \
	name_server_add(query, "www.example.com", type, 60, data, sizeof(data) - 1)

TEST(reply_rebuilds_records)
{
	static const char mx[] = "\0\20\0\12\4mail\7example\3com\0\0\3\0\0\0";
	struct name_server_query *query = answer_for(QUESTION_MX);
	struct reply_answer answer;

	/* A compressed name is written out, the root stays, other types and names mean nothing. */
	ADD(query, QUESTION_MX, "\0\12\4mail\300\20");
	ADD(query, QUESTION_MX, "\0\0\0");
	ADD(query, QUESTION_TXT, "\4text");
	name_server_add(query, "other.example.com", QUESTION_MX, 60, "\0\1\0", 3);
	CHECK_INT(read_records(query, QUESTION_MX, &answer), REPLY_ANSWER);
	CHECK_INT(answer.error, 0);
	CHECK_INT(answer.ttl_seconds, 60);
	CHECK_INT(records.n, 2);
	CHECK_INT(records.size, 2 + 20 + 2 + 3);
	CHECK(memcmp(records.bytes + 2, mx + 2, 20) == 0 && records.bytes[1] == 20);
	CHECK(memcmp(records.bytes + 22, mx + 22, 5) == 0);
}

TEST(reply_follows_aliases_to_records)
{
	struct name_server_query *query = answer_for(QUESTION_TXT);
	struct reply_answer answer;

	name_server_add_alias(query, "www.example.com", 9, "t.example.net");
	name_server_add(query, "t.example.net", QUESTION_TXT, 60, "\2hi", 3);
	CHECK_INT(read_records(query, QUESTION_TXT, &answer), REPLY_ANSWER);
	CHECK_INT(records.n, 1);
	CHECK_INT(answer.ttl_seconds, 9);
	CHECK(memcmp(records.bytes, "\0\3\2hi", 5) == 0);
}

TEST(reply_passes_over_records_that_name_no_host)
{
	struct name_server_query *query = answer_for(QUESTION_SRV);
	struct reply_answer answer;

	ADD(query, QUESTION_SRV, "\0\1\0\2\0\3\4a b!\3com\0");
	CHECK_INT(read_records(query, QUESTION_SRV, &answer), REPLY_ANSWER);
	CHECK_INT(answer.error, -ENODATA);
	query = answer_for(QUESTION_SRV);
	ADD(query, QUESTION_SRV, "\0\1\0\2\0\3\4_b-1\3com\0");
	CHECK_INT(read_records(query, QUESTION_SRV, &answer), REPLY_ANSWER);
	CHECK_INT(answer.error, 0);
	CHECK_INT(records.n, 1);
}

TEST(reply_with_more_than_may_be_told_is_none)
{
	static uint8_t text[1024];
	struct name_server_query *query = answer_for(QUESTION_TXT);
	struct reply_answer answer;

	for (size_t i = 0; i < sizeof(text); i += 256)
		text[i] = 255;
	for (int i = 0; i < 3; i++)
		name_server_add(query, "www.example.com", QUESTION_TXT, 60, text, sizeof(text));
	CHECK_INT(read_records(query, QUESTION_TXT, &answer), REPLY_ANSWER);
	CHECK_INT(answer.error, 0);
	name_server_add(query, "www.example.com", QUESTION_TXT, 60, text, sizeof(text));
	CHECK_INT(read_records(query, QUESTION_TXT, &answer), REPLY_ANSWER);
	CHECK_INT(answer.error, -EMSGSIZE);
}
