#include "supervisor/control/request.h"
#include "supervisor/wire/strings.h"

void handle_port_open(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_port_open *open = body;
	const struct wire_port row = {.sandbox = open->sandbox, .port = open->port};
	struct sandbox *sandbox =
		sandbox_find(request->control->core, request_scope(request), open->sandbox);
	struct refusal why;
	int fd = -1;

	if (!sandbox) {
		request_fail(request, WIRE_CODE_NOT_FOUND,
			"There is no sandbox sb-%016lx, or it has ended.",
			(unsigned long)open->sandbox);
		return;
	}
	if (sandbox_connect_port(sandbox, open->port, request->key->row.id, open->caller.remote,
		    &fd, &why) < 0) {
		request_refuse(request, &why);
		return;
	}
	request_send(request, WIRE_API_PORT, &row, sizeof(row), &fd, fd >= 0 ? 1 : 0);
	cleanup_close(&fd);
	request_free(request);
}
