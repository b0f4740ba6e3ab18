/* A whole log, from its first record to its last, in one pass and constant memory. */
#pragma once

#include "tools/verify/fault.h"
#include "tools/verify/notes/keyring.h"

struct log_options {
	const char *witness; /* file of checkpoints that somebody else kept; NULL: none */
	uint64_t max_gap_ns; /* between checkpoints while the daemon ran; 0: any */
	_Bool sealed;        /* records that no checkpoint covers are a fault */
	_Bool has_sandbox;   /* tell of this one in the summary */
	uint64_t sandbox;
};

struct log_summary {
	char origin[NOTE_NAME_SIZE];
	uint64_t n_records;  /* in the tree and after it, removed ones included */
	uint64_t first_kept; /* sequence; 1 unless segments were removed */
	uint64_t n_signed;   /* covered by the newest checkpoint */
	uint64_t n_segments, n_checkpoints, n_epochs, n_witnessed;
	uint64_t n_lost;                      /* told by records */
	uint64_t n_started, n_ended, n_alive; /* sandboxes */
	uint64_t n_headless;     /* of those that ended, without a head: a crash before it */
	uint64_t longest_gap_ns; /* between checkpoints while the daemon ran */
	uint64_t n_stops;        /* times that it did not run */
	uint64_t torn_bytes;     /* half a line at the end, left by a crash */
	uint64_t size_bytes;
	uint64_t sandbox_records; /* of the sandbox that was asked about */
	_Bool sandbox_started, sandbox_ended;
};

/* `dir_fd` is the log's directory, which holds log/, tile/, checkpoint, checkpoints/. */
enum verdict log_check(int dir_fd, const struct keyring *keyring, const struct log_options *options,
	struct log_summary *ret_summary, struct fault *fault);

/* The newest checkpoint, as <dir>/checkpoint has it. `ret_bytes` holds NOTE_BYTES_MAX. */
enum verdict log_newest(int dir_fd, const struct keyring *keyring, char *ret_bytes,
	size_t *ret_size, struct checkpoint *ret_checkpoint, struct fault *fault);
