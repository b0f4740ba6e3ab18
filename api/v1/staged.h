/* Staged versions of policies in answers. */
#pragma once

#include "api/calls/calls.h"
#include "api/text/writer.h"
#include "supervisor/wire/policies.h"

/* Takes the row that goes before those of an answer. Returns 0 or -EPROTO. */
int staged_take(struct answer_rows *rows, struct wire_policy_staged *ret_staged);
/* Its members, in an object that is open. */
void staged_write(struct writer *writer, const struct wire_policy_staged *staged);
