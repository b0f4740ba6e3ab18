/* A made log in a directory of its own, checked in this process. */
#pragma once

#include "tests/harness/made-log.h"
#include "tools/verify/log/log.h"

#define SEGMENT_1 "log/00000000000000000001.jsonl"
#define SEGMENT_2 "log/00000000000000000301.jsonl"
#define SEGMENT_3 "log/00000000000000000601.jsonl"
#define NOTES_2 "checkpoints/00000000000000000301.notes"

struct verify_scene {
	char directory[64];
	struct made_log *log;
	char vkey[160];
	struct log_options options;
	struct log_summary summary;
	struct fault fault;
};

/* 692 records in three segments, of sandboxes 0xa to 0xc that overlap; two keys. Not written yet.
 */
void verify_scene_begin(struct verify_scene *scene);
void verify_scene_end(struct verify_scene *scene);
/* What the log of a scene is made of; for a second one. */
void verify_scene_fill(struct made_log *log);

enum verdict verify_scene_check(struct verify_scene *scene);
/* Not valid, for this reason, at this record (0: at any). */
void verify_scene_expect(struct verify_scene *scene, enum fault_kind kind, uint64_t sequence);

/* Files below the directory. */
char *verify_scene_load(const struct verify_scene *scene, const char *name, size_t *ret_size);
void verify_scene_store(
	const struct verify_scene *scene, const char *name, const char *bytes, size_t size);
void verify_scene_remove(const struct verify_scene *scene, const char *name);
