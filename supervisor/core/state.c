/* What every checkpoint of the audit log says of the enforcement in force. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/clock.h"
#include "supervisor/core/core.h"
#include "supervisor/digest/sha256.h"

/* Programs are asked for again after this long: it takes a dozen system calls. */
#define PROGRAMS_PERIOD_NS NS_PER_SECOND

struct lines {
	char *text;
	size_t size;
	FILE *file;
};

static void lines_open(struct lines *lines)
{
	*lines = (struct lines){0};
	lines->file = open_memstream(&lines->text, &lines->size);
}

/* Leaves `ret_hex` empty, which is "none", when there are no lines or no memory. */
static void lines_digest(struct lines *lines, char ret_hex[SHA256_HEX_SIZE])
{
	ret_hex[0] = '\0';
	if (lines->file && fclose(lines->file) == 0 && lines->size > 0 &&
		sha256_hex(lines->text, lines->size, ret_hex) < 0)
		ret_hex[0] = '\0';
	free(lines->text);
}

static void put_program(const char *name, const uint8_t tag[ENFORCE_TAG_BYTES], void *userdata)
{
	struct lines *lines = userdata;

	if (!lines->file)
		return;
	fprintf(lines->file, "%s:", name);
	for (unsigned int i = 0; i < ENFORCE_TAG_BYTES; i++)
		fprintf(lines->file, "%02x", tag[i]);
	fputc('\n', lines->file);
}

/* A program that cannot be asked for makes it "none": whoever compares checkpoints sees that. */
static void digest_programs(struct core *core)
{
	uint64_t now_ns = clock_monotonic_ns();
	struct lines lines;
	int r;

	if (core->programs_ns > 0 && now_ns - core->programs_ns < PROGRAMS_PERIOD_NS)
		return;
	core->programs_ns = now_ns;
	lines_open(&lines);
	r = enforce_programs_each(core->enforce, put_program, &lines);
	lines_digest(&lines, core->programs_digest);
	if (r < 0)
		core->programs_digest[0] = '\0';
}

static int compare(const void *left, const void *right)
{
	const struct policy *const *a = left, *const *b = right;

	return strcmp((*a)->name, (*b)->name);
}

static void digest_policies(const struct core *core, char ret_hex[SHA256_HEX_SIZE])
{
	size_t n = policies_count(core->policies);
	const struct policy **sorted = calloc(n + 1, sizeof(*sorted));
	struct lines lines;

	lines_open(&lines);
	for (size_t i = 0; sorted && i < n; i++)
		sorted[i] = policies_at(core->policies, i);
	if (sorted)
		qsort(sorted, n, sizeof(*sorted), compare);
	for (size_t i = 0; sorted && lines.file && i < n; i++)
		fprintf(lines.file, "%s:%s\n", sorted[i]->name, sorted[i]->hash);
	lines_digest(&lines, ret_hex);
	free(sorted);
}

void core_describe_enforcement(struct audit_enforcement *ret_state, void *userdata)
{
	struct core *core = userdata;
	struct audit_enforcement state = {0};
	struct enforce_events_totals totals;

	if (core->enforce && enforce_events_totals(core->enforce, &totals) == 0) {
		for (unsigned int class = 0; class < ABI_CLASSES; class ++) {
			state.events_seen += totals.classes[class].seen;
			state.events_emitted += totals.classes[class].emitted;
			for (unsigned int loss = 0; loss < ABI_LOSSES; loss++)
				state.events_dropped += totals.classes[class].dropped[loss];
		}
	}
	if (core->enforce) {
		digest_programs(core);
		memcpy(state.programs, core->programs_digest, sizeof(state.programs));
	}
	if (core->policies)
		digest_policies(core, state.policies);
	*ret_state = state;
}
