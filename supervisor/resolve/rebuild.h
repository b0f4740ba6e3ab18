/* Inside the resolve room: MX, SRV and TXT records of an answer, taken apart and put together anew,
 * so that nothing passes but what these types have. */
#pragma once

#include <ldns/ldns.h>

#include "supervisor/resolve/reply.h"

/* Adds the data of one record of the type. What does not have the type's form, or names what no
 * host is called, is passed over. Returns 0, or -EMSGSIZE: it is more than `records` holds. */
int rebuild_record(const ldns_rr *record, struct reply_records *records);
