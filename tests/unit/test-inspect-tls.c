/* Server names in ClientHellos: recorded ones in any pieces, made ones with one thing changed. */
#include <stdlib.h>
#include <string.h>

#include "supervisor/inspect/tls.h"
#include "tests/harness/check.h"
#include "tests/harness/client-hellos.h"

#define STREAM_SIZE 200000

struct stream {
	size_t n;
	uint8_t bytes[STREAM_SIZE];
};

static struct stream stream; /* what the client sends */
static struct inspect_tls tls;
static size_t n_released;

static void put(const void *bytes, size_t n)
{
	CHECK(stream.n + n <= STREAM_SIZE);
	memcpy(stream.bytes + stream.n, bytes, n);
	stream.n += n;
}

static void put_record(uint8_t type, const void *bytes, size_t n)
{
	const uint8_t header[5] = {type, 3, 1, (uint8_t)(n >> 8), (uint8_t)n};

	put(header, sizeof(header));
	put(bytes, n);
}

/* Feeds what is from `begin` to `end`; returns the last verdict and adds up `n_released`. */
static enum inspect_verdict feed(size_t begin, size_t end)
{
	size_t release;
	enum inspect_verdict verdict =
		inspect_tls_feed(&tls, stream.bytes + begin, end - begin, &release);

	n_released += release;
	CHECK(n_released <= end);
	if (verdict == INSPECT_REFUSE)
		CHECK_INT(release, 0);
	if (verdict == INSPECT_DONE)
		CHECK_INT(n_released, end);
	return verdict;
}

static void restart(const char *name)
{
	inspect_tls_init(&tls, name);
	n_released = 0;
}

static enum inspect_verdict feed_all(const char *name)
{
	restart(name);
	return feed(0, stream.n);
}

static enum inspect_verdict feed_split(const char *name, size_t at)
{
	enum inspect_verdict verdict;

	restart(name);
	verdict = feed(0, at);
	return verdict == INSPECT_GO_ON ? feed(at, stream.n) : verdict;
}

static enum inspect_verdict feed_single(const char *name)
{
	enum inspect_verdict verdict = INSPECT_GO_ON;

	restart(name);
	for (size_t i = 0; i < stream.n && verdict == INSPECT_GO_ON; i++)
		verdict = feed(i, i + 1);
	return verdict;
}

static void expect_everywhere(
	const char *name, enum inspect_verdict verdict, enum inspect_reason reason)
{
	for (size_t at = 0; at <= stream.n; at++) {
		CHECK_INT(feed_split(name, at), verdict);
		CHECK_INT(tls.reason, reason);
	}
	CHECK_INT(feed_single(name), verdict);
	CHECK_INT(tls.reason, reason);
}

static const struct {
	const uint8_t *bytes;
	size_t n;
	enum inspect_verdict verdict; /* TLS 1.2 alone: nothing can follow */
} RECORDED[] = {
	{HELLO_OPENSSL_1_3, sizeof(HELLO_OPENSSL_1_3), INSPECT_GO_ON},
	{HELLO_OPENSSL_1_2, sizeof(HELLO_OPENSSL_1_2), INSPECT_DONE},
	{HELLO_CURL, sizeof(HELLO_CURL), INSPECT_GO_ON},
	{HELLO_PYTHON, sizeof(HELLO_PYTHON), INSPECT_GO_ON},
	{HELLO_NODE, sizeof(HELLO_NODE), INSPECT_GO_ON},
	{HELLO_OPENSSL_RETRY, sizeof(HELLO_OPENSSL_RETRY), INSPECT_DONE},
	{HELLO_OPENSSL_1_2_FULL, sizeof(HELLO_OPENSSL_1_2_FULL), INSPECT_DONE},
};

#define N_RECORDED (sizeof(RECORDED) / sizeof(RECORDED[0]))

