/* A table of acts and the verdicts that a policy must give them:
 *
 *   {"version": 1, "policy": "python-pip", "cases": [
 *     {"act": "connect pypi.org:443", "verdict": "allow", "rule": 0, "tls": "require"},
 *     {"act": "connect pypi.org:80", "verdict": "deny", "description": "no plain HTTP"}]}
 *
 * `rule`, `tls`, `private` are compared where they are given. Acts are judged by the policy as it
 * is written, so "mode" of the table (left out: "enforce") must be the policy's: else a policy that
 * learns would pass with all its denials, and deny nothing. */
#pragma once

#include <stdbool.h>

#include "supervisor/policy/acts/trial.h"
#include "tools/policy/file.h"

struct cases_row {
	struct policy_act act;
	bool allow, has_rule, has_tls, has_private, is_private;
	uint16_t rule;
	enum policy_tls tls;
};

struct cases {
	char policy[POLICY_NAME_SIZE];
	enum policy_mode mode;
	struct cases_row *rows;
	size_t n_rows;
};

/* Reads and checks a file, by `read`. Returns 0, or -errno with `why`, whose location is "file:
 * /pointer". */
int cases_read(
	const char *path, policy_file_reader read, struct cases *ret_cases, struct failure *why);
void cases_fini(struct cases *cases);

/* True if the opinion is what the row says. */
bool cases_agree(const struct cases_row *row, const struct policy_opinion *opinion);
