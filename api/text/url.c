#include "api/text/url.h"

#include <arpa/inet.h>
#include <string.h>

#define LABEL_MAX 63

static const char *take_scheme(const char *text, bool *ret_secure)
{
	*ret_secure = strncmp(text, "https://", 8) == 0;
	if (*ret_secure)
		return text + 8;
	return strncmp(text, "http://", 7) == 0 ? text + 7 : NULL;
}

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Whether the last label is a number: such a host is an address to some, whatever comes before. */
static bool ends_in_number(const char *host)
{
	const char *dot = strrchr(host, '.'), *last = dot ? dot + 1 : host;

	return !last[strspn(last, "0123456789")] || strncmp(last, "0x", 2) == 0;
}

static bool is_name(const char *host)
{
	const char *label = host;

	while (*label) {
		size_t length = strcspn(label, ".");

		if (length == 0 || length > LABEL_MAX || !is_letter_or_digit(label[0]) ||
			!is_letter_or_digit(label[length - 1]))
			return false;
		for (size_t i = 0; i < length; i++)
			if (!is_letter_or_digit(label[i]) && label[i] != '-')
				return false;
		label += length;
		if (*label == '.' && !*++label)
			return false;
	}
	return *host != '\0' && !ends_in_number(host);
}

static const char *read_host(const char *text, size_t length, struct url *url)
{
	uint8_t bytes[sizeof(struct in6_addr)];
	bool bracketed = length > 1 && text[0] == '[' && text[length - 1] == ']';

	if (bracketed) {
		text++;
		length -= 2;
	}
	if (length == 0 || length >= sizeof(url->host))
		return "has no host, or one that is too long";
	for (size_t i = 0; i < length; i++)
		url->host[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + 32) : text[i];
	url->host[length] = '\0';
	url->is_address = inet_pton(bracketed ? AF_INET6 : AF_INET, url->host, bytes) == 1;
	if (url->is_address || (!bracketed && is_name(url->host)))
		return NULL;
	return "has a host that is neither a plain name nor an address";
}

static const char *read_port(const char *text, const char *end, struct url *url)
{
	unsigned long port = 0;

	if (text == end)
		return NULL;
	for (text++; text < end; text++) {
		if (*text < '0' || *text > '9')
			return "has a port that is no number";
		port = port * 10 + (unsigned long)(*text - '0');
		if (port > UINT16_MAX)
			break;
	}
	if (port == 0 || port > UINT16_MAX)
		return "has a port that is not from 1 to 65535";
	url->port = (uint16_t)port;
	return NULL;
}

const char *url_parse(const char *text, struct url *ret_url)
{
	struct url url = {0};
	const char *host = take_scheme(text, &url.secure), *end, *colon, *wrong;

	if (!host)
		return "must begin with https:// (or http://)";
	url.port = url.secure ? 443 : 80;
	end = host + strcspn(host, "/?");
	for (const char *each = host; *each; each++)
		if (*each <= ' ' || *each > '~' || strchr("#\\\"<>^`{|}", *each))
			return "has a character that must be written with %, or a fragment";
	if (memchr(host, '@', (size_t)(end - host)))
		return "has a user in it; receivers know us by the signature";
	colon = host[0] == '[' ? memchr(host, ']', (size_t)(end - host)) : host;
	if (colon)
		colon = memchr(colon, ':', (size_t)(end - colon));
	if (!colon)
		colon = end;
	wrong = read_host(host, (size_t)(colon - host), &url);
	if (!wrong)
		wrong = read_port(colon, end, &url);
	if (!wrong)
		*ret_url = url;
	return wrong;
}
