#include "supervisor/core/usage/history.h"

#include <stdlib.h>
#include <string.h>

void history_fini(struct history *history)
{
	free(history->points);
	*history = (struct history){0};
}

static void grow(struct history *history, uint32_t n_max)
{
	uint32_t room = history->room ? history->room * 2 : 8;
	struct wire_usage_point *larger;

	if (room > n_max)
		room = n_max;
	/* Until it is full, `first` is 0: nothing has to move. */
	larger = reallocarray(history->points, room, sizeof(*larger));
	if (!larger)
		return;
	history->points = larger;
	history->room = room;
}

void history_add(struct history *history, uint32_t n_max, const struct wire_usage_point *point)
{
	if (history->n == history->room && history->room < n_max && history->first == 0)
		grow(history, n_max);
	if (history->room == 0)
		return;
	if (history->n == history->room) {
		history->first = (history->first + 1) % history->room;
		history->n--;
	}
	history->points[(history->first + history->n++) % history->room] = *point;
}

static const struct wire_usage_point *get(const struct history *history, uint32_t i)
{
	return &history->points[(history->first + i) % history->room];
}

/* How many points lie at `time_ns` or before it. */
static uint32_t count_until(const struct history *history, uint64_t time_ns)
{
	uint32_t low = 0, high = history->n;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (get(history, middle)->time_ns <= time_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct wire_usage_point *history_at(const struct history *history, uint64_t time_ns)
{
	uint32_t n = count_until(history, time_ns);

	return n > 0 ? get(history, n - 1) : NULL;
}

const struct wire_usage_point *history_after(const struct history *history, uint64_t time_ns)
{
	uint32_t n = count_until(history, time_ns);

	return n < history->n ? get(history, n) : NULL;
}

const struct wire_usage_point *history_last(const struct history *history)
{
	return history->n > 0 ? get(history, history->n - 1) : NULL;
}

void history_point(
	const struct wire_usage *usage, uint64_t time_ns, struct wire_usage_point *ret_point)
{
	*ret_point = (struct wire_usage_point){.time_ns = time_ns,
		.memory_bytes = usage->memory_bytes,
		.cpu_ns = usage->cpu_ns,
		.memory_mib_ms = usage->memory_mib_ms,
		.bytes_sent = usage->bytes_sent,
		.bytes_received = usage->bytes_received,
		.connections_allowed = usage->connections_allowed,
		.connections_denied = usage->connections_denied,
		.execs = usage->execs,
		.dns_queries = usage->dns_queries,
		.block_read_bytes = usage->block_read_bytes,
		.block_written_bytes = usage->block_written_bytes,
		.n_sandboxes = usage->n_sandboxes};
}

bool history_differs(const struct wire_usage_point *a, const struct wire_usage_point *b)
{
	struct wire_usage_point same_time = *b;

	same_time.time_ns = a->time_ns;
	return memcmp(a, &same_time, sizeof(same_time)) != 0;
}

void history_sum(struct wire_usage_point *sum, const struct wire_usage_point *part)
{
	sum->memory_bytes += part->memory_bytes;
	sum->cpu_ns += part->cpu_ns;
	sum->memory_mib_ms += part->memory_mib_ms;
	sum->bytes_sent += part->bytes_sent;
	sum->bytes_received += part->bytes_received;
	sum->connections_allowed += part->connections_allowed;
	sum->connections_denied += part->connections_denied;
	sum->execs += part->execs;
	sum->dns_queries += part->dns_queries;
	sum->block_read_bytes += part->block_read_bytes;
	sum->block_written_bytes += part->block_written_bytes;
	sum->n_sandboxes += part->n_sandboxes;
}
