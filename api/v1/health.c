/* /healthz: this process answers. /readyz: sandboxes can be had, and rules are enforced. */
#include <errno.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/text/json.h"
#include "api/v1/routes.h"
#include "supervisor/wire/strings.h"

void health_live(struct request *request)
{
	json_write_open(&request->answer, '{');
	json_write_text(&request->answer, "status", "ok");
	json_write_close(&request->answer, '}');
	respond_json(request, 200);
}

static int on_status(struct request *request, const struct answer *answer)
{
	const struct wire_status *status = answer->body;

	if (answer->type != WIRE_API_STATUS_REPLY || answer->size != sizeof(*status) ||
		!WIRE_TEXT_VALID(status->sentence))
		return -EPROTO;
	if (!status->ready) {
		respond_problem(request, WIRE_CODE_UNAVAILABLE, "%s",
			status->sentence[0] ? status->sentence
					    : "Cloche is not ready; its log says why");
		return ANSWER_LAST;
	}
	json_write_open(&request->answer, '{');
	json_write_text(&request->answer, "status", "ready");
	json_write_close(&request->answer, '}');
	respond_json(request, 200);
	return ANSWER_LAST;
}

void health_ready(struct request *request)
{
	struct wire_caller caller = {0};

	memcpy(caller.remote, request->caller.remote, sizeof(caller.remote));
	request_ask(request, WIRE_API_STATUS, &caller, sizeof(caller), NULL, 0, on_status);
}
