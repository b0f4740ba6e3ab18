#include "tools/policy/log.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "supervisor/base/cleanup.h"

#define STAGE "read log"
#define BUFFER_BYTES (1 << 20)

struct reader {
	const struct arguments *arguments;
	struct log_reading *reading;
	uint64_t *chosen; /* sandboxes that pass the filters, sorted */
	size_t n_chosen, room;
	uint64_t sandbox; /* --sandbox; 0: any */
	bool by_creation;
	struct failure *why;
};

static int compare_ids(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

static bool is_chosen(const struct reader *reader, uint64_t sandbox)
{
	if (reader->sandbox)
		return sandbox == reader->sandbox;
	return !reader->by_creation ||
	       bsearch(&sandbox, reader->chosen, reader->n_chosen, sizeof(sandbox), compare_ids);
}

static bool passes(const struct reader *reader, const struct policy_recorded *record)
{
	const char *template = arguments_text(reader->arguments, "template"), *label;

	if (template && strcmp(template, record->template) != 0)
		return false;
	for (size_t i = 0; (label = arguments_each(reader->arguments, "label", i)); i++)
		if (!policy_recorded_has_label(record, label))
			return false;
	return true;
}

static int choose(struct reader *reader, const struct policy_recorded *record)
{
	if (!passes(reader, record))
		return 0;
	if (reader->n_chosen == reader->room) {
		size_t room = reader->room ? reader->room * 2 : 64;
		void *larger = reallocarray(reader->chosen, room, sizeof(*reader->chosen));

		if (!larger)
			return -ENOMEM;
		reader->chosen = larger;
		reader->room = room;
	}
	reader->chosen[reader->n_chosen++] = record->sandbox;
	qsort(reader->chosen, reader->n_chosen, sizeof(*reader->chosen), compare_ids);
	reader->reading->n_sandboxes++;
	return 0;
}

static int take(struct reader *reader, const char *line, size_t size)
{
	struct log_reading *reading = reader->reading;
	struct policy_recorded record;
	int r = policy_recorded_read(line, size, &record);

	reading->n_records++;
	if (r == -EBADMSG) {
		reading->n_malformed++;
		return 0;
	}
	if (r < 0 || record.kind == POLICY_RECORDED_OTHER)
		return r;
	if (record.kind == POLICY_RECORDED_CREATE)
		return choose(reader, &record);
	if (!is_chosen(reader, record.sandbox))
		return 0;
	if (record.kind == POLICY_RECORDED_DIAL)
		return tally_note_dial(&reading->tally, &record);
	reading->n_acts++;
	reading->first = reading->first ? reading->first : record.sequence;
	reading->last = record.sequence;
	return tally_add(&reading->tally, &record);
}

static int read_stream(struct reader *reader, FILE *stream, const char *path)
{
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int r = 0;

	setvbuf(stream, NULL, _IOFBF, BUFFER_BYTES);
	while (r == 0 && (n = getline(&line, &room, stream)) > 0)
		r = take(reader, line, (size_t)n);
	if (r == 0 && ferror(stream))
		r = -EIO;
	if (r < 0) {
		failure_set(reader->why, r, STAGE,
			r == -E2BIG ? "There are more than %d different acts; read a part of the "
				      "log, or one sandbox."
			: r == -ENOMEM ? "There is no memory left."
				       : "The log cannot be read.",
			TALLY_ROWS_MAX);
		failure_at(reader->why, "%s", path);
	}
	return r;
}

static int read_file(struct reader *reader, const char *path)
{
	FILE *stream = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	int r;

	if (!stream) {
		r = failure_set(
			reader->why, -errno, STAGE, "The log cannot be read: %s.", strerror(errno));
		failure_at(reader->why, "%s", path);
		return r;
	}
	r = read_stream(reader, stream, path);
	if (stream != stdin)
		fclose(stream);
	return r;
}

static int is_segment(const struct dirent *entry)
{
	const char *end = strrchr(entry->d_name, '.');

	return end && strcmp(end, ".jsonl") == 0;
}

/* Segments are named by their first sequence, padded: their order is that of their names. */
static int read_directory(struct reader *reader, const char *path)
{
	struct dirent **entries = NULL;
	int n = scandir(path, &entries, is_segment, alphasort), r = 0;

	if (n <= 0) {
		failure_set(reader->why, -ENOENT, STAGE, "There are no segments (*.jsonl) here.");
		failure_at(reader->why, "%s", path);
		return -ENOENT;
	}
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *whole = NULL;

		if (r == 0)
			r = asprintf(&whole, "%s/%s", path, entries[i]->d_name) < 0
				    ? -ENOMEM
				    : read_file(reader, whole);
		free(entries[i]);
	}
	free(entries);
	return r;
}

static int read_path(struct reader *reader, const char *path)
{
	_cleanup_free_ char *below = NULL;
	struct stat info;

	if (strcmp(path, "-") == 0 || stat(path, &info) < 0 || !S_ISDIR(info.st_mode))
		return read_file(reader, path);
	if (asprintf(&below, "%s/log", path) < 0)
		return -ENOMEM;
	return read_directory(reader, stat(below, &info) == 0 ? below : path);
}

int log_read(const char *path, const struct arguments *arguments, struct log_reading *ret_reading,
	struct failure *why)
{
	const char *sandbox = arguments_text(arguments, "sandbox");
	struct log_reading reading = {0};
	struct reader reader = {.arguments = arguments, .reading = &reading, .why = why};
	int r;

	reader.by_creation =
		arguments_text(arguments, "label") || arguments_text(arguments, "template");
	if (sandbox)
		reader.sandbox =
			strncmp(sandbox, "sb-", 3) == 0 ? strtoull(sandbox + 3, NULL, 16) : 0;
	if (sandbox && !reader.sandbox)
		return failure_set(
			why, -EINVAL, STAGE, "\"%.40s\" is no id of a sandbox.", sandbox);
	r = read_path(&reader, path);
	free(reader.chosen);
	if (r < 0) {
		log_fini(&reading);
		return r;
	}
	*ret_reading = reading;
	return 0;
}

void log_fini(struct log_reading *reading)
{
	tally_fini(&reading->tally);
}
