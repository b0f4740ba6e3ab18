/* An act, what a policy says to it, and why, in words. */
#pragma once

#include <jansson.h>

#include "supervisor/policy/acts/trial.h"

#define OPINION_TEXT_SIZE 512

/* "allow" or "deny". */
const char *opinion_verdict(const struct policy_opinion *opinion);
/* A sentence that names the layer and, where there is one, the rule. */
const char *opinion_why(const struct policy *policy, const struct policy_act *act,
	const struct policy_opinion *opinion, char ret_text[OPINION_TEXT_SIZE]);
/* {"act", "verdict", "layer"[, "mode"][, "rule"][, "tls", "private"], "why"}; NULL when memory is
 * out. */
json_t *opinion_json(const struct policy *policy, const struct policy_act *act,
	const struct policy_opinion *opinion);

/* "TLS or plain HTTP for the name", … */
const char *opinion_tls(enum policy_tls tls);
/* "pypi.org, port 443" */
const char *opinion_rule(const struct policy *policy, uint16_t rule, char *text, size_t size);
