/* Which part of a policy decides on an act that no numbered rule is about. */
#pragma once

#include "supervisor/policy/acts/trial.h"

#define POLICY_PART_SIZE 320 /* the longest: a section's key, and a path; others are cut */

/* Writes "files.read_only /workspace", "syscalls.deny ptrace", "executables.allow /usr/bin"; the
 * section alone ("files", "executables.allow", "syscalls.profile default") where no entry of it is
 * for the act. It is the policy's own text and bounded by its length, whatever programs do. Of acts
 * that are not files', calls' or programs': "". */
const char *policy_part(
	const struct policy *policy, const struct policy_act *act, char ret_text[POLICY_PART_SIZE]);
