/* Whatever stands in a line of a log: the scanner ends, and agrees with itself when the line is
 * cut, nested into another, or followed by something. */
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"
#include "tools/verify/log/record.h"

/* The line as a member of another record must be passed over as a whole. */
static void check_nested(const char *line, size_t size)
{
	static const char head[] = "{\"seq\":1,\"type\":\"x\",\"sandbox\":\"sb-0123456789abcdef\","
				   "\"inner\":";
	size_t used = sizeof(head) - 1;
	char *outer = malloc(used + size + 1);
	struct record record;

	memcpy(outer, head, used);
	memcpy(outer + used, line, size);
	outer[used + size] = '}';
	if (!record_read(outer, used + size + 1, &record) &&
		(record.sequence != 1 || strcmp(record.type, "x") != 0 ||
			record.sandbox != 0x0123456789abcdef))
		abort();
	free(outer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data;
	char text[256];
	struct record record;
	size_t used;

	if (record_read(line, size, &record)) {
		check_nested(line, size);
		return 0;
	}
	if (record.sequence == 0 || (record.sandbox_sequence && !record.has_sandbox))
		abort();
	if (!record_read(line, size - 1, &record))
		abort();
	check_nested(line, size);
	used = span_unescape((struct span){"\\u0041", 6}, text, sizeof(text));
	if (used != 1 || text[0] != 'A')
		abort();
	return 0;
}
