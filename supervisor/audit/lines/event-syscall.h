/* Inside the audit room: what a record of a system call says. */
#pragma once

#include "supervisor/audit/segments/log-file.h"

/* The record's type, in `buffer` or for ever; NULL when the event is not whole, or says what no
 * program of ours says. */
const char *event_syscall_type(const struct audit *audit, const struct abi_event_header *event,
	char buffer[AUDIT_TYPE_SIZE]);
/* Adds its body. The type must have been found. */
void event_syscall_add(
	const struct audit *audit, struct json_line *line, const struct abi_event_header *event);
