/* Inside of learning: paths that come together in directories. */
#pragma once

#include "tools/policy/learn/parts.h"

struct learnt_place {
	char path[POLICY_PATH_SIZE];
	struct support support;
};

struct learnt_places {
	struct learnt_place *items; /* owned; each in front of what lies in it */
	size_t n;
	const char **closed; /* owned, sorted: what no directory is made of that it lies in */
	size_t n_closed;
};

/* As strcmp() would with '/' before all else: then a directory and what lies in it are neighbours.
 */
int learnt_compare_paths(const char *a, const char *b);
/* Whether `path` is `around` or lies in it. */
bool learnt_lies_in(const char *path, const char *around);
/* To the directory around; "/" stays. */
void learnt_go_up(char path[POLICY_PATH_SIZE]);

/* Sorts what is closed. */
void learnt_places_close(struct learnt_places *places);
/* Whether something closed is the directory or lies in it. */
bool learnt_places_is_closed(const struct learnt_places *places, const char *directory);
/* Sorts, and leaves of what lies in one another the outer ones. */
void learnt_places_collapse(struct learnt_places *places);
/* Once `after` lie right below a directory it takes their place, and so upwards, but none right
 * below
 * "/"; 0: never. After fewer, as long as there are more than `n_max`. Returns 0, or -ENOMEM. */
int learnt_places_generalise(struct learnt_places *places, size_t after, size_t n_max);
/* A list of {"path", "description"}; NULL when memory is out. */
json_t *learnt_places_write(const struct learnt_places *places);
void learnt_places_fini(struct learnt_places *places);
