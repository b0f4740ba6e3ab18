#include "supervisor/gate/inlets/inlet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "supervisor/gate/flows/relay.h"
#include "supervisor/gate/named.h"

#define BUFFER_BYTES_MIN 4096 /* most hellos and request heads */

void inlet_init(struct inlet *inlet, const char *name, uint16_t port, bool needs_tls)
{
	*inlet = (struct inlet){.is_checked = false};
	inspect_init(&inlet->inspect, name, port, needs_tls);
}

void inlet_fini(struct inlet *inlet)
{
	free(inlet->buffer);
	inlet->buffer = NULL;
}

bool inlet_is_open(const struct flow *flow)
{
	return flow->named && (!flow->named->inlet.is_checked || flow->named->inlet.n_buffer > 0);
}

bool inlet_is_refused(const struct flow *flow)
{
	return flow->named && flow->named->inlet.is_refused;
}

/* Room to read into. The check refuses what does not fit, so there is always some. */
static int make_room(struct inlet *inlet)
{
	size_t size = inlet->n_buffer_max ? 2 * inlet->n_buffer_max : BUFFER_BYTES_MIN;
	uint8_t *buffer;

	if (inlet->n_buffer < inlet->n_buffer_max)
		return 0;
	if (size > INSPECT_HELD_MAX)
		return -EMSGSIZE;
	buffer = realloc(inlet->buffer, size);
	if (!buffer)
		return -ENOMEM;
	inlet->buffer = buffer;
	inlet->n_buffer_max = size;
	return 0;
}

static void take_verdict(struct flow *flow, enum inspect_verdict verdict, size_t release_bytes)
{
	struct inlet *inlet = &flow->named->inlet;
	struct direction *direction = &flow->directions[INNER];

	switch (verdict) {
	case INSPECT_GO_ON:
		direction->held_bytes += (uint32_t)release_bytes;
		return;
	case INSPECT_DONE:
		direction->held_bytes = (uint32_t)inlet->n_buffer;
		inlet->is_checked = true;
		return;
	case INSPECT_REFUSE:
		inlet->is_refused = true;
		return;
	}
}

bool inlet_read(struct flow *flow)
{
	struct inlet *inlet = &flow->named->inlet;
	struct side *client = &flow->sides[INNER];
	enum inspect_verdict verdict;
	size_t release_bytes = 0;
	ssize_t got;
	int r = make_room(inlet);

	if (r < 0) {
		relay_fail(flow, INNER, r, false);
		return false;
	}
	got = recv(client->fd, inlet->buffer + inlet->n_buffer,
		inlet->n_buffer_max - inlet->n_buffer, MSG_DONTWAIT);
	if (got < 0 && errno == EAGAIN)
		client->readable = false;
	else if (got < 0 && errno != EINTR)
		relay_fail(flow, INNER, -errno, false);
	else if (got == 0)
		flow->directions[INNER].at_end = true;
	if (got <= 0)
		return got < 0 && errno == EINTR;
	relay_note_read(client, (size_t)got, inlet->n_buffer_max - inlet->n_buffer);
	inlet->n_buffer += (size_t)got;
	verdict = inspect_feed(&inlet->inspect, inlet->buffer + inlet->n_buffer - got, (size_t)got,
		&release_bytes);
	take_verdict(flow, verdict, release_bytes);
	return verdict == INSPECT_GO_ON && flow->directions[INNER].held_bytes == 0;
}

/* An emptied buffer goes once nothing is to be checked, or if a long head made it large. */
static void shrink(struct inlet *inlet)
{
	if (inlet->n_buffer > 0 || (!inlet->is_checked && inlet->n_buffer_max <= BUFFER_BYTES_MIN))
		return;
	inlet_fini(inlet);
	inlet->n_buffer_max = 0;
}

size_t inlet_step(struct flow *flow)
{
	struct inlet *inlet = &flow->named->inlet;
	struct direction *direction = &flow->directions[INNER];
	struct side *server = &flow->sides[OUTER];
	ssize_t sent;

	if (direction->held_bytes == 0) {
		inlet_read(flow);
		return 0;
	}
	sent = send(server->fd, inlet->buffer, direction->held_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno == EAGAIN)
		server->writable = false;
	else if (sent < 0 && errno != EINTR)
		relay_fail(flow, OUTER, -errno, true);
	if (sent <= 0)
		return 0;
	direction->held_bytes -= (uint32_t)sent;
	inlet->n_buffer -= (size_t)sent;
	memmove(inlet->buffer, inlet->buffer + sent, inlet->n_buffer);
	shrink(inlet);
	return (size_t)sent;
}

bool inlet_awaits_server(const struct flow *flow)
{
	return flow->named && !flow->named->inlet.is_checked &&
	       inspect_awaits_server(&flow->named->inlet.inspect);
}

bool inlet_show_server(struct flow *flow, const char *bytes, size_t n_bytes)
{
	struct inlet *inlet;
	enum inspect_verdict verdict;

	if (!inlet_awaits_server(flow))
		return true;
	inlet = &flow->named->inlet;
	if (n_bytes <= inlet->n_shown)
		return true;
	verdict = inspect_server_said(
		&inlet->inspect, (const uint8_t *)bytes + inlet->n_shown, n_bytes - inlet->n_shown);
	inlet->n_shown = n_bytes;
	take_verdict(flow, verdict, 0);
	return verdict != INSPECT_REFUSE;
}

void inlet_server_sent(struct flow *flow, size_t n_bytes)
{
	struct inlet *inlet = flow->named ? &flow->named->inlet : NULL;

	if (inlet)
		inlet->n_shown -= n_bytes < inlet->n_shown ? n_bytes : inlet->n_shown;
}
