/* A policy, broken in one place at a time: whether its cases would notice. */
#pragma once

#include "supervisor/base/failure.h"
#include "supervisor/policy/policy.h"

/* Called for each mutant, with what was done to it. */
typedef void (*mutant_callback)(const char *what, const struct policy *mutant, void *userdata);

/* From the policy in `text`, with what it extends put in: without each rule, port, previewed port,
 * call, secret and device in turn, with each device that is not listed; each name's `tls` and
 * `private` turned to the wider or narrower; another profile; each amount twice, half and without
 * bound; with every port previewed, and with a rule that allows every address. Mutants that the
 * language refuses are passed over, and so are those that mean the same. Returns 0, or -errno with
 * `why`. */
int mutants_each(const char *path, const char *text, size_t size, mutant_callback each,
	void *userdata, struct failure *why);
