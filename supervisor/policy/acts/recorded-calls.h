/* Inside the policy room: the members of a record as acts. */
#pragma once

#include "supervisor/policy/acts/members.h"
#include "supervisor/policy/acts/recorded.h"

/* Nothing is known yet. */
void recorded_begin(const char *line, size_t size_bytes, struct policy_recorded *record);
/* The next act of the record, all of it empty; there is room. */
struct policy_recorded_act *recorded_act_add(
	struct policy_recorded *record, enum policy_act_kind kind);

/* "process.exec". */
bool recorded_read_exec(const struct member *list, struct policy_recorded *record);
/* "syscall.NAME" and "file.open". False: nothing that a policy decides. */
bool recorded_read_call(const struct member *list, struct policy_recorded *record);
/* "network.dns". */
bool recorded_read_query(const struct member *list, struct policy_recorded *record);
