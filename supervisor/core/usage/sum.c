/* Sums of usage. What can be added is named here once. */
#include <stddef.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/core/tenants.h"

#define AT(member) offsetof(struct wire_usage, member)

static const size_t summed[] = {AT(cpu_ns), AT(cpu_user_ns), AT(cpu_system_ns), AT(memory_bytes),
	AT(bytes_sent), AT(bytes_received), AT(packets_sent), AT(packets_received),
	AT(connections_allowed), AT(connections_denied), AT(execs), AT(oom_kills), AT(wall_ns),
	AT(n_sandboxes), AT(memory_mib_ms), AT(block_read_bytes), AT(block_written_bytes),
	AT(dns_queries), AT(forks), AT(syscalls), AT(syscalls_refused)};

static uint64_t get(const struct wire_usage *usage, size_t at)
{
	uint64_t value;

	memcpy(&value, (const char *)usage + at, sizeof(value));
	return value;
}

static void set(struct wire_usage *usage, size_t at, uint64_t value)
{
	memcpy((char *)usage + at, &value, sizeof(value));
}

void usage_add(struct wire_usage *sum, const struct wire_usage *part)
{
	for (size_t i = 0; i < ARRAY_SIZE(summed); i++)
		set(sum, summed[i], get(sum, summed[i]) + get(part, summed[i]));
	if (part->memory_peak_bytes > sum->memory_peak_bytes)
		sum->memory_peak_bytes = part->memory_peak_bytes;
}

void usage_subtract(struct wire_usage *sum, const struct wire_usage *part)
{
	for (size_t i = 0; i < ARRAY_SIZE(summed); i++) {
		uint64_t whole = get(sum, summed[i]), less = get(part, summed[i]);

		set(sum, summed[i], whole > less ? whole - less : 0);
	}
	sum->memory_peak_bytes = 0;
}
