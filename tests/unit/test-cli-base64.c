#include "tools/cloche/base64.h"

#include <errno.h>
#include <stdlib.h>

#include "supervisor/base/cleanup.h"
#include "tests/harness/check.h"

/* RFC 4648, section 10 */
static const struct {
	const char *plain, *encoded;
} vectors[] = {
	{"", ""},
	{"f", "Zg=="},
	{"fo", "Zm8="},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg=="},
	{"fooba", "Zm9vYmE="},
	{"foobar", "Zm9vYmFy"},
};

TEST(base64_encodes_the_vectors_of_the_rfc)
{
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		_cleanup_free_ char *text =
			base64_encode(vectors[i].plain, strlen(vectors[i].plain));

		CHECK_TEXT(text, vectors[i].encoded);
	}
}

TEST(base64_decodes_the_vectors_of_the_rfc)
{
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		_cleanup_free_ void *data = NULL;
		size_t size = 99;

		CHECK_INT(
			base64_decode(vectors[i].encoded, strlen(vectors[i].encoded), &data, &size),
			0);
		CHECK_INT(size, strlen(vectors[i].plain));
		CHECK(memcmp(data, vectors[i].plain, size) == 0);
	}
}

TEST(base64_returns_every_byte_as_it_was)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ void *back = NULL;
	unsigned char bytes[256];
	size_t size = 0;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)i;
	text = base64_encode(bytes, sizeof(bytes));
	CHECK_INT(base64_decode(text, strlen(text), &back, &size), 0);
	CHECK_INT(size, sizeof(bytes));
	CHECK(memcmp(back, bytes, sizeof(bytes)) == 0);
}

TEST(base64_refuses_what_no_encoder_writes)
{
	static const char *const wrong[] = {
		"Z", "Zg", "Zg=", "Z===", "=Zg=", "Zm8*", "Zg==Zg==", "Zm9\n"};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		_cleanup_free_ void *data = NULL;
		size_t size;

		if (base64_decode(wrong[i], strlen(wrong[i]), &data, &size) != -EINVAL)
			CHECK_FAIL("\"%s\" was taken", wrong[i]);
	}
}
