/* gzip: who takes it, and what comes out again. */
#include "api/http/gzip.h"
#include "tests/harness/check.h"

#include <stdlib.h>
#include <zlib.h>

TEST(asks_whether_the_client_takes_it)
{
	static const struct {
		const char *header;
		bool accepted;
	} rows[] = {{NULL, false}, {"", false}, {"gzip", true}, {"GZip", true}, {"x-gzip", true},
		{"deflate, gzip;q=0.5", true}, {"br;q=1.0, gzip;q=0.8, *;q=0.1", true},
		{"gzip;q=0", false}, {"gzip; q=0.000", false}, {"gzip;q=0.001", true}, {"*", true},
		{"*;q=0", false}, {"gzip;q=0, *", false}, {"*, gzip;q=0", false},
		{"identity", false}, {"notgzip, gzipped", false}, {",, ,gzip", true},
		{"gzip;q=", true}, {";;;", false}, {"deflate", false}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (gzip_is_accepted(rows[i].header) != rows[i].accepted)
			CHECK_FAIL("\"%s\"", rows[i].header);
}

struct unpacker {
	z_stream stream;
	char out[1 << 20];
};

static void unpack(struct unpacker *unpacker, struct writer *packed)
{
	unpacker->stream.next_in = (Bytef *)packed->bytes;
	unpacker->stream.avail_in = (uInt)packed->size;
	unpacker->stream.next_out = (Bytef *)unpacker->out;
	unpacker->stream.avail_out = sizeof(unpacker->out);
	CHECK(inflate(&unpacker->stream, Z_SYNC_FLUSH) >= 0);
	CHECK_INT(unpacker->stream.avail_in, 0);
	packed->size = 0;
}

TEST(each_piece_can_be_unpacked_when_it_comes)
{
	static struct unpacker unpacker;
	struct writer plain = {0}, packed = {0};
	static char piece[300000];
	struct gzip *gzip;

	CHECK_INT(inflateInit2(&unpacker.stream, 15 + 16), Z_OK);
	CHECK_INT(gzip_new(&gzip), 0);
	srand(1);
	for (size_t size = 1; size < sizeof(piece); size *= 3) {
		for (size_t i = 0; i < size; i++)
			piece[i] = (char)(i % 7 ? rand() : 'x');
		writer_bytes(&plain, piece, size);
		gzip_pack(gzip, &plain, &packed, false);
		CHECK_INT(plain.size, 0);
		unpack(&unpacker, &packed);
		CHECK_INT(sizeof(unpacker.out) - unpacker.stream.avail_out, size);
		CHECK(memcmp(unpacker.out, piece, size) == 0);
	}
	gzip_pack(gzip, &plain, &packed, false);
	CHECK_INT(packed.size, 0); /* nothing new, nothing sent */
	gzip_pack(gzip, &plain, &packed, true);
	CHECK(packed.size > 0);
	unpacker.stream.next_in = (Bytef *)packed.bytes;
	unpacker.stream.avail_in = (uInt)packed.size;
	CHECK_INT(inflate(&unpacker.stream, Z_FINISH), Z_STREAM_END);
	inflateEnd(&unpacker.stream);
	gzip_free(gzip);
	writer_fini(&plain);
	writer_fini(&packed);
}

TEST(a_failed_writer_stays_failed)
{
	struct writer plain = {.failed = true}, packed = {0};
	struct gzip *gzip;

	CHECK_INT(gzip_new(&gzip), 0);
	gzip_pack(gzip, &plain, &packed, true);
	CHECK(packed.failed);
	gzip_free(gzip);
	writer_fini(&packed);
}
