#include "tools/cloche/top-rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cloche/print.h"

void top_rows_fini(struct top_rows *rows)
{
	free(rows->rows);
	*rows = (struct top_rows){0};
}

static const struct top_row *find(const struct top_rows *rows, const char *sandbox)
{
	for (size_t i = 0; i < rows->n; i++)
		if (strcmp(rows->rows[i].sandbox, sandbox) == 0)
			return &rows->rows[i];
	return NULL;
}

static double rate(uint64_t now, uint64_t before, double seconds)
{
	return now > before && seconds > 0 ? (double)(now - before) / seconds : 0;
}

static void read_row(const json_t *from, struct top_row *row)
{
	const json_t *usage = json_object_get(from, "usage");

	print_plain(row->sandbox, sizeof(row->sandbox), print_member(from, "sandbox"));
	print_plain(row->tenant, sizeof(row->tenant), print_member(from, "tenant"));
	row->cpu_ns = print_number(usage, "cpu_ns");
	row->memory_bytes = print_number(usage, "memory_bytes");
	row->peak_bytes = print_number(usage, "memory_peak_bytes");
	row->network_bytes =
		print_number(usage, "bytes_sent") + print_number(usage, "bytes_received");
	row->block_bytes = print_number(usage, "block_read_bytes") +
			   print_number(usage, "block_written_bytes");
	row->execs = print_number(usage, "execs");
	row->denied = print_number(usage, "connections_denied");
	row->alive_ns = print_number(usage, "wall_ns");
}

int top_rows_read(const json_t *answer, uint64_t time_ns, const struct top_rows *before,
	struct top_rows *ret_rows)
{
	const json_t *list = json_object_get(answer, "sandboxes"), *each;
	double seconds = (double)(time_ns - before->time_ns) / 1e9;
	struct top_rows rows = {.time_ns = time_ns};
	size_t i;

	rows.rows = calloc(json_array_size(list) + 1, sizeof(*rows.rows));
	if (!rows.rows)
		return -ENOMEM;
	json_array_foreach(list, i, each)
	{
		struct top_row *row = &rows.rows[rows.n++];
		const struct top_row *old;

		read_row(each, row);
		old = find(before, row->sandbox);
		if (!old)
			continue;
		row->cpu = rate(row->cpu_ns, old->cpu_ns, seconds) / 1e9;
		row->network = rate(row->network_bytes, old->network_bytes, seconds);
		row->block = rate(row->block_bytes, old->block_bytes, seconds);
	}
	*ret_rows = rows;
	return 0;
}

static double value_of(const struct top_row *row, enum top_order order)
{
	switch (order) {
	case TOP_BY_CPU:
		return row->cpu;
	case TOP_BY_MEMORY:
		return (double)row->memory_bytes;
	case TOP_BY_NETWORK:
		return row->network;
	case TOP_BY_BLOCK:
		return row->block;
	case TOP_BY_DENIED:
		return (double)row->denied;
	case TOP_BY_AGE:
		return (double)row->alive_ns;
	}
	return 0;
}

struct wanted {
	enum top_order order;
	bool reversed;
};

static int compare(const void *left, const void *right, void *userdata)
{
	const struct wanted *wanted = userdata;
	const struct top_row *a = left, *b = right;
	double one = value_of(a, wanted->order), two = value_of(b, wanted->order);

	if (one == two)
		return strcmp(a->sandbox, b->sandbox);
	return (one < two) != wanted->reversed ? 1 : -1;
}

void top_rows_sort(struct top_rows *rows, enum top_order order, bool reversed)
{
	struct wanted wanted = {order, reversed};

	if (rows->n > 0)
		qsort_r(rows->rows, rows->n, sizeof(*rows->rows), compare, &wanted);
}

static const struct {
	char key;
	const char *name;
} orders[] = {
	[TOP_BY_CPU] = {'c', "CPU"},
	[TOP_BY_MEMORY] = {'m', "memory"},
	[TOP_BY_NETWORK] = {'n', "network"},
	[TOP_BY_BLOCK] = {'b', "block I/O"},
	[TOP_BY_DENIED] = {'d', "denials"},
	[TOP_BY_AGE] = {'a', "age"},
};

bool top_order_by_key(char key, enum top_order *ret_order)
{
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		if (orders[i].key != key)
			continue;
		*ret_order = (enum top_order)i;
		return true;
	}
	return false;
}

const char *top_order_name(enum top_order order)
{
	return orders[order].name;
}

const char *top_head(char line[static TOP_LINE_SIZE])
{
	snprintf(line, TOP_LINE_SIZE, "%-19s  %-12s %6s %10s %10s %12s %12s %8s %8s %9s", "SANDBOX",
		"TENANT", "CPU %", "MEMORY", "PEAK", "NETWORK/s", "BLOCK I/O/s", "PROGRAMS",
		"DENIED", "ALIVE");
	return line;
}

/* "59 s", "12 min", "3 h 05", "12 d" */
static const char *write_age(char cell[static PRINT_CELL_SIZE], uint64_t ns)
{
	unsigned long seconds = (unsigned long)(ns / 1000000000);

	if (seconds < 120)
		snprintf(cell, PRINT_CELL_SIZE, "%lu s", seconds);
	else if (seconds < 7200)
		snprintf(cell, PRINT_CELL_SIZE, "%lu min", seconds / 60);
	else if (seconds < 2 * 86400)
		snprintf(cell, PRINT_CELL_SIZE, "%lu h %02lu", seconds / 3600, seconds / 60 % 60);
	else
		snprintf(cell, PRINT_CELL_SIZE, "%lu d", seconds / 86400);
	return cell;
}

const char *top_line(char line[static TOP_LINE_SIZE], const struct top_row *row)
{
	char memory[PRINT_CELL_SIZE], peak[PRINT_CELL_SIZE], network[PRINT_CELL_SIZE];
	char block[PRINT_CELL_SIZE], age[PRINT_CELL_SIZE];

	snprintf(line, TOP_LINE_SIZE, "%-19s  %-12.12s %6.1f %10s %10s %12s %12s %8llu %8llu %9s",
		row->sandbox, row->tenant, row->cpu * 100, print_bytes(memory, row->memory_bytes),
		print_bytes(peak, row->peak_bytes), print_bytes(network, (uint64_t)row->network),
		print_bytes(block, (uint64_t)row->block), (unsigned long long)row->execs,
		(unsigned long long)row->denied, write_age(age, row->alive_ns));
	return line;
}

const char *top_sum(char line[static TOP_LINE_SIZE], const struct top_rows *rows)
{
	char memory[PRINT_CELL_SIZE], network[PRINT_CELL_SIZE], block[PRINT_CELL_SIZE];
	struct top_row sum = {0};

	for (size_t i = 0; i < rows->n; i++) {
		sum.cpu += rows->rows[i].cpu;
		sum.memory_bytes += rows->rows[i].memory_bytes;
		sum.network += rows->rows[i].network;
		sum.block += rows->rows[i].block;
		sum.denied += rows->rows[i].denied;
	}
	snprintf(line, TOP_LINE_SIZE,
		"%zu sandbox%s   CPU %.1f %%   memory %s   network %s/s   block I/O %s/s   %llu "
		"denied",
		rows->n, rows->n == 1 ? "" : "es", sum.cpu * 100,
		print_bytes(memory, sum.memory_bytes), print_bytes(network, (uint64_t)sum.network),
		print_bytes(block, (uint64_t)sum.block), (unsigned long long)sum.denied);
	return line;
}
