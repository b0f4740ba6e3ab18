/* GET /metrics: Prometheus text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).
 *
 * An administrator sees every tenant and the daemon itself, a tenant its own row. Which of the two
 * a key is, cloched says: to a tenant's it refuses the list of tenants. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/v1/routes.h"
#include "api/v1/usage.h"
#include "supervisor/base/clock.h"
#include "supervisor/base/utf8.h"
#include "supervisor/wire/strings.h"

struct metrics {
	struct wire_usage_row *rows;
	uint32_t n_rows;
	uint64_t cursor; /* of the next page */
};

/* One measure of a tenant. */
struct measure {
	const char *name, *type, *help;
	size_t offset; /* in struct wire_usage */
	bool is_ns;    /* shown in seconds */
};

#define USAGE(member) offsetof(struct wire_usage, member)
static const struct measure measures[] = {
	{"cloche_tenant_cpu_seconds_total", "counter", "CPU time used in sandboxes.", USAGE(cpu_ns),
		true},
	{"cloche_tenant_cpu_user_seconds_total", "counter", "CPU time used in user mode.",
		USAGE(cpu_user_ns), true},
	{"cloche_tenant_cpu_system_seconds_total", "counter", "CPU time used in the kernel.",
		USAGE(cpu_system_ns), true},
	{"cloche_tenant_memory_bytes", "gauge", "Memory in use by all sandboxes now.",
		USAGE(memory_bytes), false},
	{"cloche_tenant_memory_peak_bytes", "gauge", "Most memory that one sandbox has used.",
		USAGE(memory_peak_bytes), false},
	{"cloche_tenant_network_sent_bytes_total", "counter", "Bytes sent by sandboxes.",
		USAGE(bytes_sent), false},
	{"cloche_tenant_network_received_bytes_total", "counter", "Bytes received by sandboxes.",
		USAGE(bytes_received), false},
	{"cloche_tenant_network_sent_packets_total", "counter", "Packets sent by sandboxes.",
		USAGE(packets_sent), false},
	{"cloche_tenant_network_received_packets_total", "counter",
		"Packets received by sandboxes.", USAGE(packets_received), false},
	{"cloche_tenant_connections_allowed_total", "counter",
		"Connections that the policy allowed.", USAGE(connections_allowed), false},
	{"cloche_tenant_connections_denied_total", "counter", "Connections that the policy denied.",
		USAGE(connections_denied), false},
	{"cloche_tenant_execs_total", "counter", "Programs started in sandboxes.", USAGE(execs),
		false},
	{"cloche_tenant_oom_kills_total", "counter", "Processes killed at the memory limit.",
		USAGE(oom_kills), false},
	{"cloche_tenant_sandbox_seconds_total", "counter", "Time that sandboxes were alive.",
		USAGE(wall_ns), true},
	{"cloche_tenant_sandboxes_total", "counter", "Sandboxes that these numbers sum up.",
		USAGE(n_sandboxes), false},
	{"cloche_tenant_block_read_bytes_total", "counter",
		"Bytes read from block devices for sandboxes.", USAGE(block_read_bytes), false},
	{"cloche_tenant_block_written_bytes_total", "counter",
		"Bytes that sandboxes wrote towards block devices.", USAGE(block_written_bytes),
		false},
	{"cloche_tenant_forks_total", "counter", "Processes made in sandboxes.", USAGE(forks),
		false},
	{"cloche_tenant_syscalls_total", "counter", "System calls in sandboxes that are audited.",
		USAGE(syscalls), false},
	{"cloche_tenant_syscalls_refused_total", "counter",
		"Those of them that the system call filter refused.", USAGE(syscalls_refused),
		false},
	{"cloche_tenant_dns_queries_total", "counter", "Queries to the sandboxes' resolvers.",
		USAGE(dns_queries), false},
};

