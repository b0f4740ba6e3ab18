/* Rows of usage as they come from cloched. */
#pragma once

#include "api/calls/calls.h"
#include "api/http/request.h"

/* usage-history.c: answers what was asked for with "since". */
bool usage_has_range(struct request *request);
void usage_over_time(struct request *request, uint32_t scope, uint64_t sandbox, const char *tenant);
/* The member "memory_gib_seconds". */
void usage_write_gib_seconds(struct writer *writer, uint64_t mib_ms);

/* Takes the next row and checks it. Returns 0 or -EPROTO. */
int usage_take_row(struct answer_rows *rows, struct wire_usage_row *ret_row);
