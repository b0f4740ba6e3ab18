/* URLs of webhooks: plain ones, and why others are refused. */
#include "api/text/url.h"
#include "tests/harness/check.h"

#include <stdio.h>

TEST(reads_plain_urls)
{
	static const struct {
		const char *text, *host;
		int port;
		bool secure, is_address;
	} rows[] = {
		{"https://hooks.example", "hooks.example", 443, true, false},
		{"http://hooks.example/a/b?c=d&e=%20", "hooks.example", 80, false, false},
		{"https://Hooks.EXAMPLE:8443/", "hooks.example", 8443, true, false},
		{"https://h?x=1", "h", 443, true, false},
		{"https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, true, false},
		{"https://a-b.0.c1/", "a-b.0.c1", 443, true, false},
		{"http://127.0.0.1:65535/x", "127.0.0.1", 65535, false, true},
		{"https://[2001:db8::1]/", "2001:db8::1", 443, true, true},
		{"https://[::1]:1/", "::1", 1, true, true},
		{"https://h/a@b:c[d]", "h", 443, true, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct url url = {0};
		const char *wrong = url_parse(rows[i].text, &url);

		if (wrong)
			CHECK_FAIL("%s %s", rows[i].text, wrong);
		CHECK_TEXT(url.host, rows[i].host);
		CHECK_INT(url.port, rows[i].port);
		CHECK_INT(url.secure, rows[i].secure);
		CHECK_INT(url.is_address, rows[i].is_address);
	}
}

TEST(refuses_what_two_readers_could_read_in_two_ways)
{
	static const struct {
		const char *text, *word;
	} rows[] = {
		{"", "https://"},
		{"hooks.example", "https://"},
		{"ftp://h/", "https://"},
		{"HTTPS://h/", "https://"},
		{"https:/h/", "https://"},
		{"https://", "host"},
		{"https:///x", "host"},
		{"https://:443/", "host"},
		{"https://u@h/", "user"},
		{"https://u:p@h/", "user"},
		{"https://h#@evil/", "fragment"},
		{"https://h\\@evil/", "character"},
		{"https://h/ x", "character"},
		{"https://h/\n", "character"},
		{"https://h/\x80", "character"},
		{"https://h\xc3\xa4/", "character"},
		{"https://h_x/", "host"},
		{"https://-h/", "host"},
		{"https://h-/", "host"},
		{"https://h./", "host"},
		{"https://.h/", "host"},
		{"https://a..b/", "host"},
		{"https://2130706433/", "host"},
		{"https://0x7f000001/", "host"},
		{"https://127.1/", "host"},
		{"https://0177.0.0.1/", "host"},
		{"https://256.0.0.1/", "host"},
		{"https://1.2.3.4.5/", "host"},
		{"https://a.0x1/", "host"},
		{"https://[127.0.0.1]/", "host"},
		{"https://[::1/", "host"},
		{"https://[::1%25lo]/", "host"},
		{"https://::1/", "host"},
		{"https://h:/", "port"},
		{"https://h:x/", "port"},
		{"https://h:0/", "port"},
		{"https://h:65536/", "port"},
		{"https://h:99999999999999999999/", "port"},
		{"https://h%2e/", "host"},
	};
	static char label[100] = "https://";

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct url url = {.port = 7};
		const char *wrong = url_parse(rows[i].text, &url);

		if (!wrong || !strstr(wrong, rows[i].word) || url.port != 7)
			CHECK_FAIL("%s: %s", rows[i].text, wrong ? wrong : "taken");
	}
	memset(label + 8, 'a', 64);
	CHECK(url_parse(label, &(struct url){0}) != NULL);
	label[8 + 63] = '\0';
	CHECK(url_parse(label, &(struct url){0}) == NULL);
}
