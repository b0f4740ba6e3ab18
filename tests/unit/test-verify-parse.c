/* What the parsers of cloche-verify take, and what they refuse, with the sentence. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/harness/check.h"
#include "tests/harness/made-log.h"
#include "tools/verify/log/record.h"
#include "tools/verify/notes/base64.h"
#include "tools/verify/notes/note.h"
#include "tools/verify/tree/proof.h"

#define START "{\"v\":1,\"seq\":5,\"type\":\"x\""
#define SANDBOX ",\"sandbox\":\"sb-0123456789abcdef\""
#define HEAD "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *const valid_records[] = {
	START "}",
	START ",\"seq2\":1,\"process\":{\"seq\":9,\"a\":[{\"type\":\"y\"},[]]}}",
	START SANDBOX "}",
	START SANDBOX ",\"sandbox_seq\":1}",
	START ",\"a\":\"\\\"seq\\\":1,\\u00e9\\\\\"}",
	START ",\"a\":[-0.5e+3,0,true,false,null,\"\",{},[[]]]}",
	START ",\"lost\":\"elsewhere\",\"audit\":3,\"first_seq\":-1}",
};

static const struct {
	const char *line, *error;
} invalid_records[] = {
	{"", "no JSON object"},
	{"[]", "no JSON object"},
	{"{\"v\":1}", "it has no \"seq\""},
	{"{\"seq\":5}", "it has no \"type\""},
	{"{\"seq\":0,\"type\":\"x\"}", "it has no \"seq\""},
	{"{\"seq\":05,\"type\":\"x\"}", "no JSON value"},
	{"{\"seq\":5.0,\"type\":\"x\"}", "a sequence or count is no whole number"},
	{"{\"seq\":-5,\"type\":\"x\"}", "a sequence or count is no whole number"},
	{"{\"seq\":18446744073709551616,\"type\":\"x\"}", "a sequence or count is no whole number"},
	{"{\"seq\":\"5\",\"type\":\"x\"}", "a sequence or count is no whole number"},
	{START ",\"seq\":5}", "a key that matters is there twice"},
	{START ",\"\\u0073eq\":5}", "a key with an escape, which the log does not write"},
	{START ",\"type\":\"x\"}", "a key that matters is there twice"},
	{START "} ", "text after the object"},
	{START "}{}", "text after the object"},
	{START ", \"a\":1}", "a text is expected"},
	{START ",}", "a text is expected"},
	{START ",\"a\"}", "a colon is expected after a key"},
	{START ",\"a\":}", "no JSON value"},
	{START ",\"a\":[1,]}", "no JSON value"},
	{START ",\"a\":[1 ]}", "a comma or a closing bracket is expected"},
	{START ",\"a\":{\"b\"}}", "a colon is expected after a key"},
	{START ",\"a\":[}]}", "no JSON value"},
	{START ",\"a\":\"x", "a text without end"},
	{START ",\"a\":\"\\x\"}", "an escape that JSON does not know"},
	{START ",\"a\":\"\\u12g4\"}", "an escape that JSON does not know"},
	{START ",\"a\":\"\t\"}", "a control character in a text"},
	{START ",\"a\":1.}", "a number without its fraction"},
	{START ",\"a\":1e}", "a number without its exponent"},
	{START, "a comma or a closing bracket is expected"},
	{START ",\"sandbox\":\"sb-0123456789ABCDEF\"}", "\"sandbox\" is no sandbox's id"},
	{START ",\"sandbox_seq\":1}", "it has \"sandbox_seq\" and no \"sandbox\""},
	{START SANDBOX ",\"sandbox_seq\":0}", "\"sandbox_seq\" is no sequence"},
	{"{\"seq\":5,\"type\":\"audit.lost\"}", "it has no number in \"lost\""},
	{"{\"seq\":5,\"type\":\"audit.retention\",\"last_seq\":3}",
		"it has no numbers in \"first_seq\" and \"last_seq\""},
	{"{\"seq\":5,\"type\":\"sandbox.end\"" SANDBOX ",\"sandbox_seq\":2}",
		"it has no \"audit\""},
	{"{\"seq\":5,\"type\":\"sandbox.end\"" SANDBOX
	 ",\"sandbox_seq\":2,\"audit\":{\"records\":1}}",
		"\"audit\" is not {\"records\", \"head\"}"},
	{"{\"seq\":5,\"type\":\"sandbox.end\"" SANDBOX
	 ",\"sandbox_seq\":2,\"audit\":{\"records\":1,\"head\":\"00\"}}",
		"\"audit\" has no hash in \"head\", or two"},
	{"{\"seq\":5,\"type\":\"sandbox.end\"" SANDBOX
	 ",\"sandbox_seq\":2,\"audit\":{\"records\":1,\"records\":1,\"head\":\"" HEAD "\"}}",
		"\"audit\" has no number in \"records\", or two"},
};

TEST(verify_record_takes_what_the_log_writes)
{
	for (size_t i = 0; i < sizeof(valid_records) / sizeof(valid_records[0]); i++) {
		struct record record;
		const char *error =
			record_read(valid_records[i], strlen(valid_records[i]), &record);

		if (error)
			CHECK_FAIL("%s: %s", valid_records[i], error);
		CHECK_INT(record.sequence, 5);
		CHECK_TEXT(record.type, "x");
	}
}

TEST(verify_record_refuses_what_it_does_not)
{
	for (size_t i = 0; i < sizeof(invalid_records) / sizeof(invalid_records[0]); i++) {
		const char *line = invalid_records[i].line;
		struct record record;
		const char *error = record_read(line, strlen(line), &record);

		if (!error || strcmp(error, invalid_records[i].error) != 0)
			CHECK_FAIL("%s: \"%s\", expected \"%s\"", line, error ? error : "taken",
				invalid_records[i].error);
	}
}

TEST(verify_record_reads_the_end_of_a_sandbox)
{
	static const char line[] =
		"{\"seq\":5,\"type\":\"sandbox.end\"" SANDBOX
		",\"sandbox_seq\":2,\"audit\":{\"records\":1,\"head\":\"" HEAD "\"}}";
	struct record record;

	CHECK(!record_read(line, strlen(line), &record));
	CHECK(record.has_end);
	CHECK_INT(record.sandbox, 0x0123456789abcdef);
	CHECK_INT(record.n_records, 1);
	CHECK_INT(record.head.bytes[31], 0xef);
}

/* 64 brackets are taken, 65 are not, 100,000 cost nothing. */
TEST(verify_scan_bounds_what_is_nested)
{
	static char line[100064];

	for (int n = 63; n <= 65; n++) {
		char *at = line + sprintf(line, START ",\"a\":");
		struct record record;

		memset(at, '[', (size_t)n);
		memset(at + n, ']', (size_t)n);
		strcpy(at + 2 * n, "}");
		CHECK_INT(!record_read(line, strlen(line), &record), n <= SCAN_DEPTH_MAX);
	}
	memset(line + sprintf(line, START ",\"a\":"), '[', 100000);
	CHECK_TEXT(record_read(line, sizeof(line), &(struct record){0}), "values nested too deep");
}

