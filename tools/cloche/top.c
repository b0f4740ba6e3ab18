/* top: the sandboxes that live and what they use now, on a terminal that is drawn anew each time.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/base/clock.h"
#include "tools/cloche/call.h"
#include "tools/cloche/interrupt.h"
#include "tools/cloche/print.h"
#include "tools/cloche/screen.h"
#include "tools/cloche/top-rows.h"

#define INTERVAL_S 1.0
#define INTERVAL_MIN_S 0.2
#define KEY_NONE 0

struct top {
	struct client *client;
	struct screen *screen; /* NULL: --once */
	char path[CALL_PATH_SIZE];
	uint64_t interval_ns;
	int interrupt_fd;
	struct top_rows rows;
	enum top_order order;
	bool reversed;
};

static void give_back(struct top *top)
{
	top->screen = screen_close(top->screen);
	top_rows_fini(&top->rows);
	if (top->interrupt_fd >= 0)
		close(top->interrupt_fd);
}

/* What the daemon says on failure belongs on the terminal that was there before. */
static int read_rows(struct top *top)
{
	_cleanup_json_ json_t *answer = NULL;
	struct http_answer said = {0};
	struct http_request request = {.method = "GET", .path = top->path, .interrupt_fd = -1};
	struct failure why = {0};
	struct top_rows next;
	int r = http_send(top->client->http, &request, &said, &why), code = EXIT_CODE_DONE;

	if (r == 0 && said.status == 200)
		answer = json_loadb(said.body, said.size, 0, NULL);
	if (!answer)
		top->screen = screen_close(top->screen);
	if (r < 0)
		code = call_failed(top->client, &why);
	else if (said.status != 200)
		code = call_refused(top->client, &said);
	else if (!answer || top_rows_read(answer, clock_monotonic_ns(), &top->rows, &next) < 0)
		code = call_failed(top->client, &(struct failure){.error = -EBADMSG});
	http_answer_fini(&said);
	if (code)
		return code;
	top_rows_fini(&top->rows);
	top->rows = next;
	top_rows_sort(&top->rows, top->order, top->reversed);
	return EXIT_CODE_DONE;
}

static int draw(struct top *top)
{
	unsigned int n_lines, n_columns;
	char line[TOP_LINE_SIZE];

	screen_size(top->screen, &n_lines, &n_columns);
	screen_begin(top->screen);
	screen_line(top->screen, top_sum(line, &top->rows), false);
	snprintf(line, sizeof(line),
		"by %s%s   c CPU  m memory  n network  b block I/O  d denials  a age  r reverse  q "
		"quit",
		top_order_name(top->order), top->reversed ? ", reversed" : "");
	screen_line(top->screen, line, false);
	screen_line(top->screen, top_head(line), true);
	for (size_t i = 0; i < top->rows.n && i + 3 < n_lines; i++)
		screen_line(top->screen, top_line(line, &top->rows.rows[i]), false);
	return screen_end(top->screen);
}

/* Returns false to quit. */
static bool take_key(struct top *top)
{
	char key = KEY_NONE;

	if (read(STDIN_FILENO, &key, 1) != 1)
		return false;
	if (key == 'q')
		return false;
	if (key == 'r')
		top->reversed = !top->reversed;
	else if (top_order_by_key(key, &top->order))
		top->reversed = false;
	top_rows_sort(&top->rows, top->order, top->reversed);
	return true;
}

/* Until the next answer is due. Returns -1 then, else the exit code. */
static int wait_for_keys(struct top *top)
{
	uint64_t due_ns = clock_monotonic_ns() + top->interval_ns, now_ns;
	struct pollfd fds[] = {{.fd = top->interrupt_fd, .events = POLLIN},
		{.fd = top->screen ? STDIN_FILENO : -1, .events = POLLIN},
		{.fd = top->screen ? screen_resize_fd(top->screen) : -1, .events = POLLIN}};

	while ((now_ns = clock_monotonic_ns()) < due_ns) {
		int signal, n = poll(fds, ARRAY_SIZE(fds), (int)((due_ns - now_ns) / 1000000) + 1);

		if (n < 0 && errno != EINTR)
			return EXIT_CODE_FAILED;
		if (n <= 0)
			continue;
		signal = interrupt_take(top->interrupt_fd);
		if (signal)
			return EXIT_CODE_SIGNAL + signal;
		if (fds[2].revents)
			screen_resized(top->screen);
		if (fds[1].revents && !take_key(top))
			return EXIT_CODE_DONE;
		if (top->screen && draw(top) < 0)
			return EXIT_CODE_FAILED;
	}
	return -1;
}

/* Rates need two answers. */
static int once(struct top *top)
{
	char line[TOP_LINE_SIZE];
	int code = read_rows(top);

	if (code == EXIT_CODE_DONE)
		code = wait_for_keys(top);
	if (code >= 0)
		return code;
	code = read_rows(top);
	if (code)
		return code;
	puts(top_sum(line, &top->rows));
	puts(top_head(line));
	for (size_t i = 0; i < top->rows.n; i++)
		puts(top_line(line, &top->rows.rows[i]));
	return fflush(stdout) == 0 ? EXIT_CODE_DONE : EXIT_CODE_FAILED;
}

static int live(struct top *top)
{
	int code = EXIT_CODE_DONE;

	do {
		code = read_rows(top);
		if (code == EXIT_CODE_DONE)
			code = draw(top) < 0 ? EXIT_CODE_FAILED : wait_for_keys(top);
	} while (code < 0);
	return code;
}

static int begin(struct top *top, const struct arguments *arguments)
{
	const char *sort = arguments_text(arguments, "sort");
	struct failure why = {0};
	double seconds = INTERVAL_S;

	if (arguments->n_words || arguments->n_rest)
		return call_misused(top->client, "top takes options only.");
	if (arguments_number(arguments, "interval", INTERVAL_MIN_S, &seconds, &why) < 0)
		return call_misused(top->client, "%s", why.sentence);
	if (sort && (strlen(sort) != 1 || !top_order_by_key(sort[0], &top->order)))
		return call_misused(top->client, "--sort is one of the keys c, m, n, b, d, a.");
	if (call_query(top->path, "tenant", arguments_text(arguments, "tenant")) < 0)
		return call_misused(top->client, "That is no tenant's name.");
	if (top->client->json)
		return call_misused(top->client, "top is for people; \"cloche usage --group-by "
						 "sandbox --json\" says it in JSON.");
	top->interval_ns = (uint64_t)(seconds * (double)NS_PER_SECOND);
	return EXIT_CODE_DONE;
}

int command_top(struct client *client, const struct arguments *arguments)
{
	struct top top = {
		.client = client, .path = "/v1/usage?group_by=sandbox", .interrupt_fd = -1};
	int code = begin(&top, arguments), r;

	if (code)
		return code;
	r = interrupt_open(&top.interrupt_fd);
	if (r == 0 && !arguments_flag(arguments, "once"))
		r = screen_open(&top.screen);
	if (r == -ENOTTY)
		code = call_misused(client, "That is no terminal: top --once prints one page.");
	else if (r < 0)
		code = call_failed(client, &(struct failure){.error = r});
	else
		code = top.screen ? live(&top) : once(&top);
	give_back(&top);
	return code;
}
