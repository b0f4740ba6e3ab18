#include "api/calls/calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/table.h"
#include "supervisor/wire/strings.h"

struct pending {
	answer_callback callback;
	void *userdata;
};

struct calls {
	struct channel *channel;
	struct table *pending;
	uint64_t last_cookie;
	calls_closed_callback closed;
	void *userdata;
};

static int check_error(struct answer *answer)
{
	const struct wire_api_error *error = answer->body;

	if (answer->type != WIRE_API_ERROR)
		return 0;
	if (answer->size != sizeof(*error) || !WIRE_TEXT_VALID(error->detail) ||
		error->code < WIRE_CODE_INVALID || error->code > WIRE_CODE_PRECONDITION)
		return -EPROTO;
	answer->error = error;
	return 0;
}

/* The callback may ask, forget and be forgotten, so `pending` is not touched after it. */
static int on_message(
	struct channel *channel _unused_, struct channel_message *message, void *userdata)
{
	struct calls *calls = userdata;
	struct answer answer = {.type = message->header->type,
		.cookie = message->header->cookie,
		.body = message->body,
		.size = message->body_size,
		.fds = message->fds,
		.n_fds = message->n_fds};
	struct pending *pending = table_get(calls->pending, answer.cookie);
	int r = check_error(&answer);

	if (r < 0 || !pending)
		return r;
	r = pending->callback(&answer, pending->userdata);
	if (r == ANSWER_LAST)
		calls_forget(calls, answer.cookie);
	return r < 0 ? r : 0;
}

static void on_closed(struct channel *channel _unused_, int reason, void *userdata)
{
	struct calls *calls = userdata;

	/* A peer that ended with messages unread looks so (unix(7)). */
	if (reason == -ECONNRESET || reason == -EPIPE)
		reason = 0;
	calls->closed(reason, calls->userdata);
}

int calls_new(struct loop *loop, int fd, calls_closed_callback closed, void *userdata,
	struct calls **ret_calls)
{
	_cleanup_close_ int owned = fd;
	struct calls *calls = calloc(1, sizeof(*calls));
	int r = -ENOMEM;

	if (!calls)
		return r;
	calls->closed = closed;
	calls->userdata = userdata;
	r = table_new(CALLS_PENDING_MAX, &calls->pending);
	if (r == 0)
		r = channel_new(
			loop, steal_fd(&owned), on_message, on_closed, calls, &calls->channel);
	if (r < 0) {
		table_free(calls->pending);
		free(calls);
		return r;
	}
	*ret_calls = calls;
	return 0;
}

struct calls *calls_free(struct calls *calls)
{
	struct pending *pending;
	size_t position = 0;

	if (!calls)
		return NULL;
	channel_free(calls->channel);
	while ((pending = table_next(calls->pending, &position)))
		free(pending);
	table_free(calls->pending);
	free(calls);
	return NULL;
}

int calls_ask(struct calls *calls, const struct question *question, uint64_t *ret_cookie)
{
	struct pending *pending = malloc(sizeof(*pending));
	uint64_t cookie = ++calls->last_cookie;
	int r;

	if (!pending)
		return -ENOMEM;
	*pending = (struct pending){question->callback, question->userdata};
	r = table_put(calls->pending, cookie, pending);
	if (r < 0) {
		free(pending);
		return r == -ENOSPC ? -EBUSY : r;
	}
	r = channel_send(calls->channel, question->type, cookie, question->body,
		question->body_size, question->tail, question->tail_size, NULL, 0);
	if (r < 0) {
		calls_forget(calls, cookie);
		return r;
	}
	*ret_cookie = cookie;
	return 0;
}

int calls_tell(
	struct calls *calls, uint16_t type, uint64_t cookie, const void *body, size_t body_size)
{
	if (cookie == 0)
		cookie = ++calls->last_cookie;
	return channel_send(calls->channel, type, cookie, body, body_size, NULL, 0, NULL, 0);
}

void calls_forget(struct calls *calls, uint64_t cookie)
{
	free(table_take(calls->pending, cookie));
}

int answer_rows_begin(struct answer_rows *rows, const struct answer *answer, uint16_t type)
{
	if (answer->type != type || answer->size < sizeof(rows->page))
		return -EPROTO;
	memcpy(&rows->page, answer->body, sizeof(rows->page));
	rows->next = (const char *)answer->body + sizeof(rows->page);
	rows->left = answer->size - sizeof(rows->page);
	return 0;
}

int answer_rows_take(struct answer_rows *rows, void *ret_row, size_t size)
{
	const char *row = answer_rows_tail(rows, size);

	if (!row)
		return -EPROTO;
	memcpy(ret_row, row, size);
	return 0;
}

const char *answer_rows_tail(struct answer_rows *rows, size_t size)
{
	const char *tail = rows->next;

	if (size > rows->left)
		return NULL;
	rows->next += size;
	rows->left -= size;
	return tail;
}
