#include "supervisor/core/peers/resolvers.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/cleanup.h"

#define DNS_PORT 53

static bool parse_ip(const char *text, struct abi_address *ret_address)
{
	*ret_address = (struct abi_address){.bytes = {[10] = 0xff, [11] = 0xff}};
	return inet_pton(AF_INET, text, ret_address->bytes + 12) == 1 ||
	       inet_pton(AF_INET6, text, ret_address->bytes) == 1;
}

/* "192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353". */
static bool parse(const char *text, struct wire_gate_resolver *ret_resolver)
{
	const char *colon = strrchr(text, ':');
	char host[64];
	char *end;
	unsigned long port;

	*ret_resolver = (struct wire_gate_resolver){.port = DNS_PORT};
	if (parse_ip(text, &ret_resolver->address))
		return true;
	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return false;
	port = strtoul(colon + 1, &end, 10);
	if (end == colon + 1 || *end || port == 0 || port > 65535)
		return false;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	if (host[0] == '[' && host[strlen(host) - 1] == ']') {
		host[strlen(host) - 1] = '\0';
		memmove(host, host + 1, strlen(host));
	}
	ret_resolver->port = (uint16_t)port;
	return parse_ip(host, &ret_resolver->address);
}

static void cleanup_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

size_t resolvers_find(
	const char *option, struct wire_gate_resolver ret_resolvers[WIRE_GATE_RESOLVERS_MAX])
{
	_cleanup_(cleanup_file) FILE *file = NULL;
	char line[256], address[128];
	size_t n = 0;

	if (option)
		return parse(option, &ret_resolvers[0]) ? 1 : 0;
	file = fopen("/etc/resolv.conf", "re");
	while (file && n < WIRE_GATE_RESOLVERS_MAX && fgets(line, sizeof(line), file))
		if (sscanf(line, " nameserver %127s", address) == 1 &&
			parse(address, &ret_resolvers[n]))
			n++;
	return n;
}
