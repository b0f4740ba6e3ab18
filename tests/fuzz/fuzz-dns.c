/* What a sandbox may send to the resolver, and what a resolver may send to us. The first byte
 * chooses which; the rest is the message. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "supervisor/resolve/answer.h"
#include "supervisor/resolve/question.h"
#include "supervisor/resolve/reply.h"
#include "tests/fuzz/fuzz.h"

#define PLACE_BYTES 65536

static void check_answer(const struct question *question, const uint8_t *message, size_t size)
{
	BROKEN_IF(size < 12 || size > ANSWER_SIZE_MAX || size > question->answer_size_max);
	BROKEN_IF(message[0] != question->id >> 8 || message[1] != (question->id & 0xff));
	BROKEN_IF(!(message[2] & 0x80));
	BROKEN_IF(question->has_name &&
		  memcmp(&message[12], question->wire, question->wire_size) != 0);
}

static void feed_question(const uint8_t *data, size_t size, bool over_tcp)
{
	static const struct abi_address address = {.bytes = {[10] = 0xff, 0xff, 198, 18, 1, 7}};
	static const char text[] = "not allowed by policy \"p\" of this sandbox; ask for a rule";
	uint8_t message[ANSWER_SIZE_MAX];
	struct question question;
	int r = question_parse(data, size, over_tcp, &question);

	if (r < 0)
		return;
	BROKEN_IF(strlen(question.name) >= QUESTION_NAME_SIZE);
	BROKEN_IF(r == 0 && (!question.has_name || question.class != 1 || question.opcode != 0));
	BROKEN_IF(question.answer_size_max < QUESTION_UDP_SIZE_MIN);
	if (r == 0 && answer_address(&question, &address, 5, message, &size) == 0)
		check_answer(&question, message, size);
	if (answer_refuse(&question, (uint16_t)r, ANSWER_BLOCKED, text, message, &size) == 0)
		check_answer(&question, message, size);
}

/* What passes to a sandbox can be asked for by the shortest question and the longest. */
static void check_records(const struct reply_records *records, uint16_t type)
{
	struct question question = {.type = type,
		.class = 1,
		.answer_size_max = 65535,
		.over_tcp = true,
		.edns = true,
		.has_name = true,
		.wire_size = 1};
	uint8_t message[ANSWER_SIZE_MAX];
	size_t size, at = 0;
	unsigned int n = 0;

	for (; at + 2 <= records->size; n++)
		at += 2u + (records->bytes[at] << 8 | records->bytes[at + 1]);
	BROKEN_IF(at != records->size || n != records->n || n == 0 || n > REPLY_RECORDS_MAX);
	if (answer_records(&question, records, 5, message, &size) < 0)
		return;
	check_answer(&question, message, size);
	BROKEN_IF((message[2] & 2) || (message[6] << 8 | message[7]) != records->n);
}

static void feed_reply(const uint8_t *data, size_t size, uint16_t type)
{
	static struct reply_records records;
	bool has_records = type != QUESTION_A && type != QUESTION_AAAA;
	struct reply_question question = {.name = "www.example.com",
		.type = type,
		.edns = true,
		.records = has_records ? &records : NULL};
	struct reply_answer answer;

	/* Otherwise one message in 65536 would be read. */
	if (size >= 2)
		question.id = (uint16_t)(data[0] << 8 | data[1]);
	if (reply_read(&question, data, size, &answer) != REPLY_ANSWER)
		return;
	BROKEN_IF(answer.n_addresses > REPLY_ADDRESSES_MAX);
	BROKEN_IF(!has_records && (answer.error == 0) != (answer.n_addresses > 0));
	BROKEN_IF(has_records && answer.error == 0 && records.n == 0);
	if (has_records && answer.error == 0)
		check_records(&records, type);
	BROKEN_IF(answer.ttl_seconds < REPLY_TTL_MIN_SECONDS ||
		  answer.ttl_seconds > REPLY_TTL_MAX_SECONDS);
}

/* The message right before a page that cannot be read: ldns is not built with sanitizers. */
static const uint8_t *place(const uint8_t *data, size_t size)
{
	static uint8_t *guard;

	if (!guard) {
		uint8_t *room = mmap(NULL, PLACE_BYTES + 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		BROKEN_IF(room == MAP_FAILED);
		guard = room + PLACE_BYTES;
		BROKEN_IF(mprotect(guard, 4096, PROT_NONE) < 0);
	}
	if (size > 0)
		memcpy(guard - size, data, size);
	return guard - size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[8] = {QUESTION_A, QUESTION_AAAA, QUESTION_TXT, QUESTION_MX,
		QUESTION_SRV, QUESTION_TXT, QUESTION_MX, QUESTION_SRV};
	const uint8_t *message;

	if (size == 0 || size - 1 > PLACE_BYTES)
		return 0;
	message = place(&data[1], size - 1);
	if (data[0] & 1)
		feed_reply(message, size - 1, types[data[0] >> 1 & 7]);
	else
		feed_question(message, size - 1, data[0] & 2);
	return 0;
}
