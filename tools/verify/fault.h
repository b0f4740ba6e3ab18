/* The first place that is wrong: what kind of wrong, where, what was expected and what was found.
 *
 * Functions that check return a `enum verdict`; what is no VERDICT_VALID has filled the fault. */
#pragma once

#include <stdint.h>
#include <stdio.h>

#define FAULT_TEXT_SIZE 256

enum verdict {
	VERDICT_VALID = 0,   /* so far */
	VERDICT_INVALID = 1, /* the log is not what was signed */
	VERDICT_FAILED = 2,  /* it could not be checked: usage, a file that cannot be read */
};

/* X(enumerator, name in the output) */
#define FAULT_KINDS(X)                                                                             \
	X(FAULT_FAILED, "failed")                        /* no verdict: input and output */        \
	X(FAULT_RECORD_CHANGED, "record-changed")        /* another line than was signed */        \
	X(FAULT_RECORD_DELETED, "record-deleted")        /* a sequence is missing */               \
	X(FAULT_RECORD_INSERTED, "record-inserted")      /* a line too many */                     \
	X(FAULT_RECORD_REORDERED, "record-reordered")    /* lines have changed places */           \
	X(FAULT_RECORD_MALFORMED, "record-malformed")    /* no record as the log writes it */      \
	X(FAULT_TRUNCATED, "truncated")                  /* shorter than what was signed */        \
	X(FAULT_SEGMENT_MISSING, "segment-missing")      /* and nothing explains it */             \
	X(FAULT_SEGMENT_MISPLACED, "segment-misplaced")  /* holds another's records */             \
	X(FAULT_HISTORY, "history-rewritten")            /* root is not the signed one */          \
	X(FAULT_TILE, "tile")                            /* a tile missing or wrong */             \
	X(FAULT_CHECKPOINT_FORM, "checkpoint-malformed") /* no note, or no checkpoint in it */     \
	X(FAULT_SIGNATURE, "signature")                  /* not by the log's key */                \
	X(FAULT_CHECKPOINT_ORDER, "checkpoint-order")    /* sizes, epochs, numbers go back */      \
	X(FAULT_CHECKPOINT_MISSING,                                                                \
		"checkpoint-missing")             /* number skipped, newest not in history */      \
	X(FAULT_CHECKPOINT_GAP, "checkpoint-gap") /* silence longer than --max-gap */              \
	X(FAULT_UNSIGNED, "unsigned")             /* records that no checkpoint covers */          \
	X(FAULT_CERTIFICATE, "certificate")       /* a key that its elder did not certify */       \
	X(FAULT_KEY, "key")                       /* the given key is none of this log's */        \
	X(FAULT_ROLLED_BACK, "rolled-back")       /* a witness holds a larger tree */              \
	X(FAULT_FORKED, "forked")                 /* two histories by one key */                   \
	X(FAULT_STREAM, "stream")                 /* sandbox_seq is not dense */                   \
	X(FAULT_END, "end-forged")                /* END does not match its records */             \
	X(FAULT_LOST, "lost-mismatch")            /* losses do not add up */                       \
	X(FAULT_RETENTION, "retention")           /* does not explain what is gone */              \
	X(FAULT_PROOF, "proof")                   /* does not lead to the signed root */

enum fault_kind {
#define X(kind, name) kind,
	FAULT_KINDS(X)
#undef X
};

struct fault {
	enum fault_kind kind;
	char file[FAULT_TEXT_SIZE]; /* "" when it is about no file */
	uint64_t line;              /* of that file; 0: not about a line */
	uint64_t sequence;          /* 0: not about a record */
	char what[FAULT_TEXT_SIZE];
	char expected[FAULT_TEXT_SIZE], found[FAULT_TEXT_SIZE]; /* may be empty */
};

const char *fault_name(enum fault_kind kind);

/* Begins the fault and returns VERDICT_INVALID (VERDICT_FAILED for FAULT_FAILED). */
enum verdict fault_set(struct fault *fault, enum fault_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Each adds to a fault that has begun. */
void fault_at(struct fault *fault, const char *file, uint64_t line, uint64_t sequence);
void fault_expected(struct fault *fault, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void fault_found(struct fault *fault, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* One sentence for people, one member list for programs; what a log says is escaped in both. */
void fault_print(FILE *file, const struct fault *fault);
void fault_print_json(FILE *file, const struct fault *fault);
/* A JSON string. */
void text_print_json(FILE *file, const char *text);
