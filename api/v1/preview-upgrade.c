/* WebSockets (RFC 6455): the handshake is passed on, and once the server said 101, bytes are. What
 * they frame is between the two ends.
 *
 * No cookie or other thing that a browser adds by itself opens a preview, so a page of another
 * origin cannot open one in its user's name (cross-site WebSocket hijacking): it would need the key
 * or a ticket. Origin is passed on for the server inside, which may want to look at it. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "api/http/respond.h"
#include "api/http/server.h"
#include "api/http/upgrade.h"
#include "api/v1/preview.h"

#define KEY_LENGTH 24 /* 16 bytes in base64 */

static bool key_is_valid(const char *key)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	return key && strlen(key) == KEY_LENGTH && strspn(key, digits) == KEY_LENGTH - 2 &&
	       strcmp(key + KEY_LENGTH - 2, "==") == 0;
}

static const char *find_fault(const struct request *request)
{
	const char *connection = request_header(request, "Connection");

	if (strcmp(request->method, "GET") != 0)
		return "a WebSocket is asked for by GET";
	if (!connection || !preview_list_has(connection, "upgrade"))
		return "a WebSocket's handshake needs the header \"Connection: Upgrade\"";
	if (!key_is_valid(request_header(request, "Sec-WebSocket-Key")))
		return "a WebSocket's handshake needs a Sec-WebSocket-Key: 16 bytes in base64";
	if (request->body_size > 0 || request_header(request, "Content-Length") ||
		request_header(request, "Transfer-Encoding"))
		return "a WebSocket's handshake has no body";
	return NULL;
}

bool preview_takes_upgrade(struct request *request)
{
	const char *fault;

	if (strcasecmp(request_header(request, "Upgrade"), "websocket") != 0) {
		respond_status(request, 501,
			"of upgrades only \"websocket\" is passed on to a sandbox; leave the "
			"Upgrade "
			"header out");
		return false;
	}
	fault = find_fault(request);
	if (fault)
		respond_problem(request, WIRE_CODE_INVALID, "%s", fault);
	return !fault;
}

static void on_ended(void *userdata)
{
	struct preview *preview = userdata;

	upgrade_close(preview->request);
}

static void on_taken(
	struct request *request, int fd, const void *bytes, size_t size, void *userdata)
{
	struct preview *preview = userdata;
	const int fds[2] = {fd, preview->fd};

	if (tunnel_new(server_loop(preview->server), fds,
		    server_limits(preview->server)->preview_idle_ms, on_ended, preview,
		    &preview->tunnel) == 0 &&
		tunnel_put(preview->tunnel, 0, bytes, size) == 0 &&
		tunnel_put(preview->tunnel, 1, preview->in.bytes, preview->in.size) == 0) {
		writer_fini(&preview->in);
		return;
	}
	preview->tunnel = tunnel_free(preview->tunnel);
	upgrade_close(request);
}

int preview_begin_upgrade(struct preview *preview, const struct preview_head *head)
{
	struct request *request = preview->request;

	if (strcasecmp(preview_find_header(head, "Upgrade"), "websocket") != 0 ||
		!preview_list_has(preview_find_header(head, "Connection"), "upgrade") ||
		!preview_find_header(head, "Sec-WebSocket-Accept")[0])
		return -EPROTO;
	preview_pass_headers(preview, head);
	if (request->more_headers.failed)
		return -ENOMEM;
	return upgrade_begin(request, "websocket", on_taken, preview);
}
