#include "supervisor/control/request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/log.h"

struct request *request_free(struct request *request)
{
	if (!request)
		return NULL;
	*request->place = request->next;
	if (request->next)
		request->next->place = request->place;
	free(request->query);
	free(request);
	return NULL;
}

/* A request of a cloche-api that has gone must not be answered to its successor, whose cookies
 * begin anew. */
static void send_out(struct request *request, uint16_t type, const void *body, size_t body_size,
	const void *tail, size_t tail_size, const int *fds, size_t n_fds)
{
	struct channel *channel = request->orphaned ? NULL : peer_channel(request->control->api);
	int r = channel ? channel_send(channel, type, request->cookie, body, body_size, tail,
				  tail_size, fds, n_fds)
			: -EPIPE;

	if (r < 0 && channel)
		log_error("an answer to cloche-api was not sent: %s", strerror(-r));
}

void request_send(struct request *request, uint16_t type, const void *body, size_t body_size,
	const int *fds, size_t n_fds)
{
	send_out(request, type, body, body_size, NULL, 0, fds, n_fds);
}

void request_answer(struct request *request, uint16_t type, const void *body, size_t body_size,
	const void *tail, size_t tail_size)
{
	send_out(request, type, body, body_size, tail, tail_size, NULL, 0);
	request_free(request);
}

void request_done(struct request *request)
{
	request_answer(request, WIRE_API_DONE, NULL, 0, NULL, 0);
}

void request_refuse(struct request *request, const struct refusal *why)
{
	struct wire_api_error body = {.code = why->code};

	snprintf(body.detail, sizeof(body.detail), "%s", why->sentence);
	request_answer(request, WIRE_API_ERROR, &body, sizeof(body), NULL, 0);
}

void request_fail(struct request *request, enum wire_api_code code, const char *format, ...)
{
	struct refusal why = {.code = code};
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why.sentence, sizeof(why.sentence), format, arguments);
	va_end(arguments);
	request_refuse(request, &why);
}

const struct tenant *request_scope(const struct request *request)
{
	return request->tenant_id ? tenants_get(request->control->core->tenants, request->tenant_id)
				  : NULL;
}

void rows_add(
	struct rows *rows, const void *row, size_t row_size, const void *tail, size_t tail_size)
{
	char *larger = realloc(rows->bytes, rows->size + row_size + tail_size + 1);

	if (!larger) {
		rows->failed = true;
		return;
	}
	memcpy(larger + rows->size, row, row_size);
	if (tail_size)
		memcpy(larger + rows->size + row_size, tail, tail_size);
	rows->bytes = larger;
	rows->size += row_size + tail_size;
	rows->page.n_rows++;
}

void rows_answer(struct rows *rows, struct request *request, uint16_t type)
{
	if (rows->failed)
		request_fail(request, WIRE_CODE_INTERNAL, "Out of memory.");
	else
		request_answer(
			request, type, &rows->page, sizeof(rows->page), rows->bytes, rows->size);
	free(rows->bytes);
}
