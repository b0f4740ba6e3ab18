/* Audit records as events of the Open Cybersecurity Schema Framework, version 1.7.0
 * (schema.ocsf.io).
 *
 * network.*: Network Activity (4001); process.*: Process Activity (1007); file.*: File System
 * Activity (1001); api.call: API Activity (6003); all others: Base Event (0). Nothing is lost: the
 * members of a record are moved to the attributes that stand for them, and those that have none
 * stay under `unmapped`, named as they were. */
#pragma once

#include <jansson.h>
#include <stddef.h>

#define OCSF_VERSION "1.7.0"

/* Takes `record` over. A class whose required attributes the record cannot fill becomes a Base
 * Event. Returns a new object, NULL when memory was out. */
json_t *ocsf_event(json_t *record);

/* The same from a line of the log, without its newline. A line that is no JSON object becomes a
 * Base Event that holds it as `raw_data`. */
json_t *ocsf_event_of_line(const char *line, size_t size);
