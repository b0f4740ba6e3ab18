/* GET /v1/sandboxes/{id}/ports/{port}, and any method below it. */
#include <string.h>

#include "api/http/respond.h"
#include "api/v1/body.h"
#include "api/v1/preview.h"
#include "api/v1/routes.h"

static bool take_port(struct request *request, uint16_t *ret_port)
{
	const char *text = request->parameters[1];
	unsigned port = 0;

	for (const char *c = text; *c && port <= UINT16_MAX; c++)
		port = *c >= '0' && *c <= '9' ? port * 10 + (unsigned)(*c - '0') : UINT16_MAX + 1;
	if (port == 0 || port > UINT16_MAX || text[0] == '0') {
		respond_problem(request, WIRE_CODE_INVALID,
			"\"%s\" is no port: a port is a number from 1 to 65535", text);
		return false;
	}
	*ret_port = (uint16_t)port;
	return true;
}

void ports_get(struct request *request)
{
	uint16_t port;

	if (body_take_sandbox(request) && take_port(request, &port))
		preview_start(request, port, true);
}

/* request->method may have been cut. */
static bool method_is_passed_on(const struct request *request)
{
	return strlen(request->method) < sizeof(request->method) - 1 &&
	       strcmp(request->method, "TRACE") != 0 && strcmp(request->method, "CONNECT") != 0 &&
	       strspn(request->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == strlen(request->method);
}

void ports_preview(struct request *request)
{
	uint16_t port;

	if (!body_take_sandbox(request) || !take_port(request, &port))
		return;
	if (!method_is_passed_on(request))
		respond_status(request, 501, "this method is not passed on to a sandbox");
	else if (request_header(request, "Upgrade"))
		respond_status(request, 501,
			"previews pass on requests and their answers only: WebSocket and other "
			"upgrades are not supported");
	else
		preview_start(request, port, false);
}
