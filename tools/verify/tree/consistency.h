/* Two checkpoints of one log: the larger tree must begin with the smaller one. */
#pragma once

#include "tools/verify/notes/keyring.h"

/* One of both: the log's directory, whose tiles are read, or a file with a proof. */
struct consistency_source {
	int dir_fd; /* -1: none */
	const char *proof;
};

/* `name`: a file with a note, or, with a directory, the size of a checkpoint in its history. */
enum verdict consistency_read(const struct keyring *keyring, const char *name,
	const struct consistency_source *source, struct checkpoint *ret_checkpoint,
	struct fault *fault);
enum verdict consistency_check(const struct checkpoint *older, const struct checkpoint *newer,
	const struct consistency_source *source, struct fault *fault);
