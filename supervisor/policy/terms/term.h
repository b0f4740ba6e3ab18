/* What a policy bounds by a number: resources, budgets, times of the life cycle. */
#pragma once

#include "supervisor/policy/policy.h"

enum policy_term {
	POLICY_TERM_MEMORY,
	POLICY_TERM_DISK,
	POLICY_TERM_CPU, /* thousandths */
	POLICY_TERM_PIDS,
	POLICY_TERM_OPEN_FILES,
	POLICY_TERM_BYTES_OUT,
	POLICY_TERM_BYTES_IN,
	POLICY_TERM_CONNECTIONS,
	POLICY_TERM_DNS_QUERIES,
	POLICY_TERM_TIME_TO_LIVE, /* seconds */
	POLICY_TERM_AUTO_STOP,    /* seconds */
	POLICY_TERMS,             /* how many */
};

/* The policy's section and its key in there: "budgets", "connections". */
const char *policy_term_section(enum policy_term term);
const char *policy_term_key(enum policy_term term);

/* Reads "memory 512MiB", as a policy has the key and its value. Returns 0, or -EINVAL with a
 * sentence. */
int policy_term_parse(
	const char *text, enum policy_term *ret_term, uint64_t *ret_amount, struct failure *why);
#define POLICY_TERM_TEXT_SIZE 64
/* Writes the amount alone, as a policy may have it: "512MiB", "1.5", "90s", "1000". */
const char *policy_term_format(
	enum policy_term term, uint64_t amount, char ret_text[POLICY_TERM_TEXT_SIZE]);

/* The most that the policy allows; 0: no bound. */
uint64_t policy_term_limit(const struct policy *policy, enum policy_term term);
