/* cloche-verify's command line. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Exit codes. */
enum exit_code {
	EXIT_VALID = 0,
	EXIT_INVALID = 1,
	EXIT_FAILED = 2, /* usage, input and output: nothing was said about the log */
};

struct settings {
	const char *key, *keys, *witness, *proofs, *proof, *tiles;
	bool json, sealed, has_sandbox, has_range;
	uint64_t sandbox, from, to, max_gap_ns;
	char *const *words; /* what is no option; ends with NULL */
	int n_words;
};

/* Each checks and prints; returns an exit code. */
int command_log(const struct settings *settings);
int command_stream(const struct settings *settings);
int command_proof(const struct settings *settings);
int command_consistency(const struct settings *settings);
