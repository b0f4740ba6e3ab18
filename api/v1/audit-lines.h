/* Records as they come from cloched, written as a client wants to read them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "api/text/writer.h"
#include "api/v1/audit-query.h"

/* `lines` must be `n_records` records, each ended by a newline: -EPROTO otherwise; 0, and what
 * could not be written is the writer's failure. */
int audit_lines_write(struct writer *writer, struct audit_form form, const char *lines, size_t size,
	uint32_t n_records);
/* A sign of life for whoever is in between, in a form that readers pass over. */
void audit_lines_keep_alive(struct writer *writer, struct audit_form form);
const char *audit_lines_type(struct audit_form form);
