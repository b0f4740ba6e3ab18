/* Numbers for a monitor that no tenant's row has. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/fd.h"
#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/wire/gate.h"

#define PROC_FILE_MAX 65536

/* In microseconds and as a monitor writes them. */
static const struct bound {
	uint64_t us;
	const char *text;
} bounds[CORE_CREATE_BUCKETS] = {
	{500, "0.0005"},
	{1000, "0.001"},
	{2500, "0.0025"},
	{5000, "0.005"},
	{10000, "0.01"},
	{25000, "0.025"},
	{50000, "0.05"},
	{100000, "0.1"},
	{250000, "0.25"},
	{1000000, "1"},
	{2500000, "2.5"},
	{10000000, "10"},
};

void core_count_create(struct core *core, uint64_t took_ns)
{
	size_t i = 0;

	while (i < CORE_CREATE_BUCKETS && took_ns > bounds[i].us * 1000)
		i++;
	core->counts.creates[i]++;
	core->counts.create_sum_ns += took_ns;
}

struct telling {
	void (*callback)(const struct wire_metric_row *row, void *userdata);
	void *userdata;
};

static void tell(
	const struct telling *telling, enum wire_metric metric, const char *label, uint64_t value)
{
	struct wire_metric_row row = {.metric = metric, .value = value};

	snprintf(row.label, sizeof(row.label), "%s", label);
	telling->callback(&row, telling->userdata);
}

static uint64_t memory_of(const char *text, const char *name)
{
	const char *line = strstr(text, name);
	uint64_t kib = 0;

	if (line)
		sscanf(line + strlen(name), " %" SCNu64, &kib);
	return kib * 1024;
}

static void tell_memory(const struct telling *telling)
{
	_cleanup_free_ char *text = NULL;

	if (fd_read_file_at(-1, "/proc/meminfo", PROC_FILE_MAX, &text, NULL) < 0)
		return;
	tell(telling, WIRE_METRIC_HOST_MEMORY_BYTES, "", memory_of(text, "MemTotal:"));
	tell(telling, WIRE_METRIC_HOST_MEMORY_AVAILABLE_BYTES, "",
		memory_of(text, "MemAvailable:"));
}

/* user, nice, system, (idle, iowait,) irq, softirq, steal: proc(5). */
static void tell_cpu(const struct telling *telling)
{
	uint64_t user, nice, system, idle, wait, irq, soft, steal;
	long per_second = sysconf(_SC_CLK_TCK);
	FILE *file = fopen("/proc/stat", "re");

	tell(telling, WIRE_METRIC_HOST_CPUS, "", (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
	if (!file)
		return;
	if (per_second > 0 &&
		fscanf(file,
			"cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
			" %" SCNu64 " %" SCNu64,
			&user, &nice, &system, &idle, &wait, &irq, &soft, &steal) == 8)
		tell(telling, WIRE_METRIC_HOST_CPU_BUSY_NS, "",
			(user + nice + system + irq + soft + steal) *
				(NS_PER_SECOND / (uint64_t)per_second));
	fclose(file);
}

static void tell_pools(const struct core *core, const struct telling *telling)
{
	size_t n;
	const struct launch_template *templates = launch_templates(core->launch, &n);
	uint32_t n_warm, n_target;

	for (int which = 0; which < 2; which++)
		for (size_t i = 0; i < n; i++)
			if (pool_count(core->pool, templates[i].name, &n_warm, &n_target))
				tell(telling,
					which ? WIRE_METRIC_POOL_TARGET : WIRE_METRIC_POOL_WARM,
					templates[i].name, which ? n_target : n_warm);
}

/* Every reason and end that there is, also those that did not happen yet: a rate needs the zero. */
static void tell_decisions(const struct core *core, const struct telling *telling)
{
	for (uint8_t i = ABI_REASON_DEFAULT; i < CORE_REASONS_MAX; i++) {
		const char *name = audit_reason_name(i);

		if (name && i != ABI_REASON_RESOLVER)
			tell(telling, WIRE_METRIC_DENIALS, name, core->counts.denials[i]);
	}
	for (uint16_t i = WIRE_GATE_END_CLOSED; i <= WIRE_GATE_END_POLICY; i++)
		tell(telling, WIRE_METRIC_FLOW_ENDS, egress_end_name(i), core->counts.flow_ends[i]);
}

static void tell_creates(const struct core *core, const struct telling *telling)
{
	uint64_t n = 0;

	for (size_t i = 0; i < CORE_CREATE_BUCKETS; i++) {
		n += core->counts.creates[i];
		tell(telling, WIRE_METRIC_CREATE_BUCKET, bounds[i].text, n);
	}
	n += core->counts.creates[CORE_CREATE_BUCKETS];
	tell(telling, WIRE_METRIC_CREATE_BUCKET, "+Inf", n);
	tell(telling, WIRE_METRIC_CREATE_SUM_NS, "", core->counts.create_sum_ns);
	tell(telling, WIRE_METRIC_CREATE_COUNT, "", n);
}

void core_metrics(const struct core *core,
	void (*callback)(const struct wire_metric_row *row, void *userdata), void *userdata)
{
	const struct telling telling = {callback, userdata};

	tell_cpu(&telling);
	tell_memory(&telling);
	tell_pools(core, &telling);
	tell(&telling, WIRE_METRIC_AUDIT_WRITABLE, "", audit_is_writable(core->audit));
	tell_decisions(core, &telling);
	tell_creates(core, &telling);
}
