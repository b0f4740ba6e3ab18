/* What a webhook is sent, and that it is signed as others sign. */
#include "api/export/delivery.h"
#include "supervisor/digest/hmac.h"
#include "tests/harness/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void hex(const uint8_t digest[SHA256_BYTES], char ret_text[SHA256_HEX_SIZE])
{
	for (size_t i = 0; i < SHA256_BYTES; i++)
		snprintf(ret_text + 2 * i, 3, "%02x", digest[i]);
}

/* RFC 4231, cases 1, 2 and 6. */
TEST(hmac_gives_the_digests_of_rfc_4231)
{
	static uint8_t twenty[20], many[131];
	const struct {
		const void *key;
		size_t key_size;
		const char *text, *digest;
	} rows[] = {
		{twenty, 20, "Hi There",
			"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
		{"Jefe", 4, "what do ya want for nothing?",
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{many, 131, "Test Using Larger Than Block-Size Key - Hash Key First",
			"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	};

	memset(twenty, 0x0b, sizeof(twenty));
	memset(many, 0xaa, sizeof(many));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct hmac_part parts[] = {
			{rows[i].text, 3}, {rows[i].text + 3, strlen(rows[i].text) - 3}};
		uint8_t digest[SHA256_BYTES];
		char text[SHA256_HEX_SIZE];

		CHECK_INT(hmac_sha256(rows[i].key, rows[i].key_size, parts, 2, digest), 0);
		hex(digest, text);
		CHECK_TEXT(text, rows[i].digest);
	}
}

/* The vector that the libraries of Standard Webhooks are tested with. */
TEST(signs_as_standard_webhooks_has_it)
{
	static const uint8_t secret[] = {0x31, 0xf2, 0x90, 0xf6, 0xbf, 0x06, 0x29, 0x8a, 0xab, 0x4f,
		0x08, 0xd4, 0x3c, 0x3f, 0x08, 0x2c, 0xf6, 0x48, 0xa3, 0x62, 0xda, 0x2d, 0xa4, 0xb0};
	struct delivery delivery = {.id = "msg_p5jXN8AQM9LWM0D4loKWxJek"};
	char headers[3][DELIVERY_HEADER_SIZE];

	writer_text(&delivery.body, "{\"test\": 2432232314}");
	CHECK_INT(delivery_sign(&delivery, secret, sizeof(secret), 1614265330, headers), 0);
	CHECK_TEXT(headers[0], "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek");
	CHECK_TEXT(headers[1], "webhook-timestamp: 1614265330");
	CHECK_TEXT(
		headers[2], "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
	delivery_fini(&delivery);
}

TEST(names_a_batch_by_its_first_and_last_record)
{
	static const char lines[] =
		"{\"v\":1,\"seq\":7}\n{\"v\":1,\"seq\":8}\n{\"v\":1,\"seq\":9}\n";
	struct delivery delivery;

	CHECK_INT(delivery_make(&delivery, 0xab, false, lines, strlen(lines)), 0);
	CHECK_TEXT(delivery.id, "wh-00000000000000ab_7-9");
	CHECK_INT(delivery.body.size, strlen(lines));
	CHECK(memcmp(delivery.body.bytes, lines, strlen(lines)) == 0);
	delivery_fini(&delivery);
	CHECK_INT(delivery_make(&delivery, 0xab, true, lines, strlen(lines)), 0);
	CHECK_TEXT(delivery.id, "wh-00000000000000ab_7-9");
	writer_bytes(&delivery.body, "", 1);
	CHECK(strstr(delivery.body.bytes, "\"sequence\":8"));
	delivery_fini(&delivery);
}

TEST(names_a_checkpoint_by_its_number)
{
	static const char line[] =
		"{\"v\":1,\"type\":\"audit.checkpoint\",\"number\":12,\"note\":\"x\"}\n";
	struct delivery delivery;

	CHECK_INT(delivery_make(&delivery, 0xab, false, line, strlen(line)), 0);
	CHECK_TEXT(delivery.id, "wh-00000000000000ab_checkpoint-12");
	CHECK_INT(delivery.body.size, strlen(line));
	delivery_fini(&delivery);
}

TEST(refuses_what_are_no_lines)
{
	static const char *const rows[] = {"", "{\"seq\":1}", "{\"seq\":1}\n{\"seq\":2}", "x\n",
		"{\"seq\":-1}\n", "{\"type\":\"audit.checkpoint\",\"number\":0}\n",
		"{\"type\":\"audit.checkpoint\",\"number\":1}", "{\"type\":\"audit.checkpoint\"}\n",
		"{\"seq\":1}\nx\n"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct delivery delivery;

		CHECK_INT(delivery_make(&delivery, 1, false, rows[i], strlen(rows[i])), -EPROTO);
		delivery_fini(&delivery);
	}
}