TEST(tls_lets_recorded_hellos_through_however_they_are_cut)
{
	for (size_t i = 0; i < N_RECORDED; i++) {
		stream.n = 0;
		put(RECORDED[i].bytes, RECORDED[i].n);
		for (size_t at = 0; at <= stream.n; at++) {
			enum inspect_verdict verdict = feed_split("pypi.org", at);

			if (verdict != RECORDED[i].verdict && n_released != at)
				CHECK_FAIL("stream %zu cut at %zu: %d", i, at, (int)verdict);
			CHECK(verdict != INSPECT_REFUSE);
			CHECK(n_released > 0);
		}
		CHECK_INT(feed_single("pypi.org"), RECORDED[i].verdict);
	}
}

TEST(tls_denies_recorded_hellos_on_a_connection_for_another_name)
{
	for (size_t i = 0; i < N_RECORDED; i++) {
		stream.n = 0;
		put(RECORDED[i].bytes, RECORDED[i].n);
		expect_everywhere("pypi.com", INSPECT_REFUSE, INSPECT_OTHER_NAME);
		CHECK_INT(n_released, 0);
		CHECK_INT(tls.n_said, 8);
		CHECK(memcmp(tls.said, "pypi.org", 8) == 0);
	}
}

TEST(tls_denies_a_recorded_hello_without_name)
{
	stream.n = 0;
	put(HELLO_OPENSSL_NAMELESS, sizeof(HELLO_OPENSSL_NAMELESS));
	expect_everywhere("pypi.org", INSPECT_REFUSE, INSPECT_NO_NAME);
	CHECK_INT(n_released, 0);
}

TEST(tls_releases_nothing_before_the_last_byte_of_the_hello)
{
	stream.n = 0;
	put(HELLO_CURL, sizeof(HELLO_CURL));
	for (size_t at = 0; at < stream.n; at++) {
		restart("pypi.org");
		CHECK_INT(feed(0, at), INSPECT_GO_ON);
		CHECK_INT(n_released, 0);
		CHECK_INT(feed(at, stream.n), INSPECT_GO_ON);
		CHECK_INT(n_released, stream.n);
	}
}

TEST(tls_joins_a_hello_out_of_records_of_any_size)
{
	const size_t sizes[] = {1, 2, 3, 5, 7, 60, 500};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		stream.n = 0;
		for (size_t at = 5; at < sizeof(HELLO_NODE); at += sizes[i]) {
			size_t left = sizeof(HELLO_NODE) - at;

			put_record(22, HELLO_NODE + at, left < sizes[i] ? left : sizes[i]);
		}
		expect_everywhere("pypi.org", INSPECT_GO_ON, INSPECT_FINE);
		CHECK_INT(n_released, stream.n);
		expect_everywhere("pypi.net", INSPECT_REFUSE, INSPECT_OTHER_NAME);
	}
}

/* ---- made hellos */

#define EXT_PYPI "\x00\x00\x00\x0d\x00\x0b\x00\x00\x08pypi.org"
#define EXT_EVIL                                                                                   \
	"\x00\x00\x00\x0d\x00\x0b\x00\x00\x08"                                                     \
	"evil.org"
#define EXT_1_3 "\x00\x2b\x00\x03\x02\x03\x04"
#define EXT_EARLY "\x00\x2a\x00\x00"
#define EXT_GREASE "\x3a\x3a\x00\x01\x00"
#define EXT_ECH "\xfe\x0d\x00\x06\x00\x00\x01\x00\x01\x2a"

/* How long a hello's session id and odd cipher suite are, besides what it always has. */
static uint8_t n_session, n_suite;

