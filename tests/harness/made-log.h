/* Audit logs made without the daemon, by rules written down a second time: naive, in memory, with
 * the secret key at hand, so that a test can also do what only its holder could.
 *
 * A log is a list of lines, checkpoints and keys. made_log_write() hashes and signs it all anew, so
 * a change of the list before it is the key holder's forgery; a change of a file after it is
 * anybody's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MADE_KEYS_MAX 4
#define MADE_SANDBOXES_MAX 16
#define MADE_HEARTBEAT_NS 10000000000ull

struct made_note {
	uint64_t size, time_ns, lost;
	char reason[16];
	size_t key;     /* index of the key that signs it */
	size_t segment; /* index of the segment in whose file it is */
};

struct made_sandbox {
	uint64_t id, n;
	uint8_t head[32];
	bool alive;
};

struct made_log {
	char origin[64];
	void *keys[MADE_KEYS_MAX];       /* EVP_PKEY */
	uint64_t since[MADE_KEYS_MAX];   /* tree size of its certificate */
	void *certifiers[MADE_KEYS_MAX]; /* who signs its certificate; the one before it */
	size_t n_keys;
	char **lines;
	size_t n_lines;
	struct made_note *notes;
	size_t n_notes;
	uint64_t *segments; /* first sequences */
	bool *removed;      /* by retention: the file is not written */
	size_t n_segments;
	uint64_t lost, time_ns;
	bool numbered; /* notes have numbers */
	size_t n_unnumbered,
		number_gap; /* the first have none all the same; the next has 1 + gap */
	bool sparse;        /* tiles are written only for the newest size: quick for a large log */
	struct made_sandbox sandboxes[MADE_SANDBOXES_MAX];
};

/* Keys come from `seed`: the same seed makes the same keys. */
struct made_log *made_log_new(uint8_t seed);
struct made_log *made_log_free(struct made_log *log);

/* One more record; `rest` is what follows the type, with its comma, or "". */
void made_log_add(struct made_log *log, const char *type, const char *rest);
/* A sandbox's records, of tenant 1: sandbox.create first, sandbox.end last with what belongs into
 * it. */
void made_log_sandbox(struct made_log *log, uint64_t id, const char *type);
void made_log_lose(struct made_log *log, uint64_t n);
/* Takes the place of a line; the sequence is the caller's to keep. */
void made_log_replace(struct made_log *log, uint64_t sequence, const char *line);
void made_log_note(struct made_log *log, const char *reason);
/* A `rotate` checkpoint and a new segment. */
void made_log_rotate(struct made_log *log);
/* A new key, certified by the old one. */
void made_log_rekey(struct made_log *log);
/* A record of retention for the oldest segment that is there, which will not be written. */
void made_log_retain(struct made_log *log);

/* Writes everything below `directory`, which must be there. */
void made_log_write(const struct made_log *log, const char *directory);
/* "origin+hash+key" of a key, by index. */
void made_log_vkey(const struct made_log *log, size_t key, char ret_text[static 160]);
/* A note as the log would sign it, for a tree of its first `size` records. Returns its size. */
size_t made_log_sign(
	const struct made_log *log, const struct made_note *note, char *ret_text, size_t room);
/* Root of the tree of the lines [start, end), and the leaf of one. */
void made_log_root(const struct made_log *log, uint64_t start, uint64_t end, uint8_t ret_root[32]);
/* An inclusion proof in JSON, with its record, for the checkpoint `note`. */
void made_log_proof(const struct made_log *log, uint64_t sequence, const struct made_note *note,
	char *ret_text, size_t room);
/* A consistency proof in JSON. */
void made_log_consistency(
	const struct made_log *log, uint64_t from, uint64_t to, char *ret_text, size_t room);
