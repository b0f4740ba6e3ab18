/* Inside the policy room: records of system calls, of files and programs, as acts. */
#pragma once

#include "supervisor/policy/acts/members.h"
#include "supervisor/policy/acts/recorded.h"

/* The next act of the record, all of it empty; there is room. */
struct policy_recorded_act *recorded_act_add(
	struct policy_recorded *record, enum policy_act_kind kind);

/* "process.exec". */
bool recorded_read_exec(const struct member *list, struct policy_recorded *record);
/* "syscall.NAME" and "file.open". False: nothing that a policy decides. */
bool recorded_read_call(const struct member *list, struct policy_recorded *record);
