/* Which bytes are a character. */
#include "supervisor/base/utf8.h"
#include "tests/harness/check.h"

static size_t encode(uint32_t code_point, char bytes[UTF8_SEQUENCE_MAX])
{
	static const uint32_t lengths[] = {0x80, 0x800, 0x10000, 0x110000};
	static const unsigned char leads[] = {0, 0xc0, 0xe0, 0xf0};
	size_t n = 0;

	while (code_point >= lengths[n])
		n++;
	for (size_t i = n; i > 0; i--, code_point >>= 6)
		bytes[i] = (char)(0x80 | (code_point & 0x3f));
	bytes[0] = (char)(leads[n] | code_point);
	return n + 1;
}

TEST(each_code_point_is_read_and_no_surrogate)
{
	for (uint32_t wanted = 0; wanted < 0x110000; wanted++) {
		bool is_surrogate = wanted >= 0xd800 && wanted <= 0xdfff;
		char bytes[UTF8_SEQUENCE_MAX];
		size_t size = encode(wanted, bytes);
		uint32_t read = UINT32_MAX;

		CHECK_INT(utf8_decode(bytes, size, &read), is_surrogate ? 0 : size);
		CHECK_INT(read, is_surrogate ? UINT32_MAX : wanted);
		CHECK_INT(utf8_decode(bytes, size - 1, &read), 0);
	}
}

/* What is no character for the one is none for the other. */
TEST(three_bytes_are_read_as_they_are_valid)
{
	for (uint32_t all = 0x800000; all < 0x1000000; all += 7) {
		const char bytes[] = {(char)(all >> 16), (char)(all >> 8), (char)all};
		uint32_t read;
		size_t length = utf8_decode(bytes, sizeof(bytes), &read);

		CHECK(length == 0 ? !utf8_is_valid(bytes, 1) && !utf8_is_valid(bytes, 2) &&
					    !utf8_is_valid(bytes, 3)
				  : utf8_is_valid(bytes, length));
	}
}
