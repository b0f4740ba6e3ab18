/* Inside the policy room: the arguments of an act that is a system call. */
#pragma once

#include "supervisor/policy/acts/act.h"

/* Reads what stands behind the name, which `act` has already. Returns NULL, or what is wrong. */
const char *act_read_arguments(const char *text, struct policy_act *act);
/* Writes each as " INDEX=VALUE"; returns as snprintf(3). */
size_t act_format_arguments(const struct policy_act *act, char *text, size_t size);
