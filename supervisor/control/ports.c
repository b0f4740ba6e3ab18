/* Connections to ports inside. One that is watched stays on the list of requests for as long as
 * cloche-api has it, and is closed when the policy closes its port or its sandbox ends. */
#include "supervisor/control/request.h"
#include "supervisor/wire/strings.h"

#define PORTS_OPEN_MAX 256 /* watched connections of one sandbox */

static size_t count_open(const struct control *control, uint64_t sandbox)
{
	size_t n = 0;

	for (const struct request *each = control->requests; each; each = each->next)
		n += each->port_sandbox == sandbox;
	return n;
}

static void open_port(
	struct request *request, const struct wire_port_open *open, struct sandbox *sandbox)
{
	const struct wire_port row = {.sandbox = open->sandbox, .port = open->port};
	struct refusal why;
	int fd = -1;

	if (sandbox_connect_port(sandbox, open->port, request->key->row.id, open->caller.remote,
		    &fd, &why) < 0) {
		request_refuse(request, &why);
		return;
	}
	request_send(request, WIRE_API_PORT, &row, sizeof(row), &fd, fd >= 0 ? 1 : 0);
	if (fd >= 0 && open->is_watched) {
		request->port_sandbox = open->sandbox;
		request->port = open->port;
	} else {
		request_free(request);
	}
	cleanup_close(&fd);
}

void handle_port_open(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_port_open *open = body;
	struct sandbox *sandbox =
		sandbox_find(request->control->core, request_scope(request), open->sandbox);

	if (!sandbox)
		request_fail(request, WIRE_CODE_NOT_FOUND,
			"There is no sandbox sb-%016lx, or it has ended.",
			(unsigned long)open->sandbox);
	else if (open->is_watched && count_open(request->control, open->sandbox) >= PORTS_OPEN_MAX)
		request_fail(request, WIRE_CODE_LIMIT,
			"%d previews of this sandbox are open already; close one first.",
			PORTS_OPEN_MAX);
	else
		open_port(request, open, sandbox);
}

void handle_port_left(struct request *request, const void *body _unused_, const char *tail _unused_,
	size_t tail_size _unused_)
{
	struct request *each, *next;

	for (each = request->control->requests; each; each = next) {
		next = each->next;
		if (each->port_sandbox && each->cookie == request->cookie)
			request_free(each);
	}
	request_free(request);
}

void ports_review(struct control *control)
{
	struct request *each, *next;

	for (each = control->requests; each; each = next) {
		const struct wire_port row = {.sandbox = each->port_sandbox, .port = each->port};
		const struct sandbox *sandbox =
			row.sandbox ? sandbox_find(control->core, NULL, row.sandbox) : NULL;

		next = each->next;
		if (row.sandbox && (!sandbox || !sandbox_port_is_open(sandbox, row.port)))
			request_answer(each, WIRE_API_PORT_CLOSED, &row, sizeof(row), NULL, 0);
	}
}
