/* GET and POST /v1/sandboxes/{id}/ports/{port}, and any method below it. */
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
		preview_start(request, port, PREVIEW_DESCRIBE);
}

void ports_issue_ticket(struct request *request)
{
	uint16_t port;

	if (body_take_sandbox(request) && take_port(request, &port))
		preview_issue_ticket(request, port);
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
	if (!request->caller.key[0] && !preview_redeem_ticket(request, port))
		respond_problem(request, WIRE_CODE_UNAUTHENTICATED,
			"a key is needed: send the header \"Authorization: Bearer KEY\", or from a "
			"browser a ticket for this port that is still good");
	else if (!method_is_passed_on(request))
		respond_status(request, 501, "this method is not passed on to a sandbox");
	else if (!request_header(request, "Upgrade"))
		preview_start(request, port, PREVIEW_EXCHANGE);
	else if (preview_takes_upgrade(request))
		preview_start(request, port, PREVIEW_WEBSOCKET);
}
