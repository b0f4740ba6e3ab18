/* Candidates in requests and answers. */
#pragma once

#include "api/text/fields.h"
#include "api/text/writer.h"
#include "supervisor/wire/templates.h"

/* Member "shadow": a policy's name, or null, which leaves `ret_policy` empty. Returns whether it is
 * there; what is neither is refused. */
bool shadow_read(struct fields *fields, char ret_policy[WIRE_NAME_SIZE]);
/* {"name", "asked", "not_asked"}, or null. */
void shadow_write_state(struct writer *writer, const struct wire_shadow_state *state);
