/* Questions to cloched and their answers, matched by cookie.
 *
 * What arrives is checked here as far as all answers are alike; each asker checks the body of its
 * own. A peer that breaks the protocol ends this process: cloched starts a clean one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/base/loop.h"
#include "supervisor/wire/api.h"
#include "supervisor/wire/channel.h"

#define CALLS_PENDING_MAX 8192

struct calls;

struct answer {
	uint16_t type;
	uint64_t cookie;
	const void *body; /* 8-byte aligned */
	size_t size;
	int *fds; /* what is taken is replaced by -1 */
	size_t n_fds;
	const struct wire_api_error *error; /* checked; NULL if `type` is not WIRE_API_ERROR */
};

enum answer_use {
	ANSWER_LAST = 0, /* the question is settled */
	ANSWER_MORE = 1, /* more answers will come to it */
};

/* Returns enum answer_use, or -EPROTO when the answer is malformed. */
typedef int (*answer_callback)(const struct answer *answer, void *userdata);
/* `reason` 0: cloched closed or died; -EPROTO: it broke the protocol; other -errno. */
typedef void (*calls_closed_callback)(int reason, void *userdata);

/* Takes `fd` over, also on failure. Returns 0 or -errno. */
int calls_new(struct loop *loop, int fd, calls_closed_callback closed, void *userdata,
	struct calls **ret_calls);
struct calls *calls_free(struct calls *calls);

struct question {
	uint16_t type;
	const void *body, *tail;
	size_t body_size, tail_size;
	answer_callback callback;
	void *userdata;
};

/* Returns 0, -EBUSY (too many questions are open), -EMSGSIZE, other -errno. */
int calls_ask(struct calls *calls, const struct question *question, uint64_t *ret_cookie);
/* Sends what has no answer, or one that nobody waits for. `cookie` 0: a fresh one. */
int calls_tell(
	struct calls *calls, uint16_t type, uint64_t cookie, const void *body, size_t body_size);
/* Later answers to `cookie` are dropped. */
void calls_forget(struct calls *calls, uint64_t cookie);

/* An answer that starts with struct wire_page, walked row by row. */
struct answer_rows {
	struct wire_page page;
	const char *next;
	size_t left;
};

/* Returns 0 or -EPROTO. */
int answer_rows_begin(struct answer_rows *rows, const struct answer *answer, uint16_t type);
/* Copies `size` bytes out: rows that follow a tail are not aligned. Returns 0 or -EPROTO. */
int answer_rows_take(struct answer_rows *rows, void *ret_row, size_t size);
/* Returns `size` bytes in place, NULL when fewer are left. */
const char *answer_rows_tail(struct answer_rows *rows, size_t size);