static void write_head(struct writer *writer, const char *name, const char *type, const char *help)
{
	writer_print(writer, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* In a label's value backslash, quote and newline are escaped; the rest is UTF-8 as it is. */
static void write_label_value(struct writer *writer, const char *value)
{
	if (!utf8_is_valid(value, strlen(value)))
		value = "?";
	for (; *value; value++) {
		if (*value == '\n')
			writer_text(writer, "\\n");
		else if (*value == '"' || *value == '\\')
			writer_print(writer, "\\%c", *value);
		else
			writer_bytes(writer, value, 1);
	}
}

/* Seconds with all nine digits, without the rounding of a double. */
static void write_seconds(struct writer *writer, uint64_t ns)
{
	writer_print(writer, "%" PRIu64 ".%09" PRIu64, (uint64_t)(ns / NS_PER_SECOND),
		(uint64_t)(ns % NS_PER_SECOND));
}

static void write_measure(
	struct writer *writer, const struct measure *measure, const struct metrics *metrics)
{
	write_head(writer, measure->name, measure->type, measure->help);
	for (uint32_t i = 0; i < metrics->n_rows; i++) {
		const struct wire_usage_row *row = &metrics->rows[i];
		uint64_t value;

		memcpy(&value, (const char *)&row->usage + measure->offset, sizeof(value));
		writer_print(writer, "%s{tenant=\"", measure->name);
		write_label_value(writer, row->tenant);
		writer_text(writer, "\"} ");
		if (measure->is_ns)
			write_seconds(writer, value);
		else
			writer_print(writer, "%" PRIu64, value);
		writer_text(writer, "\n");
	}
}

/* 1 MiB ms is 1048.576 byte seconds. */
static void write_memory_over_time(struct writer *writer, const struct metrics *metrics)
{
	static const char name[] = "cloche_tenant_memory_byte_seconds_total";

	write_head(writer, name, "counter", "Memory in use, integrated over time.");
	for (uint32_t i = 0; i < metrics->n_rows; i++) {
		uint64_t mib_ms = metrics->rows[i].usage.memory_mib_ms;
		unsigned __int128 thousandths = (unsigned __int128)mib_ms * 1048576;

		writer_print(writer, "%s{tenant=\"", name);
		write_label_value(writer, metrics->rows[i].tenant);
		writer_print(writer, "\"} %" PRIu64 ".%03u\n", (uint64_t)(thousandths / 1000),
			(unsigned)(thousandths % 1000));
	}
}

static void write_measures(struct writer *writer, const struct metrics *metrics)
{
	for (size_t i = 0; i < ARRAY_SIZE(measures); i++)
		write_measure(writer, &measures[i], metrics);
	write_memory_over_time(writer, metrics);
}

/* One of the host or the daemon. */
static const struct family {
	const char *name; /* of the head */
	const char *suffix, *type, *help, *label;
	bool is_ns;
} families[WIRE_METRIC_END] = {
	[WIRE_METRIC_HOST_CPUS] = {"cloche_host_cpus", "", "gauge", "CPUs that are online.", NULL,
		false},
	[WIRE_METRIC_HOST_CPU_BUSY_NS] = {"cloche_host_cpu_busy_seconds_total", "", "counter",
		"CPU time in which the host, not only Cloche, did something.", NULL, true},
	[WIRE_METRIC_HOST_MEMORY_BYTES] = {"cloche_host_memory_bytes", "", "gauge",
		"Memory of the host.", NULL, false},
	[WIRE_METRIC_HOST_MEMORY_AVAILABLE_BYTES] = {"cloche_host_memory_available_bytes", "",
		"gauge", "Memory that can be had without swapping.", NULL, false},
	[WIRE_METRIC_POOL_WARM] = {"cloche_pool_warm", "", "gauge",
		"Sandboxes that wait in the pool of a template.", "template", false},
	[WIRE_METRIC_POOL_TARGET] = {"cloche_pool_target", "", "gauge",
		"Sandboxes that should wait there.", "template", false},
	[WIRE_METRIC_AUDIT_WRITABLE] = {"cloche_audit_writable", "", "gauge",
		"1 if records can be written; else nothing new may start.", NULL, false},
	[WIRE_METRIC_DENIALS] = {"cloche_denials_total", "", "counter",
		"Denials that the kernel reported, by reason.", "reason", false},
	[WIRE_METRIC_FLOW_ENDS] = {"cloche_flow_ends_total", "", "counter",
		"Connections through the gate that ended, by how.", "end", false},
	[WIRE_METRIC_CREATE_BUCKET] = {"cloche_sandbox_create_seconds", "_bucket", "histogram",
		"Time from the request to a sandbox that can be used.", "le", false},
	[WIRE_METRIC_CREATE_SUM_NS] = {"cloche_sandbox_create_seconds", "_sum", "histogram", NULL,
		NULL, true},
	[WIRE_METRIC_CREATE_COUNT] = {"cloche_sandbox_create_seconds", "_count", "histogram", NULL,
		NULL, false},
};

static int write_families(struct writer *writer, struct answer_rows *rows)
{
	uint32_t last = 0;

	for (uint32_t i = 0; i < rows->page.n_rows; i++) {
		struct wire_metric_row row;
		const struct family *family;

		if (answer_rows_take(rows, &row, sizeof(row)) < 0 || !WIRE_TEXT_VALID(row.label) ||
			row.metric < last || row.metric == 0 || row.metric >= WIRE_METRIC_END)
			return -EPROTO;
		family = &families[row.metric];
		if (row.metric != last && family->help)
			write_head(writer, family->name, family->type, family->help);
		last = row.metric;
		writer_print(writer, "%s%s", family->name, family->suffix);
		if (family->label) {
			writer_print(writer, "{%s=\"", family->label);
			write_label_value(writer, row.label);
			writer_text(writer, "\"}");
		}
		writer_text(writer, " ");
		if (family->is_ns)
			write_seconds(writer, row.value);
		else
			writer_print(writer, "%" PRIu64, row.value);
		writer_text(writer, "\n");
	}
	return rows->left ? -EPROTO : 0;
}

static void write_number(
	struct writer *writer, const char *name, const char *type, const char *help, uint64_t value)
{
	write_head(writer, name, type, help);
	writer_print(writer, "%s %" PRIu64 "\n", name, value);
}

static void write_status(struct writer *writer, const struct wire_status *status)
{
	write_head(writer, "cloche_build_info", "gauge", "1, with the version as a label.");
	writer_text(writer, "cloche_build_info{version=\"" CLOCHE_VERSION "\"} 1\n");
	write_number(writer, "cloche_ready", "gauge", "1 if sandboxes can be had.", status->ready);
	write_number(writer, "cloche_gate_up", "gauge", "1 if cloche-gate runs.", status->gate_up);
	write_number(
		writer, "cloche_spawner_up", "gauge", "1 if the spawner runs.", status->spawner_up);
	write_head(writer, "cloche_start_time_seconds", "gauge", "Unix time when cloched started.");
	writer_text(writer, "cloche_start_time_seconds ");
	write_seconds(writer, status->started_ns);
	writer_text(writer, "\n");
	write_number(writer, "cloche_sandboxes", "gauge", "Sandboxes that belong to a tenant.",
		status->n_sandboxes);
	write_number(writer, "cloche_sandboxes_warm", "gauge", "Sandboxes that wait in the pool.",
		status->n_warm);
	write_head(writer, "cloche_sandbox_starts_total", "counter",
		"Sandboxes handed out, by where they came from.");
	writer_print(writer, "cloche_sandbox_starts_total{kind=\"warm\"} %" PRIu64 "\n",
		status->warm_starts);
	writer_print(writer, "cloche_sandbox_starts_total{kind=\"cold\"} %" PRIu64 "\n",
		status->cold_starts);
	write_number(writer, "cloche_sandbox_start_failures_total", "counter",
		"Sandboxes that could not be started.", status->failed_starts);
	write_number(writer, "cloche_audit_records_total", "counter", "Records written.",
		status->audit_records);
	write_number(writer, "cloche_audit_lost_total", "counter",
		"Events that were lost before they could be written.", status->audit_lost);
	write_number(writer, "cloche_flows", "gauge", "Connections through the gate now.",
		status->n_flows);
}

static void finish(struct request *request)
{
	write_measures(&request->answer, request->context);
	respond(request, 200, "text/plain; version=0.0.4; charset=utf-8");
}

static int on_families(struct request *request, const struct answer *answer)
{
	struct answer_rows rows;

	if (answer_rows_begin(&rows, answer, WIRE_API_METRICS_REPLY) < 0 ||
		write_families(&request->answer, &rows) < 0)
		return -EPROTO;
	finish(request);
	return ANSWER_LAST;
}

static int on_status(struct request *request, const struct answer *answer)
{
	const struct wire_status *status = answer->body;

	if (answer->type != WIRE_API_STATUS_REPLY || answer->size != sizeof(*status))
		return -EPROTO;
	write_status(&request->answer, status);
	request_ask(request, WIRE_API_METRICS, &request->caller, sizeof(request->caller), NULL, 0,
		on_families);
	return ANSWER_LAST;
}

static int take_rows(struct metrics *metrics, const struct answer *answer)
{
	struct wire_usage_row *larger;
	struct answer_rows rows;

	if (answer_rows_begin(&rows, answer, WIRE_API_USAGES) < 0 ||
		rows.page.n_rows > rows.left / sizeof(*metrics->rows) ||
		(rows.page.next_cursor && rows.page.next_cursor <= metrics->cursor))
		return -EPROTO;
	metrics->cursor = rows.page.next_cursor;
	larger = reallocarray(
		metrics->rows, metrics->n_rows + rows.page.n_rows + 1, sizeof(*metrics->rows));
	if (!larger)
		return -ENOMEM;
	metrics->rows = larger;
	for (uint32_t i = 0; i < rows.page.n_rows; i++)
		if (usage_take_row(&rows, &metrics->rows[metrics->n_rows++]) < 0)
			return -EPROTO;
	return rows.left ? -EPROTO : 0;
}

static int on_own_usage(struct request *request, const struct answer *answer)
{
	int r = take_rows(request->context, answer);

	if (r < 0)
		return r;
	finish(request);
	return ANSWER_LAST;
}

static void on_ended(struct request *request)
{
	struct metrics *metrics = request->context;

	free(metrics->rows);
	free(metrics);
}

static int on_all_usage(struct request *request, const struct answer *answer)
{
	int r = take_rows(request->context, answer);

	const struct metrics *metrics = request->context;
	struct wire_usage_query query = {.caller = request->caller, .scope = WIRE_USAGE_TENANTS};

	if (r < 0)
		return r;
	query.cursor = metrics->cursor;
	if (query.cursor) {
		request_ask(request, WIRE_API_USAGE, &query, sizeof(query), NULL, 0, on_all_usage);
		return ANSWER_LAST;
	}
	request_ask(request, WIRE_API_STATUS, &request->caller, sizeof(request->caller), NULL, 0,
		on_status);
	return ANSWER_LAST;
}

static int on_tenants(struct request *request, const struct answer *answer)
{
	struct wire_usage_query query = {.caller = request->caller, .scope = WIRE_USAGE_TENANTS};

	if (!answer->error && answer->type != WIRE_API_TENANTS)
		return -EPROTO;
	request->takes_errors = false;
	if (answer->error && answer->error->code != WIRE_CODE_FORBIDDEN) {
		respond_error(request, answer->error);
		return ANSWER_LAST;
	}
	if (answer->error)
		query.scope = WIRE_USAGE_TENANT;
	request_ask(request, WIRE_API_USAGE, &query, sizeof(query), NULL, 0,
		answer->error ? on_own_usage : on_all_usage);
	return ANSWER_LAST;
}

void metrics_read(struct request *request)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics) {
		respond_problem(request, WIRE_CODE_UNAVAILABLE, "out of memory; try again later");
		return;
	}
	request->context = metrics;
	request->ended = on_ended;
	request->takes_errors = true;
	request_ask(request, WIRE_API_TENANT_LIST, &request->caller, sizeof(request->caller), NULL,
		0, on_tenants);
}