TEST(verify_scan_undoes_escapes)
{
	static const struct {
		const char *text, *expected; /* NULL: refused */
	} rows[] = {
		{"a\\n\\t\\\"\\\\\\/", "a\n\t\"\\/"},
		{"\\u2014 \\u00e9\\u0041", "\xe2\x80\x94 \xc3\xa9"
					   "A"},
		{"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
		{"\\ud83d", NULL},
		{"\\ud83dabcdef", NULL},
		{"\\ud83d\\u0041", NULL},
		{"\\ude00", NULL},
		{"\\u0000", NULL},
		{"0123456789abcdef", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[16];
		size_t size =
			span_unescape((struct span){rows[i].text, strlen(rows[i].text)}, text, 15);

		CHECK_INT(size, rows[i].expected ? (int64_t)strlen(rows[i].expected) : -1);
		if (rows[i].expected)
			CHECK_INT(memcmp(text, rows[i].expected, size), 0);
	}
}

TEST(verify_base64_has_one_text_for_each_value)
{
	static const char *const refused[] = {"A", "AA",
		"AA=", "AB==", "AAB=", "====", "A===", "AA==AAAA", "AA-_", "AAA\n", "AAAAAAAAAAAA"};
	uint8_t bytes[8];
	char text[BASE64_SIZE(8)];

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (base64_read(refused[i], strlen(refused[i]), bytes, sizeof(bytes)) >= 0)
			CHECK_FAIL("%s is taken", refused[i]);
	for (size_t size = 0; size <= 8; size++) {
		uint8_t back[8];

		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)(0xfb + 31 * i);
		base64_write(bytes, size, text);
		CHECK_INT(base64_read(text, strlen(text), back, sizeof(back)), size);
		CHECK_INT(memcmp(bytes, back, size), 0);
	}
}

struct note_scene {
	struct made_log *log;
	char text[4096], vkey[160];
	size_t size;
	struct note note;
	struct note_key key;
};

static const char *read_again(struct note_scene *scene)
{
	return note_read((struct span){scene->text, scene->size}, &scene->note);
}

static void note_begin(struct note_scene *scene)
{
	scene->log = made_log_new(1);
	scene->log->numbered = true;
	made_log_vkey(scene->log, 0, scene->vkey);
	CHECK(!note_key_read((struct span){scene->vkey, strlen(scene->vkey)}, &scene->key));
	scene->size =
		made_log_sign(scene->log, scene->log->notes, scene->text, sizeof(scene->text));
	CHECK(!read_again(scene));
}

TEST(verify_note_tells_a_checkpoint_and_who_signed_it)
{
	struct note_scene scene;
	struct checkpoint checkpoint;
	char other[160];

	note_begin(&scene);
	CHECK_INT(note_signed_by(&scene.note, &scene.key), 1);
	CHECK(!checkpoint_read(scene.note.text, &checkpoint));
	CHECK_TEXT(checkpoint.origin, scene.log->origin);
	CHECK_INT(checkpoint.size, 1);
	CHECK_INT(checkpoint.number, 1);
	CHECK_TEXT(checkpoint.reason, "start");
	CHECK_INT(checkpoint.seen, 9);
	made_log_rekey(scene.log);
	made_log_vkey(scene.log, 1, other);
	CHECK(!note_key_read((struct span){other, strlen(other)}, &scene.key));
	CHECK_INT(note_signed_by(&scene.note, &scene.key), 0);
	made_log_free(scene.log);
}

/* Cosignatures of others are passed over; a second look at our own is not needed. */
TEST(verify_note_takes_signatures_of_others_beside_ours)
{
	struct note_scene scene;

	note_begin(&scene);
	scene.size += (size_t)sprintf(
		scene.text + scene.size, "\xe2\x80\x94 witness.example AAAAAAAAAAAAAAAA\n");
	CHECK(!read_again(&scene));
	CHECK_INT(scene.note.n_signatures, 2);
	CHECK_INT(note_signed_by(&scene.note, &scene.key), 1);
	made_log_free(scene.log);
}

TEST(verify_note_sees_any_bit_that_changed)
{
	struct note_scene scene;

	note_begin(&scene);
	for (size_t i = 0; i < scene.size; i++) {
		scene.text[i] ^= 1;
		if (!read_again(&scene) && note_signed_by(&scene.note, &scene.key) == 1)
			CHECK_FAIL("byte %zu does not count", i);
		scene.text[i] ^= 1;
	}
	for (size_t size = 0; size < scene.size; size++)
		if (!note_read((struct span){scene.text, size}, &scene.note))
			CHECK_FAIL("a note cut at %zu is one", size);
	made_log_free(scene.log);
}

static const char note_text[] = "o\n3\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\ntime 5\n"
				"reason second\nlost 0\nevents seen 1 emitted 1 dropped 0\n"
				"programs none\npolicies none\n";

/* Each row takes one line out, or puts another in its place. */
TEST(verify_checkpoint_takes_its_lines_in_their_order_only)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{"o\n", ""},
		{"o\n", "o o\n"},
		{"3\n", "03\n"},
		{"3\n", "-3\n"},
		{"47DE", "47DF47DF"},
		{"time 5\n", ""},
		{"time 5\n", "time 5\ntime 5\n"},
		{"time 5\n", "number 0\ntime 5\n"},
		{"time 5\nreason second\n", "reason second\ntime 5\n"},
		{"reason second", "reason whim"},
		{"seen 1 ", "seen  1 "},
		{"dropped 0", "dropped 0 "},
		{"lost 0", "lost"},
		{"policies none\n", ""},
		{"policies none\n", "policies none\nmore 1\n"},
	};
	struct checkpoint checkpoint;

	CHECK(!checkpoint_read((struct span){note_text, strlen(note_text)}, &checkpoint));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *at = strstr(note_text, rows[i].from);
		char text[512];

		CHECK(at != NULL);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - note_text), note_text,
			rows[i].to, at + strlen(rows[i].from));
		if (!checkpoint_read((struct span){text, strlen(text)}, &checkpoint))
			CHECK_FAIL("taken: %s", text);
	}
}

