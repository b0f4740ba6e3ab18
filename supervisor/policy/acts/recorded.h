/* Recorded acts: a line of the audit log as acts that a policy can be asked about again. */
#pragma once

#include "supervisor/policy/acts/act.h"

#define POLICY_RECORDED_TIME_SIZE 40
#define POLICY_RECORDED_ACTS_MAX 3 /* of one line: a rename is a call, and changes two paths */

enum policy_recorded_kind {
	POLICY_RECORDED_OTHER,  /* nothing that a policy decides */
	POLICY_RECORDED_ACTS,   /* `acts`, and what was decided; `passed` */
	POLICY_RECORDED_CREATE, /* a sandbox was made: `template`, `labels`, `calls` */
	POLICY_RECORDED_DIAL,   /* the relay dialled an address for a name: those of `acts[0]` */
	POLICY_RECORDED_SWAP,   /* a sandbox was put under another policy: `calls` */
	POLICY_RECORDED_LOST,   /* `n_lost` records are not in the log */
};

/* Why a policy cannot be asked again about something that was done. */
enum policy_passed {
	POLICY_PASSED_RELATIVE, /* a path is relative to what is not recorded, or leads back by ".."
				   over a name of its own */
	POLICY_PASSED_CUT,      /* a path is not whole, or has bytes that are no text */
	POLICY_PASSED_OWN,      /* it lies in /proc, /sys or /dev, which are no policy's */
	POLICY_PASSED_FAILED,   /* it failed for what it found there, whatever a policy says */
	POLICY_PASSED_UNCLEAR,  /* the filter of calls refused it by its arguments, or the kernel */
	POLICY_PASSED_CALL,     /* the call has no name here: it is of another table */
	POLICY_PASSED_ANSWER,   /* the answer says nothing of what the policy said */
	POLICY_PASSED,          /* how many */
};

/* Which calls a sandbox's policy has recorded, as far as a line says. */
enum policy_recorded_calls {
	POLICY_RECORDED_CALLS_UNKNOWN,
	POLICY_RECORDED_CALLS_USUAL, /* those of policy_audit_defaults, and maybe more */
	POLICY_RECORDED_CALLS_OTHER,
};

struct policy_recorded_act {
	struct policy_act act; /* of a call, `call_level` is not looked up */
	bool allowed;
	bool in_directory;   /* WRITE: an entry of the directory around was made or taken away */
	bool made_directory; /* WRITE: it is a directory that was made */
};

struct policy_recorded {
	enum policy_recorded_kind kind;
	uint64_t sequence, sandbox;
	char time[POLICY_RECORDED_TIME_SIZE]; /* RFC 3339 */
	uint8_t n_acts;
	uint8_t passed[POLICY_PASSED]; /* how many acts, by reason */
	bool shows_opens;              /* it is of a file that was opened, or was to be */
	bool executes_unknown;         /* it is of a program that has no whole path */
	enum policy_recorded_calls calls;
	uint64_t n_lost;
	struct policy_recorded_act acts[POLICY_RECORDED_ACTS_MAX];
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

/* Where a line that is no record stops to be one, in words: "column 17: …". */
#define POLICY_RECORDED_FAULT_SIZE 224
void policy_recorded_fault(
	const char *line, size_t size_bytes, char ret_text[POLICY_RECORDED_FAULT_SIZE]);