static size_t make_hello(uint8_t *ret_bytes, const void *extensions, size_t n_extensions)
{
	const uint8_t suites[] = {0x2a, 0x2a, 0x13, 0x01}; /* with GREASE, RFC 8701 */
	const uint8_t compressions[] = {1, 0};
	size_t n_body = 2 + 32 + 1 + n_session + 2 + sizeof(suites) + n_suite +
			sizeof(compressions) + 2 + n_extensions;
	size_t n = 0;

	ret_bytes[n++] = 1;
	ret_bytes[n++] = (uint8_t)(n_body >> 16);
	ret_bytes[n++] = (uint8_t)(n_body >> 8);
	ret_bytes[n++] = (uint8_t)n_body;
	ret_bytes[n++] = 3;
	ret_bytes[n++] = 3;
	memset(ret_bytes + n, 0x55, 32);
	n += 32;
	ret_bytes[n++] = n_session;
	memset(ret_bytes + n, 0x66, n_session);
	n += n_session;
	ret_bytes[n++] = 0;
	ret_bytes[n++] = (uint8_t)(sizeof(suites) + n_suite);
	memcpy(ret_bytes + n, suites, sizeof(suites));
	n += sizeof(suites);
	memset(ret_bytes + n, 0, n_suite);
	n += n_suite;
	memcpy(ret_bytes + n, compressions, sizeof(compressions));
	n += sizeof(compressions);
	ret_bytes[n++] = (uint8_t)(n_extensions >> 8);
	ret_bytes[n++] = (uint8_t)n_extensions;
	memcpy(ret_bytes + n, extensions, n_extensions);
	return n + n_extensions;
}

static void put_hello(const void *extensions, size_t n_extensions)
{
	uint8_t hello[2000];

	put_record(22, hello, make_hello(hello, extensions, n_extensions));
}

#define PUT_HELLO(text) put_hello(text, sizeof(text) - 1)
#define ROW(text, verdict, reason)                                                                 \
	{                                                                                          \
		text, sizeof(text) - 1, verdict, reason                                            \
	}

static const struct {
	const char *extensions;
	size_t n;
	enum inspect_verdict verdict;
	enum inspect_reason reason;
} MADE[] = {
	ROW(EXT_PYPI, INSPECT_DONE, INSPECT_FINE),
	ROW(EXT_GREASE EXT_PYPI EXT_GREASE, INSPECT_DONE, INSPECT_FINE),
	ROW(EXT_1_3 EXT_PYPI, INSPECT_GO_ON, INSPECT_FINE),
	ROW("\x00\x00\x00\x0d\x00\x0b\x00\x00\x08PyPI.ORG", INSPECT_DONE, INSPECT_FINE),
	/* the outer name is the one that counts */
	ROW(EXT_ECH EXT_PYPI, INSPECT_DONE, INSPECT_FINE),
	ROW(EXT_ECH EXT_EVIL, INSPECT_REFUSE, INSPECT_OTHER_NAME),
	ROW(EXT_ECH, INSPECT_REFUSE, INSPECT_NO_NAME),
	/* no extensions, or others only */
	ROW("", INSPECT_REFUSE, INSPECT_NO_NAME),
	ROW(EXT_GREASE, INSPECT_REFUSE, INSPECT_NO_NAME),
	/* twice the extension; two names in one; a type that is none */
	ROW(EXT_PYPI EXT_PYPI, INSPECT_REFUSE, INSPECT_TLS_BROKEN),
	ROW("\x00\x00\x00\x0f\x00\x0d\x00\x00\x08pypi.org\x00\x00", INSPECT_REFUSE,
		INSPECT_TLS_BROKEN),
	ROW("\x00\x00\x00\x0d\x00\x0b\x01\x00\x08pypi.org", INSPECT_REFUSE, INSPECT_TLS_BROKEN),
	/* lengths that do not fit each other */
	ROW("\x00\x00\x00\x0d\x00\x0c\x00\x00\x08pypi.org", INSPECT_REFUSE, INSPECT_TLS_BROKEN),
	ROW("\x00\x00\x00\x0d\x00\x0b\x00\x00\x07pypi.org", INSPECT_REFUSE, INSPECT_TLS_BROKEN),
	ROW("\x00\x00\x00\x0e\x00\x0b\x00\x00\x08pypi.org", INSPECT_REFUSE, INSPECT_TLS_BROKEN),
	ROW("\x00\x00\x00\x0c\x00\x0b\x00\x00\x08pypi.org", INSPECT_REFUSE, INSPECT_TLS_BROKEN),
	ROW("\x00\x00\x00\x00", INSPECT_REFUSE, INSPECT_TLS_BROKEN),
	ROW("\x00\x00\x00\x01\x00", INSPECT_REFUSE, INSPECT_TLS_BROKEN),
	ROW("\x00\x00\x00\x05\x00\x03\x00\x00\x00", INSPECT_REFUSE, INSPECT_TLS_BROKEN),
	ROW(EXT_PYPI "\x3a", INSPECT_REFUSE, INSPECT_TLS_BROKEN),
	/* names that are none */
	ROW("\x00\x00\x00\x0e\x00\x0c\x00\x00\x09pypi.org.", INSPECT_REFUSE, INSPECT_BAD_NAME),
	ROW("\x00\x00\x00\x0e\x00\x0c\x00\x00\x09pypi.org\0", INSPECT_REFUSE, INSPECT_BAD_NAME),
	ROW("\x00\x00\x00\x0d\x00\x0b\x00\x00\x08pypi..or", INSPECT_REFUSE, INSPECT_BAD_NAME),
	ROW("\x00\x00\x00\x0d\x00\x0b\x00\x00\x08pypi org", INSPECT_REFUSE, INSPECT_BAD_NAME),
};

