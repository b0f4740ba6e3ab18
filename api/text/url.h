/* URLs that audit records may be sent to: the plain ones only, so that every reader sees the same
 * host in them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define URL_HOST_SIZE 254

struct url {
	bool secure;              /* https */
	bool is_address;          /* `host` is an IPv4 or IPv6 address, without brackets */
	char host[URL_HOST_SIZE]; /* lower case, no dot at its end */
	uint16_t port;
};

/* "http[s]://HOST[:PORT][/PATH][?QUERY]": a name of letters, digits, dashes and dots, four decimal
 * numbers, or an IPv6 address in brackets; printable ASCII after it. No user, no fragment, no
 * number in another form that a resolver would take for an address. Returns NULL, or what is wrong
 * with it: "has …", static text. */
const char *url_parse(const char *text, struct url *ret_url);
