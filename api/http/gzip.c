#include "api/http/gzip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#define GZIP_FORMAT 16 /* added to the window's bits: gzip instead of zlib's own form */
#define LEVEL 4        /* audit lines repeat themselves: higher levels cost more than they gain */
#define BLOCK_BYTES 16384

struct gzip {
	z_stream stream;
};

static bool is_separator(char c)
{
	return c == ' ' || c == '\t' || c == ',' || c == ';' || c == '\0';
}

/* Whether `rest`, what follows a coding's name up to the comma, gives it a weight of 0. */
static bool weighs_nothing(const char *rest, const char *end)
{
	for (; rest < end; rest++) {
		if ((*rest != 'q' && *rest != 'Q') || rest + 2 >= end || rest[1] != '=')
			continue;
		rest += 2;
		while (rest < end && (*rest == '0' || *rest == '.'))
			rest++;
		return rest == end || is_separator(*rest);
	}
	return false;
}

bool gzip_is_accepted(const char *accept_encoding)
{
	const char *next = accept_encoding, *end;
	bool any = false;

	for (; next && *next; next = *end ? end + 1 : end) {
		size_t length;

		while (*next == ' ' || *next == '\t')
			next++;
		end = next + strcspn(next, ",");
		length = strcspn(next, " \t,;");
		if ((length == 4 && strncasecmp(next, "gzip", 4) == 0) ||
			(length == 6 && strncasecmp(next, "x-gzip", 6) == 0))
			return !weighs_nothing(next + length, end);
		if (length == 1 && *next == '*')
			any = !weighs_nothing(next + length, end);
	}
	return any;
}

int gzip_new(struct gzip **ret_gzip)
{
	struct gzip *gzip = calloc(1, sizeof(*gzip));

	if (!gzip)
		return -ENOMEM;
	if (deflateInit2(&gzip->stream, LEVEL, Z_DEFLATED, MAX_WBITS + GZIP_FORMAT,
		    MAX_MEM_LEVEL - 1, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(gzip);
		return -ENOMEM;
	}
	*ret_gzip = gzip;
	return 0;
}

struct gzip *gzip_free(struct gzip *gzip)
{
	if (gzip)
		deflateEnd(&gzip->stream);
	free(gzip);
	return NULL;
}

/* zlib says that it has more to give by filling all the room that it is given. */
void gzip_pack(struct gzip *gzip, struct writer *plain, struct writer *packed, bool last)
{
	z_stream *stream = &gzip->stream;

	if (plain->failed)
		packed->failed = true;
	if (plain->size == 0 && !last)
		return;
	stream->next_in = (Bytef *)plain->bytes;
	stream->avail_in = (uInt)plain->size;
	do {
		char *room = writer_reserve(packed, BLOCK_BYTES);

		if (!room)
			return;
		stream->next_out = (Bytef *)room;
		stream->avail_out = BLOCK_BYTES;
		if (deflate(stream, last ? Z_FINISH : Z_SYNC_FLUSH) == Z_STREAM_ERROR) {
			packed->failed = true;
			return;
		}
		packed->size += BLOCK_BYTES - stream->avail_out;
	} while (stream->avail_out == 0);
	plain->size = 0;
}
