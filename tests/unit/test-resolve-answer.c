#include "tests/harness/check.h"

#include <errno.h>
#include <stdlib.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/resolve/answer.h"

#define HEADER "\x12\x34\x01\x00\0\1\0\0\0\0\0\0"
#define HEADER_EDNS "\x12\x34\x01\x00\0\1\0\0\0\0\0\1"
#define EXAMPLE "\7eXample\3COM\0"
#define OPT_1232 "\0\0\x29\4\xd0\0\0\0\0"

static const struct abi_address ipv4 = {.bytes = {[10] = 0xff, 0xff, 198, 18, 1, 7}};
static const struct abi_address ipv6 = {
	.bytes = {0xfd, 0x43, 0x6c, 0x6f, 0x63, 0x68, 0x65, [13] = 1, [15] = 7}};

struct message {
	uint8_t bytes[ANSWER_SIZE_MAX];
	size_t size;
};

static struct question ask(const char *bytes, size_t size, bool over_tcp, int wanted)
{
	struct question question;

	CHECK_INT(question_parse((const uint8_t *)bytes, size, over_tcp, &question), wanted);
	return question;
}

#define ASK(text) ask(text, sizeof(text) - 1, false, 0)

static void check_bytes(const struct message *message, const char *wanted, size_t size)
{
	for (size_t i = 0; i < size && i < message->size; i++)
		if (message->bytes[i] != (uint8_t)wanted[i])
			CHECK_FAIL("byte %zu is %02x, wanted %02x", i, message->bytes[i],
				(uint8_t)wanted[i]);
	CHECK_INT(message->size, size);
}

#define CHECK_BYTES(message, text) check_bytes(message, text, sizeof(text) - 1)

TEST(answer_gives_an_ipv4_address_and_the_question_as_it_was_asked)
{
	struct question question = ASK(HEADER EXAMPLE "\0\1\0\1");
	struct message m;

	CHECK_INT(answer_address(&question, &ipv4, 5, m.bytes, &m.size), 0);
	CHECK_BYTES(&m, "\x12\x34\x81\x80\0\1\0\1\0\0\0\0" EXAMPLE "\0\1\0\1"
			"\xc0\x0c\0\1\0\1\0\0\0\5\0\4\xc6\x12\1\7");
}

TEST(answer_gives_an_ipv6_address_and_opt_to_who_has_it)
{
	struct question question = ASK(HEADER_EDNS EXAMPLE "\0\x1c\0\1" OPT_1232 "\0\0");
	struct message m;

	CHECK_INT(answer_address(&question, &ipv6, 5, m.bytes, &m.size), 0);
	CHECK_BYTES(&m, "\x12\x34\x81\x80\0\1\0\1\0\0\0\1" EXAMPLE "\0\x1c\0\1"
			"\xc0\x0c\0\x1c\0\1\0\0\0\5\0\x10\xfd\x43\x6c\x6f\x63\x68\x65\0\0\0\0\0\0\1"
			"\0\7" OPT_1232 "\0\0");
}

TEST(answer_refuses_an_address_of_another_type)
{
	struct question a = ASK(HEADER EXAMPLE "\0\1\0\1"), txt = ASK(HEADER EXAMPLE "\0\x10\0\1");
	struct message m = {.size = 1};

	CHECK_INT(answer_address(&a, &ipv6, 5, m.bytes, &m.size), -EINVAL);
	CHECK_INT(answer_address(&txt, &ipv4, 5, m.bytes, &m.size), -EINVAL);
	CHECK_INT(m.size, 1);
}

TEST(answer_says_that_there_is_nothing)
{
	struct question question = ASK("\x12\x34\x00\x10\0\1\0\0\0\0\0\0" EXAMPLE "\0\x41\0\1");
	struct message m;

	/* Recursion was not desired, checking was disabled: both come back. */
	CHECK_INT(answer_empty(&question, m.bytes, &m.size), 0);
	CHECK_BYTES(&m, "\x12\x34\x80\x90\0\1\0\0\0\0\0\0" EXAMPLE "\0\x41\0\1");
}

TEST(answer_refuses_with_a_reason_in_words)
{
	struct question question = ASK(HEADER_EDNS EXAMPLE "\0\1\0\1" OPT_1232 "\0\0");
	struct message m;

	CHECK_INT(answer_refuse(&question, QUESTION_REFUSED, ANSWER_BLOCKED, "not here", m.bytes,
			  &m.size),
		0);
	CHECK_BYTES(&m, "\x12\x34\x81\x85\0\1\0\0\0\0\0\1" EXAMPLE "\0\1\0\1" OPT_1232
			"\0\x0e\0\x0f\0\x0a\0\x0fnot here");
}

