#include "tests/harness/check.h"

#include <errno.h>
#include <stdlib.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/resolve/question.h"

/* A literal's bytes without its NUL. */
#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1
#define HEADER "\x12\x34\x01\x00\0\1\0\0\0\0\0\0"
#define HEADER_EDNS "\x12\x34\x01\x00\0\1\0\0\0\0\0\1"
#define EXAMPLE "\7eXample\3COM\0"
#define A_IN "\0\1\0\1"
#define OPT(size, rest) "\0\0\x29" size rest

/* Parses from memory of just this size, so that a sanitizer sees what reads behind it. */
static int parse(const uint8_t *bytes, size_t size, bool over_tcp, struct question *ret_question)
{
	uint8_t *copy = malloc(size ? size : 1);
	int r;

	memcpy(copy, bytes, size);
	memset(ret_question, 0xee, sizeof(*ret_question));
	r = question_parse(copy, size, over_tcp, ret_question);
	free(copy);
	return r;
}

TEST(question_reads_a_plain_query)
{
	struct question question;

	CHECK_INT(parse(BYTES(HEADER EXAMPLE A_IN), false, &question), 0);
	CHECK_INT(question.id, 0x1234);
	CHECK_INT(question.type, QUESTION_A);
	CHECK_INT(question.class, 1);
	CHECK_TEXT(question.name, "example.com");
	CHECK_INT(question.wire_size, 13);
	CHECK(memcmp(question.wire, EXAMPLE, 13) == 0);
	CHECK(question.has_name && question.is_plain && question.recursion_desired);
	CHECK(!question.edns && !question.over_tcp && !question.checking_disabled);
	CHECK_INT(question.answer_size_max, 512);
	CHECK_INT(question.opcode, 0);
}

struct size_row {
	const char *size;
	bool over_tcp;
	int wanted;
};

TEST(question_bounds_the_size_of_the_answer)
{
	static const struct size_row rows[] = {
		{"\0\0", false, 512},
		{"\2\0", false, 512},
		{"\2\1", false, 513},
		{"\4\xd0", false, 1232},
		{"\4\xd1", false, 1232},
		{"\xff\xff", false, 1232},
		{"\2\0", true, 65535},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t bytes[] = HEADER_EDNS EXAMPLE A_IN OPT("\0\0", "\0\0\0\0\0\0");
		struct question question;

		memcpy(&bytes[12 + 13 + 4 + 3], rows[i].size, 2);
		CHECK_INT(parse(bytes, sizeof(bytes) - 1, rows[i].over_tcp, &question), 0);
		CHECK_INT(question.answer_size_max, rows[i].wanted);
		CHECK(question.edns);
	}
}

struct name_row {
	const char *wire;
	const char *text;
	bool is_plain;
};

