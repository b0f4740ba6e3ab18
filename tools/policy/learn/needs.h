/* Inside of learning: what was needed of the network, before it is written down. */
#pragma once

#include "tools/policy/learn/parts.h"

/* One rule on its way: all acts towards one host or address. */
struct need {
	const char *host; /* NULL: `row`'s address */
	const struct tally_row *row;
	bool is_private, wildcard;
	uint16_t *ports; /* owned, each once */
	size_t n_ports;
	struct support support;
};

struct needs {
	const struct tally *tally;
	struct need *items; /* owned; those of names sorted by these */
	size_t n;
};

/* Returns 0, or -ENOMEM. */
int need_add_port(struct need *need, uint16_t port);
bool need_lies_below(const char *name, const char *parent);
/* Denied wherever it was tried: else a rule for it is needed. */
bool need_is_denied(const struct tally *tally, const struct tally_row *row);

/* Joins names right below one and the same name to its wildcard, where the first of them stands,
 * once they are `after` (0: never), if the language takes the wildcard. Of names, in their order,
 * those up to the last that has a port at which something below was denied stay out of it. Takes
 * time as sorting does, however many names there are. Returns 0, or -ENOMEM. */
int needs_generalise(struct needs *needs, uint32_t after);