TEST(answer_gives_no_reason_to_who_cannot_read_it)
{
	struct question question = ASK(HEADER EXAMPLE "\0\1\0\1");
	struct message m;

	CHECK_INT(answer_refuse(&question, QUESTION_REFUSED, ANSWER_BLOCKED, "not here", m.bytes,
			  &m.size),
		0);
	CHECK_BYTES(&m, "\x12\x34\x81\x85\0\1\0\0\0\0\0\0" EXAMPLE "\0\1\0\1");
}

TEST(answer_writes_codes_above_fifteen_into_opt)
{
	static const char query[] = HEADER_EDNS EXAMPLE "\0\1\0\1"
							"\0\0\x29\4\xd0\0\1\0\0\0\0";
	struct question question = ask(query, sizeof(query) - 1, false, QUESTION_BADVERS);
	struct message m;

	CHECK_INT(
		answer_refuse(&question, QUESTION_BADVERS, ANSWER_NONE, NULL, m.bytes, &m.size), 0);
	CHECK_BYTES(&m, "\x12\x34\x81\x80\0\1\0\0\0\0\0\1" EXAMPLE "\0\1\0\1"
			"\0\0\x29\4\xd0\1\0\0\0\0\0");
}

TEST(answer_to_what_could_not_be_read_has_no_question)
{
	static const char query[] = "\x12\x34\x29\x00\0\2\0\0\0\0\0\0";
	struct question question = ask(query, sizeof(query) - 1, false, QUESTION_NOTIMP);
	struct message m;

	CHECK_INT(
		answer_refuse(&question, QUESTION_NOTIMP, ANSWER_NONE, NULL, m.bytes, &m.size), 0);
	CHECK_BYTES(&m, "\x12\x34\xa9\x84\0\0\0\0\0\0\0\0");
}

/* The longest name there is, asked with EDNS and room for 512 bytes. */
static struct question ask_longest(bool over_tcp)
{
	char query[512] = "\x12\x34\x01\x00\0\1\0\0\0\0\0\1";
	size_t at = 12;

	for (int i = 0; i < 4; i++) {
		int size = i < 3 ? 63 : 61;

		query[at++] = (char)size;
		memset(&query[at], 'x', (size_t)size);
		at += (size_t)size;
	}
	memcpy(&query[at], "\0\0\x1c\0\1\0\0\x29\2\0\0\0\0\0\0\0", 16);
	return ask(query, at + 16, over_tcp, 0);
}

TEST(answer_fits_the_smallest_size_with_the_longest_name)
{
	struct question question = ask_longest(false);
	struct message m;

	CHECK_INT(answer_address(&question, &ipv6, 5, m.bytes, &m.size), 0);
	CHECK_INT(m.size, 12 + 255 + 4 + 2 + 10 + 16 + 11);
	CHECK(!(m.bytes[2] & 2));
}

TEST(answer_drops_a_reason_that_does_not_fit_and_says_so)
{
	struct question udp = ask_longest(false), tcp = ask_longest(true);
	char text[301];
	struct message m;

	memset(text, 't', 300);
	text[300] = '\0';
	CHECK_INT(answer_refuse(&udp, QUESTION_REFUSED, ANSWER_BLOCKED, text, m.bytes, &m.size), 0);
	CHECK_INT(m.size, 12 + 255 + 4 + 11);
	CHECK(m.bytes[2] & 2);
	CHECK_INT(answer_refuse(&tcp, QUESTION_REFUSED, ANSWER_BLOCKED, text, m.bytes, &m.size), 0);
	CHECK_INT(m.size, 12 + 255 + 4 + 11 + 6 + 300);
	CHECK(!(m.bytes[2] & 2));
	text[200] = '\0';
	CHECK_INT(answer_refuse(&udp, QUESTION_REFUSED, ANSWER_BLOCKED, text, m.bytes, &m.size), 0);
	CHECK_INT(m.size, 12 + 255 + 4 + 11 + 6 + 200);
	CHECK(!(m.bytes[2] & 2));
}

TEST(answer_cuts_a_reason_between_characters)
{
	struct question question = ask_longest(true);
	char text[ANSWER_TEXT_MAX + 10];
	struct message m;

	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	memcpy(&text[ANSWER_TEXT_MAX - 2], "\xe2\x82\xac", 3);
	CHECK_INT(answer_refuse(&question, QUESTION_REFUSED, ANSWER_OTHER, text, m.bytes, &m.size),
		0);
	CHECK_INT(m.size, 12 + 255 + 4 + 11 + 6 + ANSWER_TEXT_MAX - 2);
	CHECK_INT(m.bytes[m.size - 1], 'a');
}
