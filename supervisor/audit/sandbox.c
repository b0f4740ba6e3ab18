/* Beginnings and ends of the streams of sandboxes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/audit/segments/log-file.h"

static int begin(
	struct audit *audit, const char *type, const struct audit_subject *subject, json_t *body)
{
	struct stream *stream;
	int r = stream_begin(audit->streams, subject->sandbox, subject->tenant, &stream);

	if (r < 0) {
		json_decref(body);
		return r;
	}
	stream->living = true;
	r = audit_try_record(audit, type, subject, body);
	if (r < 0)
		stream_remove(audit->streams, stream);
	return r;
}

int audit_sandbox_begin(struct audit *audit, const struct audit_subject *subject, json_t *body)
{
	return begin(audit, "sandbox.create", subject, body);
}

int audit_sandbox_adopt(struct audit *audit, const struct audit_subject *subject)
{
	struct stream *stream = table_get(audit->streams, subject->sandbox);

	if (!stream)
		return begin(audit, "sandbox.adopt", subject, NULL);
	stream->living = true;
	return 0;
}

/* What the stream says of itself. All records before the end must be in the chain. */
static json_t *stream_claim(const struct stream *stream)
{
	char hex[SHA256_HEX_SIZE];

	sha256_to_hex(stream->head, hex);
	return json_pack("{s:I, s:s?}", "records", (json_int_t)stream->sequence, "head",
		stream->head_known ? hex : NULL);
}

void audit_sandbox_end(struct audit *audit, const struct audit_subject *subject, json_t *body)
{
	struct stream *stream = table_get(audit->streams, subject->sandbox);

	if (!stream) {
		audit_record(audit, "sandbox.end", subject, body);
		return;
	}
	audit_flush(audit);
	json_object_set_new(body, "audit", stream_claim(stream));
	snprintf(stream->reason, sizeof(stream->reason), "%s",
		json_string_value(json_object_get(body, "reason")));
	if (audit_try_record(audit, "sandbox.end", subject, body) == 0) {
		stream_remove(audit->streams, stream);
		return;
	}
	stream->ended = true;
	audit->n_ends_waiting++;
}

static int end_stream(struct audit *audit, struct stream *stream, const char *reason)
{
	const struct audit_subject subject = {.sandbox = stream->sandbox, .tenant = stream->tenant};
	int r;

	audit_flush(audit);
	stream->ended = false;
	r = audit_try_record(audit, "sandbox.end", &subject,
		json_pack("{s:s, s:o}", "reason", reason, "audit", stream_claim(stream)));
	if (r == 0)
		stream_remove(audit->streams, stream);
	return r;
}

void audit_end_streams(struct audit *audit)
{
	struct stream *stream;
	size_t position = 0;

	while (audit->n_ends_waiting > 0 && (stream = table_next(audit->streams, &position))) {
		if (!stream->ended)
			continue;
		if (end_stream(audit, stream, stream->reason) < 0) {
			stream->ended = true;
			return;
		}
		audit->n_ends_waiting--;
	}
}

void audit_sandbox_sweep(struct audit *audit)
{
	struct stream *stream;
	size_t position = 0;

	while ((stream = table_next(audit->streams, &position)))
		if (!stream->living && !stream->ended &&
			end_stream(audit, stream, "gone when cloched started") < 0) {
			snprintf(stream->reason, sizeof(stream->reason),
				"gone when cloched started");
			stream->ended = true;
			audit->n_ends_waiting++;
		}
}
