/* Inside the policy room: the files that a policy is read from, and where in them a value is. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* A value's place in the document: a chain that lies on the stack of those who read it. */
struct policy_place {
	const struct policy_place *outer; /* NULL: the document itself */
	const char *key;                  /* NULL: an element */
	size_t index;
};

/* One file, and those that it extends behind it. Its text is good JSON. */
struct policy_source {
	const char *text;
	size_t size_bytes;
	const char *file;                 /* as it is named in messages */
	const struct policy_source *base; /* NULL: none */
};

struct policy_spot {
	const struct policy_source *source;
	size_t offset;   /* of a member's key, of an element's value */
	size_t n_before; /* elements of the list that are in files before this one */
};

/* Finds `place` of the document that `source` and its bases make together: each member is in the
 * first file that has it; the elements of a list are those of the first file, then the next one's.
 * What is in none is at the beginning of `source`. */
struct policy_spot policy_find(
	const struct policy_source *source, const struct policy_place *place);

/* Lines and columns count from 1, columns in characters. */
void policy_count_lines(
	const struct policy_spot *spot, unsigned int *ret_line, unsigned int *ret_column);

/* ---- walking one text; offsets that are given stand at what they name */

size_t policy_skip_space(const struct policy_source *source, size_t at);
/* From the opening quote to behind the closing one. */
size_t policy_skip_string(const struct policy_source *source, size_t at);
size_t policy_skip_value(const struct policy_source *source, size_t at);
