#include "api/export/delivery.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "api/ocsf/ocsf.h"
#include "api/text/base64.h"
#include "supervisor/digest/hmac.h"

static int put(const char *bytes, size_t size, void *userdata)
{
	writer_bytes(userdata, bytes, size);
	return 0;
}

static int write_ocsf(struct writer *writer, const char *line, size_t size)
{
	json_t *event = ocsf_event_of_line(line, size);
	int r = event ? json_dump_callback(event, put, writer, JSON_COMPACT) : -1;

	json_decref(event);
	writer_text(writer, "\n");
	return r < 0 ? -ENOMEM : 0;
}

static uint64_t sequence_of(const char *line, size_t size)
{
	json_t *record = json_loadb(line, size, 0, NULL);
	json_int_t sequence = json_integer_value(json_object_get(record, "seq"));

	json_decref(record);
	return sequence > 0 ? (uint64_t)sequence : 0;
}

/* Of a line that is a checkpoint and no record; else 0. */
static uint64_t checkpoint_number_of(const char *lines, size_t size)
{
	json_t *object = json_loadb(lines, size, 0, NULL);
	const char *type = json_string_value(json_object_get(object, "type"));
	json_int_t number = type && strcmp(type, "audit.checkpoint") == 0
				    ? json_integer_value(json_object_get(object, "number"))
				    : 0;

	json_decref(object);
	return number > 0 ? (uint64_t)number : 0;
}

int delivery_make(
	struct delivery *delivery, uint64_t sink, bool ocsf, const char *lines, size_t size)
{
	uint64_t first = 0, last = 0, number = checkpoint_number_of(lines, size);
	int r = 0;

	*delivery = (struct delivery){0};
	if (number && memchr(lines, '\n', size) != lines + size - 1)
		return -EPROTO;
	if (!ocsf || number)
		writer_bytes(&delivery->body, lines, size);
	if (number) {
		snprintf(delivery->id, sizeof(delivery->id),
			"wh-%016" PRIx64 "_checkpoint-%" PRIu64, sink, number);
		return delivery->body.failed ? -ENOMEM : 0;
	}
	while (size > 0 && r == 0) {
		const char *end = memchr(lines, '\n', size);
		size_t length = end ? (size_t)(end - lines) : 0;

		if (!end)
			return -EPROTO;
		if (!first)
			first = sequence_of(lines, length);
		if (length + 1 == size)
			last = sequence_of(lines, length);
		if (ocsf)
			r = write_ocsf(&delivery->body, lines, length);
		size -= length + 1;
		lines = end + 1;
	}
	if (delivery->body.failed)
		r = -ENOMEM;
	if (r == 0 && (!first || !last))
		r = -EPROTO;
	snprintf(delivery->id, sizeof(delivery->id), "wh-%016" PRIx64 "_%" PRIu64 "-%" PRIu64, sink,
		first, last);
	return r;
}

void delivery_fini(struct delivery *delivery)
{
	writer_fini(&delivery->body);
	*delivery = (struct delivery){0};
}

int delivery_sign(const struct delivery *delivery, const uint8_t *secret, size_t secret_size,
	uint64_t now_seconds, char ret_headers[3][DELIVERY_HEADER_SIZE])
{
	char head[DELIVERY_ID_SIZE + 24], signature[SHA256_BYTES * 2];
	uint8_t digest[SHA256_BYTES];
	const struct hmac_part parts[] = {
		{head, (size_t)snprintf(
			       head, sizeof(head), "%s.%" PRIu64 ".", delivery->id, now_seconds)},
		{delivery->body.bytes, delivery->body.size}};
	int r = hmac_sha256(secret, secret_size, parts, 2, digest);

	if (r < 0)
		return r;
	base64_encode(digest, sizeof(digest), signature);
	snprintf(ret_headers[0], DELIVERY_HEADER_SIZE, "webhook-id: %s", delivery->id);
	snprintf(ret_headers[1], DELIVERY_HEADER_SIZE, "webhook-timestamp: %" PRIu64, now_seconds);
	snprintf(ret_headers[2], DELIVERY_HEADER_SIZE, "webhook-signature: v1,%.*s",
		(int)base64_size(sizeof(digest)), signature);
	return 0;
}
