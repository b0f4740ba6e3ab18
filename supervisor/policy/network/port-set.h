/* Inside the policy room: a set of ports, for comparing what two policies allow. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct port_set {
	uint64_t words[65536 / 64];
};

void port_set_add(struct port_set *set, uint16_t first, uint16_t last);
/* `ret` has what `a` has and `b` has not. */
void port_set_minus(const struct port_set *a, const struct port_set *b, struct port_set *ret);
bool port_set_is_empty(const struct port_set *set);
bool port_set_same(const struct port_set *a, const struct port_set *b);
/* Writes "443, 8000-8010", with "…" where it does not fit; "all ports" for all but 0. */
const char *port_set_format(const struct port_set *set, char *text, size_t size);
