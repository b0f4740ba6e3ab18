/* Recorded acts: a line of the audit log as an act that a policy can be asked about again. */
#pragma once

#include "supervisor/policy/act.h"

#define POLICY_RECORDED_TIME_SIZE 40

enum policy_recorded_kind {
	POLICY_RECORDED_OTHER,  /* nothing that a policy decides */
	POLICY_RECORDED_ACT,    /* `act`, and what was decided */
	POLICY_RECORDED_CREATE, /* a sandbox was made: `template`, `labels` */
	POLICY_RECORDED_DIAL,   /* the relay dialled `act.address` for the name `act.name` */
};

struct policy_recorded {
	enum policy_recorded_kind kind;
	uint64_t sequence, sandbox;
	char time[POLICY_RECORDED_TIME_SIZE]; /* RFC 3339 */
	struct policy_act act;
	bool allowed;
	char template[64];
	const char *line; /* borrowed: for what is not read here */
	size_t size_bytes;
};

/* Reads a line. Acts that were denied for other reasons than the policy's (a budget, no gate, a
 * kind of socket) are POLICY_RECORDED_OTHER: another policy would change nothing. Returns 0,
 * -EBADMSG when the line is no record, -ENOMEM. */
int policy_recorded_read(const char *line, size_t size_bytes, struct policy_recorded *ret_record);

/* Whether a POLICY_RECORDED_CREATE has the label "key=value". */
bool policy_recorded_has_label(const struct policy_recorded *record, const char *label);