TEST(question_writes_names_as_text)
{
	static const struct name_row rows[] = {
		{"", "", false},
		{"\1a", "a", true},
		{"\4XN--\1-\1_", "xn--.-._", true},
		{"\3a.b\1c", "a\\046b.c", false},
		{"\2a ", "a\\032", false},
		{"\2\xc3\xa4", "\\195\\164", false},
		{"\1\\", "\\092", false},
		{"\1*\1a", "\\042.a", false},
		{"\3@-Z\1a", "\\064-z.a", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t bytes[128] = HEADER;
		size_t size = 12, wire_size = strlen(rows[i].wire) + 1;
		struct question question;

		memcpy(&bytes[size], rows[i].wire, wire_size);
		memcpy(&bytes[size + wire_size], A_IN, 4);
		size += wire_size + 4;
		CHECK_INT(parse(bytes, size, false, &question), 0);
		CHECK_TEXT(question.name, rows[i].text);
		CHECK_INT(question.is_plain, rows[i].is_plain);
	}
}

static size_t write_long(uint8_t *bytes, int last_label, uint8_t byte)
{
	size_t at = 12;

	memcpy(bytes, HEADER, 12);
	for (int i = 0; i < 4; i++) {
		int size = i < 3 ? 63 : last_label;

		bytes[at++] = (uint8_t)size;
		memset(&bytes[at], byte, (size_t)size);
		at += (size_t)size;
	}
	bytes[at++] = 0;
	memcpy(&bytes[at], A_IN, 4);
	return at + 4;
}

TEST(question_takes_the_longest_name_and_none_longer)
{
	struct question question;
	uint8_t bytes[512];

	CHECK_INT(parse(bytes, write_long(bytes, 61, 'q'), false, &question), 0);
	CHECK_INT(question.wire_size, 255);
	CHECK_INT(strlen(question.name), 253);
	CHECK(question.is_plain);
	CHECK_INT(parse(bytes, write_long(bytes, 62, 'q'), false, &question), QUESTION_FORMERR);
	CHECK(!question.has_name);
	/* Written out it would be four times as long: cut. */
	CHECK_INT(parse(bytes, write_long(bytes, 61, 0), false, &question), 0);
	CHECK(!question.is_plain);
	CHECK(strlen(question.name) < QUESTION_NAME_SIZE);
}

struct refused_row {
	const char *what;
	const uint8_t *bytes;
	size_t size;
	int wanted;
	bool has_name;
};

TEST(question_refuses_all_but_one_standard_question)
{
	static const struct refused_row rows[] = {
		{"nothing", BYTES(""), -EBADMSG, false},
		{"no header", BYTES("\x12\x34\x01\x00\0\1\0\0\0\0\0"), -EBADMSG, false},
		{"an answer", BYTES("\x12\x34\x81\x00\0\1\0\0\0\0\0\0" EXAMPLE A_IN), -EBADMSG,
			false},
		{"notify", BYTES("\x12\x34\x20\x00\0\1\0\0\0\0\0\0" EXAMPLE A_IN), QUESTION_NOTIMP,
			false},
		{"update", BYTES("\x12\x34\x28\x00\0\1\0\0\0\0\0\0" EXAMPLE A_IN), QUESTION_NOTIMP,
			false},
		{"truncated", BYTES("\x12\x34\x03\x00\0\1\0\0\0\0\0\0" EXAMPLE A_IN),
			QUESTION_FORMERR, false},
		{"no question", BYTES("\x12\x34\x01\x00\0\0\0\0\0\0\0\0"), QUESTION_FORMERR, false},
		{"two questions",
			BYTES("\x12\x34\x01\x00\0\2\0\0\0\0\0\0" EXAMPLE A_IN EXAMPLE A_IN),
			QUESTION_FORMERR, false},
		{"an answer record", BYTES("\x12\x34\x01\x00\0\1\0\1\0\0\0\0" EXAMPLE A_IN),
			QUESTION_FORMERR, false},
		{"an authority record", BYTES("\x12\x34\x01\x00\0\1\0\0\0\1\0\0" EXAMPLE A_IN),
			QUESTION_FORMERR, false},
		{"two additional", BYTES("\x12\x34\x01\x00\0\1\0\0\0\0\0\2" EXAMPLE A_IN),
			QUESTION_FORMERR, false},
		{"header only", BYTES(HEADER), QUESTION_FORMERR, false},
		{"half a name", BYTES(HEADER "\7exam"), QUESTION_FORMERR, false},
		{"no root", BYTES(HEADER "\7example\3com"), QUESTION_FORMERR, false},
		{"no type", BYTES(HEADER EXAMPLE), QUESTION_FORMERR, false},
		{"half a class", BYTES(HEADER EXAMPLE "\0\1\0"), QUESTION_FORMERR, false},
		{"a pointer to itself", BYTES(HEADER "\xc0\x0c" A_IN), QUESTION_FORMERR, false},
		{"a pointer back", BYTES(HEADER "\1a\xc0\x0c" A_IN), QUESTION_FORMERR, false},
		{"a pointer into the header", BYTES(HEADER "\1a\xc0\x05" A_IN), QUESTION_FORMERR,
			false},
		{"a pointer forward", BYTES(HEADER "\xc0\x12" A_IN EXAMPLE), QUESTION_FORMERR,
			false},
		{"an unknown label",
			BYTES(HEADER "\x41"
				     "a\0" A_IN),
			QUESTION_FORMERR, false},
		{"something behind", BYTES(HEADER EXAMPLE A_IN "\0"), QUESTION_FORMERR, true},
		{"no OPT", BYTES(HEADER_EDNS EXAMPLE A_IN), QUESTION_FORMERR, true},
		{"half an OPT", BYTES(HEADER_EDNS EXAMPLE A_IN "\0\0\x29\4"), QUESTION_FORMERR,
			true},
		{"an OPT with a name",
			BYTES(HEADER_EDNS EXAMPLE A_IN "\1a" OPT("\4\xd0", "\0\0\0\0\0\0")),
			QUESTION_FORMERR, true},
		{"another record", BYTES(HEADER_EDNS EXAMPLE A_IN "\0" A_IN "\0\0\0\0\0\4\1\2\3\4"),
			QUESTION_FORMERR, true},
		{"half an option",
			BYTES(HEADER_EDNS EXAMPLE A_IN OPT("\4\xd0", "\0\0\0\0\0\3\0\x0a\0")),
			QUESTION_FORMERR, true},
		{"an option too long",
			BYTES(HEADER_EDNS EXAMPLE A_IN OPT("\4\xd0", "\0\0\0\0\0\5\0\x0a\0\2x")),
			QUESTION_FORMERR, true},
		{"EDNS 1", BYTES(HEADER_EDNS EXAMPLE A_IN OPT("\4\xd0", "\0\1\0\0\0\0")),
			QUESTION_BADVERS, true},
		{"class CHAOS", BYTES(HEADER EXAMPLE "\0\x10\0\3"), QUESTION_REFUSED, true},
		{"class ANY", BYTES(HEADER EXAMPLE "\0\1\0\xff"), QUESTION_REFUSED, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct question question;
		int r = parse(rows[i].bytes, rows[i].size, false, &question);

		if (r != rows[i].wanted)
			CHECK_FAIL("%s: %d, wanted %d", rows[i].what, r, rows[i].wanted);
		if (r > 0 && question.has_name != rows[i].has_name)
			CHECK_FAIL("%s: has_name is %d", rows[i].what, question.has_name);
		if (r > 0)
			CHECK_INT(question.id, 0x1234);
	}
}

TEST(question_takes_options_that_it_does_not_know)
{
	struct question question;

	CHECK_INT(parse(BYTES(HEADER_EDNS EXAMPLE A_IN OPT(
				"\4\xd0", "\0\0\x80\0\0\x0f\0\x0a\0\7cookies\0\x0c\0\0")),
			  false, &question),
		0);
	CHECK(question.edns);
}

TEST(question_refuses_a_message_that_is_too_long)
{
	static uint8_t bytes[QUESTION_MESSAGE_MAX + 1] = HEADER EXAMPLE A_IN;
	struct question question;

	CHECK_INT(parse(bytes, sizeof(bytes), true, &question), QUESTION_FORMERR);
}

TEST(question_survives_being_cut_and_changed_anywhere)
{
	static const uint8_t whole[] =
		HEADER_EDNS EXAMPLE A_IN OPT("\4\xd0", "\0\0\x80\0\0\x0b\0\x0a\0\7cookies");
	struct question question;

	for (size_t size = 0; size < sizeof(whole) - 1; size++)
		CHECK(parse(whole, size, false, &question) != 0);
	for (size_t i = 0; i < sizeof(whole) - 1; i++) {
		for (int byte = 0; byte < 256; byte++) {
			uint8_t changed[sizeof(whole)];
			int r;

			memcpy(changed, whole, sizeof(whole));
			changed[i] = (uint8_t)byte;
			r = parse(changed, sizeof(whole) - 1, false, &question);
			CHECK(r == -EBADMSG || (r >= 0 && r <= QUESTION_BADVERS));
		}
	}
}
