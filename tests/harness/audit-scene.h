/* An audit log in a directory of its own, for tests. One at a time; a failing test leaves its
 * directory in /tmp. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/audit/audit.h"
#include "supervisor/base/loop.h"

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
