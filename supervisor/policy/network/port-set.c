#include "supervisor/policy/network/port-set.h"

#include <stdio.h>
#include <string.h>

static bool has(const struct port_set *set, uint32_t port)
{
	return set->words[port / 64] >> (port % 64) & 1;
}

void port_set_add(struct port_set *set, uint16_t first, uint16_t last)
{
	for (uint32_t port = first; port <= last; port++) {
		if (port % 64 == 0 && port + 63 <= last) {
			set->words[port / 64] = UINT64_MAX;
			port += 63;
		} else {
			set->words[port / 64] |= 1ULL << (port % 64);
		}
	}
}

void port_set_minus(const struct port_set *a, const struct port_set *b, struct port_set *ret)
{
	for (size_t i = 0; i < sizeof(ret->words) / sizeof(ret->words[0]); i++)
		ret->words[i] = a->words[i] & ~b->words[i];
}

bool port_set_is_empty(const struct port_set *set)
{
	static const struct port_set empty;

	return port_set_same(set, &empty);
}

bool port_set_same(const struct port_set *a, const struct port_set *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

const char *port_set_format(const struct port_set *set, char *text, size_t size)
{
	size_t used = 0;
	uint32_t last;

	text[0] = '\0';
	for (uint32_t port = 0; port <= UINT16_MAX; port = last + 1) {
		char range[24];
		int length;

		last = port;
		if (!has(set, port))
			continue;
		while (last < UINT16_MAX && has(set, last + 1))
			last++;
		if (port <= 1 && last == UINT16_MAX) {
			snprintf(text, size, "all ports");
			return text;
		}
		length = snprintf(range, sizeof(range), port == last ? "%s%u" : "%s%u-%u",
			used ? ", " : "", port, last);
		if (used + (size_t)length + sizeof(", …") > size) {
			snprintf(text + used, size - used, "%s…", used ? ", " : "");
			return text;
		}
		memcpy(text + used, range, (size_t)length + 1);
		used += (size_t)length;
	}
	return text;
}
