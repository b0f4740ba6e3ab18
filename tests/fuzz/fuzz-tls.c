/* Whatever a client sends: the answer does not depend on how the bytes are cut, and no hello is
 * released in which a plain second reader does not find the name. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "supervisor/inspect/tls.h"
#include "tests/fuzz/fuzz.h"

#define NAME "pypi.org"
#define HELLO_MAX 65536

struct outcome {
	enum inspect_verdict verdict;
	enum inspect_reason reason;
	size_t n_released;
};

/* Pieces of `n_piece` bytes; the verdict that ends it, if one does. */
static struct outcome feed(const uint8_t *data, size_t size, size_t n_piece)
{
	struct outcome outcome = {.verdict = INSPECT_GO_ON};
	struct inspect_tls tls;

	inspect_tls_init(&tls, NAME);
	for (size_t at = 0; at < size && outcome.verdict == INSPECT_GO_ON; at += n_piece) {
		size_t n = size - at < n_piece ? size - at : n_piece, release;

		outcome.verdict = inspect_tls_feed(&tls, data + at, n, &release);
		outcome.n_released += release;
		if (outcome.n_released > at + n)
			abort();
		if (outcome.verdict == INSPECT_GO_ON &&
			at + n - outcome.n_released >= INSPECT_HELD_MAX)
			abort();
	}
	outcome.reason = tls.reason;
	return outcome;
}

/* ---- the second reader: joins records, then walks the hello by offsets */

static size_t join(const uint8_t *data, size_t size, uint8_t *ret_hello)
{
	size_t n = 0;

	for (size_t at = 0; at + 5 <= size && data[at] == 22;) {
		size_t length = (size_t)data[at + 3] << 8 | data[at + 4];

		at += 5;
		if (length > size - at || n + length > HELLO_MAX)
			break;
		memcpy(ret_hello + n, data + at, length);
		n += length;
		at += length;
		if (n >= 4 &&
			n - 4 >= ((size_t)ret_hello[1] << 16 | ret_hello[2] << 8 | ret_hello[3]))
			break;
	}
	return n;
}

static size_t skip_vector(const uint8_t *hello, size_t n, size_t at, size_t n_length)
{
	size_t length = 0;

	if (at + n_length > n)
		return n;
	for (size_t i = 0; i < n_length; i++)
		length = length << 8 | hello[at + i];
	return at + n_length + length;
}

static int asks_for_name(const uint8_t *hello, size_t n)
{
	size_t at = 4 + 2 + 32;

	at = skip_vector(hello, n, at, 1);
	at = skip_vector(hello, n, at, 2);
	at = skip_vector(hello, n, at, 1) + 2;
	while (at + 4 <= n) {
		const uint8_t *extension = hello + at;
		size_t length = (size_t)extension[2] << 8 | extension[3];

		if (extension[0] == 0 && extension[1] == 0)
			return length == 5 + strlen(NAME) && at + 4 + length <= n &&
			       strncasecmp((const char *)extension + 9, NAME, strlen(NAME)) == 0;
		at += 4 + length;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t hello[HELLO_MAX];
	struct outcome whole = feed(data, size, size ? size : 1);
	const size_t pieces[] = {1, 1 + size % 7, 1 + size / 2};

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct outcome cut = feed(data, size, pieces[i]);

		if (cut.verdict != whole.verdict || cut.reason != whole.reason)
			abort();
		if (cut.verdict == INSPECT_GO_ON && cut.n_released != whole.n_released)
			abort();
	}
	if (whole.n_released > 0 && !asks_for_name(hello, join(data, size, hello)))
		abort();
	return 0;
}
