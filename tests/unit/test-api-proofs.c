/* api/v1/proofs.c: what becomes of cloched's answers, and which of them break the protocol. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "supervisor/wire/audit.h"
#include "tests/harness/api.h"
#include "tests/harness/check.h"

static struct api_exchange exchange;

static void reads(unsigned status, const char *body)
{
	struct response response;

	api_read(exchange.client, &response);
	if (response.status != status)
		CHECK_FAIL("%u %s", response.status, response.body);
	CHECK_TEXT(response.body, body);
	api_response_fini(&response);
}

static void refuses(const char *path, const char *detail)
{
	struct response response;

	api_request(exchange.client, "GET", path, "", NULL);
	api_read(exchange.client, &response);
	CHECK_INT(response.status, 400);
	if (!strstr(response.body, detail))
		CHECK_FAIL("%s: %s", path, response.body);
	api_response_fini(&response);
}

TEST(a_checkpoint_goes_out_as_it_is)
{
	static const char note[] = "log\n3\nroot\n\n\xe2\x80\x94 log AAAA\n";
	const struct wire_page page = {.n_rows = 1};

	api_exchange_begin(&exchange);
	api_request(exchange.client, "GET", "/v1/audit/checkpoint", "", NULL);
	api_expect(&exchange.api, &exchange.question, WIRE_API_AUDIT_CHECKPOINT,
		sizeof(struct wire_caller));
	api_answer(&exchange.api, &exchange.question, WIRE_API_AUDIT_NOTE, &page, sizeof(page),
		note, strlen(note), NULL, 0);
	reads(200, note);
	api_exchange_end(&exchange);
}

static void answers_key(uint32_t epoch, const char *certificate, uint64_t next)
{
	const struct wire_page page = {.n_rows = 1, .next_cursor = next};
	struct wire_audit_key_row row = {.epoch = epoch, .key = "log+0+A"};

	snprintf(row.certificate, sizeof(row.certificate), "%s", certificate);
	api_answer(&exchange.api, &exchange.question, WIRE_API_AUDIT_KEYS_REPLY, &page,
		sizeof(page), &row, sizeof(row), NULL, 0);
}

TEST(keys_are_asked_for_until_there_are_no_more)
{
	const struct wire_audit_keys_query *query;

	api_exchange_begin(&exchange);
	api_request(exchange.client, "GET", "/v1/audit/keys", "", NULL);
	query = api_expect(&exchange.api, &exchange.question, WIRE_API_AUDIT_KEYS, sizeof(*query));
	CHECK_INT(query->cursor, 0);
	answers_key(1, "", 2);
	query = api_expect(&exchange.api, &exchange.question, WIRE_API_AUDIT_KEYS, sizeof(*query));
	CHECK_INT(query->cursor, 2);
	answers_key(2, "a\n\xe2\x80\x94 b\n", 0);
	reads(200, "{\"keys\":[{\"epoch\":1,\"key\":\"log+0+A\"},{\"epoch\":2,\"key\":\"log+0+A\","
		   "\"certificate\":\"a\\n\xe2\x80\x94 b\\n\"}]}");
	api_exchange_end(&exchange);
}

TEST(a_proof_of_a_record_has_the_record_and_its_checkpoint)
{
	const struct wire_audit_proof_query *query;
	const struct wire_audit_proof proof = {.sequence = 5,
		.size = 9,
		.n_hashes = 2,
		.note_size = 3,
		.record_size = 9,
		.hashes = {{1}, {2}}};

	api_exchange_begin(&exchange);
	api_request(exchange.client, "GET", "/v1/audit/proof?seq=5&size=9", "", NULL);
	query = api_expect(&exchange.api, &exchange.question, WIRE_API_AUDIT_PROOF, sizeof(*query));
	CHECK_INT(query->sequence, 5);
	CHECK_INT(query->size, 9);
	api_answer(&exchange.api, &exchange.question, WIRE_API_AUDIT_PROOF_REPLY, &proof,
		sizeof(proof), "n\nt{\"a\":\"b\"}", 12, NULL, 0);
	reads(200, "{\"seq\":5,\"leaf_index\":4,\"tree_size\":9,"
		   "\"leaf_hash\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\"hashes\":["
		   "\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\","
		   "\"AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"],"
		   "\"checkpoint\":\"n\\nt\",\"record\":\"{\\\"a\\\":\\\"b\\\"}\"}");
	api_exchange_end(&exchange);
}

TEST(a_proof_of_growth_has_its_hashes_alone)
{
	const struct wire_audit_proof_query *query;
	const struct wire_audit_proof proof = {.from = 4, .size = 9};

	api_exchange_begin(&exchange);
	api_request(exchange.client, "GET", "/v1/audit/consistency?from=4&to=9", "", NULL);
	query = api_expect(&exchange.api, &exchange.question, WIRE_API_AUDIT_PROOF, sizeof(*query));
	CHECK_INT(query->sequence, 0);
	CHECK_INT(query->from, 4);
	CHECK_INT(query->size, 9);
	api_answer(&exchange.api, &exchange.question, WIRE_API_AUDIT_PROOF_REPLY, &proof,
		sizeof(proof), NULL, 0, NULL, 0);
	reads(200, "{\"from\":4,\"to\":9,\"hashes\":[]}");
	api_exchange_end(&exchange);
}

TEST(proofs_need_their_numbers)
{
	api_exchange_begin(&exchange);
	refuses("/v1/audit/proof", "\\\"seq\\\" is needed");
	refuses("/v1/audit/proof?seq=0", "seq");
	refuses("/v1/audit/proof?seq=1&more=2", "more");
	refuses("/v1/audit/consistency?from=1", "are needed");
	refuses("/v1/audit/checkpoint?a=b", "a");
	api_exchange_end(&exchange);
}

/* Each is an answer that cloched never gives. */
TEST(a_proof_that_contradicts_itself_ends_the_process)
{
	static const struct wire_audit_proof proofs[] = {
		{.sequence = 5, .size = 9, .n_hashes = WIRE_PROOF_HASHES_MAX + 1},
		{.sequence = 5, .size = 9, .note_size = 1},
		{.sequence = 5, .size = 9, .note_size = UINT32_MAX, .record_size = 1},
	};

	for (size_t i = 0; i < sizeof(proofs) / sizeof(proofs[0]); i++) {
		api_exchange_begin(&exchange);
		api_request(exchange.client, "GET", "/v1/audit/proof?seq=5", "", NULL);
		api_expect(&exchange.api, &exchange.question, WIRE_API_AUDIT_PROOF,
			sizeof(struct wire_audit_proof_query));
		api_answer(&exchange.api, &exchange.question, WIRE_API_AUDIT_PROOF_REPLY,
			&proofs[i], sizeof(proofs[i]), NULL, 0, NULL, 0);
		close(exchange.client);
		CHECK(api_stop(&exchange.api) != 0);
	}
}
