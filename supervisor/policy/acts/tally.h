/* The different acts of many records, each with how often and when: what replaying and learning
 * work on, whatever the log's length. */
#pragma once

#include "supervisor/policy/acts/recorded.h"

#define TALLY_ROWS_MAX 1000000 /* different acts */

struct tally_row {
	struct policy_act act;
	bool allowed;        /* what was decided */
	bool is_private;     /* of a name: the relay dialled a private address for it */
	bool in_directory;   /* WRITE: an entry of the directory around was made or taken away */
	bool made_directory; /* WRITE: it is a directory that was made */
	uint64_t n;          /* records; 0: none, so the act was not met */
	uint64_t sequence;   /* of the first */
	uint64_t sandbox;    /* of the first */
	char first[POLICY_RECORDED_TIME_SIZE], last[POLICY_RECORDED_TIME_SIZE];
};

struct tally {
	struct tally_row *rows; /* in the order in which they were met */
	size_t n, room;
	uint32_t *slots; /* open addressing: place in `rows` plus 1; 0: free */
	size_t n_slots;  /* a power of two */
};

/* Counts the acts of a record; no more than one row for what is the same. Returns 0, -E2BIG,
 * -ENOMEM. */
int tally_add(struct tally *tally, const struct policy_recorded *record);
/* Notes that a private address was dialled for a name, if it was (POLICY_RECORDED_DIAL). The
 * relay's record may come before the kernel's, so there may be rows that no record of an act was
 * met for: their `n` is 0. Returns as above. */
int tally_note_dial(struct tally *tally, const struct policy_recorded *record);
/* The row of an act with this verdict that records were met for; NULL: none. */
const struct tally_row *tally_get(
	const struct tally *tally, const struct policy_act *act, bool allowed);
/* Looks up the levels of all system calls in it. Records of calls that are not known (the log is of
 * another machine) become none, `n` of them 0; returns how many there were. */
uint64_t tally_know_calls(struct tally *tally, const struct policy_calls *calls);
void tally_fini(struct tally *tally);