TEST(tls_judges_made_hellos)
{
	for (size_t i = 0; i < sizeof(MADE) / sizeof(MADE[0]); i++) {
		stream.n = 0;
		put_hello(MADE[i].extensions, MADE[i].n);
		if (feed_all("pypi.org") != MADE[i].verdict || tls.reason != MADE[i].reason)
			CHECK_FAIL("row %zu: reason %d", i, (int)tls.reason);
		expect_everywhere("pypi.org", MADE[i].verdict, MADE[i].reason);
	}
}

TEST(tls_knows_the_sizes_of_session_ids_and_cipher_suites)
{
	static const struct {
		uint8_t n_session, n_suite;
		enum inspect_verdict verdict;
	} rows[] = {
		{32, 0, INSPECT_DONE},
		{33, 0, INSPECT_REFUSE},
		{0, 2, INSPECT_DONE},
		{0, 1, INSPECT_REFUSE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		n_session = rows[i].n_session;
		n_suite = rows[i].n_suite;
		stream.n = 0;
		PUT_HELLO(EXT_PYPI);
		n_session = n_suite = 0;
		if (feed_all("pypi.org") != rows[i].verdict)
			CHECK_FAIL("row %zu", i);
	}
}

TEST(tls_notes_an_encrypted_hello)
{
	stream.n = 0;
	PUT_HELLO(EXT_ECH EXT_PYPI);
	CHECK_INT(feed_all("pypi.org"), INSPECT_DONE);
	CHECK(tls.has_ech);
	stream.n = 0;
	PUT_HELLO(EXT_PYPI);
	CHECK_INT(feed_all("pypi.org"), INSPECT_DONE);
	CHECK(!tls.has_ech);
}

/* One byte of a good hello changed; offsets count from the record's first byte. */
static const struct {
	size_t at;
	uint8_t value;
	enum inspect_reason reason;
} CHANGED[] = {
	{0, 0x80, INSPECT_NEITHER},                                /* SSL 2 */
	{0, 23, INSPECT_NEITHER},                                  /* data first */
	{0, 21, INSPECT_NEITHER},                                  /* an alert first */
	{1, 2, INSPECT_TLS_BROKEN},                                /* version of the record */
	{2, 0, INSPECT_TLS_BROKEN},                                /* SSL 3 */
	{2, 4, INSPECT_TLS_BROKEN},                                /* no record says 1.3 */
	{3, 0x41, INSPECT_TLS_BROKEN},                             /* longer than 16384 */
	{5, 2, INSPECT_TLS_BROKEN},                                /* ServerHello */
	{6, 2, INSPECT_TOO_LONG},                                  /* of 128 KiB */
	{8, 1, INSPECT_TLS_BROKEN},                                /* shorter than what is in it */
	{9, 2, INSPECT_TLS_BROKEN},                                /* version of the hello */
	{10, 4, INSPECT_TLS_BROKEN}, {43, 33, INSPECT_TLS_BROKEN}, /* session id longer than 32 */
	{45, 3, INSPECT_TLS_BROKEN}, /* odd number of bytes of cipher suites */
	{45, 0, INSPECT_TLS_BROKEN}, {44, 0xff, INSPECT_TLS_BROKEN}, /* more suites than message */
	{50, 0, INSPECT_TLS_BROKEN},                                 /* no compression method */
	{52, 1, INSPECT_TLS_BROKEN}, /* more extensions than message */
	{53, 0, INSPECT_TLS_BROKEN}, /* fewer extensions than message */
};

TEST(tls_denies_a_hello_with_one_byte_changed)
{
	for (size_t i = 0; i < sizeof(CHANGED) / sizeof(CHANGED[0]); i++) {
		stream.n = 0;
		PUT_HELLO(EXT_1_3 EXT_PYPI);
		CHECK_INT(feed_all("pypi.org"), INSPECT_GO_ON);
		stream.bytes[CHANGED[i].at] = CHANGED[i].value;
		if (feed_all("pypi.org") != INSPECT_REFUSE || tls.reason != CHANGED[i].reason)
			CHECK_FAIL("row %zu: reason %d", i, (int)tls.reason);
		expect_everywhere("pypi.org", INSPECT_REFUSE, CHANGED[i].reason);
	}
}

TEST(tls_denies_more_in_the_record_than_the_hello)
{
	uint8_t hello[2000];
	size_t n = make_hello(hello, EXT_PYPI, sizeof(EXT_PYPI) - 1);

	stream.n = 0;
	put_record(22, hello, n);
	CHECK_INT(feed_all("pypi.org"), INSPECT_DONE);
	stream.n = 0;
	hello[n] = 1;
	put_record(22, hello, n + 1);
	CHECK_INT(feed_all("pypi.org"), INSPECT_REFUSE);
	CHECK_INT(tls.reason, INSPECT_TLS_BROKEN);
}

TEST(tls_denies_other_records_inside_of_a_hello)
{
	uint8_t hello[2000];
	size_t n = make_hello(hello, EXT_PYPI, sizeof(EXT_PYPI) - 1);

	for (uint8_t type = 20; type <= 23; type++) {
		stream.n = 0;
		put_record(22, hello, 30);
		put_record(type, hello + 30, n - 30);
		CHECK_INT(feed_all("pypi.org"), type == 22 ? INSPECT_DONE : INSPECT_REFUSE);
	}
	stream.n = 0;
	put_record(22, hello, 0);
	CHECK_INT(feed_all("pypi.org"), INSPECT_REFUSE);
}

/* A made hello whose padding (RFC 7685) makes its message `n` bytes long, in records of 16 KiB. */
static void put_padded(size_t n)
{
	uint8_t *hello = calloc(1, n + 100);
	uint8_t *extensions = calloc(1, n);
	size_t n_fixed = sizeof(EXT_PYPI) - 1, n_padding = n - 4 - 45 - n_fixed - 4, made;

	CHECK(hello && extensions);
	memcpy(extensions, EXT_PYPI, n_fixed);
	extensions[n_fixed + 1] = 21;
	extensions[n_fixed + 2] = (uint8_t)(n_padding >> 8);
	extensions[n_fixed + 3] = (uint8_t)n_padding;
	made = make_hello(hello, extensions, n_fixed + 4 + n_padding);
	CHECK_INT(made, n);
	stream.n = 0;
	for (size_t at = 0; at < n; at += 16384)
		put_record(22, hello + at, n - at < 16384 ? n - at : 16384);
	free(extensions);
	free(hello);
}

TEST(tls_takes_long_hellos_up_to_a_limit)
{
	put_padded(INSPECT_HELD_MAX - 100);
	CHECK_INT(feed_all("pypi.org"), INSPECT_DONE);
	CHECK_INT(feed_single("pypi.org"), INSPECT_DONE);
	CHECK_INT(n_released, stream.n);
	put_padded(INSPECT_HELD_MAX - 10);
	CHECK_INT(feed_all("pypi.org"), INSPECT_REFUSE);
	CHECK_INT(tls.reason, INSPECT_TOO_LONG);
}

/* ---- what follows a hello */

TEST(tls_checks_the_name_of_a_second_hello)
{
	for (int other = 0; other < 2; other++) {
		stream.n = 0;
		PUT_HELLO(EXT_1_3 EXT_PYPI);
		put_record(20, "\x01", 1);
		if (other)
			PUT_HELLO(EXT_1_3 EXT_EVIL);
		else
			PUT_HELLO(EXT_1_3 EXT_PYPI);
		expect_everywhere("pypi.org", other ? INSPECT_REFUSE : INSPECT_GO_ON,
			other ? INSPECT_OTHER_NAME : INSPECT_FINE);
	}
	stream.n = 0;
	PUT_HELLO(EXT_1_3 EXT_PYPI);
	PUT_HELLO(EXT_1_3);
	expect_everywhere("pypi.org", INSPECT_REFUSE, INSPECT_NO_NAME);
}

TEST(tls_holds_a_second_hello_until_it_is_judged)
{
	size_t n_first;

	stream.n = 0;
	PUT_HELLO(EXT_1_3 EXT_PYPI);
	n_first = stream.n;
	PUT_HELLO(EXT_1_3 EXT_PYPI);
	for (size_t at = n_first; at < stream.n; at++) {
		restart("pypi.org");
		CHECK_INT(feed(0, at), INSPECT_GO_ON);
		CHECK_INT(n_released, n_first);
	}
}

TEST(tls_stops_looking_when_no_hello_can_follow)
{
	stream.n = 0;
	PUT_HELLO(EXT_1_3 EXT_PYPI);
	put_record(20, "\x01", 1);
	CHECK_INT(feed_all("pypi.org"), INSPECT_GO_ON);
	put_record(23, "opaque", 6);
	CHECK_INT(feed_all("pypi.org"), INSPECT_DONE);
	CHECK_INT(n_released, stream.n);
}

TEST(tls_looks_on_after_early_data)
{
	stream.n = 0;
	PUT_HELLO(EXT_1_3 EXT_EARLY EXT_PYPI);
	put_record(23, "early data", 10);
	expect_everywhere("pypi.org", INSPECT_GO_ON, INSPECT_FINE);
	CHECK_INT(n_released, stream.n);
	PUT_HELLO(EXT_1_3 EXT_EVIL);
	expect_everywhere("pypi.org", INSPECT_REFUSE, INSPECT_OTHER_NAME);
}

TEST(tls_denies_what_is_no_record_after_a_hello)
{
	stream.n = 0;
	PUT_HELLO(EXT_1_3 EXT_PYPI);
	put("GET / HTTP/1.1\r\n\r\n", 18);
	expect_everywhere("pypi.org", INSPECT_REFUSE, INSPECT_TLS_BROKEN);
	for (uint8_t type = 19; type <= 24; type++) {
		stream.n = 0;
		PUT_HELLO(EXT_1_3 EXT_PYPI);
		put_record(type, "xyz", 3);
		CHECK_INT(feed_all("pypi.org") == INSPECT_REFUSE, type == 19 || type == 24);
	}
}
