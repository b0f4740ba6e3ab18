/* Answers that are one list: {"NAME": [row, …]}. */
#pragma once

#include "api/calls/calls.h"
#include "api/http/request.h"

/* Takes one row off `rows` and writes it. Returns 0 or -EPROTO. */
typedef int (*list_row)(struct writer *writer, struct answer_rows *rows);

/* Answers 200 with all rows of an answer of `type`. Returns ANSWER_LAST or -EPROTO. */
int list_respond(struct request *request, const struct answer *answer, uint16_t type,
	const char *name, list_row row);
