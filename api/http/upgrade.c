#include "api/http/upgrade.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "api/http/connection.h"
#include "api/http/server.h"

struct upgrade {
	const char *protocol;
	upgrade_taken taken;
	void *userdata;
	struct MHD_UpgradeResponseHandle *handle; /* NULL: not taken yet, or closed */
};

int upgrade_begin(
	struct request *request, const char *protocol, upgrade_taken taken, void *userdata)
{
	struct upgrade *upgrade = calloc(1, sizeof(*upgrade));

	if (!upgrade)
		return -ENOMEM;
	*upgrade = (struct upgrade){.protocol = protocol, .taken = taken, .userdata = userdata};
	request->upgrade = upgrade;
	request->ends_with_client = true;
	request->status = MHD_HTTP_SWITCHING_PROTOCOLS;
	request_wake(request);
	return 0;
}

struct upgrade *upgrade_free(struct upgrade *upgrade)
{
	free(upgrade);
	return NULL;
}

void upgrade_close(struct request *request)
{
	struct upgrade *upgrade = request->upgrade;

	if (!upgrade || !upgrade->handle)
		return;
	MHD_upgrade_action(steal_ptr(&upgrade->handle), MHD_UPGRADE_ACTION_CLOSE);
	listener_wake(request->connection->listener);
}

/* Called by libmicrohttpd when the last byte of the head is sent. It has suspended the connection,
 * and does not look at the socket until it is told to close it. */
static void on_upgrade(void *userdata, struct MHD_Connection *mhd _unused_, void *context _unused_,
	const char *bytes, size_t size, MHD_socket fd, struct MHD_UpgradeResponseHandle *handle)
{
	struct request *request = userdata;
	struct upgrade *upgrade = request->upgrade;
	int on = 1;

	upgrade->handle = handle;
	/* Whoever takes it watches it, and knows a peer that closed one side from one that left. */
	request->connection->watch = loop_source_free(request->connection->watch);
	if (!request->connection->is_unix)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (request->connection->hung_up || request->gone)
		upgrade_close(request);
	else
		upgrade->taken(request, fd, bytes, size, upgrade->userdata);
}

struct MHD_Response *upgrade_response(struct request *request)
{
	struct MHD_Response *response = MHD_create_response_for_upgrade(on_upgrade, request);

	if (response)
		MHD_add_response_header(
			response, MHD_HTTP_HEADER_UPGRADE, request->upgrade->protocol);
	return response;
}
