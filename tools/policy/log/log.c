#include "tools/policy/log/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "tools/cloche/print.h"
#include "tools/policy/file.h"
#include "tools/policy/log/lines.h"

#define STAGE "read log"

struct reader {
	const struct arguments *arguments;
	const struct policy *policy;
	struct log_reading *reading;
	uint64_t sandbox; /* --sandbox; 0: any */
	bool by_creation;
	const char *path;
	uint64_t line;
	struct failure *why;
};

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

static void note_malformed(struct reader *reader, const char *line, size_t size)
{
	struct log_reading *reading = reader->reading;
	char fault[POLICY_RECORDED_FAULT_SIZE];

	if (reading->n_malformed++ > 0)
		return;
	policy_recorded_fault(line, size, fault);
	snprintf(reading->fault, sizeof(reading->fault), "%.100s:%" PRIu64 ": %s", reader->path,
		reader->line, fault);
}

static int add_acts(
	struct reader *reader, struct log_sandbox *sandbox, struct policy_recorded *record)
{
	struct log_reading *reading = reader->reading;

	sandbox->acted = true;
	sandbox->shows_opens |= record->shows_opens;
	reading->n_acts += record->n_acts;
	reading->n_programs_unknown += record->executes_unknown;
	for (size_t i = 0; i < POLICY_PASSED; i++)
		reading->n_passed[i] += record->passed[i];
	for (size_t i = 0; i < record->n_acts; i++)
		if (record->acts[i].act.kind == POLICY_ACT_SYSCALL)
			policy_act_keep_arguments(&record->acts[i].act, reader->policy);
	return tally_add(&reading->tally, record);
}

static int take_record(struct reader *reader, struct policy_recorded *record)
{
	struct log_reading *reading = reader->reading;
	struct log_sandbox *sandbox;

	if (record->kind == POLICY_RECORDED_LOST) {
		reading->n_lost += record->n_lost;
		return 0;
	}
	if (record->sandbox == 0 || (reader->sandbox && record->sandbox != reader->sandbox))
		return 0;
	sandbox = log_sandboxes_get(&reading->sandboxes, record->sandbox);
	if (!sandbox)
		return -ENOMEM;
	if (record->kind == POLICY_RECORDED_CREATE)
		sandbox->chosen = passes(reader, record);
	sandbox->says_usual |= record->calls == POLICY_RECORDED_CALLS_USUAL;
	sandbox->says_other |= record->calls == POLICY_RECORDED_CALLS_OTHER;
	if (reader->by_creation && !sandbox->chosen)
		return 0;
	reading->has_runs = true;
	if (record->kind == POLICY_RECORDED_DIAL)
		return tally_note_dial(&reading->tally, record);
	return record->kind == POLICY_RECORDED_ACTS ? add_acts(reader, sandbox, record) : 0;
}

static int take(struct reader *reader, const char *line, size_t size)
{
	struct policy_recorded record;
	int r = policy_recorded_read(line, size, &record);

	reader->line++;
	reader->reading->n_records++;
	if (r == -EBADMSG) {
		note_malformed(reader, line, size);
		return 0;
	}
	return r < 0 || record.kind == POLICY_RECORDED_OTHER ? r : take_record(reader, &record);
}

static const char *sentence_of(int error)
{
	switch (error) {
	case -E2BIG:
		return "There are too many different acts; read a part of the log, or one "
		       "sandbox.";
	case -ENOMEM:
		return "There is no memory left.";
	case -EMSGSIZE:
		return "A line of it is far too long for a record.";
	default:
		return "The log cannot be read.";
	}
}

static int read_lines(struct reader *reader, int fd, const char *path)
{
	struct log_lines lines;
	const char *line;
	size_t size;
	int r;

	reader->path = path;
	reader->line = 0;
	log_lines_init(&lines, fd);
	while ((r = log_lines_next(&lines, &line, &size)) > 0) {
		r = take(reader, line, size);
		if (r < 0)
			break;
	}
	log_lines_fini(&lines);
	if (r < 0) {
		failure_set(reader->why, r, STAGE, "%s", sentence_of(r));
		failure_at(reader->why, "%s", path);
	}
	return r;
}

static int read_file(struct reader *reader, const char *path)
{
	_cleanup_close_ int opened = -1;
	int r;

	if (strcmp(path, "-") == 0)
		return read_lines(reader, STDIN_FILENO, path);
	opened = open(path, O_RDONLY | O_CLOEXEC);
	if (opened < 0) {
		r = failure_set(
			reader->why, -errno, STAGE, "The log cannot be read: %s.", strerror(errno));
		failure_at(reader->why, "%s", path);
		return r;
	}
	return read_lines(reader, opened, path);
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

int log_read(const char *path, const struct arguments *arguments, const struct policy *policy,
	struct log_reading *ret_reading, struct failure *why)
{
	const char *sandbox = arguments_text(arguments, "sandbox");
	struct log_reading reading = {0};
	struct reader reader = {
		.arguments = arguments, .policy = policy, .reading = &reading, .why = why};
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
	if (r < 0) {
		log_fini(&reading);
		return r;
	}
	reading.n_passed[POLICY_PASSED_CALL] +=
		tally_know_calls(&reading.tally, &policy_file_calls);
	*ret_reading = reading;
	return 0;
}

static const struct {
	const char *key, *sentence;
} rests[POLICY_PASSED] = {
	[POLICY_PASSED_RELATIVE] = {"relative",
		"relative path without its directory, or with .. behind a name"},
	[POLICY_PASSED_CUT] = {"cut", "path that is not whole"},
	[POLICY_PASSED_OWN] = {"own", "in /proc, /sys or /dev, which are no policy's"},
	[POLICY_PASSED_FAILED] = {"failed", "failed, and not because of a policy"},
	[POLICY_PASSED_UNCLEAR] = {"unclear", "refused by the filter of system calls for its "
					      "arguments, or by the kernel"},
	[POLICY_PASSED_CALL] = {"call", "a system call that this machine has not"},
	[POLICY_PASSED_ANSWER] = {"answer", "an answer that says nothing of the policy"},
};

void log_print_rest(const struct log_reading *reading, FILE *stream)
{
	char fault[4 * sizeof(reading->fault)];

	for (size_t i = 0; i < POLICY_PASSED; i++)
		if (reading->n_passed[i])
			fprintf(stream, "%" PRIu64 " acts passed over: %s.\n", reading->n_passed[i],
				rests[i].sentence);
	if (reading->n_lost)
		fprintf(stream, "%" PRIu64 " records were lost: more was done than is here.\n",
			reading->n_lost);
	if (reading->n_malformed)
		fprintf(stream, "%" PRIu64 " lines are no records; the first is %s.\n",
			reading->n_malformed, print_plain(fault, sizeof(fault), reading->fault));
}

json_t *log_rest_json(const struct log_reading *reading)
{
	json_t *passed = json_object();

	for (size_t i = 0; i < POLICY_PASSED; i++)
		json_object_set_new(
			passed, rests[i].key, json_integer((json_int_t)reading->n_passed[i]));
	return passed;
}

void log_fini(struct log_reading *reading)
{
	tally_fini(&reading->tally);
	log_sandboxes_fini(&reading->sandboxes);
}
