/* Rows of usage as they come from cloched. */
#pragma once

#include "api/calls/calls.h"

/* Takes the next row and checks it. Returns 0 or -EPROTO. */
int usage_take_row(struct answer_rows *rows, struct wire_usage_row *ret_row);