TEST(verify_key_needs_its_hash_to_be_its_own)
{
	struct note_scene scene;

	note_begin(&scene);
	for (size_t i = 0; i < strlen(scene.vkey); i++) {
		scene.vkey[i] ^= 1;
		if (!note_key_read((struct span){scene.vkey, strlen(scene.vkey)}, &scene.key))
			CHECK_FAIL("character %zu does not count", i);
		scene.vkey[i] ^= 1;
	}
	CHECK(note_key_read((struct span){"", 0}, &scene.key) != NULL);
	CHECK(note_key_read((struct span){"a+00000000+AQ==", 15}, &scene.key) != NULL);
	made_log_free(scene.log);
}

TEST(verify_proof_refuses_what_is_none)
{
	static const char *const texts[] = {
		"",
		"{}",
		"{\"from\":1,\"to\":2}",
		"{\"from\":1,\"to\":2,\"hashes\":{}}",
		"{\"from\":1,\"to\":2,\"hashes\":[1]}",
		"{\"from\":1,\"to\":2,\"hashes\":[\"AA==\"]}",
		"{\"from\":1,\"from\":1,\"to\":2,\"hashes\":[]}",
		"{\"from\":\"1\",\"to\":2,\"hashes\":[]}",
		"{\"from\":1,\"to\":2,\"hashes\":[]} x",
		"{\"seq\":1,\"leaf_index\":0,\"tree_size\":1,\"hashes\":[],\"checkpoint\":\"\"}",
	};
	static const char spaced[] = "{ \"from\" : 1,\n\"more\":[],\"to\":2,\"hashes\":[ ] }\n";
	struct proof *proof = malloc(sizeof(*proof));
	static char many[16384] = "{\"from\":1,\"to\":2,\"hashes\":[";

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!proof_read(texts[i], strlen(texts[i]), proof))
			CHECK_FAIL("taken: %s", texts[i]);
	CHECK(!proof_read(spaced, strlen(spaced), proof));
	for (int i = 0; i <= TREE_PROOF_MAX; i++)
		sprintf(many + strlen(many), "%s\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"",
			i ? "," : "");
	strcat(many, "]}");
	CHECK(proof_read(many, strlen(many), proof) != NULL);
	free(proof);
}
