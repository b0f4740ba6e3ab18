/* Inside the command policy test --mutate: a policy that is broken in one place at a time. */
#pragma once

#include <jansson.h>

#include "tools/policy/test/mutants.h"

struct mutation {
	const char *path;
	const json_t *original;
	const struct policy *policy; /* of the original */
	mutant_callback each;
	void *userdata;
};

/* Takes over `document`, and passes it on if it is another policy. */
void mutation_give(const struct mutation *mutation, json_t *document, const char *what);

/* In mutants-calls.c: each rule for arguments of system calls made wider and narrower. */
void mutate_call_rules(const struct mutation *mutation);
