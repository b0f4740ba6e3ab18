#include <stdlib.h>

#include "tools/policy/learn/parts.h"

static int compare_ports(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* The port up to which the range that begins at `i` goes: to the next that was denied. */
static size_t range_end(
	const uint16_t *ports, size_t n, size_t i, learnt_denied denied, const void *userdata)
{
	while (i + 1 < n && !denied(userdata, ports[i], ports[i + 1]))
		i++;
	return i;
}

static json_t *write_range(uint16_t first, uint16_t last)
{
	return first == last ? json_integer(first) : json_sprintf("%u-%u", first, last);
}

json_t *learnt_ports(
	uint16_t *ports, size_t n, size_t n_max, learnt_denied denied, const void *userdata)
{
	json_t *list = json_array();
	size_t last;

	qsort(ports, n, sizeof(*ports), compare_ports);
	for (size_t i = 0; i < n; i = last + 1) {
		last = n <= n_max ? i : range_end(ports, n, i, denied, userdata);
		json_array_append_new(list, write_range(ports[i], ports[last]));
	}
	if (json_array_size(list) <= n_max)
		return list;
	json_array_clear(list);
	json_array_append_new(list, write_range(ports[0], ports[n - 1]));
	return list;
}
