/* Checkpoints one after the other: the history of a log, or what a witness kept of it. */
#pragma once

#include "tools/verify/log/files.h"
#include "tools/verify/notes/keyring.h"

#define HISTORY_PATH_SIZE 256

struct history {
	const struct keyring *keyring; /* borrowed */
	int dir_fd;                    /* borrowed */
	uint64_t *files;               /* checkpoints/N.notes; NULL: one file, already open */
	size_t n_files, next_file;
	_Bool alone; /* a witness's: in any order of epochs, but none older than the given key */
	int fd;
	struct lines lines;
	char path[HISTORY_PATH_SIZE];
	uint64_t line; /* where the note begins */
	char bytes[NOTE_BYTES_MAX];
	size_t size; /* of the note in `bytes`, without the empty line after it */
	struct checkpoint checkpoint;
	size_t epoch; /* that signed it */
	_Bool there;  /* a checkpoint was read; false at the end */
	_Bool torn;   /* the last note is cut off in the middle: a crash */
};

/* All of <dir>/checkpoints, or one file of notes with an empty line after each. */
enum verdict history_open(
	struct history *history, const struct keyring *keyring, int dir_fd, struct fault *fault);
enum verdict history_open_file(struct history *history, const struct keyring *keyring, int dir_fd,
	const char *path, struct fault *fault);
void history_fini(struct history *history);
/* Reads the next note and checks its form and signature. `there` is false when there is none. */
enum verdict history_next(struct history *history, struct fault *fault);
