#include "api/v1/audit-lines.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "api/ocsf/ocsf.h"

static int put(const char *bytes, size_t size, void *userdata)
{
	writer_bytes(userdata, bytes, size);
	return 0;
}

static void write_ocsf(struct writer *writer, const char *line, size_t size)
{
	json_t *event = ocsf_event_of_line(line, size);

	if (!event || json_dump_callback(event, put, writer, JSON_COMPACT) < 0)
		writer->failed = true;
	json_decref(event);
}

static int write_id(struct writer *writer, const char *line, size_t size)
{
	json_t *record = json_loadb(line, size, 0, NULL);
	json_int_t sequence = json_integer_value(json_object_get(record, "seq"));

	json_decref(record);
	if (sequence <= 0)
		return -EPROTO;
	writer_print(writer, "id: %" PRIu64 "\ndata: ", (uint64_t)sequence);
	return 0;
}

static int write_line(struct writer *writer, struct audit_form form, const char *line, size_t size)
{
	if (form.sse && write_id(writer, line, size) < 0)
		return -EPROTO;
	if (form.ocsf)
		write_ocsf(writer, line, size);
	else
		writer_bytes(writer, line, size);
	writer_text(writer, form.sse ? "\n\n" : "\n");
	return 0;
}

int audit_lines_write(struct writer *writer, struct audit_form form, const char *lines, size_t size,
	uint32_t n_records)
{
	bool verbatim = !form.sse && !form.ocsf;
	uint32_t n_lines = 0;

	if (verbatim)
		writer_bytes(writer, lines, size);
	while (size > 0) {
		const char *end = memchr(lines, '\n', size);

		if (!end ||
			(!verbatim && write_line(writer, form, lines, (size_t)(end - lines)) < 0))
			return -EPROTO;
		n_lines++;
		size -= (size_t)(end + 1 - lines);
		lines = end + 1;
	}
	return n_lines == n_records ? 0 : -EPROTO;
}

void audit_lines_keep_alive(struct writer *writer, struct audit_form form)
{
	writer_text(writer, form.sse ? ":\n\n" : "\n");
}

const char *audit_lines_type(struct audit_form form)
{
	return form.sse ? "text/event-stream" : "application/x-ndjson";
}
