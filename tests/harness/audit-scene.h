/* An audit log in a directory of its own, for tests. One at a time; a failing test leaves its
 * directory in /tmp. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/audit/audit.h"
#include "supervisor/base/loop.h"
#include "supervisor/tlog/checkpoint.h"

struct audit_scene {
	struct loop *loop;
	struct audit *audit;
	struct audit_config
		config; /* its state_dir is `directory`; may be changed before a reopen */
	char directory[64];
	char segment_path[128]; /* the first segment */
};

void audit_scene_begin(struct audit_scene *scene);
/* Closes and opens again. */
void audit_scene_reopen(struct audit_scene *scene);
/* Closes and removes. */
void audit_scene_end(struct audit_scene *scene);

/* Removes a directory with all that is in it. */
void audit_scene_remove_tree(const char *path);
/* The bytes of all segments, one after the other; the caller frees. */
char *audit_scene_text(const struct audit_scene *scene);
/* The n-th record (from 0), parsed; NULL when there are fewer. */
json_t *audit_scene_record(const struct audit_scene *scene, size_t n);
/* The last record of a type, or NULL; the caller frees. */
json_t *audit_scene_last_of(const struct audit_scene *scene, const char *type);
int64_t audit_scene_number(const json_t *record, const char *key);

/* A path below the state directory, in one of four buffers that are used in turn; a whole file,
 * which the caller frees. */
char *audit_scene_path(const struct audit_scene *scene, const char *name);
char *audit_scene_read(const struct audit_scene *scene, const char *name);

/* Checks that a note is signed by the epoch's key and has the root of the first lines of `text`, as
 * RFC 9162 defines it. */
struct checkpoint audit_scene_check_note(
	const struct audit_scene *scene, const char *note, const char *text, uint32_t epoch);
/* Checks the newest checkpoint so. */
struct checkpoint audit_scene_newest(const struct audit_scene *scene, uint32_t epoch);
/* Runs the loop until the checkpoint on the disk covers every record. */
void audit_scene_settle(struct audit_scene *scene);
/* Checks numbers, count and chain of a stream that has ended. */
void audit_scene_check_end(const struct audit_scene *scene, const char *stream_name);
/* Checks that all notes of the history are ours and numbered from 1, one by one, and that the
 * newest checkpoint is the last of them. Returns how many there are. */
uint64_t audit_scene_check_numbers(const struct audit_scene *scene);
