/* What clients write and what is written from records that hold what a sandbox chose: URLs of
 * webhooks, times, and audit lines as OCSF events, syslog messages and deliveries. The first byte
 * chooses. */
#include <stdlib.h>
#include <string.h>

#include "api/export/delivery.h"
#include "api/export/syslog-message.h"
#include "api/ocsf/ocsf.h"
#include "api/text/time.h"
#include "api/text/url.h"
#include "tests/fuzz/fuzz.h"

static void try_text(const char *bytes, size_t size)
{
	static const char host_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-.:";
	char *text = malloc(size + 1);
	struct url url;
	uint64_t ns = 0;

	BROKEN_IF(!text);
	memcpy(text, bytes, size);
	text[size] = '\0';
	if (time_parse(text, &ns) == 0)
		BROKEN_IF(strlen(text) < 20 || strlen(text) > 35);
	if (!url_parse(text, &url)) {
		BROKEN_IF(!url.host[0] || url.host[strspn(url.host, host_letters)]);
		BROKEN_IF(url.port == 0 || strpbrk(text, " @\\#\n") == text);
		BROKEN_IF(!url.is_address && strchr(url.host, ':'));
	}
	free(text);
}

/* The message stays one line, its structured data ends where it should, and nothing is lost. */
static void try_syslog(const char *line, size_t size)
{
	static const char begin[] = " [audit@32473 seq=\"";
	struct writer writer = {0};

	syslog_message_write(&writer, "host", line, size, false);
	BROKEN_IF(writer.failed || writer.size < size + 40);
	BROKEN_IF(size && memcmp(writer.bytes + writer.size - size, line, size) != 0);
	/* The type before it may have brackets of its own. */
	BROKEN_IF(!memmem(writer.bytes, writer.size - size, begin, strlen(begin)));
	for (const char *c = writer.bytes; c < writer.bytes + writer.size - size; c++)
		BROKEN_IF((unsigned char)*c < ' ' || *c == 0x7f);
	writer_fini(&writer);
}

static void try_record(const char *line, size_t size)
{
	json_t *event = ocsf_event_of_line(line, size);
	struct delivery delivery;
	json_int_t class;

	BROKEN_IF(!json_is_object(event) || !json_object_get(event, "metadata"));
	class = json_integer_value(json_object_get(event, "class_uid"));
	BROKEN_IF(json_integer_value(json_object_get(event, "type_uid")) !=
		  class * 100 + json_integer_value(json_object_get(event, "activity_id")));
	json_decref(event);
	if (!memchr(line, '\n', size))
		try_syslog(line, size);
	delivery_make(&delivery, 1, size % 2, line, size);
	delivery_fini(&delivery);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] == 't')
		try_text((const char *)data + 1, size - 1);
	else
		try_record((const char *)data + 1, size - 1);
	return 0;
}
