/* events, logs, audit tail: the audit records, shown. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tools/cloche/call.h"
#include "tools/cloche/events.h"
#include "tools/cloche/print.h"
#include "tools/cloche/record.h"
#include "tools/cloche/stream.h"

#define PAGE_LIMIT 1000
#define SECOND_LENGTH 19 /* of "2026-11-21T21:40:00" */
#define TAIL_TRIES_MAX 120
#define TAIL_PAUSE_NS 250000000

struct reader {
	const struct client *client;
	const struct arguments *filters; /* NULL: only `sandbox` */
	const char *sandbox;
	const char *since; /* RFC 3339; NULL: what the filters say */
	uint64_t after;    /* the last sequence seen */
	uint64_t n_left;
	uint64_t n_page; /* records of this page */
	/* Our own requests are records too: what is younger than our start is not waited for. */
	char started[SECOND_LENGTH + 1];
	bool caught_up;
	bool was_connected; /* something came */
};

static int on_record(const char *line, size_t size, void *userdata)
{
	struct reader *reader = userdata;
	_cleanup_json_ json_t *record = json_loadb(line, size, JSON_ALLOW_NUL, NULL);
	const char *time = json_string_value(json_object_get(record, "time"));
	char text[4096], plain[8192];

	if (!json_is_object(record))
		return -EPROTO;
	reader->n_page++;
	reader->was_connected = true;
	reader->after = print_number(record, "seq");
	if (time && strncmp(time, reader->started, SECOND_LENGTH) >= 0)
		reader->caught_up = true;
	if (reader->n_left == 0)
		return 0;
	reader->n_left--;
	if (reader->client->json) {
		print_verbatim(line, size);
	} else {
		record_describe(text, sizeof(text), record);
		printf("%s\n", print_plain(plain, sizeof(plain), text));
	}
	return fflush(stdout) == 0 ? 0 : -errno;
}

int events_add_filters(char path[static CALL_PATH_SIZE], const struct arguments *arguments)
{
	static const char *const names[][2] = {{"sandbox", "sandbox"}, {"tenant", "tenant"},
		{"type", "type"}, {"verdict", "verdict"}, {"since", "since"},
		{"until", "until_time"}};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		r |= call_query(path, names[i][1], arguments_text(arguments, names[i][0]));
	return r ? -E2BIG : 0;
}

/* Returns an exit code; -ECONNRESET when the connection ended and `retries` says that this is no
 * failure. */
static int reader_get(struct reader *reader, bool follow, bool retries)
{
	_cleanup_(stream_lines_fini) struct stream_lines lines = {
		.on_line = on_record, .userdata = reader};
	_cleanup_(http_answer_fini) struct http_answer answer = {0};
	char path[CALL_PATH_SIZE] = "/v1/events", number[32];
	struct http_request request = {.method = "GET",
		.path = path,
		.accept = "application/x-ndjson",
		.on_data = stream_on_data,
		.userdata = &lines,
		.interrupt_fd = -1};
	struct failure why = {0};
	int r = 0;

	snprintf(number, sizeof(number), "%" PRIu64, reader->after);
	r |= call_query(path, "after", number);
	r |= call_query(path, "sandbox", reader->sandbox);
	r |= call_query(path, "since", reader->since);
	if (reader->filters)
		r |= events_add_filters(path, reader->filters);
	snprintf(number, sizeof(number), "%d", PAGE_LIMIT);
	r |= follow ? call_query(path, "follow", "true") : call_query(path, "limit", number);
	if (r)
		return call_misused(reader->client, "The options are too long.");
	reader->n_page = 0;
	r = http_send(reader->client->http, &request, &answer, &why);
	if (r == -EPROTO && !why.sentence[0])
		failure_set(&why, r, "events", "The daemon's answer is not understood.");
	if (r < 0 && retries && reader->was_connected)
		return -ECONNRESET;
	if (r < 0)
		return call_failed(reader->client, &why);
	if (answer.status == 503 && retries && reader->was_connected)
		return -ECONNRESET;
	if (answer.status >= 300)
		return call_refused(reader->client, &answer);
	return retries ? -ECONNRESET : EXIT_CODE_DONE;
}

static int reader_run(struct reader *reader, bool follow)
{
	time_t now = time(NULL);
	struct tm utc;
	int code;

	gmtime_r(&now, &utc);
	strftime(reader->started, sizeof(reader->started), "%Y-%m-%dT%H:%M:%S", &utc);
	if (follow)
		return reader_get(reader, true, false);
	do
		code = reader_get(reader, false, false);
	while (code == 0 && reader->n_page > 0 && reader->n_left > 0 && !reader->caught_up);
	return code;
}

int command_events(struct client *client, const struct arguments *arguments)
{
	struct reader reader = {.client = client, .filters = arguments, .n_left = UINT64_MAX};
	struct failure why = {0};
	double number;
	int r;

	if (arguments->n_words || arguments->n_rest)
		return call_misused(client, "events takes options only.");
	r = arguments_number(arguments, "after", 0, &number, &why);
	if (r < 0)
		return call_failed(client, &why);
	if (r > 0)
		reader.after = (uint64_t)number;
	r = arguments_number(arguments, "limit", 1, &number, &why);
	if (r < 0)
		return call_failed(client, &why);
	if (r > 0)
		reader.n_left = (uint64_t)number;
	return reader_run(&reader, arguments_flag(arguments, "follow"));
}

/* Goes on after the last record that was seen when the daemon went away, for as long as it may take
 * to start again. */
int command_audit_tail(struct client *client, const struct arguments *arguments)
{
	struct reader reader = {.client = client, .filters = arguments, .n_left = UINT64_MAX};
	char now_text[32];
	time_t now = time(NULL);
	struct tm utc;
	int code, n_tries = 0;

	if (arguments->n_words || arguments->n_rest)
		return call_misused(client, "audit tail takes options only.");
	gmtime_r(&now, &utc);
	strftime(now_text, sizeof(now_text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	if (!arguments_text(arguments, "since"))
		reader.since = now_text;
	do {
		uint64_t before = reader.after;

		code = reader_get(&reader, true, n_tries < TAIL_TRIES_MAX);
		n_tries = reader.after > before ? 0 : n_tries + 1;
		if (code == -ECONNRESET)
			nanosleep(&(struct timespec){.tv_nsec = TAIL_PAUSE_NS}, NULL);
	} while (code == -ECONNRESET);
	return code;
}

int command_logs(struct client *client, const struct arguments *arguments)
{
	struct reader reader = {.client = client, .n_left = UINT64_MAX};

	if (arguments->n_words != 1 || arguments->n_rest)
		return call_misused(client, "logs wants the id of one sandbox.");
	reader.sandbox = arguments->words[0];
	return reader_run(&reader, arguments_flag(arguments, "follow"));
}
